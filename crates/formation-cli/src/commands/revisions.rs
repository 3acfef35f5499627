//! `formation revisions`

use formation_model::Revision;
use futures_util::TryStreamExt;
use serde_json::Value;

use super::get;
use crate::args::Revisions;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::output::table::{at, table};
use crate::shown::{document, mask};

pub(super) async fn run(
    connected: &Connected,
    asked: &Revisions,
    output: &Output,
) -> Result<Outcome, Failure> {
    match asked.revision {
        Some(revision) => one(connected, asked, revision, output).await,
        None => all(connected, asked, output).await,
    }
}

async fn all(
    connected: &Connected,
    asked: &Revisions,
    output: &Output,
) -> Result<Outcome, Failure> {
    let revisions = connected.client.revisions(asked.name.clone());
    let revisions: Vec<Revision> = revisions.try_collect().await?;
    let numbers = |all: &Vec<Revision>| all.iter().map(|it| it.revision.to_string()).collect();
    output.show(&revisions, |all| rows(all), numbers)?;
    Ok(Outcome::Done)
}

async fn one(
    connected: &Connected,
    asked: &Revisions,
    revision: u64,
    output: &Output,
) -> Result<Outcome, Failure> {
    let revision = connected.client.revision(&asked.name, revision).await?;
    let mut shown = document(&revision)?;
    if !asked.show_environment {
        mask(&mut shown["specification"]);
    }
    let screen = |shown: &Value| {
        let head = rows(std::slice::from_ref(&revision));
        format!("{head}\n\n{}", get::properties(&shown["specification"]))
    };
    output.show(&shown, screen, |_| vec![revision.revision.to_string()])?;
    Ok(Outcome::Done)
}

fn rows(revisions: &[Revision]) -> String {
    let rows = revisions.iter().map(|revision| {
        [
            revision.revision.to_string(),
            revision.version.map(|it| it.to_string()).unwrap_or_default(),
            revision.kind.to_string(),
            at(revision.created_at),
            revision.created_by.clone(),
            revision.operation_id.to_string(),
            revision.sha256.clone(),
        ]
    });
    table(["REVISION", "VERSION", "KIND", "CREATED", "CREATED BY", "OPERATION", "SHA-256"], rows)
}

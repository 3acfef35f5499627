//! What a function has been, and how one revision differs from another.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use formation_model::plan::Plan;
use formation_model::{FunctionName, OperationKind, Revision};
use futures_util::future::{try_join, try_join_all};
use serde::Deserialize;

use super::change::{Planned, planned};
use super::{Frame, Head, html};
use crate::ui::App;
use crate::ui::trouble::Trouble;
use crate::ui::values::{at, word};

#[derive(Deserialize)]
pub struct Asked {
    from: Option<u64>,
    to: Option<u64>,
}

#[derive(Template)]
#[template(path = "revisions.html")]
struct Whole {
    frame: Frame,
    head: Head,
    rows: Vec<Row>,
    diff: Option<Diff>,
}

struct Row {
    revision: u64,
    before: Option<u64>,
    current: bool,
    version: String,
    kind: String,
    at: String,
    by: String,
    sha256: String,
    operation: String,
}

/// How one revision differs from another.
struct Diff {
    from: u64,
    to: u64,
    parts: Vec<Planned>,
}

/// `GET /functions/{name}/revisions`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let client = &app.connected.client;
    let revisions = client.revisions_page(&name, Some(100), None);
    let (described, page) = try_join(client.describe(&name), revisions).await?;
    let current = described.function.revision;
    let all = &page.items;
    let newest = all.first().map(|it| it.revision);
    let to = asked.to.or(newest);
    let from = asked.from.or_else(|| all.iter().map(|it| it.revision).find(|it| Some(*it) < to));
    let diff = match (from, to) {
        (Some(from), Some(to)) if from != to => Some(diff(&app, &name, from, to).await?),
        _ => None,
    };
    let rows = all.iter().enumerate().map(|(place, revision)| {
        let before = all.get(place + 1).map(|it| it.revision);
        row(revision, before, current)
    });
    html(&Whole {
        frame: Frame::of(&app, format!("{name}: revisions"), "functions"),
        head: Head::of(&app, &described.function, "revisions"),
        rows: rows.collect(),
        diff,
    })
}

fn row(revision: &Revision, before: Option<u64>, current: u64) -> Row {
    Row {
        revision: revision.revision,
        before,
        current: revision.revision == current,
        version: revision.version.map(|it| it.to_string()).unwrap_or_default(),
        kind: word(&revision.kind.to_string()),
        at: at(revision.created_at),
        by: revision.created_by.clone(),
        sha256: revision.sha256.chars().take(12).collect(),
        operation: revision.operation_id.to_string(),
    }
}

async fn diff(app: &App, name: &FunctionName, from: u64, to: u64) -> Result<Diff, Trouble> {
    let client = &app.connected.client;
    let both = [from, to].map(|revision| client.revision(name, revision));
    let both = try_join_all(both).await?;
    let both: Vec<_> = both.iter().map(|it| it.specification.as_ref()).collect();
    let plan = Plan::between(OperationKind::Update, name, both[0], both[1]);
    Ok(Diff { from, to, parts: planned(&plan.parts) })
}

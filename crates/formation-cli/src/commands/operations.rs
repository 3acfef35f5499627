//! `formation operations`

use formation_model::Operation;
use futures_util::{StreamExt, TryStreamExt};

use crate::args::Operations;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::output::table::{at, table, took};

pub(super) async fn run(
    connected: &Connected,
    asked: &Operations,
    output: &Output,
) -> Result<Outcome, Failure> {
    let operations = connected.client.operations(asked.name.clone()).take(asked.limit);
    let operations: Vec<Operation> = operations.try_collect().await?;
    let ids = |all: &Vec<Operation>| all.iter().map(|it| it.operation_id.to_string()).collect();
    output.show(&operations, |all| rows(all), ids)?;
    Ok(Outcome::Done)
}

fn rows(operations: &[Operation]) -> String {
    let rows = operations.iter().map(|operation| {
        let error = operation.error.as_ref().map_or_else(String::new, |error| {
            format!("{} at {}; rollback {}", error.code, error.step, operation.rollback)
        });
        [
            operation.operation_id.to_string(),
            operation.kind.to_string(),
            operation.status.to_string(),
            at(operation.started_at),
            operation.ended_at.map_or_else(String::new, |ended| took(operation.started_at, ended)),
            operation.requested_by.clone(),
            error,
        ]
    });
    table(["OPERATION", "KIND", "STATUS", "STARTED", "TOOK", "REQUESTED BY", "ERROR"], rows)
}

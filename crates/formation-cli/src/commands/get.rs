//! `formation get`

use formation_model::Function;
use serde_json::Value;

use super::drift;
use crate::args::Get;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::output::table::{at, pairs};
use crate::shown::masked;

/// What of a function's document the table shows otherwise, or in another place.
const APART: [&str; 9] = [
    "functionName",
    "status",
    "revision",
    "code",
    "resources",
    "drift",
    "operationId",
    "createdAt",
    "updatedAt",
];

pub(super) async fn run(
    connected: &Connected,
    asked: &Get,
    output: &Output,
) -> Result<Outcome, Failure> {
    let function = connected.client.describe(&asked.name).await?.function;
    let document = if asked.show_environment {
        serde_json::to_value(&function)
            .map_err(|error| Failure::other("the function cannot be shown", &error))?
    } else {
        masked(&function)?
    };
    let table = |document: &Value| screen(&function, document);
    output.show(&document, table, |_| vec![asked.name.to_string()])?;
    Ok(Outcome::Done)
}

fn screen(function: &Function, document: &Value) -> String {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let code = &function.spec.code;
    let mut rows = vec![
        row("functionName", function.spec.function_name.to_string()),
        row("status", function.status.to_string()),
        row("revision", function.revision.to_string()),
        row("drift", function.drift.status.to_string()),
        row("operation", function.operation_id.to_string()),
        row("updated", at(function.updated_at)),
        row("created", at(function.created_at)),
        row("code", format!("{} bytes, SHA-256 {}", code.size_bytes, code.sha256)),
    ];
    rows.extend(fields(document));
    let resources = document["resources"].as_object().into_iter().flatten();
    rows.extend(resources.map(|(name, value)| row(name, text(value))));
    let differences = drift::lines(&function.drift);
    [pairs(rows), differences]
        .into_iter()
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// What a specification asks for, below each other.
pub(super) fn properties(specification: &Value) -> String {
    pairs(fields(specification))
}

/// The fields of a function's document that stand below its head, with what each has.
fn fields(document: &Value) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let mut rows = Vec::new();
    let members = document.as_object().into_iter().flatten();
    for (name, value) in members.filter(|(name, _)| !APART.contains(&name.as_str())) {
        match value {
            Value::Object(values) if values.is_empty() => {}
            Value::Array(values) if values.is_empty() => {}
            Value::Null => {}
            Value::Object(values) => {
                let within = values.iter();
                rows.extend(within.map(|(key, value)| row(&format!("{name}/{key}"), text(value))));
            }
            value => rows.push(row(name, text(value))),
        }
    }
    rows
}

/// A value in one line.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

//! What was done to a function.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use formation_model::{FunctionName, Operation};
use futures_util::future::try_join;
use serde::Deserialize;

use super::{Badge, Frame, Head, html, path_of, quoted};
use crate::output::table::took;
use crate::ui::App;
use crate::ui::trouble::Trouble;
use crate::ui::values::{at, cut, word};

const PAGE: u32 = 50;

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "operations.html")]
struct Whole {
    frame: Frame,
    head: Head,
    rows: Vec<Row>,
    next: Option<String>,
    first: bool,
}

struct Row {
    path: String,
    kind: String,
    status: Badge,
    rollback: Option<Badge>,
    started: String,
    took: String,
    by: String,
    error: String,
}

impl Row {
    fn of(operation: &Operation) -> Self {
        let error = operation.error.as_ref();
        let rollback = error.map(|_| Badge::of(&operation.rollback));
        Self {
            path: path_of(&operation.function_name, operation.operation_id),
            kind: word(&operation.kind.to_string()),
            status: Badge::of(&operation.status),
            rollback: rollback
                .map(|it| Badge { text: format!("rollback {}", it.text.to_lowercase()), ..it }),
            started: at(operation.started_at),
            took: operation.ended_at.map(|it| took(operation.started_at, it)).unwrap_or_default(),
            by: operation.requested_by.clone(),
            error: error
                .map(|it| format!("{}: {}", it.step, cut(&it.message, 160)))
                .unwrap_or_default(),
        }
    }
}

/// `GET /functions/{name}/operations`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
    Query(Asked { after }): Query<Asked>,
) -> Result<Response, Trouble> {
    let client = &app.connected.client;
    let token = (!after.is_empty()).then_some(after.as_str());
    let operations = client.operations_page(&name, Some(PAGE), token);
    let (described, page) = try_join(client.describe(&name), operations).await?;
    html(&Whole {
        frame: Frame::of(&app, format!("{name}: operations"), "functions"),
        head: Head::of(&app, &described.function, "operations"),
        rows: page.items.iter().map(Row::of).collect(),
        next: page.next_token.as_deref().map(quoted),
        first: after.is_empty(),
    })
}

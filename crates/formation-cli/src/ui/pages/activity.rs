//! What happens in the whole stack.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use formation_client::{ClientError, FunctionFilter};
use formation_model::{DriftStatus, Function, FunctionStatus};
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Badge, Frame, html, is_busy};
use crate::output::table::ago;
use crate::ui::App;
use crate::ui::plot::{Asked, Kind, Plot, Span};
use crate::ui::trouble::Trouble;
use crate::ui::values::at;

/// How many functions are looked through at the most: 20 requests.
const MOST: usize = 2000;

#[derive(Deserialize)]
pub struct Over {
    #[serde(default)]
    span: String,
}

#[derive(Template)]
#[template(path = "activity.html")]
struct Whole {
    frame: Frame,
    span: String,
    spans: [&'static str; 4],
}

/// What is asked for once the page is there.
#[derive(Template)]
#[template(path = "now.html")]
struct Now {
    plots: Vec<Plot>,
    trouble: Option<String>,
    count: usize,
    more: bool,
    lists: [List; 3],
}

struct List {
    title: &'static str,
    none: &'static str,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    badge: Badge,
    operation: String,
    ago: String,
    at: String,
}

fn span(asked: &str) -> &'static str {
    Span::NAMES.into_iter().find(|it| *it == asked).unwrap_or(Span::NAMES[2])
}

/// `GET /activity`
pub async fn page(
    State(app): State<Arc<App>>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let span = span(&over.span).to_owned();
    html(&Whole { frame: Frame::of(&app, "Activity", "activity"), span, spans: Span::NAMES })
}

/// `GET /activity/now`
pub async fn now(
    State(app): State<Arc<App>>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let filter = FunctionFilter { page_size: Some(100), ..FunctionFilter::default() };
    let all = app.connected.client.functions(filter).take(MOST + 1);
    let mut all: Vec<Function> = all.try_collect().await?;
    let more = all.len() > MOST;
    all.truncate(MOST);
    let (plots, trouble) = match state_machine(&app, all.first()).await? {
        Some(arn) => plots(&app, &arn, span(&over.span)).await,
        None => (Vec::new(), None),
    };
    let now = Timestamp::now();
    let rows = |fits: &dyn Fn(&Function) -> bool, badge: &dyn Fn(&Function) -> Badge| {
        let fitting = all.iter().filter(|function| fits(function));
        let rows = fitting.take(100).map(|function| {
            let operated = function.operation_id.accepted_at();
            Row {
                name: function.spec.function_name.to_string(),
                badge: badge(function),
                operation: function.operation_id.to_string(),
                ago: ago(operated, now),
                at: at(operated),
            }
        });
        rows.collect::<Vec<_>>()
    };
    let status = |function: &Function| Badge::of(&function.status);
    let drifted = |function: &Function| {
        [DriftStatus::Drifted, DriftStatus::Deleted].iter().any(|it| function.drift.status == *it)
    };
    let lists = [
        List { title: "Running now", none: "Nothing runs.", rows: rows(&is_busy, &status) },
        List {
            title: "Left over, or undone",
            none: "Nothing is left over.",
            rows: rows(&|function| function.status == FunctionStatus::Failed, &status),
        },
        List {
            title: "Drifted",
            none: "AWS has what is recorded, as far as it was compared.",
            rows: rows(&drifted, &|function| Badge::of_drift(&function.drift)),
        },
    ];
    html(&Now { plots, trouble, count: all.len(), more, lists })
}

/// The ARN of the state machine, which that of any execution tells.
async fn state_machine(
    app: &App,
    function: Option<&Function>,
) -> Result<Option<String>, ClientError> {
    let Some(function) = function else { return Ok(None) };
    let name = &function.spec.function_name;
    let operation = app.connected.client.operation(name, function.operation_id).await?;
    Ok(machine_of(&operation.execution_arn))
}

fn machine_of(execution: &str) -> Option<String> {
    let (machine, _) = execution.rsplit_once(':')?;
    let (place, name) = machine.split_once(":execution:")?;
    Some(format!("{place}:stateMachine:{name}"))
}

async fn plots(app: &App, arn: &str, span: &str) -> (Vec<Plot>, Option<String>) {
    let of = |metric, stat| Asked {
        namespace: "AWS/States",
        metric,
        of: ("StateMachineArn", arn.to_owned()),
        stat,
    };
    let all = vec![
        of("ExecutionsSucceeded", "Sum"),
        of("ExecutionsFailed", "Sum"),
        of("ExecutionsAborted", "Sum"),
        of("ExecutionsTimedOut", "Sum"),
        of("ExecutionTime", "p50"),
        of("ExecutionTime", "p95"),
    ];
    let found = app.metrics(all, Span::named(span, Timestamp::now())).await;
    match found {
        Ok(found) => {
            let [succeeded, failed, aborted, timed_out, p50, p95] = found.as_slice() else {
                return (Vec::new(), None);
            };
            let plots = vec![
                Plot::of("Succeeded", Kind::Count, &[("executions", "good", succeeded)]),
                Plot::of(
                    "Failed, stopped or out of time",
                    Kind::Count,
                    &[
                        ("failed", "bad", failed),
                        ("stopped", "warn", aborted),
                        ("timed out", "b", timed_out),
                    ],
                ),
                Plot::of(
                    "Time of an execution",
                    Kind::Milliseconds,
                    &[("p95", "b", p95), ("p50", "a", p50)],
                ),
            ];
            (plots, None)
        }
        Err(error) => (Vec::new(), Some(super::metrics::denied(app, &error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_tells_of_its_state_machine() {
        let execution = "arn:aws:states:eu-west-1:123456789012:execution:shop-X:hello-create-01-1";
        let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-X";
        assert_eq!(machine_of(execution).as_deref(), Some(machine));
        assert_eq!(machine_of("arn:e"), None);
    }
}

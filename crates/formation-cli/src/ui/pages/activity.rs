//! What happens in the whole stack.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use formation_client::FunctionFilter;
use formation_model::about::About;
use formation_model::{DriftStatus, Function, FunctionStatus};
use futures_util::future::join;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Badge, Frame, html, is_busy};
use crate::output::table::ago;
use crate::ui::App;
use crate::ui::plot::{Asked, Kind, Plot, Span};
use crate::ui::trouble::{Trouble, of_client};
use crate::ui::values::at;

/// How many functions are looked through at the most: 20 requests.
const MOST: usize = 2000;
/// How many of a list are shown.
const SHOWN: usize = 100;

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

/// What is asked for once the page is there. What one of its sources does not answer is missing in its own place
/// alone.
#[derive(Template)]
#[template(path = "now.html")]
struct Now {
    base: String,
    plots: Vec<Plot>,
    trouble: Option<String>,
    functions: Functions,
}

/// What the functions are at.
#[derive(Default)]
struct Functions {
    trouble: Option<String>,
    count: usize,
    more: bool,
    lists: Vec<List>,
}

struct List {
    title: &'static str,
    none: &'static str,
    rows: Vec<Row>,
    /// How many there are, shown or not.
    count: usize,
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
    let (functions, (plots, trouble)) = join(functions(&app), executions(&app, &over)).await;
    html(&Now { base: app.base().to_owned(), plots, trouble, functions })
}

async fn functions(app: &App) -> Functions {
    let filter = FunctionFilter { page_size: Some(100), ..FunctionFilter::default() };
    let all = app.connected.client.functions(filter).take(MOST + 1);
    let mut all: Vec<Function> = match all.try_collect().await {
        Ok(all) => all,
        Err(error) => {
            return Functions { trouble: Some(of_client(&error, app)), ..Functions::default() };
        }
    };
    let more = all.len() > MOST;
    all.truncate(MOST);
    let now = Timestamp::now();
    let list = |title, none, badge: &dyn Fn(&Function) -> Option<Badge>| {
        let fitting = all.iter().filter_map(|function| Some((function, badge(function)?)));
        let fitting: Vec<_> = fitting.collect();
        let rows = fitting.iter().take(SHOWN).map(|(function, badge)| {
            let operated = function.operation_id.accepted_at();
            Row {
                name: function.spec.function_name.to_string(),
                badge: badge.clone(),
                operation: function.operation_id.to_string(),
                ago: ago(operated, now),
                at: at(operated),
            }
        });
        List { title, none, rows: rows.collect(), count: fitting.len() }
    };
    let status = |function: &Function| Badge::of(&function.status);
    let drifted = |function: &Function| {
        [DriftStatus::Drifted, DriftStatus::Deleted].iter().any(|it| function.drift.status == *it)
    };
    let lists = vec![
        list("Running now", "Nothing runs.", &|it| is_busy(it).then(|| status(it))),
        list("Left over, or undone", "Nothing is left over.", &|it| {
            (it.status == FunctionStatus::Failed).then(|| status(it))
        }),
        list("Drifted", "AWS has what is recorded, as far as it was compared.", &|it| {
            drifted(it).then(|| Badge::of_drift(&it.drift))
        }),
    ];
    Functions { trouble: None, count: all.len(), more, lists }
}

/// What CloudWatch has of the state machine's executions, or why there is nothing to show.
async fn executions(app: &App, over: &Over) -> (Vec<Plot>, Option<String>) {
    match app.connected.client.about().await {
        Ok(About { state_machine_arn: Some(arn), .. }) => plots(app, &arn, span(&over.span)).await,
        Ok(_) => {
            let told = "The stack is of an older release, which does not say what its state machine is: \
                        `make deploy` upgrades it.";
            (Vec::new(), Some(told.to_owned()))
        }
        Err(error) => (Vec::new(), Some(of_client(&error, app))),
    }
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
    let over = Span::named(span, Timestamp::now());
    let found = app.metrics(all, over).await;
    match found {
        Ok(found) => {
            let [succeeded, failed, aborted, timed_out, p50, p95] = found.as_slice() else {
                return (Vec::new(), None);
            };
            let plots = vec![
                Plot::of("Succeeded", Kind::Count, over, &[("executions", "good", succeeded)]),
                Plot::of(
                    "Failed, stopped or out of time",
                    Kind::Count,
                    over,
                    &[
                        ("failed", "bad", failed),
                        ("stopped", "warn", aborted),
                        ("timed out", "b", timed_out),
                    ],
                ),
                Plot::of(
                    "Time of an execution",
                    Kind::Milliseconds,
                    over,
                    &[("p95", "b", p95), ("p50", "a", p50)],
                ),
            ];
            (plots, None)
        }
        Err(error) => (Vec::new(), Some(super::metrics::denied(app, &error))),
    }
}

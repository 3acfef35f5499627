//! One operation, as it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use formation_client::Look;
use formation_model::operation::OperationStep;
use formation_model::{FunctionName, Operation, OperationId};
use jiff::Timestamp;

use super::{Badge, Frame, html, path_of, see, stale, text};
use crate::output::table::took;
use crate::ui::App;
use crate::ui::live::{self, Next};
use crate::ui::machine::{Drawn, class};
use crate::ui::story::Story;
use crate::ui::trouble::Trouble;
use crate::ui::values::at;
use crate::ui::watch::Sight;

/// How often an operation is looked at while it runs.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked at for its last steps once it has ended.
const LAST_LOOKS: usize = 3;
/// After how many seconds they are there, or will never be.
const LATE: i64 = 10;

#[derive(Template)]
#[template(path = "operation.html")]
struct Whole {
    frame: Frame,
    name: String,
    id: String,
    facts: Vec<(&'static str, String)>,
    /// Where the console is allowed to be: nothing else becomes a link.
    console: Option<String>,
    /// Whether nothing will change any more.
    is_over: bool,
    progress: Progress,
}

#[derive(Template)]
#[template(path = "progress.html")]
struct Changed {
    progress: Progress,
}

/// What changes while it runs.
struct Progress {
    base: String,
    kind: String,
    name: String,
    id: String,
    status: Badge,
    story: Story,
    warnings: Vec<String>,
    drawn: Drawn,
    steps: Vec<Step>,
    cancels: Option<String>,
    trouble: Option<String>,
}

/// A step, and where it stands in the time of the whole.
struct Step {
    name: String,
    class: &'static str,
    status: String,
    tries: u32,
    time: String,
    /// Both in thousandths of the whole time.
    from: i64,
    long: i64,
    told: String,
    aws: String,
}

impl Step {
    fn of(step: &OperationStep, began: Timestamp, until: Timestamp) -> Self {
        let whole = until.duration_since(began).as_millis().max(1);
        let ended = step.ended_at.unwrap_or(until);
        let share = |from: Timestamp, to: Timestamp| {
            let share = to.duration_since(from).as_millis().max(0) * 1000 / whole;
            i64::try_from(share).unwrap_or(1000).clamp(0, 1000)
        };
        let from = share(began, step.started_at);
        let error = step.last_error.as_ref();
        let aws = error.into_iter().flat_map(|it| [&it.aws_error_code, &it.aws_request_id]);
        let told = step.waiting_for.clone().or_else(|| error.map(|it| it.message.clone()));
        Self {
            name: step.name.clone(),
            class: class(step),
            status: super::word(&step.status.to_string()),
            tries: step.attempts,
            time: took(step.started_at, ended),
            from,
            long: share(step.started_at, ended).clamp(4, (1000 - from).max(4)),
            told: told.unwrap_or_default(),
            aws: aws.flatten().cloned().collect::<Vec<_>>().join(", "),
        }
    }
}

impl Progress {
    fn of(app: &App, operation: &Operation, trouble: Option<String>) -> Self {
        let now = Timestamp::now();
        let until = operation.ended_at.unwrap_or(now);
        let steps = operation.steps.iter().flatten();
        let writable = app.writable && !operation.has_ended();
        Self {
            base: app.base().to_owned(),
            kind: super::word(&operation.kind.to_string()),
            name: operation.function_name.to_string(),
            id: operation.operation_id.to_string(),
            status: Badge::of(&operation.status),
            story: Story::of(operation, &app.machine, now),
            warnings: operation.warnings.iter().map(|it| it.detail.clone()).collect(),
            drawn: app.machine.draw(operation),
            steps: steps.map(|step| Step::of(step, operation.started_at, until)).collect(),
            cancels: writable.then(|| app.session.csrf().to_owned()),
            trouble,
        }
    }
}

/// What is, and will be, seen of an operation, with its steps: once a second while it runs, whoever looks.
pub fn sight(app: &App, name: &FunctionName, id: OperationId) -> Sight<Operation> {
    let (client, of) = (app.connected.client.clone(), name.clone());
    let look = move || {
        let (client, name) = (client.clone(), of.clone());
        let look = Look { steps: true, ..Look::default() };
        async move { client.describe_operation(&name, id, look).await }
    };
    let (ends, last_looks) = (app.machine.ends(), AtomicUsize::new(0));
    // Its outcome is recorded by one of its last steps: those behind it follow within moments.
    let pause = move |operation: &Operation| {
        let is_over = operation.has_ended()
            && (is_whole(operation, &ends, Timestamp::now())
                || last_looks.fetch_add(1, Ordering::Relaxed) >= LAST_LOOKS);
        (!is_over).then_some(PAUSE)
    };
    app.operations.follow(format!("{name}/{id}"), look, pause)
}

/// Whether no more steps will come of an operation that has ended: the last was one of the `ends`, or should have
/// been for long.
fn is_whole(operation: &Operation, ends: &[String], now: Timestamp) -> bool {
    let last = operation.steps.iter().flatten().next_back();
    let is_end = last.is_some_and(|it| it.ended_at.is_some() && ends.contains(&it.name));
    let ended = operation.ended_at.unwrap_or_default();
    is_end || now.duration_since(ended).as_secs() >= LATE
}

/// `GET /functions/{name}/operations/{operation}`
pub async fn page(
    State(app): State<Arc<App>>,
    Path((name, id)): Path<(FunctionName, OperationId)>,
) -> Result<Response, Trouble> {
    let seen = sight(&app, &name, id).now().await;
    let operation = seen.known()?;
    let console = Some(operation.console_url.clone()).filter(|_| !app.local);
    html(&Whole {
        frame: Frame::of(
            &app,
            format!("{} {name}", super::word(&operation.kind.to_string())),
            "functions",
        ),
        name: name.to_string(),
        id: id.to_string(),
        facts: vec![
            ("Operation", id.to_string()),
            ("Asked for", at(operation.started_at)),
            ("By", operation.requested_by.clone()),
        ],
        console: console.filter(|url| is_console(url)),
        is_over: seen.is_over,
        progress: Progress::of(&app, &operation, stale(&app, &seen)),
    })
}

/// Whether a link leads to AWS's own console.
fn is_console(url: &str) -> bool {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let ends = ["console.aws.amazon.com", "console.amazonaws-us-gov.com", "console.amazonaws.cn"];
    host.is_some_and(|host| {
        ends.iter().any(|end| host == *end || host.ends_with(&format!(".{end}")))
    })
}

/// `GET /functions/{name}/operations/{operation}/stream`
pub async fn stream(
    State(app): State<Arc<App>>,
    Path((name, id)): Path<(FunctionName, OperationId)>,
) -> Response {
    let sight = sight(&app, &name, id);
    live::changes(app, sight, |app, seen| {
        let Some(operation) = &seen.last else {
            // The page has what it was made with.
            return Next::Shown(String::new());
        };
        let progress = Progress::of(app, operation, stale(app, seen));
        let shown = text(&Changed { progress }).unwrap_or_default();
        // Of what has ended, or is not known any more, nothing will come.
        if seen.is_over { Next::Last(shown) } else { Next::Shown(shown) }
    })
}

/// `POST /functions/{name}/operations/{operation}/cancel`
pub async fn cancel(
    State(app): State<Arc<App>>,
    Path((name, id)): Path<(FunctionName, OperationId)>,
) -> Result<Response, Trouble> {
    app.connected.client.cancel(&name, id).await?;
    Ok(see(&app, &path_of(&name, id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_steps_of_what_has_ended_are_waited_for_but_not_for_long() {
        let seen = |last: &str, ended: bool| {
            let mut step = serde_json::json!({
                "name": last, "status": "SUCCEEDED", "attempts": 1, "startedAt": "2026-11-25T17:00:00Z",
            });
            if ended {
                step["endedAt"] = "2026-11-25T17:00:01Z".into();
            }
            let operation = serde_json::json!({
                "operationId": "01JDJ3M6Q5X8Z7W2V4T9R0N1KB", "kind": "CREATE", "functionName": "hello",
                "status": "SUCCEEDED", "rollback": "NOT_NEEDED", "startedAt": "2026-11-25T17:00:00Z",
                "endedAt": "2026-11-25T17:00:01Z", "requestedBy": "ann", "executionArn": "arn:e",
                "consoleUrl": "https://c", "steps": [step],
            });
            serde_json::from_value::<Operation>(operation).unwrap()
        };
        let ends = crate::ui::machine::Machine::read().ends();
        let (soon, late) =
            ("2026-11-25T17:00:03Z".parse().unwrap(), "2026-11-25T17:01:00Z".parse().unwrap());
        for last in ["Announce success", "Announce failure"] {
            assert!(is_whole(&seen(last, true), &ends, soon), "{last}");
        }
        for (last, ended) in [("Announce success", false), ("Record success", true)] {
            assert!(!is_whole(&seen(last, ended), &ends, soon), "{last}");
            assert!(is_whole(&seen(last, ended), &ends, late), "{last}");
        }
    }

    #[test]
    fn only_awss_console_is_linked_to() {
        for (url, expected) in [
            ("https://console.aws.amazon.com/states/home#/x", true),
            ("https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/x", true),
            ("https://eu-west-1.console.aws.amazon.com.evil.example/", false),
            ("https://evilconsole.aws.amazon.com/", false),
            ("http://console.aws.amazon.com/", false),
            ("javascript:alert(1)", false),
        ] {
            assert_eq!(is_console(url), expected, "{url}");
        }
    }
}

//! One function.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use formation_model::{DriftStatus, Function, FunctionName, Operation, ProblemCode};
use jiff::Timestamp;

use super::{Badge, Frame, Head, html, is_busy, operation, path_of, text};
use crate::ui::App;
use crate::ui::live::{self, Next};
use crate::ui::story::Story;
use crate::ui::trouble::Trouble;
use crate::ui::values::at;
use crate::ui::watch::{self, Seen, Sight};

/// How often a function is looked at: while an operation runs, and while none does.
const BUSY: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "function.html")]
struct Whole {
    frame: Frame,
    head: Head,
    live: Live,
    facts: Vec<(&'static str, String)>,
    last: Option<Last>,
}

#[derive(Template)]
#[template(path = "live.html")]
struct Changed {
    live: Live,
}

/// What changes while one looks.
struct Live {
    head: Head,
    writable: bool,
    differences: usize,
    compared: String,
    gone: bool,
}

/// The last operation.
struct Last {
    kind: Badge,
    story: Story,
    path: String,
    started: String,
    by: String,
}

impl Last {
    fn of(app: &App, operation: &Operation) -> Self {
        Self {
            kind: Badge::of(&operation.kind),
            story: Story::of(operation, &app.machine, Timestamp::now()),
            path: path_of(&operation.function_name, operation.operation_id),
            started: at(operation.started_at),
            by: operation.requested_by.clone(),
        }
    }
}

impl Live {
    fn of(app: &App, function: &Function) -> Self {
        let drift = &function.drift;
        let differs = drift.status == DriftStatus::Drifted || drift.status == DriftStatus::Deleted;
        Self {
            head: Head::of(function, "overview"),
            writable: app.writable,
            differences: if differs { drift.differences.len().max(1) + drift.more } else { 0 },
            compared: drift.checked_at.map(at).unwrap_or_default(),
            gone: false,
        }
    }
}

fn sight(app: &App, name: &FunctionName) -> Sight<Function> {
    let (client, of) = (app.connected.client.clone(), name.clone());
    let look = move || {
        let (client, name) = (client.clone(), of.clone());
        async move { Ok(client.describe(&name).await?.function) }
    };
    let pause = |function: &Function| Some(if is_busy(function) { BUSY } else { QUIET });
    app.functions.follow(name.to_string(), look, pause)
}

/// What is known of where AWS has it.
fn facts(function: &Function) -> Vec<(&'static str, String)> {
    let resources = &function.resources;
    vec![
        ("Invoke", resources.invoke_arn.clone()),
        ("Role", resources.role_arn.clone()),
        ("Log group", resources.log_group_name.clone()),
        ("Created", format!("{} by {}", at(function.created_at), function.created_by)),
    ]
}

/// `GET /functions/{name}`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
) -> Result<Response, Trouble> {
    let mut seen = sight(&app, &name);
    let function = watch::now(&mut seen).await.map_err(|error| Trouble::of_api(&error))?;
    let last = watch::now(&mut operation::sight(&app, &name, function.operation_id)).await;
    html(&Whole {
        frame: Frame::of(&app, name.as_str(), "functions"),
        head: Head::of(&function, "overview"),
        live: Live::of(&app, &function),
        facts: facts(&function),
        last: last.ok().map(|operation| Last::of(&app, &operation)),
    })
}

/// `GET /functions/{name}/stream`
pub async fn stream(State(app): State<Arc<App>>, Path(name): Path<FunctionName>) -> Response {
    let sight = sight(&app, &name);
    live::changes(app, sight, move |app, seen| show(app, &name, seen))
}

fn show(app: &App, name: &FunctionName, seen: &Seen<Function>) -> Next {
    match seen {
        Ok(function) => {
            Next::Shown(text(&Changed { live: Live::of(app, function) }).unwrap_or_default())
        }
        Err(error) if error.code() == Some(ProblemCode::FunctionNotFound) => {
            Next::Last(text(&Changed { live: gone(app, name) }).unwrap_or_default())
        }
        Err(_) => Next::Shown(String::new()),
    }
}

/// What is left to say of a function that has been deleted.
fn gone(app: &App, name: &FunctionName) -> Live {
    let none = || Badge { text: "Deleted".to_owned(), class: "none" };
    let head = Head {
        name: name.to_string(),
        description: String::new(),
        status: none(),
        drift: none(),
        revision: 0,
        version: String::new(),
        updated: String::new(),
        running: None,
        failed: None,
        tab: "overview",
    };
    let (differences, compared) = (0, String::new());
    Live { head, writable: app.writable, differences, compared, gone: true }
}

//! One function.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use formation_model::{DriftStatus, Function, FunctionName, Operation};
use jiff::Timestamp;

use super::{Badge, Frame, Head, html, is_busy, operation, path_of, stale, text};
use crate::ui::App;
use crate::ui::live::{self, Next};
use crate::ui::story::Story;
use crate::ui::trouble::Trouble;
use crate::ui::values::at;
use crate::ui::watch::{Seen, Sight, is_gone};

/// How often a function is looked at: while an operation runs, and while none does.
const BUSY: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(5);

/// A function, and what was last done to it.
#[derive(Debug)]
pub struct Known {
    function: Function,
    /// Nothing where it is no longer known.
    last: Option<Arc<Operation>>,
}

#[derive(Template)]
#[template(path = "function.html")]
struct Whole {
    frame: Frame,
    head: Head,
    live: Live,
    facts: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "live.html")]
struct Changed {
    live: Live,
}

/// What changes while one looks.
struct Live {
    head: Head,
    can: Can,
    /// Whether AWS had something else when it was last compared.
    differs: bool,
    compared: String,
    last: Option<Last>,
    trouble: Option<String>,
    gone: bool,
}

/// What can be done now, where the page may do anything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Can {
    repair: bool,
    roll_back: bool,
    delete: bool,
    /// Whether it is only protected from being deleted.
    is_protected: bool,
}

impl Can {
    fn of(function: &Function, writable: bool) -> Self {
        if !writable || is_busy(function) {
            return Self::default();
        }
        let is_protected = function.spec.deletion_protection;
        Self {
            repair: function.revision > 0,
            roll_back: function.revision > 1,
            delete: !is_protected,
            is_protected,
        }
    }
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
    fn of(app: &App, known: &Known, trouble: Option<String>) -> Self {
        let Known { function, last } = known;
        let drift = &function.drift;
        let differs = drift.status == DriftStatus::Drifted || drift.status == DriftStatus::Deleted;
        Self {
            head: Head::of(app, function, "overview"),
            can: Can::of(function, app.writable),
            differs: differs && !is_busy(function),
            compared: drift.checked_at.map(at).unwrap_or_default(),
            last: last.as_ref().map(|operation| Last::of(app, operation)),
            trouble,
            gone: false,
        }
    }
}

fn sight(app: &Arc<App>, name: &FunctionName) -> Sight<Known> {
    let (of, shared) = (name.clone(), Arc::clone(app));
    let look = move || {
        let (name, app) = (of.clone(), Arc::clone(&shared));
        async move {
            let function = app.connected.client.describe(&name).await?.function;
            // Whoever looks at the operation itself has seen the same.
            let last = operation::sight(&app, &name, function.operation_id).now().await.last;
            Ok(Known { function, last })
        }
    };
    let pause = |known: &Known| Some(if is_busy(&known.function) { BUSY } else { QUIET });
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
    let seen = sight(&app, &name).now().await;
    let known = match &seen.trouble {
        // What was deleted while somebody looked is not shown again.
        Some(error) if is_gone(error) => return Err(Arc::clone(error).into()),
        _ => seen.known()?,
    };
    html(&Whole {
        frame: Frame::of(&app, name.as_str(), "functions"),
        head: Head::of(&app, &known.function, "overview"),
        live: Live::of(&app, &known, stale(&app, &seen)),
        facts: facts(&known.function),
    })
}

/// `GET /functions/{name}/stream`
pub async fn stream(State(app): State<Arc<App>>, Path(name): Path<FunctionName>) -> Response {
    let sight = sight(&app, &name);
    live::changes(app, sight, move |app, seen| show(app, &name, seen))
}

fn show(app: &App, name: &FunctionName, seen: &Seen<Known>) -> Next {
    if seen.trouble.as_ref().is_some_and(|error| is_gone(error)) {
        return Next::Last(text(&Changed { live: gone(app, name) }).unwrap_or_default());
    }
    let Some(known) = &seen.last else {
        // The page has what it was made with.
        return Next::Shown(String::new());
    };
    let live = Live::of(app, known, stale(app, seen));
    Next::Shown(text(&Changed { live }).unwrap_or_default())
}

/// What is left to say of a function that has been deleted.
fn gone(app: &App, name: &FunctionName) -> Live {
    let none = || Badge { text: "Deleted".to_owned(), class: "none" };
    let head = Head {
        base: app.base().to_owned(),
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
    Live {
        head,
        can: Can::default(),
        differs: false,
        compared: String::new(),
        last: None,
        trouble: None,
        gone: true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_possible_is_offered() {
        let can = |status: &str, revision: u64, protected: bool, writable: bool| {
            let mut function = crate::testing::function("hello");
            function["status"] = json!(status);
            function["revision"] = json!(revision);
            function["deletionProtection"] = json!(protected);
            Can::of(&serde_json::from_value(function).unwrap(), writable)
        };
        let none = Can::default();
        for status in ["CREATING", "UPDATING", "DELETING"] {
            assert_eq!(can(status, 3, false, true), none, "{status}");
        }
        assert_eq!(can("AVAILABLE", 3, false, false), none);
        let first = Can { repair: true, delete: true, ..none };
        assert_eq!(can("AVAILABLE", 1, false, true), first);
        assert_eq!(can("AVAILABLE", 2, false, true), Can { roll_back: true, ..first });
        let protected = Can { delete: false, is_protected: true, ..first };
        assert_eq!(can("AVAILABLE", 1, true, true), protected);
        // What was never there cannot be brought back.
        assert_eq!(can("FAILED", 0, false, true), Can { delete: true, ..none });
    }
}

//! What is done to a function: shown first, then asked, then done.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use formation_client::{Changed, ClientError, ETag};
use formation_model::plan::{Action, Plan, PlannedPart};
use formation_model::{FunctionName, Part};
use http::StatusCode;
use serde::Deserialize;

use super::{Badge, Frame, Head, described, field, html, path_of, see, wrong};
use crate::changing::{Kind, Target};
use crate::failure::Failure;
use crate::ui::App;
use crate::ui::changes::Setting;
use crate::ui::session::Secret;
use crate::ui::trouble::Trouble;
use crate::ui::values::{shown, word};

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Asked {
    /// What a command of its own does, too.
    Command(Kind),
    /// A property is to be something else.
    Setting(Setting),
}

impl Asked {
    /// By the name of a page; nothing where it does not say to which revision.
    fn of(path: Named, revision: Option<u64>) -> Option<Self> {
        Some(Self::Command(match path {
            Named::Repair => Kind::Repair,
            Named::Rollback => Kind::Rollback(revision?),
            Named::Delete => Kind::Delete,
        }))
    }

    /// What it is, for a heading and for the button that does it.
    fn title(&self) -> String {
        match self {
            Self::Command(Kind::Repair) => "Repair".to_owned(),
            Self::Command(Kind::Rollback(to)) => format!("Roll back to revision {to}"),
            Self::Command(Kind::Delete) => "Delete".to_owned(),
            Self::Setting(Setting { property, .. }) => format!("Change {}", property.name),
        }
    }

    /// What it comes to, before anything is known of this function.
    fn told(&self) -> &'static str {
        match self {
            Self::Command(Kind::Repair) => "AWS is brought back to what is recorded.",
            Self::Command(Kind::Rollback(_)) => {
                "Callers are moved first, at once where the version is kept; the rest follows behind them."
            }
            Self::Command(Kind::Delete) => {
                "Code, role, log group and function are removed, and the name is free. Nothing brings them back."
            }
            Self::Setting(_) => "Callers keep what they run until all of it is there.",
        }
    }

    /// The page where it is asked for.
    fn page(&self, name: &FunctionName) -> String {
        let change = |kind: Named| format!("/functions/{name}/change/{}", kind.as_str());
        match self {
            Self::Command(Kind::Repair) => change(Named::Repair),
            Self::Command(Kind::Rollback(to)) => {
                format!("{}?revision={to}", change(Named::Rollback))
            }
            Self::Command(Kind::Delete) => change(Named::Delete),
            Self::Setting(Setting { property, .. }) => {
                format!("/functions/{name}/settings/{}", property.name)
            }
        }
    }

    fn change(&self, app: &App, target: &Target) -> formation_client::Change {
        let client = &app.connected.client;
        match self {
            Self::Command(kind) => kind.ask(client, target),
            Self::Setting(setting) => {
                let change = client.patch(&target.name, &setting.patch());
                match &target.etag {
                    Some(etag) => change.if_match(etag),
                    None => change,
                }
            }
        }
    }
}

/// What would be done to a part.
#[derive(Debug)]
pub struct Planned {
    pub(super) part: String,
    pub(super) action: Badge,
    /// Property, what it is, and what it becomes.
    pub(super) rows: Vec<(String, String, String)>,
    pub(super) more: usize,
}

/// What would be done, part by part, of those to which something is.
pub fn planned(parts: &[PlannedPart]) -> Vec<Planned> {
    let parts = parts.iter().filter(|it| it.action != Action::None || !it.differences.is_empty());
    let badge = |part: &PlannedPart| {
        let (text, class) = match part.action.known() {
            Some(Action::Create) => ("is made", "good"),
            Some(Action::Change) if part.part == Part::Live => {
                ("callers move to another version", "busy")
            }
            Some(Action::Change) => ("is changed", "busy"),
            Some(Action::Delete) => ("is removed", "bad"),
            Some(Action::None) => ("stays as it is", "none"),
            None => ("is changed", "none"),
        };
        Badge { text: text.to_owned(), class }
    };
    let planned = parts.map(|part| Planned {
        part: word(&part.part.to_string()),
        action: badge(part),
        rows: part
            .differences
            .iter()
            // Of what is new or goes, everything differs from nothing.
            .filter(|_| part.action != Action::Create && part.action != Action::Delete)
            .map(|it| (it.property.clone(), shown(&it.actual), shown(&it.expected)))
            .collect(),
        more: part.more,
    });
    planned.collect()
}

#[derive(Template)]
#[template(path = "change.html")]
struct Whole {
    frame: Frame,
    head: Head,
    title: String,
    told: &'static str,
    parts: Vec<Planned>,
    warnings: Vec<String>,
    nothing: bool,
    /// Where it is asked for, and with which fields.
    action: String,
    hidden: Vec<(&'static str, String)>,
    /// Whether the function's name has to be typed.
    deletes: bool,
}

/// What a path says is to be done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Named {
    Repair,
    Rollback,
    Delete,
}

impl Named {
    fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Rollback => "rollback",
            Self::Delete => "delete",
        }
    }
}

#[derive(Deserialize)]
pub struct To {
    revision: Option<u64>,
}

/// `GET /functions/{name}/change/{kind}`
pub async fn plan(
    State(app): State<Arc<App>>,
    Path((name, kind)): Path<(FunctionName, Named)>,
    Query(To { revision }): Query<To>,
) -> Result<Response, Trouble> {
    // Which one the one before is, is settled before anybody is asked.
    let revision = match revision {
        None if kind == Named::Rollback => Some(before(&app, &name).await?),
        named => named,
    };
    let asked = Asked::of(kind, revision).ok_or_else(Trouble::not_found)?;
    show(&app, &name, &asked, format!("/functions/{name}/change/{}", kind.as_str())).await
}

/// The revision before the current one.
async fn before(app: &App, name: &FunctionName) -> Result<u64, Trouble> {
    match described(app, name).await?.revision {
        0 | 1 => Err(wrong("There is no revision before its first.")),
        current => Ok(current - 1),
    }
}

/// Shows what would be done, and asks.
pub async fn show(
    app: &App,
    name: &FunctionName,
    asked: &Asked,
    action: String,
) -> Result<Response, Trouble> {
    if !app.writable {
        let told = "Nothing can be changed here: `formation ui --write` may.";
        return Err(Trouble::forbidden("This page only reads", told));
    }
    let described = app.connected.client.describe(name).await?;
    // What is planned is what is done, or nothing.
    let etag = described.etag;
    let target = Target { name: name.clone(), etag: Some(etag.clone()) };
    let plan = match asked.change(app, &target).dry_run().await? {
        Changed::Planned(plan) => Some(plan),
        _ => None,
    };
    let plan = plan.filter(|plan: &Plan| plan.kind.is_some());
    let parts = plan.as_ref().map(|plan| planned(&plan.parts)).unwrap_or_default();
    let warnings = plan.iter().flat_map(|plan| &plan.warnings).map(|it| it.detail.clone());
    let deletes = matches!(asked, Asked::Command(Kind::Delete));
    let key = Secret::generate::<16>()
        .map_err(|error| Failure::other("the system has no random numbers", &error))?;
    // Whoever sends the form twice has asked for it once.
    let mut hidden = vec![("etag", etag.to_string()), ("key", key.as_str().to_owned())];
    match asked {
        Asked::Command(Kind::Rollback(to)) => hidden.push(("revision", to.to_string())),
        Asked::Setting(setting) => {
            hidden.push(("value", setting.text.clone()));
            hidden.push(("sure", "yes".to_owned()));
        }
        Asked::Command(_) => {}
    }
    let title = asked.title();
    html(&Whole {
        frame: Frame::of(app, format!("{title}: {name}"), "functions"),
        head: Head::of(app, &described.function, ""),
        told: asked.told(),
        nothing: plan.is_none(),
        title,
        parts,
        warnings: warnings.collect(),
        action,
        hidden,
        deletes,
    })
}

/// Why it was not done, and where to go on.
fn refused(error: ClientError, name: &FunctionName, asked: &Asked) -> Trouble {
    let changed = StatusCode::PRECONDITION_FAILED.as_u16();
    let trouble = match &error {
        ClientError::Problem { problem, .. } if problem.status == changed => {
            let what = format!("{name} has changed since this plan was made");
            Trouble::new(StatusCode::CONFLICT, &what, "Nothing was done.")
                .leading_to(asked.page(name), "Show the plan anew".to_owned())
        }
        _ => error.into(),
    };
    trouble.leading_to(format!("/functions/{name}"), format!("Back to {name}"))
}

/// `POST /functions/{name}/change/{kind}`
pub async fn ask(
    State(app): State<Arc<App>>,
    Path((name, kind)): Path<(FunctionName, Named)>,
    form: Bytes,
) -> Result<Response, Trouble> {
    let revision = field(&form, "revision").parse().ok();
    let asked = Asked::of(kind, revision).ok_or_else(Trouble::not_found)?;
    if matches!(asked, Asked::Command(Kind::Delete)) && field(&form, "name") != name.as_str() {
        let told = "To delete a function, its name has to be typed. Nothing was done.";
        return Err(wrong(told).leading_to(format!("/functions/{name}"), format!("Back to {name}")));
    }
    done(&app, &name, &asked, &form).await
}

/// Asks for it, as it was shown, and leads to the operation that does it.
pub async fn done(
    app: &App,
    name: &FunctionName,
    asked: &Asked,
    form: &Bytes,
) -> Result<Response, Trouble> {
    let (etag, key) = (field(form, "etag"), field(form, "key"));
    if etag.is_empty() || key.is_empty() {
        return Err(wrong("What is to be changed is not said. Nothing was done."));
    }
    let target = Target { name: name.clone(), etag: Some(ETag::from(etag)) };
    let changed = asked.change(app, &target).idempotency_key(key).await;
    Ok(match changed.map_err(|error| refused(error, name, asked))? {
        Changed::Accepted(accepted) => see(app, &path_of(name, accepted.operation.operation_id)),
        Changed::Done(done) => match done.operation_id {
            Some(operation) => see(app, &path_of(name, operation)),
            None => see(app, &format!("/functions/{name}")),
        },
        Changed::Unchanged(_) | Changed::Planned(_) => see(app, &format!("/functions/{name}")),
    })
}

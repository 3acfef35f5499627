//! The pages, one file each.

mod activity;
mod change;
mod function;
mod functions;
mod invoke;
mod logs;
mod metrics;
mod operation;
mod operations;
mod parts;
mod revisions;
mod settings;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use formation_model::{Drift, DriftStatus, Function, FunctionName, FunctionStatus};
use http::StatusCode;
use http::header::LOCATION;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub use self::function::Known;
pub use self::functions::Listed;
use super::App;
use super::trouble::{Trouble, of_client};
use super::values::{at, class, word};
use super::watch::Seen;

/// All pages.
pub fn router() -> Router<Arc<App>> {
    let of_function = Router::new()
        .route("/", get(function::page))
        .route("/stream", get(function::stream))
        .route("/parts", get(parts::page))
        .route("/settings", get(settings::all))
        .route("/settings/{property}", get(settings::one).post(settings::plan))
        .route("/revisions", get(revisions::page))
        .route("/operations", get(operations::page))
        .route("/operations/{operation}", get(operation::page))
        .route("/operations/{operation}/stream", get(operation::stream))
        .route("/operations/{operation}/cancel", axum::routing::post(operation::cancel))
        .route("/logs", get(logs::page))
        .route("/logs/stream", get(logs::stream))
        .route("/metrics", get(metrics::page))
        .route("/invoke", get(invoke::page).post(invoke::send))
        .route("/change/{kind}", get(change::plan).post(change::ask));
    Router::new()
        .route("/", get(functions::page))
        .route("/stream", get(functions::stream))
        .route("/activity", get(activity::page))
        .route("/activity/now", get(activity::now))
        .nest("/functions/{name}", of_function)
}

/// What every page has around it.
#[derive(Clone, Debug)]
struct Frame {
    title: String,
    stack: String,
    region: String,
    local: bool,
    writable: bool,
    csrf: String,
    /// The path below which all pages are, without a slash at its end.
    base: String,
    /// The folder of what pages load.
    assets: String,
    /// Which of the main pages it belongs to.
    here: &'static str,
}

impl Frame {
    fn of(app: &App, title: impl Into<String>, here: &'static str) -> Self {
        Self {
            title: title.into(),
            stack: app.connected.stack.clone().unwrap_or_else(|| app.connected.client.url()),
            region: app.connected.aws.region.clone(),
            local: app.local,
            writable: app.writable,
            csrf: app.session.csrf().to_owned(),
            base: app.base().to_owned(),
            assets: super::assets::folder(app),
            here,
        }
    }
}

/// A word with what it stands for: a class of the style sheet.
#[derive(Clone, Debug)]
struct Badge {
    text: String,
    class: &'static str,
}

impl Badge {
    fn of(text: impl ToString) -> Self {
        let text = text.to_string();
        Self { class: class(&text), text: word(&text) }
    }

    /// Whether AWS has what is recorded.
    fn of_drift(drift: &Drift) -> Self {
        let known = Self::of(&drift.status);
        match drift.status.known() {
            Some(DriftStatus::Unknown) => Self { text: "Not compared".to_owned(), ..known },
            _ => known,
        }
    }
}

/// What the pages of a function have above them.
#[derive(Clone, Debug)]
struct Head {
    base: String,
    name: String,
    description: String,
    status: Badge,
    drift: Badge,
    revision: u64,
    version: String,
    updated: String,
    /// The operation that runs, if one does.
    running: Option<String>,
    /// The last operation, if it has failed and left something.
    failed: Option<String>,
    /// Which of them is shown.
    tab: &'static str,
}

impl Head {
    fn of(app: &App, function: &Function, tab: &'static str) -> Self {
        let operation = function.operation_id.to_string();
        let failed = function.status == FunctionStatus::Failed;
        Self {
            base: app.base().to_owned(),
            name: function.spec.function_name.to_string(),
            description: function.spec.configuration.description.clone(),
            status: Badge::of(&function.status),
            drift: Badge::of_drift(&function.drift),
            revision: function.revision,
            version: function.resources.version.map(|it| it.to_string()).unwrap_or_default(),
            updated: at(function.updated_at),
            running: is_busy(function).then(|| operation.clone()),
            failed: failed.then_some(operation),
            tab,
        }
    }
}

/// Whether an operation runs on a function.
fn is_busy(function: &Function) -> bool {
    use FunctionStatus::{Creating, Deleting, Updating};
    [Creating, Updating, Deleting].iter().any(|it| function.status == *it)
}

/// A function as it is now.
async fn described(app: &App, name: &FunctionName) -> Result<Function, Trouble> {
    Ok(app.connected.client.describe(name).await?.function)
}

/// What is to be said where something could not be looked at, and is shown as it was.
fn stale<T>(app: &App, seen: &Seen<T>) -> Option<String> {
    let told = of_client(seen.trouble.as_ref()?, app);
    Some(match seen.last {
        Some(_) => format!("This is as it was at {}, and is looked at again: {told}", at(seen.at)),
        None => told,
    })
}

/// A page, or a part of one.
fn html(template: &impl Template) -> Result<Response, Trouble> {
    Ok(Html(text(template)?).into_response())
}

fn text(template: &impl Template) -> Result<String, Trouble> {
    template.render().map_err(|error| {
        Trouble::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The page cannot be shown",
            error.to_string(),
        )
    })
}

/// Leads on, after something was done.
fn see(app: &App, path: &str) -> Response {
    let path = format!("{}{path}", app.base());
    (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response()
}

/// The page of an operation, below the path of all pages.
fn path_of(name: &FunctionName, operation: impl std::fmt::Display) -> String {
    format!("/functions/{name}/operations/{operation}")
}

/// A text within a query.
fn quoted(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A field of a form; an empty text where there is none.
fn field(form: &Bytes, name: &str) -> String {
    let mut fields = form_urlencoded::parse(form);
    let found = fields.find_map(|(found, value)| (found == name).then(|| value.into_owned()));
    found.unwrap_or_default()
}

/// What a page cannot be asked for.
fn wrong(told: &str) -> Trouble {
    Trouble::new(StatusCode::BAD_REQUEST, "This cannot be asked for", told)
}

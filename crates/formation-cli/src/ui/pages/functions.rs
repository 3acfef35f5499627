//! All functions, a hundred a page.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use formation_client::FunctionFilter;
use formation_model::{Function, FunctionStatus, Page};
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;

use super::{Badge, Frame, html, is_busy, quoted, text};
use crate::output::table::ago;
use crate::ui::App;
use crate::ui::live::{self, Next};
use crate::ui::trouble::Trouble;
use crate::ui::values::{at, cut, word};
use crate::ui::watch::{self, Seen, Sight};

/// How many a page has.
const PAGE: u32 = 100;
/// How often a list is looked at: while something runs, and while nothing does.
const BUSY: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(5);

/// Which functions are asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    after: String,
}

impl Asked {
    fn filter(&self) -> FunctionFilter {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let known = FunctionStatus::ALL.into_iter().find(|it| it.as_str() == self.status);
        let tag = self.tag.split_once(':');
        let tag = tag.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
        FunctionFilter {
            status: known,
            prefix: text(self.prefix.trim()),
            tags: tag.into_iter().collect(),
            page_size: Some(PAGE),
        }
    }

    fn query(&self, after: &str) -> String {
        let Self { prefix, status, tag, .. } = self;
        let all = [("prefix", prefix.as_str()), ("status", status), ("tag", tag), ("after", after)];
        let all = all.into_iter().filter(|(_, value)| !value.is_empty());
        let all: Vec<_> = all.map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
    }

    fn is_filtered(&self) -> bool {
        !(self.prefix.is_empty() && self.status.is_empty() && self.tag.is_empty())
    }

    fn sight(&self, app: &App) -> Sight<Page<Function>> {
        let (client, filter, after) =
            (app.connected.client.clone(), self.filter(), self.after.clone());
        let look = move || {
            let (client, filter, after) = (client.clone(), filter.clone(), after.clone());
            async move {
                let token = (!after.is_empty()).then_some(after.as_str());
                client.functions_page(&filter, token).await
            }
        };
        let pause =
            |page: &Page<Function>| Some(if page.items.iter().any(is_busy) { BUSY } else { QUIET });
        app.lists.follow(self.query(&self.after), look, pause)
    }
}

#[derive(Template)]
#[template(path = "functions.html")]
struct Whole<'a> {
    frame: Frame,
    statuses: Vec<(&'static str, String)>,
    list: List<'a>,
}

/// The list alone, with what keeps it up to date.
#[derive(Template)]
#[template(path = "list.html")]
struct Filtered<'a> {
    list: List<'a>,
}

#[derive(Template)]
#[template(path = "rows.html")]
struct Changed<'a> {
    list: List<'a>,
}

struct List<'a> {
    asked: &'a Asked,
    query: String,
    rows: Vec<Row>,
    trouble: Option<String>,
    next: Option<String>,
}

struct Row {
    name: String,
    description: String,
    status: Badge,
    drift: Badge,
    revision: u64,
    runtime: String,
    memory: u32,
    operation: String,
    operated: String,
    operated_at: String,
}

impl Row {
    fn of(function: &Function, now: Timestamp) -> Self {
        let configuration = &function.spec.configuration;
        let operated = function.operation_id.accepted_at();
        Self {
            name: function.spec.function_name.to_string(),
            description: cut(&configuration.description, 80),
            status: Badge::of(&function.status),
            drift: Badge::of_drift(&function.drift),
            revision: function.revision,
            runtime: configuration.runtime.clone(),
            memory: configuration.memory_megabytes,
            operation: function.operation_id.to_string(),
            operated: ago(operated, now),
            operated_at: at(operated),
        }
    }
}

impl<'a> List<'a> {
    fn of(asked: &'a Asked, seen: &Seen<Page<Function>>) -> Self {
        let (now, query) = (Timestamp::now(), asked.query(&asked.after));
        match seen {
            Ok(page) => Self {
                asked,
                query,
                rows: page.items.iter().map(|function| Row::of(function, now)).collect(),
                trouble: None,
                next: page.next_token.as_ref().map(|token| asked.query(token)),
            },
            Err(error) => {
                let told = error.to_string();
                Self { asked, query, rows: Vec::new(), trouble: Some(told), next: None }
            }
        }
    }
}

/// `GET /`; the list alone where it is filtered in place.
pub async fn page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let seen = watch::now(&mut asked.sight(&app)).await;
    let list = List::of(&asked, &seen);
    if headers.contains_key("hx-request") {
        return html(&Filtered { list });
    }
    let statuses = FunctionStatus::ALL.into_iter().map(|it| (it.as_str(), word(it.as_str())));
    let frame = Frame::of(&app, "Functions", "functions");
    html(&Whole { frame, statuses: statuses.collect(), list })
}

/// `GET /stream`
pub async fn stream(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Response {
    let sight = asked.sight(&app);
    live::changes(app, sight, move |_, seen| {
        let shown = text(&Changed { list: List::of(&asked, seen) });
        shown.map_or_else(|_| Next::Shown(String::new()), Next::Shown)
    })
}

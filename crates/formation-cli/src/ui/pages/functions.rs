//! All functions, a hundred a page.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use formation_client::{Client, ClientError, FunctionFilter};
use formation_model::{Function, FunctionStatus};
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;

use super::{Badge, Frame, html, is_busy, quoted, stale, text};
use crate::output::table::ago;
use crate::ui::App;
use crate::ui::live::{self, Next};
use crate::ui::safety::HX_REQUEST;
use crate::ui::trouble::Trouble;
use crate::ui::values::{at, cut, word};
use crate::ui::watch::{Seen, Sight};

/// How many a page has.
const PAGE: u32 = 100;
/// How many requests are made for one: with a filter, an answer of the API has those of a hundred that fit.
const MOST_LOOKS: u32 = 30;
/// How often a list is looked at: while something runs, and while nothing does.
const BUSY: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(5);

/// The functions of a page.
#[derive(Debug, Default)]
pub struct Listed {
    functions: Vec<Function>,
    /// What leads to the next page, if there are more: they may fit, or not.
    next: Option<String>,
    /// How many requests it took.
    looks: u32,
}

impl Listed {
    /// As many as a page has, or all that there are.
    async fn gather(
        client: &Client,
        filter: FunctionFilter,
        after: Option<String>,
    ) -> Result<Self, ClientError> {
        let mut listed = Self { next: after, ..Self::default() };
        loop {
            let found = u32::try_from(listed.functions.len()).unwrap_or(PAGE);
            // No more than there is room for: where the next page begins is where an answer ends.
            let filter = FunctionFilter { page_size: Some(PAGE - found), ..filter.clone() };
            let page = client.functions_page(&filter, listed.next.as_deref()).await?;
            listed.looks += 1;
            listed.functions.extend(page.items);
            listed.next = page.next_token;
            let is_full = listed.functions.len() >= PAGE as usize;
            if is_full || listed.next.is_none() || listed.looks >= MOST_LOOKS {
                return Ok(listed);
            }
        }
    }

    /// How long until it is looked at again: no more than about a request a second is made for it.
    fn pause(&self) -> Duration {
        let usual = if self.functions.iter().any(is_busy) { BUSY } else { QUIET };
        usual.max(Duration::from_secs(u64::from(self.looks)))
    }
}

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
            page_size: None,
        }
    }

    /// What cannot be asked for.
    fn problem(&self) -> Option<&'static str> {
        let is_known = |status: &str| FunctionStatus::ALL.iter().any(|it| it.as_str() == status);
        if !self.tag.trim().is_empty() && !self.tag.contains(':') {
            Some("A tag is asked for as key:value.")
        } else if !self.status.is_empty() && !is_known(&self.status) {
            Some("There is no such status.")
        } else {
            None
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

    fn sight(&self, app: &App) -> Sight<Listed> {
        let client = app.connected.client.clone();
        let (filter, after) = (self.filter(), self.after.clone());
        let look = move || {
            let (client, filter) = (client.clone(), filter.clone());
            let after = Some(after.clone()).filter(|after| !after.is_empty());
            async move { Listed::gather(&client, filter, after).await }
        };
        let pause = |listed: &Listed| Some(listed.pause());
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
    base: String,
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
    fn of(app: &App, asked: &'a Asked, seen: &Seen<Listed>) -> Self {
        let now = Timestamp::now();
        let functions = seen.last.iter().flat_map(|listed| &listed.functions);
        let next = seen.last.as_ref().and_then(|listed| listed.next.as_ref());
        if let Some(problem) = asked.problem() {
            return Self {
                base: app.base().to_owned(),
                asked,
                query: asked.query(&asked.after),
                rows: Vec::new(),
                trouble: Some(problem.to_owned()),
                next: None,
            };
        }
        Self {
            base: app.base().to_owned(),
            asked,
            query: asked.query(&asked.after),
            rows: functions.map(|function| Row::of(function, now)).collect(),
            trouble: stale(app, seen),
            next: next.map(|token| asked.query(token)),
        }
    }
}

/// `GET /`; the list alone where it is filtered in place.
pub async fn page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let seen = asked.sight(&app).now().await;
    let list = List::of(&app, &asked, &seen);
    if headers.contains_key(HX_REQUEST) {
        return html(&Filtered { list });
    }
    let statuses = FunctionStatus::ALL.into_iter().map(|it| (it.as_str(), word(it.as_str())));
    let frame = Frame::of(&app, "Functions", "functions");
    html(&Whole { frame, statuses: statuses.collect(), list })
}

/// `GET /stream`
pub async fn stream(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Response {
    let sight = asked.sight(&app);
    live::changes(app, sight, move |app, seen| {
        let shown = text(&Changed { list: List::of(app, &asked, seen) });
        Next::Shown(shown.unwrap_or_default())
    })
}

//! What a function has logged, and what it logs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use formation_model::FunctionName;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{Frame, Head, described, html, quoted, text, wrong};
use crate::failure::chain_of;
use crate::logs::record::Kind;
use crate::logs::{Filter, Heard, Shown, Source, Tail};
use crate::since::Since;
use crate::ui::App;
use crate::ui::live;
use crate::ui::trouble::Trouble;

/// How many lines may wait to be sent: more is more than anybody reads.
const WAITING: usize = 4096;

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    grep: String,
    #[serde(default)]
    since: String,
}

impl Asked {
    fn since(&self) -> Result<Timestamp, Trouble> {
        let text = if self.since.is_empty() { "10m" } else { &self.since };
        let since: Since = text.parse().map_err(|_| wrong("The time must be as 10m, 2h or 1d."))?;
        since.before(Timestamp::now()).map_err(|told| wrong(&told))
    }
}

#[derive(Template)]
#[template(path = "logs.html")]
struct Whole {
    frame: Frame,
    head: Head,
    grep: String,
    since: String,
    choices: [(&'static str, &'static str); 5],
    query: String,
}

/// A line of the log.
#[derive(Template)]
#[template(path = "line.html")]
struct Line {
    at: String,
    clock: String,
    level: String,
    class: &'static str,
    text: String,
    request: String,
}

impl Line {
    /// What there is to show of an event, if anything.
    fn of(shown: &Shown) -> Option<Self> {
        let (level, text, class) = match &shown.record {
            Kind::Start | Kind::End | Kind::Platform => return None,
            Kind::Report(report) => {
                let class = if report.succeeded() { "report" } else { "error" };
                (String::new(), report.told(), class)
            }
            Kind::Line { level, text } => {
                let level = level.clone().unwrap_or_default();
                let class = match level.as_str() {
                    "ERROR" | "FATAL" | "CRITICAL" => "error",
                    "WARN" | "WARNING" => "warn",
                    _ => "plain",
                };
                (level, text.clone(), class)
            }
        };
        let text = anstream::adapter::strip_str(&text).to_string();
        let moment = Timestamp::from_millisecond(shown.event.timestamp).unwrap_or_default();
        Some(Self {
            at: format!("{moment:.3}"),
            clock: moment.strftime("%H:%M:%S%.3f").to_string(),
            level,
            class,
            text: text.trim_end().to_owned(),
            request: shown.request_id.clone().unwrap_or_default(),
        })
    }

    /// What is to be said of the log itself.
    fn note(text: String) -> Self {
        let (at, clock, level, request) = Default::default();
        Self { at, clock, level, class: "note", text, request }
    }
}

/// `GET /functions/{name}/logs`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    asked.since()?;
    let function = described(&app, &name).await?;
    let since = if asked.since.is_empty() { "10m" } else { &asked.since };
    html(&Whole {
        frame: Frame::of(&app, format!("{name}: logs"), "functions"),
        head: Head::of(&function, "logs"),
        query: format!("?since={}&grep={}", quoted(since), quoted(&asked.grep)),
        since: since.to_owned(),
        grep: asked.grep,
        choices: [
            ("10m", "10 minutes"),
            ("1h", "1 hour"),
            ("6h", "6 hours"),
            ("1d", "1 day"),
            ("7d", "7 days"),
        ],
    })
}

/// `GET /functions/{name}/logs/stream`
pub async fn stream(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let since = asked.since()?;
    let function = described(&app, &name).await?;
    let aws = &app.connected.aws;
    let logs = aws
        .service("logs")
        .map_err(|error| aws.failure("CloudWatch Logs cannot be asked", &error))?;
    let source = Source { name, log_group: function.resources.log_group_name };
    let filter = Filter { text: Some(asked.grep).filter(|it| !it.is_empty()), request_id: None };
    let (lines, events) = mpsc::channel(WAITING);
    let tail = Tail::new(logs, vec![source.clone()], since, filter);
    let of = Arc::clone(&app);
    app.begin(move || follow(of, tail, source, lines));
    Ok(live::sent(app, events))
}

/// Follows the log until nobody reads it.
async fn follow(app: Arc<App>, mut tail: Tail, source: Source, lines: mpsc::Sender<String>) {
    let told = |line: &Line| text(line).unwrap_or_default();
    let show = |event: Shown| -> Result<bool, ()> {
        let Some(line) = Line::of(&event) else { return Ok(!lines.is_closed()) };
        match lines.try_send(told(&line)) {
            Ok(()) => Ok(true),
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(false),
            // Whoever wants to read so much uses the command.
            Err(mpsc::error::TrySendError::Full(_)) => Err(()),
        }
    };
    let hear = async |name: &FunctionName, heard: Heard<'_>| {
        let (goes_on, text) = match heard {
            Heard::Trouble(error) => {
                (true, format!("CloudWatch Logs is tried again: {}", chain_of(error)))
            }
            Heard::Refused(error) => {
                let group = &source.log_group;
                let refused = crate::logs::refused(&app.connected, name, group, error).await;
                (
                    false,
                    match refused {
                        Some(failure) => crate::ui::trouble::words(&failure, None),
                        None => format!("{name} has been deleted"),
                    },
                )
            }
        };
        lines.send(told(&Line::note(text))).await.is_ok() && goes_on
    };
    let gone = async { lines.closed().await };
    let followed = tokio::select! {
        followed = tail.follow(show, hear) => followed,
        () = gone => Ok(()),
    };
    if followed.is_err() {
        let text =
            "There is more than can be shown here: filter it, or use `formation logs`.".to_owned();
        let _ = lines.send(told(&Line::note(text))).await;
    }
}

//! What a function has logged, and what it logs.

use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use formation_model::FunctionName;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Frame, Head, described, html, quoted, text, wrong};
use crate::failure::chain_of;
use crate::logs::record::Kind;
use crate::logs::{Filter, Heard, Shown, Source, Tail};
use crate::since::Since;
use crate::ui::App;
use crate::ui::live::{self, Piece};
use crate::ui::trouble::{Trouble, words};
use crate::ui::waiting::{self, Writer};

/// What a browser says that has lost a stream.
/// Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html#last-event-id>.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How much of a line is shown: the command shows the whole.
const LONGEST: usize = 16 * 1024;
/// How far before the last line that it has a page goes on that had lost its stream, in milliseconds: what arrived
/// late is between. What it has already it leaves out.
const LATE: i64 = 60 * 1000;

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
    /// What a page knows it by, should it come again.
    id: String,
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
            text: cut(text.trim_end()),
            request: shown.request_id.clone().unwrap_or_default(),
            id: format!("{}-{:x}", shown.event.timestamp, shown.event.digest()),
        })
    }

    /// What is to be said of the log itself.
    fn note(text: String) -> Self {
        let (at, clock, level, request, id) = Default::default();
        Self { at, clock, level, class: "note", text, request, id }
    }

    /// The line, where it stands in time.
    fn piece(&self, place: Option<i64>) -> Piece {
        Piece { html: text(self).unwrap_or_default(), place }
    }
}

/// A text, without what is too much of it.
fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST);
    match text.len() - end {
        0 => text.to_owned(),
        more => format!("{}\u{2026} (and {more} bytes)", &text[..end]),
    }
}

/// What is said in place of lines that nobody could have read.
fn left_out(count: usize) -> String {
    let told = format!(
        "{count} lines are left out here: there is more than can be shown. Filter it, or use `formation logs`."
    );
    Line::note(told).piece(None).html
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
        head: Head::of(&app, &function, "logs"),
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

/// From when on a page is shown the log: from where it was, if it comes back.
fn begin(since: Timestamp, headers: &HeaderMap) -> Timestamp {
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let place = last.and_then(|id| id.parse::<i64>().ok());
    let place = place.and_then(|it| Timestamp::from_millisecond(it.saturating_sub(LATE)).ok());
    place.map_or(since, |place| place.min(Timestamp::now()))
}

/// `GET /functions/{name}/logs/stream`
pub async fn stream(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let since = begin(asked.since()?, &headers);
    let function = described(&app, &name).await?;
    let aws = &app.connected.aws;
    let logs = aws
        .service("logs")
        .map_err(|error| aws.failure("CloudWatch Logs cannot be asked", &error))?;
    let source = Source { name, log_group: function.resources.log_group_name };
    let filter = Filter { text: Some(asked.grep).filter(|it| !it.is_empty()), request_id: None };
    let (writer, reader, gone) = waiting::lines(left_out);
    let tail = Tail::new(logs, vec![source.clone()], since, filter);
    let of = Arc::clone(&app);
    app.begin(move || follow(of, tail, source, writer, gone));
    Ok(live::sent(app, reader))
}

/// Follows the log until nobody reads it, or the function is gone.
async fn follow(
    app: Arc<App>,
    mut tail: Tail,
    source: Source,
    writer: Writer,
    gone: impl Future<Output = ()>,
) {
    // What is in the way is said once, until something else is.
    let mut said = String::new();
    let show = |event: Shown| {
        if let Some(line) = Line::of(&event) {
            writer.put(line.piece(Some(event.event.timestamp)));
        }
        Ok::<_, Infallible>(true)
    };
    let hear = async |name: &FunctionName, heard: Heard<'_>| {
        let (goes_on, told) = match heard {
            Heard::Trouble(error) => (true, chain_of(error)),
            Heard::Refused(error) => {
                let group = &source.log_group;
                match crate::logs::refused(&app.connected, name, group, error).await {
                    // Credentials are renewed, and policies given.
                    Some(failure) => (true, words(&failure, &app)),
                    None => (false, format!("{name} has been deleted")),
                }
            }
        };
        let told = if goes_on { format!("It is tried again: {told}") } else { told };
        if told != said {
            writer.put(Line::note(told.clone()).piece(None));
            said = told;
        }
        goes_on
    };
    tokio::select! {
        _ = tail.follow(show, hear) => {}
        () = gone => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_cut_between_two_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"\u{e9}".repeat(LONGEST));
        assert!(long.len() < LONGEST + 40 && long.ends_with("\u{2026} (and 16384 bytes)"));
    }

    #[test]
    fn a_page_that_comes_back_goes_on_a_little_before_where_it_was() {
        let since = Timestamp::from_millisecond(9_000_000).unwrap();
        let begun = |last: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(last) = last {
                headers.insert(LAST_EVENT_ID, last.parse().unwrap());
            }
            begin(since, &headers).as_millisecond()
        };
        for (last, expected) in [
            (None, 9_000_000),
            // However long ago that was: what came since then has not been seen.
            (Some("5000000"), 5_000_000 - LATE),
            (Some("-9223372036854775808"), 9_000_000),
            (Some("none"), 9_000_000),
        ] {
            assert_eq!(begun(last), expected, "{last:?}");
        }
    }
}

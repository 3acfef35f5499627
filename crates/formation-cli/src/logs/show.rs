//! Events as they are shown.

use formation_model::FunctionName;
use jiff::Timestamp;
use serde::Serialize;

use super::Event;
use super::record::{self, Kind, Report};
use crate::output::{ASIDE, BAD, NAMES, UNSETTLED, styled};

/// An event, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Whose it is.
    pub function: FunctionName,
    /// The event.
    pub event: Event,
    /// What its message says.
    pub record: Kind,
    /// The invocation that it belongs to, where that is known.
    pub request_id: Option<String>,
}

/// An event as a document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    function_name: &'a FunctionName,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a Report>,
    log_stream_name: &'a str,
    event_id: &'a str,
}

impl Shown {
    /// The event as a document: the message as it is, and what a report says.
    pub fn document(&self) -> impl Serialize + '_ {
        let Self { function, event, record, request_id } = self;
        Document {
            function_name: function,
            timestamp: format!("{:.3}", self.moment()),
            request_id: request_id.as_deref(),
            message: &event.message,
            report: if let Kind::Report(report) = record { Some(report) } else { None },
            log_stream_name: &event.stream,
            event_id: &event.id,
        }
    }

    /// The event for people, after the names of several functions, `among` which it is one; nothing where
    /// nobody has to read it.
    pub fn line(&self, among: &[FunctionName]) -> Option<String> {
        let text = told(&self.record, self.request_id.as_deref())?;
        let mut line = styled(ASIDE, &format!("{:.3}", self.moment()));
        if among.len() > 1 {
            let at = among.iter().position(|name| *name == self.function).unwrap_or_default();
            let widest = among.iter().map(|name| name.as_str().len()).max().unwrap_or_default();
            let name = format!("{:widest$}", self.function.as_str());
            line += &format!(" {}", styled(NAMES[at % NAMES.len()], &name));
        }
        Some(format!("{line} {text}"))
    }

    fn moment(&self) -> Timestamp {
        Timestamp::from_millisecond(self.event.timestamp).unwrap_or_default()
    }
}

/// What a record says to people.
fn told(record: &Kind, request_id: Option<&str>) -> Option<String> {
    match record {
        Kind::Start | Kind::End | Kind::Platform => None,
        Kind::Report(report) => {
            let id = request_id.map_or_else(String::new, |id| format!("  {id}"));
            let style = if report.succeeded() { ASIDE } else { BAD };
            Some(styled(style, &uncoloured(&format!("{}{id}", report.told()))))
        }
        Kind::Line { level, text } => {
            // Node.js and others write the ends of lines of one event as carriage returns.
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            let text = uncoloured(&text).trim_end().replace('\n', "\n  ");
            let Some(level) = level else { return Some(text) };
            let style = match level.as_str() {
                "ERROR" | "FATAL" | "CRITICAL" => BAD,
                "WARN" | "WARNING" => UNSETTLED,
                _ => ASIDE,
            };
            Some(format!("{} {text}", styled(style, &uncoloured(level))))
        }
    }
}

/// A text without the sequences of a terminal: its colours would go on into the next line.
fn uncoloured(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The end of an invocation's log, as Lambda hands it over with the answer, for people. It is cut at its
/// beginning, and does not say where an event ends.
pub fn lines_of_tail(log: &str) -> Vec<String> {
    let lines = log.split('\n').filter(|line| !line.trim().is_empty());
    lines.filter_map(|line| told(&record::read(line).kind, None)).collect()
}

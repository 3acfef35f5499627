//! What a message of a function's log says: Lambda's own records, and the lines of the code in either of
//! the log formats.
//!
//! Sources: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html> (START, END,
//! REPORT), <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html> (`INIT_REPORT`,
//! `RESTORE_REPORT`), <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html> (JSON),
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html> (lines of the
//! code).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The invocation that it names.
    pub request_id: Option<String>,
    /// What it is.
    pub kind: Kind,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Lambda begins an invocation.
    Start,
    /// An invocation has ended.
    End,
    /// How an invocation, or a beginning, went.
    Report(Report),
    /// What else Lambda says and nobody has to read.
    Platform,
    /// A line of the code.
    Line {
        /// Its level, where it has one.
        level: Option<String>,
        /// What it says.
        text: String,
    },
}

/// How an invocation went, or the beginning of an execution environment; in Lambda's own names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How long the invocation took, in milliseconds; none of a beginning that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// What it is billed for, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_duration_ms: Option<f64>,
    /// What it may use, in MB.
    #[serde(rename = "memorySizeMB", skip_serializing_if = "Option::is_none")]
    pub memory_size_mb: Option<u64>,
    /// The most that it used, in MB.
    #[serde(rename = "maxMemoryUsedMB", skip_serializing_if = "Option::is_none")]
    pub max_memory_used_mb: Option<u64>,
    /// How long its environment took to begin, in milliseconds, where it began for this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_duration_ms: Option<f64>,
    /// How long its environment took to be restored from a snapshot, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_duration_ms: Option<f64>,
    /// `success`, `failure`, `error` or `timeout`; in text none for success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// For example `Runtime.ExitError`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
}

impl Report {
    /// The report in a few words: `312 ms, 88 MB, cold (145 ms)`.
    pub fn told(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.duration_ms.map(milliseconds));
        match (self.max_memory_used_mb, self.memory_size_mb) {
            // As good as always the cause of what has gone wrong.
            (Some(used), Some(size)) if used == size => words.push(format!("{used} of {size} MB")),
            (Some(used), _) => words.push(format!("{used} MB")),
            _ => {}
        }
        let began = |what: &str, time: f64| match self.duration_ms {
            Some(_) => format!("{what} ({})", milliseconds(time)),
            None => format!("{what} {}", milliseconds(time)),
        };
        let of_beginning = self.duration_ms.is_none();
        let cold = if of_beginning { "init" } else { "cold" };
        let restored = if of_beginning { "restore" } else { "restored" };
        words.extend(self.init_duration_ms.map(|time| began(cold, time)));
        words.extend(self.restore_duration_ms.map(|time| began(restored, time)));
        if !self.succeeded() {
            let how = match self.status.as_deref() {
                Some("timeout") => "timed out",
                Some("failure") => "failed",
                other => other.unwrap_or("error"),
            };
            let kind = self.error_type.iter().map(|kind| format!(" {kind}"));
            words.push(format!("{how}{}", kind.collect::<String>()));
        }
        words.join(", ")
    }

    /// Whether nothing went wrong.
    pub fn succeeded(&self) -> bool {
        self.error_type.is_none() && self.status.as_deref().is_none_or(|it| it == "success")
    }
}

fn milliseconds(time: f64) -> String {
    if time < 9.95 { format!("{time:.1} ms") } else { format!("{time:.0} ms") }
}

/// Reads a message.
pub fn read(message: &str) -> Record {
    let message = message.trim_end_matches(['\n', '\r']);
    of_platform(message)
        .or_else(|| of_json(message))
        .or_else(|| of_runtime(message))
        .unwrap_or_else(|| line(None, None, message.to_owned()))
}

fn line(request_id: Option<String>, level: Option<&str>, text: String) -> Record {
    let level = level.map(str::to_ascii_uppercase);
    Record { request_id, kind: Kind::Line { level, text } }
}

/// What Lambda itself says in text.
fn of_platform(message: &str) -> Option<Record> {
    let (what, rest) = message.split_once(' ')?;
    let id = || {
        let id = rest.strip_prefix("RequestId: ")?;
        id.split([' ', '\t', '\n']).next().map(str::to_owned)
    };
    let kind = match what {
        "START" => (id()?, Kind::Start),
        "END" => (id()?, Kind::End),
        "REPORT" => (id()?, Kind::Report(fields(rest).filter(|it| it.duration_ms.is_some())?)),
        "INIT_REPORT" | "RESTORE_REPORT" => return Some(of_beginning(fields(rest)?)),
        "INIT_START" | "RESTORE_START" if rest.starts_with("Runtime Version: ") => {
            return Some(Record { request_id: None, kind: Kind::Platform });
        }
        _ => return None,
    };
    Some(Record { request_id: Some(kind.0), kind: kind.1 })
}

/// A beginning that went well is told by the first invocation.
fn of_beginning(report: Report) -> Record {
    let kind = if report.succeeded() { Kind::Platform } else { Kind::Report(report) };
    Record { request_id: None, kind }
}

/// `Duration: 3.49 ms`, tab, `Billed Duration: 4 ms`, and so on.
fn fields(text: &str) -> Option<Report> {
    let mut report = Report::default();
    let mut known = false;
    for (name, value) in text.split(['\t', '\n']).filter_map(|field| field.split_once(": ")) {
        let value = value.trim();
        let number = || value.split(' ').next()?.parse::<f64>().ok().filter(|it| it.is_finite());
        let whole = || value.split(' ').next()?.parse::<u64>().ok();
        match name.trim() {
            "Duration" => report.duration_ms = number(),
            "Billed Duration" => report.billed_duration_ms = number(),
            "Memory Size" => report.memory_size_mb = whole(),
            "Max Memory Used" => report.max_memory_used_mb = whole(),
            "Init Duration" => report.init_duration_ms = number(),
            "Restore Duration" => report.restore_duration_ms = number(),
            "Status" => report.status = Some(value.to_owned()),
            "Error Type" => report.error_type = Some(value.to_owned()),
            _ => continue,
        }
        known = true;
    }
    known.then_some(report)
}

/// What Lambda says in JSON.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    record: Value,
}

/// The `metrics` of a report in JSON.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metrics {
    duration_ms: Option<f64>,
    billed_duration_ms: Option<f64>,
    #[serde(rename = "memorySizeMB")]
    memory_size_mb: Option<u64>,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used_mb: Option<u64>,
    init_duration_ms: Option<f64>,
    restore_duration_ms: Option<f64>,
}

fn of_json(message: &str) -> Option<Record> {
    if !message.starts_with('{') {
        return None;
    }
    let object: Map<String, Value> = serde_json::from_str(message).ok()?;
    let of_platform = object.get("type").and_then(Value::as_str);
    if of_platform.is_some_and(|kind| kind.starts_with("platform.")) {
        return event(serde_json::from_value(object.into()).ok()?);
    }
    application(object)
}

fn event(Event { kind, record }: Event) -> Option<Record> {
    let text = |name: &str| record[name].as_str().map(str::to_owned);
    let request_id = text("requestId");
    let report = || {
        let metrics = record.get("metrics").cloned().unwrap_or_default();
        let metrics: Metrics = serde_json::from_value(metrics).unwrap_or_default();
        Report {
            duration_ms: metrics.duration_ms,
            billed_duration_ms: metrics.billed_duration_ms,
            memory_size_mb: metrics.memory_size_mb,
            max_memory_used_mb: metrics.max_memory_used_mb,
            init_duration_ms: metrics.init_duration_ms,
            restore_duration_ms: metrics.restore_duration_ms,
            status: text("status"),
            error_type: text("errorType"),
        }
    };
    let kind = match kind.as_str() {
        "platform.start" => Kind::Start,
        "platform.report" => Kind::Report(report()),
        "platform.initReport" => {
            let Report { duration_ms, .. } = report();
            let of_init = Report { init_duration_ms: duration_ms, duration_ms: None, ..report() };
            return Some(of_beginning(of_init));
        }
        "platform.restoreReport" => {
            let Report { duration_ms, .. } = report();
            let restore_duration_ms = duration_ms;
            return Some(of_beginning(Report {
                restore_duration_ms,
                duration_ms: None,
                ..report()
            }));
        }
        "platform.initStart"
        | "platform.initRuntimeDone"
        | "platform.runtimeDone"
        | "platform.restoreStart"
        | "platform.restoreRuntimeDone"
        | "platform.extension"
        | "platform.telemetrySubscription" => Kind::Platform,
        // For example platform.logsDropped: it may matter.
        _ => return None,
    };
    Some(Record { request_id, kind })
}

/// A line of the code as JSON: Node.js and Python have `level` and `message` beside each other, Rust's
/// tracing has the message in `fields`.
fn application(mut object: Map<String, Value>) -> Option<Record> {
    let level = object.remove("level")?;
    let level = level.as_str()?;
    let message = match object.remove("message") {
        Some(message) => message,
        None => object.get_mut("fields")?.as_object_mut()?.remove("message")?,
    };
    let ids = ["requestId", "AWSRequestId", "aws_request_id"];
    let ids = ids.map(|name| object.remove(name));
    let request_id = ids.into_iter().flatten().find_map(|id| id.as_str().map(str::to_owned));
    object.remove("timestamp");
    let mut text = match message {
        Value::String(text) => text,
        message => error(message),
    };
    // What an exception has beside its message.
    let stack = object.remove("stackTrace");
    object.retain(|_, value| value.as_object().is_none_or(|inner| !inner.is_empty()));
    if !object.is_empty() {
        // In an order that does not depend on how this was built.
        let rest: BTreeMap<_, _> = object.into_iter().collect();
        text += &format!(" {}", serde_json::to_string(&rest).unwrap_or_default());
    }
    for frame in stack.iter().flat_map(frames) {
        text += &format!("\n{frame}");
    }
    Some(line(request_id, Some(level), text))
}

/// An error that the code has logged as an object, as an error reads; anything else as JSON.
fn error(message: Value) -> String {
    let text = |name: &str| message[name].as_str();
    let (Some(kind), Some(what)) = (text("errorType"), text("errorMessage")) else {
        return message.to_string();
    };
    let mut told = format!("{kind}: {what}");
    let all: Vec<_> = frames(&message["stackTrace"]).collect();
    // Node.js has both in the first line of the stack, too.
    let told_again = all.first().is_some_and(|first| *first == told);
    for frame in all.into_iter().skip(usize::from(told_again)) {
        told += &format!("\n{frame}");
    }
    told
}

fn frames(stack: &Value) -> impl Iterator<Item = &str> {
    stack.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A line of the code in text, as Node.js (`moment`, id, level) and Python (level, `moment`, id) begin it.
fn of_runtime(message: &str) -> Option<Record> {
    let mut parts = message.splitn(4, '\t');
    let [first, second, third, text] = std::array::from_fn(|_| parts.next());
    let (first, second, third, text) = (first?, second?, third?, text?);
    let in_brackets = first.strip_prefix('[').and_then(|level| level.strip_suffix(']'));
    let (moment, id, level) = match in_brackets {
        Some(level) => (second, third, level),
        None => (first, second, third),
    };
    let is_level = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_uppercase());
    if moment.parse::<jiff::Timestamp>().is_err() || !is_level {
        return None;
    }
    // Before the first invocation there is none.
    let request_id = (id.len() == 36).then(|| id.to_owned());
    Some(line(request_id, Some(level), text.to_owned()))
}

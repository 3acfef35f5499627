//! `formation doctor`: what is in the way, and what to do about it. It changes nothing.
//!
//! The checks are told in the order in which one needs the other. One that cannot be made because another
//! has failed is skipped. The first that has failed decides how the command ends.

mod caller;
mod stack;

use serde::Serialize;
use serde_json::Value;

use crate::args::Connection;
use crate::connect::Place;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::table::table;
use crate::output::{Output, bare};

/// What was looked at, and what was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct Check {
    /// What was looked at.
    check: &'static str,
    status: Status,
    /// What was found.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// How a command would end for it.
    #[serde(skip)]
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
enum Status {
    #[serde(rename = "ok")]
    Ok,
    #[serde(rename = "warning")]
    Warning,
    #[serde(rename = "FAILED")]
    Failed,
    #[serde(rename = "skipped")]
    Skipped,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

impl Check {
    fn new(check: &'static str, status: Status, detail: &str) -> Self {
        Self { check, status, detail: bare(detail), remedy: None, outcome: Outcome::Done }
    }

    fn ok(check: &'static str, detail: impl AsRef<str>) -> Self {
        Self::new(check, Status::Ok, detail.as_ref())
    }

    fn warning(check: &'static str, detail: impl AsRef<str>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(check, Status::Warning, detail.as_ref()) }
    }

    fn failed(
        check: &'static str,
        outcome: Outcome,
        detail: impl AsRef<str>,
        remedy: impl Into<String>,
    ) -> Self {
        let check = Self::new(check, Status::Failed, detail.as_ref());
        Self { outcome, remedy: Some(remedy.into()), ..check }
    }

    fn skipped(check: &'static str, because: impl AsRef<str>) -> Self {
        Self::new(check, Status::Skipped, because.as_ref())
    }

    /// A check that has failed as a command would.
    fn of_failure(check: &'static str, failure: &Failure, remedy: &str) -> Self {
        let told = failure.to_string();
        let told = told.strip_prefix("error: ").unwrap_or(&told);
        let (detail, help) = told.split_once("\nhelp: ").unwrap_or((told, remedy));
        // Whoever sees this has asked it already.
        let help = if help.contains("formation doctor") { remedy } else { help };
        Self::failed(check, failure.outcome(), detail, help)
    }
}

pub(super) async fn run(connection: &Connection, output: &Output) -> Result<Outcome, Failure> {
    let checks = checks(connection, connection.place().await?).await;
    let failed = |checks: &[Check]| {
        let failed = checks.iter().filter(|check| check.status == Status::Failed);
        failed.map(|check| check.check.to_owned()).collect()
    };
    output.show(&checks, |checks| screen(checks), |checks| failed(checks))?;
    Ok(outcome(&checks))
}

/// All checks, in the order in which they are told.
async fn checks(connection: &Connection, place: Place) -> Vec<Check> {
    let caller = caller::check(connection.profile.as_deref(), place).await;
    let of_stack = stack::check(connection, caller.aws).await;
    caller.checks.into_iter().chain(of_stack).collect()
}

/// What the first one that has failed says.
fn outcome(checks: &[Check]) -> Outcome {
    let first = checks.iter().find(|check| check.status == Status::Failed);
    first.map_or(Outcome::Done, |check| check.outcome)
}

fn screen(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        [check.check.to_owned(), check.status.as_str().to_owned(), check.detail.clone()]
    });
    let mut text = table(["CHECK", "STATUS", "DETAIL"], rows);
    for check in checks {
        if let Some(remedy) = &check.remedy {
            text += &format!("\n\n{}: {remedy}", check.check);
        }
    }
    text
}

/// What a JSON document says at a pointer.
fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;

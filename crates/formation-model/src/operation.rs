//! Operations: one accepted change of one function, from its claim to its outcome.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::id;
use crate::name::FunctionName;
use crate::open::Open;
use crate::part::Part;
use crate::warning::Warning;

/// The id of an operation: a ULID, so that ids sort by the time of acceptance. As text it has one
/// spelling, 26 characters of Crockford's base 32, in capitals.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct OperationId(Ulid);

/// A text that is no operation's id.
#[derive(Debug, thiserror::Error)]
#[error("an operation's id has 26 characters, 0-9 and A-Z without I, L, O and U, the first 0-7")]
pub struct InvalidOperationId;

impl OperationId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }

    /// When the operation was accepted, to the millisecond: the first part of its id.
    pub fn accepted_at(self) -> Timestamp {
        // 48 bits are milliseconds for 8,900 years.
        let milliseconds = i64::try_from(self.0.timestamp_ms()).unwrap_or_default();
        Timestamp::from_millisecond(milliseconds).unwrap_or_default()
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OperationId {
    type Err = InvalidOperationId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        id::read(text).map(Self).ok_or(InvalidOperationId)
    }
}

impl TryFrom<String> for OperationId {
    type Error = InvalidOperationId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum OperationKind {
    /// Makes all parts of a function.
    Create,
    /// Takes a function from its last good state to another.
    Update,
    /// Removes all parts of a function.
    Delete,
    /// Brings AWS back to the recorded state.
    Repair,
    /// Takes a function back to what it was at an earlier revision.
    Rollback,
}

impl OperationKind {
    /// The spelling in JSON and in the names of executions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Repair => "REPAIR",
            Self::Rollback => "ROLLBACK",
        }
    }
}

/// Where an operation is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum OperationStatus {
    /// Accepted and not ended, its rollback included.
    Running,
    /// The function is as asked.
    Succeeded,
    /// It is not; `error` and `rollback` tell more.
    Failed,
}

impl OperationStatus {
    /// The spelling in JSON and in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }
}

/// What became of the changes of an operation that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rollback {
    /// The operation has not failed.
    NotNeeded,
    /// Everything is as it was before.
    Complete,
    /// Something is left over: see `leftovers`.
    Incomplete,
}

/// Why an operation failed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationError {
    /// Stable name of the reason: see [`crate::step::ErrorName::code`].
    pub code: String,
    /// What happened, for people. Holds no secret.
    pub message: String,
    /// The state of the state machine that failed.
    pub step: String,
    /// AWS's own error code, where AWS refused a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_error_code: Option<String>,
    /// The request id of that call, for AWS's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_request_id: Option<String>,
}

/// One state of the state machine that an operation went through.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationStep {
    /// The state's name, for example `Ensure role`.
    pub name: String,
    /// How it went.
    pub status: Open<StepStatus>,
    /// How often it was tried; 0 for a wait.
    pub attempts: u32,
    /// When it was entered.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When it was left.
    #[serde(default, with = "crate::time::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub ended_at: Option<Timestamp>,
    /// Why the last try failed that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<OperationError>,
    /// What it waits for, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StepStatus {
    /// It runs.
    Running,
    /// It waits for its next try, or for time to pass.
    Waiting,
    /// It did what it is for.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It was cut off: the execution was stopped or ran out of time.
    Aborted,
}

/// An operation as its users see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id.
    pub operation_id: OperationId,
    /// What it does.
    pub kind: Open<OperationKind>,
    /// The function that it changes.
    pub function_name: FunctionName,
    /// Where it is in its life.
    pub status: Open<OperationStatus>,
    /// What became of its changes if it failed.
    pub rollback: Open<Rollback>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<OperationError>,
    /// What an incomplete rollback, or an unfinished delete, left in AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Open<Part>>,
    /// What was accepted and will probably not do what was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// When it was accepted.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When it ended, its rollback included.
    #[serde(default, with = "crate::time::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub ended_at: Option<Timestamp>,
    /// The verified caller that asked for it.
    pub requested_by: String,
    /// The execution of its current attempt.
    pub execution_arn: String,
    /// That execution in the AWS console.
    pub console_url: String,
    /// The states that its attempts went through, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<OperationStep>>,
}

impl Operation {
    /// Whether it has ended, its rollback included.
    pub fn has_ended(&self) -> bool {
        match self.status {
            Open::Known(status) => status != OperationStatus::Running,
            Open::Unknown(_) => self.ended_at.is_some(),
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.code == CANCELLED)
    }
}

/// `error.code` of an operation that was cancelled.
pub const CANCELLED: &str = "CANCELLED";
/// `error.code` of an operation whose execution was stopped or died.
pub const INTERRUPTED: &str = "INTERRUPTED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let first = OperationId::generate();
        assert_eq!(first.to_string().parse::<OperationId>().unwrap(), first);
        assert_eq!(first.to_string().len(), 26);
        let accepted = "01JDJ3M6Q5X8Z7W2V4T9R0N1KB".parse::<OperationId>().unwrap().accepted_at();
        assert_eq!(accepted.as_millisecond(), 1_732_553_349_861);
        assert!("not-a-ulid".parse::<OperationId>().is_err());
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        assert_eq!(id.parse::<OperationId>().unwrap().to_string(), id);
        for other in [
            "01arz3ndektsv4rrffq69g5fav",
            "01ARZ3NDEKTSV4RRFFQ69G5FaV",
            // What is beyond 128 bits would be cut off: the same id again.
            "81ARZ3NDEKTSV4RRFFQ69G5FAV",
            "G1ARZ3NDEKTSV4RRFFQ69G5FAV",
            // Read as 1, 1 and 0 by some.
            "0IARZ3NDEKTSV4RRFFQ69G5FAV",
            "0LARZ3NDEKTSV4RRFFQ69G5FAV",
            "O1ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV0",
            " 01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEK-SV4RRFFQ69G5FAV",
            "",
        ] {
            assert!(other.parse::<OperationId>().is_err(), "{other}");
            assert!(serde_json::from_value::<OperationId>(other.into()).is_err(), "{other}");
        }
        let read: OperationId = serde_json::from_value(id.into()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), id);
    }
}

//! Events: what Formation is asked for and what it announces on the stack's event bus. The JSON
//! Schemas are in `docs/events`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::FunctionName;
use crate::open::Open;
use crate::operation::OperationKind;
use crate::problem::Problem;

/// The source of everything that Formation announces. The bus's policy denies it to all others.
pub const SOURCE: &str = "formation";
/// The detail-type of requests.
pub const OPERATION_REQUEST: &str = "Formation Operation Request";
/// The detail-type of outcomes: [`crate::step::Announcement`], [`Rejection`] or [`Unchanged`].
pub const OPERATION_STATUS_CHANGE: &str = "Formation Operation Status Change";
/// The detail-type of [`crate::drift::DriftAnnouncement`].
pub const DRIFT_STATUS_CHANGE: &str = "Formation Drift Status Change";

/// What can be asked for by an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestKind {
    /// `function` is the function to create.
    Create,
    /// `function` is a JSON merge patch (RFC 7396), with the name of the function that it is for.
    Update,
    /// `function` names the function to delete.
    Delete,
}

impl From<RequestKind> for OperationKind {
    fn from(kind: RequestKind) -> Self {
        match kind {
            RequestKind::Create => Self::Create,
            RequestKind::Update => Self::Update,
            RequestKind::Delete => Self::Delete,
        }
    }
}

/// The detail of a `Formation Operation Request`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationRequest {
    /// What to do.
    pub kind: RequestKind,
    /// The function, with at least its `functionName`.
    pub function: Value,
}

/// The detail of the announcement of a request that was refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The function that the request names, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_name: Option<FunctionName>,
    /// What was asked for, if that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Open<OperationKind>>,
    /// `REJECTED`.
    pub status: RejectedStatus,
    /// Why, as the HTTP API would have told it.
    pub problem: Problem,
    /// The id of the event that asked.
    pub idempotency_key: String,
}

/// The one status of a [`Rejection`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RejectedStatus {
    /// Nothing was changed, and nothing will be.
    Rejected,
}

/// The detail of the announcement of a request that changes nothing: the function is as asked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unchanged {
    /// The function.
    pub function_name: FunctionName,
    /// What was asked for.
    pub kind: Open<OperationKind>,
    /// `UNCHANGED`.
    pub status: UnchangedStatus,
    /// The revision that the function has.
    pub revision: u64,
    /// The id of the event that asked.
    pub idempotency_key: String,
}

/// The one status of an [`Unchanged`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum UnchangedStatus {
    /// No operation was needed.
    Unchanged,
}

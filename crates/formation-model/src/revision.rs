//! Revisions: what a function has been, commit by commit.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bundle::CodeSummary;
use crate::function::FunctionSpec;
use crate::open::Open;
use crate::operation::{OperationId, OperationKind};
use crate::version::PublishedVersion;

/// One revision of a function, as its users see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// 1 by the create, one more by each committed change.
    pub revision: u64,
    /// The operation that committed it.
    pub operation_id: OperationId,
    /// What that operation did.
    pub kind: Open<OperationKind>,
    /// When it was committed.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// The verified caller that asked for it; of a revision that an earlier release committed, the one
    /// that created the function.
    pub created_by: String,
    /// The base64-encoded SHA-256 of its archive.
    pub sha256: String,
    /// The version of the Lambda function that it is published as; absent where a release published none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PublishedVersion>,
    /// What the function was, where one revision is asked for; of the code only digest and size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<FunctionSpec<CodeSummary>>,
}

//! A function as its users see it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bundle::CodeSummary;
use crate::drift::Drift;
use crate::function::FunctionSpec;
use crate::name::FunctionName;
use crate::names::{StackIdentity, log_group_name};
use crate::open::Open;
use crate::operation::OperationId;
use crate::version::PublishedVersion;

/// Where a function is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum FunctionStatus {
    /// A CREATE is running.
    Creating,
    /// Invocable, and every property as recorded.
    Available,
    /// An UPDATE, REPAIR or ROLLBACK is running.
    Updating,
    /// A DELETE is running.
    Deleting,
    /// An operation failed and left something behind or undone.
    Failed,
}

impl FunctionStatus {
    /// Every status, in the order of a function's life.
    pub const ALL: [Self; 5] =
        [Self::Creating, Self::Available, Self::Updating, Self::Deleting, Self::Failed];

    /// The spelling in JSON and in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Available => "AVAILABLE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Failed => "FAILED",
        }
    }
}

/// The ids of what AWS holds for a function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Unqualified ARN of the Lambda function: the workbench, which changes while an update is prepared.
    pub function_arn: String,
    /// ARN of the alias `live`, which leads to what the last operation that succeeded has made.
    pub live_arn: String,
    /// What callers invoke: the same, but the unqualified ARN of a function that a release has made which
    /// published no version, until its next change.
    pub invoke_arn: String,
    /// The version that the alias leads to. Absent until the first change of a function that a release
    /// made which published none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PublishedVersion>,
    /// The address under which HTTP clients call it. Absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_url: Option<String>,
    /// ARN of its execution role.
    pub role_arn: String,
    /// Name of its log group.
    pub log_group_name: String,
}

impl Resources {
    /// What the stack makes, or will make, for the function: `is_made` tells whether it has.
    pub fn of(
        stack: &StackIdentity,
        function: &FunctionName,
        is_made: bool,
        version: Option<PublishedVersion>,
    ) -> Self {
        let is_unpublished = is_made && version.is_none();
        Self {
            function_arn: stack.function_arn(function),
            live_arn: stack.live_arn(function),
            invoke_arn: match is_unpublished {
                true => stack.function_arn(function),
                false => stack.live_arn(function),
            },
            version,
            function_url: None,
            role_arn: stack.role_arn(function),
            log_group_name: log_group_name(function),
        }
    }
}

/// A function as its users see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// What was asked for; of the code only digest and size.
    #[serde(flatten)]
    pub spec: FunctionSpec<CodeSummary>,
    /// Where the function is in its life.
    pub status: Open<FunctionStatus>,
    /// 0 until the create succeeds, then +1 by each committed change.
    pub revision: u64,
    /// What AWS holds, or will hold, for it.
    pub resources: Resources,
    /// The current operation, or the last one.
    pub operation_id: OperationId,
    /// Whether AWS still has what the record says.
    pub drift: Drift,
    /// When the create was accepted.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// When a change was last committed; before the first, when the create was accepted.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub updated_at: Timestamp,
    /// The verified caller that created it.
    pub created_by: String,
}

/// Fields of [`Function`] that Formation sets: accepted in a request and ignored, so that what GET
/// returned can be PUT. `operation` is what the first release called `operationId`.
pub const OUTPUT_ONLY: [&str; 9] = [
    "status",
    "revision",
    "resources",
    "operationId",
    "operation",
    "drift",
    "createdAt",
    "updatedAt",
    "createdBy",
];

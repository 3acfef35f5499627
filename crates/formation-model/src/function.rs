//! The function: what is asked for, what is recorded, and what a caller sees.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, CodeSummary};
use crate::drift::Drift;
use crate::names::{StackIdentity, log_group_name};
use crate::operation::OperationId;

/// Lambda allows 64 characters for the name of a function.
const FUNCTION_NAME_LENGTH: usize = 64;

/// A function's name: `[A-Za-z0-9_-]{1,64}`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName(String);

impl FunctionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot name a function.
#[derive(Debug, thiserror::Error)]
#[error("a function's name has 1 to {FUNCTION_NAME_LENGTH} letters (A-Z, a-z), digits, `-` or `_`")]
pub struct InvalidFunctionName;

impl FromStr for FunctionName {
    type Err = InvalidFunctionName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=FUNCTION_NAME_LENGTH).contains(&text.len());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(InvalidFunctionName) }
    }
}

impl TryFrom<String> for FunctionName {
    type Error = InvalidFunctionName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FunctionName> for String {
    fn from(name: FunctionName) -> Self {
        name.0
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The instruction set that a function runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Architecture {
    /// AWS Graviton.
    #[serde(rename = "arm64")]
    Arm64,
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Architecture {
    /// Lambda's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

impl FromStr for Architecture {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Arm64, Self::X86_64].into_iter().find(|known| known.as_str() == text).ok_or(())
    }
}

/// The environment of a function. Its values are secrets: they never show in `Debug` output.
#[derive(Clone, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Everything that a user can ask of a function, fully resolved: a later change of a default
/// changes no function that exists.
///
/// `Code` is what is known of the code: where it is to come from in a request, the stored
/// [`Bundle`] in a record, its digest in an answer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionSpec<Code = Bundle> {
    /// The Lambda function's name.
    pub function_name: FunctionName,
    /// The code.
    pub code: Code,
    /// Lambda's runtime identifier.
    pub runtime: String,
    /// What Lambda calls in the code.
    pub handler: String,
    /// The instruction set.
    pub architecture: Architecture,
    /// MB, 128 to 10,240.
    pub memory_megabytes: u32,
    /// Seconds, 1 to 900.
    pub timeout_seconds: u32,
    /// Days, one of those that CloudWatch Logs offers.
    pub log_retention_days: u32,
    /// Environment variables.
    pub environment: Environment,
    /// At most 256 characters; empty when none was given.
    pub description: String,
    /// The user's own tags.
    pub tags: BTreeMap<String, String>,
    /// Whether DELETE is refused.
    pub deletion_protection: bool,
}

impl<Code> FunctionSpec<Code> {
    /// The same function with another notion of its code.
    pub fn with_code<Other>(self, code: Other) -> FunctionSpec<Other> {
        FunctionSpec {
            function_name: self.function_name,
            code,
            runtime: self.runtime,
            handler: self.handler,
            architecture: self.architecture,
            memory_megabytes: self.memory_megabytes,
            timeout_seconds: self.timeout_seconds,
            log_retention_days: self.log_retention_days,
            environment: self.environment,
            description: self.description,
            tags: self.tags,
            deletion_protection: self.deletion_protection,
        }
    }
}

/// Where a function is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum FunctionStatus {
    /// A CREATE is running.
    Creating,
    /// Invocable, and every property as recorded.
    Available,
    /// An UPDATE or REPAIR is running.
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

/// One of the parts that a function is made of.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Part {
    /// Its execution role.
    Role,
    /// Its log group.
    LogGroup,
    /// The Lambda function.
    Function,
}

impl Part {
    /// Every part, in the order in which they are made.
    pub const ALL: [Self; 3] = [Self::Role, Self::LogGroup, Self::Function];
}

/// The ids of what AWS holds for a function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Unqualified ARN of the Lambda function.
    pub function_arn: String,
    /// ARN of its execution role.
    pub role_arn: String,
    /// Name of its log group.
    pub log_group_name: String,
}

impl Resources {
    /// What the stack makes, or will make, for the function.
    pub fn of(stack: &StackIdentity, function: &FunctionName) -> Self {
        Self {
            function_arn: stack.function_arn(function),
            role_arn: stack.role_arn(function),
            log_group_name: log_group_name(function),
        }
    }
}

/// A function as its users see it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// What was asked for; of the code only digest and size.
    #[serde(flatten)]
    pub spec: FunctionSpec<CodeSummary>,
    /// Where the function is in its life.
    pub status: FunctionStatus,
    /// 0 until the create succeeds, then +1 by each committed change.
    pub revision: u64,
    /// What AWS holds, or will hold, for it.
    pub resources: Resources,
    /// The current operation, or the last one.
    pub operation: OperationId,
    /// Whether AWS still has what the record says.
    pub drift: Drift,
    /// When the create was accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// When a change was last committed; before the first, when the create was accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub updated_at: Timestamp,
    /// The verified caller that created it.
    pub created_by: String,
}

/// Fields of a function that a request can choose.
pub const FIELDS: [&str; 12] = [
    "functionName",
    "code",
    "runtime",
    "handler",
    "architecture",
    "memoryMegabytes",
    "timeoutSeconds",
    "logRetentionDays",
    "environment",
    "description",
    "tags",
    "deletionProtection",
];

/// Fields of [`Function`] that Formation sets: accepted in a request and ignored, so that what GET
/// returned can be PUT.
pub const OUTPUT_ONLY: [&str; 8] = [
    "status",
    "revision",
    "resources",
    "operation",
    "drift",
    "createdAt",
    "updatedAt",
    "createdBy",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_64_plain_characters() {
        for good in ["a", "A-b_9", &"x".repeat(64)] {
            assert!(good.parse::<FunctionName>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a.b", "ä", "a/b", "a:b", &"x".repeat(65)] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_output_of_an_environment_shows_no_value() {
        let environment = Environment(BTreeMap::from([("TOKEN".into(), "s3cr3t".into())]));
        let shown = format!("{environment:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("s3cr3t"), "{shown}");
    }
}

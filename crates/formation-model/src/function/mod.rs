//! The function as it is asked for and recorded.

pub mod code;
pub(crate) mod environment;
pub(crate) mod tags;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::name::FunctionName;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_an_environment_shows_no_value() {
        let environment = Environment(BTreeMap::from([("TOKEN".into(), "s3cr3t".into())]));
        let shown = format!("{environment:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("s3cr3t"), "{shown}");
    }
}

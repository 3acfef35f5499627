//! What becomes of asynchronous invocations that fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of asynchronous invocations that fail: where a field is absent, Lambda's own default holds.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AsyncInvoke {
    /// How often Lambda tries again, 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_retries: Option<u32>,
    /// Seconds for which Lambda keeps an event, 60 to 21,600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_maximum_age_seconds: Option<u32>,
    /// The ARN of a queue, a topic, a function or an event bus that is told of what failed for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure_arn: Option<String>,
}

impl AsyncInvoke {
    /// Whether everything is as Lambda has it by default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

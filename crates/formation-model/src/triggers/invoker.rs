//! Who may invoke a function besides what its other triggers let.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may invoke the function: a service for something of its own, an account, a role or a user.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invoker {
    /// A service such as `s3.amazonaws.com`, the 12 digits of an account, or the ARN of a role or a user.
    pub principal: String,
    /// The ARN of what a service invokes it for, with `*` and `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// The account of what a service invokes it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_account: Option<String>,
}

impl Invoker {
    /// The name of its key: principal and source, apart by a space.
    pub fn name(&self) -> String {
        let sources = [self.source_arn.as_deref(), self.source_account.as_deref()];
        let parts = [self.principal.as_str()].into_iter().chain(sources.into_iter().flatten());
        parts.collect::<Vec<_>>().join(" ")
    }
}

//! What a function is given by a schedule or a rule.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// JSON text that a schedule or a rule hands to the function. It may hold secrets: it never shows in `Debug`
/// output, nor in a difference.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Input(pub String);

impl Input {
    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Input").finish_non_exhaustive()
    }
}

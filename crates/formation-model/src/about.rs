//! What a stack tells about itself: what its functions may have, and how much.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stack as whoever may plan sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The release of Formation that the stack runs.
    pub version: String,
    /// The stack's name.
    pub stack_name: String,
    /// Its Region.
    pub region: String,
    /// Patterns (with `*` and `?`) of the ARNs of layers that functions may have.
    pub layer_arns: Vec<String>,
    /// The buckets that code may be referred to in.
    pub code_buckets: Vec<String>,
    /// How much requests may ask for.
    pub limits: StackLimits,
}

/// How much requests to a stack may ask for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackLimits {
    /// Bytes of a zip archive in a request, before it is made base64.
    pub zip_file_bytes: u64,
    /// Bytes of a zip archive that is uploaded.
    pub upload_bytes: u64,
    /// The longest that a request waits for an outcome, in seconds.
    pub wait_seconds: u64,
    /// The most concurrency that may be reserved for a function.
    pub max_reserved_concurrency: u32,
}

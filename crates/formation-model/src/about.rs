//! What a stack tells about itself: what its functions may have, and how much.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
    /// The ARN of its state machine, whose executions are the operations; null where the stack is of an older
    /// release.
    #[serde(default)]
    pub state_machine_arn: Option<String>,
    /// Patterns (with `*` and `?`) of the ARNs of layers that functions may have.
    pub layer_arns: Vec<String>,
    /// The managed policy that bounds the roles of functions, which the platform team keeps; null where
    /// there is none: then functions can have no `policyStatements`, and nothing that needs some.
    #[serde(default)]
    pub function_boundary_arn: Option<String>,
    /// Patterns (with `*` and `?`) of the actions that the boundary allows, whatever it says of resources
    /// and conditions; `*` where it allows all but some, none where the policy is gone.
    #[serde(default)]
    pub boundary_actions: Vec<String>,
    /// The denials that stand beside whatever a function's `policyStatements` allow, as IAM has them.
    #[serde(default)]
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub guard: Vec<Value>,
    /// The buckets that code may be referred to in.
    pub code_buckets: Vec<String>,
    /// Whether a function's address may be everybody's.
    #[serde(default)]
    pub allow_public_urls: bool,
    /// The accounts besides the stack's own that functions may let invoke them.
    #[serde(default)]
    pub invoker_accounts: Vec<String>,
    /// The names of the event buses on which functions may have rules.
    #[serde(default)]
    pub event_bus_names: Vec<String>,
    /// Patterns (with `*` and `?`) of the ARNs of queues and streams that functions may read.
    #[serde(default)]
    pub event_source_arns: Vec<String>,
    /// Patterns (with `*` and `?`) of the ARNs that functions may tell of what failed.
    #[serde(default)]
    pub failure_destination_arns: Vec<String>,
    /// How much requests may ask for.
    pub limits: StackLimits,
}

/// How much requests to a stack may ask for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackLimits {
    /// Functions that one request may ask to plan.
    pub plan_functions: u64,
    /// Bytes of a zip archive in a request, before it is made base64.
    pub zip_file_bytes: u64,
    /// Bytes of a zip archive that is uploaded.
    pub upload_bytes: u64,
    /// Characters that a function's `policyStatements` may have, with what its sources and destinations need,
    /// as IAM counts them; 0 where it can have none.
    #[serde(default)]
    pub policy_statements_characters: usize,
    /// The longest that a request waits for an outcome, in seconds.
    pub wait_seconds: u64,
    /// The most concurrency that may be reserved for a function.
    pub max_reserved_concurrency: u32,
    /// How many triggers of a kind a function may have.
    #[serde(default)]
    pub triggers_of_a_kind: u64,
    /// Bytes of JSON that a function may have in all, without its code.
    #[serde(default)]
    pub specification_bytes: u64,
}

//! On which events a function is invoked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Input;

/// A rule of an event bus that invokes the function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRule {
    /// What it is called; the rule in AWS has a name that is derived from it.
    pub name: String,
    /// The bus, which is of this account and Region.
    #[serde(default = "default_bus")]
    pub event_bus_name: String,
    /// Which events: an event pattern of EventBridge.
    pub pattern: Map<String, Value>,
    /// What the function is given: JSON text. Absent for the event itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
}

/// The bus of rules that name none: the account's own, on which AWS's services put their events.
pub(crate) const DEFAULT_BUS: &str = "default";

fn default_bus() -> String {
    DEFAULT_BUS.to_owned()
}

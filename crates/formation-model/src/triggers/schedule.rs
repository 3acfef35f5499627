//! When a function is invoked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Input;

/// A schedule of EventBridge Scheduler that invokes the function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// What it is called; the schedule in AWS has a name that is derived from it.
    pub name: String,
    /// `rate(1 hour)`, `cron(0 3 * * ? *)` or `at(2030-01-31T09:00:00)`.
    pub expression: String,
    /// The time zone of a `cron` or an `at`, by its IANA name.
    #[serde(default = "utc")]
    pub timezone: String,
    /// What the function is given: JSON text. Absent for what EventBridge Scheduler gives by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// Whether it invokes.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

/// The time zone of schedules that name none: EventBridge Scheduler's own default.
pub(crate) const UTC: &str = "UTC";

fn utc() -> String {
    UTC.to_owned()
}

pub(super) fn enabled() -> bool {
    true
}

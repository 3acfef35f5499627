//! How a function's logs are written and kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::configuration::ROW;
use super::property::Property;
use super::reader::Reader;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;

/// What PutRetentionPolicy takes.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
pub const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
const DEFAULT_RETENTION_DAYS: u32 = 30;

/// How a function's logs are written and kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Logs {
    /// Days, one of those that CloudWatch Logs offers.
    pub log_retention_days: u32,
}

impl Default for Logs {
    fn default() -> Self {
        Self { log_retention_days: DEFAULT_RETENTION_DAYS }
    }
}

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "logRetentionDays",
    facets: &[Facet::LogGroup],
    schema: || json!({"type": "integer", "enum": RETENTION_DAYS, "default": DEFAULT_RETENTION_DAYS}),
    example: || json!(14),
    read: read_retention,
    ..ROW
}];

fn read_retention(it: &mut Reader<'_>) {
    let Some(days) = it.fields.whole_number(it.name, DEFAULT_RETENTION_DAYS) else { return };
    if let Some(offered) = RETENTION_DAYS.iter().find(|offered| i64::from(**offered) == days) {
        it.draft.logs.log_retention_days = *offered;
        return;
    }
    let offered = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
    it.fields.note(it.at(), Code::NotSupported, format!("CloudWatch Logs offers {offered} days"));
}

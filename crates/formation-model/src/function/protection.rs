//! Protection of a function from DELETE.

use serde_json::json;

use super::configuration::ROW;
use super::property::Property;

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "deletionProtection",
    in_aws: false,
    in_version: false,
    schema: || json!({"type": "boolean", "default": false}),
    example: || json!(true),
    read: |it| it.draft.deletion_protection = it.fields.flag(it.name, false),
    ..ROW
}];

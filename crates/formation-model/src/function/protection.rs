//! Protection of a function from DELETE.

use serde_json::{Value, json};

use super::configuration::ROW;
use super::property::Property;
use super::reader::Reader;
use crate::problem::FieldProblemCode as Code;

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "deletionProtection",
    in_aws: false,
    in_version: false,
    schema: || json!({"type": "boolean", "default": false}),
    example: || json!(true),
    read: read_protection,
    ..ROW
}];

fn read_protection(it: &mut Reader<'_>) {
    match it.fields.take(it.name) {
        None => {}
        Some(Value::Bool(protected)) => it.draft.deletion_protection = *protected,
        Some(_) => it.fields.note(it.at(), Code::WrongType, "must be true or false"),
    }
}

//! The name of a function, which no change touches.

use serde_json::json;

use super::configuration::ROW;
use super::property::Property;
use super::reader::Reader;
use crate::name::FunctionName;
use crate::problem::FieldProblemCode as Code;

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "functionName",
    facets: &[],
    schema: || json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
    example: || json!("hello"),
    read: |it| {
        let name = read(it);
        it.draft.function_name = name;
    },
    ..ROW
}];

fn read(it: &mut Reader<'_>) -> Option<FunctionName> {
    let text = it.fields.required_text(it.name)?;
    let name: FunctionName = match text.parse() {
        Ok(name) => name,
        Err(error) => return it.fields.refuse(it.at(), Code::InvalidFormat, error.to_string()),
    };
    match it.current {
        Some(current) if current.function_name != name => {
            let detail = format!("is {} and cannot be changed", current.function_name);
            it.fields.refuse(it.at(), Code::Conflict, detail)
        }
        _ => Some(name),
    }
}

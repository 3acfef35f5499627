//! On which events a function is invoked.

use serde_json::{Map, Value, json};

use super::super::property::Property;
use super::super::reader::Reader;
use super::arn::is_name;
use super::schedules::{NAME, name};
use super::{MOST, ROW, input};
use crate::fields::Fields;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::{DEFAULT_BUS, EventRule, pattern};

pub(super) const PROPERTY: Property = Property {
    name: "eventRules",
    facets: &[Facet::EventRule],
    schema: || {
        json!({
            "type": "array", "maxItems": MOST,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "pattern": NAME},
                    "eventBusName": {
                        "type": "string", "pattern": "^[A-Za-z0-9_./-]{1,256}$", "default": DEFAULT_BUS,
                        "description": "A bus of this account and Region; by default the account's own, on which \
                                        AWS's services put their events."
                    },
                    "pattern": {
                        "type": "object", "minProperties": 1,
                        "description": "Which events: an event pattern of EventBridge."
                    },
                    "input": input::schema("if absent, the event itself.")
                },
                "required": ["name", "pattern"],
                "additionalProperties": false
            },
            "description": "On which events the function is invoked: rules of EventBridge."
        })
    },
    example: || {
        json!([{
            "name": "orders", "eventBusName": DEFAULT_BUS, "pattern": {"source": ["example.shop"]}
        }])
    },
    read,
    ..ROW
};

fn read(it: &mut Reader<'_>) {
    let mut names = Vec::new();
    let read = it.fields.each(it.name, MOST, |_, fields| rule(fields, &mut names));
    it.draft.triggers.event_rules = read.unwrap_or_default();
}

fn rule<'a>(fields: &mut Fields<'a>, names: &mut Vec<&'a str>) -> Option<EventRule> {
    let name = name(fields, names);
    let event_bus_name = fields.text("eventBusName", DEFAULT_BUS);
    if event_bus_name.as_deref().is_some_and(|name| !is_name(name, 256, "_./-")) {
        let detail = "must be the name of an event bus, not its ARN: 1 to 256 letters and digits of ASCII, `_`, `.`, \
                      `/` and `-`";
        fields.note("/eventBusName", Code::InvalidFormat, detail);
    }
    let pattern = match fields.take("pattern") {
        None => fields.refuse("/pattern", Code::Required, "must be given: an event pattern"),
        Some(value) => read_pattern(fields, "/pattern", value),
    };
    let input = input::read(fields);
    Some(EventRule {
        name: name?.to_owned(),
        event_bus_name: event_bus_name?,
        pattern: pattern?,
        input,
    })
}

/// Reads a pattern at this pointer.
pub(super) fn read_pattern(
    fields: &mut Fields<'_>,
    at: &str,
    value: &Value,
) -> Option<Map<String, Value>> {
    let Value::Object(members) = value else {
        let detail = "must be an object, an event pattern such as {\"source\": [\"shop\"]}";
        return fields.refuse(at, Code::WrongType, detail);
    };
    match pattern::read(members) {
        Ok(pattern) => Some(pattern),
        Err(problems) => {
            for (place, detail) in problems {
                fields.note(format!("{at}{place}"), Code::InvalidFormat, detail);
            }
            None
        }
    }
}

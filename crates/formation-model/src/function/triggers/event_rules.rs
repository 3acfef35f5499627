//! On which events a function is invoked.

use serde_json::{Map, Value, json};

use super::super::property::Property;
use super::super::reader::Reader;
use super::arn::is_name;
use super::schedules::{NAME, name};
use super::{MOST, ROW, TriggerLimits, input};
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
                        "description": "A bus of this account and Region that the stack's parameter EventBusNames \
                                        names; by default the account's own, on which AWS's services put their \
                                        events."
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
    let has = it.current.map(|current| current.triggers.event_rules.as_slice()).unwrap_or_default();
    let limits = &it.defaults.triggers;
    let mut names = Vec::new();
    let read = it.fields.each(it.name, MOST, |_, fields| rule(fields, &mut names, has, limits));
    it.draft.triggers.event_rules = read.unwrap_or_default();
}

fn rule<'a>(
    fields: &mut Fields<'a>,
    names: &mut Vec<&'a str>,
    has: &[EventRule],
    limits: &TriggerLimits,
) -> Option<EventRule> {
    let name = name(fields, names);
    let event_bus_name = fields.text("eventBusName", DEFAULT_BUS);
    if let Some(bus) = event_bus_name.as_deref() {
        let is_there = |it: &EventRule| it.event_bus_name == bus && Some(it.name.as_str()) == name;
        check_bus(fields, bus, has.iter().any(is_there), limits);
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

/// Refuses a bus on which the function may have no rule.
fn check_bus(fields: &mut Fields<'_>, bus: &str, has: bool, limits: &TriggerLimits) {
    const AT: &str = "/eventBusName";
    if !is_name(bus, 256, "_./-") {
        let detail = "must be the name of an event bus, not its ARN: 1 to 256 letters and digits of ASCII, `_`, `.`, \
                      `/` and `-`";
        fields.note(AT, Code::InvalidFormat, detail);
    } else if bus == limits.own_event_bus {
        let detail = "is the stack's own event bus, on which no function has rules: what is asked of Formation passes \
                      there, secrets included";
        fields.note(AT, Code::NotSupported, detail);
    } else if !has && !limits.buses_of_rules().any(|allowed| allowed == bus) {
        // What a function has, it keeps, whatever the stack has allowed since.
        let allowed: Vec<_> = limits.buses_of_rules().collect();
        let detail = match allowed[..] {
            [] => format!(
                "is {bus}, and the stack's parameter EventBusNames names no event bus; whoever deploys the stack can \
                 name it there"
            ),
            _ => format!(
                "is {bus}, which is not among those that the stack's parameter EventBusNames names: {}",
                allowed.join(", ")
            ),
        };
        fields.note(AT, Code::NotSupported, detail);
    }
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

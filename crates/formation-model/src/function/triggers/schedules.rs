//! When a function is invoked.

use serde_json::json;

use super::super::property::Property;
use super::super::reader::Reader;
use super::arn::is_name;
use super::{MOST, ROW, input};
use crate::fields::Fields;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::{Schedule, UTC, expression};

/// What schedules and rules are called.
/// Sources: <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>,
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>.
pub(super) const NAME: &str = "^[A-Za-z0-9_.-]{1,64}$";

pub(super) const PROPERTY: Property = Property {
    name: "schedules",
    facets: &[Facet::Schedule],
    schema: || {
        json!({
            "type": "array", "maxItems": MOST,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "pattern": NAME},
                    "expression": {
                        "type": "string", "maxLength": 256, "pattern": r"^(rate|cron|at)\(.+\)$",
                        "description": "rate(1 hour), cron(0 3 * * ? *) or at(2030-01-31T09:00:00): an expression \
                                        of EventBridge Scheduler."
                    },
                    "timezone": {
                        "type": "string", "default": UTC,
                        "description": "By its name in the IANA database, such as Europe/Berlin."
                    },
                    "input": input::schema("if absent, what EventBridge Scheduler gives by itself."),
                    "enabled": {"type": "boolean", "default": true}
                },
                "required": ["name", "expression"],
                "additionalProperties": false
            },
            "description": "When the function is invoked: schedules of EventBridge Scheduler."
        })
    },
    example: || {
        json!([{
            "name": "nightly", "expression": "cron(0 3 * * ? *)", "timezone": "UTC", "enabled": true
        }])
    },
    read,
    ..ROW
};

fn read(it: &mut Reader<'_>) {
    let mut names = Vec::new();
    let read = it.fields.each(it.name, MOST, |_, fields| schedule(fields, &mut names));
    it.draft.triggers.schedules = read.unwrap_or_default();
}

/// Reads what a schedule or a rule is called, which none of `names` may be.
pub(super) fn name<'a>(fields: &mut Fields<'a>, names: &mut Vec<&'a str>) -> Option<&'a str> {
    let name = fields.required_text("name")?;
    if !is_name(name, 64, "_.-") {
        let detail = "must have 1 to 64 characters, letters and digits of ASCII, `_`, `.` and `-`";
        return fields.refuse("/name", Code::InvalidFormat, detail);
    }
    if names.contains(&name) {
        return fields.refuse("/name", Code::Conflict, "is the name of another one in the list");
    }
    names.push(name);
    Some(name)
}

fn schedule<'a>(fields: &mut Fields<'a>, names: &mut Vec<&'a str>) -> Option<Schedule> {
    let name = name(fields, names);
    let expression = fields.required_text("expression");
    if let Some(Err(detail)) = expression.map(expression::check) {
        fields.note("/expression", Code::InvalidFormat, detail);
    }
    let timezone = fields.text("timezone", UTC);
    if let Some(Err(detail)) = timezone.as_deref().map(expression::check_timezone) {
        fields.note("/timezone", Code::InvalidFormat, detail);
    }
    let input = input::read(fields);
    let enabled = fields.flag("enabled", true);
    Some(Schedule {
        name: name?.to_owned(),
        expression: expression?.to_owned(),
        timezone: timezone?,
        input,
        enabled,
    })
}

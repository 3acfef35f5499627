//! JSON Schemas (2020-12) of what is read by hand rather than by serde: names, ids, and the
//! requests for a function, with the limits that [`crate::request`] applies.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::bundle::CodeSummary;
use crate::drift::{Difference, DriftAnnouncement};
use crate::event::{OperationRequest, Rejection, RequestKind, Unchanged};
use crate::function;
use crate::id;
use crate::name::FunctionName;
use crate::operation::{OperationError, OperationId};
use crate::plans::{MOST_FUNCTIONS, PlanErrorCode};
use crate::problem::{FieldProblemCode, ProblemCode};
use crate::step::Announcement;
use crate::upload::UploadId;
use crate::view::OUTPUT_ONLY;

impl JsonSchema for FunctionName {
    fn schema_name() -> Cow<'static, str> {
        "FunctionName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
    }

    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for OperationId {
    fn schema_name() -> Cow<'static, str> {
        "OperationId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "description": "A ULID: ids sort by time.", "pattern": id::PATTERN
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for UploadId {
    fn schema_name() -> Cow<'static, str> {
        "UploadId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "A ULID.", "pattern": id::PATTERN})
    }

    fn inline_schema() -> bool {
        true
    }
}

/// One enum, as generators of clients know it: some fields and some problems have the same code.
impl JsonSchema for PlanErrorCode {
    fn schema_name() -> Cow<'static, str> {
        "PlanErrorCode".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut names: Vec<Value> = Vec::new();
        let mut told =
            "What is wrong with a function that is planned: with a field of it, or what the \
                        problem would be that PUT answers."
                .to_owned();
        for mut codes in
            [FieldProblemCode::json_schema(generator), ProblemCode::json_schema(generator)]
        {
            plain_enum(&mut codes);
            let all = codes.get("enum").and_then(Value::as_array);
            let new = |name: &&Value| !names.contains(name);
            let new: Vec<_> = all.into_iter().flatten().filter(new).cloned().collect();
            let lines = codes.get("description").and_then(Value::as_str).unwrap_or_default();
            for name in &new {
                let begin = format!("- `{}`: ", name.as_str().unwrap_or_default());
                for line in lines.lines().filter(|line| line.starts_with(&begin)) {
                    told.push_str(&format!("\n{line}"));
                }
            }
            names.extend(new);
        }
        json_schema!({"type": "string", "description": told, "enum": names})
    }
}

/// The function of the example, with some fields more.
pub fn example() -> Value {
    json!({
        "functionName": "hello",
        "code": "export const handler = async (event) => { return { statusCode: 200, body: JSON.stringify(`Hello!`) }; };",
        "memoryMegabytes": 256,
        "logRetentionDays": 14,
        "environment": {"GREETING": "hello"},
        "tags": {"team": "blue"}
    })
}

/// An upload of the empty archive, which has 22 bytes.
pub fn upload_example() -> Value {
    json!({"sizeBytes": 22, "sha256": "hznHbmgfkAkjuQDJ3w73XPQh05yrtUZQxLmtGbanbYU="})
}

/// What POST and PUT take.
pub fn function_request() -> Value {
    let mut schema = object(properties());
    schema["required"] = json!(["functionName", "code"]);
    schema["description"] = json!(
        "A function. Fields that only Formation sets are accepted and ignored, so that what GET \
         returned can be PUT."
    );
    schema
}

/// What `POST /v1/plan` takes; `function` refers to the schema of what PUT takes.
pub fn plan_request(function: &str) -> Value {
    let functions = json!({
        "type": "array", "minItems": 1, "maxItems": MOST_FUNCTIONS, "items": {"$ref": function},
        "description": "The functions, each as the body of its PUT, but that `code` may be `{sha256}` of code \
                        that the function does not have. What is wrong with one is told in its plan."
    });
    let mut schema = object([("functions".to_owned(), functions)].into_iter().collect());
    schema["required"] = json!(["functions"]);
    schema["description"] = json!("Functions whose PUTs are to be planned.");
    schema
}

/// What PATCH takes: a JSON merge patch (RFC 7396), in which null gives a field's default back.
pub fn function_patch() -> Value {
    let mut properties = properties();
    for (name, schema) in &mut properties {
        if ["functionName", "code"].contains(&name.as_str()) {
            continue;
        }
        *schema = nullable(schema.take());
    }
    let mut schema = object(properties);
    schema["description"] = json!(
        "A JSON merge patch (RFC 7396): what is named is changed, null gives a default back. The \
         code is replaced as a whole."
    );
    schema
}

/// What a member of a merge patch may be, of which `schema` tells what it is once it is merged: null takes it away,
/// and of an object only what changes is named.
fn nullable(mut schema: Value) -> Value {
    if schema["additionalProperties"].is_object() {
        let member = schema["additionalProperties"].take();
        schema["additionalProperties"] = json!({"anyOf": [member, {"type": "null"}]});
    }
    if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        members.values_mut().for_each(|member| *member = nullable(member.take()));
    }
    if let Some(object) = schema.as_object_mut().filter(|it| it.contains_key("properties")) {
        object.remove("required");
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// What names a function to delete: what else a function has may stand there, and does not count.
fn function_to_delete() -> Value {
    let mut properties = properties();
    for (name, schema) in &mut properties {
        if name != "functionName" {
            *schema = json!({});
        }
    }
    let mut schema = object(properties);
    schema["required"] = json!(["functionName"]);
    schema
}

/// What an event takes of that. An upload belongs to a verified caller, which an event has none of.
fn by_event(mut function: Value) -> Value {
    if let Value::Array(forms) = &mut function["properties"]["code"]["anyOf"] {
        forms.retain(|form| form["properties"]["uploadId"].is_null());
    }
    function
}

fn object(properties: Map<String, Value>) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn properties() -> Map<String, Value> {
    let properties = function::properties().map(|property| {
        let mut schema = (property.schema)();
        schema["examples"] = json!([(property.example)()]);
        (property.name.to_owned(), schema)
    });
    let ignored = json!({"description": "Set by Formation, ignored here.", "readOnly": true});
    properties.chain(OUTPUT_ONLY.map(|name| (name.to_owned(), ignored.clone()))).collect()
}

/// The schemas of all events, by file name below `docs/events`.
pub fn events() -> Vec<(&'static str, Value)> {
    let mut request = of::<OperationRequest>();
    // What `function` must be depends on the kind.
    request["allOf"] = json!([
        {
            "if": {"properties": {"kind": {"const": RequestKind::Create}}},
            "then": {"properties": {"function": by_event(function_request())}}
        },
        {
            "if": {"properties": {"kind": {"const": RequestKind::Update}}},
            "then": {"properties": {"function": {"required": ["functionName"], "allOf": [by_event(function_patch())]}}}
        },
        {
            "if": {"properties": {"kind": {"const": RequestKind::Delete}}},
            "then": {"properties": {"function": function_to_delete()}}
        }
    ]);
    request["properties"]["function"] = json!({"type": "object"});
    vec![
        ("operation-request.json", request),
        ("operation-status-change.json", of::<OperationStatusChange>()),
        ("drift-status-change.json", of::<DriftAnnouncement>()),
    ]
}

/// The detail of a `Formation Operation Status Change`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OperationStatusChange {
    Ended(Announcement),
    Refused(Rejection),
    Unchanged(Unchanged),
}

/// The schema of a type as it is written.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with_transform(RecursiveTransform(as_answered));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The schemas of the types that the HTTP API answers, for `#/components/schemas`.
pub fn components(define: impl FnOnce(&mut SchemaGenerator)) -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let settings = settings.with_transform(RecursiveTransform(as_answered));
    let mut generator = settings.into_generator();
    // They are referred to by name from the paths.
    generator.subschema_for::<CodeSummary>();
    generator.subschema_for::<Difference>();
    generator.subschema_for::<OperationError>();
    define(&mut generator);
    generator.take_definitions(true)
}

/// Schemas of what is answered: enums are plain, and there are no defaults, which are those of records
/// that lack a field.
fn as_answered(schema: &mut Schema) {
    plain_enum(schema);
    schema.remove("default");
}

/// Enums as most generators of clients know them: schemars gives each variant that has a description
/// a schema of its own, a `oneOf` of `const`. The descriptions move to the enum's.
fn plain_enum(schema: &mut Schema) {
    let Some(variants) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let mut names = Vec::new();
    let mut told = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    for variant in variants {
        match (&variant["const"], &variant["enum"]) {
            (Value::String(name), _) => {
                names.push(json!(name));
                if let Some(description) = variant["description"].as_str() {
                    told.push_str(&format!("\n- `{name}`: {description}"));
                }
            }
            (_, Value::Array(others)) => names.extend(others.iter().cloned()),
            _ => return,
        }
    }
    schema.remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), names.into());
    schema.insert("description".to_owned(), told.trim_start().into());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Calls `look` with every value in the document.
    fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
        look(value);
        match value {
            Value::Object(fields) => fields.values().for_each(|value| walk(value, look)),
            Value::Array(items) => items.iter().for_each(|item| walk(item, look)),
            _ => {}
        }
    }

    #[test]
    fn the_codes_of_a_plan_are_one_enum_that_has_each_once() {
        let schema = of::<PlanErrorCode>();
        let codes = schema["enum"].as_array().unwrap();
        let texts: BTreeSet<_> = codes.iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(texts.len(), codes.len(), "{schema:#}");
        for code in ["REQUIRED", "UPLOAD_NOT_FOUND", "NOT_OWNED", "SERVICE_UNAVAILABLE"] {
            assert!(texts.contains(code), "{code}");
            let line = format!("\n- `{code}`: ");
            assert_eq!(schema["description"].as_str().unwrap().matches(&line).count(), 1, "{code}");
        }
        assert_eq!((&schema["type"], schema.get("anyOf")), (&json!("string"), None));
    }

    #[test]
    fn enums_are_plain_and_keep_their_descriptions() {
        let schema = of::<crate::Operation>();
        let status = &schema["$defs"]["OperationStatus"];
        assert_eq!(status["type"], "string");
        assert_eq!(status["enum"], json!(["RUNNING", "SUCCEEDED", "FAILED"]), "{status:#}");
        assert!(status["description"].as_str().unwrap().contains("\n- `RUNNING`: "), "{status:#}");
        let mut seen = 0;
        for (_, schema) in events() {
            walk(&schema, &mut |value| {
                assert!(value["oneOf"][0]["const"].is_null(), "{value:#}");
                seen += usize::from(value["enum"].is_array());
            });
        }
        assert!(seen > 5, "{seen}");
    }

    #[test]
    fn an_upload_can_be_asked_for_by_requests_and_not_by_events() {
        for schema in [function_request(), function_patch()] {
            let forms =
                |schema: &Value| schema["properties"]["code"]["anyOf"].as_array().unwrap().len();
            assert!(schema.to_string().contains("uploadId"));
            assert_eq!(forms(&by_event(schema.clone())), forms(&schema) - 1);
        }
        for (file, schema) in events() {
            assert!(!schema.to_string().contains("uploadId"), "{file}");
        }
    }
}

//! The API's own description: OpenAPI 3.1, made from the types that requests are read into and
//! answers are written from.

use formation_model::schema::{self, function_patch, function_request, plan_request};
use formation_model::tag::{LONGEST_TAG, MOST_TAGS};
use formation_model::{
    About, CodeLink, DriftReport, Function, FunctionStatus, Operation, Page, Plan, Plans, Problem,
    ProblemCode, Revision, RollbackRequest, Upload, UploadRequest,
};
use http::StatusCode;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::answer::{self, Answered};
use crate::change::LONGEST_WAIT;
use crate::functions::{DEFAULT_LIMIT, MOST};
use crate::request::Request;
use crate::routes::{ROUTES, Route};

use ProblemCode as P;

/// `GET /v1/openapi.json`
pub(crate) fn describe_api(request: &Request) -> Answered {
    answer::document(StatusCode::OK, document(&request.server()).to_string())
}

/// What an operation may fail with, as the answer to a request that waits for it.
const OUTCOMES: [ProblemCode; 11] = [
    P::NotOwned,
    P::QuotaExceeded,
    P::Cancelled,
    P::Rejected,
    P::AccessDenied,
    P::Unexpected,
    P::NotReady,
    P::Throttled,
    P::Transient,
    P::Interrupted,
    P::TimedOut,
];

/// What may be wrong with a body.
const OF_BODIES: [ProblemCode; 4] =
    [P::MalformedJson, P::BodyTooLarge, P::UnsupportedMediaType, P::InvalidFunction];

/// What may be in the way of every change.
const OF_CHANGES: [ProblemCode; 2] = [P::OperationInProgress, P::IdempotencyKeyReused];

/// What may go wrong with every request.
const ALWAYS: [ProblemCode; 3] = [P::InvalidParameter, P::InternalError, P::ServiceUnavailable];

/// The document of the API at the URL `server`.
pub fn document(server: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Formation",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Functions on AWS Lambda with their code, role and logs as one. Requests are signed with AWS Signature Version 4 for the service execute-api.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": parameters(),
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "AWS Signature Version 4.",
                    "x-amazon-apigateway-authtype": "awsSigv4"
                }
            }
        },
        "security": [{"sigv4": []}]
    })
}

fn operation(route: &Route) -> Value {
    let reference = |kind: &str, name: &str| json!({"$ref": format!("#/components/{kind}/{name}")});
    let changes = route.parameters.contains(&"Idempotency-Key");
    let mut responses = Map::new();
    for (status, name) in route.answers {
        let mut response = json!({"description": describe(*status, name), "headers": headers(*status, changes, name)});
        if !name.is_empty() {
            let content = json!({"schema": reference("schemas", name)});
            response["content"] = json!({"application/json": content});
        }
        responses.insert(status.to_string(), response);
    }
    let of_bodies = if route.body.is_some() { &OF_BODIES[..] } else { &[] };
    let of_changes = if changes { &OF_CHANGES[..] } else { &[] };
    let outcomes = if changes { &OUTCOMES[..] } else { &[] };
    let problems = [route.problems, of_bodies, of_changes, &ALWAYS, outcomes].into_iter().flatten();
    for problem in problems {
        let response = responses.entry(problem.status().to_string()).or_insert_with(|| {
            let content = json!({"schema": reference("schemas", "Problem")});
            json!({"description": "", "content": {"application/problem+json": content}})
        });
        let told = response["description"].as_str().unwrap_or_default();
        let code = json!(problem);
        let code = code.as_str().unwrap_or_default();
        let all = if told.is_empty() { code.to_owned() } else { format!("{told}, {code}") };
        response["description"] = json!(all);
    }
    for (status, told) in
        [(403, "IAM allows the caller no such request"), (429, "Too many requests")]
    {
        let content = json!({"schema": reference("schemas", "GatewayError")});
        let response = json!({"description": told, "content": {"application/json": content}});
        responses.insert(status.to_string(), response);
    }
    let parameters: Vec<_> =
        route.parameters.iter().map(|name| reference("parameters", name)).collect();
    let mut operation = json!({
        "operationId": route.action,
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = route.body {
        let mut content = json!({"schema": reference("schemas", body)});
        content["example"] = match body {
            "FunctionRequest" => schema::example(),
            "PlanRequest" => json!({"functions": [schema::example()]}),
            "UploadRequest" => schema::upload_example(),
            "RollbackRequest" => json!({"revision": 3}),
            _ => json!({"memoryMegabytes": 512, "environment": {"GREETING": null}}),
        };
        operation["requestBody"] = json!({"required": body != "RollbackRequest", "content": {"application/json": content}});
    }
    operation
}

fn describe(status: u16, name: &str) -> &'static str {
    match status {
        201 if name == "Upload" => "Where the archive can be put.",
        201 => "It was created while the request waited.",
        202 => "Accepted: the operation that runs, or ran when the request came first.",
        204 => {
            "There is no function any more: it was deleted while the request waited, or since it was first accepted."
        }
        _ => "As asked.",
    }
}

/// `changes` is whether the route asks for a change, which is an operation and may have a key; `name` is
/// the schema that is answered.
fn headers(status: u16, changes: bool, name: &str) -> Value {
    let header = |told: &str| json!({"description": told, "schema": {"type": "string"}});
    let mut headers = match status {
        202 => json!({
            "Location": header("Path of the function."),
            "ETag": header("The entity tag that the function has if the operation succeeds; none after a delete."),
            "Retry-After": header("Seconds after which the operation is worth a look."),
        }),
        201 if name == "Function" => json!({
            "Location": header("Path of the function."),
            "ETag": header("Entity tag of the function."),
        }),
        200 if ["Function", "FunctionOrPlan"].contains(&name) => {
            json!({"ETag": header("Entity tag of the function, where it is one.")})
        }
        _ => json!({}),
    };
    if changes || status == 202 {
        headers["Operation-Location"] = header("Path of the operation, if there is one.");
    }
    if changes {
        let told = "`true` if the request was answered earlier, under the same key.";
        headers["Idempotency-Replayed"] = header(told);
    }
    headers
}

fn schemas() -> Map<String, Value> {
    let mut schemas = schema::components(|generator: &mut SchemaGenerator| {
        generator.subschema_for::<About>();
        generator.subschema_for::<Function>();
        generator.subschema_for::<Page<Function>>();
        generator.subschema_for::<Operation>();
        generator.subschema_for::<Page<Operation>>();
        generator.subschema_for::<Revision>();
        generator.subschema_for::<Page<Revision>>();
        generator.subschema_for::<DriftReport>();
        generator.subschema_for::<Plan>();
        generator.subschema_for::<Plans>();
        generator.subschema_for::<Problem>();
        generator.subschema_for::<RollbackRequest>();
        generator.subschema_for::<UploadRequest>();
        generator.subschema_for::<Upload>();
        generator.subschema_for::<CodeLink>();
    });
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    schemas.insert("FunctionRequest".to_owned(), function_request());
    schemas.insert("FunctionPatch".to_owned(), function_patch());
    schemas.insert("PlanRequest".to_owned(), plan_request("#/components/schemas/FunctionRequest"));
    schemas.insert(
        "FunctionOrPlan".to_owned(),
        json!({"anyOf": [reference("Function"), reference("Plan")]}),
    );
    schemas.insert("Document".to_owned(), json!({"type": "object"}));
    schemas.insert(
        "GatewayError".to_owned(),
        json!({
            "type": "object", "properties": {"message": {"type": "string"}},
            "description": "What API Gateway itself answers."
        }),
    );
    schemas
}

fn parameters() -> Value {
    let path = |name: &str, pattern: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "pattern": pattern}});
    let optional = |place: &str, name: &str, told: &str, schema: Value| json!({"name": name, "in": place, "required": false, "description": told, "schema": schema});
    let statuses = FunctionStatus::ALL.map(FunctionStatus::as_str);
    json!({
        "functionName": path("functionName", "^[A-Za-z0-9_-]{1,64}$"),
        "operationId": path("operationId", "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"),
        "revisionNumber": {"name": "revision", "in": "path", "required": true, "schema": {"type": "integer", "minimum": 1}},
        "revision": optional("query", "revision", "Of which revision; of the current one by default.", json!({"type": "integer", "minimum": 1})),
        "limit": optional("query", "limit", "The most that a page holds.", json!({"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT})),
        "nextToken": optional("query", "nextToken", "Where the page begins: from the page before, with the same filters.", json!({"type": "string"})),
        "status": optional("query", "status", "Only functions with this status.", json!({"type": "string", "enum": statuses})),
        "prefix": optional("query", "prefix", "Only functions whose name begins so.", json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{0,64}$"})),
        "tag": optional("query", "tag", "Only functions with this tag of the user's, `key:value`, case and all. Keys and values may hold colons: a function has it if one of the places where it can be split gives one of its tags. Given more than once, all must hold.", json!({
            "type": "array", "maxItems": MOST_TAGS,
            "items": {"type": "string", "maxLength": LONGEST_TAG, "pattern": "^[\\s\\S]+:"}
        })),
        "steps": optional("query", "steps", "Whether to tell the operation's steps.", json!({"type": "boolean"})),
        "wait": optional("query", "wait", "Seconds to wait for the outcome; within the time of the request, whatever is asked.", json!({"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT})),
        "dryRun": optional("query", "dryRun", "Whether only to tell what would be done.", json!({"type": "boolean"})),
        "Idempotency-Key": optional("header", "Idempotency-Key", "Repeating the request under this key within 48 hours does not act again.", json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"})),
        "If-Match": optional("header", "If-Match", "Entity tags, one of which the function must have, or *.", json!({"type": "string", "pattern": "^[!-~]+$"})),
        "If-None-Match": optional("header", "If-None-Match", "* : there must be no such function.", json!({"type": "string", "enum": ["*"]})),
    })
}

#[cfg(test)]
mod tests {
    use formation_model::{Defaults, function::Architecture, request};

    use super::*;

    /// Every `$ref` in the document.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document("/");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn its_enums_are_plain() {
        let text = document("/").to_string();
        assert!(!text.contains("oneOf") && !text.contains("\"const\""), "{text}");
        let document = document("/");
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Architecture"]["enum"], json!(["arm64", "x86_64"]));
        assert_eq!(schemas["FunctionStatus"]["enum"], json!(FunctionStatus::ALL));
        assert_eq!(schemas["ProblemCode"]["enum"], json!(ProblemCode::ALL.as_slice()));
    }

    #[test]
    fn whoever_waits_may_be_told_that_the_function_is_gone() {
        let document = document("/");
        for route in ROUTES.iter().filter(|route| route.parameters.contains(&"Idempotency-Key")) {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(operation["responses"]["204"].is_object(), "{}", route.key());
        }
    }

    #[test]
    fn the_example_is_a_valid_function() {
        let defaults = Defaults { architecture: Architecture::Arm64, ..Defaults::default() };
        assert!(request::read(&schema::example(), &defaults, None).is_ok());
    }

    #[test]
    fn every_problem_is_documented_somewhere() {
        let text = document("/")["paths"].to_string();
        for code in ProblemCode::ALL {
            // These two answer what is no route.
            if [P::RouteNotFound, P::MethodNotAllowed].contains(&code) {
                continue;
            }
            let name = json!(code);
            assert!(text.contains(name.as_str().unwrap()), "{name}");
        }
    }
}

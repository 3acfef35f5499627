//! What crosses a process boundary is read as it is written, today's and a later release's.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use formation_model::drift::DriftAnnouncement;
use formation_model::event::{Rejection, Unchanged};
use formation_model::step::Announcement;
use formation_model::{
    Drift, DriftReport, Function, Operation, OperationKind, Page, Part, Plan, Problem, ProblemCode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ID: &str = "01JDJ3M6Q5X8Z7W2V4T9R0N1KB";
const TIME: &str = "2026-11-25T17:00:00.123Z";

fn function() -> Value {
    let mut function = json!({
        "status": "AVAILABLE", "revision": 1,
        "resources": {
            "functionArn": "arn:f", "liveArn": "arn:f:live", "invokeArn": "arn:f:live", "version": "7", "functionUrl": "https://u/", "roleArn": "arn:r", "logGroupName": "/aws/lambda/hello"
        },
        "operationId": ID, "drift": drift(), "createdAt": TIME, "updatedAt": TIME,
        "createdBy": "arn:aws:iam::111122223333:user/ann",
    });
    for property in formation_model::function::properties() {
        function[property.name] = (property.example)();
    }
    function["code"] = json!({"sha256": "abc=", "sizeBytes": 182, "inline": true});
    function
}

fn drift() -> Value {
    json!({
        "status": "DRIFTED", "checkedAt": TIME, "differences": [difference()], "more": 3,
        "digest": "00ff",
    })
}

fn difference() -> Value {
    json!({
        "part": "FUNCTION", "facet": "CONFIGURATION", "property": "memoryMegabytes",
        "expected": 128, "actual": 256,
    })
}

fn error() -> Value {
    json!({
        "code": "REJECTED", "message": "told", "step": "Ensure role",
        "awsErrorCode": "ValidationError", "awsRequestId": "r-1",
    })
}

fn operation() -> Value {
    let step = json!({
        "name": "Ensure role", "status": "FAILED", "attempts": 2, "startedAt": TIME, "endedAt": TIME,
        "lastError": error(), "waitingFor": "time to pass",
    });
    json!({
        "operationId": ID, "kind": "CREATE", "functionName": "hello", "status": "FAILED",
        "rollback": "INCOMPLETE", "error": error(), "leftovers": ["ROLE"], "warnings": [warning()],
        "startedAt": TIME, "endedAt": TIME, "requestedBy": "ann", "executionArn": "arn:e",
        "consoleUrl": "https://x", "steps": [step],
    })
}

fn plan() -> Value {
    let part = |part| {
        let mut planned = json!({"part": part, "action": "CHANGE", "differences": [difference()]});
        if part == Part::Triggers {
            let trigger = json!({"kind": "SCHEDULE", "name": "nightly", "action": "DELETE"});
            planned["triggers"] = json!([trigger]);
        }
        planned
    };
    json!({
        "functionName": "hello", "kind": "UPDATE", "parts": Part::ALL.map(part),
        "warnings": [warning()],
    })
}

fn warning() -> Value {
    json!({"pointer": "/handler", "code": "HANDLER_NOT_FOUND", "detail": "there is no file"})
}

fn problem() -> Value {
    json!({
        "type": "about:blank", "title": "told", "status": 422, "detail": "told",
        "code": "INVALID_FUNCTION", "errorCount": 102,
        "errors": [{"pointer": "/runtime", "code": "NOT_SUPPORTED", "detail": "told"}],
        "operationId": ID, "rollback": "COMPLETE", "requestId": "r-1",
    })
}

fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// That a document is read whole and written as it was, from a text too, and that its times are
/// written to the millisecond however they were read.
fn round_trips<T: DeserializeOwned + Serialize>(document: &Value) {
    let text = document.to_string();
    let from_text: T = serde_json::from_str(&text).unwrap();
    assert_eq!(&json!(from_text), document);
    assert_eq!(&json!(read::<T>(document)), document);
    let finer: T = serde_json::from_str(&text.replace(".123Z", ".123456789Z")).unwrap();
    assert_eq!(&json!(finer), document);
    let coarse: T = serde_json::from_str(&text.replace(".123Z", "Z")).unwrap();
    let written: Value = serde_json::from_str(&text.replace(".123Z", ".000Z")).unwrap();
    assert_eq!(json!(coarse), written);
}

#[test]
fn what_is_answered_is_read_as_it_is_written() {
    round_trips::<Function>(&function());
    round_trips::<Operation>(&operation());
    round_trips::<Plan>(&plan());
    round_trips::<Problem>(&problem());
    round_trips::<Page<Function>>(&json!({"functions": [function()], "nextToken": "t"}));
    round_trips::<Page<Operation>>(&json!({"operations": [operation()]}));
    round_trips::<Drift>(&drift());
    round_trips::<DriftReport>(&with(drift(), json!({"functionName": "hello", "revision": 1})));
}

#[test]
fn what_is_announced_is_read_as_it_is_written() {
    round_trips::<Announcement>(&json!({
        "operationId": ID, "functionName": "hello", "kind": "UPDATE", "status": "FAILED",
        "rollback": "COMPLETE", "revision": 2, "error": error(), "idempotencyKey": "k",
    }));
    round_trips::<Rejection>(&json!({
        "functionName": "hello", "kind": "CREATE", "status": "REJECTED", "problem": problem(),
        "idempotencyKey": "k",
    }));
    round_trips::<Unchanged>(&json!({
        "functionName": "hello", "kind": "UPDATE", "status": "UNCHANGED", "revision": 2,
        "idempotencyKey": "k",
    }));
    let more = json!({
        "functionName": "hello", "revision": 1, "reaction": "REPAIR", "operationId": ID,
    });
    round_trips::<DriftAnnouncement>(&with(drift(), more));
}

#[test]
fn fields_and_words_of_a_later_release_leave_answers_readable() {
    let mut later = function();
    later["status"] = json!("ROLLING_BACK");
    later["aliases"] = json!([{"name": "live"}]);
    later["drift"]["status"] = json!("IGNORED");
    later["drift"]["differences"][0]["part"] = json!("TRIGGERS");
    later["drift"]["differences"][0]["facet"] = json!("QUEUES");
    let view: Function = read(&later);
    assert_eq!(view.status.to_string(), "ROLLING_BACK");
    let difference = &view.drift.differences[0];
    let named = (difference.part.to_string(), difference.facet.to_string());
    assert_eq!(named, ("TRIGGERS".to_owned(), "QUEUES".to_owned()));
    assert_eq!(view.spec.configuration.memory_megabytes, 256);
    assert_eq!(with(json!(view), json!({"aliases": later["aliases"]})), later);

    let mut later = operation();
    later["kind"] = json!("MIGRATE");
    later["leftovers"] = json!(["ROLE", "LIVE"]);
    later["steps"][0]["status"] = json!("SKIPPED");
    later["rollback"] = json!("IMPOSSIBLE");
    later["warnings"][0]["code"] = json!("TOO_LARGE");
    let view: Operation = read(&later);
    assert!(view.kind.known().is_none() && view.leftovers[0] == Part::Role);
    assert!(view.has_ended());
    assert_eq!(view.warnings[0].code.to_string(), "TOO_LARGE");
    assert_eq!(json!(view), later);

    let mut later = plan();
    later["parts"][0]["action"] = json!("REPLACE");
    later["kind"] = json!("MIGRATE");
    assert_eq!(read::<Plan>(&later).parts[0].action.to_string(), "REPLACE");

    let mut later = problem();
    later["code"] = json!("TOO_EARLY");
    later["errors"][0]["code"] = json!("TOO_NEW");
    let view: Problem = read(&later);
    assert_eq!(view.code.to_string(), "TOO_EARLY");
    assert_eq!(view.errors[0].code.to_string(), "TOO_NEW");
}

#[test]
fn an_operation_in_an_unknown_state_has_ended_when_it_has_an_end() {
    let mut later = operation();
    later["status"] = json!("SKIPPED");
    assert!(read::<Operation>(&later).has_ended());
    later.as_object_mut().unwrap().remove("endedAt");
    assert!(!read::<Operation>(&later).has_ended());
}

#[test]
fn what_may_be_absent_is_absent_and_may_be() {
    let operation: Operation = read(&json!({
        "operationId": ID, "kind": "CREATE", "functionName": "hello", "status": "RUNNING",
        "rollback": "NOT_NEEDED", "startedAt": TIME, "requestedBy": "ann", "executionArn": "arn:e",
        "consoleUrl": "https://x",
    }));
    assert!(operation.kind == OperationKind::Create && !operation.has_ended());
    assert_eq!(json!(operation).as_object().unwrap().len(), 9);
    let problem = Problem::new(ProblemCode::FunctionNotFound, "there is no function hello");
    assert_eq!(
        json!(problem),
        json!({
            "type": "about:blank", "title": "No such function", "status": 404,
            "detail": "there is no function hello", "code": "FUNCTION_NOT_FOUND",
        })
    );
    assert_eq!(read::<Problem>(&json!(problem)), problem);
}

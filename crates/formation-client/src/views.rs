//! What the API answers, as a client reads it: fields that this release does not know are ignored,
//! and words that it does not know are kept as they are.

use formation_model::bundle::CodeSummary;
use formation_model::drift::DriftStatus;
use formation_model::operation::{CANCELLED, OperationError, StepStatus};
use formation_model::plan::Action;
use formation_model::view::Resources;
use formation_model::{
    Facet, FunctionName, FunctionSpec, FunctionStatus, OperationId, OperationKind, OperationStatus,
    Part, Rollback, WarningCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::open::Open;

/// A function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// What was asked for; of the code only digest and size.
    #[serde(flatten)]
    pub spec: FunctionSpec<CodeSummary>,
    /// Where the function is in its life.
    pub status: Open<FunctionStatus>,
    /// 0 until the create succeeds, then +1 by each committed change.
    pub revision: u64,
    /// What AWS holds, or will hold, for it.
    pub resources: Resources,
    /// The current operation, or the last one.
    pub operation: OperationId,
    /// Whether AWS still has what the record says.
    pub drift: Drift,
    /// When the create was accepted.
    pub created_at: Timestamp,
    /// When a change was last committed; before the first, when the create was accepted.
    pub updated_at: Timestamp,
    /// The verified caller that created it.
    pub created_by: String,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id.
    pub operation_id: OperationId,
    /// What it does.
    pub kind: Open<OperationKind>,
    /// The function that it changes.
    pub function_name: FunctionName,
    /// Where it is in its life.
    pub status: Open<OperationStatus>,
    /// What became of its changes if it failed.
    pub rollback: Open<Rollback>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<OperationError>,
    /// What an incomplete rollback, or an unfinished delete, left in AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Open<Part>>,
    /// What was accepted and will probably not do what was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it ended, its rollback included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The verified caller that asked for it.
    pub requested_by: String,
    /// The execution of its current attempt.
    pub execution_arn: String,
    /// That execution in the AWS console.
    pub console_url: String,
    /// The states that its attempts went through, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<OperationStep>>,
}

impl Operation {
    /// Whether it has ended, its rollback included.
    pub fn has_ended(&self) -> bool {
        match self.status {
            Open::Known(status) => status != OperationStatus::Running,
            Open::Unknown(_) => self.ended_at.is_some(),
        }
    }

    /// Whether somebody has cancelled it.
    pub fn is_cancelled(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.code == CANCELLED)
    }
}

/// One state of the state machine that an operation went through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationStep {
    /// The state's name, for example `Ensure role`.
    pub name: String,
    /// How it went.
    pub status: Open<StepStatus>,
    /// How often it was tried; 0 for a wait.
    pub attempts: u32,
    /// When it was entered.
    pub started_at: Timestamp,
    /// When it was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Why the last try failed that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<OperationError>,
    /// What it waits for, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

/// What a comparison of a function with AWS found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// What it means.
    pub status: Open<DriftStatus>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// What differs; the first of it, if there is much.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// How many more differences there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// A digest of all differences: it changes when any of them does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One property that is not as declared. Of an environment variable no value is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The part of the function that differs.
    pub part: Open<Part>,
    /// What of the part it is a property of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facet: Option<Open<Facet>>,
    /// Its name: a field of the function, or AWS's own name for what is no field; `exists` for the
    /// whole.
    pub property: String,
    /// As declared; null if it should not be there.
    #[serde(default)]
    pub expected: Value,
    /// As it is; null if it is not there.
    #[serde(default)]
    pub actual: Value,
}

/// A comparison with AWS that was made for this request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// The function.
    pub function_name: FunctionName,
    /// The revision that AWS was compared with.
    pub revision: u64,
    /// What was found.
    #[serde(flatten)]
    pub drift: Drift,
}

/// What a request would do, had it not been a dry run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The function.
    pub function_name: FunctionName,
    /// The kind of the operation; none if nothing would change and no operation would run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Open<OperationKind>>,
    /// What would be done to each part.
    pub parts: Vec<PlannedPart>,
    /// What would be accepted and will probably not do what was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// What an operation would do to one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedPart {
    /// The part.
    pub part: Open<Part>,
    /// What would be done.
    pub action: Open<Action>,
    /// The properties that would change: `expected` is what they would become.
    #[serde(default)]
    pub differences: Vec<Difference>,
}

/// One thing that was accepted, or would be, and will probably not do what was meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about: a JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What it is, for programs.
    pub code: Open<WarningCode>,
    /// What it is and what to do about it, for people.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use formation_model::event::EventProblem;
    use schemars::{JsonSchema, schema_for};
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;
    use crate::error::Problem;

    const ID: &str = "01JDJ3M6Q5X8Z7W2V4T9R0N1KB";

    fn function() -> Value {
        json!({
            "functionName": "hello", "code": {"sha256": "abc=", "sizeBytes": 182, "inline": true},
            "runtime": "nodejs24.x", "handler": "index.handler", "architecture": "arm64",
            "memoryMegabytes": 128, "timeoutSeconds": 3, "logRetentionDays": 30,
            "environment": {}, "description": "", "tags": {}, "deletionProtection": false,
            "status": "AVAILABLE", "revision": 1,
            "resources": {"functionArn": "arn:f", "roleArn": "arn:r", "logGroupName": "/aws/lambda/hello"},
            "operation": ID, "drift": drift(),
            "createdAt": "2026-11-25T17:00:00.123Z", "updatedAt": "2026-11-25T17:00:01Z",
            "createdBy": "arn:aws:iam::111122223333:user/ann",
        })
    }

    fn drift() -> Value {
        json!({
            "status": "DRIFTED", "checkedAt": "2026-11-25T17:00:00Z",
            "differences": [difference()], "more": 3, "digest": "00ff",
        })
    }

    fn difference() -> Value {
        json!({
            "part": "FUNCTION", "facet": "CONFIGURATION", "property": "memoryMegabytes",
            "expected": 128, "actual": 256,
        })
    }

    fn operation() -> Value {
        let error = json!({
            "code": "REJECTED", "message": "told", "step": "Ensure role",
            "awsErrorCode": "ValidationError", "awsRequestId": "r-1",
        });
        let step = json!({
            "name": "Ensure role", "status": "FAILED", "attempts": 2,
            "startedAt": "2026-11-25T17:00:00Z", "endedAt": "2026-11-25T17:00:01Z",
            "lastError": error, "waitingFor": "time to pass",
        });
        json!({
            "operationId": ID, "kind": "CREATE", "functionName": "hello", "status": "FAILED",
            "rollback": "INCOMPLETE", "error": error, "leftovers": ["ROLE"], "warnings": [warning()],
            "startedAt": "2026-11-25T17:00:00Z", "endedAt": "2026-11-25T17:00:09Z",
            "requestedBy": "ann", "executionArn": "arn:e", "consoleUrl": "https://x",
            "steps": [step],
        })
    }

    fn plan() -> Value {
        let part = |part| json!({"part": part, "action": "CHANGE", "differences": [difference()]});
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
            "operation": ID, "rollback": "COMPLETE", "requestId": "r-1",
        })
    }

    fn read<View: DeserializeOwned>(value: &Value) -> View {
        serde_json::from_value(value.clone()).unwrap()
    }

    /// Where `value` lacks a property that `schema` declares; `all` is the schema that it is part of.
    fn missing(schema: &Value, all: &Value, value: &Value, at: &str) -> Vec<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let schema = all.pointer(reference.trim_start_matches('#')).unwrap();
            return missing(schema, all, value, at);
        }
        if value.is_null() {
            return vec![at.to_owned()];
        }
        let mut found = Vec::new();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            found.extend(missing(schema, all, &value[name], &format!("{at}/{name}")));
        }
        if schema["items"].is_object() {
            found.extend(missing(&schema["items"], all, &value[0], &format!("{at}/0")));
        }
        for schema in schema["anyOf"].as_array().into_iter().flatten() {
            found.extend(missing(schema, all, value, at));
        }
        found
    }

    /// That the view has every property that the API's own type has, and changes none of them.
    fn mirrors<Model: JsonSchema, View: DeserializeOwned + Serialize>(sample: &Value) {
        let view = serde_json::to_value(read::<View>(sample)).unwrap();
        assert_eq!(&view, sample);
        let schema = schema_for!(Model).to_value();
        let missing = |value: &Value| missing(&schema, &schema, value, "");
        assert_eq!(missing(&view), [""; 0]);
        assert!(missing(&json!({})).len() > 3, "{schema}");
    }

    #[test]
    fn views_show_all_that_the_api_answers() {
        mirrors::<formation_model::Function, Function>(&function());
        mirrors::<formation_model::Operation, Operation>(&operation());
        mirrors::<formation_model::Plan, Plan>(&plan());
        mirrors::<formation_model::Drift, Drift>(&drift());
        // An event tells a problem as the API does, but for what only an answer has.
        mirrors::<EventProblem, Problem>(&problem());
    }

    #[test]
    fn fields_and_words_of_a_later_release_leave_answers_readable() {
        let mut later = function();
        later["status"] = json!("ROLLING_BACK");
        later["aliases"] = json!([{"name": "live"}]);
        later["drift"]["status"] = json!("IGNORED");
        later["drift"]["differences"][0]["part"] = json!("TRIGGERS");
        let view: Function = read(&later);
        assert_eq!(view.status.to_string(), "ROLLING_BACK");
        assert_eq!(view.drift.differences[0].part.to_string(), "TRIGGERS");
        assert_eq!(view.spec.memory_megabytes, 128);

        let mut later = operation();
        later["kind"] = json!("ROLLBACK");
        later["leftovers"] = json!(["ROLE", "LIVE"]);
        later["steps"][0]["status"] = json!("SKIPPED");
        later["rollback"] = json!("IMPOSSIBLE");
        later["warnings"][0]["code"] = json!("TOO_LARGE");
        let view: Operation = read(&later);
        assert!(view.kind.known().is_none() && view.leftovers[0] == Part::Role);
        assert!(view.has_ended());
        assert_eq!(view.warnings[0].code.to_string(), "TOO_LARGE");

        let mut later = plan();
        later["parts"][0]["action"] = json!("REPLACE");
        later["kind"] = json!("ROLLBACK");
        assert_eq!(read::<Plan>(&later).parts[0].action.to_string(), "REPLACE");
    }

    #[test]
    fn an_operation_in_an_unknown_state_has_ended_when_it_has_an_end() {
        let mut later = operation();
        later["status"] = json!("SKIPPED");
        assert!(read::<Operation>(&later).has_ended());
        later.as_object_mut().unwrap().remove("endedAt");
        assert!(!read::<Operation>(&later).has_ended());
    }
}

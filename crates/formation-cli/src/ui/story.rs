//! What an operation is doing, or has done, in sentences: why it takes long, why it failed, what is left.

use formation_model::operation::{OperationStep, StepStatus};
use formation_model::{Operation, OperationKind, OperationStatus, Rollback};
use jiff::Timestamp;

use super::machine::Machine;
use crate::follow::{failed, left};
use crate::output::table::took;

/// How long a step may take before it is worth a word, in seconds.
const LONG: f64 = 3.0;

/// What there is to say of an operation.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// The one sentence.
    pub head: String,
    /// How it is: a class of the style sheet.
    pub class: &'static str,
    /// What there is to say besides, each with a word before it.
    pub told: Vec<(&'static str, String)>,
}

impl Story {
    /// That of an operation, as it is now.
    pub fn of(operation: &Operation, machine: &Machine, now: Timestamp) -> Self {
        let steps = operation.steps.as_deref().unwrap_or_default();
        match operation.status.known() {
            Some(OperationStatus::Succeeded) => succeeded(operation, steps),
            Some(OperationStatus::Failed) => ended_badly(operation, steps),
            Some(OperationStatus::Running) => running(operation, steps, machine, now),
            None => Self { head: operation.status.to_string(), class: "waiting", told: Vec::new() },
        }
    }
}

/// What the operation does, and what it has done.
fn words(operation: &Operation) -> (&'static str, &'static str, &'static str) {
    match operation.kind.known() {
        Some(OperationKind::Create) => ("Creating", "was created", "create"),
        Some(OperationKind::Update) => ("Updating", "was updated", "update"),
        Some(OperationKind::Delete) => ("Deleting", "was deleted", "delete"),
        Some(OperationKind::Repair) => ("Repairing", "was repaired", "repair"),
        Some(OperationKind::Rollback) => ("Rolling back", "was rolled back", "rollback"),
        None => ("Changing", "was changed", "change"),
    }
}

fn running(
    operation: &Operation,
    steps: &[OperationStep],
    machine: &Machine,
    now: Timestamp,
) -> Story {
    let (doing, ..) = words(operation);
    let name = &operation.function_name;
    let wrong = steps.iter().find(|step| failed(step));
    let current = steps.iter().rfind(|step| step.ended_at.is_none());
    let mut told = Vec::new();
    let at = current.map_or_else(
        || ": it is about to begin".to_owned(),
        |step| match step.attempts {
            0 | 1 => format!(": {}", step.name),
            tries => format!(": {}, try {tries}", step.name),
        },
    );
    let head = match wrong {
        Some(_) => format!("{doing} {name} did not work, and is taken back{at}"),
        None => format!("{doing} {name}{at}"),
    };
    if let Some(step) = wrong {
        told.extend(reason(step));
    }
    if let Some(step) = current {
        if let Some(comment) = machine.comment(&step.name).filter(|it| !it.is_empty()) {
            told.push(("This step", comment.to_owned()));
        }
        if let Some(waiting) = &step.waiting_for {
            told.push(("Waits for", sentence(waiting)));
        }
        if let Some(why) = patience(step) {
            told.push(("Why", why));
        }
    }
    told.push(("So far", took(operation.started_at, now)));
    Story { head, class: if wrong.is_some() { "failed" } else { "running" }, told }
}

fn succeeded(operation: &Operation, steps: &[OperationStep]) -> Story {
    let (_, done, _) = words(operation);
    let ended = operation.ended_at.unwrap_or(operation.started_at);
    let time = took(operation.started_at, ended);
    let head = format!("{} {done} in {time}", operation.function_name);
    let mut told = Vec::new();
    if let Some((step, seconds)) = longest(steps)
        && seconds >= LONG
    {
        let took = took(step.started_at, step.ended_at.unwrap_or(ended));
        let tries = match step.attempts {
            0 | 1 => String::new(),
            tries => format!(", in {tries} tries"),
        };
        told.push(("Took longest", format!("{}, {took}{tries}.", step.name)));
        if let Some(error) = &step.last_error {
            told.push(("It waited for", sentence(&error.message)));
        }
        if let Some(why) = patience(step) {
            told.push(("Why", why));
        }
    }
    Story { head, class: "succeeded", told }
}

fn ended_badly(operation: &Operation, steps: &[OperationStep]) -> Story {
    let (doing, _, kind) = words(operation);
    let name = &operation.function_name;
    let ended = operation.ended_at.unwrap_or(operation.started_at);
    let head = if operation.is_cancelled() {
        format!("{doing} {name} was cancelled")
    } else {
        format!("{doing} {name} failed after {}", took(operation.started_at, ended))
    };
    let mut told = Vec::new();
    match &operation.error {
        Some(error) => {
            told.push(("What failed", format!("{}, with {}.", error.step, error.code)));
            told.push(("Why", sentence(&error.message)));
            told.extend(of_aws(error.aws_error_code.as_deref(), error.aws_request_id.as_deref()));
        }
        None => told.extend(steps.iter().find(|step| failed(step)).map(reason).unwrap_or_default()),
    }
    let is_create = operation.kind == OperationKind::Create;
    let after = match operation.rollback.known() {
        Some(Rollback::Complete) if is_create => {
            "Nothing: all that was made has been removed again, and the name is free.".to_owned()
        }
        Some(Rollback::Complete) => format!("Nothing of it: {}.", left(operation)),
        Some(Rollback::NotNeeded) => format!("Nothing: {}.", left(operation)),
        _ => format!(
            "{} Formation tries again by itself, with growing pauses; a repair or a delete does it now.",
            sentence(&left(operation))
        ),
    };
    told.push(("What is left", after));
    if operation.rollback.known() != Some(&Rollback::Incomplete) && !operation.is_cancelled() {
        told.push(("What helps", remedy(operation, kind)));
    }
    Story { head, class: "failed", told }
}

/// What to do about what an operation failed with.
fn remedy(operation: &Operation, kind: &str) -> String {
    let code = operation.error.as_ref().map_or("", |error| error.code.as_str());
    match code {
        "NOT_OWNED" => "Something of that name is not Formation's: choose another name, or take that away.".to_owned(),
        "QUOTA_EXCEEDED" => "A quota of the account is used up: have it raised in Service Quotas, or make room.".to_owned(),
        "ACCESS_DENIED" => "A policy of the account or of its organisation forbids it: whoever looks after them can tell why.".to_owned(),
        "THROTTLED" => "The account made more calls than AWS allows: the same again later.".to_owned(),
        "REJECTED" => format!("AWS does not take what was asked for: change it, and {kind} again."),
        _ => format!("The same {kind} again is safe at any time."),
    }
}

/// Why a step has failed for good.
fn reason(step: &OperationStep) -> Vec<(&'static str, String)> {
    let mut told = vec![("What failed", format!("{}.", step.name))];
    if let Some(error) = &step.last_error {
        told.push(("Why it failed", sentence(&error.message)));
        told.extend(of_aws(error.aws_error_code.as_deref(), error.aws_request_id.as_deref()));
    }
    told
}

/// What AWS's support asks for.
fn of_aws(code: Option<&str>, request_id: Option<&str>) -> Option<(&'static str, String)> {
    let id = request_id.map(|id| format!("request {id}"));
    let both: Vec<_> = code.map(str::to_owned).into_iter().chain(id).collect();
    (!both.is_empty()).then(|| ("In AWS's words", both.join(", ")))
}

/// Why a step takes as long as it does.
fn patience(step: &OperationStep) -> Option<String> {
    let code = step.last_error.as_ref().map_or("", |error| error.code.as_str());
    let why = match code {
        "NOT_READY" => {
            "AWS spreads what was just made, a role above all, within seconds to a minute, and tells nobody when it \
             has. Formation asks again, with growing pauses; there is nothing to do."
        }
        "THROTTLED" => {
            "AWS limits how many such calls an account may make, for all of its tools together. Formation waits for its \
             turn; there is nothing to do."
        }
        "TRANSIENT" => "AWS had a failure of its own. Formation asks again, with growing pauses.",
        _ if step.status == StepStatus::Waiting && step.attempts == 0 => {
            "Time has to pass here, so that what went before has reached all of AWS."
        }
        _ => return None,
    };
    Some(why.to_owned())
}

/// The step that has taken longest, and how many seconds.
fn longest(steps: &[OperationStep]) -> Option<(&OperationStep, f64)> {
    let times = steps.iter().filter_map(|step| {
        Some((step, step.ended_at?.duration_since(step.started_at).as_secs_f64()))
    });
    times.max_by(|one, other| one.1.total_cmp(&other.1))
}

/// A text as a sentence.
fn sentence(text: &str) -> String {
    let text = text.trim();
    // The name of a call stays as it is.
    let is_name = text.split(' ').next().is_some_and(|word| word.contains(':'));
    let mut characters = text.chars();
    let first = characters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    let text = if is_name { text.to_owned() } else { first + characters.as_str() };
    if text.ends_with(['.', '!', '?']) { text } else { text + "." }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(more: Value) -> String {
        let mut operation = json!({
            "operationId": "01JDJ3M6Q5X8Z7W2V4T9R0N1KB", "kind": "CREATE", "functionName": "hello",
            "status": "RUNNING", "rollback": "NOT_NEEDED", "startedAt": "2026-11-25T17:00:00Z",
            "requestedBy": "ann", "executionArn": "arn:e", "consoleUrl": "https://c",
        });
        operation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let operation: Operation = serde_json::from_value(operation).unwrap();
        let now = "2026-11-25T17:00:12Z".parse().unwrap();
        let Story { head, told, .. } = Story::of(&operation, &Machine::read(), now);
        let lines = told.into_iter().map(|(what, text)| format!("{what}: {text}"));
        [head].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
    }

    fn error(code: &str) -> Value {
        json!({
            "code": code, "message": "the role cannot be assumed yet", "step": "Ensure function",
            "awsErrorCode": "InvalidParameterValueException", "awsRequestId": "r-1",
        })
    }

    fn step(status: &str, ended: Option<&str>, code: &str) -> Value {
        let mut step = json!({
            "name": "Ensure function", "status": status, "attempts": 4, "startedAt": "2026-11-25T17:00:02Z",
            "lastError": error(code),
        });
        if let Some(ended) = ended {
            step["endedAt"] = ended.into();
        } else {
            step["waitingFor"] = "the role cannot be assumed yet".into();
        }
        step
    }

    #[test]
    fn a_create_that_takes_long_says_why() {
        let text = told(json!({"steps": [step("WAITING", None, "NOT_READY")]}));
        assert!(text.starts_with("Creating hello: Ensure function, try 4\n"), "{text}");
        assert!(text.contains("Waits for: The role cannot be assumed yet."), "{text}");
        assert!(text.contains("within seconds to a minute"), "{text}");
        assert!(text.ends_with("So far: 12.0 s"), "{text}");
        let done = json!({
            "status": "SUCCEEDED", "endedAt": "2026-11-25T17:00:15Z",
            "steps": [step("SUCCEEDED", Some("2026-11-25T17:00:14Z"), "NOT_READY")],
        });
        let text = told(done);
        assert!(text.starts_with("hello was created in 15.0 s\n"), "{text}");
        assert!(text.contains("Took longest: Ensure function, 12.0 s, in 4 tries."), "{text}");
    }

    #[test]
    fn a_create_that_failed_says_why_and_what_is_left() {
        let failed = |rollback: &str, leftovers: Value| {
            told(json!({
                "status": "FAILED", "endedAt": "2026-11-25T17:00:15Z", "rollback": rollback,
                "error": error("REJECTED"), "leftovers": leftovers,
            }))
        };
        let text = failed("COMPLETE", json!([]));
        assert!(text.contains("What failed: Ensure function, with REJECTED."), "{text}");
        assert!(text.contains("InvalidParameterValueException, request r-1"), "{text}");
        assert!(
            text.contains("What is left: Nothing: all that was made has been removed"),
            "{text}"
        );
        let text = failed("INCOMPLETE", json!(["ROLE", "LOG_GROUP"]));
        assert!(
            text.contains("What is left: Left over: ROLE, LOG_GROUP. Formation tries"),
            "{text}"
        );
    }

    #[test]
    fn what_is_taken_back_says_what_failed() {
        let undoing = json!({"name": "Undo role", "status": "RUNNING", "attempts": 1, "startedAt": "2026-11-25T17:00:09Z"});
        let failed = step("FAILED", Some("2026-11-25T17:00:08Z"), "REJECTED");
        let text = told(json!({"steps": [failed, undoing]}));
        assert!(
            text.starts_with("Creating hello did not work, and is taken back: Undo role\n"),
            "{text}"
        );
        assert!(text.contains("Why it failed: The role cannot be assumed yet."), "{text}");
    }
}

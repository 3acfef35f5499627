//! The contract between the state machine and its steps.

use serde_json::json;

use super::*;

fn failure(error: &str, cause: &str) -> OperationError {
    let failure =
        Failure { step: "Ensure function".into(), error: error.into(), cause: cause.into() };
    failure.to_operation_error()
}

#[test]
fn a_steps_message_survives_its_way_through_the_state_machine() {
    let message = StepMessage {
        text: "Lambda refused CreateFunction: bad [layer]".into(),
        aws_error_code: Some("InvalidParameterValueException".into()),
        aws_request_id: Some("0d1f".into()),
    };
    assert_eq!(StepMessage::from(message.to_string().as_str()), message);

    let cause = json!({"errorType": "Formation.Rejected", "errorMessage": message.to_string()});
    let error = failure("Formation.Rejected", &cause.to_string());
    assert_eq!(error.code, "REJECTED");
    assert_eq!(error.message, message.text);
    assert_eq!(error.step, "Ensure function");
    assert_eq!(error.aws_error_code, message.aws_error_code);
    assert_eq!(error.aws_request_id, message.aws_request_id);
}

#[test]
fn a_message_without_aws_is_all_text() {
    for text in ["no brackets", "ends in ]", " [AWS error X]"] {
        let message = StepMessage::from(text);
        assert_eq!((message.text.as_str(), &message.aws_error_code), (text, &None));
    }
}

#[test]
fn errors_that_are_not_ours_show_their_name_and_nothing_of_their_text() {
    let cause = json!({"errorMessage": "panicked at TOKEN=s3cr3t"}).to_string();
    let error = failure("Runtime.ExitError", &cause);
    assert_eq!(error.code, "UNEXPECTED");
    assert!(error.message.contains("Runtime.ExitError"), "{}", error.message);
    assert!(!error.message.contains("s3cr3t"), "{}", error.message);
}

#[test]
fn a_timeout_needs_no_cause() {
    let failure = json!({"step": "Ensure role", "error": "States.Timeout"});
    let failure: Failure = serde_json::from_value(failure).unwrap();
    assert_eq!(failure.to_operation_error().code, "TIMED_OUT");
}

#[test]
fn whatever_ended_a_step_has_the_code_that_somebody_acts_on() {
    for (error, code) in [
        ("Lambda.TooManyRequestsException", "THROTTLED"),
        ("Lambda.ServiceException", "TRANSIENT"),
        ("Lambda.AWSLambdaException", "TRANSIENT"),
        ("Lambda.SdkClientException", "TRANSIENT"),
        ("Lambda.ClientExecutionTimeoutException", "TRANSIENT"),
        ("States.Timeout", "TIMED_OUT"),
        ("States.HeartbeatTimeout", "TIMED_OUT"),
        ("Sandbox.Timedout", "TIMED_OUT"),
        ("States.Permissions", "ACCESS_DENIED"),
        ("Lambda.AccessDeniedException", "ACCESS_DENIED"),
        ("Lambda.Unknown", "UNEXPECTED"),
        ("Lambda.ResourceNotFoundException", "UNEXPECTED"),
        ("Runtime.OutOfMemory", "UNEXPECTED"),
        ("States.TaskFailed", "UNEXPECTED"),
        ("States.QueryEvaluationError", "UNEXPECTED"),
    ] {
        let failure = failure(error, "TOKEN=s3cr3t");
        assert_eq!(failure.code, code, "{error}");
        assert!(failure.message.contains(error), "{error}: {}", failure.message);
        assert!(!failure.message.contains("s3cr3t"), "{error}: {}", failure.message);
    }
}

#[test]
fn every_failure_can_be_read_whatever_its_cause_looks_like() {
    let told = json!({"errorType": "Formation.Rejected", "errorMessage": "told"});
    for (cause, message) in [
        (json!(told.to_string()), "told"),
        (told, "told"),
        (json!("plain text"), "gave no reason"),
        (json!(""), "gave no reason"),
        (json!(null), "gave no reason"),
        (json!(["a", "list"]), "gave no reason"),
        (json!({"errorMessage": {"an": "object"}}), "gave no reason"),
    ] {
        let failure = json!({"step": "Ensure role", "error": "Formation.Rejected", "cause": cause});
        let failure: Failure = serde_json::from_value(failure).unwrap();
        let error = failure.to_operation_error();
        assert_eq!(error.code, "REJECTED", "{cause}");
        assert!(error.message.contains(message), "{cause}: {}", error.message);
    }
    let nameless: Failure = serde_json::from_value(json!({"step": "Ensure role"})).unwrap();
    assert_eq!(nameless.to_operation_error().code, "UNEXPECTED");
}

#[test]
fn every_part_is_among_all_of_them_once() {
    for part in Part::ALL {
        let place = match part {
            Part::Role => 0,
            Part::LogGroup => 1,
            Part::Function => 2,
            Part::Live => 3,
            Part::Triggers => 4,
        };
        assert_eq!(Part::ALL[place], part);
    }
}

#[test]
fn inputs_of_executions_are_byte_stable() {
    let input = ExecutionInput::new(
        OperationKind::Create,
        true,
        "hello".parse().unwrap(),
        "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        1,
    );
    assert_eq!(
        serde_json::to_string(&input).unwrap(),
        r#"{"v":1,"functionName":"hello","operationId":"01ARZ3NDEKTSV4RRFFQ69G5FAV","attempt":1,"lane":"ENSURE","recovery":"UNDO"}"#
    );
}

#[test]
fn an_attempt_that_was_taken_over_is_followed_by_one_that_goes_back() {
    let input = |kind, has_target, attempt| {
        let id = OperationId::generate();
        let input = ExecutionInput::new(kind, has_target, "hello".parse().unwrap(), id, attempt);
        (input.lane, input.recovery)
    };
    for (kind, has_target, first, second) in [
        (OperationKind::Create, true, Lane::Ensure, Lane::Recover),
        (OperationKind::Update, true, Lane::Ensure, Lane::Recover),
        (OperationKind::Rollback, true, Lane::Rollback, Lane::Recover),
        (OperationKind::Repair, true, Lane::Ensure, Lane::Recover),
        (OperationKind::Repair, false, Lane::Delete, Lane::Delete),
        (OperationKind::Delete, false, Lane::Delete, Lane::Delete),
    ] {
        assert_eq!(input(kind, has_target, 1).0, first, "{kind:?}");
        assert_eq!(input(kind, has_target, 2).0, second, "{kind:?}");
        assert_eq!(input(kind, has_target, 1).1, input(kind, has_target, 2).1, "{kind:?}");
    }
}

#[test]
fn an_input_tells_of_permissions_and_versions_only_where_they_matter() {
    let plain = ExecutionInput::new(
        OperationKind::Update,
        true,
        "hello".parse().unwrap(),
        "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        1,
    );
    assert!(!serde_json::to_string(&plain).unwrap().contains("false"));
    let (widens, unversioned) = (true, true);
    for (input, first) in [
        (plain.clone(), "Ensure role"),
        (ExecutionInput { widens, ..plain.clone() }, "Widen role"),
        (ExecutionInput { widens, unversioned, ..plain.clone() }, "Keep live"),
        (ExecutionInput { lane: Lane::Rollback, widens, ..plain.clone() }, "Return role"),
        (ExecutionInput { lane: Lane::Rollback, unversioned, ..plain.clone() }, "Keep live"),
        (ExecutionInput { attempt: 2, widens, ..plain.clone() }, "Restore live"),
    ] {
        assert_eq!(input.first_step(), first, "{input:?}");
        let text = serde_json::to_string(&input).unwrap();
        assert_eq!(serde_json::from_str::<ExecutionInput>(&text).unwrap(), input);
    }
}

#[test]
fn a_rollback_has_moved_its_callers_by_the_time_of_its_third_step() {
    for (state, has_moved) in [
        (FIRST_STATE, false),
        ("Return role", false),
        ("Return live", false),
        ("Ensure log group", true),
        ("Go live", true),
    ] {
        assert_eq!(Lane::Rollback.moves_first(state), has_moved, "{state}");
        assert!(!Lane::Ensure.moves_first(state), "{state}");
    }
}

#[test]
fn steps_ignore_fields_that_a_later_release_adds() {
    let input = json!({
        "v": 1, "functionName": "hello", "operationId": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "attempt": 2, "lane": "DELETE", "recovery": "NONE", "later": {"a": 1},
        "failure": {"step": "Remove role", "error": "E", "cause": "C"},
        "leftovers": ["ROLE", "LOG_GROUP"]
    });
    let input: StepInput = serde_json::from_value(input).unwrap();
    assert_eq!(input.execution.attempt, 2);
    assert_eq!(input.leftovers, [Part::Role, Part::LogGroup]);
}

//! Cancelling, reading and healing.

use formation_model::operation::{CANCELLED, INTERRUPTED, OperationError};
use formation_model::{OperationKind, OperationStatus, ProblemCode};
use serde_json::{Value, json};

use super::*;
use crate::caller::Caller;
use crate::executions::ExecutionEnd;
use crate::records::tests::{function, operation};
use crate::records::{ListFilter, LiveRecord};
use crate::tests::{Aws, MACHINE, available, cancelled};
use formation_model::{Drift, FunctionStatus};
use jiff::{SignedDuration, Timestamp};

const HISTORY: &str = "states:GetExecutionHistory";

/// An AWS that holds an operation, and its function while it runs.
fn aws_with(operation: &OperationRecord) -> Aws {
    let aws = Aws::default();
    aws.state().put_operation(operation);
    aws.state().put_function(&FunctionRecord {
        status: FunctionStatus::Updating,
        revision: 1,
        ..function(operation.operation_id)
    });
    aws
}

/// The execution has entered this state last.
fn is_at(aws: &Aws, state: &str) {
    let event = json!({
        "id": 1, "timestamp": 1.0, "type": "TaskStateEntered",
        "stateEnteredEventDetails": {"name": state},
    });
    aws.answer(HISTORY, 200, json!({"events": [event]}));
}

async fn cancel(aws: &Aws, operation: &OperationRecord) -> Result<Accepted, Refusal> {
    let (name, caller) = (&operation.function_name, Caller::new("bob"));
    aws.control().cancel(name, operation.operation_id, &caller).await
}

fn recorded(aws: &Aws, operation: &OperationRecord) -> Value {
    aws.operation(&operation.function_name, operation.operation_id)
}

#[tokio::test]
async fn an_operation_that_goes_forward_can_be_cancelled() {
    for kind in [OperationKind::Create, OperationKind::Update, OperationKind::Repair] {
        let seen = OperationRecord { kind, ..operation() };
        let aws = aws_with(&seen);
        is_at(&aws, "Ensure log group");
        let accepted = cancel(&aws, &seen).await.unwrap();
        assert_eq!(accepted.operation.operation_id, seen.operation_id);
        assert_eq!((accepted.version_tag, accepted.replayed), (None, false));
        let recorded = recorded(&aws, &seen);
        assert_eq!((&recorded["attempt"], &recorded["status"]), (&json!(2), &json!("RUNNING")));
        let reason = &recorded["interruption"];
        assert_eq!(reason["code"], CANCELLED);
        assert_eq!(
            (&reason["message"], &reason["step"]),
            (&json!("cancelled by bob"), &json!("Ensure log group"))
        );
        // The attempt that runs is stopped, and the next one goes back.
        assert_eq!(aws.calls("states:StopExecution"), 1);
        let name = OperationRecord { attempt: 2, ..seen.clone() }.execution_name();
        assert!(aws.executions()[&name].contains("\"RECOVER\""), "{:?}", aws.executions());
    }
}

#[tokio::test]
async fn a_rollback_can_be_cancelled_until_its_callers_have_moved() {
    let version = "1".parse().ok();
    let previous = operation().target;
    let with_version = OperationRecord {
        kind: OperationKind::Rollback,
        previous,
        target_version: version,
        live: LiveRecord { version, ..LiveRecord::default() },
        ..operation()
    };
    for (kept, state, is_accepted) in [
        (true, "Return role", true),
        (true, "Return live", true),
        (true, "Ensure log group", false),
        (true, "Ensure function", false),
        (true, "Go live", false),
        (true, "Narrow role", false),
        // Where nothing is kept it goes as an update does.
        (false, "Ensure function", true),
        (false, "Go live", true),
        (false, "Narrow role", false),
        (false, "Record success", false),
    ] {
        let target_version = version.filter(|_| kept);
        let seen = OperationRecord { target_version, ..with_version.clone() };
        let aws = aws_with(&seen);
        aws.answer("lambda:GetAlias", 200, json!({"FunctionVersion": "1"}));
        is_at(&aws, state);
        let cancelled = cancel(&aws, &seen).await;
        assert_eq!(cancelled.is_ok(), is_accepted, "{kept} {state}: {cancelled:?}");
    }
    // What was kept is gone, so that nobody has moved yet; then something was taken away that they had.
    for (only_forward, is_accepted) in [(false, true), (true, false)] {
        let seen = OperationRecord { only_forward, ..with_version.clone() };
        let aws = aws_with(&seen);
        aws.answer("lambda:GetAlias", 200, json!({"FunctionVersion": "2"}));
        is_at(&aws, "Ensure function");
        let cancelled = cancel(&aws, &seen).await;
        assert_eq!(cancelled.is_ok(), is_accepted, "{only_forward}: {cancelled:?}");
    }
}

#[tokio::test]
async fn an_operation_that_has_not_entered_a_step_can_be_cancelled() {
    let seen = operation();
    let aws = aws_with(&seen);
    cancel(&aws, &seen).await.unwrap();
    assert_eq!(recorded(&aws, &seen)["interruption"]["step"], "Ensure role");
}

#[tokio::test]
async fn what_does_not_go_forward_cannot_be_cancelled() {
    let interrupted = Some(OperationError { code: INTERRUPTED.into(), ..cancelled() });
    for (seen, why) in [
        (OperationRecord { status: OperationStatus::Succeeded, ..operation() }, "it has ended"),
        (OperationRecord { status: OperationStatus::Failed, ..operation() }, "it has ended"),
        (
            OperationRecord { kind: OperationKind::Delete, ..operation() },
            "a delete only goes forward",
        ),
        // To repair what was never available is to remove it.
        (
            OperationRecord { kind: OperationKind::Repair, target: None, ..operation() },
            "a delete only goes forward",
        ),
        (
            OperationRecord { attempt: 2, interruption: interrupted, ..operation() },
            "it was interrupted and goes back already",
        ),
    ] {
        let aws = aws_with(&seen);
        match cancel(&aws, &seen).await {
            Err(refusal @ Refusal::NotCancellable { reason, .. }) => {
                assert_eq!((reason, refusal.code()), (why, ProblemCode::NotCancellable));
            }
            other => panic!("{other:?}"),
        }
        assert!(aws.writes().is_empty(), "{:?}", aws.writes());
    }
}

#[tokio::test]
async fn what_goes_back_by_itself_or_has_come_to_its_outcome_cannot_be_cancelled() {
    for state in ["Let AWS settle", "Undo function", "Restore role", "Record success"] {
        let seen = operation();
        let aws = aws_with(&seen);
        is_at(&aws, state);
        let told = cancel(&aws, &seen).await;
        assert!(matches!(told, Err(Refusal::NotCancellable { .. })), "{state}: {told:?}");
        assert_eq!(recorded(&aws, &seen)["attempt"], 1);
    }
}

#[tokio::test]
async fn cancelling_again_starts_the_same_attempt() {
    let seen = OperationRecord { attempt: 2, interruption: Some(cancelled()), ..operation() };
    let aws = aws_with(&seen);
    cancel(&aws, &seen).await.unwrap();
    let recorded = recorded(&aws, &seen);
    assert_eq!(recorded["attempt"], 2);
    assert_eq!(recorded["interruption"]["message"], "cancelled by ann");
    assert_eq!(aws.writes(), ["states:StartExecution"]);
    assert!(aws.executions().contains_key(&seen.execution_name()));
}

#[tokio::test]
async fn a_cancel_that_comes_as_the_operation_ends_changes_nothing() {
    let seen = operation();
    let aws = aws_with(&seen);
    let ended = OperationRecord { status: OperationStatus::Succeeded, ..seen.clone() };
    aws.before("dynamodb:UpdateItem", move |state| state.put_operation(&ended));
    match cancel(&aws, &seen).await {
        Err(Refusal::NotCancellable { reason, .. }) => assert_eq!(reason, "it has just ended"),
        other => panic!("{other:?}"),
    }
    assert_eq!(recorded(&aws, &seen)["status"], "SUCCEEDED");
    assert!(aws.executions().is_empty());
}

#[tokio::test]
async fn two_cancels_at_once_are_one() {
    let seen = operation();
    let aws = aws_with(&seen);
    let first = OperationRecord { attempt: 2, interruption: Some(cancelled()), ..seen.clone() };
    aws.before("dynamodb:UpdateItem", move |state| state.put_operation(&first));
    cancel(&aws, &seen).await.unwrap();
    let recorded = recorded(&aws, &seen);
    assert_eq!(
        (&recorded["attempt"], &recorded["interruption"]["message"]),
        (&json!(2), &json!("cancelled by ann"))
    );
}

#[tokio::test]
async fn what_is_not_there_cannot_be_read_or_cancelled() {
    let control = Aws::default().control();
    let (name, id) = ("hello".parse().unwrap(), OperationId::generate());
    let told = control.function(&name).await;
    assert!(matches!(told, Err(Refusal::FunctionNotFound(_))), "{told:?}");
    let told = control.operations(&name, 10, None).await;
    assert!(matches!(told, Err(Refusal::FunctionNotFound(_))), "{told:?}");
    let told = control.operation(&name, id).await;
    assert!(matches!(told, Err(Refusal::OperationNotFound { .. })), "{told:?}");
    let told = control.cancel(&name, id, &Caller::new("bob")).await;
    assert!(matches!(told, Err(Refusal::OperationNotFound { .. })), "{told:?}");
    assert!(control.list(&ListFilter::default(), 10, None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_function_is_read_with_its_version_and_without_its_bundle() {
    let record = available();
    let aws = Aws::default();
    aws.state().put_function(&record);
    let (function, version_tag) = aws.control().function(&record.spec.function_name).await.unwrap();
    assert_eq!(version_tag, record.version_tag());
    assert_eq!(function.spec.code.sha256, record.spec.code.sha256);
    assert!(function.resources.function_arn.ends_with(":function:hello"));
    let page = aws.control().list(&ListFilter::default(), 10, None).await.unwrap();
    assert_eq!((page.items.len(), page.next_token), (1, None));
}

#[tokio::test]
async fn the_operations_of_a_function_that_was_deleted_are_remembered() {
    let ended = OperationRecord { status: OperationStatus::Succeeded, ..operation() };
    let aws = Aws::default();
    aws.state().put_operation(&ended);
    let page = aws.control().operations(&ended.function_name, 10, None).await.unwrap();
    assert_eq!(page.items[0].operation_id, ended.operation_id);
    let arn = format!("{MACHINE}:{}", ended.execution_name());
    assert_eq!(page.items[0].execution_arn, arn.replace(":stateMachine:", ":execution:"));
}

#[tokio::test]
async fn a_token_of_another_list_leads_nowhere() {
    let control = Aws::default().control();
    for token in ["", "e30", "bnVsbA"] {
        let told = control.list(&ListFilter::default(), 10, Some(token)).await;
        assert!(matches!(told, Err(Refusal::InvalidNextToken)), "{told:?}");
        let told = control.operations(&"hello".parse().unwrap(), 10, Some(token)).await;
        assert!(matches!(told, Err(Refusal::InvalidNextToken)), "{told:?}");
    }
}

fn aborted(at: Timestamp) -> ExecutionEnd {
    ExecutionEnd { status: "ABORTED".to_owned(), error: None, at }
}

#[tokio::test]
async fn an_operation_whose_first_execution_has_died_is_taken_over_at_once() {
    let seen = operation();
    let aws = aws_with(&seen);
    is_at(&aws, "Ensure function");
    assert!(aws.control().recover(&seen, &aborted(Timestamp::now())).await.unwrap());
    let recorded = recorded(&aws, &seen);
    assert_eq!(recorded["attempt"], 2);
    let reason = &recorded["interruption"];
    assert_eq!(
        (&reason["code"], &reason["step"]),
        (&json!(INTERRUPTED), &json!("Ensure function"))
    );
    assert!(reason["message"].as_str().unwrap().contains("attempt 1 ended as ABORTED"));
    assert_eq!(aws.executions().len(), 1);
}

#[tokio::test]
async fn later_recoveries_wait_for_longer_each_time() {
    let now = Timestamp::now();
    for (attempt, pause) in [(2, 60), (3, 120), (6, 960)] {
        let seen = OperationRecord { attempt, ..operation() };
        let aws = aws_with(&seen);
        assert!(aws.control().recover(&seen, &aborted(now)).await.unwrap());
        let recorded = recorded(&aws, &seen);
        assert_eq!(recorded["attempt"], attempt, "it is not taken over yet");
        assert_eq!(recorded["dueAt"], now.as_second() + pause);
        assert!(aws.executions().is_empty());

        let long_ago = now - SignedDuration::from_secs(pause + 1);
        assert!(aws.control().recover(&seen, &aborted(long_ago)).await.unwrap());
        assert_eq!(aws.operation(&seen.function_name, seen.operation_id)["attempt"], attempt + 1);
    }
}

#[tokio::test]
async fn what_has_ended_meanwhile_is_not_recovered() {
    let seen = operation();
    let aws = aws_with(&OperationRecord { status: OperationStatus::Failed, ..seen.clone() });
    assert!(!aws.control().recover(&seen, &aborted(Timestamp::now())).await.unwrap());
    assert!(aws.executions().is_empty());
}

#[tokio::test]
async fn a_failed_delete_is_finished_by_a_delete_and_everything_else_by_a_repair() {
    for (kind, healed_by) in [
        (OperationKind::Delete, OperationKind::Delete),
        (OperationKind::Update, OperationKind::Repair),
        (OperationKind::Create, OperationKind::Repair),
        (OperationKind::Repair, OperationKind::Repair),
    ] {
        let last = OperationRecord { kind, status: OperationStatus::Failed, ..operation() };
        let failed = FunctionRecord {
            status: FunctionStatus::Failed,
            revision: 1,
            failures: 3,
            ..function(last.operation_id)
        };
        let aws = Aws::default();
        aws.state().put_operation(&last);
        aws.state().put_function(&failed);
        let Ok(Decision::Accepted(accepted)) = aws.control().heal(&failed).await else {
            panic!("it is not healed")
        };
        assert_eq!(accepted.operation.kind, healed_by, "{kind:?}");
        assert_eq!(accepted.operation.requested_by, "formation:reconcile");
        let healing = aws.operation(&last.function_name, accepted.operation.operation_id);
        assert_eq!(healing["failures"], 3, "pauses go on to grow");
        // Twice at once is once.
        let again = aws.control().heal(&failed).await;
        assert!(matches!(again, Err(Refusal::OperationInProgress { .. })), "{again:?}");
    }
}

#[tokio::test]
async fn drift_is_recorded_only_of_what_is_as_it_was_compared() {
    let seen = available();
    let aws = Aws::default();
    aws.state().put_function(&seen);
    let (control, now) = (aws.control(), Timestamp::now());
    let drift = Drift::found(&[], now);
    assert!(control.record_drift(&seen, &drift, None, Some(now)).await.unwrap());
    let name = &seen.spec.function_name;
    assert_eq!(aws.function(name).unwrap()["drift"]["status"], "IN_SYNC");
    aws.set("FUNCTION", "hello", |item| item["operationId"] = json!(OperationId::generate()));
    assert!(!control.record_drift(&seen, &Drift::default(), None, Some(now)).await.unwrap());
    assert_eq!(aws.function(name).unwrap()["drift"]["status"], "IN_SYNC");
}

mod boundary {
    use formation_model::{FieldProblemCode, request};
    use serde_json::json;

    use super::*;
    use crate::tests::{DEFAULTS, ann, available, function_request};
    use crate::{Change, Refusal};

    fn statements(actions: &[&str]) -> Value {
        json!([{"actions": actions, "resources": ["*"]}])
    }

    fn create(actions: &[&str]) -> Change<'static> {
        let body = json!({
            "functionName": "fresh", "code": "x", "policyStatements": statements(actions)
        });
        Change::Create(Box::new(function_request(body)))
    }

    fn patch(patch: Value) -> Change<'static> {
        let edit = move |current: &_| Ok(request::patched(&patch, &DEFAULTS, current)?);
        Change::Update { name: "hello".parse().unwrap(), condition: None, edit: Box::new(edit) }
    }

    /// Where a refusal says that something is wrong, and what.
    fn told(refusal: Refusal) -> Vec<(String, String)> {
        let Refusal::InvalidFunction(problems) = refusal else { panic!("{refusal}") };
        let problems = problems.first().iter();
        let told = problems.map(|it| {
            assert_eq!(it.code, FieldProblemCode::NotSupported);
            (it.pointer.clone(), it.detail.clone())
        });
        told.collect()
    }

    #[tokio::test]
    async fn actions_that_the_boundary_cannot_allow_are_refused_at_their_places_by_both_verbs() {
        let aws = Aws::default();
        aws.state().boundary = Some(vec!["logs:*", "dynamodb:*Item"]);
        let wrong = ["dynamodb:PutItem", "s3:GetObject", "dynamodb:Query"];
        let control = aws.control();
        for refused in [
            control.accept(create(&wrong), &ann()).await.unwrap_err(),
            control.plan(create(&wrong), &ann().caller).await.unwrap_err(),
        ] {
            let told = told(refused);
            let places: Vec<_> = told.iter().map(|(place, _)| place.as_str()).collect();
            let expected = ["/policyStatements/0/actions/1", "/policyStatements/0/actions/2"];
            assert_eq!(places, expected);
            assert!(told[0].1.contains("allows dynamodb:*Item, logs:*"), "{told:?}");
        }
        assert_eq!(aws.writes(), [""; 0]);
        assert_eq!(aws.calls("iam:GetPolicyVersion"), 1, "it is kept");
        control.accept(create(&["dynamodb:P*", "*"]), &ann()).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_function_has_it_keeps() {
        let aws = Aws::default();
        let mut function = available();
        let has = serde_json::from_value(statements(&["s3:GetObject"])).unwrap();
        function.spec.permissions.policy_statements = has;
        aws.state().put_function(&function);
        aws.state().boundary = Some(vec!["logs:*"]);
        let control = aws.control();
        control.plan(patch(json!({"memoryMegabytes": 512})), &ann().caller).await.unwrap();
        assert_eq!(aws.calls("iam:GetPolicy"), 1, "only whether the boundary is there");
        let both = json!([statements(&["s3:GetObject"])[0], statements(&["sqs:*"])[0]]);
        let refused = control.plan(patch(json!({"policyStatements": both})), &ann().caller).await;
        assert_eq!(told(refused.unwrap_err())[0].0, "/policyStatements/1/actions/0");
        control.accept(patch(json!({"policyStatements": null})), &ann()).await.unwrap();
    }

    #[tokio::test]
    async fn tracing_that_the_boundary_cannot_allow_is_refused_and_what_is_traced_stays_so() {
        let aws = Aws::default();
        aws.state().put_function(&available());
        let control = aws.control();
        let active = || patch(json!({"tracing": "ACTIVE"}));
        for actions in [vec!["logs:*"], vec!["logs:*", "xray:PutTraceSegments"]] {
            // A boundary is kept for a minute.
            let control = aws.control();
            aws.state().boundary = Some(actions);
            for refused in [
                control.accept(active(), &ann()).await.unwrap_err(),
                control.plan(active(), &ann().caller).await.unwrap_err(),
            ] {
                let told = told(refused);
                assert_eq!(told[0].0, "/tracing");
                assert!(told[0].1.contains("xray:PutTelemetryRecords"), "{told:?}");
            }
        }
        assert_eq!(aws.writes(), [""; 0]);
        aws.state().boundary = Some(vec!["logs:*", "xray:Put*"]);
        control.plan(active(), &ann().caller).await.unwrap();

        let mut traced = available();
        traced.spec.configuration.tracing = formation_model::function::Tracing::Active;
        aws.state().put_function(&traced);
        aws.state().boundary = Some(vec!["logs:*"]);
        let other = patch(json!({"memoryMegabytes": 512}));
        aws.control().plan(other, &ann().caller).await.unwrap();
    }

    #[tokio::test]
    async fn a_boundary_that_is_gone_or_lets_no_function_log_is_told_of() {
        for (actions, expected) in
            [(Some(vec!["s3:*", "logs:PutLogEvents"]), "lacks"), (None, "gone")]
        {
            let aws = Aws::default();
            aws.state().put_function(&available());
            match actions {
                Some(actions) => aws.state().boundary = Some(actions),
                None => aws.state().boundary_is_gone = true,
            }
            let control = aws.control();
            let plain = json!({"functionName": "fresh", "code": "x"});
            let plain = Change::Create(Box::new(function_request(plain)));
            let change = json!({"policyStatements": statements(&["s3:GetObject"])});
            let is_gone = expected == "gone";
            for refused in [
                control.accept(plain, &ann()).await.unwrap_err(),
                control.accept(patch(change), &ann()).await.unwrap_err(),
            ] {
                let told = told(refused);
                assert_eq!(told[0].0, "/policyStatements");
                assert!(told[0].1.contains(expected), "{told:?}");
            }
            // Without it no role can be brought to its target, whatever is asked for.
            let repair = || Change::Repair { name: "hello".parse().unwrap(), condition: None };
            let memory = || patch(json!({"memoryMegabytes": 512}));
            if is_gone {
                for refused in [
                    control.accept(memory(), &ann()).await.unwrap_err(),
                    control.plan(memory(), &ann().caller).await.unwrap_err(),
                    control.accept(repair(), &ann()).await.unwrap_err(),
                    control.plan(repair(), &ann().caller).await.unwrap_err(),
                    control.heal(&available()).await.unwrap_err(),
                ] {
                    assert!(told(refused)[0].1.contains(expected));
                }
            }
            assert_eq!(aws.writes(), [""; 0]);
            let delete = Change::Delete { name: "hello".parse().unwrap(), condition: None };
            control.accept(if is_gone { delete } else { memory() }, &ann()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_boundary_that_may_not_be_read_is_told_of_and_nothing_new_is_accepted() {
        let aws = Aws::default();
        aws.state().put_function(&available());
        aws.state().boundary_is_denied = true;
        let control = aws.control();
        let told = told(control.accept(create(&["s3:*"]), &ann()).await.unwrap_err());
        assert!(told[0].1.contains("denies Formation to read"), "{told:?}");
        let about = control.function_boundary().await.unwrap();
        assert!(about.arn.is_some() && about.actions.is_empty());
        control.accept(patch(json!({"memoryMegabytes": 512})), &ann()).await.unwrap();
        assert_eq!(aws.calls("iam:GetPolicy"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn while_iam_cannot_be_asked_nothing_is_accepted() {
        let aws = Aws::default();
        aws.answer("iam:GetPolicy", 503, json!("busy"));
        let refused = aws.control().accept(create(&["s3:*"]), &ann()).await.unwrap_err();
        assert_eq!(refused.code(), ProblemCode::ServiceUnavailable);
        assert_eq!(aws.writes(), [""; 0]);
        let refused = aws.control().function_boundary().await.unwrap_err();
        assert_eq!(refused.code(), ProblemCode::ServiceUnavailable);
        assert!(refused.to_string().contains("boundary"), "{refused}");
    }
}

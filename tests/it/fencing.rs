//! One operation, more than one execution: in whichever order they act, one state comes out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use formation_model::{Operation, OperationStatus, Rollback};
use formation_tests::{Answer, Call, Fault, Rule, World};
use http::Method;
use serde_json::json;

use crate::moments::{Act, Clean, at_call, at_each};

/// How long a step is held in a call, so that a cancel surely comes before its answer: shorter than
/// the next attempt waits for it.
const HELD: Duration = Duration::from_millis(700);

/// Cancels once: the client would look again where it is refused.
async fn cancel(world: &World, operation: &Operation) -> Answer {
    let Operation { function_name, operation_id, .. } = operation;
    let path = format!("/v1/functions/{function_name}/operations/{operation_id}/cancel");
    world.api(Method::POST, &path, None).await
}

/// A second execution of the same attempt begins while the first is at its call `moment`.
async fn twin_at(world: &World, clean: &Clean, moment: usize) {
    let (name, act) = (world.name("twin"), clean.act);
    act.prepare(world, &name).await;
    let accepted = act.ask(world, &name).await;
    at_call(world, &name, &accepted, moment).await;
    let first =
        world.sfn.describe_execution().execution_arn(&accepted.execution_arn).send().await.unwrap();
    let start = world.sfn.start_execution().state_machine_arn(&world.stack.state_machine_arn);
    let twin = start.name(format!("{name}-twin")).set_input(first.input).send().await.unwrap();

    let (status, _) = world.ended_unseen(&accepted).await;
    assert_eq!(status, OperationStatus::Succeeded, "{act:?}, doubled at call {moment}");
    world
        .until("the twin has ended", async || {
            let twin = world.sfn.describe_execution().execution_arn(&twin.execution_arn);
            let status = twin.send().await.unwrap().status;
            (status != aws_sdk_sfn::types::ExecutionStatus::Running).then_some(())
        })
        .await;
    let told = format!("{act:?}, doubled at call {moment}");
    clean.check(world, &name, &told).await;
}

pub async fn two_executions_of_one_attempt_end_in_one_state(world: &World) {
    at_each(world, async |clean, moment| twin_at(world, clean, moment).await).await;
}

/// The call in which the last forward step of an operation is held, its first change or its last by
/// turns; a delete has none.
fn held_call(act: Act, moment: usize) -> Option<&'static str> {
    let calls = match act {
        Act::Create => ["lambda:CreateFunction", "lambda:PutFunctionConcurrency"],
        Act::Update => ["lambda:UpdateFunctionConfiguration", "lambda:DeleteFunctionConcurrency"],
        Act::Delete => return None,
    };
    Some(calls[moment % 2])
}

/// The operation is cancelled while its first attempt is at its call `moment`: the next attempt
/// begins while a step of the first may still act. Whether the cancel was accepted.
async fn cancel_at(world: &World, clean: &Clean, moment: usize) -> bool {
    let (name, act) = (world.name("cancelled"), clean.act);
    act.prepare(world, &name).await;
    let before = world.live(&name).await.facts();
    let held = held_call(act, moment);
    if let Some(held) = held {
        world.proxy.inject(Rule::new(held, &name, 1, Fault::Delay(HELD)));
    }
    let accepted = act.ask(world, &name).await;
    at_call(world, &name, &accepted, moment).await;
    let answer = cancel(world, &accepted).await;
    let answered = |held| world.proxy.calls(&name).iter().map(Call::name).any(|call| call == held);
    let in_time = held.is_some_and(|held| !answered(held));
    let (status, rollback) = world.ended_unseen(&accepted).await;
    let told = format!("{act:?}, cancelled at call {moment}: {status:?}, {answer:?}");
    match answer.status.as_u16() {
        202 => {
            // Its callers had moved by then: it only went forward.
            if status == OperationStatus::Succeeded {
                assert_eq!(act, Act::Update, "{told}");
                clean.check(world, &name, &told).await;
                return true;
            }
            let undone = (OperationStatus::Failed, Rollback::Complete);
            assert_eq!((status, rollback), undone, "{told}");
            assert_eq!(world.live(&name).await.facts(), before, "{told}");
            let item = world.operation_item(&accepted).await;
            let error = item["error"].as_m().unwrap();
            assert_eq!(error["code"].as_s().unwrap(), "CANCELLED", "{told}");
            assert!(!error["step"].as_s().unwrap().is_empty(), "{told}");
        }
        // Too late, or a delete.
        409 => {
            assert!(!in_time, "{told}");
            assert_eq!(answer.json()["code"], "NOT_CANCELLABLE", "{told}");
            assert_eq!(status, OperationStatus::Succeeded, "{told}");
            clean.check(world, &name, &told).await;
        }
        _ => panic!("{told}"),
    }
    answer.status == 202
}

pub async fn an_operation_that_is_cancelled_at_any_moment_ends_in_one_state(world: &World) {
    let [creates, updates, deletes] = [const { AtomicUsize::new(0) }; 3];
    let try_one = async |clean: &Clean, moment| {
        let accepted = match clean.act {
            Act::Create => &creates,
            Act::Update => &updates,
            Act::Delete => &deletes,
        };
        let cancelled = cancel_at(world, clean, moment).await;
        accepted.fetch_add(cancelled.into(), Ordering::Relaxed);
    };
    at_each(world, try_one).await;
    // Those of the first moments at least come before the call in which the step is held.
    let accepted = [creates, updates, deletes].map(AtomicUsize::into_inner);
    assert!(accepted[0] >= 3 && accepted[1] >= 3, "{accepted:?}");
    assert_eq!(accepted[2], 0, "a delete only goes forward");
}

pub async fn a_cancelled_create_is_undone_and_says_so(world: &World) {
    let name = world.name("called-off");
    let hold = Fault::Refuse(
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    );
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1000, hold));
    let accepted = world.ask_for(&name, json!({})).await;
    let operation: Operation = accepted.read();
    at_call(world, &name, &operation, 6).await;
    let cancel_path = format!("{}/cancel", accepted.header("operation-location"));
    let cancelled = world.api(Method::POST, &cancel_path, None).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    assert_eq!(cancelled.header("operation-location"), accepted.header("operation-location"));
    // Again, while it goes back.
    assert_eq!(world.api(Method::POST, &cancel_path, None).await.status, 202);

    let ended = world.ended(&accepted).await;
    assert_eq!(ended.status, OperationStatus::Failed);
    assert_eq!(ended.rollback, Rollback::Complete);
    assert!(ended.is_cancelled(), "{ended:#?}");
    let message = &ended.error.as_ref().unwrap().message;
    assert!(message.contains(":root"), "{message}");
    assert!(world.live(&name).await.parts().is_empty());
    let again = world.api(Method::POST, &cancel_path, None).await;
    assert_eq!((again.status.as_u16(), &again.json()["code"]), (409, &json!("NOT_CANCELLABLE")));
}

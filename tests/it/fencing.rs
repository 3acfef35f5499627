//! One operation, more than one execution: in whichever order they act, one state comes out.

use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

use crate::moments::{Act, at_call, at_each_of};

const MOMENTS: usize = 16;

fn cancel_path(operation: &Value) -> String {
    let text = |name: &str| operation[name].as_str().unwrap();
    format!("/v1/functions/{}/operations/{}/cancel", text("functionName"), text("operationId"))
}

/// A second execution of the same attempt begins while the first is at its call `moment`.
async fn twin_at(world: &World, act: Act, moment: usize) {
    let name = world.name("twin");
    act.prepare(world, &name).await;
    let accepted = act.ask(world, &name).await;
    at_call(world, &name, &accepted, moment).await;
    let arn = accepted["executionArn"].as_str().unwrap();
    let first = world.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
    let start = world.sfn.start_execution().state_machine_arn(&world.stack.state_machine_arn);
    let twin = start.name(format!("{name}-twin")).set_input(first.input).send().await.unwrap();

    let (status, _) = world.ended_unseen(&accepted).await;
    assert_eq!(status, "SUCCEEDED", "{act:?}, doubled at call {moment}");
    world
        .until("the twin has ended", async || {
            let twin = world.sfn.describe_execution().execution_arn(&twin.execution_arn);
            let status = twin.send().await.unwrap().status;
            (status != aws_sdk_sfn::types::ExecutionStatus::Running).then_some(())
        })
        .await;
    let told = format!("{act:?}, doubled at call {moment}");
    act.check(&world.live(&name).await.facts(), &told);
}

pub async fn two_executions_of_one_attempt_end_in_one_state(world: &World) {
    at_each_of(MOMENTS, async |act, moment| twin_at(world, act, moment).await).await;
}

/// The operation is cancelled while its first attempt is at its call `moment`: the next attempt
/// begins while a step of the first may still act.
async fn cancel_at(world: &World, act: Act, moment: usize) {
    let name = world.name("cancelled");
    act.prepare(world, &name).await;
    let before = world.live(&name).await.facts();
    let accepted = act.ask(world, &name).await;
    at_call(world, &name, &accepted, moment).await;
    let answer = world.api(Method::POST, &cancel_path(&accepted), None).await;
    let (status, rollback) = world.ended_unseen(&accepted).await;
    let after = world.live(&name).await.facts();
    let told = format!("{act:?}, cancelled at call {moment}: {status}, {}", answer.json());
    match answer.status.as_u16() {
        202 => {
            assert_eq!((status.as_str(), rollback.as_str()), ("FAILED", "COMPLETE"), "{told}");
            assert_eq!(after, before, "{told}");
        }
        // Too late, or a delete.
        409 => {
            assert_eq!(answer.json()["code"], "NOT_CANCELLABLE", "{told}");
            assert_eq!(status, "SUCCEEDED", "{told}");
            act.check(&after, &told);
        }
        _ => panic!("{told}"),
    }
}

pub async fn an_operation_that_is_cancelled_at_any_moment_ends_in_one_state(world: &World) {
    at_each_of(MOMENTS, async |act, moment| cancel_at(world, act, moment).await).await;
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
    let operation = accepted.json();
    at_call(world, &name, &operation, 6).await;
    let cancelled = world.api(Method::POST, &cancel_path(&operation), None).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.json());
    assert_eq!(cancelled.header("operation-location"), accepted.header("operation-location"));
    // Again, while it goes back.
    assert_eq!(world.api(Method::POST, &cancel_path(&operation), None).await.status, 202);

    let ended = world.ended(&accepted).await;
    assert_eq!((&ended["status"], &ended["rollback"]), (&json!("FAILED"), &json!("COMPLETE")));
    assert_eq!(ended["error"]["code"], "CANCELLED");
    let message = ended["error"]["message"].as_str().unwrap();
    assert!(message.contains(":root"), "{message}");
    assert!(world.live(&name).await.parts().is_empty());
    let again = world.api(Method::POST, &cancel_path(&operation), None).await;
    assert_eq!((again.status.as_u16(), &again.json()["code"]), (409, &json!("NOT_CANCELLABLE")));
}

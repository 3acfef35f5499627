//! Every step can be repeated: after a lost answer, by a second invocation, and by an attempt that
//! is not current any more.

use std::collections::BTreeSet;

use formation_model::{Operation, OperationStatus};
use formation_tests::rows::{examples, without_examples};
use formation_tests::{Call, Fault, Rule, World};
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use crate::requests::OTHER_CODE;

/// The life of a function: it is made with all that a function can have, which is taken away before it
/// is deleted. What AWS holds after each; `told` stands beside what is not as it should be.
async fn life(world: &World, name: &str, told: &str) -> [Value; 3] {
    let succeeded = |operation: &Operation| {
        assert_eq!(operation.status, OperationStatus::Succeeded, "{told}: {operation:#?}");
    };
    succeeded(&world.create(name, examples(|_| true)).await);
    let made = world.facts(name).await;
    let mut patch = without_examples(name);
    patch["code"] = json!(OTHER_CODE);
    succeeded(&world.patch(name, patch).await);
    let changed = world.facts(name).await;
    succeeded(&world.delete(name).await);
    [made, changed, world.facts(name).await]
}

pub async fn an_answer_lost_by_any_call_of_a_functions_life_is_made_good(world: &World) {
    let name = world.name("clean");
    let clean = life(world, &name, "nothing is lost").await;
    let calls = world.proxy.calls(&name);
    assert!(
        calls.iter().all(|call| call
            .status
            .is_some_and(|status| status < StatusCode::INTERNAL_SERVER_ERROR))
    );
    let calls: BTreeSet<_> = calls.iter().map(Call::name).collect();
    for call in ["PutFunctionConcurrency", "DeleteFunctionConcurrency", "UpdateFunctionCode"] {
        assert!(calls.contains(&format!("lambda:{call}")), "the proxy sees too little: {calls:?}");
    }
    let all = calls.into_iter().map(async |call| {
        let name = world.name("lost");
        world.proxy.inject(Rule::new(&call, &name, 2, Fault::LoseAnswer));
        assert_eq!(life(world, &name, &call).await, clean, "{call}");
        assert!(world.proxy.is_spent(&name), "{call}");
    });
    join_all(all).await;
}

/// The input of the state that `operation` entered, as its execution had it.
async fn step_input(world: &World, operation: &Operation, state: &str) -> Value {
    let arn = &operation.execution_arn;
    let mut history =
        world.sfn.get_execution_history().execution_arn(arn).into_paginator().items().send();
    while let Some(event) = history.next().await {
        if let Some(details) = event.unwrap().state_entered_event_details
            && details.name == state
        {
            return serde_json::from_str(details.input.as_deref().unwrap()).unwrap();
        }
    }
    panic!("{state} was not entered");
}

pub async fn a_step_that_runs_twice_writes_once_and_answers_the_same(world: &World) {
    let name = world.name("twice");
    // Held in its last step, so that the operation still runs.
    world.proxy.inject(Rule {
        call: "dynamodb:TransactWriteItems".to_owned(),
        function: name.clone(),
        skip: 1,
        times: usize::MAX,
        fault: Fault::Throttle,
    });
    let accepted = world.ask_for(&name, examples(|_| true)).await;
    assert_eq!(accepted.status, 202);
    world
        .until("its last step has begun", async || {
            let calls = world.proxy.calls(&name);
            let held = calls.iter().filter(|call| call.operation == "TransactWriteItems");
            (held.count() > 1).then_some(())
        })
        .await;

    let input = step_input(world, &accepted.read(), "Ensure role").await;
    for step in ["EnsureRole", "EnsureLogGroup", "EnsureFunction", "GoLive"] {
        let lambda = world.lambda_name(&format!("{step}Function")).await;
        let first = world.invoke(&lambda, &input).await.unwrap();
        let before = world.proxy.calls(&name).len();
        let second = world.invoke(&lambda, &input).await.unwrap();
        assert_eq!(first, second, "{step}");
        let calls = world.proxy.calls(&name).split_off(before);
        let succeeded: Vec<_> = calls
            .iter()
            .filter(|call| call.changes_a_part())
            .filter(|call| call.status.is_some_and(|status| status.is_success()))
            .map(Call::name)
            .collect();
        assert!(succeeded.is_empty(), "{step} wrote again: {succeeded:?}");
    }
    world.proxy.release(&name);
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);

    // The record, too: the same outcome again is the same answer.
    let lambda = world.lambda_name("RecordSuccessFunction").await;
    let again = world.invoke(&lambda, &input).await.unwrap();
    assert_eq!(again["status"], "SUCCEEDED");
    assert_eq!(again["operationId"], accepted.json()["operationId"]);
}

pub async fn a_superseded_attempt_does_nothing(world: &World) {
    let name = world.name("superseded");
    let operation = world.create(&name, json!({})).await;
    let mut input = step_input(world, &operation, "Ensure role").await;
    let steps = [
        "EnsureRole",
        "EnsureLogGroup",
        "EnsureFunction",
        "GoLive",
        "RemoveFunction",
        "RemoveRole",
        "RemoveLogGroup",
        "RecordSuccess",
        "RecordFailure",
    ];
    // An attempt that was never current, and one whose operation has ended.
    for (attempt, steps) in [(2, &steps[..]), (1, &steps[..7]), (1, &steps[8..])] {
        input["attempt"] = json!(attempt);
        for step in steps {
            let before = world.proxy.calls(&name).len();
            let lambda = world.lambda_name(&format!("{step}Function")).await;
            let error = world.invoke(&lambda, &input).await.unwrap_err().to_string();
            assert!(error.contains("Formation.Superseded"), "{step}: {error}");
            let calls = world.proxy.calls(&name).split_off(before);
            assert!(calls.iter().all(|call| call.operation == "GetItem"), "{step}: {calls:?}");
        }
    }
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);
}

//! Every step can be repeated: after a lost answer, by a second invocation, and by an attempt that
//! is not current any more.

use formation_model::{Operation, OperationStatus};
use formation_tests::{Call, Fault, Rule, World};
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

/// What the steps of a clean create and delete call, each once.
async fn calls_of_a_clean_run(world: &World) -> Vec<String> {
    let name = world.name("clean");
    world.create(&name, json!({})).await;
    world.delete(&name).await;
    let calls = world.proxy.calls(&name);
    assert!(
        calls.iter().all(|call| call
            .status
            .is_some_and(|status| status < StatusCode::INTERNAL_SERVER_ERROR))
    );
    let mut names: Vec<_> = calls.iter().map(Call::name).collect();
    names.sort();
    names.dedup();
    names
}

pub async fn an_answer_lost_by_any_call_of_a_create_or_delete_is_made_good(world: &World) {
    let calls = calls_of_a_clean_run(world).await;
    assert!(calls.len() >= 14, "the proxy sees too little: {calls:?}");
    let all = calls.into_iter().map(async |call| {
        let name = world.name("lost");
        let rule = Rule::new(&call, &name, 2, Fault::LoseAnswer);
        world.proxy.inject(rule);
        let created = world.create(&name, json!({})).await;
        assert_eq!(created.status, OperationStatus::Succeeded, "{call}: {created:#?}");
        assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"], "{call}");
        let deleted = world.delete(&name).await;
        assert_eq!(deleted.status, OperationStatus::Succeeded, "{call}: {deleted:#?}");
        assert!(world.live(&name).await.parts().is_empty(), "{call}");
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
    let accepted = world.ask_for(&name, json!({})).await;
    assert_eq!(accepted.status, 202);
    world
        .until("the function is there", async || {
            let live = world.live(&name).await;
            (live.parts().len() == 3).then_some(())
        })
        .await;

    let input = step_input(world, &accepted.read(), "Ensure role").await;
    for step in ["EnsureRole", "EnsureLogGroup", "EnsureFunction"] {
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
        "RemoveFunction",
        "RemoveRole",
        "RemoveLogGroup",
        "RecordSuccess",
        "RecordFailure",
    ];
    // An attempt that was never current, and one whose operation has ended.
    for (attempt, steps) in [(2, &steps[..]), (1, &steps[..6]), (1, &steps[7..])] {
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

//! Waiting for outcomes.

use std::time::Duration;

use formation_client::{Client, ClientError, Retries};
use formation_model::{FunctionName, OperationStatus};
use futures_util::TryStreamExt;
use serde_json::json;

use crate::stub::{ID, Reply, Stub, answer, credentials, operation, problem};

fn name() -> FunctionName {
    "hello".parse().unwrap()
}

#[tokio::test]
async fn an_operation_is_watched_to_its_end() {
    let stub = Stub::start(|before, seen| {
        assert!(seen.target.ends_with("?steps=true"), "{}", seen.target);
        let mut running = operation("RUNNING");
        let step = json!({
            "name": "Ensure role", "status": "RUNNING", "attempts": 1,
            "startedAt": "2026-11-25T17:00:00Z",
        });
        running["steps"] = json!([step]);
        match before {
            0 | 1 => answer(200, &[], &operation("RUNNING")),
            2 => Reply::Lost,
            3 => answer(200, &[], &running),
            _ => answer(200, &[], &operation("SUCCEEDED")),
        }
    })
    .await;
    let client = stub.client();
    let watched = client.watch(name(), ID.parse().unwrap());
    let seen: Vec<_> = watched.try_collect().await.unwrap();
    let steps: Vec<_> = seen.iter().map(|operation| operation.steps.is_some()).collect();
    assert_eq!(steps, [false, true, false]);
    assert!(seen[2].status == OperationStatus::Succeeded);
}

#[tokio::test]
async fn what_cannot_be_found_is_not_waited_for() {
    let stub = Stub::start(|_, _| answer(404, &[], &problem(404, "OPERATION_NOT_FOUND"))).await;
    let patience = Duration::from_secs(600);
    let waited = stub.client().wait_for(&name(), ID.parse().unwrap(), patience).await;
    assert!(matches!(waited, Err(ClientError::Problem { .. })), "{waited:?}");
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn silence_does_not_outlast_patience() {
    let stub = Stub::start(|before, _| match before {
        0 => answer(200, &[], &operation("RUNNING")),
        _ => Reply::Silence,
    })
    .await;
    let patience = Duration::from_millis(400);
    let waited = stub.client().wait_for(&name(), ID.parse().unwrap(), patience).await;
    assert!(matches!(waited, Err(ClientError::StillRunning(_))), "{waited:?}");
}

#[tokio::test]
async fn patience_may_be_without_end() {
    let stub = Stub::start(|before, seen| match (before, seen.method.as_str()) {
        (0, _) => Reply::Lost,
        (_, "DELETE") => answer(202, &[], &operation("RUNNING")),
        (2, _) => answer(200, &[], &operation("RUNNING")),
        _ => answer(200, &[], &operation("SUCCEEDED")),
    })
    .await;
    let without_end = Duration::MAX;
    let retries = Retries {
        tries: u32::MAX,
        first_pause: Duration::from_millis(1),
        longest_pause: without_end,
        total: without_end,
    };
    let client = stub.builder().timeout(without_end).retries(retries).build().unwrap();
    client.delete(&name()).wait(without_end).await.unwrap();
    let ended = client.wait_for(&name(), ID.parse().unwrap(), without_end).await.unwrap();
    assert!(ended.status == OperationStatus::Succeeded);
    assert_eq!(stub.seen().len(), 4);
}

/// Nothing is sent: what counts is that it compiles.
#[test]
fn what_is_awaited_can_be_spawned() {
    fn spawned<T: Send + 'static>(_: T) {}
    let builder = Client::builder("http://localhost:1", "eu-central-1", credentials("AKID"));
    let client = builder.given_explicitly().build().unwrap();
    let own = client.clone();
    spawned(async move {
        let patience = Duration::from_secs(1);
        let _ended = own.wait_for(&name(), ID.parse().unwrap(), patience).await;
        let _changed = own.delete(&name()).await;
        let _described = own.describe(&name()).await;
        let _listed: Result<Vec<_>, _> = own.operations(name()).try_collect().await;
    });
    spawned(client.watch(name(), ID.parse().unwrap()));
}

//! Repeated requests: whoever repeats one under its key acts once.

use std::collections::BTreeSet;

use formation_model::OperationStatus;
use formation_tests::{Fault, Rule, World};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::requests::{FUNCTIONS, hello, path, send};

pub async fn a_request_that_is_repeated_under_its_key_acts_once(world: &World) {
    let name = world.name("keyed");
    let key = format!("key-{name}");
    let keyed = [("idempotency-key", key.as_str())];
    let first = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    assert_eq!(first.status, 202, "{}", first.json());
    assert_eq!(first.header("idempotency-replayed"), "");

    let replay = async || send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    for moment in ["while it runs", "when it has ended"] {
        let again = replay().await;
        assert_eq!(again.status, 202, "{moment}: {}", again.json());
        assert_eq!(again.header("idempotency-replayed"), "true", "{moment}");
        for header in ["location", "operation-location", "etag"] {
            assert_eq!(again.header(header), first.header(header), "{moment}: {header}");
        }
        assert_eq!(again.json()["operationId"], first.json()["operationId"], "{moment}");
        world.ended(&first).await;
    }
    assert_eq!(replay().await.json()["status"], "SUCCEEDED", "as it is now");

    // How long the answer is waited for is no part of the request.
    let waiting = format!("{FUNCTIONS}?wait=1");
    let again = send(world, Method::POST, &waiting, &keyed, &hello(&name)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));

    // Another spelling of the same document is the same request; another document is not.
    let spelled = format!(
        "{{\"code\" : {}, \n\"functionName\": \"{name}\"}}",
        json!(formation_tests::world::EXAMPLE_CODE)
    );
    let again = world.api_raw(Method::POST, FUNCTIONS, &keyed, spelled).await;
    assert_eq!(again.header("idempotency-replayed"), "true", "{}", again.json());
    let mut other = hello(&name);
    other["memoryMegabytes"] = json!(256);
    let refused = send(world, Method::POST, FUNCTIONS, &keyed, &other).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["code"], "IDEMPOTENCY_KEY_REUSED");
    let refused = send(world, Method::DELETE, &path(&name), &keyed, &Value::Null).await;
    assert_eq!(refused.json()["code"], "IDEMPOTENCY_KEY_REUSED");

    // The same with changes of what exists, also when it is gone.
    let key = format!("delete-{name}");
    let keyed = [("idempotency-key", key.as_str())];
    let deleted = send(world, Method::DELETE, &path(&name), &keyed, &Value::Null).await;
    assert_eq!(deleted.status, 202, "{}", deleted.json());
    world.ended(&deleted).await;
    let again = send(world, Method::DELETE, &path(&name), &keyed, &Value::Null).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(again.json()["operationId"], deleted.json()["operationId"]);
}

pub async fn a_failed_request_is_replayed_as_it_failed(world: &World) {
    let name = world.name("keyed-failure");
    let refusal = Fault::Refuse(400, "InvalidParameterValueException", "no");
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refusal));
    let key = format!("key-{name}");
    let keyed = [("idempotency-key", key.as_str())];
    let first = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    assert_eq!(world.ended(&first).await.status, OperationStatus::Failed);
    let again = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(again.json()["status"], "FAILED");
    assert_eq!(again.json()["operationId"], first.json()["operationId"]);
}

pub async fn a_request_that_changed_nothing_changes_nothing_when_repeated(world: &World) {
    let name = world.name("keyed-same");
    world.create(&name, json!({})).await;
    let key = format!("key-{name}");
    let keyed = [("idempotency-key", key.as_str())];
    let same = json!({"memoryMegabytes": 128});
    let first = send(world, Method::PATCH, &path(&name), &keyed, &same).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (200, ""));

    // Somebody else's change in between stays.
    let other = json!({"memoryMegabytes": 256});
    let changed = send(world, Method::PATCH, &path(&name), &[], &other).await;
    assert_eq!(world.ended(&changed).await.status, OperationStatus::Succeeded);
    let again = send(world, Method::PATCH, &path(&name), &keyed, &same).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, "true"));
    assert_eq!(again.json()["memoryMegabytes"], 256, "as it is now");
    assert_eq!(again.header("etag"), changed.header("etag"));
    let reused = send(world, Method::PATCH, &path(&name), &keyed, &other).await;
    assert_eq!(reused.json()["code"], "IDEMPOTENCY_KEY_REUSED");
}

pub async fn a_request_that_is_repeated_starts_what_was_not_started(world: &World) {
    let name = world.name("repeated");
    world.proxy.inject(Rule::new("dynamodb:TransactWriteItems", &name, 1, Fault::Kill));
    let key = format!("key-{name}");
    let keyed = [("idempotency-key", key.as_str())];
    let answer = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    let again = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(world.ended(&again).await.status, OperationStatus::Succeeded);
}

pub async fn simultaneous_requests_under_one_key_are_one_operation(world: &World) {
    let name = world.name("keyed-race");
    let key = format!("key-{name}");
    let keyed = [("idempotency-key", key.as_str())];
    let body = hello(&name);
    let all = (0..8).map(|_| send(world, Method::POST, FUNCTIONS, &keyed, &body));
    let answers = join_all(all).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    let ids: BTreeSet<_> =
        answers.iter().map(|answer| answer.json()["operationId"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    let replayed = answers.iter().filter(|it| it.header("idempotency-replayed") == "true").count();
    assert_eq!(replayed, 7);
    assert_eq!(world.ended(&answers[0]).await.status, OperationStatus::Succeeded);
    assert!(
        world.bundle_states(&name).await.iter().filter(|state| *state == "kept").count() == 1,
        "one bundle is kept"
    );
}

pub async fn a_key_is_forgotten_when_it_has_expired(world: &World) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let name = world.name("keyed-expired");
    let key = format!("key-{name}");
    let keyed = [("idempotency-key", key.as_str())];
    let first = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    world.ended(&first).await;
    let id = first.json()["operationId"].as_str().unwrap().to_owned();
    let found = world
        .dynamodb
        .scan()
        .table_name(&world.stack.table_name)
        .filter_expression("sk = :sk AND operationId = :id")
        .expression_attribute_values(":sk", AttributeValue::S("IDEMPOTENCY".to_owned()))
        .expression_attribute_values(":id", AttributeValue::S(id))
        .send()
        .await
        .unwrap();
    let item = &found.items()[0];
    assert!(!item["pk"].as_s().unwrap().contains(&key), "keys are not stored as they are");
    // DynamoDB removes what has expired days late: here it never does.
    world
        .dynamodb
        .update_item()
        .table_name(&world.stack.table_name)
        .key("pk", item["pk"].clone())
        .key("sk", item["sk"].clone())
        .update_expression("SET expiresAt = :past")
        .expression_attribute_values(":past", AttributeValue::N("1000".to_owned()))
        .send()
        .await
        .unwrap();
    let again = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    assert_eq!((again.status.as_u16(), &again.json()["code"]), (409, &json!("FUNCTION_EXISTS")));
    world.delete(&name).await;
    let again = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, ""));
}

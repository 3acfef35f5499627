//! The second door: requests by event, and what is announced.

use formation_model::step::Announcement;
use formation_model::{OperationKind, OperationStatus, Rollback};
use formation_tests::{Fault, Rule, World};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

fn create(name: &str) -> Value {
    let code = formation_tests::world::EXAMPLE_CODE;
    json!({"kind": "CREATE", "function": {"functionName": name, "code": code}})
}

/// The announcement that answers the event of that id.
async fn answer(world: &World, event_id: &str) -> Value {
    let answers = |event: &Value| event["detail"]["idempotencyKey"] == event_id;
    world.announced("the request is answered", answers).await
}

pub async fn a_function_lives_by_events(world: &World) {
    let name = world.name("by-event");
    let id = world.put_request(create(&name)).await;
    let created = answer(world, &id).await;
    assert_eq!(created["source"], "formation");
    assert_eq!(created["detail-type"], "Formation Operation Status Change");
    let detail: Announcement = serde_json::from_value(created["detail"].clone()).unwrap();
    assert_eq!(detail.status, OperationStatus::Succeeded, "{created:#}");
    assert_eq!(detail.kind, OperationKind::Create);
    assert_eq!(detail.rollback, Rollback::NotNeeded);
    assert_eq!((detail.function_name.as_str(), detail.revision), (name.as_str(), 1));
    let operation = world.client.operation(&detail.function_name, detail.operation_id).await;
    let requester = format!("event:{}:acme.builds", world.stack.account_id);
    assert_eq!(operation.unwrap().requested_by, requester);

    let patch = json!({"functionName": name, "memoryMegabytes": 256});
    let id = world.put_request(json!({"kind": "UPDATE", "function": patch})).await;
    let updated = answer(world, &id).await;
    assert_eq!(
        (&updated["detail"]["status"], &updated["detail"]["revision"]),
        (&json!("SUCCEEDED"), &json!(2))
    );
    assert_eq!(world.function(&name).await.spec.configuration.memory_megabytes, 256);
    // Again: nothing changes, which is an answer, too.
    let id = world.put_request(json!({"kind": "UPDATE", "function": patch})).await;
    assert_eq!(answer(world, &id).await["detail"]["status"], "UNCHANGED");

    let delete = json!({"kind": "DELETE", "function": {"functionName": name}});
    let id = world.put_request(delete).await;
    assert_eq!(answer(world, &id).await["detail"]["status"], "SUCCEEDED");
    assert!(world.live(&name).await.parts().is_empty());
}

/// Puts a message into the queue, and answers its id.
async fn deliver(world: &World, body: String) -> String {
    let queues = world.sqs.list_queues().send().await.unwrap().queue_urls.unwrap();
    let queue = queues.into_iter().find(|url| url.contains("RequestQueue")).unwrap();
    let sent = world.sqs.send_message().queue_url(queue).message_body(body).send().await.unwrap();
    sent.message_id.unwrap()
}

fn event(id: &str, source: &str, detail: Value) -> String {
    json!({
        "version": "0", "id": id, "source": source, "account": "111122223333",
        "detail-type": "Formation Operation Request", "detail": detail
    })
    .to_string()
}

pub async fn an_event_that_is_delivered_twice_acts_once(world: &World) {
    let name = world.name("twice-told");
    let id = format!("event-{name}");
    for _ in 0..3 {
        deliver(world, event(&id, "acme.builds", create(&name))).await;
    }
    let created = answer(world, &id).await;
    assert_eq!(created["detail"]["status"], "SUCCEEDED");
    // Late, after everything has ended.
    deliver(world, event(&id, "acme.builds", create(&name))).await;
    let marker = world.put_request(json!({"kind": "DELETE", "function": {"functionName": name}}));
    let marker = marker.await;
    assert_eq!(answer(world, &marker).await["detail"]["status"], "SUCCEEDED");
    let operations = world.client.operations(name.parse().unwrap());
    let kinds: Vec<_> = operations.map_ok(|it| it.kind).try_collect().await.unwrap();
    assert_eq!(kinds, [OperationKind::Delete, OperationKind::Create]);
    let rejected = world.count_announced(|event| {
        event["detail"]["idempotencyKey"] == id && event["detail"]["status"] == "REJECTED"
    });
    assert_eq!(rejected, 0);
}

pub async fn a_request_that_cannot_be_accepted_is_announced_with_the_problem(world: &World) {
    let name = world.name("refused-event");
    for (detail, code, pointer) in [
        (json!({"kind": "DELETE", "function": {"functionName": name}}), "FUNCTION_NOT_FOUND", None),
        (
            json!({"kind": "CREATE", "function": {"functionName": name, "code": "x", "memoryMegabytes": 1}}),
            "INVALID_FUNCTION",
            Some("/memoryMegabytes"),
        ),
        (json!({"kind": "EXPLODE", "function": {}}), "INVALID_FUNCTION", Some("/kind")),
        (json!({"kind": "UPDATE", "function": {}}), "INVALID_FUNCTION", Some("/functionName")),
        (json!({"kind": "CREATE"}), "INVALID_FUNCTION", Some("/function")),
        (
            json!({"kind": "DELETE", "function": {"functionName": name, "force": true}}),
            "INVALID_FUNCTION",
            Some("/force"),
        ),
        (
            json!({"kind": "DELETE", "function": {"functionName": name}, "force": true}),
            "INVALID_FUNCTION",
            Some("/force"),
        ),
    ] {
        let id = world.put_request(detail.clone()).await;
        let rejected = answer(world, &id).await;
        assert_eq!(rejected["detail-type"], "Formation Operation Status Change");
        assert_eq!(rejected["detail"]["status"], "REJECTED", "{rejected:#}");
        let problem = &rejected["detail"]["problem"];
        assert_eq!(problem["code"], code, "{detail}");
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{detail}");
    }
    assert!(world.live(&name).await.parts().is_empty());
}

pub async fn a_request_whose_json_is_at_fault_is_rejected(world: &World) {
    let name = world.name("at-fault");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (number, (field, code, pointer)) in [
        (r#""description": "\ud800""#, "MALFORMED_JSON", None),
        (r#""timeoutSeconds": 3, "timeoutSeconds": 9"#, "MALFORMED_JSON", None),
        (&format!(r#""tags": {deep}"#), "MALFORMED_JSON", None),
        (r#""memoryMegabytes": 1e400"#, "INVALID_FUNCTION", Some("/memoryMegabytes")),
        (&format!(r#""tags": [{}0]"#, "0,".repeat(20_000)), "INVALID_FUNCTION", Some("/tags")),
        (r#""colour": 1e400"#, "INVALID_FUNCTION", Some("/colour")),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("at-fault-{number}");
        let body = format!(
            r#"{{"id": "{id}", "source": "acme.builds", "account": "111122223333", "time": "",
                "detail": {{"kind": "CREATE", "function": {{"functionName": "{name}", "code": "x", {field}}}}}}}"#
        );
        deliver(world, body).await;
        let rejected = answer(world, &id).await;
        let detail = &rejected["detail"];
        assert_eq!(
            (&detail["status"], &detail["functionName"]),
            (&json!("REJECTED"), &json!(name))
        );
        assert_eq!(detail["problem"]["code"], code, "{rejected:#}");
        assert_eq!(detail["problem"]["errors"][0]["pointer"].as_str(), pointer, "{rejected:#}");
    }
    assert!(world.live(&name).await.parts().is_empty());
}

pub async fn a_rejection_is_small_however_much_is_wrong(world: &World) {
    let name = world.name("many-wrong");
    let mut request = create(&name);
    for number in 0..20_000 {
        request["function"][format!("f{number}")] = Value::Null;
    }
    request["function"]["x".repeat(1000)] = Value::Null;
    let id = world.put_request(request).await;
    let problem = answer(world, &id).await["detail"]["problem"].clone();
    assert_eq!(problem["errorCount"], 20_001);
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(100));
    assert!(problem.to_string().len() < 100_000);
}

pub async fn a_busy_function_is_tried_again_later(world: &World) {
    let name = world.name("busy-event");
    world.proxy.inject(Rule::new("logs:CreateLogGroup", &name, usize::MAX, Fault::Throttle));
    let accepted = world.ask_for(&name, json!({})).await;
    let patch = json!({"functionName": name, "memoryMegabytes": 512});
    let id = world.put_request(json!({"kind": "UPDATE", "function": patch})).await;
    world
        .until("intake has found it busy", async || {
            let log = world.log_of("intake", accepted.json()["operationId"].as_str()?).await;
            (!log.is_empty()).then_some(())
        })
        .await;
    world.proxy.release(&name);
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    let updated = answer(world, &id).await;
    assert_eq!(updated["detail"]["status"], "SUCCEEDED", "{updated:#}");
    assert_eq!(world.function(&name).await.spec.configuration.memory_megabytes, 512);
}

pub async fn what_is_no_request_acts_on_nothing_and_is_not_lost(world: &World) {
    // Our own source never asks us for anything, should it come past the rule.
    let name = world.name("loop");
    deliver(world, event("own", "formation", create(&name))).await;
    let message = deliver(world, "no event at all".to_owned()).await;
    // What intake is given a second time was still in the queue after the first; after ten times it is
    // in the dead-letter queue.
    world
        .until("intake has put the malformed message off, and got it again", async || {
            let told = world.log_of("intake", &message).await;
            let put_off = told.iter().filter(|line| line.contains("the message is no event"));
            (put_off.count() >= 2).then_some(())
        })
        .await;
    assert!(!world.is_known(&name).await);
}

pub async fn everything_that_is_announced_fits_its_schema(world: &World) {
    // One of each kind, and whatever the other tests have made happen so far.
    let name = world.name("schema");
    let id = world.put_request(create(&name)).await;
    answer(world, &id).await;
    let id = world.put_request(create(&name)).await;
    answer(world, &id).await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events");
    let schema = |file: &str| {
        let text = std::fs::read(folder.join(file)).unwrap();
        let schema: Value = serde_json::from_slice(&text).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    };
    let operations = schema("operation-status-change.json");
    let drift = schema("drift-status-change.json");
    let checked = world.count_announced(|event| {
        let validator = match event["detail-type"].as_str() {
            Some("Formation Operation Status Change") => &operations,
            Some("Formation Drift Status Change") => &drift,
            other => panic!("announced as {other:?}"),
        };
        if let Err(error) = validator.validate(&event["detail"]) {
            panic!("{event:#}: {error}");
        }
        true
    });
    assert!(checked >= 2);
    let requests = schema("operation-request.json");
    let patch =
        json!({"kind": "UPDATE", "function": {"functionName": "a", "memoryMegabytes": null}});
    let of_code = |kind: &str, code: Value| json!({"kind": kind, "function": {"functionName": "a", "code": code}});
    let upload = json!({"uploadId": ulid::Ulid::generate().to_string()});
    for (detail, fits) in [
        (create("a"), true),
        (of_code("CREATE", json!({"s3Bucket": "builds", "s3Key": "a.zip"})), true),
        (of_code("CREATE", upload.clone()), false),
        (of_code("UPDATE", upload), false),
        (patch, true),
        (json!({"kind": "DELETE", "function": {"functionName": "a"}}), true),
        (json!({"kind": "DELETE", "function": {"functionName": "a", "tags": 1}}), true),
        (json!({"kind": "DELETE", "function": {"functionName": "a", "force": true}}), false),
        (json!({"kind": "DELETE", "function": {}}), false),
        (json!({"kind": "CREATE", "function": {"functionName": "a"}}), false),
        (json!({"kind": "REPAIR", "function": {"functionName": "a"}}), false),
    ] {
        assert_eq!(requests.is_valid(&detail), fits, "{detail}");
    }
}

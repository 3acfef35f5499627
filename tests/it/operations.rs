//! Operations as the API shows them.

use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::json;

use crate::requests::{FUNCTIONS, hello, path, send, throttle};

pub async fn operations_are_listed_newest_first_page_by_page(world: &World) {
    let name = world.name("history");
    world.create(&name, json!({})).await;
    for megabytes in [256, 512] {
        let patch = json!({"memoryMegabytes": megabytes});
        let accepted = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
        world.ended(&accepted).await;
    }
    world.delete(&name).await;
    let mut kinds = Vec::new();
    let mut token = String::new();
    loop {
        let at = format!("{}/operations?limit=3{token}", path(&name));
        let page = world.api(Method::GET, &at, None).await.json();
        let operations = page["operations"].as_array().unwrap();
        assert!(operations.len() <= 3);
        kinds.extend(operations.iter().map(|it| it["kind"].as_str().unwrap().to_owned()));
        match page["nextToken"].as_str() {
            Some(next) => token = format!("&nextToken={next}"),
            None => break,
        }
    }
    assert_eq!(kinds, ["DELETE", "UPDATE", "UPDATE", "CREATE"], "also of what was deleted");
    // A token is bound to its list.
    let other = world.name("other");
    world.create(&other, json!({})).await;
    let page = format!("{}/operations?limit=1", path(&name));
    let next = world.api(Method::GET, &page, None).await.json()["nextToken"].clone();
    let stolen = format!("{}/operations?nextToken={}", path(&other), next.as_str().unwrap());
    assert_eq!(world.api(Method::GET, &stolen, None).await.json()["code"], "INVALID_NEXT_TOKEN");
    let nobody = format!("{}/operations", path("nobody-was-ever-here"));
    assert_eq!(world.api(Method::GET, &nobody, None).await.status, 404);
}

pub async fn steps_tell_what_happened_and_what_is_waited_for(world: &World) {
    let name = world.name("steps");
    // What the SDK does not try again by itself.
    world.proxy.inject(Rule {
        fault: Fault::Refuse(400, "OperationAbortedException", "try again"),
        ..throttle("logs:CreateLogGroup", &name, 4)
    });
    let accepted = world.ask_for(&name, json!({})).await;
    let with_steps = format!("{}?steps=true", accepted.header("operation-location"));
    let waiting = world
        .until("a step has failed once", async || {
            let operation = world.api(Method::GET, &with_steps, None).await.json();
            let step = operation["steps"].as_array()?.last()?.clone();
            step["lastError"].is_object().then_some(step)
        })
        .await;
    assert_eq!(waiting["name"], "Ensure log group");
    assert_eq!(waiting["lastError"]["code"], "TRANSIENT");
    assert_eq!(waiting["lastError"]["awsErrorCode"], "OperationAbortedException");
    assert_eq!(waiting["lastError"]["awsRequestId"], "injected");

    world.ended(&accepted).await;
    let operation = world.api(Method::GET, &with_steps, None).await.json();
    let steps = operation["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "Ensure role",
            "Ensure log group",
            "Ensure function",
            "Record success",
            "Announce success"
        ]
    );
    for step in steps {
        assert_eq!(step["status"], "SUCCEEDED", "{step}");
        assert!(step["startedAt"].is_string() && step["endedAt"].is_string(), "{step}");
    }
    assert!(steps[1]["attempts"].as_u64().unwrap() > 1, "{}", steps[1]);
    let without = world.api(Method::GET, accepted.header("operation-location"), None).await;
    assert!(without.json()["steps"].is_null());
}

pub async fn a_request_makes_few_calls(world: &World) {
    let name = world.name("frugal");
    let key = format!("key-{name}");
    let count = |from: usize| {
        let calls = world.proxy.calls(&name).split_off(from);
        let of = |service: &str| calls.iter().filter(|call| call.service == service).count();
        (of("dynamodb"), of("states"))
    };
    // Held in its first step, so that only the api Lambda's calls are counted.
    let hold = throttle("iam:CreateRole", &name, 4);
    world.proxy.inject(hold);
    let keyed = [("idempotency-key", key.as_str())];
    let accepted = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    let calls = world.proxy.calls(&name);
    let start = calls.iter().position(|call| call.operation == "StartExecution").unwrap();
    let before: Vec<_> = calls[..=start].iter().map(|call| call.name()).collect();
    assert_eq!(
        before,
        [
            "dynamodb:BatchGetItem",
            "lambda:GetFunction",
            "s3:PutObject",
            "dynamodb:TransactWriteItems",
            "states:StartExecution"
        ]
    );
    world.ended(&accepted).await;

    let from = world.proxy.calls(&name).len();
    world.api(Method::GET, &path(&name), None).await;
    assert_eq!(count(from), (1, 0), "a read");
    let from = world.proxy.calls(&name).len();
    world.api(Method::GET, &format!("{FUNCTIONS}?prefix={name}"), None).await;
    assert_eq!(count(from), (1, 0), "a page of a list");
}

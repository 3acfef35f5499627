//! Requests that wait for the outcome of what they ask for.

use std::time::{Duration, Instant};

use formation_client::Look;
use formation_model::{Operation, OperationStatus};
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::json;

use crate::requests::{FUNCTIONS, hello, path, throttle};

pub async fn a_request_that_waits_gets_the_outcome(world: &World) {
    let name = world.name("patient");
    let wait = |path: &str| format!("{path}?wait=25");
    let created = world.api(Method::POST, &wait(FUNCTIONS), Some(&hello(&name))).await;
    assert_eq!(created.status, 201, "{}", created.json());
    assert_eq!(created.header("location"), path(&name));
    assert_eq!(created.json()["status"], "AVAILABLE");
    assert!(created.header("operation-location").contains("/operations/"));
    let etag = world.api(Method::GET, &path(&name), None).await.header("etag").to_owned();
    assert_eq!(created.header("etag"), etag);

    let patch = json!({"memoryMegabytes": 256});
    let patched = world.api(Method::PATCH, &wait(&path(&name)), Some(&patch)).await;
    assert_eq!(patched.status, 200, "{}", patched.json());
    assert_eq!(patched.json()["memoryMegabytes"], 256);
    assert_ne!(patched.header("etag"), etag);
    let repaired = format!("{}/repair", path(&name));
    let repaired = world.api(Method::POST, &wait(&repaired), None).await;
    assert_eq!((repaired.status.as_u16(), &repaired.json()["revision"]), (200, &json!(2)));

    let deleted = world.api(Method::DELETE, &wait(&path(&name)), None).await;
    assert_eq!(deleted.status, 204);
    assert!(deleted.body.is_empty());

    for bad in ["26", "-1", "soon", ""] {
        let answer = world.api(Method::DELETE, &format!("{}?wait={bad}", path(&name)), None).await;
        assert_eq!(answer.json()["code"], "INVALID_PARAMETER", "{bad}");
    }
}

pub async fn a_request_that_waits_gets_the_failures_own_status(world: &World) {
    for (call, code, expected, status) in [
        ("lambda:CreateFunction", "InvalidParameterValueException", "REJECTED", 422),
        ("iam:CreateRole", "LimitExceeded", "QUOTA_EXCEEDED", 409),
        ("logs:CreateLogGroup", "AccessDeniedException", "ACCESS_DENIED", 500),
    ] {
        let name = world.name("impatient");
        world.proxy.inject(Rule::new(call, &name, 1, Fault::Refuse(400, code, "told by AWS")));
        let path = format!("{FUNCTIONS}?wait=25");
        let failed = world.api(Method::POST, &path, Some(&hello(&name))).await;
        let problem = failed.json();
        assert_eq!((failed.status.as_u16(), &problem["code"]), (status, &json!(expected)));
        assert_eq!(failed.header("content-type"), "application/problem+json");
        assert!(problem["detail"].as_str().unwrap().contains("told by AWS"), "{problem}");
        assert_eq!(problem["rollback"], "COMPLETE");
        let operation = failed.header("operation-location").to_owned();
        let operation = world.api(Method::GET, &operation, None).await.json();
        assert_eq!(operation["operationId"], problem["operationId"]);
    }

    let name = world.name("slow");
    world.proxy.inject(throttle("logs:CreateLogGroup", &name, usize::MAX));
    let path = format!("{FUNCTIONS}?wait=1");
    let running = world.api(Method::POST, &path, Some(&hello(&name))).await;
    assert_eq!((running.status.as_u16(), &running.json()["status"]), (202, &json!("RUNNING")));
    assert!(!running.header("retry-after").is_empty());
    world.proxy.release(&name);
    assert_eq!(world.ended(&running).await.status, OperationStatus::Succeeded);
}

pub async fn a_look_at_an_operation_waits_for_its_end(world: &World) {
    let name = world.name("awaited");
    world.proxy.inject(throttle("logs:CreateLogGroup", &name, usize::MAX));
    let accepted = world.api(Method::POST, FUNCTIONS, Some(&hello(&name))).await;
    let operation = accepted.header("operation-location").to_owned();
    let began = Instant::now();
    let running = world.api(Method::GET, &format!("{operation}?wait=1"), None).await;
    assert_eq!((running.status.as_u16(), &running.json()["status"]), (200, &json!("RUNNING")));
    assert!(!running.header("retry-after").is_empty());
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());

    let id = accepted.read::<Operation>().operation_id;
    let look = Look { steps: true, wait: Duration::from_secs(25) };
    let function = name.parse().unwrap();
    let waited = world.client.describe_operation(&function, id, look);
    let (ended, ()) = tokio::join!(waited, async { world.proxy.release(&name) });
    let ended = ended.unwrap();
    assert_eq!(ended.status, OperationStatus::Succeeded, "{ended:#?}");
    assert!(ended.steps.is_some_and(|steps| steps.len() >= 4));

    // A failure is what there is to tell, and no failure of the request.
    let refuse = Fault::Refuse(400, "InvalidParameterValueException", "told by AWS");
    world.proxy.inject(Rule::new("lambda:UpdateFunctionConfiguration", &name, 1, refuse));
    let patch = json!({"memoryMegabytes": 256});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
    let operation = format!("{}?wait=25", accepted.header("operation-location"));
    let failed = world.api(Method::GET, &operation, None).await;
    assert_eq!((failed.status.as_u16(), &failed.json()["status"]), (200, &json!("FAILED")));
    assert_eq!(failed.json()["rollback"], "COMPLETE");
}

pub async fn a_wait_ends_before_the_gateway_gives_up(world: &World) {
    let name = world.name("held");
    let slow = Fault::Delay(Duration::from_secs(6));
    world.proxy.inject(Rule::new("s3:PutObject", &name, 1, slow));
    world.proxy.inject(throttle("iam:CreateRole", &name, usize::MAX));
    let began = Instant::now();
    let path = format!("{FUNCTIONS}?wait=25");
    let running = world.api(Method::POST, &path, Some(&hello(&name))).await;
    let took = began.elapsed();
    assert_eq!((running.status.as_u16(), &running.json()["status"]), (202, &json!("RUNNING")));
    assert!(!running.header("operation-location").is_empty());
    // 6 s and 25 s would be past the 29 s of the Lambda and the 30 s of the gateway.
    assert!(took < Duration::from_secs(29), "{took:?}");
    assert!(took > Duration::from_secs(20), "it did not wait: {took:?}");
    world.proxy.release(&name);
    assert_eq!(world.ended(&running).await.status, OperationStatus::Succeeded);
}

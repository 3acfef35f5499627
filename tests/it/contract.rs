//! The HTTP contract: replays, waiting, plans, paging, steps, problems and the API's description.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use formation_local::client::Answer;
use formation_tests::{Call, Fault, Rule, World};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::moments::at_call;

const FUNCTIONS: &str = "/v1/functions";

fn path(name: &str) -> String {
    format!("{FUNCTIONS}/{name}")
}

fn hello(name: &str) -> Value {
    json!({"functionName": name, "code": formation_tests::world::EXAMPLE_CODE})
}

async fn send(
    world: &World,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.client.api_raw(method, path, headers, body).await.unwrap()
}

fn throttle(call: &str, function: &str, times: usize) -> Rule {
    Rule::new(call, function, times, Fault::Throttle)
}

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
    let again = world.client.api_raw(Method::POST, FUNCTIONS, &keyed, spelled).await.unwrap();
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
    assert_eq!(world.ended(&first).await["status"], "FAILED");
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
    assert_eq!(world.ended(&changed).await["status"], "SUCCEEDED");
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
    assert_eq!(world.ended(&again).await["status"], "SUCCEEDED");
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
    assert_eq!(world.ended(&answers[0]).await["status"], "SUCCEEDED");
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
    assert_eq!(world.ended(&running).await["status"], "SUCCEEDED");
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
    assert_eq!(world.ended(&running).await["status"], "SUCCEEDED");
}

fn actions(plan: &Value) -> Vec<(&str, &str)> {
    let parts = plan["parts"].as_array().unwrap().iter();
    parts.map(|part| (part["part"].as_str().unwrap(), part["action"].as_str().unwrap())).collect()
}

pub async fn a_dry_run_tells_what_would_be_done_and_writes_nothing(world: &World) {
    let name = world.name("planned");
    let dry = |path: &str| format!("{path}?dryRun=true");
    let planned = world.api(Method::POST, &dry(FUNCTIONS), Some(&hello(&name))).await;
    assert_eq!(planned.status, 200, "{}", planned.json());
    assert_eq!(planned.json()["kind"], "CREATE");
    assert_eq!(
        actions(&planned.json()),
        [("ROLE", "CREATE"), ("LOG_GROUP", "CREATE"), ("FUNCTION", "CREATE")]
    );
    assert_eq!(world.api(Method::GET, &path(&name), None).await.status, 404);
    // Every check of the real request.
    let mut bad = hello(&name);
    bad["memoryMegabytes"] = json!(1);
    assert_eq!(world.api(Method::POST, &dry(FUNCTIONS), Some(&bad)).await.status, 422);

    world.create(&name, json!({"environment": {"KEY": "s3cr3t"}})).await;
    let before = world.proxy.calls(&name).len();
    assert_eq!(world.api(Method::POST, &dry(FUNCTIONS), Some(&hello(&name))).await.status, 409);
    let patch = json!({"logRetentionDays": 7, "environment": {"KEY": "other"}, "code": "export const handler = 1;"});
    let planned = world.api(Method::PATCH, &dry(&path(&name)), Some(&patch)).await.json();
    assert_eq!(
        actions(&planned),
        [("ROLE", "NONE"), ("LOG_GROUP", "CHANGE"), ("FUNCTION", "CHANGE")],
        "{planned:#}"
    );
    let retention = &planned["parts"][1]["differences"][0];
    assert_eq!(
        retention,
        &json!({
            "part": "LOG_GROUP", "facet": "LOG_GROUP", "property": "logRetentionDays",
            "expected": 7, "actual": 30
        })
    );
    let of_function = planned["parts"][2]["differences"].as_array().unwrap().iter();
    let facets: BTreeSet<_> = of_function.map(|it| it["facet"].as_str().unwrap()).collect();
    assert_eq!(facets, BTreeSet::from(["CODE", "CONFIGURATION"]));
    assert!(!planned.to_string().contains("s3cr3t"), "{planned}");
    let protect = json!({"deletionProtection": true});
    let planned = world.api(Method::PATCH, &dry(&path(&name)), Some(&protect)).await.json();
    let protection = &planned["parts"][2]["differences"][0];
    assert_eq!(protection["property"], "deletionProtection", "{planned:#}");
    let nothing = json!({"memoryMegabytes": 128});
    let planned = world.api(Method::PATCH, &dry(&path(&name)), Some(&nothing)).await.json();
    assert!(planned["kind"].is_null(), "{planned:#}");
    assert!(actions(&planned).iter().all(|(_, action)| *action == "NONE"));
    let planned = world.api(Method::DELETE, &dry(&path(&name)), None).await.json();
    assert!(actions(&planned).iter().all(|(_, action)| *action == "DELETE"), "{planned:#}");
    let repair = format!("{}/repair?dryRun=true", path(&name));
    assert_eq!(world.api(Method::POST, &repair, None).await.json()["kind"], "REPAIR");

    let calls = world.proxy.calls(&name).split_off(before);
    let reads = ["Get", "List", "Describe"];
    let is_read = |call: &Call| reads.iter().any(|verb| call.operation.starts_with(verb));
    let writes: Vec<_> = calls.iter().filter(|call| !is_read(call)).collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(world.api(Method::GET, &path(&name), None).await.json()["revision"], 1);
}

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

/// Method, path, headers and body of a request, and the status and code of its answer.
type BadRequest<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);

pub async fn every_bad_request_is_a_problem(world: &World) {
    let deep = "[".repeat(2000);
    let large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let json_type = ("content-type", "application/json");
    // Tokens of the right form that nobody has issued.
    let forged = |list: &str, after: &str| {
        URL_SAFE_NO_PAD.encode(format!(r#"{{"list":"{list}","after":"{after}"}}"#))
    };
    let foreign_place = format!("{FUNCTIONS}?prefix=a&nextToken={}", forged("functions a ", "zzz"));
    let no_place = format!("{FUNCTIONS}?nextToken={}", forged("functions  ", ""));
    let no_operation = forged("FUNCTION#a", "OPERATION#01arz3ndektsv4rrffq69g5fav");
    let no_operation = format!("{FUNCTIONS}/a/operations?nextToken={no_operation}");
    let cases: &[BadRequest<'_>] = &[
        (Method::GET, "/", &[], b"", 404, "ROUTE_NOT_FOUND"),
        (Method::GET, "/v1", &[], b"", 404, "ROUTE_NOT_FOUND"),
        (Method::GET, "/v1/functions/", &[], b"", 404, "ROUTE_NOT_FOUND"),
        (Method::PUT, "/v1/functions", &[], b"{}", 405, "METHOD_NOT_ALLOWED"),
        (Method::DELETE, "/v1/openapi.json", &[], b"", 405, "METHOD_NOT_ALLOWED"),
        (Method::GET, "/v1/functions/a.b", &[], b"", 404, "FUNCTION_NOT_FOUND"),
        (Method::GET, "/v1/functions/a/operations/b", &[], b"", 404, "OPERATION_NOT_FOUND"),
        (Method::GET, "/v1/functions?limit=0", &[], b"", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?limit=101", &[], b"", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?color=red", &[], b"", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?status=GONE", &[], b"", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?limit=1&limit=1", &[], b"", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?prefix=a.b", &[], b"", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?nextToken=x", &[], b"", 400, "INVALID_NEXT_TOKEN"),
        (Method::GET, &foreign_place, &[], b"", 400, "INVALID_NEXT_TOKEN"),
        (Method::GET, &no_place, &[], b"", 400, "INVALID_NEXT_TOKEN"),
        (Method::GET, &no_operation, &[], b"", 400, "INVALID_NEXT_TOKEN"),
        (Method::POST, "/v1/functions", &[json_type], b"{", 400, "MALFORMED_JSON"),
        (Method::POST, "/v1/functions", &[json_type], b"\xff", 400, "MALFORMED_JSON"),
        (Method::POST, "/v1/functions", &[json_type], b"{\"a\":1,\"a\":2}", 400, "MALFORMED_JSON"),
        (Method::POST, "/v1/functions", &[json_type], deep.as_bytes(), 400, "MALFORMED_JSON"),
        (Method::POST, "/v1/functions", &[json_type], large.as_bytes(), 413, "BODY_TOO_LARGE"),
        (
            Method::POST,
            "/v1/functions",
            &[("content-type", "text/plain")],
            b"{}",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (Method::POST, "/v1/functions", &[json_type], b"[]", 422, "INVALID_FUNCTION"),
        (
            Method::POST,
            "/v1/functions",
            &[json_type, ("if-match", "*")],
            b"{}",
            400,
            "INVALID_PARAMETER",
        ),
        (
            Method::POST,
            "/v1/functions",
            &[json_type, ("idempotency-key", "")],
            b"{}",
            400,
            "INVALID_PARAMETER",
        ),
        (Method::PUT, "/v1/functions/a", &[json_type], b"{}", 428, "PRECONDITION_REQUIRED"),
        (
            Method::PUT,
            "/v1/functions/nobody",
            &[json_type, ("if-match", "*")],
            b"{}",
            412,
            "PRECONDITION_FAILED",
        ),
        (
            Method::DELETE,
            "/v1/functions/nobody",
            &[("if-match", "*")],
            b"",
            404,
            "FUNCTION_NOT_FOUND",
        ),
        (Method::POST, "/v1/functions/a/repair", &[], b"", 404, "FUNCTION_NOT_FOUND"),
        (Method::GET, "/v1/functions/nobody/drift", &[], b"", 404, "FUNCTION_NOT_FOUND"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let answer = world.client.api_raw(method.clone(), path, headers, body.to_vec()).await;
        let answer = answer.unwrap();
        let problem = answer.json();
        let told = format!("{method} {path} {headers:?}: {} {problem}", answer.status);
        assert_eq!(
            (answer.status.as_u16(), problem["code"].as_str()),
            (*status, Some(*code)),
            "{told}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json", "{told}");
        assert_eq!(problem["status"], *status, "{told}");
        for text in ["title", "detail", "requestId"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{told}");
        }
    }
    let longest = "k".repeat(129);
    let headers = [json_type, ("idempotency-key", longest.as_str())];
    let answer = world.client.api_raw(Method::POST, FUNCTIONS, &headers, "{}").await.unwrap();
    assert_eq!(answer.json()["code"], "INVALID_PARAMETER");
    let unknown = json!({"functionName": "a", "code": "x", "memory": 1});
    let answer = world.api(Method::POST, FUNCTIONS, Some(&unknown)).await.json();
    assert_eq!(answer["errors"][0]["pointer"], "/memory");
    assert_eq!(answer["errors"][0]["code"], "UNKNOWN_FIELD");
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

pub async fn the_api_describes_itself(world: &World) {
    let served = world.api(Method::GET, "/v1/openapi.json", None).await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), "application/json");
    let document = served.json();
    assert_eq!(document, formation_api::openapi::document(&world.stack.api_url));
    assert_eq!(document["openapi"], "3.1.0");
    // Its example is real.
    let example = &document["paths"][FUNCTIONS]["post"]["requestBody"]["content"];
    let mut example = example["application/json"]["example"].clone();
    example["functionName"] = json!(world.name("example"));
    let created = world.api(Method::POST, &format!("{FUNCTIONS}?wait=25"), Some(&example)).await;
    assert_eq!(created.status, 201, "{}", created.json());
}

pub async fn no_secret_is_logged(world: &World) {
    let name = world.name("discreet");
    let secret = format!("s3cr3t-{name}");
    let refusal = Fault::Refuse(
        400,
        "InvalidParameterValueException",
        "your environment variables exceeded the 4KB limit. String measured: {\"KEY\":\"leak\"}",
    );
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refusal));
    let accepted = world.ask_for(&name, json!({"environment": {"KEY": secret}})).await;
    at_call(world, &name, &accepted.json(), 3).await;
    let operation = world.ended(&accepted).await;
    assert!(!operation.to_string().contains("leak"), "{operation}");
    let mut lines = 0;
    for group in ["formation-api", "ensure-function", "record-failure"] {
        for line in world.log_of(group, "").await {
            assert!(!line.contains(&secret) && !line.contains("leak"), "{group}: {line}");
            // Lambda's own lines (START, END, REPORT) are no JSON here.
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            lines += usize::from(line.to_string().contains(&name));
        }
    }
    assert!(lines > 0, "the log tells nothing of {name}");
}

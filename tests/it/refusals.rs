//! Requests that are refused: with the right problem, and nothing made or lost.

use formation_model::OperationStatus;
use formation_tests::world::CODE_BUCKET;
use formation_tests::{Answer, World};
use http::Method;
use serde_json::{Value, json};

fn assert_problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["code"], code);
    for text in ["type", "title", "detail"] {
        assert!(
            problem[text].as_str().is_some_and(|text| !text.is_empty()),
            "no {text}: {problem}"
        );
    }
    problem
}

async fn assert_nothing_made(world: &World, name: &str) {
    assert!(world.live(name).await.parts().is_empty());
    assert!(world.bundle_states(name).await.is_empty());
    let path = format!("/v1/functions/{name}");
    assert_problem(&world.api(Method::GET, &path, None).await, 404, "FUNCTION_NOT_FOUND");
}

pub async fn an_invalid_function_is_refused_with_every_problem(world: &World) {
    let name = world.name("invalid");
    let fields = json!({
        "memoryMegabytes": 64, "timeoutSeconds": 901, "runtime": "nodejs18.x",
        "environment": {"AWS_REGION": "s3cr3t-value"}, "colour": "blue",
    });
    let answer = world.ask_for(&name, fields).await;
    let problem = assert_problem(&answer, 422, "INVALID_FUNCTION");
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<_> = errors.map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        ["/runtime", "/memoryMegabytes", "/timeoutSeconds", "/environment/AWS_REGION", "/colour"]
    );
    assert!(!problem.to_string().contains("s3cr3t-value"));
    assert_nothing_made(world, &name).await;
}

pub async fn a_body_that_is_not_json_is_refused(world: &World) {
    let post = async |content_type, body: &'static str| {
        let headers = [("content-type", content_type)];
        world.api_raw(Method::POST, "/v1/functions", &headers, body).await
    };
    assert_problem(&post("application/json", "{\"functionName\":").await, 400, "MALFORMED_JSON");
    assert_problem(&post("application/json", "").await, 400, "MALFORMED_JSON");
    for (body, told) in [
        ("\u{feff}{}", "byte order mark"),
        ("{\"tags\": 1,\n \"tags\": 2}", "twice in one object at line 2, column 2"),
        (r#"{"description": "\ud800"}"#, "surrogate pair"),
    ] {
        let problem = assert_problem(&post("application/json", body).await, 400, "MALFORMED_JSON");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
    }
    assert_problem(&post("text/plain", "{}").await, 415, "UNSUPPORTED_MEDIA_TYPE");
    assert_problem(&post("application/json", "[]").await, 422, "INVALID_FUNCTION");
}

pub async fn whole_numbers_are_whole_however_they_are_spelled(world: &World) {
    let name = world.name("numbers");
    let post = async |number: &str| {
        let headers = [("content-type", "application/json")];
        let body =
            format!(r#"{{"functionName": "{name}", "code": "x", "memoryMegabytes": {number}}}"#);
        let path = "/v1/functions?dryRun=true";
        world.api_raw(Method::POST, path, &headers, body).await
    };
    for good in ["256.0", "1e3", "25600E-2"] {
        assert_eq!(post(good).await.status, 200, "{good}");
    }
    for (bad, code) in
        [("1e400", "OUT_OF_RANGE"), ("-1E999", "OUT_OF_RANGE"), ("256.5", "WRONG_TYPE")]
    {
        let problem = assert_problem(&post(bad).await, 422, "INVALID_FUNCTION");
        assert_eq!(problem["errorCount"], 1, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/memoryMegabytes", "{problem}");
        assert_eq!(problem["errors"][0]["code"], code, "{bad}: {problem}");
    }
}

pub async fn an_answer_is_small_however_much_is_wrong(world: &World) {
    let mut fields: serde_json::Map<_, _> =
        (0..5000).map(|number| (format!("field{number}"), Value::Null)).collect();
    fields.insert("x".repeat(100_000), Value::Null);
    let name = world.name("small");
    world.create(&name, json!({})).await;
    let path = format!("/v1/functions/{name}");
    for (method, path) in [(Method::POST, "/v1/functions"), (Method::PATCH, &path)] {
        let answer = world.api(method, path, Some(&fields.clone().into())).await;
        let problem = assert_problem(&answer, 422, "INVALID_FUNCTION");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(100));
        assert!(problem["errorCount"].as_u64() >= Some(5001), "{problem}");
        assert!(answer.body.len() < 100_000, "{} bytes", answer.body.len());
    }
    world.delete(&name).await;
}

pub async fn what_does_not_exist_is_not_found(world: &World) {
    let name = world.name("missing");
    let function = format!("/v1/functions/{name}");
    let operation = format!("{function}/operations/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    for (method, path, status, code) in [
        (Method::GET, function.as_str(), 404, "FUNCTION_NOT_FOUND"),
        (Method::DELETE, &function, 404, "FUNCTION_NOT_FOUND"),
        (Method::GET, "/v1/functions/no.such.name", 404, "FUNCTION_NOT_FOUND"),
        (Method::GET, &operation, 404, "OPERATION_NOT_FOUND"),
        (Method::GET, &format!("{function}/operations/7"), 404, "OPERATION_NOT_FOUND"),
        (Method::GET, "/v1/nothing", 404, "ROUTE_NOT_FOUND"),
        (Method::GET, "/", 404, "ROUTE_NOT_FOUND"),
        (Method::DELETE, "/v1/functions", 405, "METHOD_NOT_ALLOWED"),
        (Method::GET, "/v1/functions?limit=0", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?limit=101", 400, "INVALID_PARAMETER"),
        (Method::GET, "/v1/functions?colour=blue", 400, "INVALID_PARAMETER"),
        (Method::DELETE, &format!("{function}?colour=blue"), 400, "INVALID_PARAMETER"),
    ] {
        assert_problem(&world.api(method, path, None).await, status, code);
    }
}

pub async fn an_operation_has_one_id(world: &World) {
    let name = world.name("spelled");
    let id = world.create(&name, json!({})).await.operation_id.to_string();
    let operation = |id: &str| format!("/v1/functions/{name}/operations/{id}");
    assert_eq!(world.api(Method::GET, &operation(&id), None).await.status, 200);
    // 128 bits end with a first character of 7: what is beyond was cut off.
    for other in [id.to_lowercase(), id.replacen('0', "8", 1), format!("{id}0")] {
        for (method, path) in [
            (Method::GET, operation(&other)),
            (Method::POST, format!("{}/cancel", operation(&other))),
        ] {
            let answer = world.api(method, &path, None).await;
            assert_problem(&answer, 404, "OPERATION_NOT_FOUND");
        }
    }
}

pub async fn a_busy_function_is_a_conflict(world: &World) {
    let name = world.name("busy");
    let path = format!("/v1/functions/{name}");
    let accepted = world.ask_for(&name, json!({})).await;
    assert_eq!(accepted.status, 202);
    let refused = world.api(Method::DELETE, &path, None).await;
    let problem = assert_problem(&refused, 409, "OPERATION_IN_PROGRESS");
    assert_eq!(problem["operationId"], accepted.json()["operationId"]);
    assert_eq!(refused.header("operation-location"), accepted.header("operation-location"));
    assert!(!refused.header("retry-after").is_empty());
    // Who cannot wait is told how to have it stopped.
    let cancel = format!("POST {}/cancel", accepted.header("operation-location"));
    assert!(problem["detail"].as_str().unwrap().contains(&cancel), "{problem}");
    // The revision that is being made is worth waiting for.
    let coming = [("if-match", accepted.header("etag"))];
    let refused = world.api_raw(Method::DELETE, &path, &coming, "").await;
    assert_problem(&refused, 409, "OPERATION_IN_PROGRESS");

    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_problem(&world.ask_for(&name, json!({})).await, 409, "FUNCTION_EXISTS");
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);
    assert_eq!(world.bundle_states(&name).await, ["kept"]);
}

pub async fn a_protected_function_is_not_deleted(world: &World) {
    let name = world.name("protected");
    world.create(&name, json!({"deletionProtection": true})).await;
    let refused = world.api(Method::DELETE, &format!("/v1/functions/{name}"), None).await;
    assert_problem(&refused, 409, "DELETION_PROTECTED");
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);
}

pub async fn a_reference_to_a_missing_object_is_refused_with_its_pointer(world: &World) {
    let name = world.name("no-object");
    let put = world.s3.put_object().bucket(CODE_BUCKET).key("not-a-zip");
    put.body(b"plain text".to_vec().into()).send().await.unwrap();
    for (code, pointer) in [
        (json!({"s3Bucket": CODE_BUCKET, "s3Key": "missing.zip"}), "/code/s3Key"),
        (json!({"s3Bucket": CODE_BUCKET, "s3Key": "not-a-zip"}), "/code/s3Key"),
        (json!({"s3Bucket": "somebody-elses", "s3Key": "a.zip"}), "/code/s3Bucket"),
    ] {
        let answer = world.ask_for(&name, json!({"code": code})).await;
        let problem = assert_problem(&answer, 422, "INVALID_FUNCTION");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
    }
    assert_nothing_made(world, &name).await;
}

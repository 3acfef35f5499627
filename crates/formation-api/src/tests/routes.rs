//! Every row of the table, straight into its handler: on an AWS that is empty, and on one that holds
//! a function.

use std::collections::BTreeMap;

use super::*;
use crate::openapi;
use crate::routes::Action;

/// A request to a route, and the status that it gets where `hello` is available.
struct Case {
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
}

/// Without a `_`, so that no route is without a request.
fn case(action: Action) -> Case {
    let case = |status| Case { query: "", headers: &[], body: "", status };
    match action {
        Action::ListFunctions => Case { query: "limit=1&prefix=he&tag=team:a&tag=b:", ..case(200) },
        Action::CreateFunction => Case {
            body: r#"{"functionName": "other", "code": "exports.handler = 1;"}"#,
            ..case(202)
        },
        Action::PutFunction => Case {
            headers: &[("if-match", "*")],
            body: r#"{"code": "exports.handler = 2;"}"#,
            ..case(202)
        },
        Action::UpdateFunction => Case { body: r#"{"memoryMegabytes": 512}"#, ..case(202) },
        Action::DeleteFunction | Action::RepairFunction => case(202),
        // It is at its first revision.
        Action::RollBackFunction => Case { body: r#"{"revision": 1}"#, ..case(200) },
        Action::DescribeOperation => Case { query: "steps=false", ..case(200) },
        Action::CreateUpload => Case {
            body: r#"{"sizeBytes": 40000000, "sha256": "u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c="}"#,
            ..case(201)
        },
        Action::PlanFunctions => Case {
            body: r#"{"functions": [{"functionName": "hello", "code": "exports.handler = 1;"}]}"#,
            ..case(200)
        },
        // It has ended.
        Action::CancelOperation => case(409),
        Action::DescribeCode => Case { query: "revision=1", ..case(200) },
        Action::DescribeStack
        | Action::DescribeFunction
        | Action::CompareFunction
        | Action::ListRevisions
        | Action::DescribeRevision
        | Action::ListOperations
        | Action::DescribeApi => case(200),
    }
}

/// What the table holds of `hello`, by key.
fn records() -> BTreeMap<(String, String), Value> {
    let function = json!({
        "pk": "FUNCTION",
        "sk": "hello",
        "spec": {
            "functionName": "hello",
            "code": {
                "sha256": "u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c=",
                "sizeBytes": 158,
                "key": format!("bundles/hello/{ID}.zip"),
                "version": "v1",
                "inline": true,
            },
            "runtime": "nodejs24.x",
            "handler": "index.handler",
            "architecture": "arm64",
            "memoryMegabytes": 128,
            "timeoutSeconds": 3,
            "logRetentionDays": 30,
            "environment": {},
            "description": "",
            "tags": {},
            "deletionProtection": false,
        },
        "status": "AVAILABLE",
        "revision": 1,
        "committedBy": ID,
        "operationId": ID,
        "createdAt": "2026-11-20T09:00:00.123Z",
        "updatedAt": "2026-11-20T09:00:07.500Z",
        "createdBy": "arn:aws:iam::111122223333:user/ann",
        "failures": 0,
    });
    let operation = json!({
        "pk": "FUNCTION#hello",
        "sk": format!("OPERATION#{ID}"),
        "operationId": ID,
        "kind": "CREATE",
        "functionName": "hello",
        "status": "SUCCEEDED",
        "attempt": 1,
        "revision": 1,
        "rollback": "NOT_NEEDED",
        "startedAt": "2026-11-20T09:00:00.123Z",
        "endedAt": "2026-11-20T09:00:07.500Z",
        "requestedBy": "arn:aws:iam::111122223333:user/ann",
        "failures": 0,
    });
    let key = |item: &Value| ["pk", "sk"].map(|name| item[name].as_str().unwrap().to_owned());
    let keyed = [function, operation].map(|item| (key(&item).into(), item));
    keyed.into()
}

/// As DynamoDB writes a value.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(flag) => json!({"BOOL": flag}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(items) => json!({"L": items.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(_) => json!({"M": attributes(value)}),
    }
}

fn attributes(item: &Value) -> Value {
    let fields = item.as_object().unwrap().iter();
    fields.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// What DynamoDB answers, of a table that holds `hello`.
fn dynamodb(call: &str, request: &Value) -> Value {
    let records = records();
    let named = |key: &Value| {
        let part = |name: &str| key[name]["S"].as_str().unwrap_or_default().to_owned();
        records.get(&(part("pk"), part("sk"))).map(attributes)
    };
    match call {
        "GetItem" => named(&request["Key"]).map_or(json!({}), |item| json!({"Item": item})),
        "BatchGetItem" => {
            let asked = request["RequestItems"].as_object().unwrap().iter();
            let found = asked.map(|(table, asked)| {
                let keys = asked["Keys"].as_array().unwrap();
                (table.clone(), keys.iter().filter_map(named).collect::<Value>())
            });
            json!({"Responses": found.collect::<Value>(), "UnprocessedKeys": {}})
        }
        "Query" => {
            let values = request["ExpressionAttributeValues"].as_object().unwrap();
            let asked = |pk: &String| values.values().any(|value| value["S"] == json!(pk));
            let prefix = values.get(":prefix").and_then(|it| it["S"].as_str()).unwrap_or_default();
            let found = records.iter().filter(|((pk, sk), _)| asked(pk) && sk.starts_with(prefix));
            json!({"Items": found.map(|(_, item)| attributes(item)).collect::<Value>()})
        }
        _ => json!({}),
    }
}

/// An AWS whose table holds `hello`, and that has nothing else.
pub(super) fn recorded() -> SharedHttpClient {
    infallible_client_fn(move |request: http::Request<SdkBody>| {
        let response = http::Response::builder();
        let target = request.headers().get("x-amz-target").and_then(|it| it.to_str().ok());
        let body = request.body().bytes().unwrap_or_default();
        if let Some(call) = target.and_then(|target| target.strip_prefix("DynamoDB_20120810.")) {
            let asked = serde_json::from_slice(body).unwrap();
            return response.body(dynamodb(call, &asked).to_string()).unwrap();
        }
        let uri = request.uri().to_string();
        if uri.contains("://iam.") {
            let gone = "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>";
            return response.status(404).body(gone.to_owned()).unwrap();
        }
        if uri.contains("://lambda.") {
            let gone = response.status(404).header("x-amzn-errortype", "ResourceNotFoundException");
            return gone.body("{}".to_owned()).unwrap();
        }
        response.header("x-amz-version-id", "v1").body("{}".to_owned()).unwrap()
    })
}

#[tokio::test]
async fn every_route_is_answered_as_its_description_says() {
    let document = openapi::document("/");
    for route in ROUTES {
        let (key, case) = (route.key(), case(route.action));
        let mut event = request(&key, case.query, case.headers, case.body);
        // The API itself has no name.
        if !route.path.contains('{') {
            event["pathParameters"] = Value::Null;
        }
        let aws = recorded();
        let answer = app(&aws, &aws).handle(read(&event.to_string()), LEFT).await;
        assert_eq!(answer.status_code, case.status, "{key}: {answer:?}");
        let described = &document["paths"][route.path][route.method.to_lowercase()]["responses"];
        let described = &described[case.status.to_string()]["content"];
        assert!(described[&answer.headers["content-type"]].is_object(), "{key}: {described}");
    }
}

/// An AWS whose table holds `hello`, whose operation has that status, and the number of its calls.
fn recorded_with(status: &'static str) -> (SharedHttpClient, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let target = request.headers().get("x-amz-target").and_then(|it| it.to_str().ok());
        let call = target.and_then(|target| target.strip_prefix("DynamoDB_20120810."));
        let asked = serde_json::from_slice(request.body().bytes().unwrap_or_default());
        let answer = call.map(|call| dynamodb(call, &asked.unwrap_or_default()));
        let answer = answer.unwrap_or(json!({"events": []})).to_string();
        http::Response::new(answer.replace("SUCCEEDED", status))
    });
    (http, calls)
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_waited_for_within_the_time_of_the_invocation() {
    const OPERATION: &str = "GET /v1/functions/{functionName}/operations/{operationId}";
    let seconds = Duration::from_secs;
    let ask = async |status, query: &str, left| {
        let ((aws, _), began) = (recorded_with(status), Instant::now());
        let event = read(&request(OPERATION, query, &[], "").to_string());
        let answer = app(&aws, &aws).handle(event, left).await;
        assert_eq!(answer.status_code, 200, "{query}: {answer:?}");
        assert!(answer.body.contains(status), "{query}: {answer:?}");
        assert_eq!(answer.headers.contains_key("retry-after"), status == "RUNNING");
        assert_eq!(answer.body.contains("\"steps\""), query.contains("steps=true"), "{query}");
        began.elapsed()
    };
    for (query, left, took) in [
        ("", LEFT, 0),
        ("wait=0", LEFT, 0),
        ("wait=3", LEFT, 3),
        ("wait=25", LEFT, 25),
        ("steps=true&wait=25", LEFT, 25),
        ("wait=25", seconds(10), 8),
        // The steps are still to be read.
        ("wait=25&steps=true", seconds(10), 6),
        ("wait=25", seconds(1), 0),
    ] {
        assert_eq!(ask("RUNNING", query, left).await, seconds(took), "{query}");
    }
    for query in ["wait=25", "wait=25&steps=true"] {
        assert_eq!(ask("FAILED", query, LEFT).await, seconds(0), "it has ended: {query}");
    }
    // What was waited for is not read once more for its steps.
    for (query, calls) in [("", 1), ("wait=25", 1), ("steps=true", 2), ("steps=true&wait=25", 2)] {
        let (aws, made) = recorded_with("FAILED");
        let event = read(&request(OPERATION, query, &[], "").to_string());
        let answer = app(&aws, &aws).handle(event, LEFT).await;
        assert_eq!((answer.status_code, made.load(Ordering::Relaxed)), (200, calls), "{query}");
    }
    // Where Step Functions never answers, all else is told.
    let ((aws, _), began) = (recorded_with("RUNNING"), Instant::now());
    let event = read(&request(OPERATION, "steps=true&wait=5", &[], "").to_string());
    let answer = app(&aws, &silent()).handle(event, seconds(10)).await;
    assert!(answer.status_code == 200 && answer.body.contains("RUNNING"), "{answer:?}");
    assert!(!answer.body.contains("\"steps\""), "{answer:?}");
    assert!(began.elapsed() < seconds(8), "{:?}", began.elapsed());
    for query in ["wait=26", "wait=-1", "wait=", "wait=1.5"] {
        let (answer, calls) = super::ask(&request(OPERATION, query, &[], "")).await;
        assert!(is(&answer, 400, "INVALID_PARAMETER"), "{query}: {answer:?}");
        assert_eq!(calls, 0, "{query}");
    }
    let (answer, _) = super::ask(&request(OPERATION, "wait=25", &[], "")).await;
    assert!(is(&answer, 404, "OPERATION_NOT_FOUND") || is(&answer, 404, "FUNCTION_NOT_FOUND"));
}

#[tokio::test]
async fn every_route_is_answered_where_there_is_nothing() {
    for route in ROUTES {
        let key = route.key();
        let (answer, _) = ask(&request(&key, "", &[], "{}")).await;
        let (status, code) = told(&answer);
        assert!(!["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"].contains(&code.as_str()), "{key}");
        assert!(status < 500, "{key}: {status} {code}");
    }
}

#[tokio::test]
async fn no_route_answers_without_a_verified_caller() {
    for route in ROUTES {
        let case = case(route.action);
        let mut event = request(&route.key(), case.query, case.headers, case.body);
        event["requestContext"]["authorizer"] = Value::Null;
        let (answer, calls) = ask(&event).await;
        assert!(is(&answer, 500, "INTERNAL_ERROR"), "{}: {answer:?}", route.key());
        assert_eq!(calls, 0, "{}", route.key());
    }
}

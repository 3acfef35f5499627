//! The door from event to answer, without a server: what API Gateway sends, what it gets back, and
//! what AWS is asked for meanwhile.

mod plans;
mod routes;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::test_util::{NeverClient, infallible_client_fn};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use formation_control::{Bundles, Control, Executions, Records};
use formation_model::function::Architecture;
use formation_model::{Defaults, StackIdentity};
use formation_resources::Comparer;
use formation_resources::role::RoleSettings;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::dispatch::{ANSWERED_BEFORE, SETTLED_BEFORE};
use crate::event::Payload;
use crate::routes::ROUTES;
use crate::{Answer, App, Event};

const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:formation";
const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
/// The time of the Lambda's whole invocation.
const LEFT: Duration = Duration::from_secs(29);

impl Payload {
    /// A request as it is read from its event.
    pub(crate) fn of(route_key: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let Event(payload) = read(&request(route_key, query, headers, body).to_string());
        payload.unwrap()
    }
}

/// The event of a request to a route, for the function `hello`.
fn request(route_key: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("fixtures/request.json")).unwrap();
    let (method, path) = route_key.split_once(' ').unwrap();
    let path = path.replace("{functionName}", "hello").replace("{operationId}", ID);
    let path = path.replace("{revision}", "1");
    event["routeKey"] = json!(route_key);
    event["rawPath"] = json!(path);
    event["rawQueryString"] = json!(query);
    event["requestContext"]["http"]["method"] = json!(method);
    event["pathParameters"] = json!({"functionName": "hello", "operationId": ID, "revision": "1"});
    for (name, value) in headers {
        event["headers"][*name] = json!(value);
    }
    if !body.is_empty() {
        event["body"] = json!(body);
    }
    event
}

/// An event as the Lambda runtime reads it.
fn read(text: &str) -> Event {
    serde::Deserialize::deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap()
}

fn config(http: SharedHttpClient) -> SdkConfig {
    let credentials = Credentials::for_tests();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .build()
}

/// The API on an AWS that is `http`, but for Step Functions, which is `machine`.
fn app(http: &SharedHttpClient, machine: &SharedHttpClient) -> App {
    let config = config(http.clone());
    let stack = StackIdentity {
        partition: "aws".to_owned(),
        region: "eu-west-1".to_owned(),
        account_id: "111122223333".to_owned(),
        stack_key: "0a1b2c3d".to_owned(),
    };
    let settings = RoleSettings {
        stack: stack.clone(),
        boundary_arn: "arn:aws:iam::111122223333:policy/boundary".to_owned(),
        has_platforms_boundary: false,
        guarded: Vec::new(),
    };
    let control = Control::new(
        stack,
        Defaults { architecture: Architecture::Arm64, ..Defaults::default() },
        Records::new(aws_sdk_dynamodb::Client::new(&config), "records"),
        Bundles::new(aws_sdk_s3::Client::new(&config), "bundles", "111122223333", Vec::new()),
        Executions::new(aws_sdk_sfn::Client::new(&self::config(machine.clone())), MACHINE),
        Comparer::new(&config, settings, String::new()),
    );
    App::new(control, "formation")
}

/// An AWS that is empty and takes everything, and the number of its calls.
fn willing() -> (SharedHttpClient, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let response = http::Response::builder().header("x-amz-version-id", "v1");
        // GetFunction: there is no function of that name.
        let response = match request.uri().path().contains("/functions/") {
            true => response.status(404).header("x-amzn-errortype", "ResourceNotFoundException"),
            false => response,
        };
        response.body("{}").unwrap()
    });
    (http, calls)
}

/// An AWS that never answers.
fn silent() -> SharedHttpClient {
    SharedHttpClient::new(NeverClient::new())
}

/// The answer to an event, and how many calls AWS got for it.
async fn ask(event: &Value) -> (Answer, usize) {
    ask_text(&event.to_string()).await
}

async fn ask_text(event: &str) -> (Answer, usize) {
    let (aws, calls) = willing();
    let answer = app(&aws, &aws).handle(read(event), LEFT).await;
    (answer, calls.load(Ordering::Relaxed))
}

fn told(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    (answer.status_code, body["code"].as_str().unwrap_or_default().to_owned())
}

fn is(answer: &Answer, status: u16, code: &str) -> bool {
    told(answer) == (status, code.to_owned())
}

#[tokio::test]
async fn an_event_as_aws_documents_it_is_answered_as_aws_documents_it() {
    let (answer, calls) = ask(&request("GET /v1/functions/{functionName}", "", &[], "")).await;
    let written = serde_json::to_value(&answer).unwrap();
    let fields: Vec<_> = written.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["statusCode", "headers", "body"]);
    assert_eq!(written["statusCode"], 404);
    assert_eq!(written["headers"], json!({"content-type": "application/problem+json"}));
    let problem: Value = serde_json::from_str(written["body"].as_str().unwrap()).unwrap();
    assert_eq!(problem["code"], "FUNCTION_NOT_FOUND");
    assert_eq!(problem["requestId"], "JKJaXmPLvHcESHA=");
    assert_eq!(calls, 1, "one look at the table");
}

#[tokio::test]
async fn the_description_tells_where_the_api_is() {
    let mut event = request("GET /v1/openapi.json", "", &[], "");
    event["pathParameters"] = Value::Null;
    for (domain, host, url) in [
        (
            json!("a1b2.execute-api.eu-west-1.amazonaws.com"),
            "a1b2",
            "https://a1b2.execute-api.eu-west-1.amazonaws.com",
        ),
        (json!("functions.example.com"), "functions.example.com", "https://functions.example.com"),
        (
            json!("a1b2.execute-api.localhost"),
            "a1b2.execute-api.localhost:4566",
            "http://a1b2.execute-api.localhost:4566",
        ),
        (Value::Null, "elsewhere", "/"),
    ] {
        event["requestContext"]["domainName"] = domain;
        event["headers"]["host"] = json!(host);
        let (answer, _) = ask(&event).await;
        assert_eq!(answer.status_code, 200, "{}", answer.body);
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(document["servers"], json!([{"url": url}]), "{host}");
    }
}

#[tokio::test]
async fn a_path_that_another_reader_would_read_otherwise_touches_nothing() {
    for route in ROUTES {
        let key = route.key();
        let good = request(&key, "", &[], "{}");
        let path = good["rawPath"].as_str().unwrap();
        for strange in [
            format!("{path}/../victim"),
            format!("{path}/%2e%2e/victim"),
            format!("{path}\\..\\victim"),
            format!("{path}%5c..%5cvictim"),
            format!("{path}%2F..%2Fvictim"),
            format!("{path}\0"),
            format!("{path}%00"),
            format!("{path}\n"),
            format!("{path}\t"),
            format!("{path}#x"),
            format!("{path};x"),
            format!("{path}/"),
            format!("/{path}"),
            format!("/.{path}"),
            path.replace("/v1/", "/v1/./"),
            path.replace("hello", "victim"),
            path.replace("functions", "%66unctions"),
        ] {
            if strange == path {
                continue;
            }
            for key in [&key, "$default"] {
                let mut event = good.clone();
                event["routeKey"] = json!(key);
                event["rawPath"] = json!(strange);
                let (answer, calls) = ask(&event).await;
                let (status, code) = told(&answer);
                // With its own name, the path is another route's, for which this is no request.
                let no_route = (status, code.as_str()) == (404, "ROUTE_NOT_FOUND")
                    || (key == "$default" && status == 405);
                assert!(no_route, "{key} {strange:?}: {status} {code}");
                assert_eq!(calls, 0, "{key} {strange:?}");
            }
        }
        // A name that no function has leads nowhere either, however well the path fits.
        for name in ["..", "hello/../victim", "hello\\..\\victim", "hello%2Fdrift", "a b"] {
            if !path.contains("hello") {
                continue;
            }
            let mut event = good.clone();
            event["rawPath"] = json!(path.replace("hello", name));
            event["pathParameters"]["functionName"] = json!(name);
            let (answer, calls) = ask(&event).await;
            assert!(is(&answer, 404, "FUNCTION_NOT_FOUND"), "{key} {name}: {answer:?}");
            assert_eq!(calls, 0, "{key} {name}");
        }
    }
}

#[tokio::test]
async fn what_matches_no_route_hears_which_methods_there_are() {
    for (method, path, allow) in [
        ("DELETE", "/v1/functions", "GET, POST"),
        ("HEAD", "/v1/functions/hello", "GET, PUT, PATCH, DELETE"),
        ("GET", "/v1/functions/hello/repair", "POST"),
    ] {
        let mut event = request(&format!("{method} {path}"), "", &[], "");
        event["routeKey"] = json!("$default");
        let (answer, calls) = ask(&event).await;
        assert!(is(&answer, 405, "METHOD_NOT_ALLOWED"), "{answer:?}");
        assert_eq!((answer.headers["allow"].as_str(), calls), (allow, 0));
    }
}

#[tokio::test]
async fn nothing_that_a_caller_sends_is_a_5xx() {
    const LIST: &str = "GET /v1/functions";
    const CREATE: &str = "POST /v1/functions";
    let odd_query = request(LIST, "prefix=\"<>&limit=1", &[], "");
    assert!(is(&ask(&odd_query).await.0, 400, "INVALID_PARAMETER"));
    let tags = "tag=a:&".repeat(49);
    for query in
        ["tag=", "tag=team", "tag=:a", "tag=a:1&tag=", &format!("tag=a:{}", "x".repeat(384)), &tags]
    {
        let (answer, calls) = ask(&request(LIST, query, &[], "")).await;
        assert!(is(&answer, 400, "INVALID_PARAMETER"), "{query}: {answer:?}");
        assert_eq!(calls, 0, "{query}");
    }
    for query in ["\"", "<>", "a=\u{1}", "%", "%zz=%", "prefix=%ff", "=", "prefix=%00", "&&limit"] {
        let (answer, calls) = ask(&request(LIST, query, &[], "")).await;
        assert!(is(&answer, 400, "INVALID_PARAMETER"), "{query}: {answer:?}");
        assert_eq!(calls, 0, "{query}");
    }
    for (name, value) in [
        ("x-forwarded-proto", "1"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-port", "many"),
        ("host", "\u{1}"),
        ("cookie", "\u{1}\u{7f}"),
        ("x-\u{e4}", "\u{0}"),
        ("", ""),
    ] {
        let (answer, _) = ask(&request(LIST, "", &[(name, value)], "")).await;
        assert_eq!(answer.status_code, 200, "{name}: {value:?}");
    }
    for (name, value, status) in [
        ("idempotency-key", "\u{1}", 400),
        ("if-match", "\u{e4}", 400),
        ("if-none-match", "\u{0}", 400),
        ("content-type", "\u{1}", 415),
    ] {
        let (answer, calls) = ask(&request(CREATE, "", &[(name, value)], "{}")).await;
        assert_eq!((answer.status_code, calls), (status, 0), "{name}: {value:?}");
    }
    for token in ["e30", "%00", "bnVsbA"] {
        let (answer, calls) = ask(&request(LIST, &format!("nextToken={token}"), &[], "")).await;
        assert!(is(&answer, 400, "INVALID_NEXT_TOKEN"), "{token}");
        assert_eq!(calls, 0, "{token}");
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_answered() {
    let good = request("GET /v1/functions", "", &[], "");
    for (pointer, value) in [
        ("/rawPath", json!(1)),
        ("/headers", json!(["a"])),
        ("/headers/host", json!({"a": 1})),
        ("/body", json!(["a"])),
        ("/requestContext", json!("a")),
        ("/pathParameters", json!(1)),
    ] {
        let mut event = good.clone();
        event[pointer.split('/').nth(1).unwrap()] = Value::Null;
        if let Some(field) = event.pointer_mut(pointer) {
            *field = value;
        } else {
            event["headers"] = json!({"host": value});
        }
        let (answer, calls) = ask(&event).await;
        assert!(is(&answer, 400, "INVALID_PARAMETER"), "{pointer}: {answer:?}");
        assert_eq!(calls, 0);
    }
    for text in ["[1,2]", "null", "\"\\ud800\"", r#"{"rawPath":"\ud800"}"#, "{\"rawPath\":\"a"] {
        let (answer, _) = ask_text(text).await;
        assert!(is(&answer, 400, "INVALID_PARAMETER"), "{text}: {answer:?}");
    }
    // What is left out is nothing.
    for text in ["{}", r#"{"routeKey":"$default"}"#, r#"{"routeKey":"GET /v1/functions"}"#] {
        assert!(is(&ask_text(text).await.0, 404, "ROUTE_NOT_FOUND"), "{text}");
    }
}

#[tokio::test]
async fn what_nobody_authorised_is_not_done() {
    for route in ROUTES {
        let key = route.key();
        for authorizer in [json!(null), json!({}), json!({"iam": {}}), json!({"jwt": {"sub": "a"}})]
        {
            let mut event = request(&key, "", &[], "{}");
            event["requestContext"]["authorizer"] = authorizer;
            let (answer, calls) = ask(&event).await;
            assert!(is(&answer, 500, "INTERNAL_ERROR"), "{key}: {answer:?}");
            assert_eq!(calls, 0, "{key}");
        }
    }
}

#[tokio::test]
async fn a_body_in_base64_is_the_same_body() {
    let body = r#"{"functionName": "hello", "memoryMegabytes": 1, "code": "x"}"#;
    let plain = request("POST /v1/functions", "", &[], body);
    let mut encoded = plain.clone();
    encoded["body"] = json!(STANDARD.encode(body));
    encoded["isBase64Encoded"] = json!(true);
    let ((plain, _), (encoded, _)) = (ask(&plain).await, ask(&encoded).await);
    assert!(is(&plain, 422, "INVALID_FUNCTION"), "{plain:?}");
    assert_eq!(plain.body, encoded.body);

    let mut broken = request("POST /v1/functions", "", &[], "%");
    broken["isBase64Encoded"] = json!(true);
    assert!(is(&ask(&broken).await.0, 400, "MALFORMED_JSON"));
}

fn create(query: &str) -> Event {
    let body = r#"{"functionName": "hello", "code": "export const handler = async () => 1;"}"#;
    read(&request("POST /v1/functions", query, &[], body).to_string())
}

#[tokio::test(start_paused = true)]
async fn whatever_aws_does_there_is_an_answer_before_the_invocation_ends() {
    let (willing, _) = willing();
    for left in [LEFT, Duration::from_secs(5), Duration::ZERO] {
        let began = Instant::now();
        let answer = app(&silent(), &willing).handle(create("wait=25"), left).await;
        assert!(is(&answer, 503, "SERVICE_UNAVAILABLE"), "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(began.elapsed(), left.saturating_sub(ANSWERED_BEFORE));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_is_told_even_where_its_start_hangs() {
    let (willing, _) = willing();
    for query in ["", "wait=25"] {
        let began = Instant::now();
        let answer = app(&willing, &silent()).handle(create(query), LEFT).await;
        assert_eq!(answer.status_code, 202, "{answer:?}");
        assert!(
            answer.headers["operation-location"].starts_with("/v1/functions/hello/operations/")
        );
        assert!(began.elapsed() <= LEFT - SETTLED_BEFORE);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_waited_for_until_the_invocation_is_about_to_end() {
    // The table holds no operation to look at, so each look fails.
    let (willing, calls) = willing();
    let left = Duration::from_secs(10);
    let began = Instant::now();
    let answer = app(&willing, &willing).handle(create("wait=25"), left).await;
    assert_eq!((answer.status_code, began.elapsed()), (202, left - SETTLED_BEFORE));
    assert!(calls.load(Ordering::Relaxed) > 5, "it was looked at again and again");
    let began = Instant::now();
    let answer = app(&willing, &willing).handle(create("wait=3"), LEFT).await;
    assert_eq!((answer.status_code, began.elapsed()), (202, Duration::from_secs(3)));
}

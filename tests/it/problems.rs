//! What is refused, and how; and what nobody is told.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

use crate::moments::at_call;
use crate::requests::FUNCTIONS;

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
        (Method::GET, "/v1/nothing", &[], b"", 404, "ROUTE_NOT_FOUND"),
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
        let answer = world.api_raw(method.clone(), path, headers, body.to_vec()).await;
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
    let answer = world.api_raw(Method::POST, FUNCTIONS, &headers, "{}").await;
    assert_eq!(answer.json()["code"], "INVALID_PARAMETER");
    let unknown = json!({"functionName": "a", "code": "x", "memory": 1});
    let answer = world.api(Method::POST, FUNCTIONS, Some(&unknown)).await.json();
    assert_eq!(answer["errors"][0]["pointer"], "/memory");
    assert_eq!(answer["errors"][0]["code"], "UNKNOWN_FIELD");
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
    at_call(world, &name, &accepted.read(), 3).await;
    world.ended(&accepted).await;
    let leaks = |text: &str| text.contains(&secret) || text.contains("leak");
    let location = accepted.header("operation-location");
    assert!(!leaks(accepted.text()), "{accepted:?}");
    for path in [location, &format!("{location}?steps=true")] {
        let answer = world.api(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!leaks(answer.text()), "{answer:?}");
    }
    let mut lines = 0;
    for group in ["formation-api", "ensure-function", "record-failure"] {
        for line in world.log_of(group, "").await {
            assert!(!leaks(&line), "{group}: {line}");
            // Lambda's own lines (START, END, REPORT) are no JSON here.
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            lines += usize::from(line.to_string().contains(&name));
        }
    }
    assert!(lines > 0, "the log tells nothing of {name}");
}

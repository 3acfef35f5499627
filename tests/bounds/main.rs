//! No input is dearer than its size: the two Lambdas that read what others wrote get the largest and
//! most unpleasant bodies, batches and events that Lambda lets through, and use at most half of the
//! memory that the template gives them; and intake answers in time.
//!
//! Each program runs as it is deployed, against a stand-in for Lambda's Runtime API and for AWS. Its
//! peak is what Linux says (`VmHWM` of `/proc/PID/status`).

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "these are tests")]

mod lambda;

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::lambda::{Answer, CODE_BUCKET, Lambda, NEVER_ANSWERED, NOT_THERE};

/// The most that Lambda hands to a function, in bytes.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const LARGEST_EVENT: usize = 6 * 1024 * 1024;
/// What is left of it for the frame around bodies.
const FRAME: usize = 16 * 1024;
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.
const LARGEST_MESSAGE: usize = 1024 * 1024;
/// Answers and announcements stay below it: Lambda takes 6 MB, and EventBridge 256 KB.
const SMALL: usize = 200 * 1000;

/// As long as the slower of the two Lambdas may take.
const TIME: Duration = Duration::from_secs(30);

/// How long a text is as a JSON string in another document.
fn escaped(text: &str) -> usize {
    serde_json::to_string(text).unwrap().len()
}

/// `before`, as many pieces as fit into `bytes` of an event, and `after`.
fn filled(bytes: usize, before: &str, piece: impl Fn(usize) -> String, after: &str) -> String {
    let mut text = before.to_owned();
    let mut room = bytes - escaped(before) - escaped(after);
    for number in 0.. {
        let piece = piece(number);
        let taken = escaped(&piece) - 2;
        if taken > room {
            break;
        }
        room -= taken;
        text.push_str(&piece);
    }
    text + after
}

/// Functions of that size in an event which are refused before anything is asked of AWS, and how.
fn hostile_functions(bytes: usize) -> Vec<(&'static str, u16, String)> {
    let fill = |before: &str, piece: &dyn Fn(usize) -> String, after: &str| {
        filled(bytes, before, piece, after)
    };
    let same = |piece: &'static str| move |_| piece.repeat(20);
    let levels = bytes / 2 - 50;
    let (begin, end) = ("[".repeat(levels), "]".repeat(levels));
    vec![
        (
            "small arrays in a field",
            422,
            fill(r#"{"functionName":"m","code":["#, &same("[0],"), "0]}"),
        ),
        (
            "small arrays in an unknown field",
            422,
            fill(r#"{"functionName":"m","code":"x","x":["#, &same("[],"), "0]}"),
        ),
        (
            "small objects in a field",
            422,
            fill(r#"{"functionName":"m","code":["#, &same(r#"{"":{}},"#), "0]}"),
        ),
        ("arrays instead of a function", 422, fill("[", &same("[[]],"), "0]")),
        (
            "unknown fields",
            422,
            fill(r#"{"functionName":"m","code":"x""#, &|n| format!(r#","{n:x}":0"#), "}"),
        ),
        (
            "keys in one unknown field",
            422,
            fill(r#"{"functionName":"m","x":{"":0"#, &|n| format!(r#","{n:x}":0"#), "}}"),
        ),
        (
            "one key, over and over",
            400,
            fill(r#"{"functionName":"m","code":{"a":0"#, &same(r#","a":0"#), "}}"),
        ),
        (
            "bad environment variables",
            422,
            fill(
                r#"{"functionName":"m","code":"x","environment":{"0":"""#,
                &|n| format!(r#","1{n:x}":"""#),
                "}}",
            ),
        ),
        (
            "as many bad variables as are read",
            422,
            fill(
                r#"{"functionName":"m","code":"x","environment":{"0":"""#,
                &|n| format!(r#","{n}{}":"""#, "x".repeat(bytes / 9000)),
                "}}",
            ),
        ),
        ("one long key", 422, fill(r#"{"functionName":"m",""#, &same("ä"), r#"":0}"#)),
        (
            "one long key of a variable",
            422,
            fill(
                r#"{"functionName":"m","code":"x","environment":{""#,
                &same("\\u0001"),
                r#"":0}}"#,
            ),
        ),
        (
            "long code of escapes",
            422,
            fill(r#"{"functionName":"m m","code":""#, &same("\\n"), r#""}"#),
        ),
        ("deep nesting", 400, format!(r#"{{"functionName":"m","code":{begin}{end}}}"#)),
        (
            "one long number",
            422,
            fill(r#"{"functionName":"m","code":"x","memoryMegabytes":1"#, &same("7"), "}"),
        ),
        (
            "no zip archive",
            422,
            fill(r#"{"functionName":"m","code":{"zipFile":""#, &same("AAAA"), r#""}}"#),
        ),
    ]
}

fn request(body: &str, base64: bool) -> String {
    request_to("/v1/functions", body, base64)
}

/// A POST to a path that names nothing.
fn request_to(path: &str, body: &str, base64: bool) -> String {
    let route = format!("POST {path}");
    let iam = json!({
        "accessKey": "AKIAIOSFODNN7EXAMPLE", "accountId": "111122223333", "callerId": "AIDAEXAMPLE",
        "cognitoIdentity": null, "principalOrgId": null,
        "userArn": "arn:aws:iam::111122223333:user/ann", "userId": "AIDAEXAMPLE",
    });
    let headers = json!({
        "content-type": "application/json", "host": "a1.execute-api.eu-west-1.amazonaws.com",
        "idempotency-key": "k", "x-forwarded-proto": "https",
    });
    let event = json!({
        "version": "2.0", "routeKey": route, "rawPath": path,
        "rawQueryString": "", "headers": headers, "isBase64Encoded": base64, "body": body,
        "requestContext": {
            "accountId": "111122223333", "apiId": "a1", "authorizer": {"iam": iam},
            "domainName": "a1.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "a1",
            "http": {
                "method": "POST", "path": path, "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1", "userAgent": "curl",
            },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": route, "stage": "$default",
            "time": "25/Nov/2026:17:00:00 +0000", "timeEpoch": 1_795_626_000_000_u64,
        },
    });
    let event = event.to_string();
    assert!(event.len() <= LARGEST_EVENT, "{} bytes", event.len());
    event
}

/// Sends an event twice, so that nothing is left of the first that counts, and answers the second.
async fn sent(binary: &str, resource: &str, what: &str, event: &str) -> Answer {
    let mut lambda = Lambda::start(binary, resource).await;
    lambda.invoke(event, TIME).await;
    let answer = lambda.invoke(event, TIME).await;
    let (peak, memory) = (lambda.peak(), lambda.memory);
    let megabytes = peak / (1024 * 1024);
    println!("{binary}: {megabytes} MB of {} for {what}", memory / (1024 * 1024));
    assert!(peak <= memory / 2, "{binary} needs {megabytes} MB for {what}");
    answer
}

#[tokio::test]
async fn the_api_needs_at_most_half_of_its_memory_for_any_body() {
    let mut cases: Vec<_> = hostile_functions(LARGEST_EVENT - FRAME)
        .into_iter()
        .map(|(what, status, body)| (what, Some(status), request(&body, false)))
        .collect();
    let (_, status, body) = hostile_functions((LARGEST_EVENT - FRAME) / 4 * 3 - 4096).remove(0);
    cases.push(("base64", Some(status), request(&STANDARD.encode(&body), true)));
    // What is accepted needs AWS, which refuses everything here.
    let code = format!(r#"{{"functionName":"m","code":"{}"}}"#, "x".repeat(3_000_000));
    cases.push(("long code that is good", None, request(&code, false)));
    for (what, status, event) in cases {
        let answer = sent("formation-api", "ApiFunction", what, &event).await;
        let response: Value = serde_json::from_slice(&answer.body).unwrap();
        let body = response["body"].as_str().unwrap();
        if let Some(status) = status {
            assert_eq!(response["statusCode"], status, "{what}: {body:.500}");
        }
        assert!(answer.body.len() < SMALL, "{what}: {} bytes", answer.body.len());
    }
}

#[tokio::test]
async fn the_api_needs_at_most_half_of_its_memory_for_any_plan() {
    // As many as are planned at once; and as many as there may be, of those that have much to be told.
    for (count, telling) in [(8, ""), (100, "variables")] {
        let bytes = (LARGEST_EVENT - FRAME) / count - 2 - NOT_THERE.len() - 2;
        let cases =
            hostile_functions(bytes).into_iter().filter(|(what, ..)| what.contains(telling));
        for (what, status, function) in cases {
            // Each has a name of its own, where it has one, and is read to its end.
            let named = |n| function.replacen(r#""m""#, &format!(r#""{NOT_THERE}{n}""#), 1);
            let functions = (0..count).map(named).collect::<Vec<_>>().join(",");
            let event = request_to("/v1/plan", &format!(r#"{{"functions":[{functions}]}}"#), false);
            let what = format!("a plan of {count}: {what}");
            let answer = sent("formation-api", "ApiFunction", &what, &event).await;
            let response: Value = serde_json::from_slice(&answer.body).unwrap();
            let body = response["body"].as_str().unwrap();
            let expected = if status == 400 { 400 } else { 200 };
            assert_eq!(response["statusCode"], expected, "{what}: {body:.500}");
            assert!(answer.body.len() < LARGEST_EVENT, "{what}: {} bytes", answer.body.len());
            if expected == 200 {
                let body: Value = serde_json::from_str(body).unwrap();
                let plans = body["plans"].as_array().unwrap();
                assert_eq!(plans.len(), count, "{what}");
                assert!(plans.iter().all(|it| it["errors"][0].is_object()), "{what}: {body:.500}");
            }
        }
    }
}

/// An archive of one file, which is not compressed.
fn stored(bytes: usize) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    archive.start_file("index.mjs", options).unwrap();
    archive.write_all(&vec![b' '; bytes]).unwrap();
    archive.finish().unwrap().into_inner()
}

/// The largest that Lambda allows, in a quarter of a megabyte: one file of spaces. What writes archives
/// for the product compresses nothing.
fn bomb() -> Vec<u8> {
    const NAME: &[u8] = b"index.mjs";
    const SIZE: u32 = 262_144_000;
    let (mut crc, piece) = (Crc::new(), [b' '; 64_000]);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    for _ in 0..SIZE / 64_000 {
        crc.update(&piece);
        encoder.write_all(&piece).unwrap();
    }
    let deflated = encoder.finish().unwrap();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    // Version, flags, method, time and date, and what both headers tell after them.
    let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0];
    common.extend(crc.sum().to_le_bytes());
    common.extend(length(&deflated));
    common.extend(SIZE.to_le_bytes());
    common.extend(&length(NAME)[..2]);
    common.extend([0, 0]);
    let local = [b"PK\x03\x04", &common[..], NAME, &deflated].concat();
    let listed = [b"PK\x01\x02", &[20, 0][..], &common, &[0; 14], NAME].concat();
    let end =
        [b"PK\x05\x06", &[0, 0, 0, 0, 1, 0, 1, 0][..], &length(&listed), &length(&local), &[0, 0]]
            .concat();
    [local, listed, end].concat()
}

/// Requests to plan so many functions that are not there, all with that code.
fn plan_of(count: usize, code: &Value) -> String {
    let function = |n| json!({"functionName": format!("{NOT_THERE}{n}"), "code": code});
    let functions: Vec<_> = (0..count).map(function).collect();
    request_to("/v1/plan", &json!({"functions": functions}).to_string(), false)
}

/// The plans of an answer.
fn plans(answer: &Answer) -> Vec<Value> {
    let response: Value = serde_json::from_slice(&answer.body).unwrap();
    let body = response["body"].as_str().unwrap();
    assert_eq!(response["statusCode"], 200, "{body:.500}");
    let body: Value = serde_json::from_str(body).unwrap();
    body["plans"].as_array().unwrap().clone()
}

/// How many there is the time for depends on the machine.
fn check_planned_or_stopped(plans: &[Value]) {
    for plan in plans {
        let error = &plan["errors"][0];
        let is_stopped = error["code"] == "SERVICE_UNAVAILABLE"
            && error["detail"].as_str().unwrap().contains("fewer beside it");
        assert!(plan["kind"] == "CREATE" || is_stopped, "{plan}");
    }
}

fn object() -> Value {
    json!({"s3Bucket": CODE_BUCKET, "s3Key": "code.zip"})
}

#[tokio::test]
async fn the_api_needs_at_most_half_of_its_memory_for_as_many_objects_as_are_read_at_once() {
    let largest = stored(8 * 1024 * 1024 - 1024);
    let mut lambda = Lambda::start_with("formation-api", "ApiFunction", largest.into()).await;
    let answer = lambda.invoke(&plan_of(8, &object()), TIME).await;
    let plans = plans(&answer);
    assert!(plans.iter().any(|plan| plan["kind"] == "CREATE"), "{}", plans[0]);
    check_planned_or_stopped(&plans);
    let (peak, memory) = (lambda.peak(), lambda.memory);
    println!("formation-api: {peak} bytes of {memory} for objects");
    assert!(peak <= memory / 2, "it needs {peak} bytes");
}

#[tokio::test]
async fn a_body_full_of_well_compressed_archives_is_answered_in_time_and_memory() {
    let code = json!({"zipFile": STANDARD.encode(bomb())});
    let count = (LARGEST_EVENT - FRAME) / (code.to_string().len() + 100);
    assert!(count > 8, "{count}");
    let began = Instant::now();
    let answer = sent("formation-api", "ApiFunction", "archives", &plan_of(count, &code)).await;
    assert!(began.elapsed() < 2 * TIME, "{:?}", began.elapsed());
    let plans = plans(&answer);
    assert_eq!(plans.len(), count);
    check_planned_or_stopped(&plans);
    assert!(plans.iter().any(|plan| plan["kind"] == "CREATE"), "{}", plans[0]);
}

#[tokio::test]
async fn a_few_bytes_that_name_many_archives_cost_little_of_the_processors_time() {
    let event = plan_of(100, &object());
    assert!(event.len() < 16_000, "{} bytes", event.len());
    let mut lambda = Lambda::start_with("formation-api", "ApiFunction", bomb().into()).await;
    let began = Instant::now();
    let answer = lambda.invoke(&event, TIME).await;
    assert!(began.elapsed() < TIME / 2, "{:?}", began.elapsed());
    let plans = plans(&answer);
    assert!(plans.iter().any(|plan| plan["kind"] == "CREATE"), "{}", plans[0]);
    check_planned_or_stopped(&plans);
}

/// A message as Lambda takes it from the queue.
fn message(id: &str, detail: &str) -> Value {
    let event = format!(
        r#"{{"version":"0","id":"event-{id}","detail-type":"Formation Operation Request","source":"acme.builds","account":"111122223333","detail":{detail}}}"#
    );
    assert!(event.len() <= LARGEST_MESSAGE, "{} bytes", event.len());
    json!({
        "messageId": id, "receiptHandle": "r", "body": event, "md5OfBody": "", "messageAttributes": {},
        "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:requests", "awsRegion": "eu-west-1",
    })
}

fn create(function: &str) -> String {
    format!(r#"{{"kind":"CREATE","function":{function}}}"#)
}

/// The problem that goes with a status of [`hostile_functions`].
fn code(status: u16) -> &'static str {
    if status == 400 { "MALFORMED_JSON" } else { "INVALID_FUNCTION" }
}

/// Whether the events that were announced are as many rejections of that code, and small.
fn check_rejections(what: &str, answer: &Answer, expected: usize, code: &str) {
    let announced: Vec<_> = answer.calls("AWSEvents.PutEvents").collect();
    assert_eq!(announced.len(), expected, "{what}");
    for call in announced {
        let detail = call["Entries"][0]["Detail"].as_str().unwrap();
        assert!(detail.len() < SMALL, "{what}: {} bytes", detail.len());
        let detail: Value = serde_json::from_str(detail).unwrap();
        assert_eq!(detail["status"], "REJECTED", "{what}: {detail:#}");
        assert_eq!(detail["problem"]["code"], code, "{what}: {detail:#}");
    }
}

#[tokio::test]
async fn intake_needs_at_most_half_of_its_memory_for_any_event() {
    for (what, status, function) in hostile_functions(LARGEST_MESSAGE - FRAME) {
        let event = json!({"Records": [message("m", &create(&function))]}).to_string();
        let answer = sent("intake", "IntakeFunction", what, &event).await;
        check_rejections(what, &answer, 1, code(status));
    }
}

#[tokio::test]
async fn intake_needs_at_most_half_of_its_memory_for_any_batch_and_the_innocent_do_not_suffer() {
    // As few as are large, and as many as a batch has.
    for others in [5, 9] {
        let bytes = (LARGEST_EVENT - 2 * FRAME) / others - FRAME;
        for (what, status, function) in hostile_functions(bytes.min(LARGEST_MESSAGE - FRAME)) {
            let mut messages: Vec<_> = (0..others)
                .map(|number| message(&number.to_string(), &create(&function)))
                .collect();
            let innocent = json!({"kind": "DELETE", "function": {"functionName": "a"}});
            messages.insert(others / 2, message("innocent", &innocent.to_string()));
            let event = json!({"Records": messages}).to_string();
            assert!(event.len() <= LARGEST_EVENT, "{} bytes", event.len());
            let answer = sent("intake", "IntakeFunction", what, &event).await;
            check_rejections(what, &answer, others, code(status));
            // The stand-in for DynamoDB refuses it, so it comes again, and no other.
            let response: Value = serde_json::from_slice(&answer.body).unwrap();
            let failures = response["batchItemFailures"].as_array().unwrap();
            assert_eq!(failures.len(), 1, "{what}: {response:#}");
            assert_eq!(failures[0]["itemIdentifier"], "innocent");
        }
    }
}

#[tokio::test]
async fn a_batch_is_answered_before_its_time_is_over() {
    let request = |name| json!({"kind": "DELETE", "function": {"functionName": name}}).to_string();
    let mut messages: Vec<_> =
        (0..9).map(|number| message(&number.to_string(), &request(NEVER_ANSWERED))).collect();
    messages.insert(0, message("rejected", &request("no name")));
    let event = json!({"Records": messages}).to_string();
    let mut lambda = Lambda::start("intake", "IntakeFunction").await;
    let (began, time) = (Instant::now(), Duration::from_secs(3));
    let answer = lambda.invoke(&event, time).await;
    assert!(began.elapsed() < time, "{:?}", began.elapsed());
    let response: Value = serde_json::from_slice(&answer.body).unwrap();
    let failures = response["batchItemFailures"].as_array().unwrap();
    let mut failed: Vec<_> =
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
}

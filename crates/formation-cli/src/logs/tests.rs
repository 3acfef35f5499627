//! CloudWatch Logs with all that it may answer, and records of Lambda's as its guide shows them.

use std::convert::Infallible;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::record::{Kind, read};
use super::*;
use crate::testing::{Fate, Stub, answer, refusal, reply};

fn event(timestamp: i64, id: &str) -> Value {
    json!({"eventId": id, "timestamp": timestamp, "message": id, "logStreamName": "s"})
}

fn page(events: &[Value], next: Option<&str>) -> Fate {
    answer(200, &json!({"events": events, "nextToken": next, "searchedLogStreams": []}))
}

fn tail(stub: &Stub, names: &[&str], since: i64, filter: Filter) -> Tail {
    let sources = names.iter().map(|name| Source {
        name: name.parse().unwrap(),
        log_group: format!("/aws/lambda/{name}"),
    });
    let logs = stub.connected().aws.service("logs").unwrap();
    Tail::new(logs, sources.collect(), Timestamp::from_millisecond(since).unwrap(), filter)
}

/// What is shown, and what is heard, of the log of `hello`.
async fn shown(stub: &Stub, filter: Filter) -> (Vec<String>, Vec<String>) {
    let (mut shown, mut heard) = (Vec::new(), Vec::new());
    let show = |event: Shown| {
        shown.push(event.event.message);
        Ok::<_, Infallible>(true)
    };
    let hear = async |_: &FunctionName, what: Heard<'_>| {
        heard.push(format!("{what:?}"));
        true
    };
    tail(stub, &["hello"], 1000, filter).read(show, hear).await.unwrap();
    (shown, heard)
}

/// Follows the log of `hello` until so many events, and things heard, have come.
async fn followed(
    stub: &Stub,
    since: i64,
    events: usize,
    most_heard: usize,
) -> (Vec<String>, Vec<String>) {
    let (mut shown, mut heard) = (Vec::new(), Vec::new());
    let show = |event: Shown| {
        shown.push(event.event.message);
        Ok::<_, Infallible>(shown.len() < events)
    };
    let hear = async |_: &FunctionName, what: Heard<'_>| {
        heard.push(match what {
            Heard::Trouble(error) => format!("trouble {}", error.code()),
            Heard::Refused(error) => format!("refused {}", error.code()),
        });
        heard.len() < most_heard
    };
    tail(stub, &["hello"], since, Filter::default()).follow(show, hear).await.unwrap();
    (shown, heard)
}

#[tokio::test]
async fn empty_pages_lead_on_and_an_event_in_two_pages_is_shown_once() {
    let stub = Stub::start_with(|before, _| match before {
        0 => page(&[], Some("1")),
        1 => page(&[event(1001, "a"), event(1002, "b")], Some("2")),
        2 => page(&[], Some("3")),
        3 => page(&[event(1002, "b"), event(1003, "c")], None),
        _ => panic!("there are no more pages"),
    });
    let (shown, heard) = shown(&stub, Filter::default()).await;
    assert_eq!((shown, heard.len()), (vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], 0));
    let seen = stub.asked();
    let tokens: Vec<_> = seen.iter().map(|seen| seen.json()["nextToken"].clone()).collect();
    assert_eq!(tokens, [json!(null), json!("1"), json!("2"), json!("3")]);
    for seen in seen {
        assert_eq!(seen.line, "POST /");
        assert!(seen.head.contains("x-amz-target: Logs_20140328.FilterLogEvents"), "{seen:?}");
        assert!(seen.head.contains("/eu-west-1/logs/aws4_request"), "{seen:?}");
        let asked = (&seen.json()["logGroupName"], &seen.json()["startTime"]);
        assert_eq!(asked, (&json!("/aws/lambda/hello"), &json!(1000)));
        assert!(seen.json()["endTime"].is_i64() && seen.json().get("filterPattern").is_none());
    }
}

#[tokio::test]
async fn a_token_that_leads_to_itself_ends_the_pages() {
    let stub = Stub::start_with(|_, _| page(&[event(1001, "a")], Some("1")));
    assert_eq!(shown(&stub, Filter::default()).await.0, ["a"]);
    assert_eq!(stub.asked().len(), 2);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let stub = Stub::start_with(|before, _| match before {
        0 => refusal(400, "ThrottlingException"),
        1 => Fate::Answered(reply(502, "<html>")),
        2 => refusal(503, "ServiceUnavailableException"),
        3 => Fate::Lost,
        _ => page(&[event(1001, "a")], None),
    });
    let (shown, heard) = shown(&stub, Filter::default()).await;
    assert_eq!((shown, heard.len(), stub.asked().len()), (vec!["a".to_owned()], 0, 5));
}

#[tokio::test]
async fn what_does_not_pass_is_heard_at_once() {
    for code in ["ResourceNotFoundException", "AccessDeniedException", "ExpiredTokenException"] {
        let stub = Stub::start_with(move |_, _| refusal(400, code));
        let (shown, heard) = shown(&stub, Filter::default()).await;
        assert_eq!((shown.len(), heard.len(), stub.asked().len()), (0, 1, 1));
        assert!(heard[0].starts_with("Refused") && heard[0].contains(code), "{heard:?}");
    }
}

#[tokio::test]
async fn several_logs_are_one_in_the_order_of_time() {
    let stub = Stub::start_with(|_, seen| {
        let asked = seen.json();
        match (asked["logGroupName"].as_str().unwrap(), asked["nextToken"].as_str()) {
            ("/aws/lambda/one", None) => page(&[event(1001, "1"), event(1004, "4")], Some("a")),
            ("/aws/lambda/one", Some("a")) => page(&[event(1005, "5"), event(1008, "8")], None),
            ("/aws/lambda/two", None) => page(&[event(1002, "2"), event(1003, "3")], Some("b")),
            ("/aws/lambda/two", Some("b")) => page(&[], Some("c")),
            ("/aws/lambda/two", Some("c")) => page(&[event(1006, "6"), event(1007, "7")], None),
            _ => refusal(400, "ResourceNotFoundException"),
        }
    });
    let (mut shown, mut heard) = (Vec::new(), Vec::new());
    let show = |event: Shown| {
        shown.push(format!("{} {}", event.function, event.event.message));
        Ok::<_, Infallible>(true)
    };
    let hear = async |name: &FunctionName, _: Heard<'_>| {
        heard.push(name.to_string());
        false
    };
    let mut tail = tail(&stub, &["one", "gone", "two"], 1000, Filter::default());
    tail.read(show, hear).await.unwrap();
    let expected = ["one 1", "two 2", "two 3", "one 4", "one 5", "two 6", "two 7", "one 8"];
    assert_eq!(
        (shown.as_slice(), heard),
        (&expected.map(str::to_owned)[..], vec!["gone".to_owned()])
    );
}

#[tokio::test]
async fn nothing_is_asked_for_when_nobody_reads_on() {
    let stub = Stub::start_with(|_, _| page(&[event(1001, "a"), event(1002, "b")], Some("1")));
    assert_eq!(followed(&stub, 1000, 1, 1).await.0, ["a"]);
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn what_comes_late_is_shown_and_nothing_is_shown_twice() {
    let now = Timestamp::now().as_millisecond();
    let all = [event(now - 3000, "a"), event(now - 1000, "b"), event(now - 2000, "late")];
    let stub = Stub::start_with(move |before, seen| {
        let there = if before == 0 { &all[..2] } else { &all[..] };
        let since = seen.json()["startTime"].as_i64().unwrap();
        let mut there: Vec<_> =
            there.iter().filter(|it| it["timestamp"].as_i64() >= Some(since)).cloned().collect();
        there.sort_by_key(|it| it["timestamp"].as_i64());
        page(&there, None)
    });
    let (shown, _) = followed(&stub, now - 600_000, 3, 1).await;
    assert_eq!(shown, ["a", "b", "late"]);
    let seen = stub.asked();
    let since: Vec<_> = seen.iter().map(|it| it.json()["startTime"].as_i64().unwrap()).collect();
    assert_eq!(since, [now - 600_000, now - 11_000]);
    assert!(seen.iter().all(|it| it.json().get("endTime").is_none()));
}

#[tokio::test]
async fn an_outage_is_told_once_and_lasts_no_longer_than_it_does() {
    // Five tries make a look.
    let stub = Stub::start_with(|before, _| match before {
        0..10 => refusal(400, "ThrottlingException"),
        _ => page(&[event(1001, "a")], None),
    });
    let (shown, heard) = followed(&stub, 1000, 1, 9).await;
    assert_eq!(
        (shown, heard),
        (vec!["a".to_owned()], vec!["trouble ThrottlingException".to_owned()])
    );
}

#[tokio::test]
async fn credentials_that_end_while_it_is_followed_end_it() {
    let stub = Stub::start_with(|before, _| match before {
        0 => page(&[event(1001, "a")], None),
        _ => refusal(400, "ExpiredTokenException"),
    });
    let (shown, heard) = followed(&stub, 1000, 9, 1).await;
    assert_eq!(
        (shown, heard),
        (vec!["a".to_owned()], vec!["refused ExpiredTokenException".to_owned()])
    );
}

#[tokio::test]
async fn what_code_prints_belongs_to_the_invocation_that_its_environment_is_at() {
    let of = |timestamp, stream: &str, message: &str| {
        let id = format!("{timestamp}");
        json!({"eventId": id, "timestamp": timestamp, "message": message, "logStreamName": stream})
    };
    let events = [
        of(1001, "s", "START RequestId: one Version: 7\n"),
        of(1002, "t", "START RequestId: two Version: 7\n"),
        of(1003, "s", "printed (once)\n"),
        of(1004, "t", "printed by two\n"),
        of(1005, "s", "END RequestId: one\n"),
        of(1006, "s", "REPORT RequestId: one\tDuration: 1.00 ms\n"),
        of(1007, "s", "printed by nobody\n"),
    ];
    let stub = Stub::start_with(move |_, _| page(&events, None));
    let filter = |text: Option<&str>, id: Option<&str>| Filter {
        text: text.map(str::to_owned),
        request_id: id.map(str::to_owned),
    };
    let (of_one, _) = shown(&stub, filter(None, Some("one"))).await;
    assert_eq!(of_one.len(), 4, "{of_one:?}");
    assert_eq!(of_one[1], "printed (once)\n");
    // As text, and not as a pattern.
    assert_eq!(shown(&stub, filter(Some("(once)"), None)).await.0, ["printed (once)\n"]);
    assert_eq!(shown(&stub, filter(Some("Printed"), None)).await.0.len(), 0);
    assert_eq!(shown(&stub, filter(Some("printed"), Some("two"))).await.0, ["printed by two\n"]);
}

fn plain(message: &str) -> Option<String> {
    let shown = of(message);
    let line = shown.line(std::slice::from_ref(&shown.function))?;
    let line = anstream::adapter::strip_str(&line).to_string();
    Some(line.strip_prefix("2026-11-26T09:30:00.123Z ").unwrap().to_owned())
}

fn of(message: &str) -> Shown {
    let event = Event {
        timestamp: "2026-11-26T09:30:00.123Z".parse::<Timestamp>().unwrap().as_millisecond(),
        message: message.to_owned(),
        ..Event::default()
    };
    let record = read(message);
    let (request_id, record) = (record.request_id, record.kind);
    Shown { function: "hello".parse().unwrap(), event, record, request_id }
}

const ID: &str = "8f507cfc-xmpl-4697-b07a-ac58fc914c95";

// Source: <https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html> and those of other runtimes.
#[test]
fn records_in_text_are_folded() {
    for (message, expected) in [
        (format!("START RequestId: {ID} Version: $LATEST\n"), None),
        (format!("END RequestId: {ID}\n"), None),
        ("INIT_START Runtime Version: nodejs:20.v30\tRuntime Version ARN: arn:aws:lambda:eu-central-1::runtime:0\n".to_owned(), None),
        (
            format!(
                "REPORT RequestId: {ID}\tDuration: 27.43 ms\tBilled Duration: 173 ms\tMemory Size: 128 MB\tMax Memory \
                 Used: 88 MB\tInit Duration: 145.10 ms\t\nXRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSegmentId: \
                 07f5xmpl2d1f6f85\tSampled: true\t\n"
            ),
            Some(format!("27 ms, 88 MB, cold (145 ms)  {ID}")),
        ),
        (
            format!("REPORT RequestId: {ID}\tDuration: 3.49 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 67 MB\t\n"),
            Some(format!("3.5 ms, 67 MB  {ID}")),
        ),
        (
            format!("REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: timeout\n"),
            Some(format!("3000 ms, 128 of 128 MB, timed out  {ID}")),
        ),
        (
            format!("REPORT RequestId: {ID}\tDuration: 1248.31 ms\tBilled Duration: 1542 ms\tMemory Size: 128 MB\tMax Memory Used: 94 MB\tInit Duration: 293.05 ms\tStatus: error\tError Type: Runtime.ExitError\n"),
            Some(format!("1248 ms, 94 MB, cold (293 ms), error Runtime.ExitError  {ID}")),
        ),
        // Of a function with SnapStart.
        (
            format!("REPORT RequestId: {ID}\tDuration: 12.00 ms\tBilled Duration: 100 ms\tMemory Size: 512 MB\tMax Memory Used: 99 MB\tRestore Duration: 500.10 ms\tBilled Restore Duration: 90 ms\t\n"),
            Some(format!("12 ms, 99 MB, restored (500 ms)  {ID}")),
        ),
        ("INIT_REPORT Init Duration: 145.10 ms\tPhase: init\tStatus: success\n".to_owned(), None),
        (
            "INIT_REPORT Init Duration: 10007.33 ms\tPhase: init\tStatus: timeout\n".to_owned(),
            Some("init 10007 ms, timed out".to_owned()),
        ),
        (
            "INIT_REPORT Init Duration: 154.03 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError\n".to_owned(),
            Some("init 154 ms, error Runtime.ExitError".to_owned()),
        ),
        (
            format!("2023-03-19T15:30:48.000Z {ID} Task timed out after 3.00 seconds\n\n"),
            Some(format!("2023-03-19T15:30:48.000Z {ID} Task timed out after 3.00 seconds")),
        ),
        // What only looks so.
        ("REPORT RequestId: x\n".to_owned(), Some("REPORT RequestId: x".to_owned())),
        ("REPORTS are due\n".to_owned(), Some("REPORTS are due".to_owned())),
        ("START now\n".to_owned(), Some("START now".to_owned())),
        (String::new(), Some(String::new())),
    ] {
        assert_eq!(plain(&message), expected, "{message}");
    }
}

#[test]
fn lines_of_the_runtimes_tell_level_and_text() {
    for (message, expected) in [
        (
            "2019-06-07T19:11:20.562Z\tc793869b-ee49-115b-a5b6-4fd21e8dedac\tINFO\tEVENT\n{\n  \"key\": \"value\"\n}\n",
            "INFO EVENT\n  {\n    \"key\": \"value\"\n  }",
        ),
        (
            "2025-02-10T07:37:11.523Z\tundefined\tERROR\tUncaught Exception \t{}",
            "ERROR Uncaught Exception \t{}",
        ),
        (
            "[WARNING]\t2023-10-27T19:17:45.586Z\t79b4f56e-95b1-4643-9700-2807f4e68189\tnot good\n",
            "WARNING not good",
        ),
        ("a\tb\tc\td", "a\tb\tc\td"),
        ("plain\r\n  text\rhere\n", "plain\n    text\n  here"),
    ] {
        assert_eq!(plain(message).as_deref(), Some(expected), "{message}");
    }
    let id =
        read("2019-06-07T19:11:20.562Z\tc793869b-ee49-115b-a5b6-4fd21e8dedac\tINFO\tx").request_id;
    assert_eq!(id.as_deref(), Some("c793869b-ee49-115b-a5b6-4fd21e8dedac"));
}

// Sources: <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html> and
// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.
#[test]
fn records_in_json_are_folded_the_same_way() {
    let time = "2023-03-13T18:56:24.046Z";
    let platform = |kind: &str, record: Value| json!({"time": time, "type": format!("platform.{kind}"), "record": record});
    let metrics = json!({
        "durationMs": 110.33, "billedDurationMs": 111, "memorySizeMB": 128, "maxMemoryUsedMB": 62, "initDurationMs": 162.1,
    });
    for (message, expected) in [
        (platform("start", json!({"requestId": ID, "version": "$LATEST"})), None),
        (platform("initStart", json!({"initializationType": "on-demand", "phase": "init"})), None),
        (platform("runtimeDone", json!({"requestId": ID, "status": "success"})), None),
        (platform("extension", json!({"name": "x", "state": "Ready", "events": ["INVOKE"]})), None),
        (
            platform("report", json!({"requestId": ID, "metrics": metrics, "status": "success"})),
            Some(format!("110 ms, 62 MB, cold (162 ms)  {ID}")),
        ),
        (
            platform("report", json!({"requestId": ID, "status": "failure", "errorType": "Error", "metrics": {
                "durationMs": 6.21, "billedDurationMs": 7, "memorySizeMB": 128, "maxMemoryUsedMB": 71,
            }})),
            Some(format!("6.2 ms, 71 MB, failed Error  {ID}")),
        ),
        (platform("initReport", json!({"phase": "init", "status": "success", "metrics": {"durationMs": 125.33}})), None),
        (
            platform("initReport", json!({"phase": "init", "status": "timeout", "metrics": {"durationMs": 10000.04}})),
            Some("init 10000 ms, timed out".to_owned()),
        ),
        (
            platform("restoreReport", json!({"status": "error", "errorType": "Runtime.Unknown", "metrics": {"durationMs": 70.87}})),
            Some("restore 71 ms, error Runtime.Unknown".to_owned()),
        ),
        (
            json!({"timestamp": time, "level": "INFO", "requestId": ID, "message": "hello"}),
            Some("INFO hello".to_owned()),
        ),
        (
            json!({"timestamp": time, "level": "ERROR", "requestId": ID, "message": {
                "errorType": "TypeError", "errorMessage": "no", "stackTrace": ["TypeError: no", "    at f (index.mjs:1:1)"],
            }}),
            Some("ERROR TypeError: no\n      at f (index.mjs:1:1)".to_owned()),
        ),
        (
            json!({"timestamp": time, "level": "ERROR", "message": "failed", "logger": "root", "requestId": ID,
                "errorType": "ValueError", "errorMessage": "no", "stackTrace": ["  File \"index.py\", line 1"]}),
            Some("ERROR failed {\"errorMessage\":\"no\",\"errorType\":\"ValueError\",\"logger\":\"root\"}\n    File \"index.py\", line 1".to_owned()),
        ),
        // Rust's tracing.
        (
            json!({"timestamp": time, "level": "WARN", "fields": {"message": "slow"}, "target": "orders"}),
            Some("WARN slow {\"target\":\"orders\"}".to_owned()),
        ),
    ] {
        assert_eq!(plain(&message.to_string()), expected, "{message}");
    }
    // What nothing is known of stays as it is.
    for message in [
        "{\"a\":1}",
        "{\"level\":30,\"msg\":\"pino\"}",
        "{\"time\":\"t\",\"type\":\"platform.logsDropped\",\"record\":{\"droppedRecords\":123}}",
        "{\"level\":",
    ] {
        assert_eq!(plain(message).as_deref(), Some(message));
    }
}

#[test]
fn a_document_keeps_the_message_and_tells_what_a_report_says() {
    let message = format!(
        "REPORT RequestId: {ID}\tDuration: 27.43 ms\tBilled Duration: 173 ms\tMemory Size: 128 MB\tMax Memory Used: 88 \
         MB\tInit Duration: 145.10 ms\t\n"
    );
    let expected = json!({
        "functionName": "hello", "timestamp": "2026-11-26T09:30:00.123Z", "requestId": ID, "message": message,
        "report": {
            "durationMs": 27.43, "billedDurationMs": 173.0, "memorySizeMB": 128, "maxMemoryUsedMB": 88, "initDurationMs": 145.1,
        },
        "logStreamName": "", "eventId": "",
    });
    assert_eq!(serde_json::to_value(of(&message).document()).unwrap(), expected);
    let raw = "\u{1b}[2Jgone";
    let document = serde_json::to_value(of(raw).document()).unwrap();
    assert_eq!((&document["message"], document.get("report")), (&json!(raw), None));
}

// What else a terminal would act on, output keeps from it.
#[test]
fn no_colour_of_a_log_goes_on_into_the_next_line() {
    let json = |level: &str, text: &str| json!({"level": level, "message": text}).to_string();
    for (message, harmless) in [
        ("\u{1b}[31mred \u{1b}[2J".to_owned(), "red".to_owned()),
        (json("INFO\u{1b}[2J", "\u{1b}[1mbold"), json("INFO", "bold")),
        (
            "REPORT RequestId: \u{1b}[2J1\tDuration: 1 ms\tStatus: \u{1b}[31mtimeout".to_owned(),
            "REPORT RequestId: 1\tDuration: 1 ms\tStatus: timed out".to_owned(),
        ),
    ] {
        let line = |message: &str| of(message).line(&["hello".parse().unwrap()]).unwrap();
        let sequences = |line: &str| line.matches('\u{1b}').count();
        assert_eq!(sequences(&line(&message)), sequences(&line(&harmless)), "{message:?}");
        assert!(!line(&message).contains("[2J"), "{message:?}");
    }
}

#[test]
fn several_functions_have_names_and_colours_of_their_own() {
    let names: Vec<FunctionName> = ["a", "hello", "b"].map(|name| name.parse().unwrap()).into();
    let line = |name: &str| {
        let shown = Shown { function: name.parse().unwrap(), ..of("x") };
        shown.line(&names).unwrap()
    };
    let plain = anstream::adapter::strip_str(&line("a")).to_string();
    assert_eq!(plain, "2026-11-26T09:30:00.123Z a     x");
    let colour = |name: &str| line(name).split(name).next().unwrap().to_owned();
    assert_ne!(colour("a"), colour("b"));
}

#[test]
fn the_end_of_a_log_is_shown_line_by_line() {
    let tail = format!(
        "f a line\nSTART RequestId: {ID} Version: 1\nprinted\n\nEND RequestId: {ID}\nREPORT RequestId: {ID}\tDuration: 12.3 \
         ms\tMax Memory Used: 88 MB\t\n"
    );
    let lines: Vec<_> = lines_of_tail(&tail)
        .iter()
        .map(|line| anstream::adapter::strip_str(line).to_string())
        .collect();
    assert_eq!(lines, ["f a line", "printed", "12 ms, 88 MB"]);
    assert!(matches!(read("printed").kind, Kind::Line { level: None, .. }));
}

use serde_json::{Value, json};

use super::super::{Defaults, FunctionSpec, PolicyStatement};
use super::*;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::request::tests::{DEFAULTS, current, hello_with};
use crate::request::{self, patched, read};
use crate::warning::WarningCode;

const ACCOUNT: &str = "123456789012";
const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";
const FIFO: &str = "arn:aws:sqs:us-east-1:123456789012:orders.fifo";
const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";
const TABLE: &str =
    "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:failed";

/// A stack that lets functions have nothing that a parameter has to allow.
fn strict() -> Defaults {
    let triggers = TriggerLimits {
        account_id: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        ..TriggerLimits::NONE
    };
    Defaults { triggers, ..DEFAULTS.clone() }
}

/// What is wrong with a function with `value` as its `field`: pointers, codes, and all that is told.
fn found_with(field: &str, value: Value, defaults: &Defaults) -> (Vec<(String, Code)>, String) {
    let found = read(&hello_with(field, value), defaults, None).err().unwrap_or_default();
    let told = found.iter().map(|it| format!("{}\n", it.detail)).collect();
    let places = found.into_iter().map(|it| (it.pointer, *it.code.known().unwrap())).collect();
    (places, told)
}

/// That of a function with `value` as its `field` just `at` is wrong, for a reason that is told.
fn assert_refused(field: &str, value: Value, at: &str, code: Code, told: &str) {
    let (places, said) = found_with(field, value.clone(), &DEFAULTS);
    assert_eq!(places, [(format!("/{field}{at}"), code)], "{value}: {said}");
    assert!(said.contains(told), "{value}: {said}");
}

fn with(field: &str, value: Value) -> FunctionSpec {
    let request = read(&hello_with(field, value), &DEFAULTS, None).unwrap();
    request.with_code(current().code)
}

#[test]
fn what_is_left_out_is_kept_as_what_holds() {
    let spec = with("functionUrl", json!({"authType": "NONE", "cors": {}}));
    assert_eq!(spec.values()["functionUrl"], json!({"authType": "NONE", "invokeMode": "BUFFERED"}));
    let spec = with("schedules", json!([{"name": "n", "expression": "rate(1 day)"}]));
    assert_eq!(
        spec.values()["schedules"],
        json!([{"name": "n", "expression": "rate(1 day)", "timezone": "UTC", "enabled": true}])
    );
    let sources = json!([{"arn": QUEUE}, {"arn": STREAM, "startingPosition": "LATEST"}]);
    let sources = with("eventSources", sources).values()["eventSources"].clone();
    assert_eq!((&sources[0]["batchSize"], &sources[1]["batchSize"]), (&json!(10), &json!(100)));
    assert_eq!(
        (&sources[0]["enabled"], &sources[0]["filterPatterns"]),
        (&json!(true), &json!(null))
    );
}

#[test]
fn what_get_returned_can_be_put_and_null_takes_it_away() {
    for property in PROPERTIES {
        let spec = with(property.name, (property.example)());
        assert!(spec.has_triggers(), "{}", property.name);
        let mut body = spec.values();
        body["code"] = json!("x");
        // Also where the stack allows none of it any more.
        let again = read(&body, &strict(), Some(&spec)).unwrap();
        assert_eq!(again.triggers, spec.triggers, "{}", property.name);
        let without = patched(&json!({property.name: null}), &strict(), &spec).unwrap();
        assert!(!without.has_triggers(), "{}", property.name);
    }
}

#[test]
fn an_address_is_read_with_all_that_is_wrong_with_it() {
    for (value, at, code, told) in [
        (json!("AWS_IAM"), "", Code::WrongType, "authType"),
        (json!({}), "/authType", Code::Required, "AWS_IAM or NONE"),
        (json!({"authType": "IAM"}), "/authType", Code::NotSupported, "AWS_IAM, NONE"),
        (json!({"authType": 1}), "/authType", Code::WrongType, "string"),
        (
            json!({"authType": "NONE", "invokeMode": "STREAM"}),
            "/invokeMode",
            Code::NotSupported,
            "RESPONSE_STREAM",
        ),
        (json!({"authType": "NONE", "auth": 1}), "/auth", Code::UnknownField, ""),
        (json!({"authType": "NONE", "cors": []}), "/cors", Code::WrongType, "object"),
        (
            json!({"authType": "NONE", "cors": {"allowMethods": ["GET", "OPTIONS"], "maxAgeSeconds": 1}}),
            "/cors/allowMethods/1",
            Code::InvalidFormat,
            "PATCH",
        ),
        (
            json!({"authType": "NONE", "cors": {"allowOrigins": [""]}}),
            "/cors/allowOrigins/0",
            Code::InvalidFormat,
            "1 to 253",
        ),
        (
            json!({"authType": "NONE", "cors": {"allowHeaders": vec!["x"; 101]}}),
            "/cors/allowHeaders",
            Code::OutOfRange,
            "100",
        ),
        (
            json!({"authType": "NONE", "cors": {"maxAgeSeconds": 86_401}}),
            "/cors/maxAgeSeconds",
            Code::OutOfRange,
            "0 to 86400 seconds",
        ),
    ] {
        assert_refused("functionUrl", value, at, code, told);
    }
    let everybody = json!({"authType": "NONE"});
    let (places, told) = found_with("functionUrl", everybody, &strict());
    assert_eq!(places, [("/functionUrl/authType".to_owned(), Code::NotSupported)]);
    assert!(told.contains("AllowPublicUrls"), "{told}");
    assert_eq!(found_with("functionUrl", json!({"authType": "AWS_IAM"}), &strict()).0, []);
}

#[test]
fn a_service_needs_a_source_and_nobody_lets_everybody() {
    let bucket = "arn:aws:s3:::b";
    for (invoker, at, code, told) in [
        (json!({}), "/principal", Code::Required, "given"),
        (json!({"principal": "*"}), "/principal", Code::NotSupported, "nobody"),
        (json!({"principal": "s3"}), "/principal", Code::InvalidFormat, "12 digits"),
        (json!({"principal": "amazonaws.com"}), "/principal", Code::InvalidFormat, "12 digits"),
        (json!({"principal": "arn:aws:iam::*:root"}), "/principal", Code::InvalidFormat, ""),
        (
            json!({"principal": "arn:aws:iam::123456789012:role/*"}),
            "/principal",
            Code::InvalidFormat,
            "",
        ),
        (json!({"principal": "s3.amazonaws.com"}), "/sourceArn", Code::Required, "for whom"),
        (
            json!({"principal": "s3.amazonaws.com", "sourceArn": bucket}),
            "/sourceAccount",
            Code::Required,
            "names no account",
        ),
        (
            json!({"principal": "s3.amazonaws.com", "sourceArn": "b"}),
            "/sourceArn",
            Code::InvalidFormat,
            "ARN",
        ),
        (
            json!({"principal": "s3.amazonaws.com", "sourceAccount": "12"}),
            "/sourceAccount",
            Code::InvalidFormat,
            "12 digits",
        ),
        (
            json!({"principal": ACCOUNT, "sourceAccount": ACCOUNT}),
            "/sourceAccount",
            Code::Conflict,
            "only a service",
        ),
        (
            json!({"principal": "sns.amazonaws.com", "sourceArn": TOPIC, "sourceAccount": "210987654321"}),
            "/sourceAccount",
            Code::Conflict,
            "sourceArn names",
        ),
        (json!({"principal": "210987654321"}), "/principal", Code::NotSupported, "InvokerAccounts"),
        (
            json!({"principal": "arn:aws:iam::210987654321:role/x"}),
            "/principal",
            Code::NotSupported,
            "InvokerAccounts",
        ),
        (
            json!({"principal": "sns.amazonaws.com", "sourceArn": "arn:aws:sns:us-east-1:210987654321:t"}),
            "/sourceArn",
            Code::NotSupported,
            "InvokerAccounts",
        ),
        (
            json!({"principal": "s3.amazonaws.com", "sourceAccount": "210987654321"}),
            "/sourceAccount",
            Code::NotSupported,
            "InvokerAccounts",
        ),
    ] {
        assert_refused("invokers", json!([invoker]), &format!("/0{at}"), code, told);
    }
    let invokers = json!([
        {"principal": "s3.amazonaws.com", "sourceArn": bucket, "sourceAccount": ACCOUNT},
        {"principal": "s3.amazonaws.com", "sourceAccount": ACCOUNT},
        {"principal": "sns.amazonaws.com", "sourceArn": TOPIC},
        {"principal": "apigateway.amazonaws.com", "sourceArn": "arn:aws:execute-api:us-east-1:123456789012:a/*/*"},
        {"principal": ACCOUNT},
        {"principal": "arn:aws:iam::123456789012:role/team/x"},
        {"principal": "210987654321"}
    ]);
    let mut lets = DEFAULTS.clone();
    lets.triggers.invoker_accounts = vec!["210987654321".to_owned()];
    assert_eq!(found_with("invokers", invokers, &lets), (vec![], String::new()));
    let twice = json!([{"principal": ACCOUNT}, {"principal": ACCOUNT}]);
    assert_refused("invokers", twice, "/1/principal", Code::Conflict, "already");
}

#[test]
fn a_schedule_has_a_name_and_an_expression_of_eventbridge_scheduler() {
    for (more, at, code, told) in [
        (json!({"name": "a b"}), "/name", Code::InvalidFormat, "64 characters"),
        (json!({"name": ""}), "/name", Code::InvalidFormat, "64 characters"),
        (json!({"expression": "daily"}), "/expression", Code::InvalidFormat, "rate(1 hour)"),
        (json!({"expression": "rate(1 hours)"}), "/expression", Code::InvalidFormat, "plural"),
        (json!({"expression": null}), "/expression", Code::WrongType, "string"),
        (json!({"timezone": "Mars"}), "/timezone", Code::InvalidFormat, "Europe/Berlin"),
        (json!({"enabled": "yes"}), "/enabled", Code::WrongType, "true or false"),
        (json!({"input": {"a": 1}}), "/input", Code::WrongType, "a string that holds JSON"),
        (json!({"input": "s3cr3t"}), "/input", Code::InvalidFormat, "line 1"),
        (
            json!({"input": "\"x".to_owned() + &"x".repeat(9000) + "\""}),
            "/input",
            Code::OutOfRange,
            "8192",
        ),
        (json!({"at": "noon"}), "/at", Code::UnknownField, ""),
    ] {
        let mut schedule = json!({"name": "n", "expression": "rate(1 hour)"});
        schedule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_refused("schedules", json!([schedule]), &format!("/0{at}"), code, told);
        let (_, said) = found_with("schedules", json!([schedule]), &DEFAULTS);
        assert!(!said.contains("s3cr3t"), "{said}");
    }
    let schedule = |name: &str| json!({"name": name, "expression": "rate(1 hour)"});
    let twice = json!([schedule("n"), schedule("m"), schedule("n")]);
    assert_refused("schedules", twice, "/2/name", Code::Conflict, "another");
    let many: Vec<_> = (0..11).map(|it| schedule(&it.to_string())).collect();
    assert_refused("schedules", json!(many), "", Code::OutOfRange, "10");
    assert_refused("schedules", json!({}), "", Code::WrongType, "list");
    assert_refused("schedules", json!(["n"]), "/0", Code::WrongType, "object");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let mut body = hello_with("schedules", json!([{"name": "n!"}, {"expression": "x", "z": 1}]));
    body["eventRules"] = json!([{"name": "r", "pattern": {"a": "b"}}]);
    body["asyncRetries"] = json!(3);
    let found = read(&body, &DEFAULTS, None).unwrap_err();
    let places: Vec<_> = found.iter().map(|it| it.pointer.as_str()).collect();
    assert_eq!(
        places,
        [
            "/schedules/0/name",
            "/schedules/0/expression",
            "/schedules/1/name",
            "/schedules/1/expression",
            "/schedules/1/z",
            "/eventRules/0/pattern/a",
            "/asyncRetries",
        ]
    );
}

#[test]
fn a_rule_has_a_pattern_and_a_bus_by_its_name() {
    for (rule, at, code, told) in [
        (json!({"name": "r"}), "/pattern", Code::Required, "event pattern"),
        (json!({"name": "r", "pattern": "{}"}), "/pattern", Code::WrongType, "object"),
        (json!({"name": "r", "pattern": {}}), "/pattern", Code::InvalidFormat, "empty"),
        (
            json!({"name": "r", "pattern": {"detail": {"a": [{"like": "x"}]}}}),
            "/pattern/detail/a/0/like",
            Code::InvalidFormat,
            "no matcher",
        ),
        (
            json!({"name": "r", "pattern": {"a": [1]}, "eventBusName": "arn:aws:events:us-east-1:1:event-bus/b"}),
            "/eventBusName",
            Code::InvalidFormat,
            "not its ARN",
        ),
    ] {
        assert_refused("eventRules", json!([rule]), &format!("/0{at}"), code, told);
    }
}

#[test]
fn rules_are_on_the_buses_that_the_stack_allows_and_never_on_its_own() {
    let on = |bus: &str| json!([{"name": "r", "pattern": {"a": [1]}, "eventBusName": bus}]);
    let found = |rules: Value, lets: &Defaults| {
        let (places, told) = found_with("eventRules", rules, lets);
        let refused = [("/eventRules/0/eventBusName".to_owned(), Code::NotSupported)];
        assert!(places.is_empty() || places == refused, "{places:?}: {told}");
        told
    };
    let mut lets = strict();
    let by_default = json!([{"name": "r", "pattern": {"a": [1]}}]);
    let told = found(by_default.clone(), &lets);
    assert!(told.contains("EventBusNames names no event bus"), "{told}");
    lets.triggers.event_bus_names = ["orders", "own", "default"].map(str::to_owned).into();
    lets.triggers.own_event_bus = "own".to_owned();
    assert_eq!(found(by_default, &lets), "");
    assert_eq!(found(on("orders"), &lets), "");
    let told = found(on("Orders"), &lets);
    assert!(told.contains("is Orders, which") && told.contains("names: orders, default"), "{told}");
    let told = found(on("own"), &lets);
    assert!(told.contains("stack's own event bus"), "{told}");
    assert_eq!(lets.triggers.buses_of_rules().collect::<Vec<_>>(), ["orders", "default"]);

    // What a function has, it keeps, but for what is on the stack's own.
    let mut body = hello_with("eventRules", on("orders"));
    let has = read(&body, &lets, None).unwrap().with_code(current().code);
    lets.triggers.event_bus_names.clear();
    body["eventRules"][0]["pattern"] = json!({"a": [2]});
    assert!(read(&body, &lets, Some(&has)).is_ok());
    body["eventRules"][0]["name"] = json!("another");
    assert_eq!(read(&body, &lets, Some(&has)).unwrap_err().len(), 1);
    body["eventRules"][0]["name"] = json!("r");
    lets.triggers.own_event_bus = "orders".to_owned();
    assert_eq!(read(&body, &lets, Some(&has)).unwrap_err().len(), 1);
}

#[test]
fn a_source_is_read_within_lambdas_limits_for_its_kind() {
    let stream = |more: Value| {
        let mut source = json!({"arn": STREAM, "startingPosition": "LATEST"});
        source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source
    };
    let filters = json!(vec![json!({"body": ["x"]}); 6]);
    for (source, at, code, told) in [
        (json!({}), "/arn", Code::Required, "given"),
        (json!({"arn": "orders"}), "/arn", Code::InvalidFormat, "SQS queue"),
        (json!({"arn": TOPIC}), "/arn", Code::InvalidFormat, "SQS queue"),
        (json!({"arn": format!("{STREAM}/consumer/c:1")}), "/arn", Code::InvalidFormat, "Kinesis"),
        (
            json!({"arn": "arn:aws:dynamodb:us-east-1:123456789012:table/t"}),
            "/arn",
            Code::InvalidFormat,
            "stream/LABEL",
        ),
        (
            json!({"arn": "arn:aws:sqs:us-east-1:210987654321:orders"}),
            "/arn",
            Code::NotSupported,
            "own account",
        ),
        (
            json!({"arn": "arn:aws:sqs:eu-west-1:123456789012:orders"}),
            "/arn",
            Code::NotSupported,
            "Region",
        ),
        (json!({"arn": QUEUE, "batchSize": 0}), "/batchSize", Code::OutOfRange, "1 to 10000"),
        (json!({"arn": FIFO, "batchSize": 11}), "/batchSize", Code::OutOfRange, "1 to 10 messages"),
        (
            json!({"arn": QUEUE, "batchSize": 11}),
            "/maximumBatchingWindowSeconds",
            Code::Conflict,
            "at least 1",
        ),
        (
            json!({"arn": FIFO, "maximumBatchingWindowSeconds": 1}),
            "/maximumBatchingWindowSeconds",
            Code::Conflict,
            "FIFO",
        ),
        (
            json!({"arn": QUEUE, "maximumBatchingWindowSeconds": 301}),
            "/maximumBatchingWindowSeconds",
            Code::OutOfRange,
            "0 to 300",
        ),
        (
            json!({"arn": QUEUE, "maximumConcurrency": 1}),
            "/maximumConcurrency",
            Code::OutOfRange,
            "2 to 1000",
        ),
        (
            stream(json!({"maximumConcurrency": 2})),
            "/maximumConcurrency",
            Code::Conflict,
            "only a queue",
        ),
        (json!({"arn": STREAM}), "/startingPosition", Code::Required, "TRIM_HORIZON"),
        (
            json!({"arn": QUEUE, "startingPosition": "LATEST"}),
            "/startingPosition",
            Code::Conflict,
            "only a stream",
        ),
        (
            json!({"arn": STREAM, "startingPosition": "AT_TIMESTAMP"}),
            "/startingPosition",
            Code::NotSupported,
            "LATEST",
        ),
        (
            json!({"arn": QUEUE, "onFailureArn": TOPIC}),
            "/onFailureArn",
            Code::Conflict,
            "dead-letter",
        ),
        (stream(json!({"onFailureArn": FIFO})), "/onFailureArn", Code::InvalidFormat, "FIFO"),
        (
            json!({"arn": QUEUE, "filterPatterns": filters}),
            "/filterPatterns",
            Code::OutOfRange,
            "5",
        ),
        (
            json!({"arn": QUEUE, "filterPatterns": ["{}"]}),
            "/filterPatterns/0",
            Code::WrongType,
            "object",
        ),
        (
            json!({"arn": QUEUE, "filterPatterns": [{"body": {"a": 1}}]}),
            "/filterPatterns/0/body/a",
            Code::InvalidFormat,
            "list",
        ),
    ] {
        assert_refused("eventSources", json!([source]), &format!("/0{at}"), code, told);
    }
    let twice = json!([{"arn": QUEUE}, {"arn": QUEUE, "batchSize": 1}]);
    assert_refused("eventSources", twice, "/1/arn", Code::Conflict, "another");
    let sources = json!([
        {"arn": QUEUE, "batchSize": 10_000, "maximumBatchingWindowSeconds": 1, "maximumConcurrency": 2},
        {"arn": FIFO, "batchSize": 10},
        {"arn": STREAM, "batchSize": 10_000, "startingPosition": "TRIM_HORIZON", "onFailureArn": TOPIC},
        {"arn": TABLE, "startingPosition": "LATEST", "filterPatterns": [{"eventName": ["INSERT"]}]}
    ]);
    assert_eq!(found_with("eventSources", sources, &DEFAULTS), (vec![], String::new()));
}

#[test]
fn sources_and_destinations_are_those_that_the_stack_allows() {
    let mut lets = strict();
    let source = json!([{"arn": QUEUE}]);
    let (places, told) = found_with("eventSources", source.clone(), &lets);
    assert_eq!(places, [("/eventSources/0/arn".to_owned(), Code::NotSupported)]);
    assert!(told.contains("EventSourceArns") && told.contains("names none"), "{told}");
    lets.triggers.event_source_arns = vec!["arn:aws:sqs:*:*:other*".to_owned()];
    let (_, told) = found_with("eventSources", source.clone(), &lets);
    assert!(told.contains("EventSourceArns: arn:aws:sqs:*:*:other*"), "{told}");
    lets.triggers.event_source_arns.push("arn:aws:sqs:us-east-1:*:ord*".to_owned());
    assert_eq!(found_with("eventSources", source, &lets).0, []);

    let (places, told) = found_with("onFailureArn", json!(TOPIC), &lets);
    assert_eq!(places, [("/onFailureArn".to_owned(), Code::NotSupported)]);
    assert!(told.contains("FailureDestinationArns"), "{told}");
    lets.triggers.failure_destination_arns = vec![TOPIC.to_owned()];
    assert_eq!(found_with("onFailureArn", json!(TOPIC), &lets).0, []);
}

#[test]
fn asynchronous_invocations_have_lambdas_limits() {
    for (field, value, code, told) in [
        ("asyncRetries", json!(3), Code::OutOfRange, "0 to 2"),
        ("asyncRetries", json!("1"), Code::WrongType, "whole number"),
        ("asyncMaximumAgeSeconds", json!(59), Code::OutOfRange, "60 to 21600 seconds"),
        ("asyncMaximumAgeSeconds", json!(21_601), Code::OutOfRange, "60 to 21600 seconds"),
        ("onFailureArn", json!("arn:aws:s3:::b"), Code::InvalidFormat, "SNS topic"),
        ("onFailureArn", json!(format!("{TOPIC}.fifo")), Code::InvalidFormat, "FIFO"),
        ("onFailureArn", json!(["x"]), Code::WrongType, "string"),
    ] {
        assert_refused(field, value, "", code, told);
    }
    for arn in [
        QUEUE,
        TOPIC,
        "arn:aws:lambda:us-east-1:123456789012:function:other",
        "arn:aws:lambda:us-east-1:123456789012:function:other:live",
        "arn:aws:events:us-east-1:123456789012:event-bus/default",
    ] {
        assert_eq!(found_with("onFailureArn", json!(arn), &DEFAULTS).0, [], "{arn}");
    }
}

#[test]
fn a_role_may_read_its_sources_and_tell_of_what_failed_and_no_more() {
    let mut spec = with(
        "eventSources",
        json!([
            {"arn": QUEUE},
            {"arn": STREAM, "startingPosition": "LATEST", "onFailureArn": TOPIC},
            {"arn": TABLE, "startingPosition": "LATEST"}
        ]),
    );
    spec.triggers.async_invoke.on_failure_arn =
        Some("arn:aws:lambda:us-east-1:123456789012:function:f".to_owned());
    let needed: Vec<_> = spec
        .needed_statements()
        .into_iter()
        .map(|it| (it.pointer, it.statement.actions.join(" "), it.statement.resources.join(" ")))
        .collect();
    let kinesis = "kinesis:DescribeStream kinesis:DescribeStreamSummary kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards";
    let dynamodb = "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams";
    let expected = [
        (
            "/eventSources/0/arn",
            "sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage",
            QUEUE,
        ),
        ("/eventSources/1/arn", kinesis, STREAM),
        ("/eventSources/1/onFailureArn", "sns:Publish", TOPIC),
        ("/eventSources/2/arn", dynamodb, TABLE),
        (
            "/onFailureArn",
            "lambda:InvokeFunction",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
        ),
    ];
    let expected =
        expected.map(|(at, actions, on)| (at.to_owned(), actions.to_owned(), on.to_owned()));
    assert_eq!(needed, expected);
    let plain = current();
    assert!(spec.widens(&plain) && !plain.widens(&spec) && !spec.widens(&spec));
    // Behind what it asks for itself.
    let own: PolicyStatement =
        serde_json::from_value(json!({"actions": ["s3:GetObject"], "resources": ["*"]})).unwrap();
    spec.permissions.policy_statements = vec![own.clone()];
    assert_eq!((spec.all_statements().len(), &spec.all_statements()[0]), (6, &own));
}

#[test]
fn what_a_role_lacks_or_has_besides_is_told_of_what_needs_it() {
    let spec = with("eventSources", json!([{"arn": QUEUE}]));
    let all: Vec<Value> = spec.all_statements().iter().map(|it| json!(it)).collect();
    assert_eq!(spec.statement_differences(&all), []);
    let lacking = spec.statement_differences(&[]);
    assert_eq!(lacking.len(), 1);
    assert_eq!(lacking[0].property, format!("eventSources/{QUEUE}"));
    assert_eq!((&lacking[0].facet, &lacking[0].actual), (&Facet::Role.into(), &json!(null)));
    let more = [all[0].clone(), json!({"Action": "*"})];
    let more = spec.statement_differences(&more);
    assert_eq!((more.len(), more[0].property.as_str()), (1, "policyStatements/1"));
}

#[test]
fn where_the_role_cannot_have_what_is_needed_it_is_refused() {
    let no_boundary = Defaults { policy_characters: None, ..DEFAULTS.clone() };
    let sources = json!([{"arn": QUEUE}, {"arn": STREAM, "startingPosition": "LATEST", "onFailureArn": TOPIC}]);
    let (places, told) = found_with("eventSources", sources.clone(), &no_boundary);
    let places: Vec<_> = places.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(
        places,
        ["/eventSources/0/arn", "/eventSources/1/arn", "/eventSources/1/onFailureArn"]
    );
    assert!(told.contains("FunctionBoundaryArn"), "{told}");
    // What it has, it keeps.
    let has = with("eventSources", sources);
    assert!(patched(&json!({"memoryMegabytes": 512}), &no_boundary, &has).is_ok());

    let short = Defaults { policy_characters: Some(150), ..DEFAULTS.clone() };
    let (places, told) = found_with("eventSources", json!([{"arn": QUEUE}]), &short);
    assert_eq!(places, [("/eventSources".to_owned(), Code::OutOfRange)]);
    assert!(told.contains("150 is the most"), "{told}");
}

#[test]
fn a_function_is_not_larger_than_its_record_can_be() {
    let rules: Vec<_> = (0..10)
        .map(|it| {
            let input = format!("\"{}\"", "x".repeat(8000));
            json!({"name": format!("r{it}"), "pattern": {"a": ["b"]}, "input": input})
        })
        .collect();
    let (places, told) = found_with("eventRules", json!(rules), &DEFAULTS);
    assert_eq!(places, [("/eventRules".to_owned(), Code::OutOfRange)]);
    assert!(told.contains("65536 is the most"), "{told}");
    assert_eq!(found_with("eventRules", json!(rules[..7]), &DEFAULTS).0, []);
    // One that an earlier release took may be changed, and grows no more.
    let tags = (0..48).map(|it| (format!("{it:0128}"), "\u{6F22}".repeat(256)));
    let mut large = FunctionSpec { tags: tags.collect(), ..current() };
    large.configuration.environment.0.insert("KEY".to_owned(), "x".repeat(4000));
    large.triggers = with("eventRules", json!(rules[..3])).triggers;
    assert!(patched(&json!({"memoryMegabytes": 512}), &DEFAULTS, &large).is_ok());
    let grown = patched(&json!({"eventRules": rules[..4]}), &DEFAULTS, &large).unwrap_err();
    assert_eq!(grown[0].pointer, "/tags");
}

#[test]
fn what_of_a_change_cannot_be_undone_is_warned_of() {
    let warned = |from: &FunctionSpec, to: &FunctionSpec| {
        let warnings = to.warnings_of_change(from).into_iter();
        warnings.map(|it| (it.pointer, *it.code.known().unwrap())).collect::<Vec<_>>()
    };
    let plain = current();
    let url = with("functionUrl", json!({"authType": "AWS_IAM"}));
    assert_eq!(warned(&plain, &url), []);
    assert_eq!(warned(&url, &plain), [("/functionUrl".to_owned(), WarningCode::AddressLost)]);
    let stream = |position: &str| {
        with("eventSources", json!([{"arn": STREAM, "startingPosition": position}]))
    };
    let queue = with("eventSources", json!([{"arn": QUEUE}]));
    let (latest, oldest) = (stream("LATEST"), stream("TRIM_HORIZON"));
    let lost = |at: &str| (at.to_owned(), WarningCode::PositionLost);
    assert_eq!(warned(&latest, &oldest), [lost("/eventSources/0/startingPosition")]);
    assert_eq!(warned(&latest, &plain), [lost("/eventSources")]);
    assert_eq!(warned(&queue, &plain), []);
    let replaced = ("/eventSources/0/arn".to_owned(), WarningCode::SourceReplaced);
    assert_eq!(warned(&latest, &queue), [replaced, lost("/eventSources")]);
}

#[test]
fn an_execution_looks_at_triggers_where_what_they_carry_changes() {
    let queue = with("eventSources", json!([{"arn": QUEUE}]));
    let schedule = with("schedules", json!([{"name": "n", "expression": "rate(1 day)"}]));
    let mut slower = queue.clone();
    slower.configuration.timeout_seconds += 1;
    let tagged = |spec: &FunctionSpec| {
        let mut spec = spec.clone();
        spec.tags.insert("team".to_owned(), "blue".to_owned());
        spec
    };
    for (to, from, expected) in [
        (&queue, &current(), true),
        (&current(), &queue, true),
        (&queue, &queue, false),
        // A queue's messages must not be shown again while they are worked on.
        (&slower, &queue, true),
        (&queue, &slower, false),
        // Schedules carry no tags.
        (&tagged(&queue), &queue, true),
        (&tagged(&schedule), &schedule, false),
    ] {
        assert_eq!(to.changes_triggers(from), expected, "{:?}", to.triggers);
    }
}

#[test]
fn an_earlier_state_comes_back_only_with_triggers_that_the_stack_takes_now() {
    let public = with("functionUrl", json!({"authType": "NONE"}));
    let plain = current();
    let refused = request::refused_triggers(&public, &strict(), &plain);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].pointer, "/functionUrl/authType");
    assert_eq!(request::refused_triggers(&public, &DEFAULTS, &plain), []);
    assert_eq!(request::refused_triggers(&public, &strict(), &public), []);
}

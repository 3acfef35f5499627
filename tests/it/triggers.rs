//! What calls a function: address, invokers, schedules, rules, event sources; made with it, changed with it, and gone
//! with it.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, Target};
use aws_sdk_lambda::types::Environment;
use formation_model::{DriftStatus, FunctionStatus, Operation, OperationStatus, Part, Rollback};
use formation_tests::world::EVENT_BUS;
use formation_tests::{Call, Fault, Rule, World};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::requests::path;

/// A function that logs what it was called with, and whether that was what is live.
const LOGGING_CODE: &str = "export const handler = async (event) => { \
    console.log('called ' + process.env.MARK + ' with ' + JSON.stringify(event)); \
    return { statusCode: 200, body: 'first' }; };";

/// What it is updated to.
const SECOND_CODE: &str =
    "export const handler = async () => ({ statusCode: 200, body: 'second' });";

/// What an HTTP client is answered at a function's address: status and body.
async fn asked(world: &World, url: &str) -> (u16, String) {
    let host = url.trim_start_matches("https://").trim_end_matches('/');
    let address = world.stack.endpoint_url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.unwrap();
    // HTTP/1.0, so that the end of the answer is the end of the connection.
    let request = format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, body.to_owned())
}

/// Waits until what is live of the function has logged that it was called with something that holds `text`.
async fn was_called(world: &World, name: &str, text: &str) {
    let group = format!("/aws/lambda/{name}");
    world
        .until(&format!("{name} is called with {text}"), async || {
            let events = world.logs.filter_log_events().log_group_name(&group).send().await.ok()?;
            let lines = events.events.unwrap_or_default().into_iter();
            let called = lines.filter_map(|it| it.message).find(|it| it.contains(text))?;
            assert!(called.contains("called live with "), "{called}");
            Some(())
        })
        .await;
}

async fn put_event(world: &World, bus: &str, source: &str, detail: &Value) {
    let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source(source);
    let entry = entry.detail_type("Order").detail(detail.to_string()).build();
    world.events.put_events().entries(entry).send().await.unwrap();
}

fn in_sync(found: &formation_model::DriftReport) -> bool {
    *found.drift.status.known().unwrap() == DriftStatus::InSync
}

/// What there is of triggers.
async fn triggers(world: &World, name: &str) -> Value {
    world.live(name).await.triggers
}

fn refusing(call: &str, name: &str, times: usize) -> Rule {
    let fault = Fault::Refuse(400, "ValidationException", "injected");
    Rule::new(call, name, times, fault)
}

/// The calls about triggers since the first `before`.
fn calls(world: &World, name: &str, before: usize) -> Vec<String> {
    let mut calls = world.proxy.calls(name).split_off(before);
    let of_triggers = |call: &Call| {
        let others = ["GetFunction", "PublishVersion", "UpdateAlias", "GetItem"];
        ["lambda", "events", "scheduler", "sqs", "kinesis"].contains(&call.service.as_str())
            && !others.contains(&call.operation.as_str())
            && !call.operation.starts_with("UpdateFunctionC")
    };
    calls.retain(of_triggers);
    calls.into_iter().map(|call| call.operation).collect()
}

pub async fn an_address_a_message_an_event_and_a_schedule_reach_what_is_live(world: &World) {
    let name = world.name("called");
    let bus = EVENT_BUS;
    let at = Timestamp::now() + SignedDuration::from_secs(8);
    let at = at.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string();
    let mut fields = world.one_of_each(&name).await;
    fields["code"] = json!(LOGGING_CODE);
    fields["environment"] = json!({"MARK": "live"});
    fields["schedules"] =
        json!([{"name": "soon", "expression": at, "input": r#"{"by":"schedule"}"#}]);
    let rules = [
        json!({"name": "here", "pattern": {"source": [format!("shop.{name}")]}}),
        json!({
            "name": "there", "eventBusName": bus, "pattern": {"detail": {"total": [7]}},
            "input": r#"{"by":"rule"}"#
        }),
    ];
    fields["eventRules"] = json!(rules);
    let began = Instant::now();
    let created = world.create(&name, fields).await;
    let took = began.elapsed();
    assert_eq!(created.status, OperationStatus::Succeeded, "{created:#?}");
    let states = world.states_entered(&created).await;
    assert_eq!(states.len(), 9, "{states:?}");
    assert!(in_sync(&world.drift(&name).await), "{:#?}", world.drift(&name).await);
    let function = world.function(&name).await;
    let url = function.resources.function_url.clone().unwrap();

    // The workbench is another from now on: whoever reached that would be told so.
    let mark = Environment::builder().variables("MARK", "workbench").build();
    let update = world.lambda.update_function_configuration().function_name(&name);
    update.environment(mark).send().await.unwrap();

    let plain = world.name("plain");
    let began = Instant::now();
    let uncalled = world.create(&plain, json!({"code": LOGGING_CODE})).await;
    let plain_took = began.elapsed();
    let plain_states = world.states_entered(&uncalled).await;
    assert_eq!(plain_states.len(), 8, "{plain_states:?}");
    println!(
        "a create with 2 rules and one of each other kind: {} states, {} calls about triggers, {took:.1?}; \
         without: {} states, {} calls, {plain_took:.1?}",
        states.len(),
        calls(world, &name, 0).len() - 2,
        plain_states.len(),
        calls(world, &plain, 0).len() - 2,
    );

    assert_eq!(asked(world, &url).await, (200, "first".to_owned()));
    let queue = world.sqs.get_queue_url().queue_name(format!("{name}_jobs")).send().await.unwrap();
    let send = world.sqs.send_message().queue_url(queue.queue_url.unwrap());
    send.message_body("by-queue").send().await.unwrap();
    was_called(world, &name, "by-queue").await;
    put_event(world, "default", &format!("shop.{name}"), &json!({"by": "default-bus"})).await;
    was_called(world, &name, "default-bus").await;
    put_event(world, bus, "elsewhere", &json!({"total": 7})).await;
    was_called(world, &name, r#"{"by":"rule"}"#).await;
    was_called(world, &name, r#"{"by":"schedule"}"#).await;

    // An update reaches every caller at one moment, and their address stays.
    let updated = world.patch(&name, json!({"code": SECOND_CODE})).await;
    assert_eq!(world.states_entered(&updated).await.len(), 8);
    assert_eq!(world.function(&name).await.resources.function_url, Some(url.clone()));
    assert_eq!(asked(world, &url).await, (200, "second".to_owned()));

    let deleted = world.delete(&name).await;
    assert_eq!(deleted.status, OperationStatus::Succeeded, "{deleted:#?}");
    let states = world.states_entered(&deleted).await;
    assert_eq!(states.len(), 7, "{states:?}");
    assert_eq!(triggers(world, &name).await, Value::Null);
    assert!(asked(world, &url).await.0 >= 400);
    assert_eq!(world.states_entered(&world.delete(&plain).await).await.len(), 6);
}

pub async fn an_update_that_fails_leaves_what_calls_a_function_as_it_was(world: &World) {
    let name = world.name("unchanged");
    let fields = world.one_of_each(&name).await;
    world.create(&name, fields).await;
    let before = triggers(world, &name).await;
    let change = json!({
        "code": SECOND_CODE,
        "functionUrl": {"authType": "AWS_IAM", "cors": {"allowOrigins": ["https://example.com"]}},
        "invokers": [],
        "schedules": [
            {"name": "nightly", "expression": "rate(1 hour)"},
            {"name": "weekly", "expression": "rate(7 days)"}
        ],
        "eventRules": [{"name": "on-payment", "pattern": {"source": ["bank"]}}],
        "eventSources": [{"arn": before["sources"][0]["source"], "batchSize": 5}],
        "asyncRetries": 1, "asyncMaximumAgeSeconds": 60
    });
    // Before the move: by a step behind the triggers', and by that itself.
    for call in ["lambda:UpdateFunctionCode", "events:PutTargets"] {
        world.proxy.inject(refusing(call, &name, 1));
        let failed = world.patch(&name, change.clone()).await;
        assert_eq!(failed.rollback, Rollback::Complete, "{call}: {failed:#?}");
        assert_eq!(triggers(world, &name).await, before, "{call}");
        assert!(in_sync(&world.drift(&name).await), "{call}");
    }
    let told = world.patch(&name, change.clone()).await;
    assert_eq!(told.status, OperationStatus::Succeeded, "{told:#?}");
    let states = world.states_entered(&told).await;
    assert!((10..=12).contains(&states.len()), "{states:?}");
    assert!(in_sync(&world.drift(&name).await), "{:#?}", world.drift(&name).await);
    let after = triggers(world, &name).await;
    let names = |of: &str| after[of].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names("schedules").len(), 2, "{after:#}");
    assert!(names("rules").len() == 1 && names("rules")[0].contains("on-payment"), "{after:#}");
    assert_eq!(after["sources"][0]["batch"], 5);
    assert_eq!(after["policy"].as_array().unwrap().len(), 1, "{after:#}");

    // And back, all of it once callers have moved.
    let back = world.carried_out(world.client.roll_back(&name.parse().unwrap(), None)).await;
    assert_eq!(back.status, OperationStatus::Succeeded, "{back:#?}");
    let mut again = triggers(world, &name).await;
    // Lambda tells for how long it keeps an event once it was told.
    again["asynchronous"] = before["asynchronous"].clone();
    assert_eq!(again, before);
    assert!(in_sync(&world.drift(&name).await));
}

pub async fn what_fails_once_callers_have_moved_is_finished_forward(world: &World) {
    let name = world.name("forward");
    let fields = world.one_of_each(&name).await;
    world.create(&name, fields).await;
    world.proxy.inject(refusing("scheduler:DeleteSchedule", &name, 1));
    let change = json!({"code": SECOND_CODE, "schedules": []});
    let failed = world.patch(&name, change).await;
    assert_eq!(failed.status, OperationStatus::Failed, "{failed:#?}");
    assert_eq!(failed.rollback, Rollback::Incomplete, "{failed:#?}");
    assert_eq!(failed.leftovers, [Part::Triggers]);
    let error = failed.error.unwrap();
    assert!(error.message.contains("the schedule nightly"), "{error:?}");
    assert_eq!(error.step, "Settle triggers");
    let function = world.function(&name).await;
    assert_eq!((function.status, function.revision), (FunctionStatus::Failed.into(), 2));
    let url = function.resources.function_url.unwrap();
    assert_eq!(asked(world, &url).await, (200, "second".to_owned()));
    world.reconcile_function(&name).await;
    world
        .until("it is finished", async || {
            (world.function(&name).await.status == FunctionStatus::Available).then_some(())
        })
        .await;
    assert_eq!(triggers(world, &name).await["schedules"], json!({}));

    // A create is undone, whatever it has made.
    let name = world.name("undone");
    let fields = world.one_of_each(&name).await;
    world.proxy.inject(refusing("lambda:CreateEventSourceMapping", &name, 1));
    let failed = world.create(&name, fields).await;
    assert_eq!(failed.rollback, Rollback::Complete, "{failed:#?}");
    assert_eq!(triggers(world, &name).await, Value::Null);
    assert!(!world.is_known(&name).await);
    assert_eq!(world.live(&name).await.parts(), [""; 0]);
}

pub async fn changing_one_leaves_the_others_alone(world: &World) {
    let name = world.name("one-of-many");
    let fields = world.one_of_each(&name).await;
    let nightly = fields["schedules"][0].clone();
    world.create(&name, fields).await;
    let changed = async |patch: Value| {
        let before = world.proxy.calls(&name).len();
        let operation = world.patch(&name, patch).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
        calls(world, &name, before)
    };
    let mut hourly = nightly.clone();
    hourly["expression"] = json!("rate(1 hour)");
    let expected = ["GetSchedule", "UpdateSchedule", "GetSchedule"];
    assert_eq!(changed(json!({"schedules": [hourly]})).await, expected);
    let look = "GetFunctionEventInvokeConfig";
    let expected = [look, look, "PutFunctionEventInvokeConfig"];
    assert_eq!(changed(json!({"asyncRetries": 1})).await, expected);
    // What nothing calls costs no call, and neither does what calls where only the function changes.
    assert_eq!(changed(json!({"memoryMegabytes": 256})).await, [""; 0]);
    let same = world.api(Method::PATCH, &path(&name), Some(&json!({"asyncRetries": 1}))).await;
    assert_eq!(same.status, 200, "{same:?}");
}

pub async fn what_others_have_made_survives_everything(world: &World) {
    let name = world.name("foreign");
    let fields = world.one_of_each(&name).await;
    world.create(&name, fields).await;
    let live = world.function(&name).await.resources.live_arn;
    let rule = format!("{name}_theirs");
    let put = world.events.put_rule().name(&rule).event_pattern(r#"{"source":["theirs"]}"#);
    put.send().await.unwrap();
    let target = Target::builder().id("1").arn(&live).build().unwrap();
    world.events.put_targets().rule(&rule).targets(target).send().await.unwrap();
    let permission = world.lambda.add_permission().function_name(&name).qualifier("live");
    let permission = permission.statement_id("theirs").action("lambda:InvokeFunction");
    permission.principal("sns.amazonaws.com").send().await.unwrap();
    let other = world.sqs.create_queue().queue_name(format!("{name}_theirs")).send().await;
    let _ = other.unwrap();
    let source =
        format!("arn:aws:sqs:{}:{}:{name}_theirs", world.stack.region, world.stack.account_id);
    let mapping = world.lambda.create_event_source_mapping().function_name(&live);
    let mapping = mapping.event_source_arn(&source).send().await.unwrap();

    let theirs = async || {
        let found = triggers(world, &name).await;
        let rules = found["rules"].as_object().unwrap();
        let policy = found["policy"].as_array().unwrap();
        let sources = found["sources"].as_array().unwrap();
        rules.keys().any(|it| it.ends_with("_theirs"))
            && policy.iter().any(|it| it["Sid"] == "theirs")
            && sources.iter().any(|it| it["source"] == json!(source))
    };
    assert!(theirs().await);
    assert!(in_sync(&world.drift(&name).await), "{:#?}", world.drift(&name).await);
    let operation = world.patch(&name, json!({"eventRules": [], "eventSources": []})).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert!(theirs().await);
    assert_eq!(world.repair(&name).await.status, OperationStatus::Succeeded);
    assert!(theirs().await);
    world.proxy.inject(refusing("lambda:UpdateFunctionCode", &name, 1));
    let change =
        json!({"code": SECOND_CODE, "eventRules": [{"name": "x", "pattern": {"source": ["x"]}}]});
    assert_eq!(world.patch(&name, change).await.rollback, Rollback::Complete);
    assert!(theirs().await);
    let deleted = world.delete(&name).await;
    assert_eq!(deleted.status, OperationStatus::Succeeded, "{deleted:#?}");
    let rules = world.rules_of(&name).await;
    assert_eq!(rules.len(), 1, "{rules:?}");
    let listed = world.events.list_targets_by_rule().rule(&rule).send().await.unwrap();
    assert_eq!(listed.targets().len(), 1);
    let kept = world.lambda.get_event_source_mapping().uuid(mapping.uuid.clone().unwrap());
    assert!(kept.send().await.is_ok());
    // Nobody else cleans up.
    world.lambda.delete_event_source_mapping().uuid(mapping.uuid.unwrap()).send().await.unwrap();
    world.events.remove_targets().rule(&rule).ids("1").send().await.unwrap();
    world.events.delete_rule().name(&rule).send().await.unwrap();
}

pub async fn a_trigger_that_is_changed_by_hand_is_drift_and_a_repair_takes_it_back(world: &World) {
    let name = world.name("by-hand");
    let fields = world.one_of_each(&name).await;
    world.create(&name, fields).await;
    let before = triggers(world, &name).await;
    let identity = world.identity();
    let function = name.parse().unwrap();
    let derived = |kind, of: &str| {
        identity.trigger_name(&function, &formation_model::TriggerKey::new(kind, of))
    };
    use formation_model::TriggerKind::{EventRule, Schedule};
    world.events.disable_rule().name(derived(EventRule, "on-order")).send().await.unwrap();
    let gone = world.scheduler.delete_schedule().name(derived(Schedule, "nightly"));
    gone.group_name(identity.schedule_group()).send().await.unwrap();
    let listed = world.lambda.list_event_source_mappings().function_name(&name).send().await;
    let uuid = listed.unwrap().event_source_mappings()[0].uuid().unwrap().to_owned();
    let update = world.lambda.update_event_source_mapping().uuid(uuid);
    update.batch_size(1).send().await.unwrap();
    let report = world.drift(&name).await.drift;
    let found: BTreeMap<_, _> = report
        .differences
        .iter()
        .map(|it| (it.property.as_str(), (*it.part.known().unwrap(), it.actual.clone())))
        .collect();
    let source = before["sources"][0]["source"].as_str().unwrap();
    let batch = format!("eventSources/{source}/batchSize");
    let expected = BTreeMap::from([
        ("eventRules/on-order/enabled", (Part::Triggers, json!(false))),
        (&batch, (Part::Triggers, json!(1))),
        ("schedules/nightly", (Part::Triggers, Value::Null)),
    ]);
    assert_eq!(found, expected);
    assert!(!serde_json::to_string(&report).unwrap().contains("s3cr3t"));
    let repaired = world.repair(&name).await;
    assert_eq!(repaired.status, OperationStatus::Succeeded, "{repaired:#?}");
    assert_eq!(triggers(world, &name).await, before);
    assert!(in_sync(&world.drift(&name).await));
}

pub async fn what_an_operation_has_left_goes_with_the_next(world: &World) {
    let name = world.name("left");
    world.create(&name, json!({})).await;
    let change = json!({
        "memoryMegabytes": 256,
        "functionUrl": {"authType": "AWS_IAM"},
        "eventRules": [{"name": "there", "eventBusName": EVENT_BUS, "pattern": {"source": ["x"]}}]
    });
    // It fails on its way there, and on its way back.
    world.proxy.inject(refusing("lambda:UpdateFunctionConfiguration", &name, 1));
    world.proxy.inject(refusing("events:RemoveTargets", &name, 1));
    let failed = world.patch(&name, change).await;
    assert_eq!(failed.rollback, Rollback::Incomplete, "{failed:#?}");
    assert!(failed.leftovers.contains(&Part::Triggers.into()), "{failed:#?}");
    let left = triggers(world, &name).await;
    assert!(left["rules"].as_object().is_some_and(|it| it.len() == 1), "{left:#}");
    assert!(!left["url"].is_null(), "{left:#}");
    // Whatever comes next finds what no specification names: here an update of something else.
    let next = world.patch(&name, json!({"memoryMegabytes": 512})).await;
    assert_eq!(next.status, OperationStatus::Succeeded, "{next:#?}");
    assert_eq!(triggers(world, &name).await, Value::Null);
}

pub async fn an_update_of_triggers_alone_goes_back_until_something_is_taken_away(world: &World) {
    let name = world.name("no-return");
    let mut fields = world.one_of_each(&name).await;
    fields["functionUrl"] = json!({"authType": "AWS_IAM"});
    world.create(&name, fields).await;
    let before = triggers(world, &name).await;
    let version = world.function(&name).await.resources.version;
    let change = json!({"functionUrl": {"authType": "NONE"}, "eventRules": []});
    // Opening the address is refused: nothing is taken away yet.
    world.proxy.inject(refusing("lambda:AddPermission", &name, 1));
    let failed = world.patch(&name, change.clone()).await;
    assert_eq!(failed.rollback, Rollback::Complete, "{failed:#?}");
    assert_eq!(failed.error.unwrap().step, "Settle triggers");
    assert_eq!(triggers(world, &name).await, before);
    // Once a rule is gone nothing leads back, whatever happens to the attempt.
    world.proxy.inject(Rule::new("events:DeleteRule", &name, 1, Fault::Kill));
    let updated = world.patch(&name, change).await;
    assert_eq!(updated.status, OperationStatus::Succeeded, "{updated:#?}");
    assert_eq!(triggers(world, &name).await["rules"], json!({}));
    assert_eq!(world.function(&name).await.resources.version, version, "nobody moved");

    let change = json!({"functionUrl": null, "invokers": []});
    world.proxy.inject(refusing("lambda:DeleteFunctionUrlConfig", &name, 1));
    let failed = world.patch(&name, change).await;
    assert_eq!(failed.rollback, Rollback::Incomplete, "{failed:#?}");
    assert_eq!(failed.leftovers, [Part::Triggers]);
    assert_eq!(world.function(&name).await.revision, 3);
    world.reconcile_function(&name).await;
    world
        .until("the address is gone", async || {
            (world.function(&name).await.status == FunctionStatus::Available).then_some(())
        })
        .await;
    let after = triggers(world, &name).await;
    assert!(after["url"].is_null() && after["policy"] == json!([]), "{after:#}");
}

pub async fn a_stream_is_read_from_elsewhere_by_another_mapping(world: &World) {
    let name = world.name("stream");
    let stream = format!("{name}_clicks");
    world.kinesis.create_stream().stream_name(&stream).shard_count(1).send().await.unwrap();
    let arn = format!(
        "arn:aws:kinesis:{}:{}:stream/{stream}",
        world.stack.region, world.stack.account_id
    );
    let source = |from: &str| json!([{"arn": &arn, "startingPosition": from, "batchSize": 1}]);
    let fields = json!({
        "code": LOGGING_CODE, "environment": {"MARK": "live"}, "eventSources": source("TRIM_HORIZON")
    });
    let created = world.create(&name, fields).await;
    assert_eq!(created.status, OperationStatus::Succeeded, "{created:#?}");
    let record = world.kinesis.put_record().stream_name(&stream).partition_key("p");
    record.data(aws_sdk_kinesis::primitives::Blob::new("click")).send().await.unwrap();
    was_called(world, &name, "aws:kinesis").await;

    let uuid = async || {
        let listed = world.lambda.list_event_source_mappings().function_name(&name).send().await;
        let mappings = listed.unwrap().event_source_mappings.unwrap();
        assert_eq!(mappings.len(), 1);
        mappings[0].uuid().unwrap().to_owned()
    };
    let first = uuid().await;
    let updated = world.patch(&name, json!({"eventSources": source("LATEST")})).await;
    assert_eq!(updated.status, OperationStatus::Succeeded, "{updated:#?}");
    assert_ne!(uuid().await, first);
    assert!(in_sync(&world.drift(&name).await), "{:#?}", world.drift(&name).await);

    // One that the function could not decrypt is refused.
    let encrypt = world.kinesis.start_stream_encryption().stream_name(&stream);
    let encrypt = encrypt.encryption_type(aws_sdk_kinesis::types::EncryptionType::Kms);
    encrypt.key_id("alias/ours").send().await.unwrap();
    let told = reason(&world.patch(&name, json!({"eventSources": source("TRIM_HORIZON")})).await);
    assert!(told.contains("kms:Decrypt"), "{told}");
    assert_eq!(world.delete(&name).await.status, OperationStatus::Succeeded);
    world.kinesis.delete_stream().stream_name(&stream).send().await.unwrap();
}

pub async fn whatever_comes_next_finds_what_calls_a_function_gone_or_changed(world: &World) {
    let name = world.name("doubted");
    let fields = world.one_of_each(&name).await;
    world.create(&name, fields).await;
    let before = triggers(world, &name).await;
    let heals = async |memory: u32| {
        let updated = world.patch(&name, json!({"memoryMegabytes": memory})).await;
        assert_eq!(updated.status, OperationStatus::Succeeded, "{updated:#?}");
        assert_eq!(triggers(world, &name).await, before);
        assert!(in_sync(&world.drift(&name).await), "{:#?}", world.drift(&name).await);
    };
    // A delete that came no further than the triggers. The address is another one from then on.
    world.proxy.inject(refusing("lambda:DeleteFunction", &name, 1));
    let failed = world.delete(&name).await;
    assert_eq!(failed.status, OperationStatus::Failed, "{failed:#?}");
    assert!(triggers(world, &name).await["rules"] == json!({}));
    heals(256).await;
    // What belongs to the alias goes with the function, and with the alias.
    world.lambda.delete_function().function_name(&name).send().await.unwrap();
    heals(1024).await;
    world.lambda.delete_alias().function_name(&name).name("live").send().await.unwrap();
    heals(256).await;
}

pub async fn a_create_that_meets_a_foreign_source_leaves_nothing(world: &World) {
    let name = world.name("meets");
    let arn = world.queue(&name, 30).await;
    let live = world.identity().live_arn(&name.parse().unwrap());
    let fields = json!({
        "schedules": [{"name": "nightly", "expression": "rate(1 day)"}],
        "eventSources": [{"arn": &arn}]
    });
    // Somebody makes a mapping of it while callers move.
    world.proxy.inject(Rule::new("lambda:CreateEventSourceMapping", &name, 1, Fault::KillBefore));
    let accepted = world.ask_for(&name, fields).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    world
        .until("Formation is about to make it", async || {
            let calls = world.proxy.calls(&name);
            calls.iter().any(|it| it.operation == "CreateEventSourceMapping").then_some(())
        })
        .await;
    let made =
        world.lambda.create_event_source_mapping().function_name(&live).tags("team", "theirs");
    let theirs = made.event_source_arn(&arn).send().await.unwrap();
    world.invoke(&name, &json!({})).await.unwrap();
    let operation: Operation = accepted.read();
    let (status, rollback) = world.ended_unseen(&operation).await;
    assert_eq!((status, rollback), (OperationStatus::Failed, Rollback::Complete));
    let left = world.live(&name).await;
    assert_eq!(left.parts(), [""; 0]);
    assert!(world.schedules_of(&name).await.is_empty());
    let uuid = theirs.uuid.unwrap();
    assert!(world.lambda.get_event_source_mapping().uuid(&uuid).send().await.is_ok());
    world.lambda.delete_event_source_mapping().uuid(&uuid).send().await.unwrap();
    // The name is free.
    assert_eq!(world.create(&name, json!({})).await.status, OperationStatus::Succeeded);
}

/// The reason that an operation failed for, which has left everything as it was.
fn reason(operation: &Operation) -> String {
    assert_eq!(operation.status, OperationStatus::Failed, "{operation:#?}");
    assert_eq!(operation.rollback, Rollback::Complete, "{operation:#?}");
    let error = operation.error.as_ref().unwrap();
    assert_eq!(error.code, "REJECTED", "{error:?}");
    error.message.clone()
}

pub async fn a_source_that_cannot_be_read_takes_the_operation_back_with_the_reason(world: &World) {
    let name = world.name("short");
    let arn = world.queue(&name, 10).await;
    let fields = json!({"timeoutSeconds": 11, "eventSources": [{"arn": &arn}]});
    let told = reason(&world.create(&name, fields).await);
    assert!(told.contains("visibility timeout: 10 seconds is less than"), "{told}");
    assert_eq!(triggers(world, &name).await, Value::Null);
    let fields = json!({"timeoutSeconds": 10, "eventSources": [{"arn": &arn}]});
    assert_eq!(world.create(&name, fields).await.status, OperationStatus::Succeeded);
    // Lambda does not look again.
    let before = triggers(world, &name).await;
    let told = reason(&world.patch(&name, json!({"timeoutSeconds": 11})).await);
    assert!(told.contains("visibility timeout"), "{told}");
    assert_eq!(triggers(world, &name).await, before);
    let gone = arn.replace("_jobs", "_gone");
    let told = reason(&world.patch(&name, json!({"eventSources": [{"arn": gone}]})).await);
    assert!(told.contains("_gone"), "{told}");
    assert_eq!(triggers(world, &name).await, before);
}

//! The calls that are made, against a stand-in for AWS at the wire.

mod aws;

use formation_model::triggers::{
    AsyncInvoke, AuthType, Cors, EventRule, EventSource, FunctionUrl, Input, Invoker, Schedule,
    StartingPosition,
};
use formation_model::{ErrorName, FunctionSpec};
use serde_json::{Value, json};

use self::aws::{StandIn, live_arn};
use super::*;
use crate::testing::{self, delete, since, stack, target, undo};
use crate::{Foreign, Removal};

const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:jobs";
const STREAM: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks";

fn settings() -> TriggerSettings {
    let scheduler_role_arn = "arn:aws:iam::111122223333:role/formation-SchedulerRole".into();
    TriggerSettings { stack: stack(), scheduler_role_arn }
}

fn schedule() -> Schedule {
    Schedule {
        name: "nightly".into(),
        expression: "cron(0 3 * * ? *)".into(),
        timezone: "Europe/Berlin".into(),
        input: Some(Input(r#"{"token":"s3cr3t-value"}"#.into())),
        enabled: true,
    }
}

fn rule() -> EventRule {
    EventRule {
        name: "on-order".into(),
        event_bus_name: "orders".into(),
        pattern: json!({"source": ["shop"]}).as_object().unwrap().clone(),
        input: None,
    }
}

fn source(arn: &str) -> EventSource {
    EventSource {
        arn: arn.into(),
        batch_size: 10,
        maximum_batching_window_seconds: 0,
        filter_patterns: Vec::new(),
        maximum_concurrency: None,
        starting_position: (arn == STREAM).then_some(StartingPosition::Latest),
        report_batch_item_failures: true,
        on_failure_arn: None,
        enabled: true,
    }
}

fn url(auth_type: AuthType) -> FunctionUrl {
    FunctionUrl { auth_type, invoke_mode: Default::default(), cors: None }
}

/// One of each kind.
fn full() -> FunctionSpec {
    let mut spec = testing::spec();
    spec.triggers.function_url = Some(url(AuthType::None));
    spec.triggers.invokers = vec![Invoker {
        principal: "s3.amazonaws.com".into(),
        source_arn: Some("arn:aws:s3:::photos".into()),
        source_account: Some("111122223333".into()),
    }];
    spec.triggers.schedules = vec![schedule()];
    spec.triggers.event_rules = vec![rule()];
    spec.triggers.event_sources = vec![source(QUEUE)];
    spec.triggers.async_invoke = AsyncInvoke { async_retries: Some(0), ..AsyncInvoke::default() };
    spec
}

/// AWS with a queue, and how it is called.
struct World {
    aws: StandIn,
    clients: Clients,
    sqs: aws_sdk_sqs::Client,
}

impl World {
    fn new() -> Self {
        let aws = StandIn::default();
        aws.state().queues.insert("jobs".into(), json!({"VisibilityTimeout": "30"}));
        let (clients, sqs) = aws.clients();
        Self { aws, clients, sqs }
    }

    /// With all that `spec` asks for.
    async fn with(spec: &FunctionSpec) -> Self {
        let world = Self::new();
        world.ensure(&target(spec, None)).await.unwrap();
        world.aws.calls();
        world
    }

    async fn ensure(&self, target: &Target<'_>) -> Result<Ensured, ResourceError> {
        ensure(&self.clients, &self.sqs, &settings(), target, false).await
    }

    /// Before callers move, then after it.
    async fn update(&self, to: &FunctionSpec, from: &FunctionSpec) -> (Vec<String>, Vec<String>) {
        let aim = target(to, Some(from));
        self.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
        let before = self.aws.writes();
        self.ensure(&aim).await.unwrap();
        (before, self.aws.writes())
    }

    async fn compare(&self, spec: &FunctionSpec) -> Vec<String> {
        let found = compare(&self.clients, &settings(), spec).await.unwrap();
        found.into_iter().map(|it| it.property).collect()
    }

    async fn remove(&self, spec: &FunctionSpec, removal: Removal<'_>) -> Result<(), ResourceError> {
        remove(&self.clients, &stack(), &removal, &[spec]).await
    }

    /// Whatever there is.
    fn left(&self) -> usize {
        let state = self.aws.state();
        state.schedules.len() + state.rules.len() + state.mappings.len()
    }
}

#[tokio::test]
async fn a_create_makes_each_once_and_doing_it_again_writes_nothing() {
    let spec = full();
    let world = World::new();
    let ensured = world.ensure(&target(&spec, None)).await.unwrap();
    let address = "https://abc.lambda-url.eu-west-1.on.aws/".to_owned();
    assert_eq!(ensured.function_url, Some(address.clone()));
    let mut writes = world.aws.writes();
    writes.sort_unstable();
    let expected = [
        "AddPermission",
        "AddPermission",
        "AddPermission",
        "AddPermission",
        "CreateEventSourceMapping",
        "CreateFunctionUrlConfig",
        "CreateSchedule",
        "PutFunctionEventInvokeConfig",
        "PutRule",
        "PutTargets",
    ];
    assert_eq!(writes, expected);
    let again = world.ensure(&target(&spec, None)).await.unwrap();
    assert_eq!(again.function_url, Some(address));
    assert_eq!(world.aws.writes(), [""; 0]);
    assert_eq!(world.compare(&spec).await, [""; 0]);

    let state = world.aws.state();
    let statement = |action: &str| {
        let found = state.policy.iter().find(|it| it["Action"] == action && it["Principal"] == "*");
        found.unwrap().clone()
    };
    assert_eq!(statement("lambda:InvokeFunctionUrl")["FunctionUrlAuthType"], "NONE");
    assert_eq!(statement("lambda:InvokeFunction")["InvokedViaFunctionUrl"], true);
    let of_rule = state.policy.iter().find(|it| it["Principal"] == "events.amazonaws.com").unwrap();
    let ((_, name), rule) = state.rules.first_key_value().unwrap();
    let arn = format!("arn:aws:events:eu-west-1:111122223333:rule/orders/{name}");
    assert_eq!(of_rule["SourceArn"], json!(arn));
    assert!(
        state
            .policy
            .iter()
            .all(|it| it["Sid"].as_str().unwrap().starts_with("formation_0a1b2c3d_"))
    );
    assert_eq!(rule["Targets"][0]["Arn"], json!(live_arn()));
    let schedule = state.schedules.values().next().unwrap();
    assert_eq!(schedule["GroupName"], "formation_0a1b2c3d");
    assert_eq!(schedule["Target"]["Arn"], json!(live_arn()));
    let mapping = state.mappings.values().next().unwrap();
    assert_eq!(mapping["FunctionName"], json!(live_arn()));
    assert_eq!(mapping["Tags"]["formation:function"], "hello");
}

#[tokio::test]
async fn what_is_new_does_not_act_before_callers_have_moved() {
    let (none, spec) = (testing::spec(), full());
    let world = World::new();
    let aim = target(&spec, Some(&none));
    world.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
    {
        let state = world.aws.state();
        assert_eq!(state.schedules.values().next().unwrap()["State"], "DISABLED");
        assert_eq!(state.rules.values().next().unwrap()["State"], "DISABLED");
        assert_eq!(state.mappings.values().next().unwrap()["State"], "Disabled");
    }
    world.aws.calls();
    // Again it changes nothing.
    world.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
    assert_eq!(world.aws.writes(), [""; 0]);
    world.ensure(&aim).await.unwrap();
    assert_eq!(world.aws.writes(), ["UpdateSchedule", "PutRule", "UpdateEventSourceMapping"]);
    assert_eq!(world.compare(&spec).await, [""; 0]);
}

#[tokio::test]
async fn what_is_not_wanted_goes_once_callers_have_moved_and_the_address_last() {
    let (none, spec) = (testing::spec(), full());
    let world = World::with(&spec).await;
    let (before, after) = world.update(&none, &spec).await;
    assert_eq!(before, [""; 0]);
    let (last, others) = after.split_last().unwrap();
    assert_eq!(last, "DeleteFunctionUrlConfig");
    for gone in [
        "DeleteEventSourceMapping",
        "DeleteSchedule",
        "RemoveTargets",
        "DeleteRule",
        "DeleteFunctionEventInvokeConfig",
    ] {
        assert_eq!(others.iter().filter(|it| *it == gone).count(), 1, "{gone}: {after:?}");
    }
    assert_eq!(others.iter().filter(|it| *it == "RemovePermission").count(), 4);
    assert_eq!((world.left(), world.aws.state().policy.len()), (0, 0));
}

#[tokio::test]
async fn changing_one_leaves_the_others_alone() {
    let spec = full();
    let world = World::with(&spec).await;
    let mut other = spec.clone();
    other.triggers.schedules[0].expression = "rate(1 hour)".into();
    let aim = target(&other, Some(&spec));
    world.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
    let calls = world.aws.calls();
    let names: Vec<_> = calls.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["GetFunction", "GetFunction", "GetSchedule", "UpdateSchedule"]);
    // All of it is sent: what is left out would be set back.
    let (_, sent) = calls.last().unwrap();
    for field in [
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "FlexibleTimeWindow",
        "State",
        "Target",
        "GroupName",
    ] {
        assert!(!sent[field].is_null(), "{field} is not sent: {sent}");
    }
    assert_eq!(sent["Target"]["Input"], json!(r#"{"token":"s3cr3t-value"}"#));
    world.ensure(&aim).await.unwrap();
    assert_eq!(world.aws.writes(), [""; 0]);

    let mut third = other.clone();
    third.triggers.event_sources[0].batch_size = 5;
    let (before, after) = world.update(&third, &other).await;
    assert_eq!((before, after), (vec!["UpdateEventSourceMapping".to_owned()], Vec::new()));
}

#[tokio::test]
async fn a_public_address_is_shut_only_once_callers_have_moved() {
    let mut spec = testing::spec();
    spec.triggers.function_url = Some(url(AuthType::None));
    let world = World::with(&spec).await;
    let mut shut = spec.clone();
    let cors = Cors { allow_origins: vec!["https://example.com".into()], ..Cors::default() };
    shut.triggers.function_url = Some(FunctionUrl { cors: Some(cors), ..url(AuthType::AwsIam) });
    let aim = target(&shut, Some(&spec));
    world.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
    assert_eq!(world.aws.state().url["AuthType"], "NONE");
    assert_eq!(world.aws.state().url["Cors"]["AllowOrigins"], json!(["https://example.com"]));
    assert_eq!(world.aws.state().policy.len(), 2);
    world.aws.calls();
    world.ensure(&aim).await.unwrap();
    let expected = ["UpdateFunctionUrlConfig", "RemovePermission", "RemovePermission"];
    assert_eq!(world.aws.writes(), expected);
    // What Lambda keeps where it is left out is cleared.
    world.update(&spec, &shut).await;
    assert_eq!(world.aws.state().url["Cors"], json!({}));
}

#[tokio::test]
async fn what_others_have_made_is_neither_touched_nor_told_of() {
    let spec = full();
    let world = World::with(&spec).await;
    {
        let mut state = world.aws.state();
        state.policy.push(json!({"Sid": "theirs"}));
        let target = json!([{"Id": "1", "Arn": live_arn()}]);
        let rule = json!({"Name": "theirs", "Tags": [], "Targets": target});
        state.rules.insert(("default".into(), "theirs".into()), rule);
        let source = json!({
            "UUID": "theirs", "FunctionArn": live_arn(), "State": "Enabled", "Tags": {},
            "EventSourceArn": "arn:aws:sqs:eu-west-1:111122223333:theirs"
        });
        state.mappings.insert("theirs".into(), source);
        state.schedules.insert(
            "theirs".into(),
            json!({"Name": "theirs", "Target": {"Arn": "arn:aws:lambda:other", "RoleArn": "r"}}),
        );
    }
    assert_eq!(world.compare(&spec).await, [""; 0]);
    // A repair looks at everything, and takes away what nobody asks for.
    let aim = target(&spec, Some(&spec));
    let (clients, sqs) = (&world.clients, &world.sqs);
    ensure(clients, sqs, &settings(), &aim, true).await.unwrap();
    assert_eq!(world.aws.writes(), [""; 0]);
    world.update(&testing::spec(), &spec).await;
    let name = spec.function_name.clone();
    world.remove(&spec, delete(&name)).await.unwrap();
    let state = world.aws.state();
    assert_eq!(state.policy, [json!({"Sid": "theirs"})]);
    assert_eq!(state.rules.keys().next().unwrap().1, "theirs");
    assert!(state.mappings.contains_key("theirs") && state.schedules.contains_key("theirs"));
}

#[tokio::test]
async fn a_repair_takes_away_what_an_operation_has_left_that_nobody_knows_of() {
    let (spec, none) = (full(), testing::spec());
    let world = World::with(&spec).await;
    let aim = target(&none, Some(&none));
    ensure(&world.clients, &world.sqs, &settings(), &aim, true).await.unwrap();
    assert_eq!(world.left(), 1, "a rule on a bus that nobody knows of stays");
    let mut known = none.clone();
    known.triggers.event_rules = vec![EventRule { name: "other".into(), ..rule() }];
    let aim = target(&known, Some(&known));
    ensure(&world.clients, &world.sqs, &settings(), &aim, true).await.unwrap();
    assert_eq!(world.left(), 1);
    let rules = world.aws.state().rules.keys().map(|(_, name)| name.clone()).collect::<Vec<_>>();
    assert!(rules[0].contains("hello_other"), "{rules:?}");
    assert_eq!(world.aws.state().policy.len(), 1);
}

#[tokio::test]
async fn a_mapping_of_somebody_else_is_left_and_the_operation_fails() {
    let mut spec = testing::spec();
    spec.triggers.event_sources = vec![source(QUEUE)];
    let world = World::with(&spec).await;
    world.aws.state().mappings.get_mut("uuid-1").unwrap()["Tags"] = json!({"team": "theirs"});
    let error = world.ensure(&target(&spec, None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned, "{error}");
    assert!(error.to_string().contains("jobs"), "{error}");
    assert_eq!(world.aws.writes(), [""; 0]);
    assert_eq!(world.compare(&spec).await, [format!("eventSources/{QUEUE}/owner")]);
    world.remove(&spec, undo(&spec.function_name)).await.unwrap();
    assert_eq!(world.left(), 1);

    // One that is not listed yet, with its answer lost: it is adopted.
    let world = World::with(&spec).await;
    let mapping = world.aws.state().mappings.remove("uuid-1").unwrap();
    let text = "An event source mapping with event source arn and function already exists. \
                Please update or delete the existing mapping with UUID uuid-1";
    world.aws.refuse(("CreateEventSourceMapping", 409, "ResourceConflictException", text, false));
    let error = world.ensure(&target(&spec, None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
    world.aws.state().mappings.insert("uuid-1".into(), mapping);
    world.ensure(&target(&spec, None)).await.unwrap();
    assert_eq!(world.aws.state().mappings.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_was_just_widened_is_waited_for_and_not_for_ever() {
    let mut spec = testing::spec();
    spec.triggers.event_sources = vec![source(QUEUE)];
    let text =
        "The function execution role does not have permissions to call ReceiveMessage on SQS";
    let refused = ("CreateEventSourceMapping", 400, "InvalidParameterValueException", text, false);
    let world = World::new();
    world.aws.refuse(refused);
    world.aws.refuse(refused);
    world.ensure(&target(&spec, None)).await.unwrap();
    let tries = world.aws.writes().len();
    assert_eq!(tries, 3);

    let world = World::new();
    (0..9).for_each(|_| world.aws.refuse(refused));
    let error = world.ensure(&target(&spec, None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
    assert!(error.to_string().contains("jobs"), "{error}");

    // Anything else that is wrong with it is Lambda's to say, at once.
    let world = World::new();
    let refused =
        ("CreateEventSourceMapping", 400, "InvalidParameterValueException", "Bad batch", false);
    world.aws.refuse(refused);
    let error = world.ensure(&target(&spec, None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::Rejected, "{error}");
    assert!(error.to_string().contains("Bad batch"), "{error}");
}

#[tokio::test]
async fn a_stream_that_begins_elsewhere_is_another_mapping_once_callers_have_moved() {
    let mut spec = testing::spec();
    spec.triggers.event_sources = vec![source(STREAM)];
    let world = World::with(&spec).await;
    let mut other = spec.clone();
    other.triggers.event_sources[0].starting_position = Some(StartingPosition::TrimHorizon);
    let (before, after) = world.update(&other, &spec).await;
    assert_eq!(before, [""; 0]);
    assert_eq!(after, ["DeleteEventSourceMapping", "CreateEventSourceMapping"]);
    assert_eq!(world.compare(&other).await, [""; 0]);
}

#[tokio::test]
async fn a_queue_that_hides_for_too_short_a_time_is_refused_before_anything_is_made() {
    let mut spec = full();
    let world = World::new();
    let refused = async |spec: &FunctionSpec, formerly: Option<&FunctionSpec>| {
        let aim = Target { only_adds: formerly.is_some(), ..target(spec, formerly) };
        let error = world.ensure(&aim).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::Rejected, "{error}");
        assert_eq!(world.aws.writes(), [""; 0]);
        error.to_string()
    };
    spec.configuration.timeout_seconds = 31;
    let text = refused(&spec, None).await;
    assert!(
        text.contains("visibility timeout: 30 seconds is less than Function timeout: 31"),
        "{text}"
    );
    // Later, too, when nothing of the source changes.
    let before = full();
    refused(&spec, Some(&before)).await;
    // On the way back nothing is asked.
    let back = Target { restores: true, ..target(&spec, Some(&before)) };
    world.ensure(&back).await.unwrap();
    world.aws.writes();

    let mut spec = testing::spec();
    spec.triggers.event_sources = vec![source("arn:aws:sqs:eu-west-1:111122223333:gone")];
    let text = refused(&spec, None).await;
    assert!(text.contains("gone") && text.contains("does not exist"), "{text}");
    let key = json!({"VisibilityTimeout": "30", "KmsMasterKeyId": "alias/ours"});
    world.aws.state().queues.insert("secret".into(), key);
    spec.triggers.event_sources = vec![source("arn:aws:sqs:eu-west-1:111122223333:secret")];
    let text = refused(&spec, None).await;
    assert!(text.contains("kms:Decrypt") && text.contains("alias/ours"), "{text}");
    let statement = json!({"actions": ["kms:*"], "resources": ["*"]});
    spec.permissions.policy_statements = vec![serde_json::from_value(statement).unwrap()];
    world.ensure(&target(&spec, None)).await.unwrap();
}

#[tokio::test]
async fn no_error_tells_what_a_schedule_hands_to_the_function() {
    let spec = full();
    let world = World::new();
    let text = r#"Value '{"token":"s3cr3t-value"}' at 'target.input' is bad"#;
    world.aws.refuse(("CreateSchedule", 400, "ValidationException", text, false));
    let error = world.ensure(&target(&spec, None)).await.unwrap_err();
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
    assert!(error.to_string().contains("the schedule nightly"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_removal_waits_until_lambda_knows_no_mapping_and_can_be_repeated() {
    let spec = full();
    let world = World::with(&spec).await;
    world.aws.state().lingers = 3;
    let name = spec.function_name.clone();
    world.remove(&spec, delete(&name)).await.unwrap();
    assert_eq!((world.left(), world.aws.state().url.clone()), (0, Value::Null));
    world.remove(&spec, delete(&name)).await.unwrap();
    // Without the alias, too: mappings outlive it.
    let world = World::with(&spec).await;
    world.aws.state().no_alias = true;
    world.remove(&spec, delete(&name)).await.unwrap();
    assert_eq!(world.left(), 0);
    let world = World::with(&spec).await;
    world.aws.state().lingers = 99;
    let error = world.remove(&spec, delete(&name)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
    assert!(error.to_string().contains("jobs"), "{error}");
}

#[tokio::test]
async fn a_rule_under_our_name_that_is_not_ours_is_told_and_left() {
    let mut spec = testing::spec();
    spec.triggers.event_rules = vec![rule()];
    let world = World::with(&spec).await;
    for rule in world.aws.state().rules.values_mut() {
        rule["Tags"] = json!([{"Key": "team", "Value": "theirs"}]);
    }
    assert_eq!(world.compare(&spec).await, ["eventRules/on-order/owner"]);
    let error = world.ensure(&target(&spec, None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned, "{error}");
    let name = &spec.function_name;
    let foreign = Removal { foreign: Foreign::IsLeft, ..undo(name) };
    world.remove(&spec, foreign).await.unwrap();
    let error = world.remove(&spec, delete(name)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned, "{error}");
    assert_eq!(world.left(), 1);
}

#[tokio::test]
async fn each_difference_names_the_trigger() {
    let spec = full();
    let world = World::with(&spec).await;
    {
        let mut state = world.aws.state();
        state.policy.clear();
        let schedule = state.schedules.values_mut().next().unwrap();
        schedule["Target"]["Input"] = json!("{}");
        schedule["State"] = json!("DISABLED");
        state.rules.values_mut().next().unwrap()["State"] = json!("DISABLED");
        state.mappings.clear();
        state.asynchronous = Value::Null;
        state.url["AuthType"] = json!("AWS_IAM");
    }
    let found = compare(&world.clients, &settings(), &spec).await.unwrap();
    let properties: Vec<_> = found.iter().map(|it| it.property.as_str()).collect();
    let expected = [
        "functionUrl/authType",
        "functionUrl/permission",
        "invokers/s3.amazonaws.com arn:aws:s3:::photos 111122223333",
        "schedules/nightly/enabled",
        "schedules/nightly/input",
        "eventRules/on-order/enabled",
        "eventRules/on-order/permission",
        &format!("eventSources/{QUEUE}"),
        "asyncRetries",
    ];
    assert_eq!(properties, expected);
    assert!(!serde_json::to_string(&found).unwrap().contains("s3cr3t"));
    // A function that nothing calls costs nothing.
    world.aws.calls();
    assert_eq!(world.compare(&testing::spec()).await, [""; 0]);
    assert_eq!(world.aws.calls(), []);
}

#[tokio::test]
async fn nothing_is_made_for_a_function_that_is_not_live_yet() {
    let (none, spec) = (testing::spec(), full());
    let world = World::new();
    world.aws.state().no_alias = true;
    let aim = Target { only_adds: true, ..target(&spec, Some(&none)) };
    world.ensure(&aim).await.unwrap();
    assert_eq!(world.aws.writes(), [""; 0]);
    world.aws.state().no_function = true;
    let error = world.ensure(&target(&spec, None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
    let _ = since();
}

#[tokio::test]
async fn a_lost_answer_to_any_write_is_made_good_by_the_next_try() {
    let spec = full();
    for lost in [
        "CreateFunctionUrlConfig",
        "AddPermission",
        "PutFunctionEventInvokeConfig",
        "CreateSchedule",
        "PutRule",
        "PutTargets",
        "CreateEventSourceMapping",
    ] {
        let world = World::new();
        world.aws.refuse((lost, 400, "Lost", "lost", true));
        let failed = world.ensure(&target(&spec, None)).await.unwrap_err();
        assert_eq!(failed.name(), ErrorName::Rejected, "{lost}");
        world.ensure(&target(&spec, None)).await.unwrap();
        assert_eq!(world.compare(&spec).await, [""; 0], "{lost}");
        assert_eq!((world.left(), world.aws.state().policy.len()), (3, 4), "{lost}");
    }
}

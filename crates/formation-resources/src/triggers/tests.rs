//! The calls that are made, against a stand-in for AWS at the wire.

mod aws;

use formation_model::triggers::{
    AsyncInvoke, AuthType, Cors, EventRule, EventSource, FunctionUrl, Input, Invoker, LeftTrigger,
    Schedule, StartingPosition,
};
use formation_model::{ErrorName, FunctionSpec};
use serde_json::{Value, json};

use self::aws::{StandIn, live_arn};
use super::*;
use crate::testing::{self, delete, stack, target, undo};
use crate::{Foreign, Removal};

const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:jobs";
/// That of the function's, in its stand-in.
const ADDRESS: &str = "https://abc.lambda-url.eu-west-1.on.aws/";
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
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let aws = StandIn::default();
        aws.state().queues.insert("jobs".into(), json!({"VisibilityTimeout": "30"}));
        let (clients, sources) = aws.clients();
        Self { aws, clients, sources }
    }

    /// With all that `spec` asks for.
    async fn with(spec: &FunctionSpec) -> Self {
        let world = Self::new();
        world.ensure(&target(spec, None)).await.unwrap();
        world.aws.calls();
        world
    }

    async fn ensure(&self, target: &Target<'_>) -> Result<Ensured, ResourceError> {
        self.ensure_searching(target, None).await
    }

    /// The same, and takes away what is to go unless callers have yet to move.
    async fn ensure_searching(
        &self,
        target: &Target<'_>,
        search: Option<&[LeftTrigger]>,
    ) -> Result<Ensured, ResourceError> {
        let (clients, settings) = (&self.clients, settings());
        let ensured = ensure(clients, &self.sources, &settings, target, search).await?;
        if !target.only_adds {
            take_away(clients, &settings, target, search).await?;
        }
        Ok(ensured)
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
        let found = compare(&self.clients, &settings(), spec, Some(ADDRESS)).await.unwrap();
        found.into_iter().map(|it| it.property).collect()
    }

    async fn remove(&self, spec: &FunctionSpec, removal: Removal<'_>) -> Result<(), ResourceError> {
        remove(&self.clients, &stack(), &removal, &[spec], &[]).await
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
    let address = ADDRESS.to_owned();
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
    let conditions = &statement("lambda:InvokeFunctionUrl")["Condition"];
    assert_eq!(conditions["StringEquals"]["lambda:FunctionUrlAuthType"], "NONE");
    let conditions = &statement("lambda:InvokeFunction")["Condition"];
    assert_eq!(conditions["Bool"]["lambda:InvokedViaFunctionUrl"], "true");
    let is_of_rule = |it: &&Value| it["Principal"]["Service"] == "events.amazonaws.com";
    let of_rule = state.policy.iter().find(is_of_rule).unwrap();
    let ((_, name), rule) = state.rules.first_key_value().unwrap();
    let arn = format!("arn:aws:events:eu-west-1:111122223333:rule/orders/{name}");
    assert_eq!(of_rule["Condition"]["ArnLike"]["AWS:SourceArn"], json!(arn));
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
    let expected = [
        // Everybody may call the address from here on.
        "UpdateFunctionUrlConfig",
        "AddPermission",
        "AddPermission",
        // And what waits loses its tries.
        "PutFunctionEventInvokeConfig",
        "UpdateSchedule",
        "PutRule",
        "UpdateEventSourceMapping",
    ];
    assert_eq!(world.aws.writes(), expected);
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
    assert_eq!((before, after), (Vec::new(), vec!["UpdateEventSourceMapping".to_owned()]));
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
    assert_eq!(world.aws.writes(), [""; 0]);
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
    world.ensure_searching(&aim, Some(&[])).await.unwrap();
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
async fn what_an_operation_has_left_is_taken_away_by_one_that_searches() {
    let (spec, none) = (full(), testing::spec());
    let world = World::with(&spec).await;
    let aim = target(&none, Some(&none));
    world.ensure_searching(&aim, Some(&[])).await.unwrap();
    {
        let state = world.aws.state();
        assert_eq!(state.policy.len() + state.mappings.len() + state.schedules.len(), 0);
        // Nothing tells of these whose they are, or where to look for them.
        assert!(!state.url.is_null() && !state.asynchronous.is_null());
        assert_eq!(state.rules.len(), 1);
    }
    let left = LeftTrigger::beyond(&[], &spec.triggers(), None, &[]);
    world.ensure_searching(&aim, Some(&left)).await.unwrap();
    assert_eq!(world.left(), 0);
    let state = world.aws.state();
    assert!(state.url.is_null() && state.asynchronous.is_null());
}

#[tokio::test]
async fn what_was_left_and_is_wanted_now_is_adopted() {
    let (spec, none) = (full(), testing::spec());
    let world = World::with(&spec).await;
    age(&world);
    let left = LeftTrigger::beyond(&[], &spec.triggers(), None, &[]);
    let aim = target(&spec, Some(&none));
    world.ensure_searching(&Target { only_adds: true, ..aim }, Some(&left)).await.unwrap();
    world.ensure_searching(&aim, Some(&left)).await.unwrap();
    assert_eq!(world.aws.writes(), [""; 0]);
}

#[tokio::test]
async fn what_an_operation_perhaps_did_not_make_is_somebodys_where_it_is_older() {
    let mut spec = testing::spec();
    spec.triggers.function_url = Some(url(AuthType::AwsIam));
    spec.triggers.async_invoke.async_retries = Some(0);
    let none = testing::spec();
    for (since, is_ours) in [(old(), false), (Timestamp::UNIX_EPOCH, true)] {
        let left = LeftTrigger::beyond(&[], &spec.triggers(), Some(since), &[]);
        let world = World::with(&spec).await;
        age(&world);
        let ensured =
            world.ensure_searching(&target(&spec, Some(&none)), Some(&left)).await.map(|_| ());
        assert_eq!(ensured.map_err(|error| error.name()).is_ok(), is_ours);
        world.ensure_searching(&target(&none, Some(&none)), Some(&left)).await.unwrap();
        let state = world.aws.state();
        assert_eq!((state.url.is_null(), state.asynchronous.is_null()), (is_ours, is_ours));
    }
}

/// What there is was made long ago.
fn age(world: &World) {
    let mut state = world.aws.state();
    state.url["CreationTime"] = json!("2020-01-01T00:00:00Z");
    state.asynchronous["LastModified"] = json!(1_577_836_800);
    for mapping in state.mappings.values_mut() {
        mapping["LastModified"] = json!(1_577_836_800);
    }
}

#[tokio::test]
async fn an_address_and_what_becomes_of_asynchronous_calls_that_somebody_has_made_are_theirs() {
    let none = testing::spec();
    for (is_url, told) in [(true, "address"), (false, "asynchronous")] {
        let mut spec = none.clone();
        if is_url {
            spec.triggers.function_url = Some(url(AuthType::AwsIam));
        } else {
            spec.triggers.async_invoke.async_retries = Some(0);
        }
        let world = World::with(&spec).await;
        age(&world);
        let aim = target(&spec, Some(&none));
        let error = world.ensure(&Target { only_adds: true, ..aim }).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotOwned, "{error}");
        assert!(error.to_string().contains(told), "{error}");
        // Going back leaves them where they are.
        let back = Target { restores: true, ..target(&none, Some(&spec)) };
        world.ensure(&back).await.unwrap();
        assert_eq!(world.aws.writes(), [""; 0], "{told}");
        // What the operation itself has made goes.
        let world = World::with(&spec).await;
        world.ensure(&back).await.unwrap();
        assert_eq!(world.aws.writes().len(), 1, "{told}");
    }
}

#[tokio::test]
async fn what_acts_goes_on_as_it_does_until_callers_have_moved() {
    let spec = full();
    let world = World::with(&spec).await;
    let mut other = spec.clone();
    let pattern = json!({"source": ["shop"], "detail-type": ["paid"]});
    other.triggers.event_rules[0].pattern = pattern.as_object().unwrap().clone();
    other.triggers.event_rules[0].input = Some(Input("{}".into()));
    other.triggers.schedules[0].input = None;
    let filter = json!({"body": {"kind": ["new"]}});
    other.triggers.event_sources[0].filter_patterns = vec![filter.as_object().unwrap().clone()];
    other.triggers.event_sources[0].report_batch_item_failures = false;
    let aim = target(&other, Some(&spec));
    world.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
    // It is only asked whether EventBridge takes the pattern.
    assert_eq!(world.aws.writes(), ["TestEventPattern"]);
    let mut batch = other.clone();
    batch.triggers.event_sources[0].batch_size = 5;
    batch.triggers.async_invoke = AsyncInvoke {
        async_retries: Some(1),
        on_failure_arn: Some(QUEUE.into()),
        ..Default::default()
    };
    let aim = target(&batch, Some(&spec));
    world.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
    // And Lambda may refuse whom it is to tell.
    assert_eq!(world.aws.writes(), ["PutFunctionEventInvokeConfig", "TestEventPattern"]);
    assert_eq!(world.aws.state().asynchronous["MaximumRetryAttempts"], 0);
    world.ensure(&aim).await.unwrap();
    let expected = [
        "PutFunctionEventInvokeConfig",
        "UpdateSchedule",
        "PutTargets",
        "PutRule",
        "UpdateEventSourceMapping",
    ];
    assert_eq!(world.aws.writes(), expected);
    assert_eq!(world.compare(&batch).await, [""; 0]);

    let text = "Event pattern is not valid. Reason: nope";
    world.aws.refuse(("TestEventPattern", 400, "InvalidEventPatternException", text, false));
    let aim = target(&spec, Some(&batch));
    let error = world.ensure(&Target { only_adds: true, ..aim }).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::Rejected, "{error}");
    assert!(error.to_string().contains("the rule on-order"), "{error}");
}

#[tokio::test]
async fn an_address_is_opened_only_once_callers_have_moved() {
    let mut spec = testing::spec();
    spec.triggers.function_url = Some(url(AuthType::AwsIam));
    let world = World::with(&spec).await;
    let mut open = spec.clone();
    open.triggers.function_url = Some(url(AuthType::None));
    let (before, after) = world.update(&open, &spec).await;
    assert_eq!(before, [""; 0]);
    assert_eq!(after, ["UpdateFunctionUrlConfig", "AddPermission", "AddPermission"]);
    // A new one is there, and lets nobody in.
    let world = World::new();
    let none = testing::spec();
    let (before, after) = world.update(&open, &none).await;
    assert_eq!(before, ["CreateFunctionUrlConfig"]);
    assert_eq!(after, ["UpdateFunctionUrlConfig", "AddPermission", "AddPermission"]);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_is_being_made_is_let_read_once_it_is_there() {
    let (mut spec, none) = (testing::spec(), testing::spec());
    spec.triggers.event_sources = vec![source(QUEUE)];
    let world = World::new();
    let aim = target(&spec, Some(&none));
    world.ensure(&Target { only_adds: true, ..aim }).await.unwrap();
    world.aws.state().becomes = Some((2, "Disabled"));
    world.aws.state().mappings.get_mut("uuid-1").unwrap()["State"] = json!("Creating");
    world.aws.writes();
    world.ensure(&aim).await.unwrap();
    assert_eq!(world.aws.writes(), ["UpdateEventSourceMapping"]);
    assert_eq!(world.aws.state().mappings["uuid-1"]["State"], "Enabled");

    world.aws.state().mappings.get_mut("uuid-1").unwrap()["State"] = json!("Updating");
    let error = world.ensure(&aim).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_wanted_is_gone_before_its_role_is_narrowed() {
    let (mut spec, none) = (testing::spec(), testing::spec());
    spec.triggers.event_sources = vec![source(QUEUE)];
    let world = World::with(&spec).await;
    world.aws.state().lingers = 99;
    let error = world.ensure(&target(&none, Some(&spec))).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
    world.aws.state().lingers = 3;
    world.ensure(&target(&none, Some(&spec))).await.unwrap();
    assert_eq!(world.aws.state().lingers, 0);
}

#[tokio::test]
async fn what_cannot_be_undone_is_announced_before_it_is_done() {
    let spec = full();
    let mut stream = testing::spec();
    stream.triggers.event_sources = vec![source(STREAM)];
    let mut elsewhere = stream.clone();
    elsewhere.triggers.event_sources[0].starting_position = Some(StartingPosition::TrimHorizon);
    let none = testing::spec();
    for (to, from, takes_away) in [
        (&spec, &none, false),
        (&none, &spec, true),
        (&elsewhere, &stream, true),
        (&stream, &stream, false),
    ] {
        let world = World::with(from).await;
        let aim = target(to, Some(from));
        let ensured = ensure(&world.clients, &world.sources, &settings(), &aim, None).await;
        assert_eq!(ensured.unwrap().takes_away, takes_away);
        let writes = world.aws.writes();
        assert!(!writes.iter().any(|it| it.starts_with("Delete") || it.starts_with("Remove")));
    }
}

#[tokio::test]
async fn a_second_target_of_somebody_at_another_functions_rule_blocks_nothing() {
    let spec = full();
    let world = World::with(&spec).await;
    let theirs = json!([
        {"Key": "formation:stack", "Value": "0a1b2c3d"},
        {"Key": "formation:function", "Value": "other"}
    ]);
    let targets = json!([{"Id": "mine", "Arn": live_arn()}]);
    let name = "formation_0a1b2c3d_other_rule";
    let rule = json!({"Name": name, "Tags": theirs, "Targets": targets});
    world.aws.state().rules.insert(("default".into(), name.into()), rule);
    world.ensure_searching(&target(&spec, Some(&spec)), Some(&[])).await.unwrap();
    assert_eq!(world.aws.writes(), [""; 0]);
    world.remove(&spec, delete(&spec.function_name)).await.unwrap();
    assert_eq!(world.left(), 1);
}

#[tokio::test]
async fn a_source_whose_mapping_lost_its_tags_is_told_of_in_a_delete() {
    let mut spec = testing::spec();
    spec.triggers.event_sources = vec![source(QUEUE)];
    let world = World::with(&spec).await;
    age(&world);
    world.aws.state().mappings.get_mut("uuid-1").unwrap()["Tags"] = json!({});
    let name = &spec.function_name;
    let error = world.remove(&spec, delete(name)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned, "{error}");
    world.remove(&spec, undo(name)).await.unwrap();
    assert_eq!(world.left(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_was_just_made_may_not_be_known_by_its_tags_yet() {
    let (mut spec, none) = (testing::spec(), testing::spec());
    spec.triggers.event_rules = vec![rule()];
    let denied = ("PutTargets", 400, "AccessDeniedException", "no", false);
    let world = World::new();
    world.aws.refuse(denied);
    let aim = target(&spec, Some(&none));
    let adds = Target { only_adds: true, ..aim };
    world.ensure(&adds).await.unwrap();
    let expected = ["AddPermission", "PutRule", "PutTargets", "PutTargets"];
    assert_eq!(world.aws.writes(), expected);
    // Nor by another try of the step.
    world.aws.refuse(("PutRule", 400, "AccessDeniedException", "no", false));
    let error = world.ensure(&aim).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
    world.aws.state().rules.values_mut().for_each(|it| it["Tags"] = json!([]));
    let error = world.ensure(&aim).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady, "{error}");
    // But not for ever: then it is somebody's.
    let error = world.ensure(&Target { since: old(), ..aim }).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned, "{error}");
    // One that was there before is what its tags say.
    let mut other = spec.clone();
    other.triggers.event_rules[0].input = Some(Input("{}".into()));
    let aim = Target { since: old(), ..target(&other, Some(&spec)) };
    assert_eq!(world.ensure(&aim).await.unwrap_err().name(), ErrorName::NotOwned);
    // On the way back a foreign one is left.
    let back = Target { since: old(), restores: true, ..target(&none, Some(&spec)) };
    world
        .aws
        .state()
        .rules
        .values_mut()
        .for_each(|it| it["Tags"] = json!([{"Key": "a", "Value": "b"}]));
    world.ensure(&back).await.unwrap();
    assert_eq!(world.left(), 1);
}

fn old() -> Timestamp {
    Timestamp::now() - jiff::SignedDuration::from_mins(10)
}

#[tokio::test]
async fn a_statement_under_our_name_that_says_something_else_is_drift_and_put_right() {
    let mut spec = testing::spec();
    spec.triggers.invokers = full().triggers.invokers;
    let world = World::with(&spec).await;
    world.aws.state().policy[0]["Principal"] = json!("*");
    let invoker = "invokers/s3.amazonaws.com arn:aws:s3:::photos 111122223333";
    assert_eq!(world.compare(&spec).await, [invoker]);
    world.ensure_searching(&target(&spec, Some(&spec)), Some(&[])).await.unwrap();
    assert_eq!(world.aws.writes(), ["RemovePermission", "AddPermission"]);
    assert_eq!(world.compare(&spec).await, [""; 0]);
    // AWS spells an account as its root.
    spec.triggers.invokers[0] =
        Invoker { principal: "444455556666".into(), source_arn: None, source_account: None };
    let world = World::with(&spec).await;
    for statement in &mut world.aws.state().policy {
        statement["Principal"] = json!({"AWS": "arn:aws:iam::444455556666:root"});
    }
    assert_eq!(world.compare(&spec).await, [""; 0]);
}

#[tokio::test]
async fn callers_of_other_accounts_may_invoke_and_call_the_address() {
    for (principal, actions) in [
        ("444455556666", &["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"][..]),
        (
            "arn:aws:iam::444455556666:role/caller",
            &["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"],
        ),
        ("111122223333", &["lambda:InvokeFunction"]),
        ("arn:aws:iam::111122223333:role/caller", &["lambda:InvokeFunction"]),
        ("s3.amazonaws.com", &["lambda:InvokeFunction"]),
    ] {
        let mut spec = testing::spec();
        spec.triggers.invokers =
            vec![Invoker { principal: principal.into(), source_arn: None, source_account: None }];
        let world = World::with(&spec).await;
        let state = world.aws.state();
        let found: Vec<_> = state.policy.iter().map(|it| it["Action"].clone()).collect();
        assert_eq!(found, actions, "{principal}");
        let conditions: Vec<_> = state.policy.iter().map(|it| it["Condition"].clone()).collect();
        assert_eq!(conditions[0], json!({}), "{principal}");
    }
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
async fn a_source_is_encrypted_by_a_key_that_the_function_may_use() {
    let key = |id: &str| format!("arn:aws:kms:eu-west-1:111122223333:key/{id}");
    for (arn, shown, resource, may) in [
        (QUEUE, "1234".to_owned(), key("1234"), true),
        (QUEUE, "1234".to_owned(), key("5678"), false),
        (QUEUE, "arn:aws:kms:eu-west-1:111122223333:alias/aws/sqs".to_owned(), key("5"), true),
        (STREAM, key("1234"), key("1234"), true),
        (STREAM, key("1234"), key("5678"), false),
        (STREAM, "alias/aws/kinesis".to_owned(), key("5"), true),
        (STREAM, "alias/ours".to_owned(), key("5"), true),
        (STREAM, "alias/ours".to_owned(), "arn:aws:s3:::photos".to_owned(), false),
    ] {
        let world = World::new();
        world.aws.state().stream_key = Some(shown.clone());
        world.aws.state().queues.insert("jobs".into(), json!({"KmsMasterKeyId": shown}));
        let mut spec = testing::spec();
        spec.triggers.event_sources = vec![source(arn)];
        let statement = json!({"actions": ["kms:Decrypt"], "resources": [resource]});
        spec.permissions.policy_statements = vec![serde_json::from_value(statement).unwrap()];
        let ensured = world.ensure(&target(&spec, None)).await;
        assert_eq!(ensured.is_ok(), may, "{arn} {shown} {resource}: {ensured:?}");
    }
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
async fn what_formation_does_not_name_of_a_trigger_is_awss_default() {
    let mut spec = full();
    spec.triggers.event_sources.push(source(STREAM));
    let world = World::with(&spec).await;
    {
        let mut state = world.aws.state();
        let schedule = state.schedules.values_mut().next().unwrap();
        schedule["Target"]["RetryPolicy"] = json!({"MaximumRetryAttempts": 0});
        let rule = state.rules.values_mut().next().unwrap();
        rule["Targets"][0]["InputPath"] = json!("$.detail");
        let is_stream = |it: &&mut Value| it["EventSourceArn"] == STREAM;
        let mapping = state.mappings.values_mut().find(is_stream).unwrap();
        mapping["MaximumRetryAttempts"] = json!(0);
        mapping["ParallelizationFactor"] = json!(10);
        state.asynchronous["DestinationConfig"] = json!({"OnSuccess": {"Destination": QUEUE}});
    }
    let expected = [
        "schedules/nightly/other",
        "eventRules/on-order/other",
        &format!("eventSources/{STREAM}/other"),
        "other",
    ];
    assert_eq!(world.compare(&spec).await, expected);
    world.ensure_searching(&target(&spec, Some(&spec)), Some(&[])).await.unwrap();
    let writes = world.aws.writes();
    let expected = [
        "PutFunctionEventInvokeConfig",
        "UpdateSchedule",
        "PutTargets",
        "UpdateEventSourceMapping",
    ];
    assert_eq!(writes, expected);
    assert_eq!(world.compare(&spec).await, [""; 0]);
    // AWS's own way to spell it.
    {
        let mut state = world.aws.state();
        let tries = json!({"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400});
        state.schedules.values_mut().next().unwrap()["Target"]["RetryPolicy"] = tries;
        state.schedules.values_mut().next().unwrap()["ActionAfterCompletion"] = json!("NONE");
        for mapping in state.mappings.values_mut() {
            mapping["MaximumRetryAttempts"] = json!(-1);
            mapping["ParallelizationFactor"] = json!(1);
            mapping["BisectBatchOnFunctionError"] = json!(false);
        }
    }
    assert_eq!(world.compare(&spec).await, [""; 0]);
}

#[tokio::test]
async fn an_address_that_was_made_anew_is_another() {
    let mut spec = testing::spec();
    spec.triggers.function_url = Some(url(AuthType::AwsIam));
    let world = World::with(&spec).await;
    world.aws.state().url["FunctionUrl"] = json!("https://def.lambda-url.eu-west-1.on.aws/");
    assert_eq!(world.compare(&spec).await, ["functionUrl/address"]);
    // A repair tells of it, so that it is recorded.
    let ensured = world.ensure_searching(&target(&spec, Some(&spec)), Some(&[])).await.unwrap();
    assert!(ensured.function_url.is_some_and(|it| it.contains("def")));
}

#[tokio::test]
async fn a_rule_that_lost_its_tags_is_drift_and_no_reason_to_wait() {
    let mut spec = testing::spec();
    spec.triggers.event_rules = vec![rule()];
    let world = World::with(&spec).await;
    world.aws.state().rules.values_mut().for_each(|it| it["Tags"] = json!([]));
    assert_eq!(world.compare(&spec).await, ["eventRules/on-order/owner"]);
    // Nor is one that was found under a name like ours.
    world.ensure_searching(&target(&testing::spec(), None), Some(&[])).await.unwrap();
    world.remove(&testing::spec(), delete(&spec.function_name)).await.unwrap();
    assert_eq!(world.left(), 1);
}

#[tokio::test]
async fn what_somebody_has_taken_does_not_keep_the_rest_from_going_back() {
    let mut spec = testing::spec();
    spec.triggers.event_rules = vec![rule()];
    spec.triggers.event_sources = vec![source(QUEUE)];
    let world = World::with(&spec).await;
    age(&world);
    let mut other = spec.clone();
    other.triggers.event_rules[0].input = Some(Input("{}".into()));
    other.triggers.event_sources[0].batch_size = 5;
    let theirs = json!([{"Key": "team", "Value": "theirs"}]);
    world.aws.state().rules.values_mut().for_each(|it| it["Tags"] = theirs.clone());
    world.aws.state().mappings.get_mut("uuid-1").unwrap()["Tags"] = json!({"team": "theirs"});
    let back = Target { restores: true, ..target(&spec, Some(&other)) };
    world.ensure(&back).await.unwrap();
    assert_eq!(world.aws.writes(), [""; 0]);
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
    let found = compare(&world.clients, &settings(), &spec, None).await.unwrap();
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

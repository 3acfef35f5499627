//! The calls that are made, against a stand-in for Lambda at the wire that acts as Lambda does where local AWS does
//! not: RoutingConfig that is kept where it is left out, RevisionIds of versions, versions that are not Active.

mod prune;
mod restore;

use aws_sdk_lambda::Client;
use formation_model::names::{kept_version_mark, version_mark};
use formation_model::{ErrorName, FunctionSpec, OperationId, Part, PublishedVersion};
use serde_json::{Value, json};

use super::*;
use crate::function::lambda::StandIn;
use crate::function::{self, FunctionSettings};
use crate::testing::{self, since, stack, target};

fn settings() -> FunctionSettings {
    let idle_role_arn = "arn:aws:iam::111122223333:role/formation-IdleRole".into();
    FunctionSettings { stack: stack(), bucket: "artifacts".into(), idle_role_arn }
}

/// The stand-in takes an object's version for the digest of its content.
fn spec() -> FunctionSpec {
    let mut spec = testing::spec();
    spec.code.version.clone_from(&spec.code.sha256);
    spec
}

fn version(number: u64) -> PublishedVersion {
    number.to_string().parse().unwrap()
}

/// A function with its Lambda, as operations leave it.
struct World {
    aws: StandIn,
    lambda: Client,
    spec: FunctionSpec,
    live: Option<Live>,
}

impl World {
    /// One that was created and is live.
    async fn new() -> Self {
        Self::with(spec()).await
    }

    async fn with(spec: FunctionSpec) -> Self {
        let aws = StandIn::default();
        let lambda = aws.client();
        let mut world = Self { aws, lambda, spec: spec.clone(), live: None };
        let aim = target(&spec, None);
        let ensured = function::ensure(&world.lambda, &settings(), &aim, false).await.unwrap();
        assert_eq!(ensured.published, Some(version(1)));
        let it = Move { kept: ensured.published, ..a_move(&spec, None) };
        let moved = ensure(&world.lambda, &stack(), &it).await.unwrap();
        let Moved::Done { live, .. } = moved else { panic!("{moved:?}") };
        world.live = Some(live);
        world.aws.changes();
        world
    }

    fn recorded(&self) -> Seen<'_> {
        let live = self.live.as_ref();
        let revision_id = live.and_then(|live| live.alias_revision_id.as_deref());
        Seen::Recorded(live.map(|live| live.version), revision_id)
    }

    /// `$LATEST` becomes what is asked for.
    async fn prepare(&self, wanted: &FunctionSpec) {
        let aim = Target { only_adds: true, ..target(wanted, Some(&self.spec)) };
        function::ensure(&self.lambda, &settings(), &aim, false).await.unwrap();
        self.aws.changes();
    }

    async fn go_live(&self, it: &Move<'_>) -> Result<Moved, ErrorName> {
        ensure(&self.lambda, &stack(), it).await.map_err(|error| error.name())
    }

    async fn restore(
        &self,
        operation: OperationId,
        before: (Before, Option<PublishedVersion>),
        seen: Option<&Alias>,
    ) -> Result<Restored, ErrorName> {
        let name = &self.spec.function_name;
        let restored =
            restore(&self.lambda, &stack(), name, (operation, since()), before, seen).await;
        restored.map_err(|error| error.name())
    }

    async fn look(&self) -> Option<Alias> {
        alias(&self.lambda, &self.spec.function_name).await.unwrap()
    }

    fn calls(&self) -> Vec<&'static str> {
        self.aws.changes().into_iter().map(|(operation, _)| operation).collect()
    }

    /// Where callers are.
    fn at(&self) -> Value {
        self.aws.alias()["FunctionVersion"].clone()
    }
}

/// A move to what an update makes.
fn a_move<'a>(wanted: &'a FunctionSpec, formerly: Option<&'a FunctionSpec>) -> Move<'a> {
    Move {
        target: target(wanted, formerly),
        operation: OperationId::generate(),
        kept: None,
        only_kept: false,
        role_was_replaced: false,
        takes_unmarked: false,
        seen: Seen::Recorded(None, None),
    }
}

fn other() -> FunctionSpec {
    let mut other = spec();
    other.configuration.handler = "other.handler".into();
    other
}

#[tokio::test(start_paused = true)]
async fn a_create_publishes_with_the_function_and_makes_the_alias() {
    let aws = StandIn::default();
    let lambda = aws.client();
    let spec = spec();
    let aim = target(&spec, None);
    let ensured = function::ensure(&lambda, &settings(), &aim, false).await.unwrap();
    let it = Move { kept: ensured.published, ..a_move(&spec, None) };
    let moved = ensure(&lambda, &stack(), &it).await.unwrap();
    let alias_revision_id = aws.alias()["RevisionId"].as_str().map(str::to_owned);
    assert_eq!(
        moved,
        Moved::Done {
            live: Live { version: version(1), alias_revision_id },
            keeps_too_much: false,
            alias_is_new: true
        }
    );
    let calls: Vec<_> = aws.changes().into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(calls, ["CreateFunction", "CreateAlias"]);

    // Again, and where the answer with the version's number was lost.
    assert_eq!(aws.looks(), 0);
    let looked = alias(&lambda, &spec.function_name).await.unwrap();
    for kept in [ensured.published, None] {
        let it = Move { kept, seen: Seen::Looked(looked.as_ref()), ..it };
        assert!(matches!(ensure(&lambda, &stack(), &it).await.unwrap(), Moved::Done { .. }));
        assert_eq!(aws.changes(), []);
    }
    aws.change_alias(|alias| *alias = Value::Null);
    // By the function's own description, which it was made with.
    let it = Move { kept: None, takes_unmarked: true, ..it };
    assert!(matches!(ensure(&lambda, &stack(), &it).await.unwrap(), Moved::Done { .. }));
    assert_eq!(aws.versions(), [1], "Lambda answers the version that it has published already");
}

#[tokio::test(start_paused = true)]
async fn an_update_publishes_what_it_has_compared_and_moves_by_the_recorded_revision() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let latest = world.aws.configuration()["RevisionId"].clone();
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    let moved = world.go_live(&it).await.unwrap();
    let Moved::Done { live: Live { version: reached, .. }, .. } = moved else {
        panic!("{moved:?}")
    };
    assert_eq!((reached, world.at()), (version(2), json!("2")));
    let mark = version_mark(it.operation);
    let changes = world.aws.changes();
    let publish = json!({"CodeSha256": "c2hh", "RevisionId": latest, "Description": mark});
    assert_eq!(changes[0], ("PublishVersion", publish));
    let recorded = world.live.as_ref().unwrap().alias_revision_id.clone();
    let update = json!({
        "FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {}},
        "RevisionId": recorded
    });
    assert_eq!(changes[1..], [("UpdateAlias", update)]);
    assert_eq!(world.aws.version(2)["Description"], mark);
    assert_eq!(world.aws.looks(), 0, "the recorded RevisionId spares the look");

    // Repeated, as after an answer that was lost: callers are not where they were, so it looks, and recognises it.
    assert_eq!(world.go_live(&it).await, Ok(Moved::Unseen));
    let looked = world.look().await;
    let it = Move { seen: Seen::Looked(looked.as_ref()), ..it };
    assert!(matches!(world.go_live(&it).await, Ok(Moved::Done { .. })));
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_moved_unnoticed_to_what_somebody_else_has_published() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let by_hand = world.lambda.publish_version().function_name("hello").send().await.unwrap();
    assert_eq!(by_hand.version(), Some("2"));
    world.aws.changes();
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    assert_eq!(world.go_live(&it).await, Ok(Moved::Unmarked));
    assert_eq!(world.at(), json!("1"));
    // Once it is noted that they are about to be.
    let it = Move { takes_unmarked: true, ..it };
    assert!(matches!(world.go_live(&it).await, Ok(Moved::Done { .. })));
    assert_eq!((world.aws.versions(), world.at()), (vec![1, 2], json!("2")));
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_calls_is_looked_for_where_callers_are_not_where_they_are_recorded_to_be() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    let Ok(Moved::Done { live, .. }) = world.go_live(&it).await else { panic!() };
    world.aws.change_alias(|alias| {
        alias["FunctionVersion"] = json!("1");
        alias["RoutingConfig"] = json!({"AdditionalVersionWeights": {"2": 0.5}});
    });
    let seen = Seen::Recorded(Some(live.version), live.alias_revision_id.as_deref());
    let back = Move { kept: version(1).into(), seen, ..a_move(&world.spec, Some(&wanted)) };
    assert_eq!(world.go_live(&back).await, Ok(Moved::Unseen));
    let looked = world.look().await;
    let back = Move { seen: Seen::Looked(looked.as_ref()), ..back };
    assert!(matches!(world.go_live(&back).await, Ok(Moved::Done { .. })));
    assert_eq!(world.look().await.unwrap().weights, [].into());
}

#[tokio::test(start_paused = true)]
async fn what_no_caller_can_feel_publishes_nothing() {
    let world = World::new().await;
    let mut wanted = spec();
    wanted.tags.insert("team".into(), "b".into());
    wanted.configuration.description = "told".into();
    wanted.logs.log_retention_days = 7;
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    let moved = world.go_live(&it).await.unwrap();
    assert_eq!(
        moved,
        Moved::Done {
            live: world.live.clone().unwrap(),
            keeps_too_much: false,
            alias_is_new: false
        }
    );
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_kept_version_is_moved_to_without_publishing_and_where_it_is_gone_nothing_moves() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    let Moved::Done { live: second, .. } = world.go_live(&it).await.unwrap() else { panic!() };
    world.aws.changes();

    // Back to the first, while $LATEST still is the second.
    let back = Move {
        kept: Some(version(1)),
        only_kept: true,
        seen: Seen::Recorded(Some(second.version), second.alias_revision_id.as_deref()),
        ..a_move(&world.spec, Some(&wanted))
    };
    assert!(matches!(world.go_live(&back).await, Ok(Moved::Done { .. })));
    assert_eq!((world.calls(), world.at()), (vec!["UpdateAlias"], json!("1")));

    world.aws.change_alias(|alias| alias["FunctionVersion"] = json!("2"));
    world.aws.delete_version(1);
    let looked = world.look().await;
    let back = Move { seen: Seen::Looked(looked.as_ref()), ..back };
    assert_eq!(world.go_live(&back).await, Ok(Moved::KeptIsGone));
    assert_eq!((world.calls(), world.at()), (vec![], json!("2")));
    // It is published anew once $LATEST is what it was.
    let once = Move { only_kept: false, ..back };
    assert_eq!(world.go_live(&once).await, Err(ErrorName::NotReady));
    let aim = target(&world.spec, Some(&wanted));
    function::ensure(&world.lambda, &settings(), &aim, false).await.unwrap();
    assert!(matches!(world.go_live(&once).await, Ok(Moved::Done { .. })));
    assert_eq!(world.at(), json!("3"));
}

#[tokio::test(start_paused = true)]
async fn a_stale_revision_moves_nobody() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    world.aws.change_alias(|_| {});
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    assert_eq!(world.go_live(&it).await, Ok(Moved::Unseen));
    assert_eq!(world.at(), json!("1"));
    let looked = world.look().await;
    let it = Move { seen: Seen::Looked(looked.as_ref()), ..it };
    assert!(matches!(world.go_live(&it).await, Ok(Moved::Done { .. })));
    assert_eq!((world.aws.versions(), world.at()), (vec![1, 2], json!("2")));
    // Where nothing is known of it, nothing is published before it was looked at.
    let third = FunctionSpec { tags: wanted.tags.clone(), ..spec() };
    world.prepare(&third).await;
    let it = a_move(&third, Some(&wanted));
    assert_eq!(world.go_live(&it).await, Ok(Moved::Unseen));
    assert_eq!(world.aws.versions(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn shares_that_somebody_gave_other_versions_are_cleared_by_a_move() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    // Lambda refuses a version that stands in both places, were the shares left out.
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    let Moved::Done { live, .. } = world.go_live(&it).await.unwrap() else { panic!() };
    world.aws.change_alias(|alias| {
        alias["RoutingConfig"]["AdditionalVersionWeights"] = json!({"1": 0.1});
    });
    world.aws.changes();
    let found = compare(&world.lambda, &stack(), &wanted, Some(live.version), true).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].property.as_str(), &found[0].actual), ("weights", &json!({"1": 0.1})));
    assert_eq!(found[0].part, Part::Live);
    // A repair looks, and takes them away without publishing.
    let looked = world.look().await;
    let repair = Move {
        kept: Some(live.version),
        seen: Seen::Looked(looked.as_ref()),
        ..a_move(&wanted, Some(&wanted))
    };
    assert!(matches!(world.go_live(&repair).await, Ok(Moved::Done { .. })));
    assert_eq!((world.calls(), world.at()), (vec!["UpdateAlias"], json!("2")));
    let found = compare(&world.lambda, &stack(), &wanted, Some(live.version), true).await.unwrap();
    assert_eq!(found, []);
}

#[tokio::test(start_paused = true)]
async fn a_version_is_waited_for_and_one_that_lambda_could_not_make_is_never_led_to() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    world.aws.publishes("Pending");
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    assert_eq!(world.go_live(&it).await, Err(ErrorName::NotReady));
    assert_eq!(world.calls(), ["PublishVersion"]);
    world.aws.change_version(2, |version| version["State"] = json!("Failed"));
    assert_eq!(world.go_live(&it).await, Err(ErrorName::Rejected));
    assert_eq!(world.at(), json!("1"));
    world.aws.change_version(2, |version| version["State"] = json!("Active"));
    // Active, but not for all of Lambda yet.
    let not_active = "The version is not Active";
    world.aws.refuse(("UpdateAlias", 409, "ResourceConflictException", not_active, false));
    assert_eq!(world.go_live(&it).await, Err(ErrorName::NotReady));
    assert!(matches!(world.go_live(&it).await, Ok(Moved::Done { .. })));
    assert_eq!((world.aws.versions(), world.at()), (vec![1, 2], json!("2")));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_between_the_look_and_the_publishing_never_goes_live() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    world.aws.change(|function| function["Configuration"]["MemorySize"] = json!(4096));
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    assert_eq!(world.go_live(&it).await, Err(ErrorName::NotReady));
    assert_eq!(world.calls(), [""; 0]);
    world.prepare(&wanted).await;
    for (status, code, message) in [
        (412, "PreconditionFailedException", "stale"),
        (400, "InvalidParameterValueException", "CodeSHA256 (a) is different from current (b)"),
        (409, "ResourceConflictException", "An update is in progress"),
    ] {
        world.aws.refuse(("PublishVersion", status, code, message, false));
        assert_eq!(world.go_live(&it).await, Err(ErrorName::NotReady), "{code}");
    }
    let full = "Code storage limit exceeded.";
    world.aws.refuse(("PublishVersion", 400, "CodeStorageExceededException", full, false));
    let error = ensure(&world.lambda, &stack(), &it).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::QuotaExceeded);
    assert!(error.to_string().contains("RevisionsKept"), "{error}");
    assert_eq!(world.at(), json!("1"));
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_was_encrypted_anew_takes_a_new_version() {
    let mut with_environment = spec();
    with_environment.configuration.environment.0.insert("KEY".into(), "s3cr3t".into());
    let world = World::with(with_environment.clone()).await;
    world.aws.change(|function| function["Configuration"]["RevisionId"] = json!("renewed"));
    let looked = world.look().await;
    let repair = Move {
        kept: Some(version(1)),
        role_was_replaced: true,
        seen: Seen::Looked(looked.as_ref()),
        ..a_move(&with_environment, Some(&with_environment))
    };
    assert!(matches!(world.go_live(&repair).await, Ok(Moved::Done { .. })));
    assert_eq!((world.calls(), world.at()), (vec!["PublishVersion", "UpdateAlias"], json!("2")));
    // Once.
    assert!(matches!(world.go_live(&repair).await, Ok(Moved::Done { .. })));
    assert_eq!(world.calls(), [""; 0]);
    // Without an environment there is nothing to renew.
    let world = World::new().await;
    let looked = world.look().await;
    let seen = Seen::Looked(looked.as_ref());
    let wanted = spec();
    let repair = Move { role_was_replaced: true, seen, ..a_move(&wanted, Some(&wanted)) };
    assert!(matches!(world.go_live(&repair).await, Ok(Moved::Done { .. })));
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_raised_before_the_move_and_lowered_after_it() {
    for (from, to, before, after) in [
        (None, Some(5), vec!["PutFunctionConcurrency"], vec![]),
        (Some(5), Some(6), vec!["PutFunctionConcurrency"], vec![]),
        (Some(5), Some(4), vec![], vec!["PutFunctionConcurrency"]),
        (Some(5), Some(0), vec![], vec!["PutFunctionConcurrency"]),
        (None, Some(0), vec![], vec!["PutFunctionConcurrency"]),
        (Some(5), None, vec![], vec!["DeleteFunctionConcurrency"]),
        (Some(5), Some(5), vec![], vec![]),
        // What is stopped runs again before the move, and what is set apart no more goes after it.
        (Some(0), Some(5), vec!["PutFunctionConcurrency"], vec![]),
        (Some(0), None, vec![], vec!["DeleteFunctionConcurrency"]),
    ] {
        let world = World::with(FunctionSpec { reserved_concurrency: from, ..spec() }).await;
        let wanted = FunctionSpec { reserved_concurrency: to, ..other() };
        let aim = Target { only_adds: true, ..target(&wanted, Some(&world.spec)) };
        function::ensure(&world.lambda, &settings(), &aim, false).await.unwrap();
        let expected = [vec!["UpdateFunctionConfiguration"], before].concat();
        assert_eq!(world.calls(), expected, "{from:?} to {to:?}");
        let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
        let Ok(Moved::Done { keeps_too_much, .. }) = world.go_live(&it).await else { panic!() };
        assert_eq!(world.calls(), ["PublishVersion", "UpdateAlias"], "{from:?} to {to:?}");
        assert_eq!(keeps_too_much, !after.is_empty(), "{from:?} to {to:?}");
        for expected in [after, vec![]] {
            take_away(&world.lambda, &stack(), &it.target).await.unwrap();
            assert_eq!(world.calls(), expected, "{from:?} to {to:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_flees_from_a_stopped_function_is_answered_right_after_the_move() {
    let world = World::with(FunctionSpec { reserved_concurrency: Some(5), ..spec() }).await;
    let stopped = FunctionSpec { reserved_concurrency: Some(0), ..other() };
    world.prepare(&stopped).await;
    let it = Move { seen: world.recorded(), ..a_move(&stopped, Some(&world.spec)) };
    world.go_live(&it).await.unwrap();
    take_away(&world.lambda, &stack(), &it.target).await.unwrap();
    world.aws.changes();
    let looked = world.look().await;
    let seen = Seen::Looked(looked.as_ref());
    let kept = Some(version(1));
    let back = Move { kept, only_kept: true, seen, ..a_move(&world.spec, Some(&stopped)) };
    assert!(matches!(world.go_live(&back).await, Ok(Moved::Done { keeps_too_much: false, .. })));
    assert_eq!(world.calls(), ["UpdateAlias", "PutFunctionConcurrency"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_release_made_gets_a_version_before_anything_changes() {
    let aws = StandIn::default();
    let lambda = aws.client();
    let spec = spec();
    // As it made functions: without a version.
    let aim = target(&spec, Some(&spec));
    function::ensure(&lambda, &settings(), &aim, false).await.unwrap();
    assert_eq!(aws.versions(), [0; 0]);
    aws.changes();
    let found = compare(&lambda, &stack(), &spec, None, true).await.unwrap();
    assert_eq!(found, [], "that is no drift");

    let operation = OperationId::generate();
    let kept = keep(&lambda, &stack(), &spec, operation, since()).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!((kept.live.version, kept.is_like), (version(1), true));
    assert_eq!(aws.version(1)["Description"], kept_version_mark(operation));
    let calls: Vec<_> = aws.changes().into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(calls, ["PublishVersion", "CreateAlias"]);
    let kept = keep(&lambda, &stack(), &spec, operation, since()).await.unwrap();
    assert_eq!(kept.unwrap().live.version, version(1));
    assert_eq!(aws.changes(), []);
    // What somebody has changed by hand is kept as it is, and told.
    let kept = keep(&lambda, &stack(), &other(), operation, since()).await.unwrap().unwrap();
    assert_eq!((kept.live.version, kept.is_like), (version(1), false));
    // It is what was there before, and not a move of the operation.
    let seen = alias(&lambda, &spec.function_name).await.unwrap();
    let stack = stack();
    let back = restore(
        &lambda,
        &stack,
        &spec.function_name,
        (operation, since()),
        (Before::AsFound, None),
        seen.as_ref(),
    );
    assert!(matches!(back.await.unwrap(), Restored::Back(Some(_))));
}

#[tokio::test(start_paused = true)]
async fn either_of_the_version_and_where_the_alias_leads_is_drift() {
    let world = World::new().await;
    let recorded = Some(version(1));
    let found = |it: Vec<Difference>| -> Vec<_> {
        it.into_iter().map(|it| (it.part.known().copied(), it.property)).collect()
    };
    let compared = async || {
        found(compare(&world.lambda, &stack(), &world.spec, recorded, false).await.unwrap())
    };
    assert_eq!(compared().await, []);
    assert_eq!(world.aws.looks(), 0, "GetFunction has a rate of its own, GetAlias none");
    world.prepare(&other()).await;
    assert_eq!(compared().await, [], "the workbench is another part");
    let it = Move { seen: world.recorded(), ..a_move(&world.spec, None) };
    let wanted = other();
    let it = Move { target: target(&wanted, Some(&world.spec)), ..it };
    world.go_live(&it).await.unwrap();
    let live = Some(Part::Live);
    assert_eq!(compared().await, [(live, "version".to_owned()), (live, "handler".to_owned())]);
    assert_eq!(world.aws.looks(), 1);
}

//! The move of callers, one call, and what may befall an operation at that very call: before it is carried out,
//! or after.

use std::time::Duration;

use formation_model::{
    DriftStatus, FunctionStatus, Operation, OperationKind, OperationStatus, Part, Rollback,
};
use formation_tests::{Call, Fault, Rule, World};
use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::moments::Act;
use crate::requests::{OTHER_CODE, path};

const MOVE: &str = "lambda:UpdateAlias";

/// Longer than the next attempt takes to see to callers.
const LONG: Duration = Duration::from_secs(5);

const WELL: (OperationStatus, Rollback) = (OperationStatus::Succeeded, Rollback::NotNeeded);
const BACK: (OperationStatus, Rollback) = (OperationStatus::Failed, Rollback::Complete);

/// An operation that moves callers: of all that a function can have, and back.
#[derive(Clone, Copy, Debug)]
enum Moving {
    Update,
    Rollback,
}

const ALL: [Moving; 2] = [Moving::Update, Moving::Rollback];

impl Moving {
    /// Makes what is to be changed.
    async fn prepare(self, world: &World, name: &str) {
        Act::Update.prepare(world, name).await;
        if let Self::Rollback = self {
            let updated = Act::Update.ask(world, name).await;
            assert_eq!(world.ended_unseen(&updated).await, WELL);
        }
    }

    async fn ask(self, world: &World, name: &str) -> Operation {
        match self {
            Self::Update => Act::Update.ask(world, name).await,
            Self::Rollback => {
                let rollback = format!("{}/rollback", path(name));
                let accepted = world.api(Method::POST, &rollback, None).await;
                assert_eq!(accepted.status, 202, "{accepted:?}");
                accepted.read()
            }
        }
    }

    /// What AWS holds after one where nothing interferes.
    async fn clean(self, world: &World) -> Value {
        let name = world.name("clean");
        self.prepare(world, &name).await;
        let operation = self.ask(world, &name).await;
        assert_eq!(world.ended_unseen(&operation).await, WELL, "{self:?}");
        world.facts(&name).await
    }
}

/// Calls of the move so far, by their statuses; none where the answer was lost, or never came.
fn moves(world: &World, name: &str, before: usize) -> Vec<Option<u16>> {
    let calls = world.proxy.calls(name).split_off(before);
    let moves = calls.iter().filter(|call| call.name() == MOVE);
    moves.map(|call| call.status.map(|status| status.as_u16())).collect()
}

/// Where the alias leads.
async fn leads_to(world: &World, name: &str) -> String {
    let alias = world.lambda.get_alias().function_name(name).name("live").send().await.unwrap();
    alias.function_version.unwrap()
}

async fn attempt(world: &World, operation: &Operation) -> String {
    world.operation_item(operation).await["attempt"].as_n().unwrap().clone()
}

/// That an operation has ended so, and that AWS, its record and the function's all tell the same.
async fn assert_ended(
    world: &World,
    begun: &Operation,
    expected: (OperationStatus, Rollback),
    facts: &Value,
    told: &str,
) {
    assert_eq!(world.ended_unseen(begun).await, expected, "{told}");
    let name = begun.function_name.as_str();
    world
        .until("what was late has landed", async || {
            (!world.proxy.has_late_calls(name)).then_some(())
        })
        .await;
    assert_eq!(world.facts(name).await, *facts, "{told}");
    let function = world.function(name).await;
    assert_eq!(function.status, FunctionStatus::Available, "{told}: {function:#?}");
    let live = function.resources.version.unwrap().to_string();
    assert_eq!(live, leads_to(world, name).await, "{told}");
    let operation = world.client.operation(&begun.function_name, begun.operation_id).await.unwrap();
    assert_eq!(operation.error.is_some(), expected == BACK, "{told}: {operation:#?}");
    assert!(operation.leftovers.is_empty(), "{told}");
    let drift = world.drift(name).await.drift;
    assert_eq!(*drift.status.known().unwrap(), DriftStatus::InSync, "{told}: {drift:#?}");
}

pub async fn who_dies_at_the_move_is_tried_again(world: &World) {
    for moving in ALL {
        let after = moving.clean(world).await;
        let cases = [Fault::KillBefore, Fault::Kill, Fault::Drop, Fault::LoseAnswer];
        let cases = cases.into_iter().map(async |fault| {
            let name = world.name("mortal");
            moving.prepare(world, &name).await;
            let told = format!("{moving:?}, {fault:?}");
            world.proxy.inject(Rule::new(MOVE, &name, 1, fault));
            let begun = moving.ask(world, &name).await;
            assert_ended(world, &begun, WELL, &after, &told).await;
            assert!(world.proxy.is_spent(&name), "{told}");
            assert_eq!(attempt(world, &begun).await, "1", "{told}");
        });
        join_all(cases).await;
    }
}

/// What is known of the move when the execution that makes it is stopped.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// Nobody has moved: one try has died before its call reached AWS, and that of the next is on its way.
    NotMade,
    /// Callers have moved, and the answer was lost: the step has yet to look.
    Lost,
    /// Callers have moved, and the step that moved them has died.
    Died,
    /// Callers have moved, the machine knows it, and has yet to record it.
    Unrecorded,
}

impl Known {
    fn inject(self, world: &World, name: &str) {
        // The first transaction accepts it.
        let unrecorded = Rule {
            call: "dynamodb:TransactWriteItems".to_owned(),
            function: name.to_owned(),
            skip: 1,
            times: usize::MAX,
            fault: Fault::Throttle,
        };
        let at_move = |times, fault| Rule::new(MOVE, name, times, fault);
        let rules = match self {
            Self::NotMade => {
                vec![at_move(1, Fault::KillBefore), at_move(1, Fault::Delay(LONG))]
            }
            Self::Lost => vec![
                at_move(1, Fault::LoseAnswer),
                Rule::new("lambda:GetAlias", name, usize::MAX, Fault::Throttle),
            ],
            Self::Died => vec![at_move(1, Fault::Kill), unrecorded],
            Self::Unrecorded => vec![unrecorded],
        };
        rules.into_iter().for_each(|rule| world.proxy.inject(rule));
    }
}

/// Stopped, it is taken over by reconcile, which goes by what callers run.
pub async fn an_operation_that_is_taken_over_at_the_move_ends_as_its_callers_are(world: &World) {
    for moving in ALL {
        let after = moving.clean(world).await;
        let cases = [Known::NotMade, Known::Lost, Known::Died, Known::Unrecorded];
        let cases = cases.into_iter().map(async |known| {
            let name = world.name("taken-over");
            moving.prepare(world, &name).await;
            let told = format!("{moving:?}, {known:?}");
            let (before, called) = (world.facts(&name).await, world.proxy.calls(&name).len());
            let (from, has_moved) =
                (leads_to(world, &name).await, !matches!(known, Known::NotMade));
            known.inject(world, &name);
            let begun = moving.ask(world, &name).await;
            world
                .until("it is at the move", async || {
                    let is_made = has_moved && !moves(world, &name, called).is_empty();
                    (is_made || world.proxy.has_late_calls(&name)).then_some(())
                })
                .await;
            assert_eq!(leads_to(world, &name).await != from, has_moved, "{told}");
            let stop = world.sfn.stop_execution().execution_arn(&begun.execution_arn);
            stop.send().await.unwrap();
            world
                .until("it is taken over", async || {
                    (attempt(world, &begun).await == "2").then_some(())
                })
                .await;
            world.proxy.release(&name);
            let (expected, facts) = if has_moved { (WELL, &after) } else { (BACK, &before) };
            assert_ended(world, &begun, expected, facts, &told).await;
        });
        join_all(cases).await;
    }
}

/// Cancels, and answers whether that was accepted.
async fn cancels(world: &World, begun: &Operation) -> bool {
    let Operation { function_name, operation_id, .. } = begun;
    let cancel = format!("{}/operations/{operation_id}/cancel", path(function_name.as_str()));
    world.api(Method::POST, &cancel, None).await.status == StatusCode::ACCEPTED
}

/// An operation whose move is on its way to AWS for so long.
async fn on_its_way(world: &World, moving: Moving, name: &str, time: Duration) -> Operation {
    world.proxy.inject(Rule::new(MOVE, name, 1, Fault::Delay(time)));
    let begun = moving.ask(world, name).await;
    world
        .until("the move is on its way", async || world.proxy.has_late_calls(name).then_some(()))
        .await;
    begun
}

pub async fn a_late_move_of_a_superseded_attempt_is_refused_and_changes_nothing(world: &World) {
    let name = world.name("late");
    Moving::Update.prepare(world, &name).await;
    let (before, called) = (world.facts(&name).await, world.proxy.calls(&name).len());
    let begun = on_its_way(world, Moving::Update, &name, LONG).await;
    assert!(cancels(world, &begun).await);
    assert_ended(world, &begun, BACK, &before, "late").await;
    // The way back has written, although nobody had moved: so what comes after it is stale.
    assert_eq!(moves(world, &name, called), [Some(200), Some(412)]);
    let told = world.client.operation(&begun.function_name, begun.operation_id).await.unwrap();
    assert!(told.is_cancelled(), "{told:#?}");
}

pub async fn a_cancel_that_comes_after_the_move_has_landed_changes_nothing(world: &World) {
    for moving in ALL {
        let after = moving.clean(world).await;
        // The way back looks before the move has landed, and after it.
        let cases = ["lambda:GetAlias", MOVE].map(async |late| {
            let name = world.name("too-late");
            moving.prepare(world, &name).await;
            let called = world.proxy.calls(&name).len();
            let begun = on_its_way(world, moving, &name, Duration::from_secs(2)).await;
            world.proxy.inject(Rule::new(late, &name, 1, Fault::Delay(LONG)));
            assert!(cancels(world, &begun).await, "{moving:?}, {late}");
            assert_ended(world, &begun, WELL, &after, &format!("{moving:?}, {late}")).await;
            assert!(world.proxy.is_spent(&name), "{moving:?}, {late}");
            let moves = moves(world, &name, called);
            let expected = if late == MOVE { vec![Some(200), Some(412)] } else { vec![Some(200)] };
            assert_eq!(moves, expected, "{moving:?}, {late}");
            assert_eq!(attempt(world, &begun).await, "2", "{moving:?}, {late}");
        });
        join_all(cases).await;
    }
}

pub async fn who_flees_from_a_stopped_function_is_answered_whatever_fails_afterwards(
    world: &World,
) {
    let name = world.name("halted");
    world.create(&name, json!({"reservedConcurrency": 2, "logRetentionDays": 7})).await;
    let stop = json!({"code": OTHER_CODE, "reservedConcurrency": 0, "logRetentionDays": 30});
    let stopped = world.patch(&name, stop).await;
    assert_eq!(stopped.status, OperationStatus::Succeeded, "{stopped:#?}");
    let live = format!("{name}:live");
    // Local AWS stops no call of an alias.
    let reserved = async || {
        let reserved = world.lambda.get_function_concurrency().function_name(&name).send().await;
        reserved.unwrap().reserved_concurrent_executions
    };
    assert_eq!(reserved().await, Some(0));
    let refused = Fault::Refuse(400, "InvalidParameterException", "injected");
    world.proxy.inject(Rule::new("logs:PutRetentionPolicy", &name, 1, refused));
    let rollback = world.carried_out(world.client.roll_back(&name.parse().unwrap(), None)).await;
    assert_eq!(rollback.status, OperationStatus::Failed, "{rollback:#?}");
    assert_eq!(rollback.rollback, Rollback::Incomplete, "{rollback:#?}");
    assert_eq!(reserved().await, Some(2));
    assert_eq!(world.invoke(&live, &json!({})).await.unwrap()["statusCode"], 200);
}

/// AWS's words for a runtime that it runs and does not take any more.
const BLOCKED: Fault = Fault::Refuse(
    400,
    "InvalidParameterValueException",
    "The runtime parameter of nodejs22.x is no longer supported for creating or updating AWS Lambda functions.",
);

pub async fn a_runtime_that_is_blocked_by_now_holds_up_no_way_back(world: &World) {
    let next = json!({"runtime": "nodejs24.x", "code": OTHER_CODE});
    let first = json!({"statusCode": 200, "body": "\"Hello!\""});
    for kind in [OperationKind::Update, OperationKind::Rollback] {
        let name = world.name("blocked");
        world.create(&name, json!({"runtime": "nodejs22.x"})).await;
        let configure = "lambda:UpdateFunctionConfiguration";
        let operation = match kind {
            // It fails once the workbench is changed, and that is not brought back.
            OperationKind::Update => {
                let refused = Fault::Refuse(400, "InvalidParameterValueException", "injected");
                world.proxy.inject(Rule::new("lambda:PublishVersion", &name, 1, refused));
                world.proxy.inject(Rule {
                    call: configure.to_owned(),
                    function: name.clone(),
                    skip: 1,
                    times: 1,
                    fault: BLOCKED,
                });
                let operation = world.patch(&name, next.clone()).await;
                assert_eq!(operation.status, OperationStatus::Failed, "{operation:#?}");
                assert_eq!(operation.rollback, Rollback::Complete, "{operation:#?}");
                operation
            }
            _ => {
                let updated = world.patch(&name, next.clone()).await;
                assert_eq!(updated.status, OperationStatus::Succeeded, "{updated:#?}");
                world.proxy.inject(Rule::new(configure, &name, 1, BLOCKED));
                let rollback = world.client.roll_back(&name.parse().unwrap(), None);
                let operation = world.carried_out(rollback).await;
                assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
                operation
            }
        };
        assert!(operation.leftovers.is_empty(), "{kind:?}");
        assert!(world.proxy.is_spent(&name), "{kind:?}");
        assert_eq!(world.invoke(&format!("{name}:live"), &json!({})).await.unwrap(), first);
        // The function is as callers run it, and what differs is told with AWS's words.
        let function = world.function(&name).await;
        assert_eq!(function.status, FunctionStatus::Available, "{kind:?}");
        assert_eq!(*function.drift.status.known().unwrap(), DriftStatus::Drifted, "{kind:?}");
        let differences = &function.drift.differences;
        assert!(differences.iter().all(|it| it.part == Part::Function), "{differences:#?}");
        let told = differences.iter().find(|it| it.property == "refused");
        let words = told.map(|it| it.actual.to_string()).unwrap_or_default();
        assert!(words.contains("no longer supported"), "{kind:?}: {differences:#?}");
        assert!(differences.iter().any(|it| it.property == "runtime"), "{differences:#?}");
        // Nobody tries that again, and the next update starts from there.
        let before = world.proxy.calls(&name).len();
        let updated = world.patch(&name, next.clone()).await;
        assert_eq!(updated.status, OperationStatus::Succeeded, "{kind:?}: {updated:#?}");
        let calls = world.proxy.calls(&name).split_off(before);
        let configured = calls.iter().filter(|call: &&Call| call.name() == configure).count();
        assert_eq!(configured, 0, "{kind:?}: the workbench had that already");
        assert_eq!(
            world.invoke(&format!("{name}:live"), &json!({})).await.unwrap(),
            json!("second")
        );
        let drift = world.drift(&name).await.drift;
        assert_eq!(*drift.status.known().unwrap(), DriftStatus::InSync, "{kind:?}: {drift:#?}");
    }
}

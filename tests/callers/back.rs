//! Ways back: as soon as one is asked for callers are where they were, and nothing that fails afterwards takes
//! them away from there again.

use std::time::{Duration, Instant};

use formation_model::{DriftStatus, FunctionStatus, Operation, OperationStatus, Rollback};
use formation_tests::{Answer as Response, Call as AwsCall, Fault, Rule, World};
use http::Method;
use serde_json::json;

use crate::edition::{Answer, Called, Editions};

/// How long after the request callers may be where they should not, on local AWS.
const AT_ONCE: Duration = Duration::from_secs(3);

/// The edition that callers go back to.
const GOOD: u32 = 1;

const REFUSED: Fault = Fault::Refuse(400, "InvalidParameterValueException", "injected");

fn path(it: &Editions<'_>) -> String {
    format!("/v1/functions/{}", it.name)
}

/// What befalls an operation once its callers are back.
#[derive(Clone, Debug)]
enum Afterwards {
    Nothing,
    /// This call fails for good, the first time that it is made.
    Refused(String),
    /// The Lambda that makes this call dies, once: that is got over.
    Killed(String),
    /// Its execution is stopped.
    Stopped,
}

impl Afterwards {
    fn inject(&self, it: &Editions<'_>) {
        let (call, times, fault) = match self {
            Self::Nothing | Self::Stopped => return,
            Self::Refused(call) => (call, 1, REFUSED),
            Self::Killed(call) => (call, 1, Fault::Kill),
        };
        it.world.proxy.inject(Rule::new(call, &it.name, times, fault));
    }
}

/// Asks for a way back from edition `bad`, and sees callers back in time and there to stay, whatever fails
/// `afterwards`. Answers the operation and how it has ended.
async fn goes_back(
    it: &Editions<'_>,
    bad: u32,
    afterwards: &Afterwards,
    ask: impl AsyncFnOnce() -> Response,
    operation: Option<&Operation>,
) -> (OperationStatus, Rollback) {
    let world = it.world;
    let ((back, ended), calls) = it
        .called_during(async |called: &Called| {
            called.reach(world, bad, Instant::now()).await;
            afterwards.inject(it);
            let asked = Instant::now();
            let accepted = ask().await;
            assert_eq!(accepted.status, 202, "{accepted:?}");
            called.reach(world, GOOD, asked).await;
            let back = Instant::now();
            let took = back.duration_since(asked);
            println!("callers were back {took:.2?} after the request; then {afterwards:?}");
            assert!(took < AT_ONCE, "{took:?}");
            let accepted: Operation = accepted.read();
            if let Afterwards::Stopped = afterwards {
                let stop = world.sfn.stop_execution().execution_arn(&accepted.execution_arn);
                stop.send().await.unwrap();
            }
            let ended = world.ended_unseen(operation.unwrap_or(&accepted)).await;
            (back, ended)
        })
        .await;
    for call in calls {
        let answer = call.answer.unwrap();
        assert_eq!(answer, Answer::of(answer.code), "it is not of one edition");
        let late = call.began > back;
        let expected = if late { [GOOD].as_slice() } else { &[GOOD, bad] };
        assert!(expected.contains(&answer.code), "{answer:?}, {afterwards:?}, late: {late}");
    }
    world.proxy.release(&it.name);
    ended
}

/// That the function is the good edition, wholly, once what was left over is finished.
async fn is_healed(it: &Editions<'_>, ended: (OperationStatus, Rollback)) {
    let world = it.world;
    let function = world.function(&it.name).await;
    if ended.1 == Rollback::Incomplete {
        assert_eq!(function.status, FunctionStatus::Failed);
        world.reconcile_function(&it.name).await;
        world
            .until("what was left over is finished", async || {
                let status = world.function(&it.name).await.status;
                (status == FunctionStatus::Available).then_some(())
            })
            .await;
    }
    let function = world.function(&it.name).await;
    assert_eq!(function.status, FunctionStatus::Available);
    let drift = world.drift(&it.name).await.drift;
    assert_eq!(*drift.status.known().unwrap(), DriftStatus::InSync, "{drift:#?}");
    let policies = world.live(&it.name).await.inline_policies;
    assert_eq!(policies.len(), 2, "beside the logs', those of one edition: {policies:#?}");
    assert_eq!(it.answer(&json!({})).await, Ok(Answer::of(GOOD)));
}

pub async fn callers_are_back_at_once_after_a_rollback_whatever_fails_afterwards(world: &World) {
    let it = Editions::new(world, 8).await;
    let mut cases = vec![Afterwards::Nothing];
    let mut bad = GOOD;
    while let Some(afterwards) = cases.pop() {
        bad += 1;
        it.update(bad).await;
        let before = world.proxy.calls(&it.name).len();
        let roll_back =
            async || world.api(Method::POST, &format!("{}/rollback", path(&it)), None).await;
        let ended = goes_back(&it, bad, &afterwards, roll_back, None).await;
        if let Afterwards::Nothing = afterwards {
            assert_eq!(ended, (OperationStatus::Succeeded, Rollback::NotNeeded));
            let calls = world.proxy.calls(&it.name).split_off(before);
            cases.extend(after_the_move(&calls));
        }
        // It went forward, whatever happened: the revision is there, and what fails for good is left over.
        let well = (OperationStatus::Succeeded, Rollback::NotNeeded);
        let is_left = matches!(afterwards, Afterwards::Refused(_));
        let left = (OperationStatus::Failed, Rollback::Incomplete);
        assert_eq!(ended, if is_left { left } else { well }, "{afterwards:?}");
        assert_eq!(world.function(&it.name).await.revision, u64::from(bad) * 2 - 1);
        is_healed(&it, ended).await;
    }
    assert!(bad >= 6, "few calls were tried: {bad}");
}

/// What may befall a rollback that made these calls: each change that came after the move fails, one of them
/// kills, and the execution is stopped.
fn after_the_move(calls: &[AwsCall]) -> Vec<Afterwards> {
    let moved = calls.iter().position(|call| call.operation == "UpdateAlias").unwrap();
    let (first, later) = calls.split_at(moved);
    let changes = |calls: &[AwsCall]| -> Vec<_> {
        calls.iter().filter(|call| call.changes_a_part()).map(AwsCall::name).collect()
    };
    // Before it there is what the edition needs that callers flee to.
    assert_eq!(changes(first), ["iam:PutRolePolicy"]);
    let later = changes(later).split_off(1);
    let expected =
        ["lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionCode", "iam:DeleteRolePolicy"];
    assert_eq!(later, expected);
    let killed = Afterwards::Killed(later[0].clone());
    let refused = later.into_iter().map(Afterwards::Refused);
    refused.chain([killed, Afterwards::Stopped]).collect()
}

pub async fn callers_are_back_at_once_after_a_cancel_whatever_fails_afterwards(world: &World) {
    let it = Editions::new(world, 5).await;
    for (bad, afterwards) in [
        (2, Afterwards::Nothing),
        (3, Afterwards::Refused("lambda:UpdateFunctionCode".to_owned())),
        (4, Afterwards::Refused("iam:DeleteRolePolicy".to_owned())),
        (5, Afterwards::Killed("lambda:UpdateFunctionConfiguration".to_owned())),
    ] {
        let begun = moved_by_hand(&it, bad).await;
        let cancel = format!("{}/operations/{}/cancel", path(&it), begun.operation_id);
        let cancel = async || world.api(Method::POST, &cancel, None).await;
        let ended = goes_back(&it, bad, &afterwards, cancel, Some(&begun)).await;
        let rollback = match afterwards {
            Afterwards::Refused(_) => Rollback::Incomplete,
            _ => Rollback::Complete,
        };
        assert_eq!(ended, (OperationStatus::Failed, rollback), "{afterwards:?}");
        let told = world.client.operation(&begun.function_name, begun.operation_id).await.unwrap();
        assert!(told.is_cancelled(), "{told:#?}");
        assert_eq!(world.function(&it.name).await.revision, 1);
        is_healed(&it, ended).await;
    }
}

/// An update that is held before it publishes, and whose callers somebody has led to what it has made. It has
/// not moved them.
async fn moved_by_hand(it: &Editions<'_>, edition: u32) -> Operation {
    let (world, name) = (it.world, &it.name);
    world.proxy.inject(Rule::new("lambda:PublishVersion", name, usize::MAX, Fault::Throttle));
    let accepted = world.api(Method::PATCH, &path(it), Some(&it.fields(edition))).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let begun: Operation = accepted.read();
    let mark = begun.operation_id.to_string();
    world
        .until("it is about to publish", async || {
            let calls = world.proxy.calls(name);
            // One that was cancelled before may be at it still.
            let its = |it: &AwsCall| it.operation == "PublishVersion" && it.text.contains(&mark);
            calls.iter().any(its).then_some(())
        })
        .await;
    let published = world.lambda.publish_version().function_name(name).send().await.unwrap();
    let alias = world.lambda.update_alias().function_name(name).name("live");
    alias.function_version(published.version().unwrap()).send().await.unwrap();
    begun
}

//! `formation repair`, `formation rollback` and `formation delete`: what is done to functions that are there.

use formation_client::Changed;
use formation_model::ProblemCode;

use super::became::{Became, shown};
use super::{TRIES, busy_with, confirm};
use crate::args::{Change, Patience, Rollback};
use crate::changing::{Kind, Target};
use crate::connect::Connected;
use crate::deploy::show::part_lines;
use crate::failure::Failure;
use crate::follow::{Followed, Follower};
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::Output;

/// One after the other: each is told as it goes, and what a person has stopped goes no further.
pub(super) async fn run(
    connected: &Connected,
    kind: Kind,
    asked: &Change,
    output: &Output,
) -> Result<Outcome, Failure> {
    let targets: Vec<_> =
        asked.names.iter().map(|name| Target { name: name.clone(), etag: None }).collect();
    once_confirmed(connected, kind, &targets, (asked.yes, &asked.patience), output).await
}

/// Takes a function back to an earlier revision. Which one that is, and what it changes, is settled before
/// anybody is asked: the one before is another one as soon as somebody else has changed the function.
pub(super) async fn roll_back(
    connected: &Connected,
    asked: &Rollback,
    output: &Output,
) -> Result<Outcome, Failure> {
    let described = connected.client.describe(&asked.name).await?;
    let current = described.function.revision;
    let to = match asked.to {
        Some(to) => to,
        None if current < 2 => {
            let text = format!("{} has no revision before its first", asked.name);
            return Err(Failure::Refused(text));
        }
        None => current - 1,
    };
    let kind = Kind::Rollback(to);
    let target = Target { name: asked.name.clone(), etag: Some(described.etag) };
    match kind.ask(&connected.client, &target).dry_run().await? {
        Changed::Planned(plan) if plan.kind.is_some() => {
            output.progress(&format!("~ {}: from revision {current} to {to}", asked.name));
            for line in part_lines(&plan.parts, false) {
                output.progress(&format!("    {line}"));
            }
        }
        // It is there already: what is asked for is answered so.
        _ => {}
    }
    once_confirmed(connected, kind, &[target], (asked.yes, &asked.patience), output).await
}

async fn once_confirmed(
    connected: &Connected,
    kind: Kind,
    targets: &[Target],
    (yes, patience): (bool, &Patience),
    output: &Output,
) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    let names: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
    if !confirm(&kind.question(&names), yes, &interrupt, output).await? {
        output.progress("nothing was done");
        return Ok(Outcome::Refused);
    }
    let (client, interrupt, patience) = (&connected.client, &interrupt, patience.time());
    let follower = Follower { client, patience, interrupt, output };
    shown(&each(follower, kind, targets, connected.aws.profile.as_deref()).await, output)
}

/// Does it to each, and tells what becomes of it.
pub(super) async fn each(
    follower: Follower<'_>,
    kind: Kind,
    targets: &[Target],
    profile: Option<&str>,
) -> Vec<Became> {
    let (output, interrupt) = (follower.output, follower.interrupt);
    let mut all = Vec::<Became>::new();
    for target in targets {
        if interrupt.is_pressed() || all.iter().any(Became::goes_on) {
            all.push(Became::not_begun(&target.name, output));
            continue;
        }
        all.push(match change(follower, kind, target).await {
            Ok(Some(followed)) if kind == Kind::Delete && is_gone(&followed) => {
                Became::done(&target.name, "deleted", output)
            }
            Ok(Some(followed)) => Became::of(followed, profile, output),
            Ok(None) => Became::done(&target.name, "nothing is to be done", output),
            Err(failure) => Became::refused(&target.name, &failure, profile, output),
        });
    }
    all
}

/// A function that is gone takes the history of its operations with it, sooner or later.
fn is_gone(followed: &Followed) -> bool {
    matches!(
        &followed.lost,
        Some(Failure::Client(error)) if error.code() == Some(ProblemCode::FunctionNotFound)
    )
}

/// The operation that was run, or the one in its way that has not ended; none if nothing was to be done.
async fn change(
    follower: Follower<'_>,
    kind: Kind,
    target: &Target,
) -> Result<Option<Followed>, Failure> {
    for _ in 0..TRIES {
        let error = match kind.ask(follower.client, target).await {
            Ok(Changed::Accepted(accepted)) => {
                return Ok(Some(follower.follow(accepted.operation).await));
            }
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        let Some(operation) = busy_with(&error) else {
            return Err(match error.code() {
                Some(ProblemCode::PreconditionFailed) => Failure::Refused(
                    "somebody has changed it since the plan, and nothing was done to it".to_owned(),
                ),
                _ => error.into(),
            });
        };
        let before = follower.first(&target.name, operation).await?;
        if !before.operation.has_ended() {
            return Ok(Some(before));
        }
        if follower.interrupt.is_pressed() {
            return Err(Failure::Refused("interrupted: nothing was started".to_owned()));
        }
    }
    Err(super::others_in_the_way())
}

//! `formation cancel`

use super::{asked_for, ended};
use crate::args::Cancel;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::follow::Follower;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::Output;

pub(super) async fn run(
    connected: &Connected,
    asked: &Cancel,
    output: &Output,
) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    let operation = asked_for(connected, &asked.name, asked.operation, &interrupt).await?;
    let cancelled = connected.client.cancel(&asked.name, operation).await?.operation;
    output.progress(&format!("{}: cancelled, rolling back", asked.name));
    let follower = Follower {
        client: &connected.client,
        patience: asked.patience.time(),
        interrupt: &interrupt,
        output,
    };
    let followed = follower.follow(cancelled).await;
    // That it failed is what was asked for.
    Ok(match ended(&followed, connected, output)? {
        Outcome::Failed if followed.operation.is_cancelled() => Outcome::Done,
        other => other,
    })
}

//! `formation wait`

use super::{asked_for, ended};
use crate::args::Wait;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::follow::Follower;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::Output;

pub(super) async fn run(
    connected: &Connected,
    asked: &Wait,
    output: &Output,
) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    let operation = asked_for(connected, &asked.name, asked.operation, &interrupt).await?;
    let follower = Follower {
        client: &connected.client,
        patience: asked.patience.time(),
        interrupt: &interrupt,
        output,
    };
    ended(&follower.find(&asked.name, operation).await?, connected, output)
}

//! `formation wait`

use super::{current, ended};
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
    let operation = match asked.operation {
        Some(operation) => operation,
        None => interrupt.before(current(connected, &asked.name)).await?,
    };
    let follower = Follower {
        client: &connected.client,
        patience: asked.patience.time(),
        interrupt: &interrupt,
        output,
    };
    ended(&follower.find(&asked.name, operation).await?, connected, output)
}

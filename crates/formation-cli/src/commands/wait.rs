//! `formation wait`

use std::time::Duration;

use super::{current, ended};
use crate::args::Wait;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::follow::follow;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::Output;

pub(super) async fn run(
    connected: &Connected,
    asked: &Wait,
    output: &Output,
) -> Result<Outcome, Failure> {
    let operation = match asked.operation {
        Some(operation) => operation,
        None => current(connected, &asked.name).await?,
    };
    let patience = Duration::from_secs(asked.patience.timeout);
    let seen =
        follow(&connected.client, &asked.name, operation, patience, &Interrupt::listen(), output)
            .await?;
    ended(&seen, output)
}

//! `formation cancel`

use std::time::Duration;

use super::{current, ended};
use crate::args::Cancel;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::follow::follow;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::Output;

pub(super) async fn run(
    connected: &Connected,
    asked: &Cancel,
    output: &Output,
) -> Result<Outcome, Failure> {
    let operation = match asked.operation {
        Some(operation) => operation,
        None => current(connected, &asked.name).await?,
    };
    connected.client.cancel(&asked.name, operation).await?;
    output.progress(&format!("{}: cancelled, rolling back", asked.name));
    let patience = Duration::from_secs(asked.patience.timeout);
    let seen =
        follow(&connected.client, &asked.name, operation, patience, &Interrupt::listen(), output)
            .await?;
    // That it failed is what was asked for.
    Ok(match ended(&seen, output)? {
        Outcome::Failed if seen.is_cancelled() => Outcome::Done,
        other => other,
    })
}

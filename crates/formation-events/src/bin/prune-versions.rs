//! The Lambda that deletes versions which nobody runs any more, on a schedule.

use std::time::{Duration, Instant};

use formation_aws::Chain;
use formation_events::Pruner;
use formation_lambda::{Error, Step, run, stack_identity};
use serde_json::Value;

/// How long a scheduled run goes on: it ends before the next one begins.
const RUN: Duration = Duration::from_secs(45);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let pruner =
        Pruner { records: step.records()?, lambda: step.lambda(), stack: stack_identity()? };
    run(async |_: Value, _| {
        let pruned = pruner.on_schedule(Instant::now() + RUN).await;
        pruned
            .inspect_err(|error| tracing::error!(error = %Chain(error), "not all was deleted"))
            .map_err(Error::from)
    })
    .await
}

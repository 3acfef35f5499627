//! The Lambda behind the `Ensure triggers`, `Settle triggers`, `Release triggers` and `Restore triggers` states.

use formation_lambda::{Error, Step, trigger_settings};
use formation_resources::triggers::{Clients, Sources};
use formation_steps::{ensure_triggers, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (lambda, events, scheduler) = (step.lambda(), step.events(), step.scheduler());
    let clients = Clients { lambda, events, scheduler };
    let sources = Sources { sqs: step.sqs(), kinesis: step.kinesis() };
    let records = step.records()?;
    let settings = trigger_settings()?;
    run_step(async |input| ensure_triggers(&clients, &sources, &records, &settings, input).await)
        .await
}

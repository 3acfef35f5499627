//! The Lambda behind the `Ensure triggers`, `Settle triggers`, `Release triggers` and `Restore triggers` states.

use formation_lambda::{Error, Step, trigger_settings};
use formation_resources::triggers::Clients;
use formation_steps::{ensure_triggers, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (lambda, events, scheduler) = (step.lambda(), step.events(), step.scheduler());
    let clients = Clients { lambda, events, scheduler };
    let (sqs, records) = (step.sqs(), step.records()?);
    let settings = trigger_settings()?;
    run_step(async |input| ensure_triggers(&clients, &sqs, &records, &settings, input).await).await
}

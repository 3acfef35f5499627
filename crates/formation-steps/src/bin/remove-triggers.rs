//! The Lambda behind the `Remove triggers` and `Undo triggers` states.

use formation_lambda::{Error, Step, stack_identity};
use formation_resources::triggers::Clients;
use formation_steps::{remove_triggers, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (lambda, events, scheduler) = (step.lambda(), step.events(), step.scheduler());
    let clients = Clients { lambda, events, scheduler };
    let records = step.records()?;
    let stack = stack_identity()?;
    run_step(async |input| remove_triggers(&clients, &records, &stack, input).await).await
}

//! The Lambda behind the `Remove log group` and `Undo log group` states.

use formation_lambda::{Error, Step, stack_identity};
use formation_steps::{remove_log_group, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (logs, lambda) = (step.logs(), step.lambda());
    let records = step.records()?;
    let stack = stack_identity()?;
    run_step(async |input| remove_log_group(&logs, &lambda, &records, &stack, input).await).await
}

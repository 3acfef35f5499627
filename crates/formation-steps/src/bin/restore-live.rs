//! The Lambda behind the `Restore live` state.

use formation_lambda::{Error, Step, stack_identity};
use formation_steps::{restore_live, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (lambda, records) = (step.lambda(), step.records()?);
    let stack = stack_identity()?;
    run_step(async |input| restore_live(&lambda, &records, &stack, input).await).await
}

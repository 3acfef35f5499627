//! The Lambda behind the `Remove role` and `Undo role` states.

use formation_lambda::{Error, Step, stack_identity};
use formation_steps::{remove_role, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let iam = step.iam();
    let records = step.records()?;
    let stack = stack_identity()?;
    run_step(async |input| remove_role(&iam, &records, &stack, input).await).await
}

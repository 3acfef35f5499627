//! The Lambda behind the `Remove function` and `Undo function` states.

use formation_lambda::{Error, Step, stack_identity};
use formation_steps::{remove_function, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let lambda = step.lambda();
    let records = step.records()?;
    let stack = stack_identity()?;
    run_step(async |input| remove_function(&lambda, &records, &stack, input).await).await
}

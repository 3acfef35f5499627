//! The Lambda behind the `Go live`, `Return live` and `Keep live` states.

use formation_lambda::{Error, Step, stack_identity};
use formation_steps::{go_live, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (lambda, records) = (step.lambda(), step.records()?);
    let stack = stack_identity()?;
    run_step(async |input| go_live(&lambda, &records, &stack, input).await).await
}

//! The Lambda behind the `Ensure log group` and `Restore log group` states.

use formation_lambda::{Error, Step, stack_identity};
use formation_steps::{ensure_log_group, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let logs = step.logs();
    let records = step.records()?;
    let stack = stack_identity()?;
    run_step(async |input| ensure_log_group(&logs, &records, &stack, input).await).await
}

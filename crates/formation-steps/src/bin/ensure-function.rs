//! The Lambda behind the `Ensure function` and `Restore function` states.

use formation_lambda::{Error, Step, function_settings};
use formation_steps::{ensure_function, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let lambda = step.lambda();
    let records = step.records()?;
    let settings = function_settings()?;
    run_step(async |input| ensure_function(&lambda, &records, &settings, input).await).await
}

//! The Lambda behind the `Ensure role`, `Widen role`, `Return role`, `Narrow role` and `Restore role` states.

use formation_lambda::{Error, Step, role_settings};
use formation_steps::{ensure_role, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (iam, lambda) = (step.iam(), step.lambda());
    let records = step.records()?;
    let settings = role_settings()?;
    run_step(async |input| ensure_role(&iam, &lambda, &records, &settings, input).await).await
}

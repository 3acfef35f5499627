//! The Lambda behind the `Record success` state.

use formation_lambda::{Error, Step, drift_check_interval};
use formation_steps::{record_success, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (records, bundles) = (step.records()?, step.bundles()?);
    let check_after = drift_check_interval()?;
    run_step(async |input| record_success(&records, &bundles, check_after, input).await).await
}

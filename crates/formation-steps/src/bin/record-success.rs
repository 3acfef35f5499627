//! The Lambda behind the `Record success` state.

use formation_lambda::{Error, Step, drift_check_interval, revisions_kept};
use formation_steps::{record_success, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let step = Step::start();
    let (records, bundles) = (step.records()?, step.bundles()?);
    let check_after = drift_check_interval()?;
    let kept = revisions_kept()?;
    run_step(async |input| record_success(&records, &bundles, check_after, kept, input).await).await
}

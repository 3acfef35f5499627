//! The Lambda behind the `Record success` state.

use formation_control::{Bundles, Records};
use formation_lambda::{drift_check_interval, init_log, required_var, step_sdk_config};
use formation_steps::{record_success, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = step_sdk_config();
    let records = Records::new(aws_sdk_dynamodb::Client::new(&config), required_var("TABLE_NAME")?);
    let bundles = Bundles::new(
        aws_sdk_s3::Client::new(&config),
        required_var("ARTIFACT_BUCKET")?,
        required_var("ACCOUNT_ID")?,
        Vec::new(),
    );
    let check_after = drift_check_interval()?;

    run_step(async |input| record_success(&records, &bundles, check_after, input).await).await
}

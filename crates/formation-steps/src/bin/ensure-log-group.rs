//! The Lambda behind the `Ensure log group` and `Restore log group` states.

use formation_control::Records;
use formation_lambda::{init_log, required_var, stack_identity, step_retries, step_sdk_config};
use formation_steps::{ensure_log_group, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = step_sdk_config();
    let logs =
        aws_sdk_cloudwatchlogs::config::Builder::from(&config).retry_partition(step_retries());
    let logs = aws_sdk_cloudwatchlogs::Client::from_conf(logs.build());
    let records = Records::new(aws_sdk_dynamodb::Client::new(&config), required_var("TABLE_NAME")?);
    let stack = stack_identity()?;

    run_step(async |input| ensure_log_group(&logs, &records, &stack, input).await).await
}

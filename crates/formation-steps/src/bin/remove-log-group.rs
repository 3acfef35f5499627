//! The Lambda behind the `Remove log group` and `Undo log group` states.

use formation_control::Records;
use formation_lambda::{init_log, required_var, stack_identity, step_retries, step_sdk_config};
use formation_steps::{remove_log_group, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = step_sdk_config();
    let logs =
        aws_sdk_cloudwatchlogs::config::Builder::from(&config).retry_partition(step_retries());
    let logs = aws_sdk_cloudwatchlogs::Client::from_conf(logs.build());
    let lambda = aws_sdk_lambda::config::Builder::from(&config).retry_partition(step_retries());
    let lambda = aws_sdk_lambda::Client::from_conf(lambda.build());
    let records = Records::new(aws_sdk_dynamodb::Client::new(&config), required_var("TABLE_NAME")?);
    let stack = stack_identity()?;

    run_step(async |input| remove_log_group(&logs, &lambda, &records, &stack, input).await).await
}

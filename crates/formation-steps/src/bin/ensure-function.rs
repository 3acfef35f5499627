//! The Lambda behind the `Ensure function` and `Restore function` states.

use formation_control::Records;
use formation_lambda::{init_log, required_var, stack_identity, step_retries, step_sdk_config};
use formation_resources::function::FunctionSettings;
use formation_steps::{ensure_function, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = step_sdk_config();
    let lambda = aws_sdk_lambda::config::Builder::from(&config).retry_partition(step_retries());
    let lambda = aws_sdk_lambda::Client::from_conf(lambda.build());
    let records = Records::new(aws_sdk_dynamodb::Client::new(&config), required_var("TABLE_NAME")?);
    let settings = FunctionSettings {
        stack: stack_identity()?,
        bucket: required_var("ARTIFACT_BUCKET")?,
        idle_role_arn: required_var("IDLE_ROLE_ARN")?,
    };

    run_step(async |input| ensure_function(&lambda, &records, &settings, input).await).await
}

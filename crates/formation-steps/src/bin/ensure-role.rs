//! The Lambda behind the `Ensure role` and `Restore role` states.

use formation_control::Records;
use formation_lambda::{init_log, required_var, stack_identity, step_retries, step_sdk_config};
use formation_resources::role::RoleSettings;
use formation_steps::{ensure_role, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = step_sdk_config();
    let iam = aws_sdk_iam::config::Builder::from(&config).retry_partition(step_retries());
    let iam = aws_sdk_iam::Client::from_conf(iam.build());
    let lambda = aws_sdk_lambda::config::Builder::from(&config).retry_partition(step_retries());
    let lambda = aws_sdk_lambda::Client::from_conf(lambda.build());
    let records = Records::new(aws_sdk_dynamodb::Client::new(&config), required_var("TABLE_NAME")?);
    let settings = RoleSettings {
        stack: stack_identity()?,
        boundary_arn: required_var("PERMISSIONS_BOUNDARY_ARN")?,
    };

    run_step(async |input| ensure_role(&iam, &lambda, &records, &settings, input).await).await
}

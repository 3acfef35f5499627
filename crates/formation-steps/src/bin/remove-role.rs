//! The Lambda behind the `Remove role` and `Undo role` states.

use formation_control::Records;
use formation_lambda::{init_log, required_var, stack_identity, step_retries, step_sdk_config};
use formation_steps::{remove_role, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = step_sdk_config();
    let iam = aws_sdk_iam::config::Builder::from(&config).retry_partition(step_retries());
    let iam = aws_sdk_iam::Client::from_conf(iam.build());
    let records = Records::new(aws_sdk_dynamodb::Client::new(&config), required_var("TABLE_NAME")?);
    let stack = stack_identity()?;

    run_step(async |input| remove_role(&iam, &records, &stack, input).await).await
}

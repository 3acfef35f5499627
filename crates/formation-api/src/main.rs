//! The Lambda behind the HTTP API.

use std::sync::Arc;

use formation_api::router;
use formation_aws::sdk_config;
use formation_control::environment::{BadVariable, init_log, required_var, stack_identity};
use formation_control::{Bundles, Control, Executions, Records};
use formation_model::Defaults;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_log();

    let config = sdk_config();
    let stack = stack_identity()?;
    let architecture = required_var("DEFAULT_ARCHITECTURE")?;
    let code_buckets = required_var("CODE_BUCKETS")?;
    let control = Control {
        defaults: Defaults {
            architecture: architecture.parse().map_err(|()| BadVariable("DEFAULT_ARCHITECTURE"))?,
        },
        records: Records::new(aws_sdk_dynamodb::Client::new(&config), required_var("TABLE_NAME")?),
        bundles: Bundles::new(
            aws_sdk_s3::Client::new(&config),
            required_var("ARTIFACT_BUCKET")?,
            &stack.account_id,
            code_buckets.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        ),
        executions: Executions::new(
            aws_sdk_sfn::Client::new(&config),
            required_var("STATE_MACHINE_ARN")?,
        ),
        stack,
    };

    lambda_http::run(router(Arc::new(control))).await
}

//! The Lambda behind the HTTP API.

use std::sync::Arc;

use formation_api::{App, router};
use formation_aws::sdk_config;
use formation_control::environment::{control, init_log, required_var, stack_identity};
use formation_resources::Comparer;
use formation_resources::role::RoleSettings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_log();

    let config = sdk_config();
    let settings = RoleSettings {
        stack: stack_identity()?,
        boundary_arn: required_var("PERMISSIONS_BOUNDARY_ARN")?,
    };
    let app = App::new(control(&config)?, Comparer::new(&config, settings));

    lambda_http::run(router(Arc::new(app))).await
}

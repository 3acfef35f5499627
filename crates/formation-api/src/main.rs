//! The Lambda behind the HTTP API.

use std::sync::Arc;

use formation_api::{App, router};
use formation_aws::sdk_config;
use formation_control::environment::{control, init_log};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_log();

    let config = sdk_config();
    let app = App::new(control(&config)?);

    lambda_http::run(router(Arc::new(app))).await
}

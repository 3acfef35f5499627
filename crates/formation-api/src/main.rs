//! The Lambda behind the HTTP API.

use std::time::SystemTime;

use formation_api::{App, Event};
use formation_lambda::{control, init_log, sdk_config};
use lambda_runtime::{LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = sdk_config();
    let app = &App::new(control(&config)?);

    run(service_fn(async move |event: LambdaEvent<Event>| {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        Ok::<_, lambda_runtime::Error>(app.handle(event.payload, left).await)
    }))
    .await
}

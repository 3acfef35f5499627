//! The Lambda that heals: on Step Functions' events and on a schedule.

use std::time::{Duration, Instant};

use formation_aws::Chain;
use formation_events::{Announcer, DriftMode, Reconciler};
use formation_lambda::{
    BadVariable, control, drift_check_interval, init_log, required_var, sdk_config,
};
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;

/// How long a scheduled look goes on: it ends before the next one begins.
const SCHEDULED_LOOK: Duration = Duration::from_secs(45);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = sdk_config();
    let bus = required_var("EVENT_BUS_NAME")?;
    let drift_mode = match required_var("DRIFT_MODE")?.as_str() {
        "REPORT" => DriftMode::Report,
        "REPAIR" => DriftMode::Repair,
        _ => return Err(BadVariable("DRIFT_MODE").into()),
    };
    let reconciler = &Reconciler {
        control: control(&config)?,
        announcer: Announcer::new(aws_sdk_eventbridge::Client::new(&config), bus),
        drift_mode,
        check_after: drift_check_interval()?,
    };

    run(service_fn(async move |event: LambdaEvent<Value>| {
        let handled: Result<(), lambda_runtime::Error> = match event.payload["source"].as_str() {
            Some("aws.states") => {
                let detail = &event.payload["detail"];
                Box::pin(reconciler.on_execution_ended(detail)).await.map_err(Into::into)
            }
            _ => {
                let deadline = Instant::now() + SCHEDULED_LOOK;
                Box::pin(reconciler.on_schedule(deadline)).await.map_err(Into::into)
            }
        };
        handled
            .inspect_err(|error| tracing::error!(error = %Chain(&**error), "not all was handled"))
    }))
    .await
}

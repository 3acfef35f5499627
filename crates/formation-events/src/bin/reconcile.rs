//! The Lambda that heals: on Step Functions' events and on a schedule.

use std::time::{Duration, Instant};

use formation_aws::Chain;
use formation_events::{Announcer, DriftMode, Reconciler};
use formation_lambda::{BadVariable, Door, Error, drift_check_interval, required_var, run};
use serde_json::Value;

/// How long a scheduled look goes on: it ends before the next one begins.
const SCHEDULED_LOOK: Duration = Duration::from_secs(45);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let door = Door::start();
    let reconciler = Reconciler {
        control: door.control()?,
        announcer: Announcer::new(door.events(), required_var("EVENT_BUS_NAME")?),
        drift_mode: drift_mode()?,
        check_after: drift_check_interval()?,
    };
    run(async |event: Value, _| {
        let handled = handle(&reconciler, &event).await;
        handled
            .inspect_err(|error| tracing::error!(error = %Chain(&**error), "not all was handled"))
    })
    .await
}

async fn handle(reconciler: &Reconciler, event: &Value) -> Result<(), Error> {
    if event["source"] == "aws.states" {
        Box::pin(reconciler.on_execution_ended(&event["detail"])).await?;
    } else {
        Box::pin(reconciler.on_schedule(Instant::now() + SCHEDULED_LOOK)).await?;
    }
    Ok(())
}

fn drift_mode() -> Result<DriftMode, BadVariable> {
    match required_var("DRIFT_MODE")?.as_str() {
        "REPORT" => Ok(DriftMode::Report),
        "REPAIR" => Ok(DriftMode::Repair),
        _ => Err(BadVariable("DRIFT_MODE")),
    }
}

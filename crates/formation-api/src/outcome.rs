//! Waiting for an operation's outcome.

use std::time::Duration;

use formation_control::{Accepted, Control, Refusal};
use formation_model::{Operation, OperationStatus};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

/// How many requests of one environment wait at once. Whoever waits holds concurrency that the
/// steps may need, so further requests are answered at once, with 202.
const WAITS_AT_ONCE: usize = 8;

/// Pauses between looks at the record.
const FIRST_PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The requests of this environment that wait.
#[derive(Debug)]
pub(crate) struct Waits(Semaphore);

impl Default for Waits {
    fn default() -> Self {
        Self(Semaphore::new(WAITS_AT_ONCE))
    }
}

impl Waits {
    /// The operation once it has ended, or as it is after `patience`. The record is asked and not
    /// Step Functions, whose rates are low.
    pub(crate) async fn outcome(
        &self,
        control: &Control,
        accepted: &Accepted,
        patience: Duration,
    ) -> Result<Operation, Refusal> {
        let mut operation = accepted.operation.clone();
        let Ok(_place) = self.0.try_acquire() else { return Ok(operation) };
        let until = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        while operation.status == OperationStatus::Running {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            operation = control.operation(&operation.function_name, operation.operation_id).await?;
        }
        Ok(operation)
    }
}

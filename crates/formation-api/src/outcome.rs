//! Waiting for an operation's outcome.

use std::time::Duration;

use formation_control::Refusal;
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
    /// The operation once it has ended, or as it is after `patience`. `look` reads its record; Step
    /// Functions is not asked, since its rates are low.
    pub(crate) async fn outcome<Look: Future<Output = Result<Operation, Refusal>>>(
        &self,
        mut operation: Operation,
        patience: Duration,
        look: impl Fn() -> Look,
    ) -> Result<Operation, Refusal> {
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
            operation = look().await?;
        }
        Ok(operation)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use formation_model::{OperationId, OperationKind, Rollback};

    use super::*;

    fn operation(status: OperationStatus) -> Operation {
        Operation {
            operation_id: OperationId::generate(),
            kind: OperationKind::Create,
            function_name: "hello".parse().unwrap(),
            status,
            rollback: Rollback::NotNeeded,
            error: None,
            leftovers: Vec::new(),
            warnings: Vec::new(),
            started_at: jiff::Timestamp::now(),
            ended_at: None,
            requested_by: "ann".into(),
            execution_arn: String::new(),
            console_url: String::new(),
            steps: None,
        }
    }

    const RUNNING: OperationStatus = OperationStatus::Running;

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_told_soon_and_patience_has_an_end() {
        let waits = Waits::default();
        let looks = Cell::new(0);
        let began = Instant::now();
        let ends_after = |count: u32, looks: &Cell<u32>| {
            looks.set(looks.get() + 1);
            let ended = looks.get() >= count;
            operation(if ended { OperationStatus::Succeeded } else { RUNNING })
        };
        let patience = Duration::from_secs(25);
        let look = async || Ok(ends_after(4, &looks));
        let ended = waits.outcome(operation(RUNNING), patience, look).await.unwrap();
        assert_eq!((ended.status, looks.get()), (OperationStatus::Succeeded, 4));
        assert!(began.elapsed() < Duration::from_secs(2));

        let began = Instant::now();
        let look = async || Ok(ends_after(u32::MAX, &looks));
        let ended = waits.outcome(operation(RUNNING), patience, look).await.unwrap();
        assert_eq!((ended.status, began.elapsed()), (RUNNING, patience));
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_to_wait_is_answered_at_once() {
        let waits = Waits::default();
        let places: Vec<_> = (0..WAITS_AT_ONCE).map(|_| waits.0.try_acquire().unwrap()).collect();
        let look = async || -> Result<Operation, Refusal> { panic!("it waited") };
        let patience = Duration::from_secs(25);
        let answer = waits.outcome(operation(RUNNING), patience, look).await.unwrap();
        assert_eq!(answer.status, RUNNING);
        drop(places);
        let look = async || Ok(operation(OperationStatus::Failed));
        let answer = waits.outcome(operation(RUNNING), patience, look).await.unwrap();
        assert_eq!(answer.status, OperationStatus::Failed);
    }
}

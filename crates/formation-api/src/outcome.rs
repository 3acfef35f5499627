//! Waiting for an operation's outcome.

use std::borrow::Borrow;
use std::time::Duration;

use formation_aws::Chain;
use formation_control::Refusal;
use formation_model::{Operation, OperationStatus};
use tokio::time::{Instant, sleep, timeout_at};

/// Pauses between looks at the record.
const FIRST_PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The operation once it has ended, or as it was seen last before `until`. `look` reads its record;
/// Step Functions is not asked, since its rates are low. A look that fails, or that takes too long,
/// changes nothing about what is known.
pub(crate) async fn outcome<Seen: Borrow<Operation>, Look>(
    mut operation: Seen,
    until: Instant,
    look: impl Fn() -> Look,
) -> Seen
where
    Look: Future<Output = Result<Seen, Refusal>>,
{
    let mut pause = FIRST_PAUSE;
    while operation.borrow().status == OperationStatus::Running {
        sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
        if Instant::now() >= until {
            break;
        }
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        match timeout_at(until, look()).await {
            Ok(Ok(seen)) => operation = seen,
            Ok(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "the operation cannot be looked at");
            }
            Err(_) => break,
        }
    }
    operation
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use formation_model::{OperationId, OperationKind, Rollback};

    use super::*;

    fn operation(status: OperationStatus) -> Operation {
        Operation {
            operation_id: OperationId::generate(),
            kind: OperationKind::Create.into(),
            function_name: "hello".parse().unwrap(),
            status: status.into(),
            rollback: Rollback::NotNeeded.into(),
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

    fn within(time: Duration) -> Instant {
        Instant::now() + time
    }

    const PATIENCE: Duration = Duration::from_secs(25);

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_told_soon_and_patience_has_an_end() {
        let looks = Cell::new(0);
        let began = Instant::now();
        let ends_after = |count: u32, looks: &Cell<u32>| {
            looks.set(looks.get() + 1);
            let ended = looks.get() >= count;
            operation(if ended { OperationStatus::Succeeded } else { RUNNING })
        };
        let look = async || Ok(ends_after(4, &looks));
        let ended = outcome(operation(RUNNING), within(PATIENCE), look).await;
        assert_eq!((ended.status, looks.get()), (OperationStatus::Succeeded.into(), 4));
        assert!(began.elapsed() < Duration::from_secs(2));

        let began = Instant::now();
        let look = async || Ok(ends_after(u32::MAX, &looks));
        let ended = outcome(operation(RUNNING), within(PATIENCE), look).await;
        assert_eq!((ended.status, began.elapsed()), (RUNNING.into(), PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_or_hangs_takes_nothing_back() {
        let began = Instant::now();
        let hang = async || std::future::pending().await;
        let seen = outcome(operation(RUNNING), within(PATIENCE), hang).await;
        assert_eq!((seen.status, began.elapsed()), (RUNNING.into(), PATIENCE));

        let looks = Cell::new(0);
        let fails_first = async || {
            looks.set(looks.get() + 1);
            if looks.get() < 3 {
                return Err(Refusal::Record("it cannot be read".to_owned()));
            }
            Ok(operation(OperationStatus::Failed))
        };
        let seen = outcome(operation(RUNNING), within(PATIENCE), fails_first).await;
        assert_eq!((seen.status, looks.get()), (OperationStatus::Failed.into(), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_time_is_left_nothing_is_looked_at() {
        let look = async || -> Result<Operation, Refusal> { panic!("it looked") };
        let seen = outcome(operation(RUNNING), Instant::now(), look).await;
        assert_eq!(seen.status, RUNNING);
    }
}

//! The one wait for an operation's outcome.

use std::time::Duration;

use formation_model::{FunctionName, Operation, OperationId};
use futures_util::stream::{self, Stream};
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::Client;
use crate::error::ClientError;
use crate::retry::deadline;

/// Pauses between looks: the first, and what no pause exceeds.
const FIRST_PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Pauses that grow by half.
struct Pauses(Duration);

impl Pauses {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 3 / 2).min(LONGEST_PAUSE);
        pause
    }
}

impl Client {
    /// Waits for an operation to end, its rollback included, and answers it: [succeeded or
    /// failed](Operation::status). Errors that may pass do not end the wait.
    ///
    /// # Errors
    /// [`ClientError::StillRunning`] with what was last seen if it has not ended within `patience`,
    /// and as for [`Client::operation`].
    pub async fn wait_for(
        &self,
        name: &FunctionName,
        operation: OperationId,
        patience: Duration,
    ) -> Result<Operation, ClientError> {
        outcome(patience, async || self.operation(name, operation).await).await
    }

    /// An operation with its steps, again each time it has changed, until it has ended. An error that
    /// does not pass ends it too.
    pub fn watch(
        &self,
        name: FunctionName,
        operation: OperationId,
    ) -> impl Stream<Item = Result<Operation, ClientError>> + Send + use<> {
        let client = self.clone();
        stream::try_unfold(None, move |seen: Option<Operation>| {
            let (client, name) = (client.clone(), name.clone());
            async move {
                if seen.as_ref().is_some_and(Operation::has_ended) {
                    return Ok(None);
                }
                let mut pauses = Pauses::new();
                loop {
                    if seen.is_some() {
                        sleep(pauses.next()).await;
                    }
                    let now = client.operation_with_steps(&name, operation).await?;
                    if seen.as_ref() != Some(&now) {
                        return Ok(Some((now.clone(), Some(now))));
                    }
                }
            }
        })
    }
}

/// What `look` sees once it has ended.
async fn outcome<Look: Future<Output = Result<Operation, ClientError>>>(
    patience: Duration,
    look: impl Fn() -> Look,
) -> Result<Operation, ClientError> {
    let until = deadline(patience);
    let mut pauses = Pauses::new();
    let mut last: Result<Operation, ClientError> = Err(ClientError::Timeout(patience));
    loop {
        match timeout_at(until, look()).await {
            Ok(Ok(operation)) if operation.has_ended() => return Ok(operation),
            Ok(Ok(operation)) => last = Ok(operation),
            Ok(Err(error)) if !error.is_transient() => return Err(error),
            // What was seen says more than that nothing can be seen now.
            Ok(Err(error)) => last = last.or(Err(error)),
            Err(_) => {}
        }
        let pause = pauses.next();
        if until.saturating_duration_since(Instant::now()) <= pause {
            return Err(match last {
                Ok(operation) => ClientError::StillRunning(Box::new(operation)),
                Err(error) => error,
            });
        }
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use formation_model::OperationStatus;
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    fn operation(status: &str) -> Operation {
        let operation = json!({
            "operationId": "01JDJ3M6Q5X8Z7W2V4T9R0N1KB", "kind": "CREATE", "functionName": "hello",
            "status": status, "rollback": "NOT_NEEDED", "startedAt": "2026-11-25T17:00:00Z",
            "requestedBy": "ann", "executionArn": "arn:e", "consoleUrl": "https://c",
        });
        serde_json::from_value(operation).unwrap()
    }

    fn unavailable() -> ClientError {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        ClientError::Gateway { status, message: String::new(), retry_after: None }
    }

    const PATIENCE: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_seen_soon_whatever_is_in_the_way() {
        let (looks, began) = (Cell::new(0), Instant::now());
        let ended = outcome(PATIENCE, async || {
            looks.set(looks.get() + 1);
            match looks.get() {
                2 => Err(unavailable()),
                5.. => Ok(operation("SUCCEEDED")),
                _ => Ok(operation("RUNNING")),
            }
        });
        assert!(ended.await.unwrap().status == OperationStatus::Succeeded);
        assert_eq!(looks.get(), 5);
        assert!(began.elapsed() < Duration::from_millis(1300), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_looks_seldom_and_ends_with_what_was_last_seen() {
        let (looks, began) = (Cell::new(0), Instant::now());
        let waited = outcome(PATIENCE, async || {
            looks.set(looks.get() + 1);
            if looks.get() == 7 { Ok(operation("RUNNING")) } else { Err(unavailable()) }
        });
        assert!(matches!(waited.await, Err(ClientError::StillRunning(_))));
        assert!((300..320).contains(&looks.get()), "{}", looks.get());
        assert!(began.elapsed() <= PATIENCE, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_never_seen_is_told_by_the_error() {
        let waited = outcome(PATIENCE, async || Err(unavailable()));
        assert!(matches!(waited.await, Err(ClientError::Gateway { .. })));
        let waited = outcome(PATIENCE, async || std::future::pending().await);
        assert!(matches!(waited.await, Err(ClientError::Timeout(PATIENCE))));
    }
}

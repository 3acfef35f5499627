//! Repeating what may be repeated.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::ClientError;

/// How often and how long a request is repeated while its errors may pass
/// ([`ClientError::is_transient`]).
///
/// Between tries lies a random pause (full jitter) below a limit that doubles each time, or what
/// `Retry-After` asks for if that is more.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How often a request is sent at the most; 1 for once.
    pub tries: u32,
    /// The limit of the first pause.
    pub first_pause: Duration,
    /// What no such limit exceeds.
    pub longest_pause: Duration,
    /// How long all tries and pauses take at the most; waiting for an outcome comes on top.
    pub total: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            tries: 6,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            total: Duration::from_secs(60),
        }
    }
}

impl Retries {
    /// What the first try answers that does not fail in passing, or the last error. Each try is told
    /// how long it may take.
    pub(crate) async fn repeat<T, Try: Future<Output = Result<T, ClientError>>>(
        &self,
        total: Duration,
        attempt: impl Fn(Duration) -> Try,
    ) -> Result<T, ClientError> {
        let until = deadline(total);
        let mut limit = self.first_pause;
        let mut tried = 0;
        loop {
            let error = match attempt(until.saturating_duration_since(Instant::now())).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tried += 1;
            let pause = limit.min(self.longest_pause).mul_f64(fastrand::f64());
            let pause = pause.max(error.retry_after().unwrap_or_default());
            let left = until.saturating_duration_since(Instant::now());
            if !error.is_transient() || tried >= self.tries || pause >= left {
                return Err(error);
            }
            sleep(pause).await;
            limit = limit.saturating_mul(2);
        }
    }
}

/// When `time` from now is over. A time beyond what clocks can tell, such as [`Duration::MAX`], is as
/// good as without end.
pub fn deadline(time: Duration) -> Instant {
    const WITHOUT_END: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + time.min(WITHOUT_END)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use http::StatusCode;

    use super::*;

    fn gateway(status: StatusCode, retry_after: Option<u64>) -> ClientError {
        let retry_after = retry_after.map(Duration::from_secs);
        ClientError::Gateway { status, message: String::new(), retry_after }
    }

    /// How many tries there were and how long they took, if all fail with `error`.
    async fn failing(
        retries: Retries,
        takes: Duration,
        error: impl Fn() -> ClientError,
    ) -> (u32, Duration) {
        let (began, tries) = (Instant::now(), Cell::new(0));
        let answer = retries.repeat(retries.total, async |left: Duration| {
            tries.set(tries.get() + 1);
            sleep(takes.min(left)).await;
            Err::<(), _>(error())
        });
        assert!(answer.await.is_err());
        (tries.get(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn tries_pauses_and_the_whole_have_limits() {
        let busy = || gateway(StatusCode::TOO_MANY_REQUESTS, None);
        let retries = Retries::default();
        for _ in 0..50 {
            let (tries, took) = failing(retries, Duration::ZERO, busy).await;
            assert_eq!(tries, retries.tries);
            // 0.2 + 0.4 + 0.8 + 1.6 + 3.2 s, each at the most.
            assert!(took <= Duration::from_millis(6210), "{took:?}");
        }
        let many = Retries { tries: u32::MAX, ..retries };
        let (tries, took) = failing(many, Duration::from_secs(1), busy).await;
        assert!(tries > 10 && took <= many.total, "{tries} {took:?}");
        let (tries, took) = failing(retries, Duration::from_secs(999), busy).await;
        assert_eq!((tries, took), (1, retries.total));
        let pause = Duration::MAX;
        let slow = Retries { first_pause: pause, longest_pause: pause, ..retries };
        assert_eq!(failing(slow, Duration::ZERO, busy).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_as_long_as_asked_for() {
        let retries = Retries { tries: 3, ..Retries::default() };
        let later = || gateway(StatusCode::SERVICE_UNAVAILABLE, Some(7));
        let (tries, took) = failing(retries, Duration::ZERO, later).await;
        assert_eq!((tries, took.as_secs()), (3, 14));
        let much_later = || gateway(StatusCode::SERVICE_UNAVAILABLE, Some(3600));
        let (tries, took) = failing(retries, Duration::ZERO, much_later).await;
        assert_eq!((tries, took), (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_is_not_repeated() {
        let refused = || gateway(StatusCode::FORBIDDEN, Some(1));
        assert_eq!(failing(Retries::default(), Duration::ZERO, refused).await.0, 1);
    }
}

//! The log of a Lambda.

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

/// The finest level that holds no secret.
const NO_SECRETS: LevelFilter = LevelFilter::DEBUG;

/// Writes what is traced as JSON lines, from the level on that Lambda's logging configuration or
/// `RUST_LOG` names (a level, or `formation=debug` and the like), else from INFO on. What is traced below
/// DEBUG is never written: there lambda_runtime traces whole events and the SDK whole requests, with
/// the environments of functions in them.
///
/// Source of the variable: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>.
pub fn init_log() {
    let wanted = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"].into_iter().find_map(|name| {
        // Lambda's level FATAL has no counterpart.
        std::env::var(name).ok().and_then(|value| value.to_lowercase().parse::<Targets>().ok())
    });
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry()
        .with(json_lines(std::io::stdout))
        .with(filter)
        .with(NO_SECRETS)
        .init();
}

/// A line an event, with an RFC 3339 `timestamp` and a `level`: Lambda's log level filter takes a
/// line that lacks either for INFO, so that errors would be lost to whoever filters by level.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>.
fn json_lines<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    tracing_subscriber::fmt::layer().json().with_target(false).with_writer(writer)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_traced_below_debug_is_never_written() {
        let lines = Lines::default();
        let writer = lines.clone();
        let all: Targets = "trace".parse().unwrap();
        let subscriber = tracing_subscriber::registry().with(json_lines(move || writer.clone()));
        tracing::subscriber::with_default(subscriber.with(all).with(NO_SECRETS), || {
            tracing::trace!("an event with s3cr3t");
            tracing::debug!("a line");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("a line") && !text.contains("s3cr3t"), "{text}");
    }

    #[test]
    fn every_line_has_the_time_and_level_that_lambdas_filter_reads() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry().with(json_lines(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            // As record-failure logs what the template's metric filter counts.
            tracing::error!(rollback = "INCOMPLETE", "something is left");
        });
        let line: Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
        let time: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(time.duration_until(Timestamp::now()).as_secs() < 60, "{line}");
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["fields"]["rollback"], "INCOMPLETE");
        assert_eq!(line["fields"]["message"], "something is left");
    }
}

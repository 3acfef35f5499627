//! What `infra/template.yaml` tells each Lambda through its environment.

use aws_config::SdkConfig;
use formation_model::{Defaults, StackIdentity};
use formation_resources::Comparer;
use formation_resources::role::RoleSettings;
use jiff::SignedDuration;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::{Bundles, Control, Executions, Records};

/// A variable that the template should have set.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or is not valid; infra/template.yaml sets it")]
pub struct BadVariable(pub &'static str);

/// The variable `name`.
///
/// # Errors
/// [`BadVariable`] if it is not set.
pub fn required_var(name: &'static str) -> Result<String, BadVariable> {
    std::env::var(name).map_err(|_| BadVariable(name))
}

/// The stack that this Lambda belongs to.
///
/// # Errors
/// [`BadVariable`] if a part of it is not set.
pub fn stack_identity() -> Result<StackIdentity, BadVariable> {
    Ok(StackIdentity {
        partition: required_var("PARTITION")?,
        region: required_var("AWS_REGION")?,
        account_id: required_var("ACCOUNT_ID")?,
        stack_key: required_var("STACK_KEY")?,
    })
}

/// Everything that a door needs, as `infra/template.yaml` describes it.
///
/// # Errors
/// [`BadVariable`] if a part of it is not set.
pub fn control(config: &SdkConfig) -> Result<Control, BadVariable> {
    let stack = stack_identity()?;
    let architecture = required_var("DEFAULT_ARCHITECTURE")?;
    let code_buckets = required_var("CODE_BUCKETS")?;
    let code_buckets = code_buckets.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
    let code_buckets: Vec<_> = code_buckets.collect();
    Ok(Control {
        defaults: Defaults {
            architecture: architecture.parse().map_err(|()| BadVariable("DEFAULT_ARCHITECTURE"))?,
            code_buckets: !code_buckets.is_empty(),
        },
        records: Records::new(aws_sdk_dynamodb::Client::new(config), required_var("TABLE_NAME")?),
        bundles: Bundles::new(
            aws_sdk_s3::Client::new(config),
            required_var("ARTIFACT_BUCKET")?,
            &stack.account_id,
            code_buckets,
        ),
        executions: Executions::new(
            aws_sdk_sfn::Client::new(config),
            required_var("STATE_MACHINE_ARN")?,
        ),
        comparer: Comparer::new(
            config,
            RoleSettings {
                stack: stack.clone(),
                boundary_arn: required_var("PERMISSIONS_BOUNDARY_ARN")?,
            },
        ),
        stack,
    })
}

/// How long after a change or a comparison a function is compared with AWS.
///
/// # Errors
/// [`BadVariable`] if it is not set or is no number of minutes.
pub fn drift_check_interval() -> Result<SignedDuration, BadVariable> {
    let name = "DRIFT_CHECK_MINUTES";
    let minutes: u32 = required_var(name)?.parse().map_err(|_| BadVariable(name))?;
    Ok(SignedDuration::from_mins(minutes.into()))
}

/// Writes what is traced as JSON lines, from the level on that Lambda's logging configuration or
/// `RUST_LOG` names (a level, or `formation=debug` and the like), else from INFO on.
///
/// Source of the variable: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>.
pub fn init_log() {
    let wanted = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"].into_iter().find_map(|name| {
        // Lambda's level FATAL has no counterpart.
        std::env::var(name).ok().and_then(|value| value.to_lowercase().parse::<Targets>().ok())
    });
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(json_lines(std::io::stdout)).with(filter).init();
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

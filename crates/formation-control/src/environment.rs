//! What `infra/template.yaml` tells each Lambda through its environment.

use aws_config::SdkConfig;
use formation_model::{Defaults, StackIdentity};
use formation_resources::Comparer;
use formation_resources::role::RoleSettings;
use jiff::SignedDuration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

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
    Ok(Control {
        defaults: Defaults {
            architecture: architecture.parse().map_err(|()| BadVariable("DEFAULT_ARCHITECTURE"))?,
        },
        records: Records::new(aws_sdk_dynamodb::Client::new(config), required_var("TABLE_NAME")?),
        bundles: Bundles::new(
            aws_sdk_s3::Client::new(config),
            required_var("ARTIFACT_BUCKET")?,
            &stack.account_id,
            code_buckets.collect(),
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
    // Lambda adds the time.
    let lines = tracing_subscriber::fmt::layer().json().with_target(false).without_time();
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(lines).with(filter).init();
}

//! What `infra/template.yaml` tells each Lambda through its environment.

use formation_model::StackIdentity;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

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

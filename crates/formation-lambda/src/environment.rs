//! What `infra/template.yaml` tells each Lambda through its environment.

use aws_config::SdkConfig;
use formation_control::{Bundles, Control, Executions, Records};
use formation_model::{Defaults, StackIdentity};
use formation_resources::Comparer;
use formation_resources::role::RoleSettings;
use jiff::SignedDuration;

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

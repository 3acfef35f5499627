//! What `infra/template.yaml` tells each Lambda through its environment.

use formation_model::StackIdentity;
use formation_resources::function::FunctionSettings;
use formation_resources::role::RoleSettings;
use formation_resources::triggers::TriggerSettings;
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

/// What a variable lists, separated by commas.
///
/// # Errors
/// [`BadVariable`] if it is not set; it may be empty.
pub(crate) fn listed(name: &'static str) -> Result<Vec<String>, BadVariable> {
    let listed = required_var(name)?;
    Ok(listed.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// Whether a variable is `true`, and not `false`.
///
/// # Errors
/// [`BadVariable`] if it is neither.
pub(crate) fn flag(name: &'static str) -> Result<bool, BadVariable> {
    required_var(name)?.parse().map_err(|_| BadVariable(name))
}

/// The number, from 0 on, that a variable has.
///
/// # Errors
/// [`BadVariable`] if it is not set or is no such number.
pub(crate) fn number(name: &'static str) -> Result<u32, BadVariable> {
    required_var(name)?.parse().map_err(|_| BadVariable(name))
}

/// What is the same in all roles of this stack's functions.
///
/// # Errors
/// [`BadVariable`] if a part of it is not set.
pub fn role_settings() -> Result<RoleSettings, BadVariable> {
    Ok(RoleSettings {
        stack: stack_identity()?,
        boundary_arn: required_var("PERMISSIONS_BOUNDARY_ARN")?,
        has_platforms_boundary: !required_var("FUNCTION_BOUNDARY_ARN")?.is_empty(),
        guarded: listed("GUARDED_ARNS")?,
    })
}

/// What is the same in all functions of this stack.
///
/// # Errors
/// [`BadVariable`] if a part of it is not set.
pub fn function_settings() -> Result<FunctionSettings, BadVariable> {
    Ok(FunctionSettings {
        stack: stack_identity()?,
        bucket: required_var("ARTIFACT_BUCKET")?,
        idle_role_arn: required_var("IDLE_ROLE_ARN")?,
    })
}

/// What is the same in all that calls this stack's functions.
///
/// # Errors
/// [`BadVariable`] if a part of it is not set.
pub fn trigger_settings() -> Result<TriggerSettings, BadVariable> {
    Ok(TriggerSettings {
        stack: stack_identity()?,
        scheduler_role_arn: required_var("SCHEDULER_ROLE_ARN")?,
    })
}

/// How many revisions of a function are kept, the current one included.
///
/// # Errors
/// [`BadVariable`] if it is not set or is no number.
pub fn revisions_kept() -> Result<u64, BadVariable> {
    Ok(number("REVISIONS_KEPT")?.into())
}

/// How long after a change or a comparison a function is compared with AWS.
///
/// # Errors
/// [`BadVariable`] if it is not set or is no number of minutes.
pub fn drift_check_interval() -> Result<SignedDuration, BadVariable> {
    Ok(SignedDuration::from_mins(number("DRIFT_CHECK_MINUTES")?.into()))
}

//! What `infra/template.yaml` tells each Lambda through its environment.

use formation_model::StackIdentity;

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

//! What Lambda's errors mean here.

use formation_aws::AwsError;

use crate::error::ResourceError;
use crate::redaction::Secrets;

/// Lambda's messages may quote the environment.
pub(crate) fn redacted(error: ResourceError, secrets: &Secrets) -> ResourceError {
    let hide = |error: AwsError| AwsError { message: secrets.hide(&error.message), ..error };
    match error {
        ResourceError::Aws(error) => ResourceError::Aws(hide(error)),
        ResourceError::NotReady { what, source } => {
            ResourceError::NotReady { what, source: source.map(hide) }
        }
        ResourceError::Rejected { reason } => {
            ResourceError::Rejected { reason: secrets.hide(&reason) }
        }
        error @ ResourceError::NotOwned { .. } => error,
    }
}

pub(crate) fn busy(error: AwsError) -> ResourceError {
    let what = "the function is being made or changed".to_owned();
    ResourceError::NotReady { what, source: Some(error) }
}

/// What came of a call that Lambda does not take while the function is being changed.
pub(crate) fn unless_busy<T>(result: Result<T, AwsError>) -> Result<(), ResourceError> {
    match result {
        Err(error) if is_busy(&error) => Err(busy(error)),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Lambda has no code of its own for these; the texts are those that Terraform's AWS provider
/// matches (`internal/service/lambda/function.go`).
pub(crate) fn role_is_not_ready(error: &AwsError) -> bool {
    const TEXTS: [&str; 3] = [
        "role defined for the function cannot be assumed by lambda",
        "provided execution role does not have permissions",
        "kms key is invalid for creategrant",
    ];
    error.has_code("InvalidParameterValueException") && says_one_of(error, &TEXTS)
}

/// Lambda has one code for conflicts and several texts ("An update is in progress", "currently in the
/// following state: Pending", "due to a concurrent update operation"): all but one mean that it is
/// still at it.
pub(crate) fn is_busy(error: &AwsError) -> bool {
    error.has_code("ResourceConflictException") && !name_is_taken(error)
}

/// The one other conflict, which only CreateFunction has.
pub(crate) fn name_is_taken(error: &AwsError) -> bool {
    error.has_code("ResourceConflictException") && says_one_of(error, &["already exist"])
}

/// Lambda takes no update to what it runs no more: a runtime that is blocked by now, a version of a layer that was
/// deleted. Texts as users have seen them: <https://github.com/motdotla/node-lambda/issues/526>,
/// <https://github.com/keithrozario/Klayers/issues/76>.
pub(crate) fn is_gone_for_good(error: &AwsError) -> bool {
    const TEXTS: [&str; 2] = ["no longer supported for creating or updating", "does not exist"];
    error.has_code("InvalidParameterValueException")
        && says_one_of(error, &TEXTS)
        && (says_one_of(error, &["runtime", "layer version"]))
}

pub(crate) fn says_one_of(error: &AwsError, texts: &[&str]) -> bool {
    let message = error.message.to_lowercase();
    texts.iter().any(|text| message.contains(text))
}

pub(crate) fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("ResourceNotFoundException")
}

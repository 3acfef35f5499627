//! The steps that take a part of a function away, in a delete and to undo a create.

use formation_control::Records;
use formation_model::{StackIdentity, StepInput};
use formation_resources::{function, log_group, role};

use crate::{Removed, StepError, current_operation};

/// Removes the Lambda function, and waits until Lambda no longer knows it.
///
/// # Errors
/// Those of [`function::remove`], or that the attempt is superseded.
pub async fn remove_function(
    lambda: &aws_sdk_lambda::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Removed, StepError> {
    let operation = current_operation(records, &input).await?;
    function::remove(lambda, stack, &operation.function_name).await?;
    Ok(Removed {})
}

/// Removes the function's execution role.
///
/// # Errors
/// Those of [`role::remove`], or that the attempt is superseded.
pub async fn remove_role(
    iam: &aws_sdk_iam::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Removed, StepError> {
    let operation = current_operation(records, &input).await?;
    role::remove(iam, stack, &operation.function_name).await?;
    Ok(Removed {})
}

/// Removes the function's log group.
///
/// # Errors
/// Those of [`log_group::remove`], or that the attempt is superseded.
pub async fn remove_log_group(
    logs: &aws_sdk_cloudwatchlogs::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Removed, StepError> {
    let operation = current_operation(records, &input).await?;
    log_group::remove(logs, stack, &operation.function_name).await?;
    Ok(Removed {})
}

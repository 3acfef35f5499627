//! The steps that bring a part of a function to what the operation is to make of it.

use formation_control::{OperationRecord, Records};
use formation_model::{ErrorName, FunctionSpec, Goal, StackIdentity, StepInput};
use formation_resources::function::FunctionSettings;
use formation_resources::role::RoleSettings;
use formation_resources::{function, log_group, role};

use crate::{Ensured, StepError, current_operation};

/// Makes the function's execution role as the operation is to have it.
///
/// # Errors
/// Those of [`role::ensure`], or that the attempt is superseded.
pub async fn ensure_role(
    iam: &aws_sdk_iam::Client,
    records: &Records,
    settings: &RoleSettings,
    input: StepInput,
) -> Result<Ensured, StepError> {
    let operation = current_operation(records, &input).await?;
    let (spec, formerly) = goal(&input, &operation)?;
    Ok(Ensured { arn: role::ensure(iam, settings, spec, formerly).await? })
}

/// Makes the function's log group as the operation is to have it.
///
/// # Errors
/// Those of [`log_group::ensure`], or that the attempt is superseded.
pub async fn ensure_log_group(
    logs: &aws_sdk_cloudwatchlogs::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Ensured, StepError> {
    let operation = current_operation(records, &input).await?;
    let (spec, formerly) = goal(&input, &operation)?;
    Ok(Ensured { arn: log_group::ensure(logs, stack, spec, formerly).await? })
}

/// Makes the Lambda function as the operation is to have it, invocable.
///
/// # Errors
/// Those of [`function::ensure`], or that the attempt is superseded.
pub async fn ensure_function(
    lambda: &aws_sdk_lambda::Client,
    records: &Records,
    settings: &FunctionSettings,
    input: StepInput,
) -> Result<Ensured, StepError> {
    let operation = current_operation(records, &input).await?;
    let (spec, formerly) = goal(&input, &operation)?;
    Ok(Ensured { arn: function::ensure(lambda, settings, spec, formerly).await? })
}

/// The state to reach, and the one that may be in place.
fn goal<'a>(
    input: &StepInput,
    operation: &'a OperationRecord,
) -> Result<(&'a FunctionSpec, Option<&'a FunctionSpec>), StepError> {
    let (wanted, other) = match input.goal {
        Goal::Target => (&operation.target, &operation.previous),
        Goal::LastGood => (&operation.previous, &operation.target),
    };
    match wanted {
        Some(wanted) => Ok((wanted, other.as_ref())),
        None => Err(StepError::new(
            ErrorName::Rejected,
            format!("the operation {} has no such state to reach", operation.operation_id),
        )),
    }
}

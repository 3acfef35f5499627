//! The steps that take a part of a function away, in a delete and to undo a create.

use formation_control::{OperationRecord, Records};
use formation_model::step::part_made_by;
use formation_model::{ErrorName, Failure, OperationKind, Part, StackIdentity, StepInput};
use formation_resources::{Foreign, Removal, ResourceError, function, log_group, role};
use jiff::Timestamp;

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
    function::remove(lambda, stack, &removal(&operation, Part::Function)).await?;
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
    role::remove(iam, stack, &removal(&operation, Part::Role)).await?;
    Ok(Removed {})
}

/// Removes the function's log group. Where somebody else's function has the name by now, what it has
/// logged is not ours to delete.
///
/// # Errors
/// Those of [`log_group::remove`] and [`function::refuse_foreign`], or that the attempt is superseded.
pub async fn remove_log_group(
    logs: &aws_sdk_cloudwatchlogs::Client,
    lambda: &aws_sdk_lambda::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Removed, StepError> {
    let operation = current_operation(records, &input).await?;
    let removal = removal(&operation, Part::LogGroup);
    if is_foreign(lambda, stack, &removal, &input).await? {
        let spec = operation.target.as_ref().or(operation.previous.as_ref());
        log_group::give_up(logs, stack, spec, &removal).await?;
    } else {
        log_group::remove(logs, stack, &removal).await?;
    }
    Ok(Removed {})
}

/// What an operation removes. A part that an earlier operation made, of a function that was once made
/// completely or whose undo left the part, must be told where another owner has taken it.
/// What was never made may have been another's all along.
pub(crate) fn removal(operation: &OperationRecord, part: Part) -> Removal<'_> {
    let was_complete = operation.kind == OperationKind::Delete && operation.revision > 0;
    let function = &operation.function_name;
    let spec = operation.previous.as_ref().or(operation.target.as_ref());
    // Of triggers there are several, and tags tell whose each is.
    let was_left =
        part != Part::Triggers && operation.former_leftovers.iter().any(|it| *it == part);
    if was_complete || was_left {
        // Nothing of it is as young as this operation.
        Removal { function, spec, foreign: Foreign::IsAnError, since: Timestamp::MAX }
    } else {
        Removal { function, spec, foreign: Foreign::IsLeft, since: operation.started_at }
    }
}

/// Whether the Lambda function of that name is, or was when the create met it, somebody else's.
async fn is_foreign(
    lambda: &aws_sdk_lambda::Client,
    stack: &StackIdentity,
    removal: &Removal<'_>,
    input: &StepInput,
) -> Result<bool, ResourceError> {
    // Once the function is made it is ours, whatever else was somebody's.
    let is_foreign = |failure: &Failure| {
        let made = part_made_by(&failure.step);
        failure.error == ErrorName::NotOwned.as_str() && made.is_some_and(|it| it <= Part::Function)
    };
    if input.failure.as_ref().is_some_and(is_foreign) {
        return Ok(true);
    }
    match function::refuse_foreign(lambda, stack, removal.function, removal.since).await {
        Err(ResourceError::NotOwned { .. }) => Ok(true),
        looked => looked.map(|()| false),
    }
}

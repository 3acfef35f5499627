//! The steps that make and take away what calls a function.

use formation_control::Records;
use formation_model::{OperationKind, Part, StackIdentity, StepInput};
use formation_resources::triggers::{self, Clients, TriggerSettings};

use crate::ensure::target;
use crate::remove::removal;
use crate::{Called, Removed, StepError, current_operation};

/// Makes what calls the function as the operation is to have it: before callers have moved, what is added and
/// changed of it, and afterwards all.
///
/// # Errors
/// Those of [`triggers::ensure`], or that the attempt is superseded.
pub async fn ensure_triggers(
    clients: &Clients,
    sqs: &aws_sdk_sqs::Client,
    records: &Records,
    settings: &TriggerSettings,
    input: StepInput,
) -> Result<Called, StepError> {
    let operation = current_operation(records, &input).await?;
    let target = target(&input, &operation)?;
    // What an operation has left that failed is in no record.
    let searches = operation.kind == OperationKind::Repair;
    let ensured = triggers::ensure(clients, sqs, settings, &target, searches).await?;
    Ok(Called { function_url: ensured.function_url })
}

/// Takes away what calls the function.
///
/// # Errors
/// Those of [`triggers::remove`], or that the attempt is superseded.
pub async fn remove_triggers(
    clients: &Clients,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Removed, StepError> {
    let operation = current_operation(records, &input).await?;
    let specs: Vec<_> = [&operation.target, &operation.previous].into_iter().flatten().collect();
    let removal = removal(&operation, Part::Triggers);
    triggers::remove(clients, stack, &removal, &specs).await?;
    Ok(Removed {})
}

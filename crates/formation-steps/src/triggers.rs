//! The steps that make and take away what calls a function.

use formation_control::{OperationRecord, Records};
use formation_model::triggers::LeftTrigger;
use formation_model::{Goal, OperationKind, Part, StackIdentity, StepInput};
use formation_resources::triggers::{self, Clients, Sources, TriggerSettings};

use crate::ensure::{point_of_no_return, target};
use crate::remove::removal;
use crate::{Called, Removed, StepError, current_operation};

/// Makes what calls the function as the operation is to have it: before callers have moved, what is added of it, and
/// afterwards all.
///
/// # Errors
/// Those of [`triggers::ensure`], or that the attempt is superseded.
pub async fn ensure_triggers(
    clients: &Clients,
    sources: &Sources,
    records: &Records,
    settings: &TriggerSettings,
    input: StepInput,
) -> Result<Called, StepError> {
    let operation = current_operation(records, &input).await?;
    let target = target(&input, &operation)?;
    let search = searched(&input, &operation);
    let ensured = triggers::ensure(clients, sources, settings, &target, search).await?;
    if !target.only_adds {
        let is_change = [OperationKind::Update, OperationKind::Rollback].contains(&operation.kind);
        let is_forward = is_change && input.goal == Goal::Target;
        // Callers may be where they were, since only what calls the function changes.
        if let (true, true, Some(version)) = (is_forward, ensured.takes_away, input.version) {
            point_of_no_return(records, &input, &operation, version).await?;
        }
        triggers::take_away(clients, settings, &target, search).await?;
    }
    Ok(Called { function_url: ensured.function_url })
}

/// What operations before this one have left, if everything is to be looked at: also where the alias had to be made
/// anew, with which all of it was gone that belongs to it.
fn searched<'a>(input: &StepInput, operation: &'a OperationRecord) -> Option<&'a [LeftTrigger]> {
    let searches = operation.searches_triggers() || input.remade;
    searches.then_some(&operation.former_left_triggers[..])
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
    let left = &operation.former_left_triggers;
    triggers::remove(clients, stack, &removal, &specs, left).await?;
    Ok(Removed {})
}

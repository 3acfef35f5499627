//! The steps that record how an operation ended.

use formation_control::OperationRecord;
use formation_control::bundles::BundleState;
use formation_control::{Bundles, Outcome, Records};
use formation_model::step::Announcement;
use formation_model::{Bundle, ErrorName, OperationStatus, Rollback, StepInput};

use crate::{StepError, current_operation};

/// Commits that the function is as asked, and answers what is to be announced.
///
/// # Errors
/// What DynamoDB or S3 answered, or that the attempt is superseded.
pub async fn record_success(
    records: &Records,
    bundles: &Bundles,
    input: StepInput,
) -> Result<Announcement, StepError> {
    let operation = match before_commit(records, &input, OperationStatus::Succeeded).await? {
        Found::Ended(operation) => return Ok(operation.to_announcement()),
        Found::Running(operation) => operation,
    };
    // Before the commit: a bundle that a record refers to must never expire.
    match (bundle(operation.target.as_ref()), bundle(operation.previous.as_ref())) {
        (Some(target), _) => bundles.mark(target, BundleState::Kept).await?,
        // A delete only goes forward, so nothing needs the code again.
        (None, Some(previous)) => bundles.mark(previous, BundleState::Expired).await?,
        (None, None) => {}
    }
    commit(records, &operation, &Outcome::Succeeded, &input).await
}

/// Commits that the operation failed and what became of its changes, and answers what is to be
/// announced.
///
/// # Errors
/// What DynamoDB or S3 answered, or that the attempt is superseded.
pub async fn record_failure(
    records: &Records,
    bundles: &Bundles,
    input: StepInput,
) -> Result<Announcement, StepError> {
    let operation = match before_commit(records, &input, OperationStatus::Failed).await? {
        Found::Ended(operation) => return Ok(operation.to_announcement()),
        Found::Running(operation) => operation,
    };
    let Some(failure) = &input.failure else {
        let text = "the state machine told no failure to record";
        return Err(StepError::new(ErrorName::Rejected, text));
    };
    let rollback =
        if input.leftovers.is_empty() { Rollback::Complete } else { Rollback::Incomplete };
    if let (Rollback::Complete, Some(target)) = (rollback, bundle(operation.target.as_ref())) {
        // It may have been marked as kept by a success that was not committed.
        bundles.mark(target, BundleState::Expired).await?;
    }
    let outcome = Outcome::Failed {
        rollback,
        error: failure.to_operation_error(),
        leftovers: input.leftovers.clone(),
    };
    commit(records, &operation, &outcome, &input).await
}

enum Found {
    /// The attempt is current.
    Running(OperationRecord),
    /// An earlier invocation for the same attempt has recorded the same.
    Ended(OperationRecord),
}

async fn before_commit(
    records: &Records,
    input: &StepInput,
    status: OperationStatus,
) -> Result<Found, StepError> {
    let execution = &input.execution;
    let superseded = match current_operation(records, input).await {
        Ok(operation) => return Ok(Found::Running(operation)),
        Err(error) if error.name == ErrorName::Superseded => error,
        Err(error) => return Err(error),
    };
    let found = records.operation(&execution.function_name, execution.operation_id).await?;
    match found {
        Some(found) if found.attempt == execution.attempt && found.status == status => {
            Ok(Found::Ended(found))
        }
        _ => Err(superseded),
    }
}

async fn commit(
    records: &Records,
    operation: &OperationRecord,
    outcome: &Outcome,
    input: &StepInput,
) -> Result<Announcement, StepError> {
    let ended = records.commit(operation, outcome).await?;
    let ended = ended.ok_or_else(|| StepError::superseded(&input.execution))?;
    Ok(ended.to_announcement())
}

fn bundle(spec: Option<&formation_model::FunctionSpec>) -> Option<&Bundle> {
    spec.map(|spec| &spec.code)
}

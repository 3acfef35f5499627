//! The steps that record how an operation ended.

use formation_aws::Chain;
use formation_control::{
    Bundles, OperationRecord, Outcome, Reached, Records, Retired, prune_revisions,
};
use formation_model::step::{Announcement, part_made_by};
use formation_model::{
    Bundle, ErrorName, Failure, FunctionSpec, Lane, OperationKind, OperationStatus, Part,
    PublishedVersion, Rollback, StepInput,
};
use jiff::{SignedDuration, Timestamp};

use crate::{StepError, operation_in};

/// Commits that the function is as asked, and answers what is to be announced. After `check_after`
/// the function is compared with AWS; of its revisions the newest `revisions_kept` are kept.
///
/// # Errors
/// `Formation.Superseded` if a later attempt has taken over; otherwise the name that fits what DynamoDB
/// or S3 refused: see [`StepError`].
pub async fn record_success(
    records: &Records,
    bundles: &Bundles,
    check_after: SignedDuration,
    revisions_kept: u64,
    input: StepInput,
) -> Result<Announcement, StepError> {
    let statuses = [OperationStatus::Running, OperationStatus::Succeeded];
    let operation = operation_in(&statuses, records, &input).await?;
    let committed = match operation.status {
        // An earlier invocation for the same attempt has recorded it.
        OperationStatus::Succeeded => announce(bundles, &operation).await?,
        _ => succeed(records, bundles, &operation, check_after, &input).await?,
    };
    let pruned = prune_revisions(records, bundles, &operation, revisions_kept).await;
    match pruned {
        // Nobody comes by after it, so it is tried again.
        Err(error) if operation.kind == OperationKind::Delete => return Err(error.into()),
        // The next commit does what was not done: the news of this one does not wait for it.
        Err(error) => tracing::error!(error = %Chain(&error), "revisions that are too many stay"),
        Ok(()) => {}
    }
    Ok(committed)
}

async fn succeed(
    records: &Records,
    bundles: &Bundles,
    operation: &OperationRecord,
    check_after: SignedDuration,
    input: &StepInput,
) -> Result<Announcement, StepError> {
    let (target, previous) = (bundle(&operation.target), bundle(&operation.previous));
    if let Some(target) = only_in(target, previous) {
        // Before the commit: a bundle that a record refers to must never expire. One that it has
        // referred to before is kept already.
        bundles.keep(target).await?;
    }
    records.keep_current(operation, published_of_current(operation, input)).await?;
    // What an update replaces is a revision still.
    let released = previous.filter(|_| operation.kind == OperationKind::Delete).cloned();
    commit(records, bundles, operation, &Outcome::Succeeded, released, check_after, input).await
}

/// Commits that the operation failed and what became of its changes, and answers what is to be
/// announced.
///
/// # Errors
/// `Formation.Superseded` if a later attempt has taken over; otherwise the name that fits what DynamoDB
/// or S3 refused: see [`StepError`].
pub async fn record_failure(
    records: &Records,
    bundles: &Bundles,
    check_after: SignedDuration,
    input: StepInput,
) -> Result<Announcement, StepError> {
    let statuses = [OperationStatus::Running, OperationStatus::Failed];
    let operation = operation_in(&statuses, records, &input).await?;
    if operation.status == OperationStatus::Failed {
        // An earlier invocation for the same attempt has recorded it.
        return announce(bundles, &operation).await;
    }
    // Why the first attempt ended is why the operation fails, whatever happened on the way back. Where callers have
    // moved there is none, and an interruption alone would not have failed it.
    let failure = input.failure.as_ref().map(Failure::to_operation_error);
    let interruption = operation.interruption.clone();
    let error = if input.moved { failure.or(interruption) } else { interruption.or(failure) };
    let Some(error) = error else {
        let text = "the state machine told no failure to record";
        return Err(StepError::new(ErrorName::Rejected, text));
    };
    let leftovers = leftovers(&operation, &input);
    let (target, previous) = (bundle(&operation.target), bundle(&operation.previous));
    let is_complete = leftovers.is_empty() && !input.moved;
    let rollback = if is_complete { Rollback::Complete } else { Rollback::Incomplete };
    let outcome = Outcome::Failed { rollback, error, leftovers, moved: input.moved };
    if input.moved || input.kept_version.is_some() {
        records.keep_current(&operation, published_of_current(&operation, &input)).await?;
    }
    let released = if input.moved {
        // What callers run is the last good state from now on, and what is left is finished forward.
        if let Some(target) = only_in(target, previous) {
            bundles.keep(target).await?;
        }
        None
    } else {
        // What was to be is not, and nothing that is left to do needs its code. That of a rollback is a revision's.
        only_in(target, previous).filter(|_| operation.kind != OperationKind::Rollback).cloned()
    };
    if may_have_published(&operation, &input) {
        let (function, id) = (operation.function_name.clone(), operation.operation_id);
        records.retire(&Retired::OfOperation(function, id), Timestamp::now()).await?;
    }
    commit(records, bundles, &operation, &outcome, released, check_after, &input).await
}

/// What the operation has published of the revision that its function is at: of what was there before an update, and
/// by a repair.
fn published_of_current<'a>(
    operation: &'a OperationRecord,
    input: &'a StepInput,
) -> Option<(PublishedVersion, Option<&'a str>)> {
    match operation.kind {
        OperationKind::Repair => input.version.map(|it| (it, input.role_id.as_deref())),
        _ => {
            let version = input.kept_version.filter(|_| !input.kept_otherwise);
            version.map(|it| (it, operation.role_id.as_deref()))
        }
    }
}

/// Whether an operation that failed has perhaps published a version that callers do not run. How far an attempt came that was
/// taken over nobody knows.
fn may_have_published(operation: &OperationRecord, input: &StepInput) -> bool {
    let keeps_function = match operation.kind {
        OperationKind::Update | OperationKind::Repair | OperationKind::Rollback => true,
        OperationKind::Create | OperationKind::Delete => false,
    };
    let failed_at = input.failure.as_ref().map(|failure| failure.step.as_str());
    let came_so_far = operation.interruption.is_some() || failed_at == Some("Go live");
    keeps_function && !input.moved && came_so_far
}

/// What is left of the parts that could not be removed or restored: of a function that never was made
/// completely, only those that were made.
fn leftovers(operation: &OperationRecord, input: &StepInput) -> Vec<Part> {
    let mut left = input.leftovers.clone();
    // Where nothing of them was to be done, nothing of them is left.
    let execution = &input.execution;
    let concerned = execution.changes_triggers || execution.lane == Lane::Delete;
    left.retain(|part| *part != Part::Triggers || concerned);
    let failure = input.failure.as_ref().filter(|_| operation.kind == OperationKind::Create);
    if let Some(failure) = failure
        && let Some(failed) = part_made_by(&failure.step)
    {
        // Of what it has not proved ours the step has made nothing. The role's name is ours alone, and of triggers
        // there are several.
        let not_owned = failure.error == ErrorName::NotOwned.as_str();
        let foreign = not_owned && ![Part::Role, Part::Triggers].contains(&failed);
        left.retain(|part| *part < failed || (*part == failed && !foreign));
    } else if operation.revision == 0 && !operation.former_leftovers.is_empty() {
        left.retain(|part| operation.former_leftovers.iter().any(|it| it == part));
    }
    left
}

async fn commit(
    records: &Records,
    bundles: &Bundles,
    operation: &OperationRecord,
    outcome: &Outcome,
    released: Option<Bundle>,
    check_after: SignedDuration,
    input: &StepInput,
) -> Result<Announcement, StepError> {
    let reached = Reached {
        role_id: input.role_id.as_deref(),
        unnamed: &input.unnamed,
        version: input.version,
        alias_revision_id: input.alias_revision_id.as_deref(),
        kept_version: input.kept_version,
        kept_otherwise: input.kept_otherwise,
        function_url: input.function_url.as_deref(),
    };
    let ended = records.commit(operation, outcome, released, reached, check_after).await?;
    let ended = ended.ok_or_else(|| StepError::superseded(&input.execution))?;
    if ended.rollback == Rollback::Incomplete {
        // An alarm of the template counts these lines.
        tracing::error!(rollback = "INCOMPLETE", leftovers = ?ended.leftovers, "something is left");
    }
    if let Some(seconds) = seconds_to_available(&ended) {
        // A metric of the template is made of these.
        tracing::info!(kind = %ended.kind.as_str(), secondsToAvailable = seconds, "it is as asked");
    }
    announce(bundles, &ended).await
}

/// How long it took from the request until the function was as asked; nothing of one that is not, or is gone.
fn seconds_to_available(ended: &OperationRecord) -> Option<f64> {
    if ended.status != OperationStatus::Succeeded || ended.kind == OperationKind::Delete {
        return None;
    }
    Some(ended.ended_at?.duration_since(ended.started_at).as_secs_f64())
}

/// What is to be announced of an operation that has ended, once the code that it released is marked
/// as such: after the commit, since until then the code may still be needed.
async fn announce(bundles: &Bundles, ended: &OperationRecord) -> Result<Announcement, StepError> {
    if let Some(released) = &ended.released {
        bundles.release(released).await?;
    }
    Ok(ended.to_announcement())
}

fn bundle(spec: &Option<FunctionSpec>) -> Option<&Bundle> {
    spec.as_ref().map(|spec| &spec.code)
}

/// The bundle of one specification, unless the other refers to the same object.
fn only_in<'a>(one: Option<&'a Bundle>, other: Option<&Bundle>) -> Option<&'a Bundle> {
    one.filter(|one| !other.is_some_and(|other| other.is_same_object(one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_both_specifications_refer_to_is_neither_kept_anew_nor_released() {
        let bundle = |version: &str, inline| Bundle {
            sha256: "c2hh".into(),
            size_bytes: 7,
            key: "bundles/hello/1.zip".into(),
            version: version.into(),
            inline,
        };
        let (first, learnt, second) = (bundle("1", false), bundle("1", true), bundle("2", false));
        assert_eq!(only_in(Some(&first), Some(&learnt)), None);
        assert_eq!(only_in(Some(&first), Some(&second)), Some(&first));
        assert_eq!(only_in(Some(&first), None), Some(&first));
        assert_eq!(only_in(None, Some(&first)), None);
    }
}

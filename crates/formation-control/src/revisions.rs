//! Which revisions of a function are kept, with their code, and which are forgotten.

use formation_model::{Bundle, OperationKind};
use futures_util::{TryStreamExt, stream};
use jiff::Timestamp;

use crate::bundles::Bundles;
use crate::records::{FunctionRecord, KeptRevision, OperationRecord, Records, Retired};
use crate::refusal::Refusal;

/// How many revisions are forgotten at once.
const AT_ONCE: usize = 8;

/// Forgets what is not kept any more once `ended` has succeeded, and marks code as expired that nothing
/// kept uses: of a function that is there all but its newest `kept` revisions, of one that is deleted
/// all. It goes by the function as it is by now, so that doing it again, or late, does no harm; what was
/// not done is done after a later operation.
///
/// # Errors
/// [`Refusal::Aws`]: what DynamoDB or S3 answered. [`Refusal::Record`]: the function's record cannot be
/// read.
pub async fn prune_revisions(
    records: &Records,
    bundles: &Bundles,
    ended: &OperationRecord,
    kept: u64,
) -> Result<(), Refusal> {
    let name = &ended.function_name;
    // A repair commits nothing, and until so many are there none goes but those of an earlier function.
    let looks = match ended.kind {
        OperationKind::Create | OperationKind::Delete => true,
        OperationKind::Update | OperationKind::Rollback => ended.revision > kept,
        OperationKind::Repair => false,
    };
    if !looks {
        return Ok(());
    }
    let all = records.kept_revisions(name).await?;
    if all.is_empty() {
        return Ok(());
    }
    // After the revisions: whatever has been committed meanwhile is not judged by an older record.
    let function = records.function(name).await?;
    let (gone, stay): (Vec<_>, Vec<_>) =
        all.iter().partition(|revision| is_forgotten(revision, function.as_ref(), kept));
    let wanted = match &function {
        Some(function) if !gone.is_empty() => wanted_by_an_operation(records, function).await?,
        _ => None,
    };
    let current = function.as_ref().map(|function| &function.spec.code);
    let uses = |bundle: &Bundle| {
        let others = current.into_iter().chain(&wanted);
        stay.iter().map(|it| it.code()).chain(others).any(|it| it.is_same_object(bundle))
    };
    // With a function its versions have gone.
    let runs = |revision: &KeptRevision| {
        !is_of(revision, function.as_ref()) || stay.iter().any(|it| it.version == revision.version)
    };
    let forgotten = stream::iter(gone.into_iter().map(Ok));
    forgotten
        .try_for_each_concurrent(AT_ONCE, async |revision| {
            // The code and the version first: what is forgotten cannot be found again.
            if !uses(revision.code()) {
                bundles.release(revision.code()).await?;
            }
            if let Some(version) = revision.version.filter(|_| !runs(revision)) {
                let retired = Retired::Version(name.clone(), version);
                records.retire(&retired, Timestamp::now()).await?;
            }
            records.forget_revision(name, revision).await
        })
        .await
}

/// The code that an operation brings back while it runs: that of a revision which may be forgotten by now.
async fn wanted_by_an_operation(
    records: &Records,
    function: &FunctionRecord,
) -> Result<Option<Bundle>, Refusal> {
    if !function.is_busy() {
        return Ok(None);
    }
    let running = records.operation(&function.spec.function_name, function.operation_id).await?;
    Ok(running.and_then(|running| running.target).map(|target| target.code))
}

/// Whether a revision goes: of a function that is deleted all do, else those that are too old, and those
/// of an earlier function of the name.
fn is_forgotten(revision: &KeptRevision, function: Option<&FunctionRecord>, kept: u64) -> bool {
    let too_old =
        |function: &FunctionRecord| revision.revision.saturating_add(kept) <= function.revision;
    !is_of(revision, function) || function.is_some_and(too_old)
}

/// Whether a revision is of this function, and not of an earlier one of its name.
fn is_of(revision: &KeptRevision, function: Option<&FunctionRecord>) -> bool {
    function.is_some_and(|function| revision.created_at >= function.created_at)
}

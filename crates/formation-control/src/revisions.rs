//! Which revisions of a function are kept, with their code, and which are forgotten.

use formation_model::{Bundle, OperationKind};

use crate::bundles::Bundles;
use crate::records::{KeptRevision, OperationRecord, Records};
use crate::refusal::Refusal;

/// Forgets what is not kept any more once `ended` has succeeded, and marks code as expired that no kept
/// revision uses: of an update all but the newest `kept` revisions, of a delete all. Doing it again does
/// no harm, and what was not done is done after a later operation.
///
/// # Errors
/// [`Refusal::Aws`]: what DynamoDB or S3 answered. [`Refusal::Record`]: a record cannot be read.
pub async fn prune_revisions(
    records: &Records,
    bundles: &Bundles,
    ended: &OperationRecord,
    kept: u64,
) -> Result<(), Refusal> {
    // A repair commits nothing, and until so many are there none goes but those of an earlier function.
    let looks = match ended.kind {
        OperationKind::Create | OperationKind::Delete => true,
        OperationKind::Update => ended.revision > kept,
        OperationKind::Repair => false,
    };
    if !looks {
        return Ok(());
    }
    let all = records.kept_revisions(&ended.function_name).await?;
    let (gone, stay): (Vec<_>, Vec<_>) =
        all.iter().partition(|revision| is_forgotten(revision, ended, kept));
    let used = |bundle: &Bundle| stay.iter().any(|it| it.code().is_same_object(bundle));
    for revision in gone {
        // The code first: what is forgotten cannot be found again.
        if !used(revision.code()) {
            bundles.release(revision.code()).await?;
        }
        records.forget_revision(&ended.function_name, revision).await?;
    }
    Ok(())
}

/// Whether a revision goes when `ended` has succeeded. An operation that was accepted later may have
/// committed some already.
fn is_forgotten(revision: &KeptRevision, ended: &OperationRecord, kept: u64) -> bool {
    let earlier = revision.operation_id < ended.operation_id;
    match ended.kind {
        OperationKind::Delete => earlier,
        // A higher number is that of an earlier function of the name.
        OperationKind::Create | OperationKind::Update => {
            earlier
                && (revision.revision > ended.revision
                    || revision.revision.saturating_add(kept) <= ended.revision)
        }
        OperationKind::Repair => false,
    }
}

//! Deleting versions that nobody runs any more.

use aws_sdk_lambda::Client;
use formation_model::names::{LIVE, is_version_mark, kept_version_mark, version_mark};
use formation_model::{FunctionName, OperationId, PublishedVersion, StackIdentity};
use jiff::Timestamp;

use super::calls::{delete_version, described_as, qualified};
use super::{judged, version_of};
use crate::error::ResourceError;
use crate::function::errors::{busy, is_busy, says_one_of};
use crate::function::find;

/// What became of a version that was to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pruned {
    /// It is gone, or never was, or is nothing of ours.
    Gone,
    /// An alias leads to it: `live`, or one of somebody's. It stays.
    InUse,
}

/// The versions that an operation has published of a function, of what it has made and of what was there before:
/// they have its marks.
///
/// # Errors
/// What Lambda answered.
pub async fn published_by(
    lambda: &Client,
    function: &FunctionName,
    operation: OperationId,
) -> Result<Vec<PublishedVersion>, ResourceError> {
    let marks = [version_mark(operation), kept_version_mark(operation)];
    Ok(described_as(lambda, function, &marks).await?)
}

/// Deletes a version of a function, unless an alias leads there. Callers of an alias that has just moved may still
/// be sent to the version before: whoever asks has waited long enough.
///
/// # Errors
/// [`ResourceError::NotReady`] while the function is being changed; otherwise what Lambda answered.
pub async fn prune(
    lambda: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
    version: PublishedVersion,
) -> Result<Pruned, ResourceError> {
    let found = match find(lambda, stack, function, Timestamp::MAX).await {
        Ok(Some(found)) => found,
        Ok(None) | Err(ResourceError::NotOwned { .. }) => return Ok(Pruned::Gone),
        Err(error) => return Err(error),
    };
    let Some(its) = qualified(lambda, function, &version.to_string()).await? else {
        return Ok(Pruned::Gone);
    };
    // Of a function that is ours somebody may have published a version, and nobody else deletes it.
    if !its.description().is_some_and(is_version_mark) && version != PublishedVersion::FIRST {
        return Ok(Pruned::Gone);
    }
    let live = qualified(lambda, function, LIVE).await?;
    if live.as_ref().and_then(version_of) == Some(version) {
        return Ok(Pruned::InUse);
    }
    match delete_version(lambda, function, version).await {
        Ok(()) => Ok(Pruned::Gone),
        // "... because the following aliases reference it: [blue]".
        Err(error) if is_busy(&error) && says_one_of(&error, &["alias"]) => Ok(Pruned::InUse),
        Err(error) if is_busy(&error) => Err(busy(error)),
        Err(error) => Err(judged(error.into(), &found, function)),
    }
}

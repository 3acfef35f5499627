//! Putting callers back to where they were, before anything else is put back and before anybody waits.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use formation_model::names::version_mark;
use formation_model::{FunctionName, OperationId, PublishedVersion, StackIdentity};
use jiff::Timestamp;

use super::calls::{Alias, create_alias, is_stale, qualified, update_alias};
use super::{Live, judged, unmoved};
use crate::error::ResourceError;
use crate::function::{described, find};

/// Where callers were before an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Before {
    /// At this version.
    Version(PublishedVersion),
    /// Where they are, unless the operation has moved them: what it was is not recorded, or it is a repair, after
    /// which putting anything back would repeat what just failed.
    AsFound,
}

/// What became of callers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Restored {
    /// They are where they were, and whatever of an earlier attempt is still to move them is refused. None where
    /// there is no alias.
    Back(Option<Live>),
    /// They run what the operation has made, wholly. Nothing was done: from here it only goes forward.
    Moved(Live),
    /// The alias was changed since it was seen: to be looked at, then the operation to be read again.
    Unseen,
}

/// Puts callers back to where they were before an operation, unless they run what it has made. It writes where
/// nothing differs, too: then a call of an earlier attempt that is still under way carries a RevisionId that the
/// alias has no more, and is refused. `seen` is a look that was taken before the operation was read; `kept` is a
/// version that the operation moves to without publishing it.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the function is somebody else's and was ours, [`ResourceError::NotReady`] while
/// Lambda is still at it, [`ResourceError::Rejected`] if the function or the version is gone; otherwise what
/// Lambda answered.
pub async fn restore(
    lambda: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
    (operation, since): (OperationId, Timestamp),
    (before, kept): (Before, Option<PublishedVersion>),
    seen: Option<&Alias>,
) -> Result<Restored, ResourceError> {
    let found = match find(lambda, stack, function, since).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            let reason = format!(
                "{} is gone, and with it what its callers ran; a repair makes both anew",
                described(function)
            );
            return Err(ResourceError::Rejected { reason });
        }
        Err(error) => return Err(error),
    };
    let restored = match (before, seen) {
        (Before::Version(version), None) => create(lambda, function, version).await,
        (Before::AsFound, None) => Ok(Restored::Back(None)),
        (_, Some(alias)) => put_back(lambda, function, operation, before, kept, alias).await,
    };
    restored.map_err(|error| judged(error, &found, function))
}

/// Makes the alias that somebody has removed.
async fn create(
    lambda: &Client,
    function: &FunctionName,
    version: PublishedVersion,
) -> Result<Restored, ResourceError> {
    if qualified(lambda, function, &version.to_string()).await?.is_none() {
        return Err(is_gone(function, version));
    }
    match create_alias(lambda, function, version).await {
        Ok(alias) => Ok(Restored::Back(Some(Live::of(version, &alias)))),
        Err(error) => Err(unmoved(error, function)),
    }
}

async fn put_back(
    lambda: &Client,
    function: &FunctionName,
    operation: OperationId,
    before: Before,
    kept: Option<PublishedVersion>,
    alias: &Alias,
) -> Result<Restored, ResourceError> {
    if let Some(version) = alias.version
        && before != Before::Version(version)
        && alias.is_wholly_on(version)
        && (kept == Some(version) || is_of(lambda, function, operation, version).await?)
    {
        return Ok(Restored::Moved(Live::of(version, alias)));
    }
    let none = BTreeMap::new();
    let (version, weights) = match (before, alias.version) {
        (Before::Version(version), _) => (version, &none),
        (_, Some(version)) => (version, &alias.weights),
        // Somebody has led it to $LATEST: that is drift, and no operation's to be taken for.
        (_, None) => return Ok(Restored::Back(None)),
    };
    let Some(revision_id) = &alias.revision_id else { return Ok(Restored::Unseen) };
    match update_alias(lambda, function, version, weights, revision_id).await {
        Ok(alias) => Ok(Restored::Back(Some(Live::of(version, &alias)))),
        Err(error) if is_stale(&error) => Ok(Restored::Unseen),
        Err(error) => match qualified(lambda, function, &version.to_string()).await? {
            Some(_) => Err(unmoved(error, function)),
            None => Err(is_gone(function, version)),
        },
    }
}

/// Whether the operation has published the version.
async fn is_of(
    lambda: &Client,
    function: &FunctionName,
    operation: OperationId,
    version: PublishedVersion,
) -> Result<bool, ResourceError> {
    let found = qualified(lambda, function, &version.to_string()).await?;
    Ok(found.is_some_and(|found| found.description() == Some(&version_mark(operation))))
}

fn is_gone(function: &FunctionName, version: PublishedVersion) -> ResourceError {
    let reason = format!(
        "version {version} of {}, which callers ran, is gone; a repair publishes it anew",
        described(function)
    );
    ResourceError::Rejected { reason }
}

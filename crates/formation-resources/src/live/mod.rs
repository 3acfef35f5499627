//! What callers run: the alias `live` and the published version that it leads to.
//!
//! Before the alias moves, an update only adds; the move is one call; after it nothing moves callers back.
//! So this is made last of all that is made for a function, and put back first of all that is put back.
//!
//! Versions carry no tags, and neither does an alias: both are the function's, whose tags prove whose they are. A
//! version that an operation publishes has its mark for a description: see
//! [`version_mark`].

pub(crate) mod calls;
mod compare;
mod prune;
mod restore;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, State};
use formation_aws::AwsError;
use formation_model::names::{LIVE, kept_version_mark, version_mark};
use formation_model::{
    Difference, FunctionName, FunctionSpec, OperationId, PublishedVersion, StackIdentity,
};
use jiff::Timestamp;
use tokio::time::sleep;

use self::calls::{Published, create_alias, is_stale, publish, qualified, update_alias};
use crate::Target;
use crate::error::ResourceError;
use crate::function::code::code_differences;
use crate::function::errors::{busy, is_busy, name_is_taken, redacted};
use crate::function::properties::{self, Wanted};
use crate::function::settle::{SETTLE_PAUSES, failed};
use crate::function::{Found, concurrency, described, find, unnamed};
use crate::redaction::Secrets;

pub use self::calls::{Alias, alias};
pub use self::compare::compare;
pub use self::prune::{Pruned, prune, published_by};
pub use self::restore::{Before, Restored, restore};

/// What callers are to run.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// The function as it is to be.
    pub target: Target<'a>,
    /// The operation that makes it so.
    pub operation: OperationId,
    /// A version that has been published of the target before, where one is known.
    pub kept: Option<PublishedVersion>,
    /// Whether the alias moves to that version or not at all.
    pub only_kept: bool,
    /// Whether a version will do that was published by hand meanwhile, and does not tell whose it is: see
    /// [`Moved::Unmarked`].
    pub takes_unmarked: bool,
    /// Whether the function's environment was encrypted for its role anew, which no earlier version has: see
    /// [`function::ensure`](crate::function::ensure).
    pub role_was_replaced: bool,
    /// What is known of the alias.
    pub seen: Seen<'a>,
}

/// What was known of the alias before the operation was read. So a call that moves it and comes too late, when
/// another attempt has taken the operation over and moved the alias, is refused.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// Where it leads and its RevisionId, as recorded with the function or by an earlier step: each if it is.
    Recorded(Option<PublishedVersion>, Option<&'a str>),
    /// All of it: none if there was none.
    Looked(Option<&'a Alias>),
}

/// What became of a move.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Moved {
    /// Callers run the target.
    Done {
        /// Where they are.
        live: Live,
        /// Whether the function has more than the target asks for: see [`take_away`].
        keeps_too_much: bool,
        /// Whether there was no alias.
        alias_is_new: bool,
    },
    /// The version that was to be run is gone; nothing was done.
    KeptIsGone,
    /// Lambda has published nothing, since somebody has published the same a moment ago. Callers were not moved there:
    /// whoever finds them there could not tell that the operation has done it.
    Unmarked,
    /// The alias is not as it was seen, or was not looked at: to be looked at, then the operation to be read again.
    Unseen,
}

/// Where the alias leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Live {
    /// The version.
    pub version: PublishedVersion,
    /// The alias's RevisionId, if it is known.
    pub alias_revision_id: Option<String>,
}

impl Live {
    fn of(version: PublishedVersion, alias: &Alias) -> Self {
        Self { version, alias_revision_id: alias.revision_id.clone() }
    }

    /// Where an alias that was looked at leads; none where somebody has led it to `$LATEST`.
    pub fn at(alias: &Alias) -> Option<Self> {
        alias.version.map(|version| Self::of(version, alias))
    }
}

/// Brings callers to a version of the target: publishes one where none is known that is like it, waits until
/// Lambda can invoke it, and leads the alias there. Where only a kept version will do, nothing was brought before it:
/// then the function is given its concurrency last.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the function is somebody else's, [`ResourceError::NotReady`] while Lambda is
/// still at it or the function is not as it should be published; [`ResourceError::Rejected`] if Lambda could not
/// make the version; otherwise what Lambda answered.
pub async fn ensure(
    lambda: &Client,
    stack: &StackIdentity,
    it: &Move<'_>,
) -> Result<Moved, ResourceError> {
    let function = &it.target.spec.function_name;
    let secrets = Secrets::of([it.target.spec].into_iter().chain(it.target.formerly));
    let moved = async || {
        let found = found(lambda, stack, function, it.target.since).await?;
        let moved = move_callers(lambda, stack, it, &found).await;
        let moved = moved.map_err(|error| judged(error, &found, function))?;
        Ok(match moved {
            Led::There(live, alias_is_new) => {
                let (spec, reserved) = (it.target.spec, found.reserved_concurrency);
                if it.only_kept {
                    // Callers flee, perhaps from a function that is stopped.
                    concurrency::raise(lambda, spec, reserved).await?;
                }
                let keeps_too_much = concurrency::is_lowered(spec, reserved);
                Moved::Done { live, keeps_too_much, alias_is_new }
            }
            Led::Nowhere => Moved::KeptIsGone,
            Led::ToNobodys => Moved::Unmarked,
            Led::Unseen => Moved::Unseen,
        })
    };
    moved().await.map_err(|error| redacted(error, &secrets))
}

/// Takes away what callers no longer need of the function as a whole, once they have moved: its concurrency.
///
/// # Errors
/// As for [`ensure`].
pub async fn take_away(
    lambda: &Client,
    stack: &StackIdentity,
    target: &Target<'_>,
) -> Result<(), ResourceError> {
    let found = found(lambda, stack, &target.spec.function_name, target.since).await?;
    concurrency::lower(lambda, target.spec, found.reserved_concurrency).await
}

/// Gives what callers run now a version and the alias, before `operation` changes anything: of a function that an
/// earlier release made, which published none. None where there is nothing that could be kept: no function, or
/// one that Lambda has failed to make. Doing it again does nothing. `spec` is what they run as it is recorded.
///
/// # Errors
/// As for [`ensure`].
pub async fn keep(
    lambda: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
    operation: OperationId,
    since: Timestamp,
) -> Result<Option<Kept>, ResourceError> {
    let function = &spec.function_name;
    let kept = async || {
        let Some(found) = find(lambda, stack, function, since).await? else { return Ok(None) };
        let kept = keep_found(lambda, function, operation, &found).await;
        let kept = kept.map_err(|error| judged(error, &found, function))?;
        let Some(live) = kept else { return Ok(None) };
        let is_like = match qualified(lambda, function, &live.version.to_string()).await? {
            Some(version) => version_differences(stack, spec, &version).is_empty(),
            None => false,
        };
        Ok(Some(Kept { live, is_like }))
    };
    kept().await.map_err(|error| redacted(error, &Secrets::of([spec])))
}

/// What callers ran before an operation, as a version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// Where they are.
    pub live: Live,
    /// Whether it is as it is recorded: somebody may have changed the function by hand, or a rollback has left it
    /// half restored.
    pub is_like: bool,
}

async fn keep_found(
    lambda: &Client,
    function: &FunctionName,
    operation: OperationId,
    found: &Found,
) -> Result<Option<Live>, ResourceError> {
    let led = alias(lambda, function).await?;
    if let Some(live) = led.as_ref().and_then(Live::at) {
        return Ok(Some(live));
    }
    if found.configuration.state() == Some(&State::Failed) {
        return Ok(None);
    }
    let mark = kept_version_mark(operation);
    let version = published(lambda, function, &found.configuration, &mark).await?.version;
    let made = match led.as_ref().and_then(|led| led.revision_id.as_deref()) {
        // Somebody has led it to $LATEST, which is about to change.
        Some(seen) => update_alias(lambda, function, version, &BTreeMap::new(), seen).await,
        None => create_alias(lambda, function, version).await,
    };
    match made {
        Ok(alias) => Ok(Some(Live::of(version, &alias))),
        Err(error) if is_stale(&error) => {
            let what = format!("somebody else changes the alias {LIVE} of {function}");
            Err(ResourceError::NotReady { what, source: Some(error) })
        }
        Err(error) => Err(unmoved(error, function)),
    }
}

/// Where the alias was led.
enum Led {
    /// To a version of the target; whether it is new.
    There(Live, bool),
    /// Nowhere, since the version that was kept is gone.
    Nowhere,
    /// Nowhere, since what Lambda has published does not have the operation's mark.
    ToNobodys,
    /// Nowhere, since it is not as it was seen.
    Unseen,
}

async fn move_callers(
    lambda: &Client,
    stack: &StackIdentity,
    it: &Move<'_>,
    found: &Found,
) -> Result<Led, ResourceError> {
    let Move { target, operation, kept, .. } = *it;
    let function = &target.spec.function_name;
    let like = Like { stack, target, mark: version_mark(operation), anew: renews(it) };
    let live = qualified(lambda, function, LIVE).await?;
    let live = live.map(|live| (version_of(&live), live));
    // Where callers are not where they are recorded to be somebody has led them there, and has perhaps given others a
    // share of the calls.
    let weights = match (it.seen, &live) {
        (Seen::Looked(Some(alias)), _) => !alias.weights.is_empty(),
        (Seen::Recorded(recorded, _), Some((found, _))) if recorded != *found => {
            return Ok(Led::Unseen);
        }
        _ => false,
    };
    if let Some((Some(version), live)) = &live
        && (kept.is_none() || kept == Some(*version) || !it.only_kept)
        && like.is_met_by(live)
        && !weights
    {
        let alias_revision_id = match it.seen {
            Seen::Recorded(_, recorded) => recorded.map(str::to_owned),
            Seen::Looked(alias) => alias.and_then(|alias| alias.revision_id.clone()),
        };
        return Ok(Led::There(Live { version: *version, alias_revision_id }, false));
    }
    let revision_id = match (&live, it.seen) {
        (None, _) => None,
        (Some(_), Seen::Recorded(_, Some(revision_id))) => Some(revision_id.to_owned()),
        (Some(_), Seen::Looked(Some(Alias { revision_id: Some(id), .. }))) => Some(id.clone()),
        (Some(_), _) => return Ok(Led::Unseen),
    };
    let kept = match kept {
        Some(version) => {
            let found = qualified(lambda, function, &version.to_string()).await?;
            // One that is idle fails its first callers, and Lambda may lead no alias there.
            let is_idle = |found: &FunctionConfiguration| found.state() == Some(&State::Inactive);
            found
                .filter(|found| like.is_met_by(found) && !is_idle(found))
                .map(|found| (version, is_active(&found)))
        }
        None => None,
    };
    let version = match kept {
        Some((version, true)) => version,
        Some((version, false)) => active(lambda, function, version).await?,
        None if it.only_kept => return Ok(Led::Nowhere),
        None => {
            like.is_what_is_published(found)?;
            let made = published(lambda, function, &found.configuration, &like.mark).await?;
            if !made.has_mark && !it.takes_unmarked {
                return Ok(Led::ToNobodys);
            }
            made.version
        }
    };
    let Some(revision_id) = revision_id else {
        let created = create_alias(lambda, function, version).await;
        let created = created.map_err(|error| unmoved(error, function))?;
        return Ok(Led::There(Live::of(version, &created), true));
    };
    match update_alias(lambda, function, version, &BTreeMap::new(), &revision_id).await {
        Ok(alias) => Ok(Led::There(Live::of(version, &alias), false)),
        Err(error) if is_stale(&error) => Ok(Led::Unseen),
        Err(error) => Err(unmoved(error, function)),
    }
}

/// Whether only a version that this operation has published will do. Without an environment there is nothing
/// that was encrypted anew.
fn renews(it: &Move<'_>) -> bool {
    it.role_was_replaced && !it.target.spec.configuration.environment.0.is_empty()
}

/// What a version must be like to be what callers are to run.
struct Like<'a> {
    stack: &'a StackIdentity,
    target: Target<'a>,
    mark: String,
    /// Whether it must be of this operation.
    anew: bool,
}

impl Like<'_> {
    fn is_met_by(&self, found: &FunctionConfiguration) -> bool {
        let Target { spec, resets_unnamed, .. } = self.target;
        let is_failed = found.state() == Some(&State::Failed);
        let has_mark = found.description() == Some(&self.mark);
        let unnamed = || unnamed::differences(found).iter().any(Difference::is_repairable);
        !is_failed
            && (!self.anew || has_mark)
            && version_differences(self.stack, spec, found).is_empty()
            && !(resets_unnamed && unnamed())
    }

    /// That `$LATEST` is what is to be published: somebody may have changed it since it was made so.
    fn is_what_is_published(&self, latest: &Found) -> Result<(), ResourceError> {
        let found = &latest.configuration;
        let wanted = Wanted { stack: self.stack, spec: self.target.spec };
        let mut differs = properties::differences(&wanted, found);
        differs.extend(code_differences(found, self.target.spec));
        if self.target.resets_unnamed {
            let unnamed = unnamed::differences(found);
            differs.extend(unnamed.into_iter().filter(Difference::is_repairable));
        }
        let is_settled =
            found.last_update_status().is_none_or(|it| *it == LastUpdateStatus::Successful);
        if differs.is_empty() && is_settled {
            return Ok(());
        }
        let names: Vec<_> = differs.iter().map(|it| it.property.as_str()).collect();
        let what = format!(
            "{} is not, or not any more, as it is to be published: {}",
            described(&self.target.spec.function_name),
            if names.is_empty() { "an update is in progress".to_owned() } else { names.join(", ") }
        );
        Err(ResourceError::not_ready(what))
    }
}

/// How a version differs from what it is to be; it has a description of its own.
fn version_differences(
    stack: &StackIdentity,
    spec: &FunctionSpec,
    found: &FunctionConfiguration,
) -> Vec<Difference> {
    let mut differences = properties::differences(&Wanted { stack, spec }, found);
    differences.retain(|it| it.property != "description");
    differences.extend(code_differences(found, spec));
    differences
}

/// Publishes `$LATEST` as it was seen, and waits until Lambda can invoke that.
async fn published(
    lambda: &Client,
    function: &FunctionName,
    seen: &FunctionConfiguration,
    mark: &str,
) -> Result<Published, ResourceError> {
    match publish(lambda, function, seen, mark).await {
        Ok(made) if made.is_active => Ok(made),
        Ok(made) => active(lambda, function, made.version).await.map(|_| made),
        Err(error) if is_busy(&error) => Err(busy(error)),
        Err(error) if is_stale(&error) || has_other_code(&error) => Err(ResourceError::NotReady {
            what: format!("{} was changed while it was to be published", described(function)),
            source: Some(error),
        }),
        Err(error) if error.has_code("CodeStorageExceededException") => {
            let advice =
                "every version counts: the stack's parameter RevisionsKept says how many are kept";
            let message = format!("{} ({advice})", error.message);
            Err(AwsError { message, ..error }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Waits until Lambda can invoke a version: no alias can lead there before.
async fn active(
    lambda: &Client,
    function: &FunctionName,
    version: PublishedVersion,
) -> Result<PublishedVersion, ResourceError> {
    let mut pauses = SETTLE_PAUSES.iter();
    loop {
        let found = qualified(lambda, function, &version.to_string()).await?;
        if let Some(found) = &found {
            if is_active(found) {
                return Ok(version);
            }
            if found.state() == Some(&State::Failed) {
                return Err(failed(found.state_reason(), "could not be published"));
            }
        }
        let Some(pause) = pauses.next() else {
            let what = format!("version {version} of {} is not active yet", described(function));
            return Err(ResourceError::not_ready(what));
        };
        sleep(*pause).await;
    }
}

/// A version that nobody has invoked for long is idle, and wakes up.
fn is_active(found: &FunctionConfiguration) -> bool {
    matches!(found.state(), Some(State::Active | State::Inactive))
}

fn version_of(found: &FunctionConfiguration) -> Option<PublishedVersion> {
    found.version().and_then(|it| it.parse().ok())
}

/// The function, which is there and ours.
async fn found(
    lambda: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
    since: Timestamp,
) -> Result<Found, ResourceError> {
    let found = find(lambda, stack, function, since).await?;
    found.ok_or_else(|| {
        ResourceError::not_ready(format!("Lambda does not show {}", described(function)))
    })
}

/// What an error means of a call about the alias or version of a function that was found.
fn judged(error: ResourceError, found: &Found, function: &FunctionName) -> ResourceError {
    match error {
        ResourceError::Aws(error) => found.age.judge(error, described(function)),
        error => error,
    }
}

/// Why the alias was not led to a version. Each of these ends by itself: the version is not Active yet for
/// all of Lambda, or another try of this step has made or removed the alias.
fn unmoved(error: AwsError, function: &FunctionName) -> ResourceError {
    let is_absent = error.has_code("ResourceNotFoundException");
    if is_busy(&error) || name_is_taken(&error) || is_absent {
        let what = format!("Lambda does not lead the alias {LIVE} of {function} there yet");
        return ResourceError::NotReady { what, source: Some(error) };
    }
    error.into()
}

/// Lambda tells of a digest that is not the code's by its general code for wrong parameters.
fn has_other_code(error: &AwsError) -> bool {
    error.has_code("InvalidParameterValueException") && error.message.to_lowercase().contains("sha")
}

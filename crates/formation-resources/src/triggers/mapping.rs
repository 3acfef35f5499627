//! Event source mappings: the queues and streams that Lambda reads in the name of the function's role. Tags prove
//! them ours; of a source the alias has one.

use std::collections::BTreeMap;
use std::time::Duration;

use formation_model::triggers::{EventSource, StartingPosition};
use formation_model::{FunctionSpec, TriggerKey, TriggerKind};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::mapping_calls::{self as calls, Mapping};
use super::{Scope, Work, each, once_allowed, told, unless_busy, unless_foreign};
use crate::Target;
use crate::error::{ResourceError, may_be_gone};
use crate::function::errors::name_is_taken;
use crate::ownership::Age;
use crate::tags::{self, Keys};

/// Pauses between looks at a mapping that is being deleted; who needs longer waits in the state machine.
const GONE_PAUSES: [Duration; 5] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
];

/// Makes and changes mappings; what is new does not read before callers have moved.
pub(super) async fn ensure(
    scope: &Scope<'_>,
    target: &Target<'_>,
    work: &Work,
) -> Result<(), ResourceError> {
    let wanted: Vec<_> = each!(work.ensured, EventSource).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let sources: Vec<_> = wanted.iter().map(|(_, it)| it.arn.clone()).collect();
    let found = calls::all(scope, &sources).await?;
    for (key, wanted) in &wanted {
        let found = found.iter().find(|it| is_of(it, &wanted.arn));
        let ensured = ensure_one(scope, target, key, wanted, found).await;
        // What somebody has taken from us the operation has not changed.
        let ensured = if scope.restores { unless_foreign(ensured) } else { ensured };
        ensured.map_err(scope.about(key))?;
    }
    Ok(())
}

/// Takes away what is not wanted any more, where it `searches` whatever of ours there is beyond what is wanted, and
/// puts a stream that is to be read from elsewhere in its own place. What is gone is waited for: it reads in the name of
/// the function's role, which may be narrowed next.
pub(super) async fn take_away(
    scope: &Scope<'_>,
    target: &Target<'_>,
    work: &Work,
    searches: bool,
) -> Result<(), ResourceError> {
    let goes: Vec<_> = each!(work.removed, EventSource).map(|(_, it)| it.arn.clone()).collect();
    let streams: Vec<_> = each!(work.ensured, EventSource)
        .filter(|(_, it)| it.starting_position.is_some())
        .map(|(key, it)| (key, it.clone()))
        .collect();
    if goes.is_empty() && !work.replaces && !searches {
        return Ok(());
    }
    let sources: Vec<_> =
        goes.iter().cloned().chain(streams.iter().map(|(_, it)| it.arn.clone())).collect();
    let found = calls::all(scope, &sources).await?;
    let kept = target.spec.triggers();
    let mut going = Vec::new();
    for mapping in &found {
        let source = mapping.source();
        let is_kept = each!(kept, EventSource).any(|(_, it)| it.arn == source);
        if is_kept || !(searches || goes.iter().any(|it| it == source)) {
            continue;
        }
        let key = TriggerKey::new(TriggerKind::EventSource, source);
        let deleted = if goes.iter().any(|it| it == source) {
            delete_if_ours(scope, mapping, !scope.restores).await
        } else {
            delete_found(scope, mapping).await
        };
        if deleted.map_err(scope.about(&key))? {
            going.push((key, mapping));
        }
    }
    for (key, mapping) in going {
        gone(scope, &mapping.uuid).await.map_err(scope.about(&key))?;
    }
    for (key, wanted) in &streams {
        let Some(mapping) = found.iter().find(|it| is_of(it, &wanted.arn)) else { continue };
        if shown(mapping, wanted).starting_position == wanted.starting_position {
            continue;
        }
        let replaced = async || {
            if delete_if_ours(scope, mapping, true).await? {
                gone(scope, &mapping.uuid).await?;
            }
            create(scope, target.spec, key, wanted, wanted.enabled).await
        };
        replaced().await.map_err(scope.about(key))?;
    }
    Ok(())
}

/// Asks for a mapping to be deleted if it is ours, and tells whether it was. What others have made stays, whatever it
/// reads; where it `was_ours` that is an error.
pub(super) async fn delete_if_ours(
    scope: &Scope<'_>,
    mapping: &Mapping,
    was_ours: bool,
) -> Result<bool, ResourceError> {
    let key = TriggerKey::new(TriggerKind::EventSource, mapping.source());
    match owner(scope, mapping).await? {
        Owned::Ours(_) => delete(scope, mapping).await.map(|()| true),
        Owned::Others if was_ours => Err(not_owned(&key, mapping)),
        Owned::Others | Owned::Gone => Ok(false),
    }
}

/// The same of one that was found and reads a source that nobody is known to have asked for: what its tags tell now they
/// have told for long.
pub(super) async fn delete_found(
    scope: &Scope<'_>,
    mapping: &Mapping,
) -> Result<bool, ResourceError> {
    let tags = calls::tags(scope, &mapping.arn).await?.unwrap_or_default();
    if !scope.settings.stack.owns(scope.function, &tags) {
        return Ok(false);
    }
    delete(scope, mapping).await.map(|()| true)
}

fn is_of(it: &Mapping, source: &str) -> bool {
    it.source() == source
}

async fn ensure_one(
    scope: &Scope<'_>,
    target: &Target<'_>,
    key: &TriggerKey,
    wanted: &EventSource,
    found: Option<&Mapping>,
) -> Result<(), ResourceError> {
    let Some(mapping) = found else {
        let enabled = wanted.enabled && !scope.only_adds;
        return create(scope, target.spec, key, wanted, enabled).await;
    };
    if mapping.state == "Deleting" {
        gone(scope, &mapping.uuid).await?;
        return create(scope, target.spec, key, wanted, wanted.enabled && !scope.only_adds).await;
    }
    let current = match owner(scope, mapping).await? {
        Owned::Ours(tags) => tags,
        Owned::Others => return Err(not_owned(key, mapping)),
        Owned::Gone => return Err(ResourceError::not_ready("it is being deleted")),
    };
    let mapping = &settled(scope, mapping).await?;
    let was = shown(mapping, wanted);
    if was.starting_position != wanted.starting_position {
        // Only another mapping begins elsewhere, and of a source there is one: it takes this one's place last.
        return Ok(());
    }
    let mut becomes = wanted.clone();
    if scope.only_adds {
        // What callers run still is given what it was given, and is listened to as it was.
        let told = wanted.on_failure_arn.clone().or(was.on_failure_arn.clone());
        becomes = EventSource { on_failure_arn: told, ..was.clone() };
    }
    let is_plain = calls::is_plain(mapping) || scope.only_adds;
    if was != becomes || !is_plain {
        once_allowed(async || calls::update(scope, &mapping.uuid, &becomes).await).await?;
    }
    let stack = &scope.settings.stack;
    let changes = tags::changes(&current, Keys::Exact, stack, target.spec, target.formerly);
    if !changes.remove.is_empty() {
        calls::untag(scope, &mapping.arn, changes.remove).await.map_err(unless_busy)?;
    }
    if !changes.set.is_empty() {
        calls::tag(scope, &mapping.arn, changes.set).await.map_err(unless_busy)?;
    }
    Ok(())
}

async fn create(
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    key: &TriggerKey,
    wanted: &EventSource,
    enabled: bool,
) -> Result<(), ResourceError> {
    let tags = scope.settings.stack.tags(scope.function, &spec.tags);
    let create = async || {
        let tags = tags.clone().into_iter().collect();
        calls::create(scope, wanted, enabled, tags).await
    };
    match once_allowed(create).await {
        // One that was not listed yet: that of another try of this step, or somebody else's.
        Err(ResourceError::Aws(error)) if name_is_taken(&error) => {
            let sources = [wanted.arn.clone()];
            let found = calls::all(scope, &sources).await?;
            match found.iter().find(|it| is_of(it, &wanted.arn)) {
                Some(it) if matches!(owner(scope, it).await?, Owned::Others) => {
                    Err(not_owned(key, it))
                }
                // Ours: the next try of this step sees to what differs.
                _ => Err(ResourceError::NotReady {
                    what: "Lambda has a mapping of it already".to_owned(),
                    source: Some(error),
                }),
            }
        }
        other => other,
    }
}

/// Whose a mapping is.
pub(super) enum Owned {
    /// Ours; its tags.
    Ours(BTreeMap<String, String>),
    /// Somebody else's.
    Others,
    /// Nobody's any more.
    Gone,
}

/// Whose a mapping is. It tells when it was last changed, by anybody.
///
/// # Errors
/// [`ResourceError::NotReady`] while Lambda may not show its tags; otherwise what Lambda answered.
pub(super) async fn owner(scope: &Scope<'_>, it: &Mapping) -> Result<Owned, ResourceError> {
    let Some(tags) = calls::tags(scope, &it.arn).await? else { return Ok(Owned::Gone) };
    let stack = &scope.settings.stack;
    let changed = it.configuration.last_modified();
    let changed = changed.and_then(|it| Timestamp::from_second(it.secs()).ok());
    let age = Age::of(changed, scope.since);
    match age.prove(stack, scope.function, &tags, format!("the mapping {}", it.uuid)) {
        Ok(()) => Ok(Owned::Ours(tags)),
        Err(ResourceError::NotOwned { .. }) => Ok(Owned::Others),
        Err(error) => Err(error),
    }
}

fn not_owned(key: &TriggerKey, it: &Mapping) -> ResourceError {
    ResourceError::NotOwned { what: format!("a mapping of {}, {},", told(key), it.uuid) }
}

/// Asks for a mapping to be deleted, unless it is being already.
pub(super) async fn delete(scope: &Scope<'_>, it: &Mapping) -> Result<(), ResourceError> {
    if it.state == "Deleting" {
        return Ok(());
    }
    match calls::delete(scope, &it.uuid).await {
        // Of a mapping that is gone, IAM knows no tag that would allow the call.
        Err(error) if may_be_gone(&error) && calls::get(scope, &it.uuid).await?.is_none() => Ok(()),
        deleted => deleted.map_err(unless_busy),
    }
}

/// Waits until Lambda does not know a mapping any more: it may read and invoke until then.
pub(super) async fn gone(scope: &Scope<'_>, uuid: &str) -> Result<(), ResourceError> {
    let mut pauses = GONE_PAUSES.iter();
    while calls::get(scope, uuid).await?.is_some() {
        let Some(pause) = pauses.next() else {
            return Err(ResourceError::not_ready("Lambda is still deleting its mapping"));
        };
        sleep(*pause).await;
    }
    Ok(())
}

/// The mapping once Lambda has made it or changed it: before that it does not tell whether it will read.
async fn settled(scope: &Scope<'_>, mapping: &Mapping) -> Result<Mapping, ResourceError> {
    let mut mapping = mapping.clone();
    let mut pauses = GONE_PAUSES.iter();
    while ["Creating", "Updating"].contains(&mapping.state.as_str()) {
        let Some(pause) = pauses.next() else {
            return Err(ResourceError::not_ready("Lambda is still at an earlier change of it"));
        };
        sleep(*pause).await;
        let found = calls::get(scope, &mapping.uuid).await?;
        mapping = found.ok_or_else(|| ResourceError::not_ready("it is being deleted"))?;
    }
    Ok(mapping)
}

/// What AWS has, in the model's terms. What is being made or changed does not tell whether it will read: as `wanted`.
pub(super) fn shown(mapping: &Mapping, wanted: &EventSource) -> EventSource {
    let it = &mapping.configuration;
    let number = |it: Option<i32>| it.and_then(|it| u32::try_from(it).ok());
    let filters = it.filter_criteria().map(|it| it.filters()).unwrap_or_default();
    let patterns = filters.iter().filter_map(|it| it.pattern());
    let patterns: Vec<Map<String, Value>> =
        patterns.map(|it| serde_json::from_str(it).unwrap_or_default()).collect();
    let failed = it.destination_config().and_then(|it| it.on_failure());
    let failed = failed.and_then(|it| it.destination()).filter(|it| !it.is_empty());
    let position = it.starting_position().map(|it| match it.as_str() {
        "TRIM_HORIZON" => StartingPosition::TrimHorizon,
        _ => StartingPosition::Latest,
    });
    let enabled = match mapping.state.as_str() {
        "Disabled" | "Disabling" => false,
        "Enabled" | "Enabling" => true,
        _ => wanted.enabled,
    };
    EventSource {
        arn: wanted.arn.clone(),
        batch_size: number(it.batch_size()).unwrap_or_default(),
        maximum_batching_window_seconds: number(it.maximum_batching_window_in_seconds())
            .unwrap_or_default(),
        filter_patterns: patterns,
        maximum_concurrency: number(it.scaling_config().and_then(|it| it.maximum_concurrency())),
        starting_position: position,
        report_batch_item_failures: !it.function_response_types().is_empty(),
        on_failure_arn: failed.map(str::to_owned),
        enabled,
    }
}

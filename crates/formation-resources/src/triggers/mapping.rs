//! Event source mappings: the queues and streams that Lambda reads in the name of the function's role. Tags prove
//! them ours; of a source the alias has one.

use std::collections::BTreeMap;
use std::time::Duration;

use formation_aws::AwsError;
use formation_model::triggers::{EventSource, StartingPosition};
use formation_model::{FunctionSpec, TriggerKey, TriggerKind};
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::mapping_calls::{self as calls, Mapping};
use super::{Scope, Work, about, each, told, unless_busy};
use crate::Target;
use crate::error::{ResourceError, may_be_gone};
use crate::function::errors::{is_busy, name_is_taken, says_one_of};
use crate::function::settle::ROLE_PAUSES;
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

/// Makes and changes mappings, and takes away what is not wanted any more; before callers have moved only what is
/// added or changed, and what is new does not read yet. `searches` asks for what nobody knows of.
pub(super) async fn ensure(
    scope: &Scope<'_>,
    target: &Target<'_>,
    work: &Work,
    searches: bool,
) -> Result<(), ResourceError> {
    let wanted: Vec<_> = each!(work.ensured, EventSource).collect();
    let goes: Vec<_> = each!(work.removed, EventSource).map(|(_, it)| it.arn.clone()).collect();
    let concerns = !wanted.is_empty() || (!scope.only_adds && !goes.is_empty());
    if !concerns && !searches {
        return Ok(());
    }
    let sources: Vec<_> = wanted.iter().map(|(_, it)| it.arn.clone()).chain(goes).collect();
    let found = calls::all(scope, &sources).await?;
    for (key, wanted) in &wanted {
        let found = found.iter().find(|it| is_of(it, &wanted.arn));
        ensure_one(scope, target, key, wanted, found).await.map_err(about(key))?;
    }
    if scope.only_adds {
        return Ok(());
    }
    let kept = target.spec.triggers();
    for mapping in &found {
        let source = mapping.configuration.event_source_arn().unwrap_or_default();
        let is_kept = each!(kept, EventSource).any(|(_, it)| it.arn == source);
        let is_known = sources.iter().any(|it| it == source);
        if is_kept || !(searches || is_known) {
            continue;
        }
        // What others have made stays, whatever it reads.
        if let Owned::Ours(_) = owner_if(scope, mapping, is_known).await? {
            let key = TriggerKey::new(TriggerKind::EventSource, source);
            delete(scope, mapping).await.map_err(about(&key))?;
        }
    }
    Ok(())
}

fn is_of(it: &Mapping, source: &str) -> bool {
    it.configuration.event_source_arn() == Some(source)
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
    let was = shown(mapping, wanted);
    if was.starting_position != wanted.starting_position {
        // Only another mapping begins elsewhere, and of a source there is one: it takes this one's place once callers
        // have moved.
        if scope.only_adds {
            return Ok(());
        }
        delete(scope, mapping).await?;
        gone(scope, &mapping.uuid).await?;
        return create(scope, target.spec, key, wanted, wanted.enabled).await;
    }
    let enabled = if scope.only_adds { was.enabled } else { wanted.enabled };
    let becomes = EventSource { enabled, ..wanted.clone() };
    if was != becomes {
        let update = async || calls::update(scope, &mapping.uuid, wanted, enabled).await;
        once_allowed(update).await?;
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

/// Repeats a call while the role may not do yet what it was just allowed, or another change is under way. A role
/// that is never allowed gives the same refusal, so the patience has an end, here and in the state machine.
async fn once_allowed(call: impl AsyncFn() -> Result<(), AwsError>) -> Result<(), ResourceError> {
    let mut pauses = ROLE_PAUSES.iter();
    loop {
        let (error, what) = match call().await {
            Ok(()) => return Ok(()),
            Err(error) if role_may_not(&error) => {
                (error, "the function's role may not read it yet")
            }
            Err(error) if error.has_code("ResourceInUseException") => {
                (error, "Lambda is still at an earlier change of it")
            }
            Err(error) if is_busy(&error) => return Err(unless_busy(error)),
            Err(error) => return Err(error.into()),
        };
        let Some(pause) = pauses.next() else {
            return Err(ResourceError::NotReady { what: what.to_owned(), source: Some(error) });
        };
        sleep(*pause).await;
    }
}

/// Lambda looks whether the role may read a source. It has no code of its own for that.
/// Texts: <https://github.com/hashicorp/terraform-provider-aws/issues/38057>, and of streams those of
/// `internal/service/lambda/event_source_mapping.go` there.
fn role_may_not(error: &AwsError) -> bool {
    const TEXTS: [&str; 4] = [
        "execution role does not have permissions",
        "ensure the role can perform",
        "not authorized to perform",
        "cannot be assumed by lambda",
    ];
    error.has_code("InvalidParameterValueException") && says_one_of(error, &TEXTS)
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

/// Whose a mapping is.
///
/// # Errors
/// [`ResourceError::NotReady`] while Lambda may not show its tags; otherwise what Lambda answered.
pub(super) async fn owner(scope: &Scope<'_>, it: &Mapping) -> Result<Owned, ResourceError> {
    owner_if(scope, it, true).await
}

/// The same; what reads a source that no operation is known to have asked for (`is_known`) is nobody's but its tags'.
pub(super) async fn owner_if(
    scope: &Scope<'_>,
    it: &Mapping,
    is_known: bool,
) -> Result<Owned, ResourceError> {
    let Some(tags) = calls::tags(scope, &it.arn).await? else { return Ok(Owned::Gone) };
    let stack = &scope.settings.stack;
    let age = if is_known { scope.age() } else { Age::Settled };
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
        Err(error) if may_be_gone(&error) && calls::state(scope, &it.uuid).await?.is_none() => {
            Ok(())
        }
        deleted => deleted.map_err(unless_busy),
    }
}

/// Waits until Lambda does not know a mapping any more: it may read and invoke until then.
pub(super) async fn gone(scope: &Scope<'_>, uuid: &str) -> Result<(), ResourceError> {
    let mut pauses = GONE_PAUSES.iter();
    while calls::state(scope, uuid).await?.is_some() {
        let Some(pause) = pauses.next() else {
            return Err(ResourceError::not_ready("Lambda is still deleting its mapping"));
        };
        sleep(*pause).await;
    }
    Ok(())
}

/// What AWS has, in the model's terms.
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
        // It is being made or changed, and does not tell what it will be.
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

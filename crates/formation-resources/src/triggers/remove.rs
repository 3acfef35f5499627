//! Taking away what calls a function, before the function itself.

use std::collections::BTreeSet;

use formation_model::triggers::LeftTrigger;
use formation_model::{FunctionSpec, StackIdentity, Trigger, TriggerKey, TriggerKind};

use super::rule_calls::At;
use super::{
    Clients, Scope, TriggerSettings, each, mapping, mapping_calls, rule, schedule, unless_busy, url,
};
use crate::error::ResourceError;
use crate::function::errors::redacted;
use crate::function::find;
use crate::ownership::Age;
use crate::redaction::Secrets;
use crate::{Foreign, Removal};

/// Takes away everything of ours that calls a function: what `specs` know of and what is `left` of it, and what else is
/// found. Mappings are waited for until Lambda knows them no more. What goes with the function anyway (statements of its
/// policy, what becomes of asynchronous calls) is left to that. What others have made stays.
///
/// # Errors
/// [`ResourceError::NotOwned`] if a rule under one of our names or a mapping of one of the sources is somebody else's and
/// [`Foreign::IsAnError`], [`ResourceError::NotReady`] while Lambda is still deleting a mapping; otherwise what AWS
/// answered. That something is gone is not an error.
pub async fn remove(
    clients: &Clients,
    stack: &StackIdentity,
    removal: &Removal<'_>,
    specs: &[&FunctionSpec],
    left: &[LeftTrigger],
) -> Result<(), ResourceError> {
    let Removal { function, since, .. } = *removal;
    // Nothing is made, so nobody acts in the name of the role.
    let settings = TriggerSettings { stack: stack.clone(), scheduler_role_arn: String::new() };
    let known: Vec<Trigger> = specs.iter().flat_map(|spec| spec.triggers()).collect();
    // Of a function that never was complete, the operation has made what there is.
    let recorded = if removal.foreign == Foreign::IsAnError { &known[..] } else { &[] };
    let scope = Scope {
        clients,
        settings: &settings,
        function,
        since,
        only_adds: false,
        restores: false,
        compares: false,
        recorded,
        left,
        function_age: Age::Settled,
    };
    let secrets = Secrets::of(specs.iter().copied());
    let removed = remove_all(&scope, removal, &known).await;
    removed.map_err(|error| redacted(error, &secrets))
}

async fn remove_all(
    scope: &Scope<'_>,
    removal: &Removal<'_>,
    known: &[Trigger],
) -> Result<(), ResourceError> {
    remove_mappings(scope, removal, known).await?;
    let names = each!(known, Schedule).map(|(key, _)| scope.name_of(&key));
    let names: BTreeSet<_> = names.chain(schedule::all(scope).await?).collect();
    for name in &names {
        schedule::delete(scope, name).await?;
    }
    remove_rules(scope, removal, known).await?;
    // The address before the alias: afterwards nobody could tell whose it is.
    let key = TriggerKey::new(TriggerKind::FunctionUrl, "");
    let has_address = each!(known, FunctionUrl).next().is_some() || scope.is_known(&key);
    let stack = &scope.settings.stack;
    match find(&scope.clients.lambda, stack, scope.function, scope.since).await {
        Ok(Some(found)) if has_address => {
            let scope = Scope { function_age: found.age, ..*scope };
            url::delete(&scope).await.map_err(unless_busy).map_err(scope.about(&key))
        }
        // Removing the function tells of one that is not ours.
        Ok(_) | Err(ResourceError::NotOwned { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn remove_mappings(
    scope: &Scope<'_>,
    removal: &Removal<'_>,
    known: &[Trigger],
) -> Result<(), ResourceError> {
    let known: BTreeSet<_> = each!(known, EventSource).map(|(_, it)| it.arn.clone()).collect();
    let left = scope.left.iter().filter(|left| left.key.kind == TriggerKind::EventSource);
    let sources: Vec<_> =
        known.iter().cloned().chain(left.map(|left| left.key.name.clone())).collect();
    let mut found = mapping_calls::all(scope, &sources).await?;
    if found.is_empty() {
        // Whoever has deleted the function by hand has left them.
        found = mapping_calls::of_sources(scope, &sources).await?;
    }
    let mut going = Vec::new();
    for mapping in found {
        let source = mapping.source();
        let key = TriggerKey::new(TriggerKind::EventSource, source);
        let deleted = if known.contains(source) {
            let was_ours = removal.foreign == Foreign::IsAnError;
            mapping::delete_if_ours(scope, &mapping, was_ours).await
        } else {
            mapping::delete_found(scope, &mapping).await
        };
        if deleted.map_err(scope.about(&key))? {
            going.push((key, mapping));
        }
    }
    for (key, mapping) in going {
        mapping::gone(scope, &mapping.uuid).await.map_err(scope.about(&key))?;
    }
    Ok(())
}

async fn remove_rules(
    scope: &Scope<'_>,
    removal: &Removal<'_>,
    known: &[Trigger],
) -> Result<(), ResourceError> {
    let rules: Vec<_> = each!(known, EventRule)
        .map(|(key, it)| (it.event_bus_name.clone(), scope.name_of(&key), key))
        .collect();
    for (bus, name, key) in &rules {
        match rule::delete(scope, key, At { bus, name }).await {
            Err(ResourceError::NotOwned { .. }) if removal.foreign == Foreign::IsLeft => {}
            deleted => deleted?,
        }
    }
    let is_known = |bus: &str, name: &str| rules.iter().any(|it| it.0 == bus && it.1 == name);
    for (bus, name) in rule::search(scope, rules.iter().map(|it| it.0.clone())).await? {
        if !is_known(&bus, &name) {
            rule::delete_found(scope, At { bus: &bus, name: &name }).await?;
        }
    }
    Ok(())
}

//! Taking away what calls a function, before the function itself.

use std::collections::BTreeSet;

use formation_model::{FunctionSpec, StackIdentity, Trigger, TriggerKey, TriggerKind};

use super::rule_calls::{self, At};
use super::{
    Clients, Scope, TriggerSettings, about, each, mapping, mapping_calls, rule, schedule,
    unless_busy, url,
};
use crate::error::ResourceError;
use crate::function::errors::redacted;
use crate::function::find;
use crate::redaction::Secrets;
use crate::{Foreign, Removal};

/// The bus that is looked at whatever is known.
const DEFAULT_BUS: &str = "default";

/// Takes away everything of ours that calls a function: what `specs` know of, and what else is found. Mappings are
/// waited for until Lambda knows them no more. What goes with the function anyway (statements of its policy, what becomes
/// of asynchronous calls) is left to that. What others have made stays.
///
/// # Errors
/// [`ResourceError::NotOwned`] if a rule under one of our names is somebody else's and [`Foreign::IsAnError`],
/// [`ResourceError::NotReady`] while Lambda is still deleting a mapping; otherwise what AWS answered. That something is
/// gone is not an error.
pub async fn remove(
    clients: &Clients,
    stack: &StackIdentity,
    removal: &Removal<'_>,
    specs: &[&FunctionSpec],
) -> Result<(), ResourceError> {
    let Removal { function, since, .. } = *removal;
    // Nothing is made, so nobody acts in the name of the role.
    let settings = TriggerSettings { stack: stack.clone(), scheduler_role_arn: String::new() };
    let scope = Scope { clients, settings: &settings, function, since, only_adds: false };
    let known: Vec<Trigger> = specs.iter().flat_map(|spec| spec.triggers()).collect();
    let secrets = Secrets::of(specs.iter().copied());
    let removed = remove_all(&scope, removal, &known).await;
    removed.map_err(|error| redacted(error, &secrets))
}

async fn remove_all(
    scope: &Scope<'_>,
    removal: &Removal<'_>,
    known: &[Trigger],
) -> Result<(), ResourceError> {
    remove_mappings(scope, known).await?;
    let names = each!(known, Schedule).map(|(key, _)| scope.name_of(&key));
    let names: BTreeSet<_> = names.chain(schedule::all(scope).await?).collect();
    for name in &names {
        schedule::delete(scope, name).await?;
    }
    remove_rules(scope, removal, known).await?;
    // The address before the alias: afterwards nobody could tell whose it is.
    let stack = &scope.settings.stack;
    match find(&scope.clients.lambda, stack, scope.function, scope.since).await {
        Ok(Some(found)) if each!(known, FunctionUrl).next().is_some() => {
            let key = TriggerKey::new(TriggerKind::FunctionUrl, "");
            let deleted = url::delete(scope).await;
            deleted
                .map_err(|error| match unless_busy(error) {
                    ResourceError::Aws(error) => found.age.judge(error, "the function's address"),
                    error => error,
                })
                .map_err(about(&key))
        }
        // Removing the function tells of one that is not ours.
        Ok(_) | Err(ResourceError::NotOwned { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn remove_mappings(scope: &Scope<'_>, known: &[Trigger]) -> Result<(), ResourceError> {
    let sources: Vec<_> = each!(known, EventSource).map(|(_, it)| it.arn.clone()).collect();
    let mut going = Vec::new();
    for mapping in mapping_calls::all(scope, &sources).await? {
        let source = mapping.configuration.event_source_arn().unwrap_or_default();
        let is_known = sources.iter().any(|it| it == source);
        if let mapping::Owned::Ours(_) = mapping::owner_if(scope, &mapping, is_known).await? {
            let key = TriggerKey::new(TriggerKind::EventSource, source);
            mapping::delete(scope, &mapping).await.map_err(about(&key))?;
            going.push((key, mapping));
        }
    }
    for (key, mapping) in going {
        mapping::gone(scope, &mapping.uuid).await.map_err(about(&key))?;
    }
    Ok(())
}

async fn remove_rules(
    scope: &Scope<'_>,
    removal: &Removal<'_>,
    known: &[Trigger],
) -> Result<(), ResourceError> {
    let mut rules: BTreeSet<(String, TriggerKey, String)> = each!(known, EventRule)
        .map(|(key, it)| (it.event_bus_name.clone(), key.clone(), scope.name_of(&key)))
        .collect();
    let buses = rules.iter().map(|(bus, ..)| bus.clone()).chain([DEFAULT_BUS.to_owned()]);
    let buses: BTreeSet<_> = buses.collect();
    let prefix = scope.settings.stack.prefix();
    for bus in buses {
        for name in rule_calls::names(scope, &bus).await? {
            let is_known = rules.iter().any(|(on, _, known)| *on == bus && *known == name);
            if name.starts_with(&prefix) && !is_known {
                rules.insert((bus.clone(), TriggerKey::new(TriggerKind::EventRule, &name), name));
            }
        }
    }
    for (bus, key, name) in &rules {
        match rule::delete(scope, key, At { bus, name }).await {
            Err(ResourceError::NotOwned { .. }) if removal.foreign == Foreign::IsLeft => {}
            deleted => deleted?,
        }
    }
    Ok(())
}

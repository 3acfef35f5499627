//! What calls a function, compared with what is recorded.

use formation_model::{Difference, FunctionSpec, Trigger, TriggerKey};
use serde_json::{Value, json};

use super::{
    Clients, Scope, TriggerSettings, asynchronous, mapping, mapping_calls, other, rule, schedule,
    statement, url,
};
use crate::error::ResourceError;
use crate::ownership::{Age, a_moment_ago};

/// Compares what calls a function, which is proved ours, with `spec`, trigger by trigger. Nothing is asked of AWS where
/// there is none, and nothing is told of what others have made. `function_url` is the recorded address.
///
/// # Errors
/// [`ResourceError::NotReady`] while AWS may not show the tags of what was just made; otherwise what AWS answered.
pub async fn compare(
    clients: &Clients,
    settings: &TriggerSettings,
    spec: &FunctionSpec,
    function_url: Option<&str>,
) -> Result<Vec<Difference>, ResourceError> {
    let triggers = spec.triggers();
    if triggers.is_empty() {
        return Ok(Vec::new());
    }
    let function = &spec.function_name;
    let scope = Scope {
        clients,
        settings,
        function,
        since: a_moment_ago(),
        only_adds: false,
        restores: false,
        compares: true,
        recorded: &triggers,
        left: &[],
        function_age: Age::Settled,
    };
    let needs = |it: &Trigger| !statement::needed_by(&scope, it).is_empty();
    let statements = match triggers.iter().any(needs) {
        true => statement::all(&scope).await?,
        false => Default::default(),
    };
    let reads = |it: &Trigger| matches!(it, Trigger::EventSource(_));
    let sources: Vec<_> = triggers.iter().filter(|it| reads(it)).map(|it| it.key().name).collect();
    let mappings = match sources.is_empty() {
        true => Vec::new(),
        false => mapping_calls::all(&scope, &sources).await?,
    };
    let mut differences = Vec::new();
    for trigger in &triggers {
        let key = trigger.key();
        let stated = statement::needed_by(&scope, trigger);
        let is_stated =
            stated.iter().all(|it| statements.get(&it.id).is_some_and(|found| it.is(found)));
        match one(&scope, trigger, &key, &mappings, function_url).await {
            Ok(found) if found.is_none() => differences.extend(trigger.differences(None)),
            Ok(found) => differences.extend(found.unwrap_or_default()),
            Err(ResourceError::NotOwned { .. }) => {
                differences.push(key.not_owned());
                continue;
            }
            Err(error) => return Err(error),
        }
        // An invoker is nothing but its statement.
        match trigger {
            Trigger::Invoker(_) if !is_stated => differences.extend(trigger.differences(None)),
            _ if !is_stated => {
                differences.push(key.difference("permission", json!(true), json!(false)));
            }
            _ => {}
        }
    }
    Ok(differences)
}

/// How one trigger differs; none where it is gone.
async fn one(
    scope: &Scope<'_>,
    trigger: &Trigger,
    key: &TriggerKey,
    mappings: &[mapping_calls::Mapping],
    function_url: Option<&str>,
) -> Result<Option<Vec<Difference>>, ResourceError> {
    let differs = |property: &str, expected: Value, actual: Value| {
        (expected != actual).then(|| key.difference(property, expected, actual))
    };
    Ok(match trigger {
        Trigger::Invoker(_) => Some(Vec::new()),
        Trigger::FunctionUrl(wanted) => url::find(scope).await?.map(|found| {
            let shown = Trigger::FunctionUrl(url::shown(&found, wanted));
            let mut differences = trigger.differences(Some(&shown));
            // One that was deleted and made anew has another.
            let address = function_url.filter(|recorded| *recorded != found.function_url);
            let differs = |it| key.difference("address", json!(it), json!(found.function_url));
            differences.extend(address.map(differs));
            differences
        }),
        Trigger::AsyncInvoke(wanted) => {
            let (found, is_plain) = asynchronous::find(scope, wanted).await?;
            let mut differences = trigger.differences(Some(&Trigger::AsyncInvoke(found)));
            differences.extend((!is_plain).then(|| other(key)));
            Some(differences)
        }
        Trigger::Schedule(wanted) => schedule::find(scope, key, wanted).await?.map(|found| {
            let (to, by) = schedule::leads_to(scope);
            let (found_to, found_by) = found.target.unzip();
            let mut differences = trigger.differences(Some(&Trigger::Schedule(found.schedule)));
            differences.extend(differs("target", json!(to), json!(found_to)));
            differences.extend(differs("role", json!(by), json!(found_by)));
            differences.extend((!found.is_plain).then(|| other(key)));
            differences
        }),
        Trigger::EventRule(wanted) => rule::find(scope, key, wanted).await?.map(|found| {
            let mut differences = trigger.differences(Some(&Trigger::EventRule(found.rule)));
            differences.extend(differs("target", json!(scope.live_arn()), json!(found.target)));
            differences.extend(differs("enabled", json!(true), json!(found.enabled)));
            differences.extend((found.is_plain != (true, true)).then(|| other(key)));
            differences
        }),
        Trigger::EventSource(wanted) => {
            let is_of = |it: &&mapping_calls::Mapping| {
                it.configuration.event_source_arn() == Some(wanted.arn.as_str())
            };
            match mappings.iter().find(is_of) {
                None => None,
                Some(found) => match mapping::owner(scope, found).await? {
                    mapping::Owned::Gone => None,
                    mapping::Owned::Others => {
                        return Err(ResourceError::NotOwned { what: key.to_string() });
                    }
                    mapping::Owned::Ours(_) => {
                        let shown = Trigger::EventSource(mapping::shown(found, wanted));
                        let mut differences = trigger.differences(Some(&shown));
                        let is_plain = mapping_calls::is_plain(found);
                        differences.extend((!is_plain).then(|| other(key)));
                        Some(differences)
                    }
                },
            }
        }
    })
}

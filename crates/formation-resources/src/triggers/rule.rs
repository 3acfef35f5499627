//! Rules of event buses: under names that are derived, and with tags that prove them ours. Each has one target, the
//! alias, which a statement of the function's policy lets invoke it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::types::RuleState;
use formation_model::triggers::{EventRule, Input};
use formation_model::{FunctionSpec, Trigger, TriggerKey, TriggerKind};
use serde_json::{Map, Value};

use super::rule_calls::{self as calls, At, TARGET};
use super::{Scope, Work, each, is_absent, told, unless_busy, unless_foreign};
use crate::Target;
use crate::error::{ResourceError, may_be_gone};
use crate::ownership::once_spread;
use crate::tags::{self, Keys};

/// The bus of an account that has no name in the ARNs of its rules.
const DEFAULT_BUS: &str = "default";

/// A rule of ours as AWS has it.
pub(super) struct Found {
    /// In the model's terms.
    pub rule: EventRule,
    pub enabled: bool,
    /// What it invokes; none where it invokes nothing.
    pub target: Option<String>,
    /// Whether the rest of the rule and of its target is as AWS has it by default.
    pub is_plain: (bool, bool),
}

/// The ARN of a rule.
pub(super) fn arn(scope: &Scope<'_>, key: &TriggerKey, bus: &str) -> String {
    arn_of(scope, At { bus, name: &scope.name_of(key) })
}

fn arn_of(scope: &Scope<'_>, at: At<'_>) -> String {
    let stack = &scope.settings.stack;
    let At { bus, name } = at;
    let bus = if bus == DEFAULT_BUS { String::new() } else { format!("{bus}/") };
    format!("arn:{}:events:{}:{}:rule/{bus}{name}", stack.partition, stack.region, stack.account_id)
}

/// Makes and changes rules; what is new does not act before callers have moved.
pub(super) async fn ensure(
    scope: &Scope<'_>,
    target: &Target<'_>,
    work: &Work,
) -> Result<(), ResourceError> {
    for (key, wanted) in each!(work.ensured, EventRule) {
        let ensured = ensure_one(scope, target, &key, wanted).await;
        // What somebody has taken from us the operation has not changed.
        let ensured = if scope.restores { unless_foreign(ensured) } else { ensured };
        ensured.map_err(scope.about(&key))?;
    }
    Ok(())
}

async fn ensure_one(
    scope: &Scope<'_>,
    target: &Target<'_>,
    key: &TriggerKey,
    wanted: &EventRule,
) -> Result<(), ResourceError> {
    let name = scope.name_of(key);
    let at = At { bus: &wanted.event_bus_name, name: &name };
    let all = scope.settings.stack.tags(scope.function, &target.spec.tags);
    let Some(described) = calls::describe(scope, at).await? else {
        let state = if scope.only_adds { RuleState::Disabled } else { RuleState::Enabled };
        calls::put(scope, at, wanted, state, &all).await.map_err(unless_busy)?;
        // EventBridge authorises the target by tags that it has only just been given.
        let put_target = async || calls::put_target(scope, at, wanted).await;
        return once_spread(put_target, is_absent, told(key)).await;
    };
    let arn = arn_of(scope, at);
    let current = prove(scope, key, &arn).await?.unwrap_or_default();
    let found = found(scope, at, wanted, described).await?;
    if scope.only_adds && scope.is_known(key) {
        // It invokes the function on the events that callers' version is for. EventBridge may still refuse the pattern.
        if found.rule.pattern != wanted.pattern {
            calls::test_pattern(scope, wanted).await?;
        }
        return Ok(());
    }
    let enabled = found.enabled || !scope.only_adds;
    // First what it hands over, since with another pattern it is invoked on other events.
    let (is_plain, target_is_plain) = found.is_plain;
    let leads = found.target == Some(scope.live_arn()) && target_is_plain;
    if found.rule.input != wanted.input || !leads {
        calls::put_target(scope, at, wanted).await.map_err(unless_busy)?;
    }
    if found.rule.pattern != wanted.pattern || found.enabled != enabled || !is_plain {
        let state = if enabled { RuleState::Enabled } else { RuleState::Disabled };
        calls::put(scope, at, wanted, state, &all).await.map_err(unless_busy)?;
    }
    let changes =
        tags::changes(&current, Keys::Exact, &scope.settings.stack, target.spec, target.formerly);
    if !changes.remove.is_empty() {
        calls::untag(scope, &arn, changes.remove).await.map_err(unless_busy)?;
    }
    if !changes.set.is_empty() {
        calls::tag(scope, &arn, &changes.set).await.map_err(unless_busy)?;
    }
    Ok(())
}

/// That a rule is ours: its tags; none where there is no such rule.
async fn prove(
    scope: &Scope<'_>,
    key: &TriggerKey,
    arn: &str,
) -> Result<Option<BTreeMap<String, String>>, ResourceError> {
    let Some(tags) = calls::tags(scope, arn).await? else { return Ok(None) };
    let what = format!("{} ({arn})", told(key));
    scope.age_of(key).prove(&scope.settings.stack, scope.function, &tags, what)?;
    Ok(Some(tags))
}

async fn found(
    scope: &Scope<'_>,
    at: At<'_>,
    wanted: &EventRule,
    described: DescribeRuleOutput,
) -> Result<Found, ResourceError> {
    let DescribeRuleOutput { event_pattern, state, schedule_expression, role_arn, .. } = described;
    let pattern = event_pattern.and_then(|it| serde_json::from_str::<Map<String, Value>>(&it).ok());
    let has = |it: Option<String>| it.is_some_and(|it| !it.is_empty());
    let is_plain = !has(schedule_expression) && !has(role_arn);
    let targets = calls::targets(scope, at).await?;
    let target = targets.into_iter().find(|it| it.id == TARGET);
    let target_is_plain = target.as_ref().is_none_or(calls::is_plain);
    let (target, input) = target.map(|it| (it.arn, it.input)).unzip();
    Ok(Found {
        rule: EventRule {
            name: wanted.name.clone(),
            event_bus_name: at.bus.to_owned(),
            pattern: pattern.unwrap_or_default(),
            input: input.flatten().map(Input),
        },
        enabled: state != Some(RuleState::Disabled),
        target,
        is_plain: (is_plain, target_is_plain),
    })
}

/// The rule as AWS has it; none where there is none.
///
/// # Errors
/// [`ResourceError::NotOwned`] if it is not ours; otherwise what EventBridge answered.
pub(super) async fn find(
    scope: &Scope<'_>,
    key: &TriggerKey,
    wanted: &EventRule,
) -> Result<Option<Found>, ResourceError> {
    let name = scope.name_of(key);
    let at = At { bus: &wanted.event_bus_name, name: &name };
    let Some(described) = calls::describe(scope, at).await? else { return Ok(None) };
    if prove(scope, key, &arn_of(scope, at)).await?.is_none() {
        return Ok(None);
    }
    found(scope, at, wanted, described).await.map(Some)
}

/// Takes away those that are not wanted any more, and where `all_but` is given every other one of ours that invokes
/// the function, on the buses that are known.
pub(super) async fn take_away(
    scope: &Scope<'_>,
    removed: &[Trigger],
    all_but: Option<&FunctionSpec>,
) -> Result<(), ResourceError> {
    for (key, rule) in each!(removed, EventRule) {
        let at = At { bus: &rule.event_bus_name, name: &scope.name_of(&key) };
        let deleted = delete(scope, &key, at).await;
        if scope.restores { unless_foreign(deleted)? } else { deleted? }
    }
    let Some(spec) = all_but else { return Ok(()) };
    let wanted = spec.triggers();
    let kept: BTreeSet<_> = each!(wanted, EventRule)
        .map(|(key, rule)| (rule.event_bus_name.clone(), scope.name_of(&key)))
        .collect();
    for (bus, name) in search(scope, kept.iter().map(|(bus, _)| bus.clone())).await? {
        if !kept.contains(&(bus.clone(), name.clone())) {
            delete_found(scope, At { bus: &bus, name: &name }).await?;
        }
    }
    Ok(())
}

/// The rules with names of ours that invoke the function, by bus and name, and those that may be left: on these buses,
/// the account's own, and those of what is left. Whether they are ours is not told yet: the name may be another
/// function's, whose rule somebody has given a second target.
pub(super) async fn search(
    scope: &Scope<'_>,
    buses: impl Iterator<Item = String>,
) -> Result<BTreeSet<(String, String)>, ResourceError> {
    let left = scope
        .left
        .iter()
        .filter_map(|left| left.event_bus_name.clone().map(|bus| (bus, scope.name_of(&left.key))));
    let mut found: BTreeSet<_> = left.collect();
    let buses = buses.chain(found.iter().map(|(bus, _)| bus.clone()));
    let buses: BTreeSet<_> = buses.chain([DEFAULT_BUS.to_owned()]).collect();
    let prefix = scope.settings.stack.prefix();
    for bus in buses {
        let names = calls::names(scope, &bus).await?.into_iter();
        found.extend(names.filter(|it| it.starts_with(&prefix)).map(|name| (bus.clone(), name)));
    }
    Ok(found)
}

/// Deletes a rule that was found, if it is ours: what tells that now it has told for long.
pub(super) async fn delete_found(scope: &Scope<'_>, at: At<'_>) -> Result<(), ResourceError> {
    let key = TriggerKey::new(TriggerKind::EventRule, at.name);
    let tags = calls::tags(scope, &arn_of(scope, at)).await?.unwrap_or_default();
    if !scope.settings.stack.owns(scope.function, &tags) {
        return Ok(());
    }
    delete_proved(scope, at).await.map_err(scope.about(&key))
}

/// Proves a rule ours and deletes it, if it is there.
pub(super) async fn delete(
    scope: &Scope<'_>,
    key: &TriggerKey,
    at: At<'_>,
) -> Result<(), ResourceError> {
    let arn = arn_of(scope, at);
    let deleted = async || {
        if prove(scope, key, &arn).await?.is_none() {
            return Ok(());
        }
        delete_proved(scope, at).await
    };
    deleted().await.map_err(scope.about(key))
}

async fn delete_proved(scope: &Scope<'_>, at: At<'_>) -> Result<(), ResourceError> {
    match calls::delete(scope, at).await {
        // Of a rule that is gone, IAM knows no tag that would allow the call.
        Err(error)
            if may_be_gone(&error) && calls::tags(scope, &arn_of(scope, at)).await?.is_none() =>
        {
            Ok(())
        }
        deleted => deleted.map_err(unless_busy),
    }
}

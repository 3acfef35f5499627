//! The calls about rules of event buses, in Formation's terms.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::types::{RuleState, Tag, Target};
use formation_aws::AwsError;
use formation_model::triggers::EventRule;

use super::{Scope, unless_absent};

/// The one target that Formation gives a rule.
pub(super) const TARGET: &str = "live";

/// A rule: its bus and its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub bus: &'a str,
    pub name: &'a str,
}

pub(super) async fn describe(
    scope: &Scope<'_>,
    at: At<'_>,
) -> Result<Option<DescribeRuleOutput>, AwsError> {
    let describe = scope.clients.events.describe_rule().name(at.name).event_bus_name(at.bus);
    let described = describe.send().await;
    unless_absent(described.map_err(|error| AwsError::new("events:DescribeRule", error)))
}

/// The tags of a rule; none where there is no such rule.
pub(super) async fn tags(
    scope: &Scope<'_>,
    arn: &str,
) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    let listed = scope.clients.events.list_tags_for_resource().resource_arn(arn).send().await;
    let listed = listed.map_err(|error| AwsError::new("events:ListTagsForResource", error));
    let tags = unless_absent(listed)?.map(|it| it.tags.unwrap_or_default());
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

pub(super) async fn targets(scope: &Scope<'_>, at: At<'_>) -> Result<Vec<Target>, AwsError> {
    let list = scope.clients.events.list_targets_by_rule().rule(at.name).event_bus_name(at.bus);
    // A rule has at most five, and a page a hundred.
    let listed = list.send().await;
    let listed = listed.map_err(|error| AwsError::new("events:ListTargetsByRule", error));
    Ok(unless_absent(listed)?.and_then(|it| it.targets).unwrap_or_default())
}

/// Whether a target of ours has nothing that we do not give it: nothing takes an event apart, and what it cannot be told of
/// is tried as EventBridge does, and dropped.
pub(super) fn is_plain(it: &Target) -> bool {
    let tries = it.retry_policy.as_ref().is_none_or(|it| {
        it.maximum_retry_attempts.is_none_or(|it| it == 185)
            && it.maximum_event_age_in_seconds.is_none_or(|it| it == 86_400)
    });
    let dropped = it.dead_letter_config.as_ref().is_none_or(|it| it.arn.is_none());
    tries
        && dropped
        && it.input_path.is_none()
        && it.input_transformer.is_none()
        && it.role_arn.is_none()
}

/// The names of rules on a bus that invoke the function.
pub(super) async fn names(scope: &Scope<'_>, bus: &str) -> Result<Vec<String>, AwsError> {
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let list = scope.clients.events.list_rule_names_by_target().event_bus_name(bus);
        let listed = list.target_arn(scope.live_arn()).set_next_token(token).send().await;
        let listed = listed.map_err(|error| AwsError::new("events:ListRuleNamesByTarget", error));
        // The bus may be gone.
        let Some(page) = unless_absent(listed)? else { return Ok(names) };
        names.extend(page.rule_names.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return Ok(names);
        }
    }
}

/// Makes a rule, or replaces what it has. Tags count only for what is made.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>.
pub(super) async fn put(
    scope: &Scope<'_>,
    at: At<'_>,
    wanted: &EventRule,
    state: RuleState,
    tags: &BTreeMap<String, String>,
) -> Result<(), AwsError> {
    let put = scope.clients.events.put_rule().name(at.name).event_bus_name(at.bus);
    let put = put
        .event_pattern(pattern(wanted))
        .description(format!("Invokes the function {}", scope.function))
        .state(state)
        .set_tags(Some(to_events(tags)?));
    let put = put.send().await;
    put.map(|_| ()).map_err(|error| AwsError::new("events:PutRule", error))
}

/// The pattern as EventBridge has it: JSON text.
pub(super) fn pattern(it: &EventRule) -> String {
    serde_json::Value::Object(it.pattern.clone()).to_string()
}

/// That EventBridge takes the pattern: it tells whether an event fits, which is of no interest.
pub(super) async fn test_pattern(scope: &Scope<'_>, wanted: &EventRule) -> Result<(), AwsError> {
    let stack = &scope.settings.stack;
    let event = serde_json::json!({
        "id": "00000000-0000-0000-0000-000000000000", "account": stack.account_id, "source": "formation",
        "time": "2026-01-01T00:00:00Z", "region": stack.region, "resources": [],
        "detail-type": "none", "detail": {}
    });
    let test = scope.clients.events.test_event_pattern().event(event.to_string());
    let tested = test.event_pattern(pattern(wanted)).send().await;
    tested.map(|_| ()).map_err(|error| AwsError::new("events:TestEventPattern", error))
}

pub(super) async fn put_target(
    scope: &Scope<'_>,
    at: At<'_>,
    wanted: &EventRule,
) -> Result<(), AwsError> {
    let input = wanted.input.as_ref().map(|input| input.as_str().to_owned());
    let target = Target::builder().id(TARGET).arn(scope.live_arn()).set_input(input).build();
    let target = target.map_err(|_| AwsError::incomplete("events:Target"))?;
    let put = scope.clients.events.put_targets().rule(at.name).event_bus_name(at.bus);
    let put = put.targets(target).send().await;
    let put = put.map_err(|error| AwsError::new("events:PutTargets", error))?;
    // It succeeds as a call even where an entry fails.
    match put.failed_entries.unwrap_or_default().first() {
        Some(failed) if put.failed_entry_count > 0 => {
            let text = |it: &Option<String>| it.clone().unwrap_or_default();
            let (code, message) = (text(&failed.error_code), text(&failed.error_message));
            Err(AwsError::told("events:PutTargets", &code, &message))
        }
        _ => Ok(()),
    }
}

pub(super) async fn tag(
    scope: &Scope<'_>,
    arn: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), AwsError> {
    let tag = scope.clients.events.tag_resource().resource_arn(arn);
    let tagged = tag.set_tags(Some(to_events(tags)?)).send().await;
    tagged.map(|_| ()).map_err(|error| AwsError::new("events:TagResource", error))
}

pub(super) async fn untag(scope: &Scope<'_>, arn: &str, keys: Vec<String>) -> Result<(), AwsError> {
    let untag = scope.clients.events.untag_resource().resource_arn(arn);
    let untagged = untag.set_tag_keys(Some(keys)).send().await;
    untagged.map(|_| ()).map_err(|error| AwsError::new("events:UntagResource", error))
}

/// Deletes a rule of ours with all of its targets, if it is there: EventBridge deletes none that has some.
pub(super) async fn delete(scope: &Scope<'_>, at: At<'_>) -> Result<(), AwsError> {
    let ids: Vec<_> = targets(scope, at).await?.into_iter().map(|it| it.id).collect();
    if !ids.is_empty() {
        let remove = scope.clients.events.remove_targets().rule(at.name).event_bus_name(at.bus);
        let removed = remove.set_ids(Some(ids)).send().await;
        unless_absent(removed.map_err(|error| AwsError::new("events:RemoveTargets", error)))?;
    }
    let delete = scope.clients.events.delete_rule().name(at.name).event_bus_name(at.bus);
    let deleted = delete.send().await;
    let refused = |error| AwsError::new("events:DeleteRule", error);
    unless_absent(deleted.map_err(refused)).map(|_| ())
}

fn to_events(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|_| AwsError::incomplete("events:Tag"))
}

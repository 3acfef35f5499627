//! What no specification names any more, and may be there.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Trigger, TriggerKey};

/// How many are kept at the most: what is left beyond them is found only where it still leads to the function.
const MOST: usize = 100;

/// A trigger that an operation may have left in AWS, although the function is to have none under this key: by what
/// it is found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftTrigger {
    /// By what it was known.
    #[serde(flatten)]
    pub key: TriggerKey,
    /// The event bus of a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_bus_name: Option<String>,
    /// Where an operation was to make it, and perhaps did not come to that: when it began. What is older is somebody
    /// else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl LeftTrigger {
    /// None of what is found without it: invokers by the ids of their statements, schedules by the stack's group.
    fn of(trigger: &Trigger, since: Option<Timestamp>) -> Option<Self> {
        let event_bus_name = match trigger {
            Trigger::Invoker(_) | Trigger::Schedule(_) => return None,
            Trigger::EventRule(rule) => Some(rule.event_bus_name.clone()),
            Trigger::FunctionUrl(_) | Trigger::EventSource(_) | Trigger::AsyncInvoke(_) => None,
        };
        Some(Self { key: trigger.key(), event_bus_name, since })
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.key, &self.event_bus_name) == (&other.key, &other.event_bus_name)
    }

    /// What may be there of `made` and of what was `left` before, and is not among those that are `kept`. `since` tells
    /// when an operation began that was to make the former; none where they were there.
    pub fn beyond(
        kept: &[Trigger],
        made: &[Trigger],
        since: Option<Timestamp>,
        left: &[Self],
    ) -> Vec<Self> {
        let kept: Vec<_> = kept.iter().filter_map(|it| Self::of(it, None)).collect();
        let made = made.iter().filter_map(|it| Self::of(it, since));
        let mut beyond: Vec<Self> = Vec::new();
        for it in left.iter().cloned().chain(made) {
            if kept.iter().any(|kept| kept.is_same(&it)) {
                continue;
            }
            match beyond.iter_mut().find(|other| other.is_same(&it)) {
                // What was there, or may be there since an earlier operation.
                Some(other) => other.since = other.since.zip(it.since).map(|(a, b)| a.min(b)),
                None => beyond.push(it),
            }
        }
        // Of those of which a function has one, nothing else tells; of others the youngest.
        beyond.reverse();
        beyond.sort_by_key(|it| !it.key.name.is_empty());
        beyond.truncate(MOST);
        beyond
    }

    /// Reads those of the kinds that this release knows: a later one may have written others.
    ///
    /// # Errors
    /// If it is no list.
    pub fn read_known<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Self>, D::Error> {
        let list = Vec::<Value>::deserialize(list)?;
        Ok(list.into_iter().filter_map(|it| serde_json::from_value(it).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::triggers::{AsyncInvoke, EventRule, TriggerKind};

    fn rule(name: &str, bus: &str) -> Trigger {
        Trigger::EventRule(EventRule {
            name: name.into(),
            event_bus_name: bus.into(),
            pattern: Default::default(),
            input: None,
        })
    }

    #[test]
    fn what_is_left_is_what_was_made_and_is_not_kept_each_once() {
        let kept = [rule("kept", "default"), rule("moved", "default")];
        let of_calls = Trigger::from(AsyncInvoke { async_retries: Some(0), ..Default::default() });
        let made = [rule("kept", "default"), rule("moved", "orders"), of_calls];
        let (first, second) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let left = LeftTrigger::beyond(&kept, &made, Some(first), &[]);
        let told = json!([
            {"kind": "ASYNC_INVOKE", "name": "", "since": first},
            {"kind": "EVENT_RULE", "name": "moved", "eventBusName": "orders", "since": first}
        ]);
        assert_eq!(json!(left), told);
        // Of several operations any may have made it.
        assert_eq!(LeftTrigger::beyond(&kept, &made, Some(second), &left), left);
        let there = LeftTrigger::beyond(&kept, &made, None, &left);
        assert!(there.iter().all(|it| it.since.is_none()), "{there:?}");
        // What was left before is wanted by now.
        assert_eq!(LeftTrigger::beyond(&made, &[], None, &left), []);
    }

    #[test]
    fn however_much_is_left_its_list_has_an_end() {
        let of_calls = Trigger::from(AsyncInvoke { async_retries: Some(0), ..Default::default() });
        let mut left = LeftTrigger::beyond(&[], &[of_calls], None, &[]);
        for at in 0..300 {
            left = LeftTrigger::beyond(&[], &[rule(&format!("r{at}"), "default")], None, &left);
        }
        assert_eq!(left.len(), MOST);
        assert_eq!(left[0].key.kind, TriggerKind::AsyncInvoke);
        assert!(left.iter().any(|it| it.key.name == "r299"));
    }

    #[test]
    fn a_kind_of_a_later_release_is_passed_over() {
        let list =
            json!([{"kind": "TELEPATHY", "name": "x"}, {"kind": "FUNCTION_URL", "name": ""}]);
        let read = LeftTrigger::read_known(list).unwrap();
        assert_eq!(read.len(), 1);
        assert!(LeftTrigger::read_known(json!("x")).is_err());
    }
}

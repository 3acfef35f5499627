//! What no specification names any more, and may be there.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Trigger, TriggerKey};

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
}

impl LeftTrigger {
    fn of(trigger: &Trigger) -> Self {
        let event_bus_name = match trigger {
            Trigger::EventRule(rule) => Some(rule.event_bus_name.clone()),
            _ => None,
        };
        Self { key: trigger.key(), event_bus_name }
    }

    /// What may be there of `made` and of what was `left` before, and is not among those that are `kept`.
    pub fn beyond(kept: &[Trigger], made: &[Trigger], left: &[Self]) -> Vec<Self> {
        let kept: Vec<_> = kept.iter().map(Self::of).collect();
        let mut beyond = Vec::new();
        for it in made.iter().map(Self::of).chain(left.iter().cloned()) {
            if !kept.contains(&it) && !beyond.contains(&it) {
                beyond.push(it);
            }
        }
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
    use crate::triggers::{AsyncInvoke, EventRule};

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
        let left = LeftTrigger::beyond(&kept, &made, &[]);
        let told = json!([
            {"kind": "EVENT_RULE", "name": "moved", "eventBusName": "orders"},
            {"kind": "ASYNC_INVOKE", "name": ""}
        ]);
        assert_eq!(json!(left), told);
        assert_eq!(LeftTrigger::beyond(&kept, &made, &left), left);
        // What was left before is wanted by now.
        assert_eq!(LeftTrigger::beyond(&made, &[], &left), []);
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

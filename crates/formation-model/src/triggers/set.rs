//! The set of a function's triggers, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    AsyncInvoke, EventRule, EventSource, FunctionUrl, Invoker, Schedule, TriggerKey, TriggerKind,
};
use crate::drift::{Difference, HIDDEN};

/// One thing that calls a function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trigger {
    /// Its address.
    FunctionUrl(FunctionUrl),
    /// Who may invoke it.
    Invoker(Invoker),
    /// A schedule.
    Schedule(Schedule),
    /// A rule of an event bus.
    EventRule(EventRule),
    /// A queue or a stream.
    EventSource(EventSource),
    /// What becomes of asynchronous invocations that fail.
    AsyncInvoke(AsyncInvoke),
}

impl Trigger {
    /// By what it is known.
    pub fn key(&self) -> TriggerKey {
        let (kind, name) = match self {
            Self::FunctionUrl(_) => (TriggerKind::FunctionUrl, String::new()),
            Self::Invoker(it) => (TriggerKind::Invoker, it.name()),
            Self::Schedule(it) => (TriggerKind::Schedule, it.name.clone()),
            Self::EventRule(it) => (TriggerKind::EventRule, it.name.clone()),
            Self::EventSource(it) => (TriggerKind::EventSource, it.arn.clone()),
            Self::AsyncInvoke(_) => (TriggerKind::AsyncInvoke, String::new()),
        };
        TriggerKey { kind, name }
    }

    /// Its properties by name, as a difference shows them: without what is its key, and with what it hands to the
    /// function hidden, which may be secret.
    pub fn shown(&self) -> BTreeMap<String, Value> {
        let value = match self {
            Self::FunctionUrl(it) => json!(it),
            Self::Invoker(it) => json!(it),
            Self::Schedule(it) => json!(it),
            Self::EventRule(it) => json!(it),
            Self::EventSource(it) => json!(it),
            Self::AsyncInvoke(it) => json!(it),
        };
        let mut shown: BTreeMap<String, Value> = match value {
            Value::Object(members) => members.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        match self {
            Self::Schedule(_) | Self::EventRule(_) => {
                shown.remove("name");
            }
            Self::EventSource(_) => {
                shown.remove("arn");
            }
            Self::FunctionUrl(_) | Self::Invoker(_) | Self::AsyncInvoke(_) => {}
        }
        if let Some(input) = shown.get_mut("input") {
            *input = json!(HIDDEN);
        }
        shown
    }

    /// What it hands to the function.
    fn input(&self) -> Option<&str> {
        match self {
            Self::Schedule(it) => it.input.as_ref().map(super::Input::as_str),
            Self::EventRule(it) => it.input.as_ref().map(super::Input::as_str),
            _ => None,
        }
    }

    /// How `actual` differs from it, property by property; as a whole where there is none, but for what has no
    /// name of its own.
    pub fn differences(&self, actual: Option<&Self>) -> Vec<Difference> {
        let key = self.key();
        let Some(actual) = actual else {
            return match self {
                Self::AsyncInvoke(_) => self.differences(Some(&AsyncInvoke::default().into())),
                _ => vec![key.difference("", json!(self.shown()), Value::Null)],
            };
        };
        let (expected, found) = (self.shown(), actual.shown());
        let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        let value = |of: &BTreeMap<String, Value>, name: &str| of.get(name).cloned();
        let differs = |name: &str| match name {
            "input" => self.input() != actual.input(),
            name => expected.get(name) != found.get(name),
        };
        let differing = names.into_iter().filter(|name| differs(name));
        let difference = |name: &String| {
            let expected = value(&expected, name).unwrap_or_default();
            let actual = value(&found, name).unwrap_or_default();
            key.difference(name, expected, actual)
        };
        differing.map(difference).collect()
    }
}

impl From<AsyncInvoke> for Trigger {
    fn from(it: AsyncInvoke) -> Self {
        Self::AsyncInvoke(it)
    }
}

/// What becomes of one trigger between two states of a function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// It is made.
    Added(Trigger),
    /// It is changed.
    Changed {
        /// What it is.
        from: Trigger,
        /// What it becomes.
        to: Trigger,
    },
    /// It is taken away.
    Removed(Trigger),
    /// Nothing.
    Same(Trigger),
}

impl Change {
    /// Whether it is anything at all.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::Same(_))
    }

    /// What differs: `expected` is what it becomes, `actual` what it is.
    pub fn differences(&self) -> Vec<Difference> {
        match self {
            Self::Same(_) => Vec::new(),
            Self::Added(it) => it.differences(None),
            Self::Changed { from, to } => to.differences(Some(from)),
            Self::Removed(it) => it.differences(None).into_iter().map(turned).collect(),
        }
    }

    /// By what the trigger is known.
    pub fn key(&self) -> TriggerKey {
        match self {
            Self::Added(it) | Self::Removed(it) | Self::Same(it) | Self::Changed { to: it, .. } => {
                it.key()
            }
        }
    }
}

/// The difference the other way round.
fn turned(it: Difference) -> Difference {
    Difference { expected: it.actual, actual: it.expected, ..it }
}

/// What leads from one set to another, by key: the new set in its order, then what goes.
pub fn changes(from: &[Trigger], to: &[Trigger]) -> Vec<Change> {
    let found = |set: &[Trigger], key: &TriggerKey| set.iter().find(|it| it.key() == *key).cloned();
    let stays = to.iter().map(|it| match found(from, &it.key()) {
        None => Change::Added(it.clone()),
        Some(from) if from == *it => Change::Same(from),
        Some(from) => Change::Changed { from, to: it.clone() },
    });
    let goes = from.iter().filter(|it| found(to, &it.key()).is_none());
    stays.chain(goes.cloned().map(Change::Removed)).collect()
}

//! What calls a function: its triggers. Each is one thing in AWS, with a kind and a name by which the user
//! finds it, and is made, changed and taken away alone.
//!
//! A file a kind; [`Triggers`] are the fields of a function, and [`Triggers::set`] is the set of things that follow
//! from them.

mod async_invoke;
mod event_rule;
mod event_source;
pub mod expression;
mod input;
mod invoker;
mod key;
mod left;
pub mod pattern;
mod schedule;
mod set;
mod url;

pub use async_invoke::AsyncInvoke;
pub(crate) use event_rule::DEFAULT_BUS;
pub use event_rule::EventRule;
pub use event_source::{EventSource, SourceKind, StartingPosition};
pub use input::Input;
pub use invoker::Invoker;
pub use key::{TriggerKey, TriggerKind};
pub use left::LeftTrigger;
pub use schedule::Schedule;
pub(crate) use schedule::UTC;
pub use set::{Change, Trigger, changes};
pub use url::{AuthType, Cors, FunctionUrl, InvokeMode};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What calls a function, always by its alias `live`. A function that nothing calls has none of these fields.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Triggers {
    /// An address of its own, under which HTTP clients call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_url: Option<FunctionUrl>,
    /// Who else may invoke it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invokers: Vec<Invoker>,
    /// When it is invoked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
    /// On which events it is invoked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_rules: Vec<EventRule>,
    /// The queues and streams that it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_sources: Vec<EventSource>,
    /// What becomes of asynchronous invocations that fail.
    #[serde(flatten)]
    pub async_invoke: AsyncInvoke,
}

impl Triggers {
    /// Whether nothing calls the function.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each of them, in the order of [`TriggerKind::ALL`] and of the function's fields.
    pub fn set(&self) -> Vec<Trigger> {
        let url = self.function_url.iter().cloned().map(Trigger::FunctionUrl);
        let invokers = self.invokers.iter().cloned().map(Trigger::Invoker);
        let schedules = self.schedules.iter().cloned().map(Trigger::Schedule);
        let rules = self.event_rules.iter().cloned().map(Trigger::EventRule);
        let sources = self.event_sources.iter().cloned().map(Trigger::EventSource);
        let of_calls = Some(&self.async_invoke).filter(|it| !it.is_default());
        let of_calls = of_calls.cloned().map(Trigger::AsyncInvoke);
        let ways = url.chain(invokers).chain(schedules).chain(rules).chain(sources);
        ways.chain(of_calls).collect()
    }
}

#[cfg(test)]
mod tests;

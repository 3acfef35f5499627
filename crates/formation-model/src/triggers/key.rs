//! By what a trigger is known.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::drift::{Difference, OWNER};
use crate::part::Facet;

/// A kind of thing that calls a function.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TriggerKind {
    /// The function's address.
    FunctionUrl,
    /// A statement of the function's policy that lets somebody invoke it.
    Invoker,
    /// A schedule of EventBridge Scheduler.
    Schedule,
    /// A rule of an event bus.
    EventRule,
    /// An event source mapping: a queue or a stream that Lambda reads.
    EventSource,
    /// What Lambda does with asynchronous invocations that fail.
    AsyncInvoke,
}

impl TriggerKind {
    /// Every kind, in the order in which they are made.
    pub const ALL: [Self; 6] = [
        Self::FunctionUrl,
        Self::Invoker,
        Self::Schedule,
        Self::EventRule,
        Self::EventSource,
        Self::AsyncInvoke,
    ];

    /// The facet of [`Part::Triggers`](crate::part::Part::Triggers) that it is.
    pub const fn facet(self) -> Facet {
        match self {
            Self::FunctionUrl => Facet::FunctionUrl,
            Self::Invoker => Facet::Invoker,
            Self::Schedule => Facet::Schedule,
            Self::EventRule => Facet::EventRule,
            Self::EventSource => Facet::EventSource,
            Self::AsyncInvoke => Facet::AsyncInvoke,
        }
    }

    /// The spelling in JSON and in derived names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FunctionUrl => "FUNCTION_URL",
            Self::Invoker => "INVOKER",
            Self::Schedule => "SCHEDULE",
            Self::EventRule => "EVENT_RULE",
            Self::EventSource => "EVENT_SOURCE",
            Self::AsyncInvoke => "ASYNC_INVOKE",
        }
    }

    /// The field of a function that holds triggers of the kind; none where several do.
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Self::FunctionUrl => Some("functionUrl"),
            Self::Invoker => Some("invokers"),
            Self::Schedule => Some("schedules"),
            Self::EventRule => Some("eventRules"),
            Self::EventSource => Some("eventSources"),
            Self::AsyncInvoke => None,
        }
    }
}

impl fmt::Display for TriggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// By what a trigger is known: no two of a function have the same. One that has another key is another trigger.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
pub struct TriggerKey {
    /// Its kind.
    pub kind: TriggerKind,
    /// Its name as the user finds it: the schedule's or the rule's name, the source's ARN, the invoker's principal
    /// and source. Empty for kinds of which a function has one.
    pub name: String,
}

impl TriggerKey {
    /// The key of the trigger of `kind` and `name`.
    pub fn new(kind: TriggerKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// How a difference names the trigger, or its property `of_it` if that is not empty: by the fields of a
    /// function, `schedules/nightly/expression`.
    pub fn property(&self, of_it: &str) -> String {
        let parts = [self.kind.field().unwrap_or_default(), &self.name, of_it];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("/")
    }

    /// That the trigger, or its property `of_it`, is not as declared. Nobody compares here: values that are hidden
    /// are alike.
    pub fn difference(&self, of_it: &str, expected: Value, actual: Value) -> Difference {
        Difference::new(self.kind.facet(), self.property(of_it), expected, actual)
    }

    /// That what is there under the trigger's name is not ours: all that is told of it.
    pub fn not_owned(&self) -> Difference {
        self.difference(OWNER, Value::Null, Value::Null)
    }
}

impl fmt::Display for TriggerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "{}", self.kind)
        } else {
            write!(f, "{} {}", self.kind, self.name)
        }
    }
}

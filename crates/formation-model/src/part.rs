//! The parts that a function is made of, and what is compared of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the parts that a function is made of.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Part {
    /// Its execution role.
    Role,
    /// Its log group.
    LogGroup,
    /// The Lambda function: its `$LATEST`, which is the workbench.
    Function,
    /// What callers run: the alias `live` and the version that it leads to.
    Live,
    /// What calls it, if anything does: address, invokers, schedules, rules, sources.
    Triggers,
}

impl Part {
    /// Every part, in the order in which they are made.
    pub const ALL: [Self; 5] =
        [Self::Role, Self::LogGroup, Self::Function, Self::Live, Self::Triggers];
}

/// What is compared of a part: each is changed by calls of its own.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Facet {
    /// The execution role: trust, boundary, policies, tags.
    Role,
    /// The log group: retention, tags.
    LogGroup,
    /// The Lambda function but for its code: configuration and tags.
    Configuration,
    /// The code, and the architecture that it is for.
    Code,
    /// The concurrency that is reserved for the Lambda function.
    Concurrency,
    /// What callers run: where the alias leads, and what its version has of configuration and code.
    Live,
    /// The function's address.
    FunctionUrl,
    /// Who may invoke it.
    Invoker,
    /// When it is invoked.
    Schedule,
    /// On which events it is invoked.
    EventRule,
    /// The queues and streams that it reads.
    EventSource,
    /// What becomes of asynchronous invocations that fail.
    AsyncInvoke,
}

impl Facet {
    /// The part that it is a facet of.
    pub const fn part(self) -> Part {
        match self {
            Self::Role => Part::Role,
            Self::LogGroup => Part::LogGroup,
            Self::Configuration | Self::Code | Self::Concurrency => Part::Function,
            Self::Live => Part::Live,
            Self::FunctionUrl
            | Self::Invoker
            | Self::Schedule
            | Self::EventRule
            | Self::EventSource
            | Self::AsyncInvoke => Part::Triggers,
        }
    }

    /// The facets of a part, in the order in which they are changed; the first stands for the whole.
    pub(crate) const fn of(part: Part) -> &'static [Self] {
        match part {
            Part::Role => &[Self::Role],
            Part::LogGroup => &[Self::LogGroup],
            Part::Function => &[Self::Configuration, Self::Code, Self::Concurrency],
            Part::Live => &[Self::Live],
            Part::Triggers => &[
                Self::FunctionUrl,
                Self::Invoker,
                Self::Schedule,
                Self::EventRule,
                Self::EventSource,
                Self::AsyncInvoke,
            ],
        }
    }
}

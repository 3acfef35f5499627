//! What calls a function, as it is asked for, and what its role needs for it.

mod arn;
mod async_invoke;
mod event_rules;
mod event_sources;
mod input;
mod invokers;
mod schedules;
mod statements;
#[cfg(test)]
mod tests;
mod url;
mod warnings;

pub use statements::Needed;
pub(super) use statements::{differences, refuse_beyond_the_role};

use super::property::{Compared, Property};
use crate::part::Facet;
use crate::triggers::DEFAULT_BUS;

/// How many triggers of a kind a function has at the most. Those of rules and statements are the account's, and
/// shared: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>.
pub const MOST: usize = 10;

/// What may call the functions of a stack, and whom they may tell of what failed.
#[derive(Clone, Debug, Default)]
pub struct TriggerLimits {
    /// The stack's own account.
    pub account_id: String,
    /// Its Region.
    pub region: String,
    /// Whether an address may be everybody's.
    pub public_urls: bool,
    /// The accounts besides the stack's own that may be let invoke functions.
    pub invoker_accounts: Vec<String>,
    /// The names of the event buses on which functions may have rules.
    pub event_bus_names: Vec<String>,
    /// The stack's own event bus, on which they may have none, whatever is named: requests pass there with all that
    /// they hold.
    pub own_event_bus: String,
    /// Patterns (with `*` and `?`) of the ARNs of queues and streams that functions may read.
    pub event_source_arns: Vec<String>,
    /// Patterns (with `*` and `?`) of the ARNs that functions may tell of what failed.
    pub failure_destination_arns: Vec<String>,
}

impl TriggerLimits {
    /// Nothing that needs a parameter of the stack.
    pub const NONE: Self = Self {
        account_id: String::new(),
        region: String::new(),
        public_urls: false,
        invoker_accounts: Vec::new(),
        event_bus_names: Vec::new(),
        own_event_bus: String::new(),
        event_source_arns: Vec::new(),
        failure_destination_arns: Vec::new(),
    };

    /// All that parameters of a stack of that account and Region can allow, but for other accounts and for event
    /// buses besides the account's default one.
    pub fn widest(account_id: &str, region: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            region: region.to_owned(),
            public_urls: true,
            event_bus_names: vec![DEFAULT_BUS.to_owned()],
            event_source_arns: vec!["*".to_owned()],
            failure_destination_arns: vec!["*".to_owned()],
            ..Self::NONE
        }
    }

    /// The event buses on which functions may have rules.
    pub fn buses_of_rules(&self) -> impl Iterator<Item = &str> {
        let named = self.event_bus_names.iter().map(String::as_str);
        named.filter(|name| *name != self.own_event_bus)
    }
}

/// What all of them have in common.
const ROW: Property = Property {
    facets: &[Facet::AsyncInvoke],
    in_version: false,
    compared: Compared::ByTrigger,
    ..super::configuration::ROW
};

pub(super) const PROPERTIES: &[Property] = &[
    url::PROPERTY,
    invokers::PROPERTY,
    schedules::PROPERTY,
    event_rules::PROPERTY,
    event_sources::PROPERTY,
    async_invoke::RETRIES,
    async_invoke::MAXIMUM_AGE,
    async_invoke::ON_FAILURE,
];

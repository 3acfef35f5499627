//! What is done to functions that are there, by commands and by pages.

use formation_client::{Client, ETag};
use formation_model::FunctionName;

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// AWS is brought back to what is recorded.
    Repair,
    /// To a revision.
    Rollback(u64),
    /// All that belongs to it is removed.
    Delete,
}

impl Kind {
    /// What is asked before it is done.
    pub fn question(self, names: &[FunctionName]) -> String {
        let names = names.iter().map(FunctionName::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Repair => format!("Bring {names} back to what is recorded?"),
            Self::Rollback(to) => format!("Take {names} back to revision {to}?"),
            Self::Delete => format!("Delete {names}, with code, role and logs?"),
        }
    }

    /// The change of a function that does it.
    pub fn ask(self, client: &Client, Target { name, etag }: &Target) -> formation_client::Change {
        let change = match &self {
            Self::Repair => client.repair(name),
            Self::Rollback(to) => client.roll_back(name, Some(*to)),
            Self::Delete => client.delete(name),
        };
        match etag {
            Some(etag) => change.if_match(etag),
            None => change,
        }
    }
}

/// A function to which something is done.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: FunctionName,
    /// What it must be: nothing is done to what somebody has changed since.
    pub etag: Option<ETag>,
}

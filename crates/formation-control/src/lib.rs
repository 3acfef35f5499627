//! What the doors (HTTP, events) and the steps share: records in DynamoDB, bundles in S3, starting
//! executions, and accepting an operation out of these three.
//!
//! Nothing here knows of HTTP, of Lambda or of its environment, and nothing else spells a key of the
//! table or the bucket. Doors ask [`Control`]; steps read their operation from [`Records`] and commit
//! its outcome there.

mod bundles;
mod caller;
mod control;
mod executions;
mod history;
mod records;
mod refusal;
mod revisions;
#[cfg(test)]
mod tests;
mod version_tag;

pub use bundles::Bundles;
pub use caller::Caller;
pub use control::{
    Accepted, Change, Control, Decision, Edit, FunctionBoundary, OperationSeen, Put, Requester,
    Unchanged,
};
pub use executions::{ExecutionEnd, ExecutionState, Executions};
pub use records::{
    Due, DuePage, FunctionRecord, ListFilter, OperationRecord, Outcome, Position, Queue, Reached,
    Records, RepairedDrift, RequestKey, Retired, RevisionRecord, Verdict,
};
pub use refusal::Refusal;
pub use revisions::prune_revisions;
pub use version_tag::{Condition, InvalidVersionTag, VersionTag};

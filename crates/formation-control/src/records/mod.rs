//! The records of functions and operations: one DynamoDB table.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | function | `FUNCTION` | its name |
//! | operation | `FUNCTION#<name>` | `OPERATION#<ulid>` |
//! | revision | `FUNCTION#<name>` | `REVISION#<number, ten digits>` |
//! | version to be deleted | `FUNCTION#<name>` | `RETIRED#VERSION#<number>`, or `RETIRED#OPERATION#<ulid>` for what that published |
//! | idempotency key | `IDEMPOTENCY#<hash of caller and key>` | `IDEMPOTENCY` |
//!
//! The sparse index `due` (a few constant keys, sorted by time) holds what `reconcile` must look at.
//!
//! All functions share a partition on purpose: listing is then ordered, paged and strongly
//! consistent. Every write is conditional on the operation that makes it, so that a write whose
//! answer was lost recognises itself when it is repeated.

mod claim;
mod commit;
mod due;
mod idempotency;
mod looks;
mod pages;
mod retired;
mod revisions;
mod stored;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use claim::{Claim, START_GRACE};
pub use commit::{Outcome, Reached};
pub(crate) use due::pause_after;
pub use due::{Due, DuePage, Position, Queue};
pub(crate) use idempotency::IdempotencyRecord;
pub use idempotency::RequestKey;
pub use pages::ListFilter;
pub use retired::{Retired, Verdict};
pub(crate) use revisions::KeptRevision;
pub use revisions::RevisionRecord;
pub use stored::{FunctionRecord, LiveRecord, OperationRecord, RepairedDrift};
pub use table::Records;

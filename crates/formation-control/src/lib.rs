//! What the doors (HTTP, events) and the steps share: records in DynamoDB, bundles in S3, starting
//! executions, and accepting an operation out of these three.
//!
//! Nothing here knows of HTTP, of Lambda or of its environment, and nobody else spells a key of the
//! table or the bucket.

pub mod bundles;
pub mod caller;
pub mod control;
pub mod executions;
mod history;
pub mod records;
pub mod refusal;

pub use bundles::Bundles;
pub use caller::Caller;
pub use control::{Accepted, Already, Changed, Control, Expected, Operations, Requester};
pub use executions::Executions;
pub use records::{FunctionRecord, OperationRecord, Outcome, Records, RequestKey};
pub use refusal::Refusal;

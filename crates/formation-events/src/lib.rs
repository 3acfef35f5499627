//! The EventBridge side: requests that come by event (`intake`), and `reconcile`, which
//! heals what was stopped, finishes what was left over, and compares functions with AWS. `prune-versions` deletes versions
//! that nobody runs any more, by a role of its own.
//!
//! The first two are doors to `formation-control`, as the HTTP API is.

pub mod announcer;
pub mod intake;
pub mod prune;
pub mod reconcile;

pub use announcer::Announcer;
pub use intake::Intake;
pub use prune::Pruner;
pub use reconcile::{DriftMode, Reconciler};

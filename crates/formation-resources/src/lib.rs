//! The three things that AWS holds for a function, each with the same three verbs:
//!
//! - `ensure` brings the resource to its target from whatever is there, and changes nothing where
//!   it already matches;
//! - `remove` takes it away, and succeeds when it is gone or never was ours;
//! - `compare` tells what differs from the target, and changes nothing.
//!
//! The first two can be repeated after a lost answer or a crash at any point: names derive from the
//! function's, and ownership is proved by reading the tags back, never remembered. A resource
//! without our tags is neither changed nor removed.
//!
//! Nothing here knows of order, records or of the Lambdas that call it.

pub mod function;
pub mod log_group;
pub mod role;

mod comparer;
mod error;
mod tags;

pub use comparer::Comparer;
pub use error::ResourceError;

#[cfg(test)]
mod testing;

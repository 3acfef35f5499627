//! What AWS holds for a function: role, log group, Lambda function, what callers run of it, and what calls it.
//! Each has the same three verbs:
//!
//! - `ensure` brings the resource to its target from whatever is there, and changes nothing where
//!   it already matches;
//! - `remove` takes it away, and succeeds when it is gone;
//! - `compare` tells what differs from the target, and changes nothing.
//!
//! The first two can be repeated after a lost answer or a crash at any point: names derive from the
//! function's, and ownership is proved by reading the tags back, never remembered. A resource
//! without our tags is neither changed nor removed, and nothing is told of it but that it is there.
//!
//! Nothing here knows of order, records or of the Lambdas that call it.

pub mod boundary;
pub mod function;
pub mod live;
pub mod log_group;
pub mod role;
pub mod triggers;

mod comparer;
mod error;
mod ownership;
mod redaction;
mod tags;

pub use comparer::{Comparer, Recorded};
pub use error::ResourceError;

use formation_model::{FunctionName, FunctionSpec};
use jiff::Timestamp;

/// What a resource is brought to, and for which operation.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The specification to reach.
    pub spec: &'a FunctionSpec,
    /// What the record says was there before.
    pub formerly: Option<&'a FunctionSpec>,
    /// When the operation began: what is younger, it may have made itself.
    pub since: Timestamp,
    /// Whether what Formation does not name of a function's configuration goes back to Lambda's
    /// default: a repair brings AWS back to the record in that, too.
    pub resets_unnamed: bool,
    /// Whether it is gone back to what was there before, which must not need what is gone meanwhile.
    pub restores: bool,
    /// Whether nothing is taken away that callers of `formerly` may need, who run it still: of the role what it
    /// allows, of the function its concurrency.
    pub only_adds: bool,
    /// Whether callers run a version already that is as it should be, so that it is no failure where AWS refuses to
    /// bring the function itself there: its runtime is blocked by now, or a layer is gone.
    pub may_be_refused: bool,
}

/// What is removed, and for which operation.
#[derive(Clone, Copy, Debug)]
pub struct Removal<'a> {
    /// The function whose resource goes.
    pub function: &'a FunctionName,
    /// What it was made as, or was to be, where that is known.
    pub spec: Option<&'a FunctionSpec>,
    /// What becomes of a resource that is there and is not ours.
    pub foreign: Foreign,
    /// When the operation began: what is younger, it may have made itself.
    pub since: Timestamp,
}

/// What a removal makes of a resource that is there and cannot be proved ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Foreign {
    /// It never was ours: it is left, and the removal has succeeded.
    IsLeft,
    /// There was one of ours, and this may be it: the removal has failed.
    IsAnError,
}

impl Removal<'_> {
    /// What a removal ends in that has found `error` in proving ownership.
    fn refused(&self, error: ResourceError) -> Result<(), ResourceError> {
        match (error, self.foreign) {
            (ResourceError::NotOwned { .. }, Foreign::IsLeft) => Ok(()),
            (error, _) => Err(error),
        }
    }
}

#[cfg(test)]
mod testing;

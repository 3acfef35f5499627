//! Local AWS for people (`make run`) and for the end-to-end tests: MiniStack with IAM enforcement,
//! and the real template with the real Lambdas. `make run` then types the commands of [`tour`].
//!
//! What local AWS does otherwise than AWS is dealt with here, in [`deploy`]'s list, and nowhere in
//! the product.

pub mod deploy;
pub mod lambda;
pub mod ministack;
pub mod project;
pub mod stack;
pub mod tour;

mod error;

pub use error::LocalError;
pub use ministack::{MiniStack, Options};
pub use project::Project;
pub use stack::Stack;

/// The Region of local AWS.
pub const REGION: &str = "us-east-1";
/// The name of the stack on local AWS.
pub const STACK_NAME: &str = "formation";

//! What every Lambda binary starts with: what the template tells it through its environment, its
//! log, and clients of AWS with the patience of a step or of a door.
//!
//! What is done with them is the business of the crates that the binaries belong to.

mod config;
mod door;
mod environment;
mod invocation;
mod log;
mod step;

pub use config::sdk_config;
pub use door::Door;
pub use environment::{
    BadVariable, drift_check_interval, function_settings, required_var, revisions_kept,
    role_settings, stack_identity, trigger_settings,
};
pub use invocation::run;
pub use lambda_runtime::Error;
pub use step::Step;

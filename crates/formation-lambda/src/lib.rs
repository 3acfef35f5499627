//! What every Lambda binary starts with: what the template tells it through its environment, its
//! log, and clients of AWS with the patience of a step or of a door.
//!
//! What is done with them is the business of the crates that the binaries belong to.

mod config;
mod environment;
mod log;

pub use config::{sdk_config, step_retries, step_sdk_config};
pub use environment::{BadVariable, control, drift_check_interval, required_var, stack_identity};
pub use log::init_log;

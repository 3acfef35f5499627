//! What Formation means by a function and by an operation on it.
//!
//! This crate is pure: it knows serde and nothing of AWS's SDK, of HTTP or of Step Functions. What
//! crosses a process boundary is spelled here and nowhere else: the JSON of functions, operations
//! and problems, the input of an execution, the names of errors and of AWS resources.

pub mod about;
pub mod archive;
pub mod bundle;
pub mod drift;
pub mod event;
mod fields;
pub mod function;
mod id;
pub mod json;
pub mod name;
pub mod names;
pub mod open;
pub mod operation;
pub mod page;
pub mod part;
pub mod plan;
pub mod plans;
pub mod problem;
#[cfg(test)]
mod releases;
pub mod request;
pub mod revision;
pub mod runtime;
pub mod schema;
pub mod step;
pub mod tag;
mod time;
pub mod triggers;
pub mod upload;
pub mod version;
pub mod view;
pub mod warning;

pub use about::About;
pub use bundle::Bundle;
pub use drift::{Difference, Drift, DriftReport, DriftStatus};
pub use function::code::CodeSource;
pub use function::{Defaults, FunctionRequest, FunctionSpec, PolicyStatement, Property};
pub use json::{Document, MalformedJson};
pub use name::FunctionName;
pub use names::StackIdentity;
pub use open::Open;
pub use operation::{
    Operation, OperationId, OperationKind, OperationStatus, OperationStep, Rollback,
};
pub use page::{Listed, Page};
pub use part::{Facet, Part};
pub use plan::{Plan, PlannedPart};
pub use plans::{FunctionPlan, PlanError, PlanErrorCode, Plans};
pub use problem::{FieldProblem, FieldProblemCode, FieldProblems, Problem, ProblemCode};
pub use revision::{Revision, RollbackRequest};
pub use step::{ErrorName, ExecutionInput, Failure, Goal, Lane, Recovery, StepInput};
pub use triggers::{Trigger, TriggerKey, TriggerKind, Triggers};
pub use upload::{CodeLink, Upload, UploadId, UploadRequest};
pub use version::PublishedVersion;
pub use view::{Function, FunctionStatus};
pub use warning::{Warning, WarningCode};

//! The step Lambdas: one function for each Task state of `statemachine.asl.json`, and one binary in
//! `src/bin` for each of these functions.
//!
//! A step reads its operation, acts only while it is the operation's current attempt, and does one
//! thing. Which step comes next, what is retried and what is undone is the state machine's matter.

mod ensure;
mod error;
mod live;
mod record;
mod remove;
mod run;
mod triggers;

pub use ensure::{ensure_function, ensure_log_group, ensure_role};
pub use error::StepError;
pub use live::{go_live, restore_live};
pub use record::{record_failure, record_success};
pub use remove::{remove_function, remove_log_group, remove_role};
pub use run::run_step;
pub use triggers::{ensure_triggers, remove_triggers};

use formation_control::{OperationRecord, Records};
use formation_model::{Difference, OperationStatus, PublishedVersion, StepInput};
use serde::Serialize;

/// What an ensure step answers: it is the same however often the step runs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ensured {
    /// ARN of the resource that is as it should be: for people who look at the execution.
    pub arn: String,
    /// Of a role its RoleId, which the state machine hands to the steps that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// Of a role whether it has more than the target asks for, which is taken from it once callers have moved.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub narrows: bool,
    /// Of a Lambda function what it has and Formation does not name, which is handed on to the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<Vec<Difference>>,
    /// Of a Lambda function that was just made the version that was published with it.
    pub published: Option<PublishedVersion>,
}

/// What the steps answer that move callers: where they are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Callers {
    /// The version that the alias leads to; null where nothing is known of it.
    pub version: Option<PublishedVersion>,
    /// The alias's RevisionId, for the commit.
    pub alias_revision_id: Option<String>,
    /// Whether it was found, in going back, that they run what the operation has made.
    pub moved: bool,
    /// Whether the version that was made of what they ran before is not as that is recorded.
    pub otherwise: bool,
    /// Whether there was no alias any more: with it went what belongs to it of what calls the function.
    pub remade: bool,
}

/// What the step answers that makes what calls a function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Called {
    /// The function's address, for the commit; null where it has none.
    pub function_url: Option<String>,
}

/// What a remove step answers: that its resource is gone, or is nothing of ours.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Removed {}

/// The operation of this execution, while it runs: the execution may still act for it.
async fn current_operation(
    records: &Records,
    input: &StepInput,
) -> Result<OperationRecord, StepError> {
    operation_in(&[OperationStatus::Running], records, input).await
}

/// The operation of this execution, if the execution is that of its current attempt and the
/// operation has one of these statuses.
async fn operation_in(
    statuses: &[OperationStatus],
    records: &Records,
    input: &StepInput,
) -> Result<OperationRecord, StepError> {
    let execution = &input.execution;
    let found = records.operation(&execution.function_name, execution.operation_id).await?;
    found
        .filter(|found| found.attempt == execution.attempt && statuses.contains(&found.status))
        .ok_or_else(|| StepError::superseded(execution))
}

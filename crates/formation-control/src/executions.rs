//! Starting the state machine.

use aws_sdk_sfn::Client;
use formation_aws::AwsError;

use crate::records::OperationRecord;
use crate::refusal::Refusal;

/// The executions of the stack's state machine.
#[derive(Clone, Debug)]
pub struct Executions {
    client: Client,
    state_machine_arn: String,
}

impl Executions {
    /// The executions of `state_machine_arn`.
    pub fn new(client: Client, state_machine_arn: impl Into<String>) -> Self {
        Self { client, state_machine_arn: state_machine_arn.into() }
    }

    /// The state machine.
    pub fn state_machine_arn(&self) -> &str {
        &self.state_machine_arn
    }

    /// Starts the current attempt of `operation`. Starting it again is no error: name and input
    /// follow from the record alone, so one execution runs.
    ///
    /// # Errors
    /// What Step Functions answered.
    pub async fn start(&self, operation: &OperationRecord) -> Result<(), Refusal> {
        let input = serde_json::to_string(&operation.execution_input())
            .map_err(|error| Refusal::Record(error.to_string()))?;
        let started = self
            .client
            .start_execution()
            .state_machine_arn(&self.state_machine_arn)
            .name(operation.execution_name())
            .input(input)
            .send()
            .await;
        match started {
            Ok(_) => Ok(()),
            Err(error) => match AwsError::new("states:StartExecution", error) {
                error if was_started_before(&error) => Ok(()),
                error => Err(error.into()),
            },
        }
    }
}

/// A running execution of this name and input is answered as started; one that has ended is
/// refused so.
fn was_started_before(error: &AwsError) -> bool {
    error.has_code("ExecutionAlreadyExists")
}

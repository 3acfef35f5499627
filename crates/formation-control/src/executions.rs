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

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::{mock, mock_client};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;
    use formation_model::{OperationId, OperationKind, OperationStatus, ProblemCode, Rollback};
    use jiff::Timestamp;

    use super::*;

    const ARN: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:formation";

    fn operation() -> OperationRecord {
        OperationRecord {
            operation_id: OperationId::generate(),
            kind: OperationKind::Delete,
            function_name: "hello".parse().unwrap(),
            status: OperationStatus::Running,
            attempt: 3,
            target: None,
            previous: None,
            released: None,
            revision: 1,
            rollback: Rollback::NotNeeded,
            error: None,
            leftovers: Vec::new(),
            started_at: Timestamp::now(),
            ended_at: None,
            requested_by: "ann".into(),
        }
    }

    /// What starting answers when Step Functions answers with this code.
    async fn started(code: &'static str) -> Result<(), Refusal> {
        let operation = operation();
        let name = format!("hello-DELETE-{}-3", operation.operation_id);
        let refused = mock!(Client::start_execution)
            .match_requests(move |request| request.name() == Some(name.as_str()))
            .then_http_response(move || {
                let body = format!("{{\"__type\": \"{code}\", \"message\": \"told\"}}");
                HttpResponse::new(StatusCode::try_from(400).unwrap(), body.into())
            });
        let client = mock_client!(aws_sdk_sfn, [&refused]);
        Executions::new(client, ARN).start(&operation).await
    }

    #[tokio::test]
    async fn an_execution_that_exists_was_started() {
        assert!(started("ExecutionAlreadyExists").await.is_ok());
        let error = started("StateMachineDoesNotExist").await.unwrap_err();
        assert_eq!(error.code(), ProblemCode::InternalError);
    }
}

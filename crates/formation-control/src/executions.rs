//! The executions of the state machine: one for each attempt of an operation.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::get_execution_history::builders::GetExecutionHistoryFluentBuilder;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use formation_aws::AwsError;
use formation_model::names::execution_arn;
use jiff::Timestamp;

use crate::history;
use crate::records::OperationRecord;
use crate::refusal::Refusal;

/// How many events of an execution's history a call asks for, which is the most that it may, and how
/// many calls read a whole history.
///
/// Sources: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html>,
/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html> (25,000 events).
const EVENTS_A_PAGE: i32 = 1000;
const MOST_PAGES: usize = 25;

/// Where the execution of an operation's current attempt is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExecutionState {
    /// It was never started.
    Missing,
    /// It runs, or was redriven and runs again.
    Running,
    /// It has ended.
    Ended(ExecutionEnd),
}

/// How an execution ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExecutionEnd {
    /// Step Functions' word for it: `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// The name of the error that it failed with.
    pub error: Option<String>,
    /// When.
    pub at: Timestamp,
}

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
    pub(crate) fn state_machine_arn(&self) -> &str {
        &self.state_machine_arn
    }

    /// Starts the current attempt of `operation`. Starting it again is no error: name and input
    /// follow from the record alone, so one execution runs.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if Step Functions refuses or cannot be reached.
    pub(crate) async fn start(&self, operation: &OperationRecord) -> Result<(), Refusal> {
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

    /// Where the execution of the current attempt of `operation` is. Step Functions answers
    /// eventually consistent, so one that was just started may be missing.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if Step Functions refuses or cannot be reached.
    pub(crate) async fn state(
        &self,
        operation: &OperationRecord,
    ) -> Result<ExecutionState, Refusal> {
        let described =
            self.client.describe_execution().execution_arn(self.arn(operation)).send().await;
        let execution = match described {
            Ok(execution) => execution,
            Err(error) => match AwsError::new("states:DescribeExecution", error) {
                error if does_not_exist(&error) => return Ok(ExecutionState::Missing),
                error => return Err(error.into()),
            },
        };
        if execution.status == ExecutionStatus::Running {
            return Ok(ExecutionState::Running);
        }
        let at = execution.stop_date.and_then(|at| Timestamp::from_second(at.secs()).ok());
        Ok(ExecutionState::Ended(ExecutionEnd {
            status: execution.status.as_str().to_owned(),
            error: execution.error,
            at: at.unwrap_or_else(Timestamp::now),
        }))
    }

    /// The step that the current attempt of `operation` is at, or was at last: the Task or Wait state
    /// that it has entered last. None if it has entered none.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what Step Functions answered.
    pub(crate) async fn last_state(
        &self,
        operation: &OperationRecord,
    ) -> Result<Option<String>, Refusal> {
        // Backwards, and all the way: each try of a step has events of its own, and there may be
        // hundreds of tries.
        let history = self.history_of(operation).reverse_order(true).include_execution_data(false);
        let mut state = None;
        each_page(history, |events| {
            state = events.into_iter().find_map(|event| {
                let entered = event.state_entered_event_details?;
                history::is_step(&event.r#type).then_some(entered.name)
            });
            state.is_none()
        })
        .await?;
        Ok(state)
    }

    /// Everything that happened in the execution of an attempt of `operation`, in order; nothing if
    /// it was never started or is not remembered any more.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what Step Functions answered.
    pub(crate) async fn history(
        &self,
        operation: &OperationRecord,
    ) -> Result<Vec<HistoryEvent>, Refusal> {
        let mut all = Vec::new();
        each_page(self.history_of(operation), |events| {
            all.extend(events);
            true
        })
        .await?;
        Ok(all)
    }

    fn history_of(&self, operation: &OperationRecord) -> GetExecutionHistoryFluentBuilder {
        self.client
            .get_execution_history()
            .execution_arn(self.arn(operation))
            .max_results(EVENTS_A_PAGE)
    }

    /// Stops the execution of the current attempt of `operation`. Its step that runs is not cut off.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if Step Functions refuses or cannot be reached. That an execution has ended, or
    /// never was, is not an error.
    pub(crate) async fn stop(
        &self,
        operation: &OperationRecord,
        cause: &str,
    ) -> Result<(), Refusal> {
        let stopped = self
            .client
            .stop_execution()
            .execution_arn(self.arn(operation))
            .error("Formation.Superseded")
            .cause(cause)
            .send()
            .await;
        match stopped {
            Ok(_) => Ok(()),
            Err(error) => match AwsError::new("states:StopExecution", error) {
                error if does_not_exist(&error) => Ok(()),
                error => Err(error.into()),
            },
        }
    }

    fn arn(&self, operation: &OperationRecord) -> String {
        execution_arn(&self.state_machine_arn, &operation.execution_name())
    }
}

/// Reads the pages of a history until `take` has seen enough of them; none if there is no such
/// execution.
async fn each_page(
    history: GetExecutionHistoryFluentBuilder,
    mut take: impl FnMut(Vec<HistoryEvent>) -> bool,
) -> Result<(), Refusal> {
    let mut pages = history.into_paginator().send();
    for _ in 0..MOST_PAGES {
        match pages.next().await {
            None => break,
            Some(Ok(page)) => {
                if !take(page.events) {
                    break;
                }
            }
            Some(Err(error)) => match AwsError::new("states:GetExecutionHistory", error) {
                error if does_not_exist(&error) => break,
                error => return Err(error.into()),
            },
        }
    }
    Ok(())
}

fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("ExecutionDoesNotExist")
}

/// A running execution of this name and input is answered as started; one that has ended is
/// refused so.
fn was_started_before(error: &AwsError) -> bool {
    error.has_code("ExecutionAlreadyExists")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;
    use formation_model::{OperationKind, ProblemCode};
    use serde_json::json;

    use super::*;
    use crate::records;

    const ARN: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:formation";

    fn operation() -> OperationRecord {
        OperationRecord {
            kind: OperationKind::Delete,
            attempt: 3,
            target: None,
            ..records::tests::operation()
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

    /// Where the execution is when Step Functions answers so.
    async fn state(status: u16, body: &'static str) -> Result<ExecutionState, Refusal> {
        let described = mock!(Client::describe_execution)
            .match_requests(|request| {
                request.execution_arn().is_some_and(|arn| {
                    arn.starts_with(
                        "arn:aws:states:eu-west-1:111122223333:execution:formation:hello-",
                    )
                })
            })
            .then_http_response(move || {
                HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into())
            });
        let client = mock_client!(aws_sdk_sfn, [&described]);
        Executions::new(client, ARN).state(&operation()).await
    }

    #[tokio::test]
    async fn an_execution_is_missing_or_running_or_has_ended_for_a_reason() {
        let missing = r#"{"__type": "ExecutionDoesNotExist", "message": "told"}"#;
        assert_eq!(state(400, missing).await.unwrap(), ExecutionState::Missing);
        let running = r#"{"executionArn": "a", "stateMachineArn": "s", "status": "RUNNING", "startDate": 1.5}"#;
        assert_eq!(state(200, running).await.unwrap(), ExecutionState::Running);
        let failed = r#"{
            "executionArn": "a", "stateMachineArn": "s", "status": "FAILED", "error": "REJECTED",
            "startDate": 1.5, "stopDate": 1700000000.25
        }"#;
        let end = ExecutionEnd {
            status: "FAILED".into(),
            error: Some("REJECTED".into()),
            at: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        assert_eq!(state(200, failed).await.unwrap(), ExecutionState::Ended(end));
        let denied = r#"{"__type": "AccessDeniedException", "message": "told"}"#;
        assert!(state(400, denied).await.is_err());
    }

    fn page(body: serde_json::Value, token: Option<&'static str>) -> Rule {
        mock!(Client::get_execution_history)
            .match_requests(move |request| {
                request.reverse_order() == Some(true) && request.next_token() == token
            })
            .then_http_response(move || {
                HttpResponse::new(StatusCode::try_from(200).unwrap(), body.to_string().into())
            })
    }

    async fn last_state(pages: &[&Rule]) -> Option<String> {
        let client = mock_client!(aws_sdk_sfn, RuleMode::Sequential, pages);
        Executions::new(client, ARN).last_state(&operation()).await.unwrap()
    }

    fn entered(id: u32, kind: &str, name: &str) -> serde_json::Value {
        json!({
            "id": id, "type": format!("{kind}StateEntered"), "timestamp": 1,
            "stateEnteredEventDetails": {"name": name}
        })
    }

    #[tokio::test]
    async fn a_step_is_found_however_often_it_was_tried() {
        // A try has three events on AWS.
        let tries = |from: u32| {
            let event = |id| {
                let kinds = ["TaskFailed", "TaskStarted", "TaskScheduled"];
                json!({"id": id, "type": kinds[id as usize % 3], "timestamp": 1})
            };
            (from..from + 1000).rev().map(event).collect::<Vec<_>>()
        };
        let last = json!({"events": tries(1006), "nextToken": "1"});
        let begun = [entered(5, "Task", "Ensure log group"), entered(2, "Task", "Ensure role")];
        let first = [tries(6), begun.to_vec()].concat();
        let first = json!({"events": first, "nextToken": "2"});
        let (last, first) = (page(last, None), page(first, Some("1")));
        // The third page is not asked for.
        assert_eq!(last_state(&[&last, &first]).await.as_deref(), Some("Ensure log group"));
    }

    #[tokio::test]
    async fn choices_are_no_steps_and_what_has_not_begun_is_at_none() {
        let begun = page(json!({"events": [entered(2, "Choice", "Choose lane")]}), None);
        assert_eq!(last_state(&[&begun]).await, None);
        let caught = json!({"events": [
            entered(9, "Choice", "Choose recovery"), entered(7, "Wait", "Let AWS settle")
        ]});
        assert_eq!(last_state(&[&page(caught, None)]).await.as_deref(), Some("Let AWS settle"));
        let missing = mock!(Client::get_execution_history).then_http_response(|| {
            let body = r#"{"__type": "ExecutionDoesNotExist", "message": "told"}"#;
            HttpResponse::new(StatusCode::try_from(400).unwrap(), body.into())
        });
        assert_eq!(last_state(&[&missing]).await, None);
    }

    #[tokio::test]
    async fn a_history_without_end_is_not_read_for_ever() {
        let pages = AtomicUsize::new(0);
        let page = mock!(Client::get_execution_history).then_http_response(move || {
            let next = pages.fetch_add(1, Ordering::Relaxed).to_string();
            let body = json!({"events": [], "nextToken": next}).to_string();
            HttpResponse::new(StatusCode::try_from(200).unwrap(), body.into())
        });
        let client = mock_client!(aws_sdk_sfn, RuleMode::MatchAny, [&page]);
        assert!(Executions::new(client, ARN).history(&operation()).await.is_ok());
        assert_eq!(page.num_calls(), MOST_PAGES);
    }
}

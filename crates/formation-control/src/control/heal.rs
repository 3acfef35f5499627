//! What reconcile does: it looks at what is due, starts and takes over operations, finishes what was
//! left over, and records what comparisons with AWS have found.
//!
//! Each write is made on condition that the record is as it was seen, so reconcile can be cut off
//! anywhere and run twice at once.

use formation_aws::Chain;
use formation_model::operation::{INTERRUPTED, OperationError};
use formation_model::{Drift, FunctionName, FunctionStatus, OperationId, OperationKind};
use jiff::Timestamp;

use super::{Control, Decision, Requester, log};
use crate::executions::{ExecutionEnd, ExecutionState};
use crate::records::{
    Due, DuePage, FunctionRecord, OperationRecord, Position, Queue, RepairedDrift, START_GRACE,
    pause_after,
};
use crate::refusal::Refusal;

impl Control {
    /// What was due of `queue` at `now`, the longest overdue first: at most `limit` items, from
    /// `after` on. What is put off meanwhile moves none of those behind it.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        limit: i32,
        after: Option<Position>,
    ) -> Result<DuePage, Refusal> {
        self.records.due(queue, now, limit, after).await
    }

    /// Puts off what could not be looked at, by a pause that grows with the failures in a row.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn put_off(&self, due: &Due) -> Result<(), Refusal> {
        self.records.put_off(due).await
    }

    /// The record of a function that is due, unless it is gone.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read.
    pub async fn due_function(
        &self,
        name: &FunctionName,
    ) -> Result<Option<FunctionRecord>, Refusal> {
        self.records.function(name).await
    }

    /// The record of an operation that is due, unless it is gone.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read.
    pub async fn due_operation(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<Option<OperationRecord>, Refusal> {
        self.records.operation(function, operation).await
    }

    /// Where the execution of the operation's current attempt is.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what Step Functions answered.
    pub async fn execution_of(
        &self,
        operation: &OperationRecord,
    ) -> Result<ExecutionState, Refusal> {
        self.executions.state(operation).await
    }

    /// Starts an attempt that was accepted and never started. Starting it twice starts it once.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what Step Functions answered.
    pub async fn start_missing(&self, operation: &OperationRecord) -> Result<(), Refusal> {
        self.executions.start(operation).await
    }

    /// Looks at the operation again at `at`. Nothing happens if it is not as it was seen any more.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn postpone(&self, seen: &OperationRecord, at: Timestamp) -> Result<(), Refusal> {
        self.records.postpone(seen, at).await
    }

    /// Looks no more at an operation that has ended and was announced.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn conclude(&self, seen: &OperationRecord) -> Result<(), Refusal> {
        self.records.conclude(seen).await
    }

    /// Takes an operation over whose execution has ended without recording an outcome. The first
    /// time at once, then after pauses that grow: until then it is postponed. False if it is not as
    /// it was seen any more.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB or Step Functions answered.
    pub async fn recover(
        &self,
        seen: &OperationRecord,
        end: &ExecutionEnd,
    ) -> Result<bool, Refusal> {
        if seen.attempt > 1 {
            let next = end.at + pause_after(seen.attempt - 1);
            if next > Timestamp::now() {
                self.postpone(seen, next).await?;
                return Ok(true);
            }
        }
        tracing::info!(
            operationId = %seen.operation_id,
            functionName = %seen.function_name,
            attempt = seen.attempt,
            "taking over from an execution that has ended"
        );
        let step = self.executions.last_state(seen).await?;
        let told = end.error.as_deref().map(|error| format!(" with {error}"));
        let reason = OperationError {
            code: INTERRUPTED.to_owned(),
            message: format!(
                "the execution of attempt {} ended as {}{} before an outcome was recorded",
                seen.attempt,
                end.status,
                told.unwrap_or_default()
            ),
            step: step.unwrap_or_else(|| seen.execution_input().first_step().to_owned()),
            aws_error_code: None,
            aws_request_id: None,
        };
        Ok(self.take_over(seen, &reason).await?.is_some())
    }

    /// Takes an operation over from its current attempt, which can do nothing more from then on,
    /// and starts the next attempt: for a delete in its own lane, for everything else back to what
    /// was before, unless callers have moved. None if the operation has ended or gone further meanwhile. An attempt that cannot
    /// be started now is started by the next look.
    pub(super) async fn take_over(
        &self,
        seen: &OperationRecord,
        reason: &OperationError,
    ) -> Result<Option<OperationRecord>, Refusal> {
        let due = Timestamp::now() + START_GRACE;
        let Some(taken) = self.records.take_over(seen, reason, due).await? else {
            return Ok(None);
        };
        // It would end by itself at its next step; stopping it makes that plain to see.
        if let Err(error) = self.executions.stop(seen, &reason.message).await {
            log(&taken, &error, "the execution of the superseded attempt was not stopped");
        }
        self.start(&taken, None).await;
        Ok(Some(taken))
    }

    /// Accepts finishing what left the function FAILED, whoever had asked for it: a delete is
    /// finished by a delete, everything else by a repair.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing was changed then.
    pub async fn heal(&self, function: &FunctionRecord) -> Result<Decision, Refusal> {
        let name = &function.spec.function_name;
        let last = self.records.operation(name, function.operation_id).await?;
        let requester = Requester::formation();
        match last.map(|last| last.kind) {
            Some(OperationKind::Delete) => {
                self.delete_function(function, &requester, function.failures).await
            }
            _ => self.repair_function(function, &requester, function.failures).await,
        }
    }

    /// Records what a comparison with AWS found, what was repaired because of it, and when the next
    /// comparison is due; without `next` the function stays due until the repair claims it. False,
    /// and nothing is recorded, if an operation has been accepted since the function was seen.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn record_drift(
        &self,
        seen: &FunctionRecord,
        drift: &Drift,
        repaired: Option<&RepairedDrift>,
        next: Option<Timestamp>,
    ) -> Result<bool, Refusal> {
        self.records.record_drift(seen, drift, repaired, next).await
    }

    /// Forgets what the previous release kept in operations on the function that have ended. Only
    /// those kept anything that left it FAILED, so nothing is done for one that is well and that this
    /// release has committed. Best effort: the next change or look makes up for what fails.
    pub async fn forget_specifications(&self, function: &FunctionRecord) {
        if function.status != FunctionStatus::Failed && function.role_id.is_some() {
            return;
        }
        let name = &function.spec.function_name;
        if let Err(error) = self.records.forget_specifications(name).await {
            tracing::error!(
                functionName = %name,
                error = %Chain(&error),
                "specifications that the previous release kept are not forgotten yet"
            );
        }
    }
}

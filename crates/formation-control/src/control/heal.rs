//! What reconcile does about operations and functions that are not as they should be.

use formation_aws::Chain;
use formation_model::operation::OperationError;
use formation_model::{FunctionStatus, OperationKind};
use jiff::Timestamp;

use super::{Changed, Control, Requester, log};
use crate::records::{FunctionRecord, OperationRecord, START_GRACE};
use crate::refusal::Refusal;

impl Control {
    /// Accepts finishing what left the function FAILED, whoever asked for that: a delete is
    /// finished by a delete, everything else by a repair.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing was changed then.
    pub async fn heal(&self, function: &FunctionRecord) -> Result<Changed, Refusal> {
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

    /// Forgets what the previous release kept in operations on the function that have ended. Only
    /// those kept anything that left it FAILED, so nothing is done for one that is well and that this
    /// release has committed. Best effort: what fails is made up for by the next change or look.
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

    /// Takes an operation over from its current attempt, which can do nothing more from then on,
    /// and starts the next attempt: for a delete in its own lane, for everything else back to what
    /// was before. None if the operation has ended or gone further meanwhile.
    ///
    /// # Errors
    /// What DynamoDB answered. A start that fails is made up for like every other.
    pub async fn take_over(
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
}

//! Cancelling an operation.

use formation_model::operation::{CANCELLED, OperationError};
use formation_model::step::goes_forward;
use formation_model::{FunctionName, Lane, OperationId, OperationStatus};

use super::{Accepted, Control};
use crate::caller::Caller;
use crate::refusal::Refusal;

impl Control {
    /// Cancels an operation while it goes forward: what it has changed is undone, and it fails as
    /// cancelled, unless its callers have moved by then. Cancelling again changes nothing.
    ///
    /// # Errors
    /// [`Refusal::NotCancellable`] if it has ended, its callers have moved, it goes back, or is a delete; or what
    /// AWS answered.
    pub async fn cancel(
        &self,
        function: &FunctionName,
        operation: OperationId,
        caller: &Caller,
    ) -> Result<Accepted, Refusal> {
        let seen = self.operation_record(function, operation).await?;
        let refused = |reason| Refusal::NotCancellable { operation, reason };
        if seen.status != OperationStatus::Running {
            return Err(refused("it has ended"));
        }
        let lane = seen.execution_input().lane;
        if lane == Lane::Delete {
            return Err(refused("a delete only goes forward"));
        }
        if let Some(interruption) = &seen.interruption {
            if interruption.code != CANCELLED {
                return Err(refused("it was interrupted and goes back already"));
            }
            self.executions.start(&seen).await?;
            return Ok(self.accepted(&seen, None));
        }
        let moved = "its callers have moved, and it only goes forward from there";
        if seen.only_forward {
            return Err(refused(moved));
        }
        let state = self.executions.last_state(&seen).await?;
        // Where the version that was kept is gone they move later.
        if state.as_deref().is_some_and(|state| lane.moves_first(state))
            && self.comparer.live_version(function).await? == seen.target_version
        {
            return Err(refused(moved));
        }
        // Whether they have moved by now only the alias tells: then what is accepted here ends SUCCEEDED.
        if !state.as_deref().is_none_or(goes_forward) {
            return Err(refused(
                "its callers have moved, it goes back already, or it has just ended",
            ));
        }
        let reason = OperationError {
            code: CANCELLED.to_owned(),
            message: format!("cancelled by {caller}"),
            step: state.unwrap_or_else(|| seen.execution_input().first_step().to_owned()),
            aws_error_code: None,
            aws_request_id: None,
        };
        match self.take_over(&seen, &reason).await? {
            Some(taken) => Ok(self.accepted(&taken, None)),
            None => Err(refused("it has just ended")),
        }
    }
}

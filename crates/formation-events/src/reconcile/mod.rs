//! Reconcile asks one question of each operation that runs: is there an execution of its
//! current attempt? And of each function that rests: is AWS as recorded, or is a rollback to be
//! finished?
//!
//! It is told by Step Functions when an execution ends badly, which is quick and may be lost,
//! doubled or late, and looks at everything that is due on a schedule, which is slow and sure.
//! Either way the item is read first, and written on condition that it is as it was read. What cannot
//! be looked at, whatever the reason, is put off for longer each time, and the log tells why.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use formation_aws::Chain;
use formation_control::{
    Change, Control, Decision, Due, ExecutionEnd, ExecutionState, FunctionRecord, OperationRecord,
    Queue, Refusal, RepairedDrift, Requester,
};
use formation_model::drift::{DriftAnnouncement, DriftReaction};
use formation_model::event::{DRIFT_STATUS_CHANGE, OPERATION_STATUS_CHANGE};
use formation_model::{
    Difference, Drift, ExecutionInput, FunctionName, FunctionStatus, OperationId, OperationStatus,
    Part,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::announcer::{AnnounceError, Announcer};

/// How many items of a queue are looked at before it is the next one's turn.
const PAGE: i32 = 20;
/// How long one look may take. A scheduled look goes on for 45 s and the Lambda may for 60: the last
/// one must end, and be put off, in between.
const LONGEST_LOOK: Duration = Duration::from_secs(12);
/// Between two comparisons with AWS: at most 2 functions a second, to leave AWS's rates to others.
const COMPARISON_PAUSE: Duration = Duration::from_millis(500);
/// When an operation whose execution runs is looked at again.
const NEXT_LOOK: SignedDuration = SignedDuration::from_mins(5);
/// After so many equal repairs in a row something else is changing it back each time.
const EQUAL_REPAIRS: u32 = 2;

/// What is done about drift that a comparison on the schedule finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DriftMode {
    /// It is recorded and announced.
    Report,
    /// It is repaired, too.
    Repair,
}

/// Looks at what is due, and heals it.
#[derive(Clone, Debug)]
pub struct Reconciler {
    /// Records and executions.
    pub control: Control,
    /// Announces outcomes that their execution did not, and drift.
    pub announcer: Announcer,
    /// What is done about drift.
    pub drift_mode: DriftMode,
    /// How long after a comparison the next one is due.
    pub check_after: SignedDuration,
}

/// Why something could not be looked at. It is put off.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Records or executions.
    #[error(transparent)]
    Control(#[from] Refusal),
    /// The event bus.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    /// It is of a kind that this release does not know.
    #[error("this release does not know what it is")]
    Unknown,
    /// Somebody does not answer.
    #[error("the look took longer than {} s", LONGEST_LOOK.as_secs())]
    OutOfTime,
}

/// The detail of Step Functions' `Execution Status Change`, as far as it matters here.
#[derive(Deserialize)]
struct StatusChange {
    /// The execution's input, as JSON text; left out where it is large, which ours never is.
    input: Option<String>,
}

impl Reconciler {
    /// Looks at the operation whose execution an event tells of.
    ///
    /// # Errors
    /// Why it could not be looked at. The log has told so; it stays due.
    pub async fn on_execution_ended(&self, detail: &Value) -> Result<(), ReconcileError> {
        let input = StatusChange::deserialize(detail).ok().and_then(|change| change.input);
        let input = input.and_then(|text| serde_json::from_str::<ExecutionInput>(&text).ok());
        let Some(input) = input else {
            tracing::warn!("an execution has ended that belongs to no operation; left alone");
            return Ok(());
        };
        self.look_at(&Due::Operation(input.function_name, input.operation_id)).await
    }

    /// Looks at all that is due by now, the queues in turns, until `deadline` is near. What cannot be
    /// looked at is logged and put off.
    ///
    /// # Errors
    /// That the index cannot be read, or how many items could not be looked at.
    pub async fn on_schedule(&self, deadline: Instant) -> Result<(), ScheduleError> {
        let now = Timestamp::now();
        let mut failed = 0;
        let mut unread: Vec<_> = Queue::ALL.into_iter().map(|queue| (queue, None)).collect();
        // In turns, so that no queue waits until another is empty.
        while !unread.is_empty() && Instant::now() < deadline {
            for (queue, after) in std::mem::take(&mut unread) {
                let page = self.control.due(queue, now, PAGE, after).await?;
                failed += self.look_at_all(&page.due, deadline).await;
                unread.extend(page.next.map(|next| (queue, Some(next))));
            }
        }
        if failed > 0 { Err(ScheduleError::Failed(failed)) } else { Ok(()) }
    }

    /// How many could not be looked at.
    async fn look_at_all(&self, due: &[Due], deadline: Instant) -> usize {
        let mut failed = 0;
        for due in due {
            if Instant::now() >= deadline {
                break;
            }
            failed += usize::from(self.look_at(due).await.is_err());
        }
        failed
    }

    async fn look_at(&self, due: &Due) -> Result<(), ReconcileError> {
        let look = async {
            match due {
                Due::Operation(function, operation) => {
                    self.look_at_operation(function, *operation).await
                }
                Due::Function(function) => self.look_at_function(function).await,
                Due::Unknown(..) => Err(ReconcileError::Unknown),
            }
        };
        // Every write can be repeated, so a look can be cut off anywhere.
        let looked =
            timeout(LONGEST_LOOK, Box::pin(look)).await.unwrap_or(Err(ReconcileError::OutOfTime));
        if let Err(error) = &looked {
            tracing::error!(item = %due, error = %Chain(error), "could not be looked at; it is put off");
            if let Err(error) = self.control.put_off(due).await {
                tracing::error!(item = %due, error = %Chain(&error), "could not be put off; it stays due");
            }
        }
        looked
    }

    /// Is there an execution of its current attempt? Was its outcome announced?
    async fn look_at_operation(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<(), ReconcileError> {
        // The last step of an execution that was stopped may still record its outcome, which only
        // the second look sees.
        for _ in 0..2 {
            let found = self.control.due_operation(function, operation).await?;
            let Some(found) = found else { return Ok(()) };
            if self.is_dealt_with(&found).await? {
                break;
            }
        }
        Ok(())
    }

    /// False if the operation is not as it was seen any more.
    async fn is_dealt_with(&self, operation: &OperationRecord) -> Result<bool, ReconcileError> {
        match (operation.status, self.control.execution_of(operation).await?) {
            (_, ExecutionState::Running) => self.look_again(operation, NEXT_LOOK).await?,
            (OperationStatus::Running, ExecutionState::Missing) => {
                tell(operation, "starting an attempt that was never started");
                self.control.start_missing(operation).await?;
                self.look_again(operation, NEXT_LOOK).await?;
            }
            (OperationStatus::Running, ExecutionState::Ended(end)) => {
                return Ok(self.control.recover(operation, &end).await?);
            }
            (_, ExecutionState::Ended(end)) if announced(operation, &end) => {
                self.control.conclude(operation).await?;
            }
            (_, ExecutionState::Ended(_) | ExecutionState::Missing) => {
                tell(operation, "announcing an outcome that its execution did not announce");
                let announcement = operation.to_announcement();
                self.announcer.announce(OPERATION_STATUS_CHANGE, &announcement).await?;
                self.control.conclude(operation).await?;
            }
        }
        Ok(true)
    }

    async fn look_again(
        &self,
        operation: &OperationRecord,
        after: SignedDuration,
    ) -> Result<(), ReconcileError> {
        let next = Timestamp::now() + after;
        Ok(self.control.postpone(operation, next).await?)
    }

    /// Is a rollback to be finished? Is AWS as recorded?
    async fn look_at_function(&self, name: &FunctionName) -> Result<(), ReconcileError> {
        let Some(function) = self.control.due_function(name).await? else { return Ok(()) };
        match function.status {
            FunctionStatus::Failed => {
                tracing::info!(functionName = %name, failures = function.failures, "healing");
                match self.control.heal(&function).await {
                    // Somebody else was faster.
                    Err(Refusal::OperationInProgress { .. } | Refusal::FunctionNotFound(_)) => {
                        Ok(())
                    }
                    other => Ok(other.map(|_| ())?),
                }
            }
            FunctionStatus::Available => {
                let began = Instant::now();
                self.control.forget_specifications(&function).await;
                let looked = self.compare(&function).await;
                sleep(COMPARISON_PAUSE.saturating_sub(began.elapsed())).await;
                looked
            }
            // While an operation runs, the operation stands in the index.
            FunctionStatus::Creating | FunctionStatus::Updating | FunctionStatus::Deleting => {
                Ok(())
            }
        }
    }

    /// Compares a function with AWS, announces what has changed since the last time, and repairs it
    /// if the stack says so.
    async fn compare(&self, function: &FunctionRecord) -> Result<(), ReconcileError> {
        let now = Timestamp::now();
        let differences = self.control.compare_on_schedule(function).await?;
        let drift = Drift::found(&differences, now);
        // What is not ours cannot be repaired: its new owner has to give it back. Nor can anything be while
        // the boundary is gone that roles are to have.
        let can_repair = self.drift_mode == DriftMode::Repair
            && !differences.is_empty()
            && !differences.iter().any(Difference::is_not_owned)
            && !self.control.boundary_is_gone().await;
        let mode = if can_repair { DriftMode::Repair } else { DriftMode::Report };
        let (reaction, repaired) = react(function, &repairable(&differences, now), mode);
        let next = match reaction {
            // It stays due until the repair claims it below.
            DriftReaction::Repair => None,
            DriftReaction::None | DriftReaction::Stopped => Some(now + self.check_after),
        };
        let was_stopped = function.repaired.as_ref().is_some_and(|it| it.times > EQUAL_REPAIRS);
        let news = is_news(&function.drift, &drift)
            || (reaction == DriftReaction::Stopped && !was_stopped)
            || reaction == DriftReaction::Repair;
        let mut announcement = DriftAnnouncement {
            function_name: function.spec.function_name.clone(),
            revision: function.revision,
            drift: drift.clone(),
            reaction: reaction.into(),
            operation_id: None,
        };
        if !drift.is_quiet() {
            // A metric of the template counts these lines.
            tracing::warn!(functionName = %announcement.function_name, drift = %drift.status, "AWS has something else");
        }
        // Told before it is recorded, or a crash in between would leave it untold.
        if news && reaction != DriftReaction::Repair {
            self.announcer.announce(DRIFT_STATUS_CHANGE, &announcement).await?;
        }
        let recorded = self.control.record_drift(function, &drift, repaired.as_ref(), next).await?;
        if !recorded || reaction != DriftReaction::Repair {
            return Ok(());
        }
        let name = function.spec.function_name.clone();
        let repair = Change::Repair { name, condition: None };
        match self.control.accept(repair, &Requester::formation()).await {
            Ok(Decision::Accepted(accepted)) => {
                announcement.operation_id = Some(accepted.operation.operation_id);
            }
            Ok(Decision::Unchanged(_)) => {}
            Err(Refusal::OperationInProgress { .. } | Refusal::FunctionNotFound(_)) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(self.announcer.announce(DRIFT_STATUS_CHANGE, &announcement).await?)
    }
}

/// What of `differences` a repair takes back. Of a function that AWS has refused to bring back it takes none: what
/// callers run is as recorded, and AWS would refuse it again.
fn repairable(differences: &[Difference], now: Timestamp) -> Drift {
    let is_refused = differences.iter().any(Difference::is_refusal);
    let is_lost = |it: &Difference| is_refused && it.part == Part::Function;
    let taken_back = differences.iter().filter(|it| it.is_repairable() && !is_lost(it));
    Drift::found(&taken_back.cloned().collect::<Vec<_>>(), now)
}

/// What to do about `drift`, all of which a repair could take back, and what to remember of it.
fn react(
    function: &FunctionRecord,
    drift: &Drift,
    mode: DriftMode,
) -> (DriftReaction, Option<RepairedDrift>) {
    if drift.is_quiet() || mode == DriftMode::Report {
        return (DriftReaction::None, None);
    }
    let digest = drift.digest.clone().unwrap_or_default();
    let last = function.operation_id;
    let times = match function.repaired.as_ref().filter(|it| it.digest == digest) {
        None => 1,
        // What was decided on never ran: its claim failed, or this look was cut off before it.
        Some(again) if again.after == Some(last) => again.times,
        // One more than it was repaired: that it was stopped is known by that.
        Some(again) => (again.times + 1).min(EQUAL_REPAIRS + 1),
    };
    let repaired = Some(RepairedDrift { digest, times, after: Some(last) });
    if times > EQUAL_REPAIRS {
        (DriftReaction::Stopped, repaired)
    } else {
        (DriftReaction::Repair, repaired)
    }
}

/// A first look that finds all as recorded is no news.
fn is_news(before: &Drift, now: &Drift) -> bool {
    !(before.is_quiet() && now.is_quiet() || before.is_same(now))
}

/// Whether an execution that ended so has announced the outcome of `operation`: it does so just
/// before it succeeds or fails with the operation's own error.
fn announced(operation: &OperationRecord, end: &ExecutionEnd) -> bool {
    match end.status.as_str() {
        "SUCCEEDED" => true,
        "FAILED" => end.error.as_deref() == operation.error.as_ref().map(|it| it.code.as_str()),
        _ => false,
    }
}

fn tell(operation: &OperationRecord, what: &str) {
    tracing::info!(
        operationId = %operation.operation_id,
        functionName = %operation.function_name,
        attempt = operation.attempt,
        "{what}"
    );
}

/// Why a scheduled look was not whole.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] Refusal),
    /// Some items could not be looked at; the log tells which and why.
    #[error("{0} items could not be looked at; they are put off")]
    Failed(usize),
}

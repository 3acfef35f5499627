//! Changes of functions. Each kind has a file, which holds both what is decided before it is
//! accepted and what its plan tells, so that a plan promises what acceptance keeps.
//!
//! One conditional write decides, and whoever asks again hears the same.

mod create;
mod delete;
mod put;
mod repair;
mod rollback;
#[cfg(test)]
mod tests;
mod update;

use std::fmt;

use formation_model::bundle::CodeSummary;
use formation_model::view::Function;
use formation_model::{
    FieldProblems, FunctionName, FunctionRequest, FunctionSpec, FunctionStatus, Operation,
    OperationId, OperationKind, OperationStatus, Plan, Rollback, Warning,
};
use jiff::Timestamp;
use tokio::time::Instant;

pub use self::put::Put;
use super::Control;
use crate::caller::Caller;
use crate::records::{
    Claim, FunctionRecord, IdempotencyRecord, LiveRecord, OperationRecord, RequestKey,
};
use crate::refusal::Refusal;
use crate::version_tag::{Condition, VersionTag};

/// What an update makes of a function's current specification.
pub type Edit<'a> =
    Box<dyn FnOnce(&FunctionSpec) -> Result<FunctionRequest, FieldProblems> + Send + 'a>;

/// A change of a function, to be accepted or planned.
pub enum Change<'a> {
    /// Make it.
    Create(Box<FunctionRequest>),
    /// Bring it to what `edit` makes of its current specification.
    Update {
        /// The function.
        name: FunctionName,
        /// What must hold of it.
        condition: Option<Condition>,
        /// What is to become of it.
        edit: Edit<'a>,
    },
    /// Bring AWS back to what is recorded. Where a create could not be undone, that is to finish
    /// undoing it.
    Repair {
        /// The function.
        name: FunctionName,
        /// What must hold of it.
        condition: Option<Condition>,
    },
    /// Take it back to what it was at an earlier revision.
    Rollback {
        /// The function.
        name: FunctionName,
        /// What must hold of it.
        condition: Option<Condition>,
        /// The revision; the one before the current if none is named.
        revision: Option<u64>,
    },
    /// Remove it.
    Delete {
        /// The function.
        name: FunctionName,
        /// What must hold of it.
        condition: Option<Condition>,
    },
}

impl fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::Create(request) => ("Create", &request.function_name),
            Self::Update { name, .. } => ("Update", name),
            Self::Repair { name, .. } => ("Repair", name),
            Self::Rollback { name, .. } => ("Rollback", name),
            Self::Delete { name, .. } => ("Delete", name),
        };
        f.debug_tuple(kind).field(name).finish()
    }
}

/// Who asks for a change.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The verified caller, for `requestedBy`.
    pub caller: Caller,
    /// The key under which the request may be repeated.
    pub key: Option<RequestKey>,
    /// When the answer must be on its way, for those who cannot wait: what is accepted by then and
    /// not started is started later, by reconcile or by the request when it is repeated.
    pub until: Option<Instant>,
}

impl Requester {
    /// The stack itself, when it heals or repairs.
    pub fn formation() -> Self {
        Self { caller: Caller::new("formation:reconcile"), key: None, until: None }
    }
}

/// What became of a request to change a function.
#[derive(Debug)]
pub enum Decision {
    /// The operation that changes it.
    Accepted(Box<Accepted>),
    /// It is as asked already.
    Unchanged(Box<Unchanged>),
}

/// An operation that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The operation: running, unless the request is a replay.
    pub operation: Operation,
    /// The version that the function has if the operation succeeds; none after a delete.
    pub version_tag: Option<VersionTag>,
    /// Whether the request was accepted earlier, under the same key.
    pub replayed: bool,
}

/// A function for which nothing is to be done.
#[derive(Debug)]
pub struct Unchanged {
    /// The function as it is now.
    pub function: Function,
    /// Its version.
    pub version_tag: VersionTag,
    /// Whether that was so for the same request earlier, under the same key.
    pub replayed: bool,
}

impl Decision {
    /// Whether it was decided earlier, under the same key.
    fn is_replayed(&self) -> bool {
        match self {
            Self::Accepted(accepted) => accepted.replayed,
            Self::Unchanged(unchanged) => unchanged.replayed,
        }
    }
}

impl Control {
    /// Accepts a change: claims the function for an operation and starts that, or tells that nothing
    /// is to be done.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing was changed then, and nothing is left of a request that was
    /// refused.
    pub async fn accept(
        &self,
        change: Change<'_>,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        match change {
            Change::Create(request) => self.create(*request, requester).await,
            Change::Update { name, condition, edit } => {
                self.update(&name, condition.as_ref(), edit, requester).await
            }
            Change::Repair { name, condition } => {
                self.repair(&name, condition.as_ref(), requester).await
            }
            Change::Rollback { name, condition, revision } => {
                self.roll_back(&name, revision, condition.as_ref(), requester).await
            }
            Change::Delete { name, condition } => {
                self.delete(&name, condition.as_ref(), requester).await
            }
        }
    }

    /// What accepting a change that `caller` asks for would lead to. Every check is made, and nothing
    /// is written.
    ///
    /// # Errors
    /// Why it would not be accepted.
    pub async fn plan(&self, change: Change<'_>, caller: &Caller) -> Result<Plan, Refusal> {
        match change {
            Change::Create(request) => self.plan_create(*request, caller).await,
            Change::Update { name, condition, edit } => {
                self.plan_update(&name, condition.as_ref(), edit, caller).await
            }
            Change::Repair { name, condition } => self.plan_repair(&name, condition.as_ref()).await,
            Change::Rollback { name, condition, revision } => {
                self.plan_rollback(&name, revision, condition.as_ref()).await
            }
            Change::Delete { name, condition } => self.plan_delete(&name, condition.as_ref()).await,
        }
    }

    /// What is there of the function that a request is about, or what was decided of the request
    /// before.
    async fn look(&self, name: &FunctionName, requester: &Requester) -> Result<Seen, Refusal> {
        let key = requester.key.as_ref();
        match (self.records.look(name, key).await?, key) {
            ((Some(remembered), _), Some(key)) => {
                Ok(Seen::Replayed(self.replay(&remembered, key, requester).await?))
            }
            ((_, function), _) => Ok(Seen::Function(Box::new(function))),
        }
    }

    async fn replay(
        &self,
        remembered: &IdempotencyRecord,
        key: &RequestKey,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        if !remembered.is_of(key) {
            return Err(Refusal::KeyReused);
        }
        let IdempotencyRecord { function_name, operation_id, version_tag, .. } = remembered;
        let Some(operation_id) = *operation_id else {
            let (function, version_tag) = self.function(function_name).await?;
            let unchanged = Unchanged { function, version_tag, replayed: true };
            return Ok(Decision::Unchanged(Box::new(unchanged)));
        };
        let record = self.operation_record(function_name, operation_id).await?;
        // The door that accepted it may have died before starting it.
        if record.status == OperationStatus::Running {
            self.start(&record, requester.until).await;
        }
        let accepted = self.accepted(&record, *version_tag);
        Ok(Decision::Accepted(Box::new(Accepted { replayed: true, ..accepted })))
    }

    /// Answers that nothing is to be done, and remembers that: repeated later, the request must not
    /// take back what others have changed since.
    async fn unchanged(
        &self,
        function: FunctionRecord,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        if let Some(key) = &requester.key {
            let name = function.spec.function_name.clone();
            let memory = IdempotencyRecord::new(key, name, None, None);
            if let Some(remembered) = self.records.remember(key, &memory).await? {
                return self.replay(&remembered, key, requester).await;
            }
        }
        let version_tag = function.version_tag();
        let function = self.to_function(function);
        Ok(Decision::Unchanged(Box::new(Unchanged { function, version_tag, replayed: false })))
    }

    /// Claims a function as it was seen, and starts the operation that has claimed it.
    async fn claim(
        &self,
        function: &FunctionRecord,
        status: FunctionStatus,
        operation: &OperationRecord,
        requester: &Requester,
        version_tag: Option<VersionTag>,
    ) -> Result<Decision, Refusal> {
        self.claim_checked(function, status, operation, requester, version_tag, None).await
    }

    /// The same while a revision of it is kept as it was seen, of this number and committed by this operation.
    async fn claim_checked(
        &self,
        function: &FunctionRecord,
        status: FunctionStatus,
        operation: &OperationRecord,
        requester: &Requester,
        version_tag: Option<VersionTag>,
        revision: Option<(u64, OperationId)>,
    ) -> Result<Decision, Refusal> {
        self.forget_specifications(function).await;
        let memory = memory(requester, operation, version_tag);
        let remembered = requester.key.as_ref().zip(memory.as_ref());
        let records = &self.records;
        let claim = records.claim_change(function, status, operation, remembered, revision).await?;
        self.claimed(claim, requester, operation, version_tag).await
    }

    /// What a decided claim means for the request.
    async fn claimed(
        &self,
        claim: Claim,
        requester: &Requester,
        operation: &OperationRecord,
        version_tag: Option<VersionTag>,
    ) -> Result<Decision, Refusal> {
        match (claim, &requester.key) {
            (Claim::Won, _) => {
                self.start(operation, requester.until).await;
                Ok(Decision::Accepted(Box::new(self.accepted(operation, version_tag))))
            }
            (Claim::KeyInUse(remembered), Some(key)) => {
                self.replay(&remembered, key, requester).await
            }
            (Claim::Lost(Some(first)), _)
                if !first.is_busy() && operation.kind == OperationKind::Create =>
            {
                Err(taken(*first))
            }
            // Where it has ended: whatever this operation was based on is past.
            (Claim::Lost(Some(first)), _) => Err(Refusal::OperationInProgress {
                function: operation.function_name.clone(),
                operation: first.operation_id,
            }),
            (Claim::Lost(None) | Claim::KeyInUse(_), _) => {
                Err(Refusal::FunctionNotFound(operation.function_name.clone()))
            }
        }
    }

    pub(super) fn accepted(
        &self,
        operation: &OperationRecord,
        version_tag: Option<VersionTag>,
    ) -> Accepted {
        Accepted { operation: self.to_operation(operation), version_tag, replayed: false }
    }
}

/// What is found of a request before it is decided.
enum Seen {
    /// It was decided earlier, under the same key.
    Replayed(Decision),
    /// The function that it is about, if it is there.
    Function(Box<Option<FunctionRecord>>),
}

/// The function that a change asks for, if no operation runs on it and `condition` holds of it.
///
/// A busy function is told of before the condition is looked at: who names the version that is being
/// made is told to wait for it.
fn settled(
    found: Option<FunctionRecord>,
    name: &FunctionName,
    condition: Option<&Condition>,
) -> Result<FunctionRecord, Refusal> {
    let function = found.ok_or_else(|| Refusal::FunctionNotFound(name.clone()))?;
    refuse_if_busy(&function)?;
    let version_tag = function.version_tag();
    if condition.is_some_and(|condition| !condition.holds(version_tag)) {
        return Err(Refusal::ConditionFailed { function: name.clone(), version_tag });
    }
    Ok(function)
}

/// The name of a function that is there cannot be claimed.
fn taken(function: FunctionRecord) -> Refusal {
    match refuse_if_busy(&function) {
        Err(refusal) => refusal,
        Ok(()) => Refusal::FunctionExists(function.spec.function_name),
    }
}

fn refuse_if_busy(function: &FunctionRecord) -> Result<(), Refusal> {
    if function.is_busy() {
        return Err(Refusal::OperationInProgress {
            function: function.spec.function_name.clone(),
            operation: function.operation_id,
        });
    }
    Ok(())
}

/// An operation that begins, without what is particular to its kind.
fn running(
    kind: OperationKind,
    operation_id: OperationId,
    function_name: FunctionName,
    requester: &Requester,
) -> OperationRecord {
    OperationRecord {
        operation_id,
        kind,
        function_name,
        status: OperationStatus::Running,
        attempt: 1,
        target: None,
        stored_target: None,
        previous: None,
        released: None,
        revision: 0,
        rollback: Rollback::NotNeeded,
        error: None,
        leftovers: Vec::new(),
        warnings: Vec::new(),
        started_at: Timestamp::now(),
        ended_at: None,
        requested_by: requester.caller.to_string(),
        idempotency_key: requester.key.as_ref().map(|key| key.key.clone()),
        interruption: None,
        failures: 0,
        former_leftovers: Vec::new(),
        former_left_triggers: Vec::new(),
        doubts_triggers: false,
        role_id: None,
        live: LiveRecord::default(),
        target_version: None,
        target_role_id: None,
        only_forward: false,
    }
}

/// The same on a function that is there, as it was seen.
fn running_on(
    function: &FunctionRecord,
    kind: OperationKind,
    operation_id: OperationId,
    requester: &Requester,
) -> OperationRecord {
    OperationRecord {
        previous: Some(function.spec.clone()),
        former_leftovers: function.leftovers.clone(),
        former_left_triggers: function.left_triggers.clone(),
        doubts_triggers: function.doubts_triggers(),
        role_id: function.role_id.clone(),
        live: function.live.clone(),
        revision: function.revision,
        ..running(kind, operation_id, function.spec.function_name.clone(), requester)
    }
}

/// What a key is to be remembered for.
fn memory(
    requester: &Requester,
    operation: &OperationRecord,
    version_tag: Option<VersionTag>,
) -> Option<IdempotencyRecord> {
    let key = requester.key.as_ref()?;
    let name = operation.function_name.clone();
    Some(IdempotencyRecord::new(key, name, Some(operation.operation_id), version_tag))
}

/// What a request is warned of: of its code, of what else it asks for, and of what it takes from what is there.
fn warnings<Code>(
    of_code: Vec<Warning>,
    target: &FunctionSpec<Code>,
    current: Option<&FunctionSpec>,
) -> Vec<Warning> {
    let of_change = current.map(|current| target.warnings_of_change(current)).unwrap_or_default();
    of_code.into_iter().chain(target.warnings()).chain(of_change).collect()
}

/// A specification as plans tell it: of its code only what tells it from other code.
fn summarised(spec: FunctionSpec) -> FunctionSpec<CodeSummary> {
    let code = (&spec.code).into();
    spec.with_code(code)
}

//! Accepting a change: one conditional write decides, and whoever asks again hears the same.

mod create;
mod delete;
mod repair;
mod update;

use formation_model::bundle::CodeSummary;
use formation_model::view::Function;
use formation_model::{
    FunctionName, FunctionSpec, FunctionStatus, Operation, OperationId, OperationKind,
    OperationStatus, Plan, Rollback, Warning,
};
use jiff::Timestamp;
use tokio::time::Instant;

use super::Control;
use crate::caller::Caller;
use crate::records::{Claim, FunctionRecord, IdempotencyRecord, OperationRecord, RequestKey};
use crate::refusal::Refusal;

/// Who asks for a change.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The verified caller, for `requestedBy`.
    pub caller: Caller,
    /// The key under which the request may be repeated.
    pub key: Option<RequestKey>,
    /// Whether only to tell what would be done.
    pub dry_run: bool,
    /// When the answer must be on its way, for those who cannot wait: what is accepted by then and
    /// not started is started later, by whoever finds it.
    pub until: Option<Instant>,
}

impl Requester {
    /// The stack itself, when it heals or repairs.
    pub fn formation() -> Self {
        let caller = Caller::new("formation:reconcile");
        Self { caller, key: None, dry_run: false, until: None }
    }
}

/// An operation that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The operation: running, unless the request is a replay.
    pub operation: Operation,
    /// The entity tag that the function has if the operation succeeds; none after a delete.
    pub etag: Option<String>,
    /// Whether the request was accepted earlier, under the same key.
    pub replayed: bool,
}

/// A function for which nothing is to be done.
#[derive(Debug)]
pub struct Already {
    /// The function as it is now.
    pub function: Function,
    /// Its entity tag.
    pub etag: String,
    /// Whether that was so for the same request earlier, under the same key.
    pub replayed: bool,
}

/// What became of a request to change a function.
#[derive(Debug)]
pub enum Changed {
    /// The operation that changes it.
    Accepted(Box<Accepted>),
    /// It is as asked already.
    Already(Box<Already>),
    /// What would be done: the request was a dry run.
    Planned(Box<Plan>),
}

impl Changed {
    /// Whether it was decided earlier, under the same key.
    fn is_replayed(&self) -> bool {
        match self {
            Self::Accepted(accepted) => accepted.replayed,
            Self::Already(already) => already.replayed,
            Self::Planned(_) => false,
        }
    }
}

/// What a caller expects of a function, as HTTP's conditional requests have it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// If-Match: it is there with one of these entity tags.
    Tags(Vec<String>),
    /// If-Match: *
    Present,
}

impl Expected {
    fn check(&self, function: &FunctionRecord) -> Result<(), Refusal> {
        let etag = function.etag();
        match self {
            Self::Tags(tags) if !tags.contains(&etag) => {
                Err(Refusal::PreconditionFailed(format!("the function is at {etag}")))
            }
            Self::Tags(_) | Self::Present => Ok(()),
        }
    }
}

impl Control {
    /// What is there of the function that a request is about, or what was decided of the request
    /// before.
    async fn look(
        &self,
        name: &FunctionName,
        requester: &Requester,
    ) -> Result<Seen<Option<FunctionRecord>>, Refusal> {
        let key = requester.key.as_ref().filter(|_| !requester.dry_run);
        match (self.records.look(name, key).await?, key) {
            ((Some(remembered), _), Some(key)) => {
                Ok(Seen::Replayed(self.replay(&remembered, key, requester.until).await?))
            }
            ((_, function), _) => Ok(Seen::Function(function)),
        }
    }

    async fn replay(
        &self,
        remembered: &IdempotencyRecord,
        key: &RequestKey,
        until: Option<Instant>,
    ) -> Result<Changed, Refusal> {
        if !remembered.is_of(key) {
            return Err(Refusal::KeyReused);
        }
        let IdempotencyRecord { function_name, operation_id, etag, .. } = remembered;
        let Some(operation_id) = *operation_id else {
            let (function, etag) = self.function(function_name).await?;
            return Ok(Changed::Already(Box::new(Already { function, etag, replayed: true })));
        };
        let record = self.operation_record(function_name, operation_id).await?;
        // Whoever accepted it may have died before starting it.
        if record.status == OperationStatus::Running {
            self.start(&record, until).await;
        }
        let accepted = self.accepted(&record, etag.clone());
        Ok(Changed::Accepted(Box::new(Accepted { replayed: true, ..accepted })))
    }

    /// Answers that nothing is to be done, and remembers that: repeated later, the request must not
    /// take back what others have changed since.
    async fn already(
        &self,
        function: FunctionRecord,
        requester: &Requester,
    ) -> Result<Changed, Refusal> {
        if let Some(key) = &requester.key {
            let name = function.spec.function_name.clone();
            let memory = IdempotencyRecord::new(key, name, None, None);
            if let Some(remembered) = self.records.remember(key, &memory).await? {
                return self.replay(&remembered, key, requester.until).await;
            }
        }
        let etag = function.etag();
        let function = self.to_function(function);
        Ok(Changed::Already(Box::new(Already { function, etag, replayed: false })))
    }

    /// A function on which no operation runs, as the caller expects it, or what was decided of the
    /// request before.
    async fn settled_function(
        &self,
        name: &FunctionName,
        expected: Option<&Expected>,
        requester: &Requester,
    ) -> Result<Seen<FunctionRecord>, Refusal> {
        let function = match self.look(name, requester).await? {
            Seen::Replayed(changed) => return Ok(Seen::Replayed(changed)),
            Seen::Function(function) => function,
        };
        let Some(function) = function else { return Err(Refusal::FunctionNotFound(name.clone())) };
        // Conditions count only for what would be done without them (RFC 9110, section 13.2.1). So
        // whoever names the revision that is being made is told to wait for it.
        refuse_if_busy(&function)?;
        if let Some(expected) = expected {
            expected.check(&function)?;
        }
        Ok(Seen::Function(function))
    }

    /// Claims a function as it was seen, and starts the operation that has claimed it.
    async fn claim(
        &self,
        function: &FunctionRecord,
        status: FunctionStatus,
        operation: &OperationRecord,
        requester: &Requester,
        etag: Option<String>,
    ) -> Result<Changed, Refusal> {
        self.forget_specifications(function).await;
        let memory = memory(requester, operation, etag.as_ref());
        let remembered = requester.key.as_ref().zip(memory.as_ref());
        let claim = self.records.claim_change(function, status, operation, remembered).await?;
        self.claimed(claim, requester, operation, etag).await
    }

    /// What a claim that is decided means to whoever asked.
    async fn claimed(
        &self,
        claim: Claim,
        requester: &Requester,
        operation: &OperationRecord,
        etag: Option<String>,
    ) -> Result<Changed, Refusal> {
        match (claim, &requester.key) {
            (Claim::Won, _) => {
                self.start(operation, requester.until).await;
                Ok(Changed::Accepted(Box::new(self.accepted(operation, etag))))
            }
            (Claim::KeyInUse(remembered), Some(key)) => {
                self.replay(&remembered, key, requester.until).await
            }
            (Claim::Lost(Some(first)), _) if first.is_busy() => Err(Refusal::OperationInProgress {
                function: operation.function_name.clone(),
                operation: first.operation_id,
            }),
            (Claim::Lost(Some(first)), _) if operation.kind == OperationKind::Create => {
                Err(taken(*first))
            }
            // Another operation was first and has ended: whatever this one was based on is past.
            (Claim::Lost(Some(first)), _) => Err(Refusal::OperationInProgress {
                function: operation.function_name.clone(),
                operation: first.operation_id,
            }),
            (Claim::Lost(None) | Claim::KeyInUse(_), _) => {
                Err(Refusal::FunctionNotFound(operation.function_name.clone()))
            }
        }
    }

    pub(super) fn accepted(&self, operation: &OperationRecord, etag: Option<String>) -> Accepted {
        Accepted { operation: self.to_operation(operation), etag, replayed: false }
    }
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
        role_id: None,
    }
}

/// What a key is to be remembered for.
fn memory(
    requester: &Requester,
    operation: &OperationRecord,
    etag: Option<&String>,
) -> Option<IdempotencyRecord> {
    let key = requester.key.as_ref()?;
    let name = operation.function_name.clone();
    Some(IdempotencyRecord::new(key, name, Some(operation.operation_id), etag.cloned()))
}

fn summarised(spec: FunctionSpec) -> FunctionSpec<CodeSummary> {
    let code = (&spec.code).into();
    spec.with_code(code)
}

/// The plan of a dry run. What would change nothing is no operation, as it would be in earnest.
fn planned(
    kind: OperationKind,
    name: &FunctionName,
    current: Option<&FunctionSpec>,
    target: Option<&FunctionSpec<CodeSummary>>,
    warnings: Vec<Warning>,
) -> Changed {
    let current = current.cloned().map(summarised);
    let mut plan = Plan::between(kind, name, current.as_ref(), target);
    if kind == OperationKind::Update && current.as_ref() == target {
        plan.kind = None;
    } else {
        plan.warnings = warnings;
    }
    Changed::Planned(Box::new(plan))
}

/// What is found of a request before it is decided.
enum Seen<Found> {
    /// It was decided earlier, under the same key.
    Replayed(Changed),
    /// The function that it is about.
    Function(Found),
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

//! Accepting and reading operations.

use formation_aws::Chain;
use formation_model::bundle::CodeSummary;
use formation_model::operation::{CANCELLED, OperationError};
use formation_model::step::goes_forward;
use formation_model::view::{Function, Resources};
use formation_model::{
    Defaults, Difference, Drift, ErrorName, FieldProblems, FunctionName, FunctionRequest,
    FunctionSpec, FunctionStatus, Lane, Operation, OperationId, OperationKind, OperationStatus,
    Plan, Rollback, StackIdentity, Warning,
};
use formation_resources::Comparer;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::bundles::Bundles;
use crate::caller::Caller;
use crate::executions::Executions;
use crate::history;
use crate::records::{
    Claim, FunctionRecord, IdempotencyRecord, ListFilter, OperationRecord, Records, RequestKey,
    START_GRACE, etag,
};
use crate::refusal::Refusal;

/// How many attempts after the first one have their steps shown.
const LAST_ATTEMPTS: u32 = 9;

/// Everything that a door needs.
#[derive(Clone, Debug)]
pub struct Control {
    /// The stack.
    pub stack: StackIdentity,
    /// What the stack chooses where a request does not.
    pub defaults: Defaults,
    /// The table.
    pub records: Records,
    /// The artefact bucket.
    pub bundles: Bundles,
    /// The state machine.
    pub executions: Executions,
    /// What AWS holds for functions.
    pub comparer: Comparer,
}

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

/// One page of functions as their users see them.
#[derive(Debug)]
pub struct FunctionPage {
    /// The functions, ordered by name.
    pub functions: Vec<Function>,
    /// Where the next page begins; none on the last.
    pub next_token: Option<String>,
}

/// One page of operations as their users see them.
#[derive(Debug)]
pub struct Operations {
    /// The operations, newest first.
    pub operations: Vec<Operation>,
    /// Where the next page begins; none on the last.
    pub next_token: Option<String>,
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
    /// Accepts the creation of a function.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing is left of a request that was refused.
    pub async fn create(
        &self,
        request: FunctionRequest,
        requester: &Requester,
    ) -> Result<Changed, Refusal> {
        let name = request.function_name.clone();
        // The claim below decides. This look spares storing code for a name that is taken.
        let function = match self.look(&name, requester).await? {
            Seen::Replayed(changed) => return Ok(changed),
            Seen::Function(function) => function,
        };
        if let Some(function) = function {
            return Err(taken(function));
        }
        // Before anything is made for the name: what the parts of a function do to somebody else's
        // function of that name, such as being written to by it, cannot be undone.
        match self.comparer.refuse_foreign(&name).await {
            // The first step looks again, and has more patience than a request.
            Err(error) if matches!(error.name(), ErrorName::Throttled | ErrorName::Transient) => {
                tracing::warn!(error = %Chain(&error), functionName = %name, "whose the name is cannot be told now");
            }
            looked => looked?,
        }
        if requester.dry_run {
            let (code, warnings) = self.bundles.preview(&request, None).await?;
            let target = request.with_code(code);
            return Ok(planned(OperationKind::Create, &name, None, Some(&target), warnings));
        }

        let operation_id = OperationId::generate();
        let (bundle, warnings) = self.bundles.store(operation_id, &request, None).await?;
        let spec = request.with_code(bundle.clone());
        let operation = OperationRecord {
            target: Some(spec.clone()),
            revision: 1,
            warnings,
            ..running(OperationKind::Create, operation_id, name.clone(), requester)
        };
        let function = FunctionRecord {
            spec,
            status: FunctionStatus::Creating,
            revision: 0,
            committed_by: operation_id,
            operation_id,
            created_at: operation.started_at,
            updated_at: operation.started_at,
            created_by: requester.caller.to_string(),
            failures: 0,
            drift: Drift::default(),
            repaired: None,
            leftovers: Vec::new(),
            role_id: None,
        };
        let etag = Some(etag(operation.revision, operation_id));
        let memory = memory(requester, &operation, etag.as_ref());
        let remembered = requester.key.as_ref().zip(memory.as_ref());
        let claim = self.records.claim_create(&function, &operation, remembered).await?;
        let claimed = self.claimed(claim, requester, &operation, etag).await;
        if claimed.as_ref().map_or(true, Changed::is_replayed) {
            self.bundles.discard(&bundle).await;
        }
        match claimed {
            // Whoever was first may have finished.
            Err(Refusal::FunctionNotFound(name)) => Err(Refusal::FunctionExists(name)),
            claimed => claimed,
        }
    }

    /// Accepts a change of a function to what `request` makes of its current specification.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing is left of a request that was refused.
    pub async fn update(
        &self,
        name: &FunctionName,
        expected: Option<&Expected>,
        request: impl FnOnce(&FunctionSpec) -> Result<FunctionRequest, FieldProblems>,
        requester: &Requester,
    ) -> Result<Changed, Refusal> {
        let function = match self.settled_function(name, expected, requester).await? {
            Seen::Replayed(changed) => return Ok(changed),
            Seen::Function(function) => function,
        };
        if function.revision == 0 {
            return Err(Refusal::NeverAvailable(name.clone()));
        }
        let request = request(&function.spec).map_err(Refusal::InvalidFunction)?;
        let current = &function.spec.code;
        if requester.dry_run {
            let (code, warnings) = self.bundles.preview(&request, Some(current)).await?;
            let target = request.with_code(code);
            let current = Some(&function.spec);
            return Ok(planned(OperationKind::Update, name, current, Some(&target), warnings));
        }

        let operation_id = OperationId::generate();
        let (bundle, warnings) = self.bundles.store(operation_id, &request, Some(current)).await?;
        let spec = request.with_code(bundle.clone());
        if spec == function.spec && function.status == FunctionStatus::Available {
            return self.already(function, requester).await;
        }
        let operation = OperationRecord {
            target: Some(spec),
            previous: Some(function.spec.clone()),
            former_leftovers: function.leftovers.clone(),
            role_id: function.role_id.clone(),
            revision: function.revision + 1,
            warnings,
            ..running(OperationKind::Update, operation_id, name.clone(), requester)
        };
        let etag = Some(etag(operation.revision, operation_id));
        let claimed =
            self.claim(&function, FunctionStatus::Updating, &operation, requester, etag).await;
        // Only once it is decided: after an unclear answer the operation may well be running.
        let lost = match &claimed {
            Ok(changed) => changed.is_replayed(),
            Err(error) => matches!(
                error,
                Refusal::OperationInProgress { .. }
                    | Refusal::FunctionNotFound(_)
                    | Refusal::KeyReused
            ),
        };
        if lost && !bundle.is_same_object(current) {
            self.bundles.discard(&bundle).await;
        }
        claimed
    }

    /// Accepts bringing AWS back to what is recorded. Where a create could not be undone, that is
    /// to finish undoing it.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing was changed then.
    pub async fn repair(
        &self,
        name: &FunctionName,
        expected: Option<&Expected>,
        requester: &Requester,
    ) -> Result<Changed, Refusal> {
        let function = match self.settled_function(name, expected, requester).await? {
            Seen::Replayed(changed) => return Ok(changed),
            Seen::Function(function) => function,
        };
        self.repair_function(&function, requester, 0).await
    }

    async fn repair_function(
        &self,
        function: &FunctionRecord,
        requester: &Requester,
        failures: u32,
    ) -> Result<Changed, Refusal> {
        let name = &function.spec.function_name;
        let target = (function.revision > 0).then(|| function.spec.clone());
        if requester.dry_run {
            if target.is_none() {
                let current = Some(&function.spec);
                return Ok(planned(OperationKind::Repair, name, current, None, Vec::new()));
            }
            let plan = Plan::to_repair(name, &self.compare(function).await?);
            return Ok(Changed::Planned(Box::new(plan)));
        }
        let operation = OperationRecord {
            target,
            previous: Some(function.spec.clone()),
            former_leftovers: function.leftovers.clone(),
            role_id: function.role_id.clone(),
            revision: function.revision,
            failures,
            ..running(OperationKind::Repair, OperationId::generate(), name.clone(), requester)
        };
        let (status, etag) = (FunctionStatus::Updating, Some(function.etag()));
        self.claim(function, status, &operation, requester, etag).await
    }

    /// Accepts the deletion of a function.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing was changed then.
    pub async fn delete(
        &self,
        name: &FunctionName,
        expected: Option<&Expected>,
        requester: &Requester,
    ) -> Result<Changed, Refusal> {
        let function = match self.settled_function(name, expected, requester).await? {
            Seen::Replayed(changed) => return Ok(changed),
            Seen::Function(function) => function,
        };
        if function.spec.deletion_protection {
            return Err(Refusal::DeletionProtected(name.clone()));
        }
        self.delete_function(&function, requester, 0).await
    }

    async fn delete_function(
        &self,
        function: &FunctionRecord,
        requester: &Requester,
        failures: u32,
    ) -> Result<Changed, Refusal> {
        let name = &function.spec.function_name;
        if requester.dry_run {
            let current = Some(&function.spec);
            return Ok(planned(OperationKind::Delete, name, current, None, Vec::new()));
        }
        let operation = OperationRecord {
            previous: Some(function.spec.clone()),
            former_leftovers: function.leftovers.clone(),
            role_id: function.role_id.clone(),
            revision: function.revision,
            failures,
            ..running(OperationKind::Delete, OperationId::generate(), name.clone(), requester)
        };
        self.claim(function, FunctionStatus::Deleting, &operation, requester, None).await
    }

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

    /// Cancels an operation while it goes forward: what it has changed is undone, and it fails as
    /// cancelled. Cancelling again changes nothing.
    ///
    /// # Errors
    /// [`Refusal::NotCancellable`] if it has ended, goes back, or is a delete; or what AWS answered.
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
        if seen.execution_input().lane == Lane::Delete {
            return Err(refused("a delete only goes forward"));
        }
        if let Some(interruption) = &seen.interruption {
            if interruption.code != CANCELLED {
                return Err(refused("it was interrupted and goes back already"));
            }
            self.executions.start(&seen).await?;
            return Ok(self.accepted(&seen, None));
        }
        let state = self.executions.last_state(&seen).await?;
        if !state.as_deref().is_none_or(goes_forward) {
            return Err(refused("it goes back already, or has just ended"));
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

    /// The function of that name, and its entity tag.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`], or why it cannot be read.
    pub async fn function(&self, name: &FunctionName) -> Result<(Function, String), Refusal> {
        let record = self.function_record(name).await?;
        let etag = record.etag();
        Ok((self.to_function(record), etag))
    }

    /// Everything in which AWS differs from the function's record, in the order of the parts.
    ///
    /// # Errors
    /// [`Refusal::Resource`]: what AWS answered.
    pub async fn compare(&self, function: &FunctionRecord) -> Result<Vec<Difference>, Refusal> {
        Ok(self.comparer.compare(&function.spec, function.role_id.as_deref()).await?)
    }

    /// One page of functions, ordered by name, of those whose record can be read.
    ///
    /// # Errors
    /// [`Refusal::InvalidNextToken`], or why they cannot be read.
    pub async fn list(
        &self,
        filter: &ListFilter,
        limit: i32,
        token: Option<&str>,
    ) -> Result<FunctionPage, Refusal> {
        let page = self.records.list(filter, limit, token).await?;
        let functions = page.functions.into_iter().map(|record| self.to_function(record));
        Ok(FunctionPage { functions: functions.collect(), next_token: page.next_token })
    }

    /// The operation of that id.
    ///
    /// # Errors
    /// [`Refusal::OperationNotFound`], or why it cannot be read.
    pub async fn operation(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<Operation, Refusal> {
        Ok(self.to_operation(&self.operation_record(function, operation).await?))
    }

    /// The operation of that id, with the steps of its attempts: of the first, which tells what went
    /// wrong, and of the last ones.
    ///
    /// # Errors
    /// As for [`Control::operation`].
    pub async fn operation_with_steps(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<Operation, Refusal> {
        let record = self.operation_record(function, operation).await?;
        let mut steps = Vec::new();
        for attempt in shown_attempts(record.attempt) {
            let attempt = OperationRecord { attempt, ..record.clone() };
            steps.extend(history::steps(&self.executions.history(&attempt).await?));
        }
        Ok(Operation { steps: Some(steps), ..self.to_operation(&record) })
    }

    /// One page of a function's operations, newest first, also of one that was deleted.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`] if there never was such a function, as far as anybody
    /// remembers; [`Refusal::InvalidNextToken`], or why they cannot be read.
    pub async fn operations(
        &self,
        function: &FunctionName,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Operations, Refusal> {
        let page = self.records.list_operations(function, limit, token).await?;
        if page.operations.is_empty() && page.next_token.is_none() && token.is_none() {
            self.function_record(function).await?;
        }
        let operations = page.operations.iter().map(|record| self.to_operation(record));
        Ok(Operations { operations: operations.collect(), next_token: page.next_token })
    }

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

    /// Starts the current attempt. From the claim on, the operation is accepted, so a start that
    /// fails, or takes longer than `until`, does not take that back: it is made up for by whoever
    /// finds the operation running without an execution.
    async fn start(&self, operation: &OperationRecord, until: Option<Instant>) {
        let start = self.executions.start(operation);
        let started = match until {
            Some(until) => timeout_at(until, start).await,
            None => Ok(start.await),
        };
        match started {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log(operation, &error, "the execution was not started"),
            Err(_) => tracing::error!(
                operationId = %operation.operation_id,
                functionName = %operation.function_name,
                "the execution was not started in time"
            ),
        }
    }

    fn accepted(&self, operation: &OperationRecord, etag: Option<String>) -> Accepted {
        Accepted { operation: self.to_operation(operation), etag, replayed: false }
    }

    async fn operation_record(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<OperationRecord, Refusal> {
        let found = self.records.operation(function, operation).await?;
        found.ok_or_else(|| Refusal::OperationNotFound { function: function.clone(), operation })
    }

    /// The record of the function of that name.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`], or why it cannot be read.
    pub async fn function_record(&self, name: &FunctionName) -> Result<FunctionRecord, Refusal> {
        let found = self.records.function(name).await?;
        found.ok_or_else(|| Refusal::FunctionNotFound(name.clone()))
    }

    fn to_operation(&self, record: &OperationRecord) -> Operation {
        record.to_operation(self.executions.state_machine_arn(), &self.stack.region)
    }

    fn to_function(&self, record: FunctionRecord) -> Function {
        let code = (&record.spec.code).into();
        let resources = Resources::of(&self.stack, &record.spec.function_name);
        Function {
            spec: record.spec.with_code(code),
            status: record.status.into(),
            revision: record.revision,
            resources,
            operation_id: record.operation_id,
            drift: record.drift,
            created_at: record.created_at,
            updated_at: record.updated_at,
            created_by: record.created_by,
        }
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

fn log(operation: &OperationRecord, error: &Refusal, what: &str) {
    tracing::error!(
        operationId = %operation.operation_id,
        functionName = %operation.function_name,
        error = %Chain(error),
        "{what}"
    );
}

/// The attempts whose steps are shown, of so many. Each is a call at least, and recoveries may go on
/// for months.
fn shown_attempts(attempts: u32) -> impl Iterator<Item = u32> {
    let last_ones = attempts.saturating_sub(LAST_ATTEMPTS).max(1);
    (1..=attempts.min(1)).chain(last_ones + 1..=attempts)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attempts_steps_are_shown_and_so_many_of_the_last() {
        let shown = |attempts| shown_attempts(attempts).collect::<Vec<_>>();
        assert_eq!(shown(1), [1]);
        assert_eq!(shown(3), [1, 2, 3]);
        assert_eq!(shown(10), (1..=10).collect::<Vec<_>>());
        assert_eq!(shown(400), [1, 392, 393, 394, 395, 396, 397, 398, 399, 400]);
    }
}

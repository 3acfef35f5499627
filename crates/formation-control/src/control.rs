//! Accepting and reading operations.

use formation_model::function::{Drift, Function, Resources};
use formation_model::{
    Defaults, FieldProblem, FunctionName, FunctionRequest, FunctionSpec, FunctionStatus, Operation,
    OperationId, OperationKind, OperationStatus, Rollback, StackIdentity,
};
use jiff::Timestamp;

use crate::bundles::Bundles;
use crate::executions::Executions;
use crate::records::{Claim, FunctionRecord, ListFilter, OperationRecord, Records, etag};
use crate::refusal::Refusal;

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
}

/// An operation that was accepted, and is running.
#[derive(Debug)]
pub struct Accepted {
    /// The operation.
    pub operation: Operation,
    /// The entity tag that the function has if the operation succeeds; none after a delete.
    pub etag: Option<String>,
}

/// One page of functions as their users see them.
#[derive(Debug)]
pub struct FunctionPage {
    /// The functions, ordered by name.
    pub functions: Vec<Function>,
    /// Where the next page begins; none on the last.
    pub next_token: Option<String>,
}

/// What became of a request to change a function.
#[derive(Debug)]
pub enum Changed {
    /// The operation that changes it.
    Accepted(Box<Accepted>),
    /// It is as asked already; with its entity tag.
    Already(Box<Function>, String),
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
            Self::Tags(tags) if !tags.contains(&etag) => Err(Refusal::PreconditionFailed(etag)),
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
        requested_by: &str,
    ) -> Result<Accepted, Refusal> {
        let name = request.function_name.clone();
        // The claim below decides. This look spares storing code for a name that is taken.
        if let Some(function) = self.records.function(&name).await? {
            return Err(taken(function));
        }

        let operation_id = OperationId::generate();
        let bundle = self.bundles.store(&name, operation_id, &request.code, None).await?;
        let spec = request.with_code(bundle.clone());
        let operation = OperationRecord {
            target: Some(spec.clone()),
            revision: 1,
            ..running(OperationKind::Create, operation_id, name.clone(), requested_by)
        };
        let function = FunctionRecord {
            spec,
            status: FunctionStatus::Creating,
            revision: 0,
            committed_by: operation_id,
            operation_id,
            created_at: operation.started_at,
            updated_at: operation.started_at,
            created_by: requested_by.to_owned(),
        };
        match self.records.claim_create(&function, &operation).await? {
            Claim::Won => {
                let etag = Some(etag(operation.revision, operation_id));
                Ok(self.start(&operation, etag).await)
            }
            Claim::Lost(first) => {
                self.bundles.discard(&bundle).await;
                Err(first.map_or(Refusal::FunctionExists(name), |first| taken(*first)))
            }
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
        request: impl FnOnce(&FunctionSpec) -> Result<FunctionRequest, Vec<FieldProblem>>,
        requested_by: &str,
    ) -> Result<Changed, Refusal> {
        let function = self.settled_function(name, expected).await?;
        if function.revision == 0 {
            return Err(Refusal::NeverAvailable(name.clone()));
        }
        let request = request(&function.spec).map_err(Refusal::InvalidFunction)?;

        let operation_id = OperationId::generate();
        let current = &function.spec.code;
        let bundle = self.bundles.store(name, operation_id, &request.code, Some(current)).await?;
        let spec = request.with_code(bundle.clone());
        if spec == function.spec && function.status == FunctionStatus::Available {
            let etag = function.etag();
            return Ok(Changed::Already(Box::new(self.to_function(function)), etag));
        }
        let operation = OperationRecord {
            target: Some(spec),
            previous: Some(function.spec.clone()),
            revision: function.revision + 1,
            ..running(OperationKind::Update, operation_id, name.clone(), requested_by)
        };
        let etag = etag(operation.revision, operation_id);
        let claimed = self.claim(&function, FunctionStatus::Updating, &operation).await;
        // Only once it is decided: after an unclear answer the operation may well be running.
        if let Err(Refusal::OperationInProgress { .. } | Refusal::FunctionNotFound(_)) = &claimed
            && bundle != *current
        {
            self.bundles.discard(&bundle).await;
        }
        claimed?;
        Ok(Changed::Accepted(Box::new(self.start(&operation, Some(etag)).await)))
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
        requested_by: &str,
    ) -> Result<Accepted, Refusal> {
        let function = self.settled_function(name, expected).await?;
        let operation = OperationRecord {
            target: (function.revision > 0).then(|| function.spec.clone()),
            previous: Some(function.spec.clone()),
            revision: function.revision,
            ..running(OperationKind::Repair, OperationId::generate(), name.clone(), requested_by)
        };
        self.claim(&function, FunctionStatus::Updating, &operation).await?;
        Ok(self.start(&operation, Some(function.etag())).await)
    }

    /// Accepts the deletion of a function.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing was changed then.
    pub async fn delete(
        &self,
        name: &FunctionName,
        expected: Option<&Expected>,
        requested_by: &str,
    ) -> Result<Accepted, Refusal> {
        let function = self.settled_function(name, expected).await?;
        if function.spec.deletion_protection {
            return Err(Refusal::DeletionProtected(name.clone()));
        }
        let operation = OperationRecord {
            previous: Some(function.spec.clone()),
            revision: function.revision,
            ..running(OperationKind::Delete, OperationId::generate(), name.clone(), requested_by)
        };
        self.claim(&function, FunctionStatus::Deleting, &operation).await?;
        Ok(self.start(&operation, None).await)
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

    /// One page of functions, ordered by name.
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
        match self.records.operation(function, operation).await? {
            Some(record) => Ok(self.to_operation(&record)),
            None => Err(Refusal::OperationNotFound { function: function.clone(), operation }),
        }
    }

    /// A function on which no operation runs, as the caller expects it.
    async fn settled_function(
        &self,
        name: &FunctionName,
        expected: Option<&Expected>,
    ) -> Result<FunctionRecord, Refusal> {
        let function = match self.records.function(name).await? {
            Some(function) => function,
            None if expected.is_some() => {
                return Err(Refusal::PreconditionFailed("no revision: there is none".to_owned()));
            }
            None => return Err(Refusal::FunctionNotFound(name.clone())),
        };
        if let Some(expected) = expected {
            expected.check(&function)?;
        }
        refuse_if_busy(&function)?;
        Ok(function)
    }

    async fn claim(
        &self,
        function: &FunctionRecord,
        status: FunctionStatus,
        operation: &OperationRecord,
    ) -> Result<(), Refusal> {
        match self.records.claim_change(function, status, operation).await? {
            Claim::Won => Ok(()),
            Claim::Lost(None) => Err(Refusal::FunctionNotFound(operation.function_name.clone())),
            Claim::Lost(Some(first)) => Err(Refusal::OperationInProgress {
                function: operation.function_name.clone(),
                operation: first.operation_id,
            }),
        }
    }

    /// Starts what was claimed. From the claim on, the operation is accepted, so a start that
    /// fails does not take that back: it is made up for by whoever finds the operation running
    /// without an execution.
    async fn start(&self, operation: &OperationRecord, etag: Option<String>) -> Accepted {
        if let Err(error) = self.executions.start(operation).await {
            tracing::error!(
                operationId = %operation.operation_id,
                functionName = %operation.function_name,
                error = &error as &dyn std::error::Error,
                "the execution was not started"
            );
        }
        Accepted { operation: self.to_operation(operation), etag }
    }

    async fn function_record(&self, name: &FunctionName) -> Result<FunctionRecord, Refusal> {
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
            status: record.status,
            revision: record.revision,
            resources,
            operation: record.operation_id,
            drift: Drift::default(),
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
    requested_by: &str,
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
        started_at: Timestamp::now(),
        ended_at: None,
        requested_by: requested_by.to_owned(),
    }
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

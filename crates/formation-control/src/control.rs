//! Accepting and reading operations.

use formation_model::function::{Drift, Function, Resources};
use formation_model::{
    Defaults, FunctionName, FunctionRequest, FunctionStatus, Operation, OperationId, OperationKind,
    OperationStatus, Rollback, StackIdentity,
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
        let bundle = self.bundles.store(&name, operation_id, request.code.clone()).await?;
        let spec = request.with_code(bundle.clone());
        let now = Timestamp::now();
        let function = FunctionRecord {
            spec: spec.clone(),
            status: FunctionStatus::Creating,
            revision: 0,
            committed_by: operation_id,
            operation_id,
            created_at: now,
            updated_at: now,
            created_by: requested_by.to_owned(),
        };
        let operation = OperationRecord {
            operation_id,
            kind: OperationKind::Create,
            function_name: name.clone(),
            status: OperationStatus::Running,
            attempt: 1,
            target: Some(spec),
            previous: None,
            revision: 1,
            rollback: Rollback::NotNeeded,
            error: None,
            leftovers: Vec::new(),
            started_at: now,
            ended_at: None,
            requested_by: requested_by.to_owned(),
        };
        match self.records.claim_create(&function, &operation).await? {
            Claim::Won => Ok(self.start(&operation).await),
            Claim::Lost(first) => {
                self.bundles.discard(&bundle).await;
                Err(first.map_or(Refusal::FunctionExists(name), |first| taken(*first)))
            }
        }
    }

    /// Accepts the deletion of a function.
    ///
    /// # Errors
    /// Why it is not accepted. Nothing was changed then.
    pub async fn delete(
        &self,
        name: &FunctionName,
        requested_by: &str,
    ) -> Result<Accepted, Refusal> {
        let function = self.function_record(name).await?;
        refuse_if_busy(&function)?;
        if function.spec.deletion_protection {
            return Err(Refusal::DeletionProtected(name.clone()));
        }
        let operation = OperationRecord {
            operation_id: OperationId::generate(),
            kind: OperationKind::Delete,
            function_name: name.clone(),
            status: OperationStatus::Running,
            attempt: 1,
            target: None,
            previous: Some(function.spec.clone()),
            revision: function.revision,
            rollback: Rollback::NotNeeded,
            error: None,
            leftovers: Vec::new(),
            started_at: Timestamp::now(),
            ended_at: None,
            requested_by: requested_by.to_owned(),
        };
        let claim =
            self.records.claim_change(&function, FunctionStatus::Deleting, &operation).await?;
        match claim {
            Claim::Won => Ok(self.start(&operation).await),
            Claim::Lost(None) => Err(Refusal::FunctionNotFound(name.clone())),
            Claim::Lost(Some(first)) => Err(Refusal::OperationInProgress {
                function: name.clone(),
                operation: first.operation_id,
            }),
        }
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

    /// Starts what was claimed. From the claim on, the operation is accepted, so a start that
    /// fails does not take that back: it is made up for by whoever finds the operation running
    /// without an execution.
    async fn start(&self, operation: &OperationRecord) -> Accepted {
        if let Err(error) = self.executions.start(operation).await {
            tracing::error!(
                operation.id = %operation.operation_id,
                function.name = %operation.function_name,
                error = &error as &dyn std::error::Error,
                "the execution was not started"
            );
        }
        let etag = (operation.kind != OperationKind::Delete)
            .then(|| etag(operation.revision, operation.operation_id));
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

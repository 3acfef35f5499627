//! What doors ask for: changes of functions, their plans, operations, comparisons with AWS.

mod boundary;
mod cancel;
mod change;
mod code;
mod compare;
mod heal;
mod read;
#[cfg(test)]
mod tests;

use formation_aws::Chain;
use formation_model::view::{Function, Resources};
use formation_model::{Defaults, FunctionName, Operation, OperationId, StackIdentity};
use formation_resources::Comparer;
use tokio::time::{Instant, timeout_at};

pub use self::boundary::FunctionBoundary;
pub use self::change::{Accepted, Change, Decision, Edit, Put, Requester, Unchanged};
pub use self::read::OperationSeen;
use crate::bundles::Bundles;
use crate::executions::Executions;
use crate::records::{FunctionRecord, OperationRecord, Records};
use crate::refusal::Refusal;

/// Accepts, plans, cancels and heals operations, and reads what there is.
#[derive(Clone, Debug)]
pub struct Control {
    stack: StackIdentity,
    defaults: Defaults,
    records: Records,
    bundles: Bundles,
    executions: Executions,
    comparer: Comparer,
}

impl Control {
    /// The control of `stack`, which has `defaults` where a request does not choose.
    pub fn new(
        stack: StackIdentity,
        defaults: Defaults,
        records: Records,
        bundles: Bundles,
        executions: Executions,
        comparer: Comparer,
    ) -> Self {
        Self { stack, defaults, records, bundles, executions, comparer }
    }

    /// The stack.
    pub fn stack(&self) -> &StackIdentity {
        &self.stack
    }

    /// The buckets that code may be referred to in.
    pub fn code_buckets(&self) -> &[String] {
        self.bundles.code_buckets()
    }

    /// What the stack chooses where a request does not.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// The record of the function of that name.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`], or why it cannot be read.
    pub async fn function_record(&self, name: &FunctionName) -> Result<FunctionRecord, Refusal> {
        let found = self.records.function(name).await?;
        found.ok_or_else(|| Refusal::FunctionNotFound(name.clone()))
    }

    async fn operation_record(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<OperationRecord, Refusal> {
        let found = self.records.operation(function, operation).await?;
        found.ok_or_else(|| Refusal::OperationNotFound { function: function.clone(), operation })
    }

    /// Starts the current attempt. From the claim on, the operation is accepted, so a start that
    /// fails, or takes longer than `until`, does not take that back: reconcile starts what it finds
    /// running without an execution.
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

    /// The state machine whose executions are the operations.
    pub fn state_machine_arn(&self) -> &str {
        self.executions.state_machine_arn()
    }

    fn to_operation(&self, record: &OperationRecord) -> Operation {
        record.to_operation(self.executions.state_machine_arn(), &self.stack.region)
    }

    fn to_function(&self, record: FunctionRecord) -> Function {
        let code = (&record.spec.code).into();
        let (name, version) = (&record.spec.function_name, record.live.version);
        let resources = Resources {
            function_url: record.live.function_url,
            ..Resources::of(&self.stack, name, record.revision > 0, version)
        };
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

fn log(operation: &OperationRecord, error: &Refusal, what: &str) {
    tracing::error!(
        operationId = %operation.operation_id,
        functionName = %operation.function_name,
        error = %Chain(error),
        "{what}"
    );
}

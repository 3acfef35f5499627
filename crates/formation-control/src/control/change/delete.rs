//! Deleting a function.

use formation_model::{FunctionName, FunctionStatus, OperationId, OperationKind, Plan};

use super::{Decision, Requester, Seen, running_on, settled, summarised};
use crate::control::Control;
use crate::records::{FunctionRecord, OperationRecord};
use crate::refusal::Refusal;
use crate::version_tag::Condition;

impl Control {
    pub(super) async fn delete(
        &self,
        name: &FunctionName,
        condition: Option<&Condition>,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        let found = match self.look(name, requester).await? {
            Seen::Replayed(decision) => return Ok(decision),
            Seen::Function(found) => *found,
        };
        let function = deletable(found, name, condition)?;
        self.delete_function(&function, requester, 0).await
    }

    /// `failures`: how many operations in a row have left it FAILED, where reconcile asks.
    pub(in crate::control) async fn delete_function(
        &self,
        function: &FunctionRecord,
        requester: &Requester,
        failures: u32,
    ) -> Result<Decision, Refusal> {
        let operation_id = OperationId::generate();
        let operation = OperationRecord {
            failures,
            ..running_on(function, OperationKind::Delete, operation_id, requester)
        };
        self.claim(function, FunctionStatus::Deleting, &operation, requester, None).await
    }

    pub(super) async fn plan_delete(
        &self,
        name: &FunctionName,
        condition: Option<&Condition>,
    ) -> Result<Plan, Refusal> {
        let function = deletable(self.records.function(name).await?, name, condition)?;
        Ok(Plan::between(OperationKind::Delete, name, Some(&summarised(function.spec)), None))
    }
}

/// The function, if it may be deleted.
fn deletable(
    found: Option<FunctionRecord>,
    name: &FunctionName,
    condition: Option<&Condition>,
) -> Result<FunctionRecord, Refusal> {
    let function = settled(found, name, condition)?;
    if function.spec.deletion_protection {
        return Err(Refusal::DeletionProtected(name.clone()));
    }
    Ok(function)
}

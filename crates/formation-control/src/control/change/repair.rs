//! Repairing a function.

use formation_model::{FunctionName, FunctionStatus, OperationId, OperationKind, Plan};

use super::{Decision, Requester, Seen, running_on, settled, summarised};
use crate::control::Control;
use crate::records::{FunctionRecord, OperationRecord};
use crate::refusal::Refusal;
use crate::version_tag::Condition;

impl Control {
    pub(super) async fn repair(
        &self,
        name: &FunctionName,
        condition: Option<&Condition>,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        let found = match self.look(name, requester).await? {
            Seen::Replayed(decision) => return Ok(decision),
            Seen::Function(found) => *found,
        };
        let function = settled(found, name, condition)?;
        self.repair_function(&function, requester, 0).await
    }

    /// `failures`: how many operations in a row have left it FAILED, where reconcile asks.
    pub(in crate::control) async fn repair_function(
        &self,
        function: &FunctionRecord,
        requester: &Requester,
        failures: u32,
    ) -> Result<Decision, Refusal> {
        if function.revision > 0 {
            self.refuse_without_boundary().await?;
        }
        let operation_id = OperationId::generate();
        let operation = OperationRecord {
            // Where the create was never committed there is nothing to bring back.
            target: (function.revision > 0).then(|| function.spec.clone()),
            failures,
            ..running_on(function, OperationKind::Repair, operation_id, requester)
        };
        let version_tag = Some(function.version_tag());
        self.claim(function, FunctionStatus::Updating, &operation, requester, version_tag).await
    }

    pub(super) async fn plan_repair(
        &self,
        name: &FunctionName,
        condition: Option<&Condition>,
    ) -> Result<Plan, Refusal> {
        let function = settled(self.records.function(name).await?, name, condition)?;
        if function.revision > 0 {
            self.refuse_without_boundary().await?;
            return Ok(Plan::to_repair(name, &self.compare(&function).await?));
        }
        Ok(Plan::between(OperationKind::Repair, name, Some(&summarised(function.spec)), None))
    }
}

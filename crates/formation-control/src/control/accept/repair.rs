//! Accepting a repair.

use formation_model::{FunctionName, FunctionStatus, OperationId, OperationKind, Plan};

use super::{Changed, Expected, Requester, Seen, planned, running};
use crate::control::Control;
use crate::records::{FunctionRecord, OperationRecord};
use crate::refusal::Refusal;

impl Control {
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

    pub(in crate::control) async fn repair_function(
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
}

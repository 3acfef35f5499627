//! Accepting a delete.

use formation_model::{FunctionName, FunctionStatus, OperationId, OperationKind};

use super::{Changed, Expected, Requester, Seen, planned, running};
use crate::control::Control;
use crate::records::{FunctionRecord, OperationRecord};
use crate::refusal::Refusal;

impl Control {
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

    pub(in crate::control) async fn delete_function(
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
}

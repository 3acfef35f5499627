//! Accepting an update.

use formation_model::{
    FieldProblems, FunctionName, FunctionRequest, FunctionSpec, FunctionStatus, OperationId,
    OperationKind,
};

use super::{Changed, Expected, Requester, Seen, planned, running};
use crate::control::Control;
use crate::records::{OperationRecord, etag};
use crate::refusal::Refusal;

impl Control {
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
}

//! Accepting a create.

use formation_aws::Chain;
use formation_model::{
    Drift, ErrorName, FunctionRequest, FunctionStatus, OperationId, OperationKind,
};

use super::{Changed, Requester, Seen, memory, planned, running, taken};
use crate::control::Control;
use crate::records::{FunctionRecord, OperationRecord, etag};
use crate::refusal::Refusal;

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
}

//! Creating a function.

use formation_aws::Chain;
use formation_model::{
    Drift, ErrorName, FunctionName, FunctionRequest, FunctionStatus, OperationId, OperationKind,
    Plan,
};

use super::{Decision, Requester, Seen, memory, running, taken, warnings};
use crate::caller::Caller;
use crate::control::Control;
use crate::records::{FunctionRecord, LiveRecord, OperationRecord};
use crate::refusal::Refusal;
use crate::version_tag::VersionTag;

impl Control {
    pub(super) async fn create(
        &self,
        request: FunctionRequest,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        let name = request.function_name.clone();
        // The claim below decides. This look spares storing code for a name that is taken.
        let function = match self.look(&name, requester).await? {
            Seen::Replayed(decision) => return Ok(decision),
            Seen::Function(function) => *function,
        };
        self.refuse_taken(&name, function).await?;
        self.refuse_beyond_boundary(&request, None).await?;

        let operation_id = OperationId::generate();
        let (caller, key) = (&requester.caller, requester.key.as_ref());
        let (bundle, of_code) =
            self.bundles.store(operation_id, &request, None, caller, key).await?;
        let spec = request.with_code(bundle.clone());
        let warnings = warnings(of_code, &spec, None);
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
            left_triggers: Vec::new(),
            role_id: None,
            live: LiveRecord::default(),
        };
        let version_tag = Some(VersionTag::new(operation.revision, operation_id));
        let memory = memory(requester, &operation, version_tag);
        let remembered = requester.key.as_ref().zip(memory.as_ref());
        let claim = self.records.claim_create(&function, &operation, remembered).await?;
        let claimed = self.claimed(claim, requester, &operation, version_tag).await;
        if claimed.as_ref().map_or(true, Decision::is_replayed) {
            self.bundles.discard(&operation.function_name, operation_id, &bundle).await;
        }
        match claimed {
            // The operation that was first may have finished.
            Err(Refusal::FunctionNotFound(name)) => Err(Refusal::FunctionExists(name)),
            claimed => claimed,
        }
    }

    pub(super) async fn plan_create(
        &self,
        request: FunctionRequest,
        caller: &Caller,
    ) -> Result<Plan, Refusal> {
        let found = self.records.function(&request.function_name).await?;
        self.planned_create(request, found, caller).await
    }

    /// The plan of a create, where `found` is the function of that name.
    pub(super) async fn planned_create(
        &self,
        request: FunctionRequest,
        found: Option<FunctionRecord>,
        caller: &Caller,
    ) -> Result<Plan, Refusal> {
        let name = request.function_name.clone();
        self.refuse_taken(&name, found).await?;
        self.refuse_beyond_boundary(&request, None).await?;
        let (code, of_code) = self.bundles.preview(&request, None, caller).await?;
        let target = request.with_code(code);
        let plan = Plan::between(OperationKind::Create, &name, None, Some(&target));
        Ok(Plan { warnings: warnings(of_code, &target, None), ..plan })
    }

    /// Refuses a name that one of our functions has, or somebody else's Lambda function. Before
    /// anything is made for the name: what the parts of a function do to another function of that
    /// name, such as being written to by it, cannot be undone.
    async fn refuse_taken(
        &self,
        name: &FunctionName,
        function: Option<FunctionRecord>,
    ) -> Result<(), Refusal> {
        if let Some(function) = function {
            return Err(taken(function));
        }
        match self.comparer.refuse_foreign(name).await {
            // The first step looks again, and has more patience than a request.
            Err(error) if matches!(error.name(), ErrorName::Throttled | ErrorName::Transient) => {
                tracing::warn!(error = %Chain(&error), functionName = %name, "whose the name is cannot be told now");
                Ok(())
            }
            looked => Ok(looked?),
        }
    }
}

//! Updating a function.

use formation_model::{
    FunctionName, FunctionSpec, FunctionStatus, OperationId, OperationKind, Plan,
};

use super::{Decision, Edit, Requester, Seen, running_on, settled, summarised, warnings};
use crate::caller::Caller;
use crate::control::Control;
use crate::records::{FunctionRecord, OperationRecord};
use crate::refusal::Refusal;
use crate::version_tag::{Condition, VersionTag};

impl Control {
    pub(super) async fn update(
        &self,
        name: &FunctionName,
        condition: Option<&Condition>,
        edit: Edit<'_>,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        let found = match self.look(name, requester).await? {
            Seen::Replayed(decision) => return Ok(decision),
            Seen::Function(found) => *found,
        };
        let function = updatable(found, name, condition)?;
        let request = edit(&function.spec).map_err(Refusal::InvalidFunction)?;
        self.refuse_beyond_boundary(&request, Some(&function.spec)).await?;
        let current = &function.spec.code;

        let operation_id = OperationId::generate();
        let (caller, key) = (&requester.caller, requester.key.as_ref());
        let (bundle, of_code) =
            self.bundles.store(operation_id, &request, Some(current), caller, key).await?;
        let spec = request.with_code(bundle.clone());
        if changes_nothing(&function, &function.spec, &spec) {
            return self.unchanged(function, requester).await;
        }
        let warnings = warnings(of_code, &spec, Some(&function.spec));
        let operation = OperationRecord {
            target: Some(spec),
            revision: function.revision + 1,
            warnings,
            ..running_on(&function, OperationKind::Update, operation_id, requester)
        };
        let version_tag = Some(VersionTag::new(operation.revision, operation_id));
        let claimed = self
            .claim(&function, FunctionStatus::Updating, &operation, requester, version_tag)
            .await;
        // Only once it is decided: after an unclear answer the operation may well be running.
        let lost = match &claimed {
            Ok(decision) => decision.is_replayed(),
            Err(error) => matches!(
                error,
                Refusal::OperationInProgress { .. }
                    | Refusal::FunctionNotFound(_)
                    | Refusal::KeyReused
            ),
        };
        if lost {
            self.bundles.discard(name, operation_id, &bundle).await;
        }
        claimed
    }

    pub(super) async fn plan_update(
        &self,
        name: &FunctionName,
        condition: Option<&Condition>,
        edit: Edit<'_>,
        caller: &Caller,
    ) -> Result<Plan, Refusal> {
        let function = updatable(self.records.function(name).await?, name, condition)?;
        self.planned_update(&function, edit, caller).await
    }

    /// The plan of the update of a function that can be updated.
    pub(super) async fn planned_update(
        &self,
        function: &FunctionRecord,
        edit: Edit<'_>,
        caller: &Caller,
    ) -> Result<Plan, Refusal> {
        let name = &function.spec.function_name;
        let request = edit(&function.spec).map_err(Refusal::InvalidFunction)?;
        self.refuse_beyond_boundary(&request, Some(&function.spec)).await?;
        let (code, of_code) =
            self.bundles.preview(&request, Some(&function.spec.code), caller).await?;
        let target = request.with_code(code);
        let current = summarised(function.spec.clone());
        let plan = Plan::between(OperationKind::Update, name, Some(&current), Some(&target));
        if changes_nothing(function, &current, &target) {
            return Ok(Plan { kind: None, ..plan });
        }
        Ok(Plan { warnings: warnings(of_code, &target, Some(&function.spec)), ..plan })
    }
}

/// The function, if it can be updated: there must be a good state to go back to.
pub(super) fn updatable(
    found: Option<FunctionRecord>,
    name: &FunctionName,
    condition: Option<&Condition>,
) -> Result<FunctionRecord, Refusal> {
    let function = settled(found, name, condition)?;
    if function.revision == 0 {
        return Err(Refusal::NeverAvailable(name.clone()));
    }
    Ok(function)
}

/// Whether no operation is needed. One that was left FAILED is brought to the target even where that
/// is what is recorded.
fn changes_nothing<Code: PartialEq>(
    function: &FunctionRecord,
    current: &FunctionSpec<Code>,
    target: &FunctionSpec<Code>,
) -> bool {
    function.status == FunctionStatus::Available && current == target
}

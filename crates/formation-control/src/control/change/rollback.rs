//! Taking a function back to an earlier revision.

use formation_model::{
    FunctionName, FunctionSpec, FunctionStatus, OperationId, OperationKind, Plan, request,
};
use serde_json::Value;

use super::update::updatable;
use super::{Decision, Requester, Seen, running_on, summarised, warnings};
use crate::control::Control;
use crate::records::{FunctionRecord, OperationRecord, RevisionRecord};
use crate::refusal::Refusal;
use crate::version_tag::{Condition, VersionTag};

/// What the stack's parameters limit of a function.
const LIMITED: [&str; 2] = ["layers", "reservedConcurrency"];

impl Control {
    /// `revision`: the one to go back to; the one before the current if none is named.
    pub(super) async fn roll_back(
        &self,
        name: &FunctionName,
        revision: Option<u64>,
        condition: Option<&Condition>,
        requester: &Requester,
    ) -> Result<Decision, Refusal> {
        let found = match self.look(name, requester).await? {
            Seen::Replayed(decision) => return Ok(decision),
            Seen::Function(found) => *found,
        };
        let function = updatable(found, name, condition)?;
        let Some(kept) = self.other_revision(&function, revision).await? else {
            return self.unchanged(function, requester).await;
        };
        self.refuse_beyond_limits(&kept.spec, &function.spec).await?;
        // What is not kept any more has seven days left: see `Bundles::release`.
        self.bundles.keep(&kept.spec.code).await?;
        let operation_id = OperationId::generate();
        let operation = OperationRecord {
            warnings: warnings(Vec::new(), &kept.spec, Some(&function.spec)),
            target_version: kept.version,
            target_role_id: kept.role_id,
            revision: function.revision + 1,
            target: Some(kept.spec),
            ..running_on(&function, OperationKind::Rollback, operation_id, requester)
        };
        let version_tag = Some(VersionTag::new(operation.revision, operation_id));
        // An earlier release has kept no revision, but the current one in the function's record.
        let checked =
            (kept.revision != function.revision).then_some((kept.revision, kept.operation_id));
        let status = FunctionStatus::Updating;
        let claimed = self
            .claim_checked(&function, status, &operation, requester, version_tag, checked)
            .await;
        match claimed {
            // The transaction does not tell whether the function is gone or the revision.
            Err(Refusal::FunctionNotFound(name)) => match self.records.function(&name).await? {
                Some(_) => {
                    Err(Refusal::RevisionNotFound { function: name, revision: kept.revision })
                }
                None => Err(Refusal::FunctionNotFound(name)),
            },
            claimed => claimed,
        }
    }

    pub(super) async fn plan_rollback(
        &self,
        name: &FunctionName,
        revision: Option<u64>,
        condition: Option<&Condition>,
    ) -> Result<Plan, Refusal> {
        let function = updatable(self.records.function(name).await?, name, condition)?;
        let current = summarised(function.spec.clone());
        let kind = OperationKind::Rollback;
        let Some(kept) = self.other_revision(&function, revision).await? else {
            let plan = Plan::between(kind, name, Some(&current), Some(&current));
            return Ok(Plan { kind: None, ..plan });
        };
        self.refuse_beyond_limits(&kept.spec, &function.spec).await?;
        let target = summarised(kept.spec);
        let plan = Plan::between(kind, name, Some(&current), Some(&target));
        Ok(Plan { warnings: warnings(Vec::new(), &target, Some(&function.spec)), ..plan })
    }

    /// A rollback is judged as an update is: what the function has it keeps, and what it would get anew must be within
    /// what the stack allows by now. Of a runtime Lambda judges: nothing of it is made anew.
    async fn refuse_beyond_limits(
        &self,
        target: &FunctionSpec,
        current: &FunctionSpec,
    ) -> Result<(), Refusal> {
        let values = target.values();
        let limited =
            LIMITED.iter().filter_map(|it| Some(((*it).to_owned(), values.get(*it)?.clone())));
        let patch = Value::Object(limited.collect());
        request::patched(&patch, self.defaults(), current)
            .map_err(|problems| Refusal::InvalidFunction(problems.into()))?;
        // No policy keeps anybody from a function who was let.
        let problems = request::refused_triggers(target, self.defaults(), current);
        if !problems.is_empty() {
            return Err(Refusal::InvalidFunction(problems.into()));
        }
        self.refuse_beyond_boundary(target, Some(current)).await
    }

    /// The revision to go back to; none where the function is at it. One that was left FAILED goes back to the
    /// current one, too.
    async fn other_revision(
        &self,
        function: &FunctionRecord,
        revision: Option<u64>,
    ) -> Result<Option<RevisionRecord>, Refusal> {
        let revision = revision.unwrap_or(function.revision.saturating_sub(1));
        if revision == function.revision && function.status == FunctionStatus::Available {
            return Ok(None);
        }
        self.revision_of(function, revision).await.map(Some)
    }
}

//! Commits: how an operation ended, and what becomes of its function, in one transaction.
//!
//! Every write sets or removes single attributes, and the specification that is committed is the
//! attribute that was read. So a step loses no field that a later release has written: steps and doors
//! are not upgraded at the same moment, and an upgrade may be taken back.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem, Update};
use formation_model::operation::OperationError;
use formation_model::triggers::LeftTrigger;
use formation_model::{
    Bundle, Difference, Drift, FunctionSpec, FunctionStatus, Open, OperationKind, OperationStatus,
    Part, PublishedVersion, Rollback,
};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::to_attribute_value;

use super::due::{self, Queue, pause_after};
use super::stored::{LiveRecord, OperationRecord};
use super::table::{Records, built, function_key, operation_key, text};
use crate::refusal::Refusal;

/// How long operations are kept once they have ended.
pub(super) const OPERATION_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long after its end an operation is looked at: by then its outcome was announced, or never is
/// by its execution.
const ANNOUNCE_GRACE: SignedDuration = SignedDuration::from_mins(5);

/// How an operation ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The function is as asked.
    Succeeded,
    /// It is not.
    Failed {
        /// What became of the changes.
        rollback: Rollback,
        /// Why it failed.
        error: OperationError,
        /// What is left in AWS.
        leftovers: Vec<Part>,
        /// Whether callers run what was asked for: it is committed, and what is left is brought to it.
        moved: bool,
    },
}

/// What the steps of an operation have found in AWS on their way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached<'a> {
    /// The RoleId of the function's role by now, where that is known.
    pub role_id: Option<&'a str>,
    /// What is left of what Formation does not name.
    pub unnamed: &'a [Difference],
    /// The version that callers run, where the steps have found or made it so.
    pub version: Option<PublishedVersion>,
    /// The alias's RevisionId by then.
    pub alias_revision_id: Option<&'a str>,
    /// The version that the operation has published of what was there before.
    pub kept_version: Option<PublishedVersion>,
    /// Whether that is not as the last good state is recorded.
    pub kept_otherwise: bool,
    /// The function's address, where the steps have found or made it.
    pub function_url: Option<&'a str>,
}

impl Records {
    /// Commits the outcome of an attempt: operation and function in one transaction, on condition
    /// that the operation still runs at this attempt. Answers the operation as it has ended, also
    /// when it is committed again; none if it has ended otherwise or another attempt took over.
    /// `released` is code that nothing refers to from then on; `reached` is what its steps have found in
    /// AWS; after `check_after` the function is compared with AWS.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read or written.
    pub async fn commit(
        &self,
        operation: &OperationRecord,
        outcome: &Outcome,
        released: Option<Bundle>,
        reached: Reached<'_>,
        check_after: SignedDuration,
    ) -> Result<Option<OperationRecord>, Refusal> {
        let now = Timestamp::now();
        let moved = match outcome {
            Outcome::Succeeded => true,
            Outcome::Failed { moved, .. } => *moved,
        };
        let mut ended = OperationRecord {
            status: OperationStatus::Succeeded,
            ended_at: Some(now),
            // Whoever finishes what it has left goes by the function's record.
            target: None,
            stored_target: None,
            previous: None,
            released,
            live: reached.live(operation, moved),
            ..operation.clone()
        };
        if let Outcome::Failed { rollback, error, leftovers, .. } = outcome {
            ended.status = OperationStatus::Failed;
            ended.rollback = *rollback;
            ended.error = Some(error.clone());
            ended.leftovers = leftovers.iter().copied().map(Open::from).collect();
        }
        let committed = if moved { committed_spec(operation)? } else { None };
        let mut items = vec![
            self.settle_function(
                operation,
                &ended,
                (reached, moved),
                committed.clone(),
                (now, check_after),
            )?,
            self.end_operation(&ended, now)?,
        ];
        if let Some(spec) = committed {
            let role_id = reached.role_id.or(operation.role_id.as_deref());
            items.push(self.keeping_revision(&ended, role_id, spec, now)?);
        }
        if self.transact(items, None).await?.is_none() {
            return Ok(Some(ended));
        }
        let found = self.operation(&operation.function_name, operation.operation_id).await?;
        Ok(found.filter(|found| found.attempt == ended.attempt && found.status == ended.status))
    }

    /// What becomes of the function's record when `operation` ends as `ended`.
    fn settle_function(
        &self,
        operation: &OperationRecord,
        ended: &OperationRecord,
        (reached, moved): (Reached<'_>, bool),
        committed: Option<AttributeValue>,
        (now, check_after): (Timestamp, SignedDuration),
    ) -> Result<TransactWriteItem, Refusal> {
        let succeeded = ended.status == OperationStatus::Succeeded;
        let undone = ended.rollback == Rollback::Complete;
        let gone = match operation.kind {
            OperationKind::Delete => succeeded,
            OperationKind::Create => undone,
            OperationKind::Update | OperationKind::Rollback => false,
            // Of a create that could not be undone: now it is.
            OperationKind::Repair => succeeded && operation.target.is_none(),
        };
        let key = function_key(&operation.function_name);
        let id = text(&operation.operation_id.to_string());
        if gone {
            let delete = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(key))
                .condition_expression("#operation = :operation")
                .expression_attribute_names("#operation", "operationId")
                .expression_attribute_values(":operation", id);
            return Ok(TransactWriteItem::builder().delete(built(delete.build())?).build());
        }
        let good = succeeded || (undone && operation.previous.is_some());
        let status = if good { FunctionStatus::Available } else { FunctionStatus::Failed };
        let failures = if good { 0 } else { operation.failures + 1 };
        let in_doubt = !succeeded && reached.is_in_doubt(operation);
        let (queue, due) = if good {
            (Queue::Comparisons, if in_doubt { now } else { now + check_after })
        } else {
            (Queue::Rollbacks, now + pause_after(failures))
        };
        let mut set =
            "SET #status = :status, #failures = :failures, #due = :due, #dueAt = :dueAt, \
             #leftovers = :leftovers"
                .to_owned();
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .condition_expression("#operation = :operation")
            .expression_attribute_names("#operation", "operationId")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#failures", "failures")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_values(":operation", id)
            .expression_attribute_values(":status", text(status.as_str()))
            .expression_attribute_values(":failures", to_attribute_value(failures)?)
            .expression_attribute_values(":due", queue.partition())
            .expression_attribute_names("#leftovers", "leftovers")
            .expression_attribute_values(":dueAt", to_attribute_value(due.as_second())?)
            .expression_attribute_values(":leftovers", to_attribute_value(&ended.leftovers)?);
        if good {
            // Every property has just been brought to what is recorded.
            set.push_str(", #drift = :drift");
            let drift =
                if in_doubt { Drift::default() } else { Drift::found(reached.unnamed, now) };
            update = update
                .expression_attribute_names("#drift", "drift")
                .expression_attribute_values(":drift", to_attribute_value(drift)?);
        }
        // What callers run after anything else is still of the role that is recorded.
        if let Some(role_id) = reached.role_id.filter(|_| moved) {
            set.push_str(", #roleId = :roleId");
            update = update
                .expression_attribute_names("#roleId", "roleId")
                .expression_attribute_values(":roleId", text(role_id));
        }
        if let Some(version) = ended.live.version {
            set.push_str(", #version = :version");
            update = update
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", to_attribute_value(version)?);
        }
        if let Some(alias) = &ended.live.alias_revision_id {
            set.push_str(", #alias = :alias");
            update = update
                .expression_attribute_names("#alias", "aliasRevisionId")
                .expression_attribute_values(":alias", text(alias));
        }
        if let Some(target) = committed {
            set.push_str(
                ", #spec = :spec, #revision = :revision, #committedBy = :operation, \
                 #updatedAt = :now",
            );
            update = update
                .expression_attribute_names("#spec", "spec")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_names("#committedBy", "committedBy")
                .expression_attribute_names("#updatedAt", "updatedAt")
                .expression_attribute_values(":spec", target)
                .expression_attribute_values(":revision", to_attribute_value(ended.revision)?)
                .expression_attribute_values(":now", to_attribute_value(now)?);
        }
        let mut removed = Vec::new();
        update = update.expression_attribute_names("#url", "functionUrl");
        match &ended.live.function_url {
            Some(url) => {
                set.push_str(", #url = :url");
                update = update.expression_attribute_values(":url", text(url));
            }
            None => removed.push("#url"),
        }
        update = update.expression_attribute_names("#left", "leftTriggers");
        let left = left_triggers(operation, ended, moved);
        if left.is_empty() {
            removed.push("#left");
        } else {
            set.push_str(", #left = :left");
            update = update.expression_attribute_values(":left", to_attribute_value(left)?);
        }
        if !removed.is_empty() {
            set.push_str(" REMOVE ");
            set.push_str(&removed.join(", "));
        }
        let update = update.update_expression(set);
        Ok(TransactWriteItem::builder().update(built(update.build())?).build())
    }

    /// What becomes of the operation's record.
    fn end_operation(
        &self,
        ended: &OperationRecord,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Refusal> {
        let mut set = "SET #status = :status, #rollback = :rollback, #endedAt = :endedAt, \
                       #due = :due, #dueAt = :dueAt, #expiresAt = :expiresAt"
            .to_owned();
        let expires = now + OPERATION_RETENTION;
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(operation_key(&ended.function_name, ended.operation_id)))
            .condition_expression("#status = :running AND #attempt = :attempt")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#rollback", "rollback")
            .expression_attribute_names("#endedAt", "endedAt")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_names("#expiresAt", "expiresAt")
            .expression_attribute_names("#target", "target")
            .expression_attribute_names("#previous", "previous")
            .expression_attribute_names("#failures", due::LOOK_FAILURES)
            .expression_attribute_values(":running", text(OperationStatus::Running.as_str()))
            .expression_attribute_values(":attempt", to_attribute_value(ended.attempt)?)
            .expression_attribute_values(":status", text(ended.status.as_str()))
            .expression_attribute_values(":rollback", to_attribute_value(ended.rollback)?)
            .expression_attribute_values(":endedAt", to_attribute_value(now)?)
            .expression_attribute_values(":due", Queue::of(ended.status).partition())
            .expression_attribute_values(
                ":dueAt",
                to_attribute_value((now + ANNOUNCE_GRACE).as_second())?,
            )
            .expression_attribute_values(":expiresAt", to_attribute_value(expires.as_second())?);
        if let Some(error) = &ended.error {
            set.push_str(", #error = :error");
            update = update
                .expression_attribute_names("#error", "error")
                .expression_attribute_values(":error", to_attribute_value(error)?);
        }
        if let Some(version) = ended.live.version {
            set.push_str(", #version = :version");
            update = update
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", to_attribute_value(version)?);
        }
        if !ended.leftovers.is_empty() {
            set.push_str(", #leftovers = :leftovers");
            update = update
                .expression_attribute_names("#leftovers", "leftovers")
                .expression_attribute_values(":leftovers", to_attribute_value(&ended.leftovers)?);
        }
        if let Some(released) = &ended.released {
            set.push_str(", #released = :released");
            update = update
                .expression_attribute_names("#released", "released")
                .expression_attribute_values(":released", to_attribute_value(released)?);
        }
        set.push_str(" REMOVE #target, #previous, #failures");
        let update = update.update_expression(set);
        Ok(TransactWriteItem::builder().update(built(update.build())?).build())
    }
}

impl Reached<'_> {
    /// Whether what callers run may not be as is recorded after all, although every part was brought there: they
    /// were put back to a version that is not, or whose environment a role that was made anew cannot read.
    fn is_in_doubt(&self, operation: &OperationRecord) -> bool {
        let roles = operation.role_id.as_deref().zip(self.role_id);
        let was_replaced = roles.is_some_and(|(then, now)| then != now);
        self.kept_otherwise || was_replaced
    }

    /// Where callers are once `operation` has ended; `moved` tells whether they run what it was to make.
    fn live(&self, operation: &OperationRecord, moved: bool) -> LiveRecord {
        let before = &operation.live;
        let state = if moved { &operation.target } else { &operation.previous };
        let has_url = state.as_ref().is_some_and(|spec| spec.triggers.function_url.is_some());
        let function_url = self.function_url.or(before.function_url.as_deref());
        LiveRecord {
            version: self.version.or(self.kept_version).or(before.version),
            alias_revision_id: self
                .alias_revision_id
                .map(str::to_owned)
                .or_else(|| before.alias_revision_id.clone()),
            function_url: function_url.filter(|_| has_url).map(str::to_owned),
        }
    }
}

/// What of triggers may be there once `operation` has ended as `ended`, and is not in what is recorded from then on;
/// nothing where none of them is among what it has left.
fn left_triggers(
    operation: &OperationRecord,
    ended: &OperationRecord,
    moved: bool,
) -> Vec<LeftTrigger> {
    if !ended.leftovers.iter().any(|it| *it == Part::Triggers) {
        return Vec::new();
    }
    let triggers = |of: &Option<FunctionSpec>| of.as_ref().map(FunctionSpec::triggers);
    let (target, previous) = (triggers(&operation.target), triggers(&operation.previous));
    // Of a create that could not be undone, its specification stays in the record.
    let (kept, made, since) = match (moved, previous) {
        (true, previous) => (target, previous, None),
        (false, Some(previous)) => (Some(previous), target, Some(operation.started_at)),
        (false, None) => (target, None, None),
    };
    let (kept, made) = (kept.unwrap_or_default(), made.unwrap_or_default());
    LeftTrigger::beyond(&kept, &made, since, &operation.former_left_triggers)
}

/// The specification that is committed when callers run what `operation` is to make, if one is: a repair
/// changes none.
fn committed_spec(operation: &OperationRecord) -> Result<Option<AttributeValue>, Refusal> {
    if operation.kind == OperationKind::Repair {
        return Ok(None);
    }
    Ok(match (&operation.stored_target, &operation.target) {
        (Some(stored), _) => Some(stored.clone().into_attribute()),
        (None, target) => target.as_ref().map(to_attribute_value).transpose()?,
    })
}

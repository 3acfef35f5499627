//! What the table holds of a function and of an operation.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use formation_model::names::{execution_arn, execution_name};
use formation_model::operation::OperationError;
use formation_model::step::Announcement;
use formation_model::triggers::LeftTrigger;
use formation_model::{
    Bundle, Drift, ExecutionInput, FunctionName, FunctionSpec, FunctionStatus, Lane, Open,
    Operation, OperationId, OperationKind, OperationStatus, Part, PublishedVersion, Rollback,
    Warning,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::table::Item;
use crate::version_tag::VersionTag;

/// A function as it is stored: its last good specification, or the first one while the create is
/// not committed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionRecord {
    /// What AWS holds for it, or is being made.
    pub spec: FunctionSpec,
    /// Where it is in its life.
    pub status: FunctionStatus,
    /// 0 until the create is committed.
    pub revision: u64,
    /// The operation that committed this revision, or is to commit the first.
    pub committed_by: OperationId,
    /// The current operation, or the last one.
    pub operation_id: OperationId,
    /// When the create was accepted.
    pub created_at: Timestamp,
    /// When a change was last committed.
    pub updated_at: Timestamp,
    /// The verified caller that created it.
    pub created_by: String,
    /// How many operations in a row have left it FAILED.
    #[serde(default)]
    pub failures: u32,
    /// The last comparison with AWS.
    #[serde(default)]
    pub drift: Drift,
    /// What was repaired last because a comparison had found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired: Option<RepairedDrift>,
    /// What its last operation left, while it is FAILED.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Open<Part>>,
    /// What of its triggers may be there and is in no specification, while it is FAILED.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "LeftTrigger::read_known"
    )]
    pub left_triggers: Vec<LeftTrigger>,
    /// The RoleId of the role that it was last committed with; none where a release recorded it that
    /// did not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// Where callers run it: the version that the alias leads to; none where a release committed it that
    /// published none.
    #[serde(flatten)]
    pub live: LiveRecord,
}

/// Where callers are, as it is recorded.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveRecord {
    /// The version that the alias leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PublishedVersion>,
    /// The RevisionId that the alias had then, which an update of it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_revision_id: Option<String>,
    /// The function's address, where it has one: Lambda chooses it when it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_url: Option<String>,
}

/// Drift that was repaired, to recognise it when it comes back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RepairedDrift {
    /// The digest of all that was found. Empty in records of the first release: that is not
    /// recognised.
    #[serde(default)]
    pub digest: String,
    /// How often in a row.
    pub times: u32,
    /// The function's last operation when the repair was decided on: while it still is the last, the
    /// repair has not run. None in records of the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<OperationId>,
}

impl FunctionRecord {
    /// Its version_tag: changes with every commit and with nothing else.
    pub fn version_tag(&self) -> VersionTag {
        VersionTag::new(self.revision, self.committed_by)
    }

    /// Whether what calls it may not be as is recorded, as far as anybody knows.
    pub fn doubts_triggers(&self) -> bool {
        let Drift { differences, more, .. } = &self.drift;
        let differ = differences.iter().any(|it| it.part == Part::Triggers);
        !self.leftovers.is_empty() || differ || *more > 0
    }

    /// Whether an operation on it is running.
    pub fn is_busy(&self) -> bool {
        match self.status {
            FunctionStatus::Creating | FunctionStatus::Updating | FunctionStatus::Deleting => true,
            FunctionStatus::Available | FunctionStatus::Failed => false,
        }
    }
}

/// An operation as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationRecord {
    /// Its id.
    pub operation_id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// The function that it changes.
    pub function_name: FunctionName,
    /// Where it is in its life.
    pub status: OperationStatus,
    /// The attempt that may act; every other is superseded.
    pub attempt: u32,
    /// What the function is to become; none for a delete, and none once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<FunctionSpec>,
    /// The same as it was read, if it was: what is committed.
    #[serde(skip)]
    pub(crate) stored_target: Option<StoredSpec>,
    /// The last good specification, if there is one; none once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<FunctionSpec>,
    /// The code that nothing refers to any more once it has ended; to be marked as expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Bundle>,
    /// The revision that the function has if it succeeds.
    pub revision: u64,
    /// What became of its changes if it failed.
    pub rollback: Rollback,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<OperationError>,
    /// What it left in AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Open<Part>>,
    /// What was accepted and will probably not do what was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The verified caller that asked for it.
    pub requested_by: String,
    /// The key that the request came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Why its first attempt was taken over, if it was: it will have failed for this reason, unless its callers
    /// have moved by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruption: Option<OperationError>,
    /// How many operations in a row had left the function FAILED when `reconcile` asked for this
    /// one; 0 for everybody else's.
    #[serde(default)]
    pub failures: u32,
    /// What the operation before it left, as the function's record told when it was claimed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_leftovers: Vec<Open<Part>>,
    /// What of triggers the operations before it may have left, likewise.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "LeftTrigger::read_known"
    )]
    pub former_left_triggers: Vec<LeftTrigger>,
    /// Whether what calls the function may not be as is recorded: an operation before it has failed half way, or a
    /// comparison has found that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubts_triggers: bool,
    /// The RoleId that the function's record had when the operation claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// Where callers were when the operation claimed the function, and once it has ended, where they are.
    #[serde(flatten)]
    pub live: LiveRecord,
    /// Of a rollback the version that was published of its target, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_version: Option<PublishedVersion>,
    /// The RoleId under which that version was published, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_role_id: Option<String>,
    /// Whether something that callers have met cannot be taken back any more, although they run the version that
    /// they ran before: it was published of neither state alone. See [`Records::pass_the_point_of_no_return`].
    ///
    /// [`Records::pass_the_point_of_no_return`]: super::Records::pass_the_point_of_no_return
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_forward: bool,
}

/// A specification as the table holds it, with fields that this release does not know: while a stack
/// is upgraded, or after an upgrade that was taken back, a later release has written some of them.
#[derive(Clone)]
pub(crate) struct StoredSpec(AttributeValue);

impl StoredSpec {
    /// The target in the item of an operation.
    pub fn target_in(operation: &Item) -> Option<Self> {
        operation.get("target").cloned().map(Self)
    }

    /// The attribute as it was read.
    pub fn into_attribute(self) -> AttributeValue {
        self.0
    }
}

impl fmt::Debug for StoredSpec {
    /// It holds the environment, whose values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSpec").finish_non_exhaustive()
    }
}

impl OperationRecord {
    /// Whether it sets back what Formation does not name: a repair that was asked for, and not one that
    /// finishes a rollback.
    pub fn resets_unnamed(&self) -> bool {
        self.kind == OperationKind::Repair && self.failures == 0
    }

    /// Whether all that calls the function is looked at, not only what differs between two states.
    pub fn searches_triggers(&self) -> bool {
        self.kind == OperationKind::Repair || self.doubts_triggers
    }

    /// The input of the execution of its current attempt.
    pub fn execution_input(&self) -> ExecutionInput {
        let sides = [self.target.as_ref(), self.previous.as_ref()];
        let left = self.former_leftovers.iter().any(|it| *it == Part::Triggers);
        let has_triggers = left || sides.into_iter().flatten().any(FunctionSpec::has_triggers);
        let changes_triggers = match sides {
            [Some(target), Some(previous)] if !self.searches_triggers() => {
                target.changes_triggers(previous)
            }
            // Of a repair, and of what an operation has left over, nobody knows before it has looked.
            _ => has_triggers,
        };
        let input = ExecutionInput { has_triggers, changes_triggers, ..self.plain_input() };
        let moves_first = self.target_version.is_some() && self.live.version.is_some();
        let lane = match input.lane {
            // Nothing to move to before it is made, or nothing to come back to.
            Lane::Rollback if !moves_first => Lane::Ensure,
            lane => lane,
        };
        let (Some(target), Some(previous)) = (&self.target, &self.previous) else { return input };
        let is_change = [OperationKind::Update, OperationKind::Rollback].contains(&self.kind);
        ExecutionInput {
            lane,
            // What a repair will have to add nobody knows before it has looked.
            // And where a function goes back nobody waits: its callers flee.
            widens: match self.kind {
                OperationKind::Repair => true,
                OperationKind::Update => target.widens(previous),
                _ => false,
            },
            unversioned: is_change && self.live.version.is_none(),
            ..input
        }
    }

    fn plain_input(&self) -> ExecutionInput {
        ExecutionInput::new(
            self.kind,
            self.target.is_some(),
            self.function_name.clone(),
            self.operation_id,
            self.attempt,
        )
    }

    /// The name of the execution of its current attempt.
    pub fn execution_name(&self) -> String {
        execution_name(&self.function_name, self.kind, self.operation_id, self.attempt)
    }

    /// The operation as its users see it.
    pub fn to_operation(&self, state_machine_arn: &str, region: &str) -> Operation {
        let execution_arn = execution_arn(state_machine_arn, &self.execution_name());
        let console_url = console_url(&execution_arn, region);
        Operation {
            operation_id: self.operation_id,
            kind: self.kind.into(),
            function_name: self.function_name.clone(),
            status: self.status.into(),
            rollback: self.rollback.into(),
            error: self.error.clone(),
            leftovers: self.leftovers.clone(),
            warnings: self.warnings.clone(),
            started_at: self.started_at,
            ended_at: self.ended_at,
            requested_by: self.requested_by.clone(),
            execution_arn,
            console_url,
            steps: None,
        }
    }

    /// What the event bus is told of an operation that has ended.
    pub fn to_announcement(&self) -> Announcement {
        Announcement {
            operation_id: self.operation_id,
            function_name: self.function_name.clone(),
            kind: self.kind.into(),
            status: self.status.into(),
            rollback: self.rollback.into(),
            revision: self.revision,
            version: self.live.version,
            error: self.error.clone(),
            idempotency_key: self.idempotency_key.clone(),
        }
    }
}

/// Where the AWS console shows an execution: each partition has a console of its own.
///
/// Sources: <https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-arns.html>,
/// <https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/getting-started-console.html>.
fn console_url(execution_arn: &str, region: &str) -> String {
    let domain = match execution_arn.split(':').nth(1) {
        Some("aws-cn") => "console.amazonaws.cn",
        Some("aws-us-gov") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!(
        "https://{region}.{domain}/states/home?region={region}#/v2/executions/details/{execution_arn}"
    )
}

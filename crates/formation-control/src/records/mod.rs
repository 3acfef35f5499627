//! The records of functions and operations: one DynamoDB table.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | function | `FUNCTION` | its name |
//! | operation | `FUNCTION#<name>` | `OPERATION#<ulid>` |
//! | idempotency key | `IDEMPOTENCY#<hash of caller and key>` | `IDEMPOTENCY` |
//!
//! The sparse index `due` (a few constant keys, sorted by time) holds what `reconcile` must look at.
//!
//! All functions share a partition on purpose: listing is then ordered, paged and strongly
//! consistent. Every write is conditional on the operation that makes it, so that a write whose
//! answer was lost recognises itself when it is repeated.

mod due;
mod idempotency;
mod pages;
#[cfg(test)]
mod releases;

pub use due::{Due, DuePage, Position, Queue, pause_after};
pub use idempotency::{IdempotencyRecord, RequestKey};
pub use pages::{ListFilter, OperationPage, Page};

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use formation_aws::AwsError;
use formation_model::names::{execution_arn, execution_name};
use formation_model::operation::OperationError;
use formation_model::step::Announcement;
use formation_model::{
    Bundle, Drift, ExecutionInput, FunctionName, FunctionSpec, FunctionStatus, Open, Operation,
    OperationId, OperationKind, OperationStatus, Part, Rollback, Warning,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_dynamo::{from_item, to_attribute_value, to_item};
use tokio::time::sleep;

use crate::refusal::Refusal;

const FUNCTION_PARTITION: &str = "FUNCTION";
const OPERATION_PREFIX: &str = "OPERATION#";

/// How long operations are kept once they have ended.
const OPERATION_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How long after its claim an operation is looked at: by then its execution was started, or never
/// is by whoever claimed it.
pub const START_GRACE: SignedDuration = SignedDuration::from_secs(45);
/// How long after its end an operation is looked at: by then its outcome was announced, or never is
/// by its execution.
const ANNOUNCE_GRACE: SignedDuration = SignedDuration::from_mins(5);

/// How often a transaction is tried while others hold its items.
const CONFLICT_TRIES: u32 = 10;
const CONFLICT_PAUSE_MILLISECONDS: u64 = 60;

type Item = HashMap<String, AttributeValue>;

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
    pub leftovers: Vec<Part>,
    /// The RoleId of the role that it was last committed with; none where a release recorded it that
    /// did not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
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
    /// Its entity tag, as HTTP spells one: changes with every commit and with nothing else.
    pub fn etag(&self) -> String {
        etag(self.revision, self.committed_by)
    }

    /// Whether an operation on it is running.
    pub fn is_busy(&self) -> bool {
        match self.status {
            FunctionStatus::Creating | FunctionStatus::Updating | FunctionStatus::Deleting => true,
            FunctionStatus::Available | FunctionStatus::Failed => false,
        }
    }
}

/// The entity tag of a revision and the operation that committed it.
pub fn etag(revision: u64, operation: OperationId) -> String {
    format!("\"{revision}-{operation}\"")
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
    pub leftovers: Vec<Part>,
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
    /// Why its first attempt was taken over, if it was: it will have failed for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruption: Option<OperationError>,
    /// How many operations in a row had left the function FAILED when `reconcile` asked for this
    /// one; 0 for everybody else's.
    #[serde(default)]
    pub failures: u32,
    /// What the operation before it left, as the function's record told when it was claimed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_leftovers: Vec<Part>,
    /// The RoleId that the function's record had when the operation claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
}

impl OperationRecord {
    /// The input of the execution of its current attempt.
    pub fn execution_input(&self) -> ExecutionInput {
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
            leftovers: self.leftovers.iter().copied().map(Open::from).collect(),
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
    },
}

/// Whether a claim was decided for or against the operation.
#[derive(Debug)]
pub enum Claim {
    /// The operation holds the function.
    Won,
    /// Another operation was first, or the function is not there; its record, if there is one.
    Lost(Option<Box<FunctionRecord>>),
    /// The request's key is in use.
    KeyInUse(IdempotencyRecord),
}

/// What is to be remembered with a claim: the request's key and what it was used for.
pub type Remembered<'a> = Option<(&'a RequestKey, &'a IdempotencyRecord)>;

/// The table.
#[derive(Clone, Debug)]
pub struct Records {
    client: Client,
    table: String,
}

impl Records {
    /// The records in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The function of that name, strongly consistent.
    ///
    /// # Errors
    /// What DynamoDB answered, or a record that cannot be read.
    pub async fn function(&self, name: &FunctionName) -> Result<Option<FunctionRecord>, Refusal> {
        self.get(function_key(name)).await
    }

    /// The operation of that id, strongly consistent.
    ///
    /// # Errors
    /// What DynamoDB answered, or a record that cannot be read.
    pub async fn operation(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<Option<OperationRecord>, Refusal> {
        self.get(operation_key(function, operation)).await
    }

    /// Claims a name that is free for an operation that creates it.
    ///
    /// # Errors
    /// What DynamoDB answered, or a record that cannot be written.
    pub async fn claim_create(
        &self,
        function: &FunctionRecord,
        operation: &OperationRecord,
        remembered: Remembered<'_>,
    ) -> Result<Claim, Refusal> {
        let claim = Put::builder()
            .table_name(&self.table)
            .set_item(Some(with_key(to_item(function)?, function_key(&operation.function_name))))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", "pk")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let claim = TransactWriteItem::builder().put(built(claim.build())?).build();
        self.claim(claim, operation, remembered).await
    }

    /// Claims a function that is there for an operation that changes it; `seen` is what the
    /// decision to do so was based on.
    ///
    /// # Errors
    /// What DynamoDB answered, or a record that cannot be written.
    pub async fn claim_change(
        &self,
        seen: &FunctionRecord,
        status: FunctionStatus,
        operation: &OperationRecord,
        remembered: Remembered<'_>,
    ) -> Result<Claim, Refusal> {
        let claim = Update::builder()
            .table_name(&self.table)
            .set_key(Some(function_key(&operation.function_name)))
            // While it runs, the operation stands in the index.
            .update_expression(
                "SET #status = :status, #operation = :operation REMOVE #due, #dueAt, #failures",
            )
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_names("#failures", due::LOOK_FAILURES)
            // The last operation's id is another after every change of the record.
            .condition_expression("#operation = :seen AND #status = :settled")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#operation", "operationId")
            .expression_attribute_values(":status", text(status.as_str()))
            .expression_attribute_values(":operation", text(&operation.operation_id.to_string()))
            .expression_attribute_values(":seen", text(&seen.operation_id.to_string()))
            .expression_attribute_values(":settled", text(seen.status.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let claim = TransactWriteItem::builder().update(built(claim.build())?).build();
        self.claim(claim, operation, remembered).await
    }

    /// Writes the claim of the function, the operation and the request's key as one.
    async fn claim(
        &self,
        function: TransactWriteItem,
        operation: &OperationRecord,
        remembered: Remembered<'_>,
    ) -> Result<Claim, Refusal> {
        let key = operation_key(&operation.function_name, operation.operation_id);
        let item = with_key(to_item(operation)?, key);
        let item = due::with_due(item, operation.status, operation.started_at + START_GRACE)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let mut items =
            vec![function, TransactWriteItem::builder().put(built(put.build())?).build()];
        if let Some((key, record)) = remembered {
            items.push(self.remembering(key, record)?);
        }
        let token = operation.operation_id.to_string();
        let Some(refused) = self.transact(items, Some(&token)).await? else {
            return Ok(Claim::Won);
        };
        let mut refused = refused.into_iter();
        let function = refused.next().flatten();
        // The key first: whose request this is decides before what it asks for.
        if let Some(item) = refused.nth(1).flatten() {
            let found = idempotency::found(item)?;
            if found.operation_id == Some(operation.operation_id) {
                return Ok(Claim::Won);
            }
            return Ok(Claim::KeyInUse(found));
        }
        let Some(item) = function else { return Ok(Claim::Lost(None)) };
        let found: FunctionRecord = from_item(item)?;
        if found.operation_id == operation.operation_id {
            // Our own claim, whose answer was lost.
            return Ok(Claim::Won);
        }
        Ok(Claim::Lost(Some(Box::new(found))))
    }

    /// Commits the outcome of an attempt: operation and function in one transaction, on condition
    /// that the operation still runs at this attempt. Answers the operation as it has ended, also
    /// when it is committed again; none if it has ended otherwise or another attempt took over.
    /// `released` is code that nothing refers to from then on; `role_id` is that of the function's
    /// role by now, where that is known; after `check_after` the function is compared with AWS.
    ///
    /// # Errors
    /// What DynamoDB answered, or a record that cannot be read or written.
    pub async fn commit(
        &self,
        operation: &OperationRecord,
        outcome: &Outcome,
        released: Option<Bundle>,
        role_id: Option<&str>,
        check_after: SignedDuration,
    ) -> Result<Option<OperationRecord>, Refusal> {
        let now = Timestamp::now();
        let mut ended = OperationRecord {
            status: OperationStatus::Succeeded,
            ended_at: Some(now),
            // Whoever finishes what it has left goes by the function's record.
            target: None,
            previous: None,
            released,
            ..operation.clone()
        };
        if let Outcome::Failed { rollback, error, leftovers } = outcome {
            ended.status = OperationStatus::Failed;
            ended.rollback = *rollback;
            ended.error = Some(error.clone());
            ended.leftovers.clone_from(leftovers);
        }
        let items = vec![
            self.settle_function(operation, &ended, role_id, now, check_after)?,
            self.end_operation(&ended, now)?,
        ];
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
        role_id: Option<&str>,
        now: Timestamp,
        check_after: SignedDuration,
    ) -> Result<TransactWriteItem, Refusal> {
        let succeeded = ended.status == OperationStatus::Succeeded;
        let undone = ended.rollback == Rollback::Complete;
        let gone = match operation.kind {
            OperationKind::Delete => succeeded,
            OperationKind::Create => undone,
            OperationKind::Update => false,
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
        let (queue, due) = if good {
            (Queue::Comparisons, now + check_after)
        } else {
            (Queue::Rollbacks, now + pause_after(failures))
        };
        let mut set =
            "SET #status = :status, #failures = :failures, #due = :due, #dueAt = :dueAt".to_owned();
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
            .expression_attribute_values(":dueAt", to_attribute_value(due.as_second())?);
        set.push_str(", #leftovers = :leftovers");
        update = update
            .expression_attribute_names("#leftovers", "leftovers")
            .expression_attribute_values(":leftovers", to_attribute_value(&ended.leftovers)?);
        if good {
            // Every facet has just been brought to what is recorded.
            set.push_str(", #drift = :drift");
            let drift = Drift::found(&[], now);
            update = update
                .expression_attribute_names("#drift", "drift")
                .expression_attribute_values(":drift", to_attribute_value(drift)?);
            // After anything else what is recorded stays: the function may still be of an older role.
            if let Some(role_id) = role_id {
                set.push_str(", #roleId = :roleId");
                update = update
                    .expression_attribute_names("#roleId", "roleId")
                    .expression_attribute_values(":roleId", text(role_id));
            }
        }
        if let Some(target) = &operation.target
            && succeeded
            && operation.kind != OperationKind::Repair
        {
            set.push_str(
                ", #spec = :spec, #revision = :revision, #committedBy = :operation, \
                 #updatedAt = :now",
            );
            update = update
                .expression_attribute_names("#spec", "spec")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_names("#committedBy", "committedBy")
                .expression_attribute_names("#updatedAt", "updatedAt")
                .expression_attribute_values(":spec", to_attribute_value(target)?)
                .expression_attribute_values(":revision", to_attribute_value(ended.revision)?)
                .expression_attribute_values(":now", to_attribute_value(now)?);
        }
        let update = update.update_expression(set);
        Ok(TransactWriteItem::builder().update(built(update.build())?).build())
    }

    fn end_operation(
        &self,
        ended: &OperationRecord,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Refusal> {
        let key = operation_key(&ended.function_name, ended.operation_id);
        let item = with_key(to_item(ended)?, key);
        let mut item = due::with_due(item, ended.status, now + ANNOUNCE_GRACE)?;
        let expires = (now + OPERATION_RETENTION).as_second();
        item.insert("expiresAt".to_owned(), to_attribute_value(expires)?);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("#status = :running AND #attempt = :attempt")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_values(":running", text(OperationStatus::Running.as_str()))
            .expression_attribute_values(":attempt", to_attribute_value(ended.attempt)?);
        Ok(TransactWriteItem::builder().put(built(put.build())?).build())
    }

    /// Writes `items` as one. Answers nothing if they are written, and what the items were that
    /// failed their condition, in the order of `items`, if they are not.
    ///
    /// Simultaneous transactions may meet TransactionConflict before any condition is looked at:
    /// that decides nothing, so it is tried again until something does.
    async fn transact(
        &self,
        items: Vec<TransactWriteItem>,
        token: Option<&str>,
    ) -> Result<Option<Vec<Option<Item>>>, AwsError> {
        let mut tries = 0;
        loop {
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .set_client_request_token(token.map(str::to_owned))
                .send()
                .await;
            let Err(error) = sent else { return Ok(None) };
            if let Some(refused) = failed_conditions(&error) {
                return Ok(Some(refused));
            }
            tries += 1;
            if tries == CONFLICT_TRIES || !is_conflict(&error) {
                return Err(AwsError::new("dynamodb:TransactWriteItems", error));
            }
            let most = CONFLICT_PAUSE_MILLISECONDS << tries.min(4);
            sleep(Duration::from_millis(fastrand::u64(0..most))).await;
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, key: Item) -> Result<Option<T>, Refusal> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("dynamodb:GetItem", error))?;
        Ok(output.item.filter(|item| !has_expired(item)).map(from_item).transpose()?)
    }
}

/// DynamoDB removes what has expired up to two days late.
fn has_expired(item: &Item) -> bool {
    match item.get("expiresAt") {
        Some(AttributeValue::N(at)) => {
            at.parse().is_ok_and(|at: i64| at <= Timestamp::now().as_second())
        }
        _ => false,
    }
}

fn function_key(name: &FunctionName) -> Item {
    key(FUNCTION_PARTITION, name.as_str())
}

fn operation_key(function: &FunctionName, operation: OperationId) -> Item {
    key(&operation_partition(function), &format!("{OPERATION_PREFIX}{operation}"))
}

fn operation_partition(function: &FunctionName) -> String {
    format!("{FUNCTION_PARTITION}#{function}")
}

fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

fn with_key(mut item: Item, key: Item) -> Item {
    item.extend(key);
    item
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn built<T>(result: Result<T, aws_sdk_dynamodb::error::BuildError>) -> Result<T, Refusal> {
    result.map_err(|error| Refusal::Record(error.to_string()))
}

/// The items whose conditions failed, if any did. A transaction that met a conflict as well may
/// not have looked at all conditions, but the first one to fail decides.
fn failed_conditions(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<Option<Item>>> {
    let reasons = cancellation_codes(error)?;
    if !reasons.iter().any(|(code, _)| *code == Some("ConditionalCheckFailed")) {
        return None;
    }
    let item = |(_, item): (_, Option<&Item>)| item.filter(|item| !item.is_empty()).cloned();
    Some(reasons.into_iter().map(item).collect())
}

fn is_conflict(error: &SdkError<TransactWriteItemsError>) -> bool {
    cancellation_codes(error)
        .is_some_and(|reasons| reasons.iter().any(|(code, _)| *code == Some("TransactionConflict")))
}

type Reason<'a> = (Option<&'a str>, Option<&'a Item>);

fn cancellation_codes(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<Reason<'_>>> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons().iter();
    Some(reasons.map(|reason| (reason.code(), reason.item())).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
    use aws_sdk_dynamodb::types::CancellationReason;
    use aws_sdk_dynamodb::types::error::TransactionCanceledException;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use formation_model::function::{Architecture, Environment};

    use super::*;
    use crate::caller::Caller;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    pub(crate) fn function(operation_id: OperationId) -> FunctionRecord {
        let now = Timestamp::now();
        FunctionRecord {
            spec: FunctionSpec {
                function_name: "hello".parse().unwrap(),
                code: Bundle {
                    sha256: "c2hh".into(),
                    size_bytes: 7,
                    key: "bundles/hello/1.zip".into(),
                    version: "v1".into(),
                    inline: false,
                },
                runtime: "nodejs24.x".into(),
                handler: "index.handler".into(),
                architecture: Architecture::Arm64,
                memory_megabytes: 128,
                timeout_seconds: 3,
                log_retention_days: 30,
                environment: Environment([("KEY".to_owned(), "value".to_owned())].into()),
                description: String::new(),
                tags: [].into(),
                deletion_protection: false,
            },
            status: FunctionStatus::Creating,
            revision: 0,
            committed_by: operation_id,
            operation_id,
            created_at: now,
            updated_at: now,
            created_by: "arn:aws:iam::111122223333:user/ann".into(),
            failures: 0,
            drift: Drift::default(),
            repaired: None,
            leftovers: Vec::new(),
            role_id: None,
        }
    }

    pub(crate) fn operation() -> OperationRecord {
        let operation_id = OperationId::generate();
        OperationRecord {
            operation_id,
            kind: OperationKind::Create,
            function_name: "hello".parse().unwrap(),
            status: OperationStatus::Running,
            attempt: 1,
            target: Some(function(operation_id).spec),
            previous: None,
            released: None,
            revision: 1,
            rollback: Rollback::NotNeeded,
            error: None,
            leftovers: Vec::new(),
            warnings: Vec::new(),
            started_at: Timestamp::now(),
            ended_at: None,
            requested_by: "arn:aws:iam::111122223333:user/ann".into(),
            idempotency_key: None,
            interruption: None,
            failures: 0,
            former_leftovers: Vec::new(),
            role_id: None,
        }
    }

    pub(crate) fn records(rules: &[&Rule]) -> Records {
        Records::new(mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules), "records")
    }

    /// A transaction that was cancelled for these reasons, one for each of its items.
    fn cancelled(reasons: &'static [&'static str], found: Option<FunctionRecord>) -> Rule {
        mock!(Client::transact_write_items).then_error(move || {
            let reason = |(index, code): (usize, &&str)| {
                let item = found.as_ref().filter(|_| index == 0);
                let item = item.map(|function| to_item(function).unwrap());
                CancellationReason::builder().code(*code).set_item(item).build()
            };
            let reasons = reasons.iter().enumerate().map(reason).collect();
            TransactWriteItemsError::TransactionCanceledException(
                TransactionCanceledException::builder()
                    .set_cancellation_reasons(Some(reasons))
                    .build(),
            )
        })
    }

    #[test]
    fn records_of_earlier_releases_tell_neither_of_inline_source_nor_of_warnings() {
        let mut record = serde_json::to_value(operation()).unwrap();
        assert!(record.get("warnings").is_none());
        record["target"]["code"].as_object_mut().unwrap().remove("inline");
        let record: OperationRecord = serde_json::from_value(record).unwrap();
        assert!(!record.target.unwrap().code.inline);
    }

    fn written() -> Rule {
        mock!(Client::transact_write_items)
            .then_output(|| TransactWriteItemsOutput::builder().build())
    }

    fn stored(operation: &OperationRecord) -> Rule {
        let item: Item = to_item(operation).unwrap();
        mock!(Client::get_item)
            .then_output(move || GetItemOutput::builder().set_item(Some(item.clone())).build())
    }

    #[tokio::test(start_paused = true)]
    async fn a_conflict_decides_nothing_and_is_tried_again() {
        let operation = operation();
        let conflict = || cancelled(&["TransactionConflict", "None"], None);
        let rules = [&conflict(), &conflict(), &written()];
        let function = function(operation.operation_id);
        let claim = records(&rules).claim_create(&function, &operation, None).await.unwrap();
        assert!(matches!(claim, Claim::Won));
        assert!(rules.iter().all(|rule| rule.num_calls() == 1));
    }

    #[tokio::test]
    async fn a_claim_whose_answer_was_lost_recognises_itself() {
        let operation = operation();
        let ours = function(operation.operation_id);
        let theirs = function(OperationId::generate());
        let reasons: &[&str] = &["ConditionalCheckFailed", "None"];

        let records_with = |found| records(&[&cancelled(reasons, Some(found))]);
        let claim = records_with(ours.clone()).claim_create(&ours, &operation, None).await.unwrap();
        assert!(matches!(claim, Claim::Won));

        let claim =
            records_with(theirs.clone()).claim_create(&ours, &operation, None).await.unwrap();
        let Claim::Lost(Some(first)) = claim else { panic!("{claim:?}") };
        assert_eq!(first.operation_id, theirs.operation_id);
    }

    #[tokio::test]
    async fn a_key_in_use_decides_before_the_function_does() {
        let operation = operation();
        let ours = function(operation.operation_id);
        let request = RequestKey::new(&Caller::new("ann"), "key", &["POST"]);
        let name = &operation.function_name;
        let memory = |id| {
            IdempotencyRecord::new(&request, name.clone(), Some(id), Some("\"1-x\"".to_owned()))
        };
        // Both conditions fail: another request under the key was first, and has made the function.
        let refused = |found: IdempotencyRecord, function: FunctionRecord| {
            mock!(Client::transact_write_items).then_error(move || {
                let reason = |item: Item| {
                    CancellationReason::builder()
                        .code("ConditionalCheckFailed")
                        .set_item(Some(item))
                        .build()
                };
                let reasons = vec![
                    reason(to_item(&function).unwrap()),
                    CancellationReason::builder().code("None").build(),
                    reason(to_item(&found).unwrap()),
                ];
                TransactWriteItemsError::TransactionCanceledException(
                    TransactionCanceledException::builder()
                        .set_cancellation_reasons(Some(reasons))
                        .build(),
                )
            })
        };
        let first = OperationId::generate();
        let rule = refused(memory(first), function(first));
        let own = memory(operation.operation_id);
        let remembered = Some((&request, &own));
        let claim = records(&[&rule]).claim_create(&ours, &operation, remembered).await.unwrap();
        let Claim::KeyInUse(found) = claim else { panic!("{claim:?}") };
        assert!(found.operation_id == Some(first) && found.is_of(&request));

        // Our own claim, whose answer was lost.
        let rule = refused(own.clone(), ours.clone());
        let claim = records(&[&rule]).claim_create(&ours, &operation, remembered).await.unwrap();
        assert!(matches!(claim, Claim::Won));
    }

    #[tokio::test]
    async fn an_outcome_that_is_committed_already_is_answered_again() {
        let running = operation();
        let ended = OperationRecord { status: OperationStatus::Succeeded, ..running.clone() };
        let refused = || cancelled(&["ConditionalCheckFailed", "ConditionalCheckFailed"], None);
        let records_with = |found: &OperationRecord| records(&[&refused(), &stored(found)]);

        let again = records_with(&ended)
            .commit(&running, &Outcome::Succeeded, None, None, HOUR)
            .await
            .unwrap();
        assert_eq!(again.unwrap().status, OperationStatus::Succeeded);

        for otherwise in [
            OperationRecord { status: OperationStatus::Failed, ..running.clone() },
            OperationRecord { attempt: 2, ..ended },
            OperationRecord { attempt: 2, ..running.clone() },
        ] {
            let found = records_with(&otherwise)
                .commit(&running, &Outcome::Succeeded, None, None, HOUR)
                .await;
            assert!(found.unwrap().is_none(), "committed over {otherwise:?}");
        }
    }

    fn failed(rollback: Rollback) -> Outcome {
        let error = OperationError {
            code: "REJECTED".into(),
            message: "told".into(),
            step: "Ensure function".into(),
            aws_error_code: None,
            aws_request_id: None,
        };
        Outcome::Failed { rollback, error, leftovers: vec![Part::Role] }
    }

    #[tokio::test]
    async fn what_has_ended_keeps_no_specification_and_expires_however_it_ended() {
        let running = OperationRecord { previous: operation().target, ..operation() };
        for outcome in
            [Outcome::Succeeded, failed(Rollback::Complete), failed(Rollback::Incomplete)]
        {
            let put = mock!(Client::transact_write_items)
                .match_requests(|request| {
                    let item = request.transact_items()[1].put().unwrap().item();
                    let specified = ["target", "previous"].iter().any(|it| item.contains_key(*it));
                    !specified && item.contains_key("expiresAt")
                })
                .then_output(|| TransactWriteItemsOutput::builder().build());
            let ended = records(&[&put]).commit(&running, &outcome, None, None, HOUR).await;
            let ended = ended.unwrap().unwrap();
            assert!(ended.target.is_none() && ended.previous.is_none(), "{outcome:?}");
            assert_eq!(put.num_calls(), 1);
        }
    }

    #[tokio::test]
    async fn the_role_that_a_function_is_known_to_have_is_kept_with_it() {
        let update = OperationRecord {
            kind: OperationKind::Update,
            previous: operation().target,
            ..operation()
        };
        for (outcome, role_id, expected) in [
            (Outcome::Succeeded, Some("AROA1"), Some("AROA1")),
            (failed(Rollback::Complete), Some("AROA1"), Some("AROA1")),
            // The function may still be of the role before.
            (failed(Rollback::Incomplete), Some("AROA1"), None),
            // Nothing is known: what is recorded stays.
            (Outcome::Succeeded, None, None),
        ] {
            let written = mock!(Client::transact_write_items)
                .match_requests(move |request| {
                    let update = request.transact_items()[0].update().unwrap();
                    let values = update.expression_attribute_values().unwrap();
                    let sets = update.update_expression().contains("#roleId = :roleId");
                    sets == expected.is_some()
                        && values.get(":roleId") == expected.map(text).as_ref()
                })
                .then_output(|| TransactWriteItemsOutput::builder().build());
            let ended = records(&[&written]).commit(&update, &outcome, None, role_id, HOUR).await;
            assert!(ended.unwrap().is_some(), "{outcome:?}");
        }
    }

    #[test]
    fn every_partition_has_a_console_of_its_own() {
        for (partition, domain) in [
            ("aws", "console.aws.amazon.com"),
            ("aws-cn", "console.amazonaws.cn"),
            ("aws-us-gov", "console.amazonaws-us-gov.com"),
        ] {
            let machine = format!("arn:{partition}:states:r-1:111122223333:stateMachine:formation");
            let operation = operation().to_operation(&machine, "r-1");
            let arn = &operation.execution_arn;
            assert!(arn.starts_with(&format!("arn:{partition}:states:")), "{arn}");
            assert_eq!(
                operation.console_url,
                format!("https://r-1.{domain}/states/home?region=r-1#/v2/executions/details/{arn}")
            );
        }
    }

    #[tokio::test]
    async fn what_has_expired_is_gone_even_if_dynamodb_still_has_it() {
        let mut item: Item = to_item(operation()).unwrap();
        let past = Timestamp::now().as_second() - 1;
        item.insert("expiresAt".to_owned(), to_attribute_value(past).unwrap());
        let get = mock!(Client::get_item)
            .then_output(move || GetItemOutput::builder().set_item(Some(item.clone())).build());
        let found = records(&[&get])
            .operation(&"hello".parse().unwrap(), OperationId::generate())
            .await
            .unwrap();
        assert!(found.is_none());
    }

    #[test]
    fn records_survive_the_table() {
        let function = function(OperationId::generate());
        let item: Item = to_item(&function).unwrap();
        let read: FunctionRecord = from_item(item).unwrap();
        assert_eq!(read.spec, function.spec);
        assert_eq!((read.created_at, read.etag()), (function.created_at, function.etag()));
    }

    #[test]
    fn drift_that_the_first_release_repaired_is_readable() {
        let stored = serde_json::json!({"differences": [], "times": 2});
        let read: RepairedDrift = serde_json::from_value(stored).unwrap();
        assert_eq!(read, RepairedDrift { digest: String::new(), times: 2, after: None });
    }
}

//! The sparse index of what must be looked at.
//!
//! It has a partition for each [`Queue`], so that what is urgent does not wait behind thousands of
//! comparisons with AWS. The index is eventually consistent and sorted by time; it only names items.
//! Every act re-reads the item first, and writes on condition that it still is as it was read: see
//! `looks.rs`.
//!
//! What cannot be looked at is put off by its key alone, for longer each time in a row, so that it
//! never holds up what stands behind it.

use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use formation_aws::AwsError;
use formation_model::{FunctionName, OperationId, OperationStatus};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::{from_attribute_value, to_attribute_value};

use super::looks::{if_as_seen, is_not_as_seen};
use super::table::{
    FUNCTION_PARTITION, Item, OPERATION_PREFIX, Records, function_key, key, operation_key, text,
};
use crate::refusal::Refusal;

const INDEX: &str = "due";
/// The attribute that counts the looks in a row that have failed: no field of the records, since it
/// is there for those that cannot be read, too. Every write that ends a look removes it.
pub(super) const LOOK_FAILURES: &str = "lookFailures";

/// What something is due for: a partition of the index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Queue {
    /// Operations that run: is there an execution of it?
    Operations,
    /// Functions that were left FAILED: to be tried again.
    Rollbacks,
    /// Operations that have ended: was it announced?
    Announcements,
    /// Functions to be compared with AWS.
    Comparisons,
    /// Versions that nobody runs any more, to be deleted: not reconcile's.
    Versions,
}

impl Queue {
    /// Every queue that reconcile looks at, the most urgent first.
    pub const ALL: [Self; 4] =
        [Self::Operations, Self::Rollbacks, Self::Announcements, Self::Comparisons];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Operations => "OPERATIONS",
            Self::Rollbacks => "ROLLBACKS",
            Self::Announcements => "ANNOUNCEMENTS",
            Self::Comparisons => "COMPARISONS",
            Self::Versions => "VERSIONS",
        }
    }

    /// Where an operation with this status stands.
    pub(super) const fn of(status: OperationStatus) -> Self {
        match status {
            OperationStatus::Running => Self::Operations,
            OperationStatus::Succeeded | OperationStatus::Failed => Self::Announcements,
        }
    }

    /// The value of the index's partition key.
    pub(super) fn partition(self) -> AttributeValue {
        text(self.as_str())
    }
}

/// The first pause of what has to be tried again, and the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(60);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// How long to wait after `failures` tries in a row that did not help: a minute after the first,
/// then twice as long each time.
pub(crate) fn pause_after(failures: u32) -> SignedDuration {
    let doubled = FIRST_PAUSE.checked_mul(1 << failures.saturating_sub(1).min(16));
    doubled.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

/// Something to look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Due {
    /// A function: a rollback to finish, or a comparison with AWS.
    Function(FunctionName),
    /// An operation: is there an execution of it, was its outcome announced?
    Operation(FunctionName, OperationId),
    /// What this release does not know, by its key.
    Unknown(String, String),
}

impl Due {
    /// What an item of the index names.
    fn named(item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok();
        let (pk, sk) = (text("pk")?, text("sk")?);
        let function =
            || (pk == FUNCTION_PARTITION).then(|| sk.parse().ok().map(Self::Function))?;
        let operation = || {
            let function = pk.strip_prefix(FUNCTION_PARTITION)?.strip_prefix('#')?;
            let operation = sk.strip_prefix(OPERATION_PREFIX)?;
            Some(Self::Operation(function.parse().ok()?, operation.parse().ok()?))
        };
        Some(function().or_else(operation).unwrap_or_else(|| Self::Unknown(pk.clone(), sk.clone())))
    }

    fn key(&self) -> Item {
        match self {
            Self::Function(function) => function_key(function),
            Self::Operation(function, operation) => operation_key(function, *operation),
            Self::Unknown(pk, sk) => key(pk, sk),
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(function) => write!(f, "the function {function}"),
            Self::Operation(function, operation) => {
                write!(f, "the operation {operation} on {function}")
            }
            Self::Unknown(pk, sk) => write!(f, "the item {pk} {sk}"),
        }
    }
}

/// One page of what is due, the longest overdue first.
#[derive(Debug)]
pub struct DuePage {
    /// What is due.
    pub due: Vec<Due>,
    /// Where the next page begins; none on the last.
    pub next: Option<Position>,
}

/// A place in the index.
#[derive(Clone, Debug)]
pub struct Position(Item);

/// Puts an operation's item into the index at `due`.
pub(super) fn with_due(
    mut item: Item,
    status: OperationStatus,
    due: Timestamp,
) -> Result<Item, Refusal> {
    item.insert("due".to_owned(), Queue::of(status).partition());
    item.insert("dueAt".to_owned(), to_attribute_value(due.as_second())?);
    Ok(item)
}

impl Records {
    /// What was due of `queue` at `now`, the longest overdue first: at most `limit` items, from
    /// `after` on. Items that are put off meanwhile move none of those behind them.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        limit: i32,
        after: Option<Position>,
    ) -> Result<DuePage, Refusal> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .limit(limit)
            .key_condition_expression("#due = :due AND #dueAt <= :now")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_values(":due", queue.partition())
            .expression_attribute_values(":now", to_attribute_value(now.as_second())?)
            .set_exclusive_start_key(after.map(|Position(item)| item))
            .send()
            .await
            .map_err(|error| AwsError::new("dynamodb:Query", error))?;
        let due = output.items.unwrap_or_default().iter().filter_map(Due::named).collect();
        Ok(DuePage { due, next: output.last_evaluated_key.map(Position) })
    }

    /// Puts off what could not be looked at, whatever it holds: by a pause that grows with the
    /// failures in a row. Nothing happens if it is not due any more.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn put_off(&self, due: &Due) -> Result<(), Refusal> {
        let now = Timestamp::now();
        let until = |failures| to_attribute_value((now + pause_after(failures)).as_second());
        let update = || {
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(due.key()))
                .expression_attribute_names("#due", "due")
                .expression_attribute_names("#dueAt", "dueAt")
                .expression_attribute_names("#failures", LOOK_FAILURES)
        };
        // The first pause, until it is known how many failures in a row there were.
        let counted = update()
            .update_expression("SET #dueAt = :until ADD #failures :one")
            .condition_expression("attribute_exists(#due) AND #dueAt <= :now")
            .expression_attribute_values(":until", until(1)?)
            .expression_attribute_values(":one", to_attribute_value(1)?)
            .expression_attribute_values(":now", to_attribute_value(now.as_second())?)
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        let counted = match counted {
            Ok(output) => output.attributes.and_then(|mut found| found.remove(LOOK_FAILURES)),
            Err(error) if is_not_as_seen(error.as_service_error()) => return Ok(()),
            Err(error) => return Err(AwsError::new("dynamodb:UpdateItem", error).into()),
        };
        let failures: u32 = counted.clone().map(from_attribute_value).transpose()?.unwrap_or(1);
        let (Some(counted), true) = (counted, failures > 1) else { return Ok(()) };
        let update = update()
            .update_expression("SET #dueAt = :until")
            .condition_expression("attribute_exists(#due) AND #failures = :counted")
            .expression_attribute_values(":until", until(failures)?)
            .expression_attribute_values(":counted", counted);
        if_as_seen(update).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
    use aws_smithy_mocks::{Rule, mock};

    use super::super::looks::tests::refused;
    use super::super::table::{function_key, key, operation_key};
    use super::super::tests::{operation, records};
    use super::*;

    /// Which look in a row it is that has failed.
    fn counted(failures: u32) -> Rule {
        mock!(Client::update_item)
            .match_requests(|request| {
                request.update_expression() == Some("SET #dueAt = :until ADD #failures :one")
            })
            .then_output(move || {
                let failures = to_attribute_value(failures).unwrap();
                UpdateItemOutput::builder().attributes(LOOK_FAILURES, failures).build()
            })
    }

    fn seconds(value: &AttributeValue) -> i64 {
        value.as_n().unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn what_cannot_be_looked_at_is_put_off_for_longer_each_time() {
        let due = Due::Unknown("SOMETHING".to_owned(), "NEW".to_owned());
        let first = counted(1);
        records(&[&first]).put_off(&due).await.unwrap();
        assert_eq!(first.num_calls(), 1);

        let began = Timestamp::now().as_second();
        let later = mock!(Client::update_item)
            .match_requests(move |request| {
                let values = request.expression_attribute_values().unwrap();
                let pause = seconds(&values[":until"]) - began;
                request.key() == Some(&key("SOMETHING", "NEW"))
                    && (480..=490).contains(&pause)
                    && seconds(&values[":counted"]) == 4
            })
            .then_output(|| UpdateItemOutput::builder().build());
        records(&[&counted(4), &later]).put_off(&due).await.unwrap();
        assert_eq!(later.num_calls(), 1);
    }

    #[tokio::test]
    async fn what_is_not_due_any_more_is_not_put_off() {
        records(&[&refused(&operation())])
            .put_off(&Due::Function("hello".parse().unwrap()))
            .await
            .unwrap();
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let seconds = [1, 2, 3, 9, 60].map(|failures| pause_after(failures).as_secs());
        assert_eq!(seconds, [60, 120, 240, 15_360, 21_600]);
    }

    #[test]
    fn items_of_the_index_name_functions_and_operations_and_what_is_unknown_keeps_its_key() {
        let name: FunctionName = "hello".parse().unwrap();
        let id = OperationId::generate();
        for (item, due) in [
            (function_key(&name), Due::Function(name.clone())),
            (operation_key(&name, id), Due::Operation(name, id)),
            (key("SOMETHING", "NEW"), Due::Unknown("SOMETHING".into(), "NEW".into())),
            (key("FUNCTION#hello", "REVISION#1"), {
                Due::Unknown("FUNCTION#hello".into(), "REVISION#1".into())
            }),
            (key("FUNCTION", "no name"), Due::Unknown("FUNCTION".into(), "no name".into())),
        ] {
            assert_eq!(Due::named(&item), Some(due.clone()));
            assert_eq!(due.key(), item);
        }
    }
}

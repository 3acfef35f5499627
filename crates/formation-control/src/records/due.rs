//! The sparse index of what must be looked at, and the writes of whoever looks.
//!
//! It has a partition for each [`Queue`], so that what is urgent does not wait behind thousands of
//! comparisons with AWS. The index is eventually consistent and sorted by time; it only names items.
//! Every act re-reads the item first, and writes on condition that it still is as it was read.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use formation_aws::AwsError;
use formation_model::operation::OperationError;
use formation_model::{Drift, FunctionName, OperationId, OperationStatus};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::{from_item, to_attribute_value};

use super::{
    FUNCTION_PARTITION, FunctionRecord, Item, OPERATION_PREFIX, OperationRecord, Records,
    RepairedDrift, function_key, operation_key, text,
};
use crate::refusal::Refusal;

const INDEX: &str = "due";

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
}

impl Queue {
    /// Every queue, the most urgent first.
    pub const ALL: [Self; 4] =
        [Self::Operations, Self::Rollbacks, Self::Announcements, Self::Comparisons];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Operations => "OPERATIONS",
            Self::Rollbacks => "ROLLBACKS",
            Self::Announcements => "ANNOUNCEMENTS",
            Self::Comparisons => "COMPARISONS",
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
pub fn pause_after(failures: u32) -> SignedDuration {
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
}

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
    /// What is due of `queue` at `now`, the longest overdue first: at most `limit` items.
    ///
    /// # Errors
    /// What DynamoDB answered.
    pub async fn due(&self, queue: Queue, now: Timestamp, limit: i32) -> Result<Vec<Due>, Refusal> {
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
            .send()
            .await
            .map_err(|error| AwsError::new("dynamodb:Query", error))?;
        Ok(output.items.unwrap_or_default().iter().filter_map(named).collect())
    }

    /// Raises the attempt of an operation that is still running as it was seen, so that what was
    /// its attempt can do nothing more. Answers the operation at the next attempt, also if somebody
    /// else raised it first; none if it has ended or went further meanwhile. The first `reason` is
    /// kept.
    ///
    /// # Errors
    /// What DynamoDB answered, or a record that cannot be read.
    pub async fn take_over(
        &self,
        seen: &OperationRecord,
        reason: &OperationError,
        due: Timestamp,
    ) -> Result<Option<OperationRecord>, Refusal> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(operation_key(&seen.function_name, seen.operation_id)))
            .update_expression(
                "SET #attempt = :next, #reason = if_not_exists(#reason, :reason), \
                 #due = :due, #dueAt = :dueAt",
            )
            .condition_expression("#status = :running AND #attempt = :attempt")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#reason", "interruption")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":next", to_attribute_value(seen.attempt + 1)?)
            .expression_attribute_values(":reason", to_attribute_value(reason)?)
            .expression_attribute_values(":due", Queue::Operations.partition())
            .expression_attribute_values(":dueAt", to_attribute_value(due.as_second())?)
            .expression_attribute_values(":running", text(OperationStatus::Running.as_str()))
            .expression_attribute_values(":attempt", to_attribute_value(seen.attempt)?)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let item = match updated {
            Ok(output) => output.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    refused.item.clone()
                }
                _ => return Err(AwsError::new("dynamodb:UpdateItem", error).into()),
            },
        };
        let found: Option<OperationRecord> = item.map(from_item).transpose()?;
        Ok(found.filter(|found| {
            found.status == OperationStatus::Running && found.attempt == seen.attempt + 1
        }))
    }

    /// Looks at the operation again at `due`, or never again for none. Nothing happens if it is not
    /// as it was seen any more.
    ///
    /// # Errors
    /// What DynamoDB answered.
    pub async fn postpone(
        &self,
        seen: &OperationRecord,
        due: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(operation_key(&seen.function_name, seen.operation_id)))
            .condition_expression("#status = :status AND #attempt = :attempt")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_values(":status", text(seen.status.as_str()))
            .expression_attribute_values(":attempt", to_attribute_value(seen.attempt)?);
        update = match due {
            Some(due) => update
                .update_expression("SET #due = :due, #dueAt = :dueAt")
                .expression_attribute_values(":due", Queue::of(seen.status).partition())
                .expression_attribute_values(":dueAt", to_attribute_value(due.as_second())?),
            None => update.update_expression("REMOVE #due, #dueAt"),
        };
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_not_as_seen(error.as_service_error()) => Ok(()),
            Err(error) => Err(AwsError::new("dynamodb:UpdateItem", error).into()),
        }
    }
}

impl Records {
    /// Records what a comparison with AWS found, and when the next one is due; whether it was: not
    /// if an operation has been accepted since the function was seen.
    ///
    /// # Errors
    /// What DynamoDB answered.
    pub async fn record_drift(
        &self,
        seen: &FunctionRecord,
        drift: &Drift,
        repaired: Option<&RepairedDrift>,
        next: Timestamp,
    ) -> Result<bool, Refusal> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(function_key(&seen.spec.function_name)))
            .condition_expression("#operation = :operation AND #status = :status")
            .expression_attribute_names("#operation", "operationId")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#drift", "drift")
            .expression_attribute_names("#repaired", "repaired")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_values(":operation", text(&seen.operation_id.to_string()))
            .expression_attribute_values(":status", text(seen.status.as_str()))
            .expression_attribute_values(":drift", to_attribute_value(drift)?)
            .expression_attribute_values(":dueAt", to_attribute_value(next.as_second())?);
        let update = match repaired {
            Some(repaired) => update
                .update_expression("SET #drift = :drift, #dueAt = :dueAt, #repaired = :repaired")
                .expression_attribute_values(":repaired", to_attribute_value(repaired)?),
            None => {
                update.update_expression("SET #drift = :drift, #dueAt = :dueAt REMOVE #repaired")
            }
        };
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_not_as_seen(error.as_service_error()) => Ok(false),
            Err(error) => Err(AwsError::new("dynamodb:UpdateItem", error).into()),
        }
    }
}

fn is_not_as_seen(error: Option<&UpdateItemError>) -> bool {
    matches!(error, Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

/// What an item of the index names; none for what this release does not know.
fn named(item: &Item) -> Option<Due> {
    let text = |name: &str| item.get(name)?.as_s().ok();
    let (pk, sk) = (text("pk")?, text("sk")?);
    if pk == FUNCTION_PARTITION {
        return Some(Due::Function(sk.parse().ok()?));
    }
    let function = pk.strip_prefix(FUNCTION_PARTITION)?.strip_prefix('#')?;
    let operation = sk.strip_prefix(OPERATION_PREFIX)?;
    Some(Due::Operation(function.parse().ok()?, operation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
    use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
    use aws_smithy_mocks::{Rule, mock};
    use formation_model::operation::INTERRUPTED;
    use serde_dynamo::to_item;

    use super::super::key;
    use super::super::tests::{operation, records};
    use super::*;

    fn reason() -> OperationError {
        OperationError {
            code: INTERRUPTED.into(),
            message: "told".into(),
            step: "Ensure role".into(),
            aws_error_code: None,
            aws_request_id: None,
        }
    }

    /// The condition fails, and this is what is there.
    fn refused(found: &OperationRecord) -> Rule {
        let item: Item = to_item(found).unwrap();
        mock!(Client::update_item).then_error(move || {
            UpdateItemError::ConditionalCheckFailedException(
                ConditionalCheckFailedException::builder().set_item(Some(item.clone())).build(),
            )
        })
    }

    #[tokio::test]
    async fn a_takeover_raises_the_attempt_and_keeps_the_first_reason() {
        let seen = operation();
        let raised = OperationRecord { attempt: 2, interruption: Some(reason()), ..seen.clone() };
        let item: Item = to_item(&raised).unwrap();
        let update = mock!(Client::update_item)
            .match_requests(|request| {
                let update = request.update_expression().unwrap_or_default();
                update.contains("if_not_exists(#reason, :reason)")
                    && request.condition_expression()
                        == Some("#status = :running AND #attempt = :attempt")
            })
            .then_output(move || {
                UpdateItemOutput::builder().set_attributes(Some(item.clone())).build()
            });
        let now = Timestamp::now();
        let taken = records(&[&update]).take_over(&seen, &reason(), now).await.unwrap().unwrap();
        assert_eq!((taken.attempt, taken.interruption), (2, Some(reason())));
    }

    #[tokio::test]
    async fn a_takeover_recognises_itself_and_does_nothing_to_what_has_ended() {
        let seen = operation();
        let now = Timestamp::now();
        // Its own answer was lost, or somebody else was as fast: either way attempt 2 is to start.
        let raised = OperationRecord { attempt: 2, ..seen.clone() };
        let taken = records(&[&refused(&raised)]).take_over(&seen, &reason(), now).await.unwrap();
        assert_eq!(taken.unwrap().attempt, 2);
        for otherwise in [
            OperationRecord { status: OperationStatus::Succeeded, ..seen.clone() },
            OperationRecord { attempt: 3, ..seen.clone() },
        ] {
            let taken = records(&[&refused(&otherwise)]).take_over(&seen, &reason(), now).await;
            assert!(taken.unwrap().is_none(), "taken over from {otherwise:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_as_it_was_seen_is_not_put_off() {
        let seen = operation();
        let changed = OperationRecord { attempt: 2, ..seen.clone() };
        records(&[&refused(&changed)]).postpone(&seen, None).await.unwrap();
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let seconds = [1, 2, 3, 9, 60].map(|failures| pause_after(failures).as_secs());
        assert_eq!(seconds, [60, 120, 240, 15_360, 21_600]);
    }

    #[test]
    fn items_of_the_index_name_functions_and_operations() {
        let name: FunctionName = "hello".parse().unwrap();
        let id = OperationId::generate();
        assert_eq!(named(&function_key(&name)), Some(Due::Function(name.clone())));
        assert_eq!(named(&operation_key(&name, id)), Some(Due::Operation(name, id)));
        assert_eq!(named(&key("SOMETHING", "NEW")), None);
    }
}

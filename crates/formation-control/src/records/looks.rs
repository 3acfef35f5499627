//! The writes of whoever looks at what is due: each on condition that the item still is as it was
//! seen.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use formation_aws::AwsError;
use formation_model::operation::OperationError;
use formation_model::{Drift, FunctionName, OperationStatus};
use jiff::Timestamp;
use serde_dynamo::{from_item, to_attribute_value};

use super::commit::OPERATION_RETENTION;
use super::due::{LOOK_FAILURES, Queue};
use super::stored::{FunctionRecord, OperationRecord, RepairedDrift};
use super::table::{
    OPERATION_PREFIX, Records, function_key, function_partition, operation_key, text,
};
use crate::refusal::Refusal;

impl Records {
    /// Raises the attempt of an operation that is still running as it was seen, so that what was
    /// its attempt can do nothing more. Answers the operation at the next attempt, also if somebody
    /// else raised it first; none if it has ended or went further meanwhile. The first `reason` is
    /// kept.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read.
    pub(crate) async fn take_over(
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
                 #due = :due, #dueAt = :dueAt REMOVE #failures",
            )
            .condition_expression("#status = :running AND #attempt = :attempt")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#reason", "interruption")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_names("#failures", LOOK_FAILURES)
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

    /// Looks at the operation again at `due`. Nothing happens if it is not as it was seen any more.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn postpone(
        &self,
        seen: &OperationRecord,
        due: Timestamp,
    ) -> Result<(), Refusal> {
        let update = self
            .update_as_seen(seen)?
            .update_expression("SET #due = :due, #dueAt = :dueAt REMOVE #failures")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_names("#failures", LOOK_FAILURES)
            .expression_attribute_values(":due", Queue::of(seen.status).partition())
            .expression_attribute_values(":dueAt", to_attribute_value(due.as_second())?);
        if_as_seen(update).await.map(|_| ())
    }

    /// Looks at an operation that has ended and was announced no more, and forgets what the previous
    /// release left in it: see [`Records::forget_specifications`]. Nothing happens if it is not as it
    /// was seen any more.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn conclude(&self, seen: &OperationRecord) -> Result<(), Refusal> {
        let update = self
            .update_as_seen(seen)?
            .update_expression(format!("{FORGET}, #due, #dueAt, #failures"))
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_names("#failures", LOOK_FAILURES);
        if_as_seen(forgetting(update)?).await.map(|_| ())
    }

    /// Forgets the specifications in operations on `function` that have ended, and lets those expire:
    /// the previous release kept both without end where a rollback stayed incomplete. The oldest first,
    /// and so many at a time that nobody waits for long.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn forget_specifications(
        &self,
        function: &FunctionName,
    ) -> Result<(), Refusal> {
        // One page holds a thousand operations at least, and those of the previous release come first.
        let kept = self
            .query(&function_partition(function), OPERATION_PREFIX)
            .projection_expression("#pk, #sk")
            .filter_expression(
                "attribute_exists(#endedAt) AND \
                 (attribute_exists(#target) OR attribute_exists(#previous))",
            )
            .expression_attribute_names("#endedAt", "endedAt")
            .expression_attribute_names("#target", "target")
            .expression_attribute_names("#previous", "previous")
            .send()
            .await
            .map_err(|error| AwsError::new("dynamodb:Query", error))?;
        for key in kept.items.unwrap_or_default().into_iter().take(MOST_FORGOTTEN) {
            let update = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key))
                .update_expression(FORGET)
                // What has ended stays so, and what is gone stays gone.
                .condition_expression("attribute_exists(#endedAt)")
                .expression_attribute_names("#endedAt", "endedAt");
            if_as_seen(forgetting(update)?).await?;
        }
        Ok(())
    }

    /// Notes that from here the operation only goes forward, although no version tells that its callers have moved:
    /// it is about to take away what they had, and publishes nothing. Answers whether it may: not if another
    /// attempt has taken over.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn pass_the_point_of_no_return(
        &self,
        seen: &OperationRecord,
    ) -> Result<bool, Refusal> {
        let update = self
            .update_as_seen(seen)?
            .update_expression("SET #onlyForward = :true")
            .expression_attribute_names("#onlyForward", "onlyForward")
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        if_as_seen(update).await
    }

    /// An update of an operation on condition that it is as it was seen.
    fn update_as_seen(&self, seen: &OperationRecord) -> Result<UpdateItemFluentBuilder, Refusal> {
        Ok(self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(operation_key(&seen.function_name, seen.operation_id)))
            .condition_expression("#status = :status AND #attempt = :attempt")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_values(":status", text(seen.status.as_str()))
            .expression_attribute_values(":attempt", to_attribute_value(seen.attempt)?))
    }

    /// Records what a comparison with AWS found, and when the next one is due; whether it was: not
    /// if an operation has been accepted since the function was seen. Without `next` the look is not
    /// over: the function stays due until something is done about what was found.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn record_drift(
        &self,
        seen: &FunctionRecord,
        drift: &Drift,
        repaired: Option<&RepairedDrift>,
        next: Option<Timestamp>,
    ) -> Result<bool, Refusal> {
        let mut set = "SET #drift = :drift".to_owned();
        let mut remove = Vec::new();
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(function_key(&seen.spec.function_name)))
            .condition_expression("#operation = :operation AND #status = :status")
            .expression_attribute_names("#operation", "operationId")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#drift", "drift")
            .expression_attribute_names("#repaired", "repaired")
            .expression_attribute_values(":operation", text(&seen.operation_id.to_string()))
            .expression_attribute_values(":status", text(seen.status.as_str()))
            .expression_attribute_values(":drift", to_attribute_value(drift)?);
        match repaired {
            Some(repaired) => {
                set.push_str(", #repaired = :repaired");
                update =
                    update.expression_attribute_values(":repaired", to_attribute_value(repaired)?);
            }
            None => remove.push("#repaired"),
        }
        if let Some(next) = next {
            set.push_str(", #dueAt = :dueAt");
            remove.push("#failures");
            update = update
                .expression_attribute_names("#dueAt", "dueAt")
                .expression_attribute_names("#failures", LOOK_FAILURES)
                .expression_attribute_values(":dueAt", to_attribute_value(next.as_second())?);
        }
        if !remove.is_empty() {
            set.push_str(&format!(" REMOVE {}", remove.join(", ")));
        }
        if_as_seen(update.update_expression(set)).await
    }
}

/// How many operations forget their specifications at a time.
const MOST_FORGOTTEN: usize = 50;

/// Takes the specifications out of an operation that has ended.
const FORGET: &str =
    "SET #expiresAt = if_not_exists(#expiresAt, :expiresAt) REMOVE #target, #previous";

/// The names and values of [`FORGET`].
fn forgetting(update: UpdateItemFluentBuilder) -> Result<UpdateItemFluentBuilder, Refusal> {
    let expires = Timestamp::now() + OPERATION_RETENTION;
    Ok(update
        .expression_attribute_names("#target", "target")
        .expression_attribute_names("#previous", "previous")
        .expression_attribute_names("#expiresAt", "expiresAt")
        .expression_attribute_values(":expiresAt", to_attribute_value(expires.as_second())?))
}

/// Sends an update; whether its condition held.
pub(super) async fn if_as_seen(update: UpdateItemFluentBuilder) -> Result<bool, Refusal> {
    match update.send().await {
        Ok(_) => Ok(true),
        Err(error) if is_not_as_seen(error.as_service_error()) => Ok(false),
        Err(error) => Err(AwsError::new("dynamodb:UpdateItem", error).into()),
    }
}

/// Sends a delete; where its condition does not hold, what is there stays.
pub(super) async fn delete_as_seen(delete: DeleteItemFluentBuilder) -> Result<(), Refusal> {
    match delete.send().await {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.as_service_error(),
                Some(DeleteItemError::ConditionalCheckFailedException(_))
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(AwsError::new("dynamodb:DeleteItem", error).into()),
    }
}

pub(super) fn is_not_as_seen(error: Option<&UpdateItemError>) -> bool {
    matches!(error, Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

#[cfg(test)]
pub(super) mod tests {
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::query::QueryOutput;
    use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
    use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
    use aws_smithy_mocks::{Rule, mock};
    use formation_model::OperationId;
    use formation_model::operation::INTERRUPTED;
    use serde_dynamo::to_item;

    use super::super::table::Item;
    use super::super::tests::{function, operation, records};
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
    pub(in super::super) fn refused(found: &OperationRecord) -> Rule {
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
        records(&[&refused(&changed)]).postpone(&seen, Timestamp::now()).await.unwrap();
        records(&[&refused(&changed)]).conclude(&seen).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_looked_at_no_more_keeps_no_specification() {
        let update = mock!(Client::update_item)
            .match_requests(|request| {
                let update = request.update_expression().unwrap_or_default();
                let removed = update.split_once("REMOVE ").unwrap().1;
                let removed: Vec<_> = removed.split(", ").collect();
                removed == ["#target", "#previous", "#due", "#dueAt", "#failures"]
                    && update.contains("#expiresAt = if_not_exists(#expiresAt, :expiresAt)")
            })
            .then_output(|| UpdateItemOutput::builder().build());
        records(&[&update]).conclude(&operation()).await.unwrap();
        assert_eq!(update.num_calls(), 1);
    }

    #[tokio::test]
    async fn every_operation_that_has_ended_forgets_what_the_previous_release_kept_in_it() {
        let name: FunctionName = "hello".parse().unwrap();
        let keys = [(); 2].map(|()| operation_key(&name, OperationId::generate()));
        let found = keys.to_vec();
        let query = mock!(Client::query)
            .match_requests(|request| {
                let filter = request.filter_expression().unwrap();
                let values = request.expression_attribute_values().unwrap();
                request.key_condition_expression()
                    == Some("#pk = :pk AND begins_with(#sk, :prefix)")
                    && values[":pk"] == text("FUNCTION#hello")
                    && ["#endedAt", "#target", "#previous"]
                        .iter()
                        .all(|name| filter.contains(&format!("attribute_exists({name})")))
            })
            .then_output(move || QueryOutput::builder().set_items(Some(found.clone())).build());
        let forgets = |key: Item| {
            mock!(Client::update_item)
                .match_requests(move |request| {
                    request.key() == Some(&key)
                        && request.update_expression() == Some(FORGET)
                        && request.condition_expression() == Some("attribute_exists(#endedAt)")
                })
                .then_output(|| UpdateItemOutput::builder().build())
        };
        // One that is gone meanwhile keeps nothing, and holds up none of the others.
        let [_, second] = keys;
        let rules = [query, refused(&operation()), forgets(second)];
        records(&rules.each_ref()).forget_specifications(&name).await.unwrap();
        assert!(rules.iter().all(|rule| rule.num_calls() == 1));
    }

    #[tokio::test]
    async fn every_write_that_ends_a_look_forgets_how_many_have_failed() {
        let seen = operation();
        let now = Timestamp::now();
        let forgets = || {
            mock!(Client::update_item)
                .match_requests(|request| {
                    let update = request.update_expression().unwrap_or_default();
                    let names = request.expression_attribute_names().unwrap();
                    update.split_once(" REMOVE ").is_some_and(|it| it.1.contains("#failures"))
                        && names["#failures"] == LOOK_FAILURES
                })
                .then_output(|| UpdateItemOutput::builder().build())
        };
        records(&[&forgets()]).postpone(&seen, now).await.unwrap();
        records(&[&forgets()]).conclude(&seen).await.unwrap();
        records(&[&forgets()]).take_over(&seen, &reason(), now).await.unwrap();
        let function = function(seen.operation_id);
        let drift = Drift::default();
        records(&[&forgets()]).record_drift(&function, &drift, None, Some(now)).await.unwrap();

        // A look that goes on: the function stays due, and a failure that follows is counted.
        let goes_on = mock!(Client::update_item)
            .match_requests(|request| {
                request.update_expression() == Some("SET #drift = :drift, #repaired = :repaired")
            })
            .then_output(|| UpdateItemOutput::builder().build());
        let repaired = RepairedDrift { digest: "d".into(), times: 1, after: None };
        let records = records(&[&goes_on]);
        assert!(records.record_drift(&function, &drift, Some(&repaired), None).await.unwrap());
    }
}

//! Claims: one conditional write decides which operation holds a function.

use aws_sdk_dynamodb::types::{
    Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use formation_model::{FunctionStatus, OperationId};
use jiff::SignedDuration;
use serde_dynamo::{from_item, to_item};

use super::due;
use super::idempotency::{self, IdempotencyRecord, RequestKey};
use super::stored::{FunctionRecord, OperationRecord};
use super::table::{Records, built, function_key, operation_key, text, with_key};
use crate::refusal::Refusal;

/// How long after its claim an operation is looked at: by then its execution was started, or never
/// is by whoever claimed it.
pub(crate) const START_GRACE: SignedDuration = SignedDuration::from_secs(45);

/// Whether a claim was decided for or against the operation.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The operation holds the function.
    Won,
    /// Another operation was first, or the function is not there; its record, if there is one.
    Lost(Option<Box<FunctionRecord>>),
    /// The request's key is in use.
    KeyInUse(IdempotencyRecord),
}

/// What is to be remembered with a claim: the request's key and what it was used for.
pub(crate) type Remembered<'a> = Option<(&'a RequestKey, &'a IdempotencyRecord)>;

impl Records {
    /// Claims a name that is free for an operation that creates it.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// written.
    pub(crate) async fn claim_create(
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
        self.claim(claim, operation, remembered, None).await
    }

    /// Claims a function that is there for an operation that changes it; `seen` is what the
    /// decision to do so was based on, and `revision` one that must still be kept: its number and the operation that
    /// committed it. Where only that fails, the claim is lost to nobody.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// written.
    pub(crate) async fn claim_change(
        &self,
        seen: &FunctionRecord,
        status: FunctionStatus,
        operation: &OperationRecord,
        remembered: Remembered<'_>,
        revision: Option<(u64, OperationId)>,
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
        let revision = revision.map(|it| self.checking_revision(&operation.function_name, it));
        self.claim(claim, operation, remembered, revision.transpose()?).await
    }

    /// Writes the claim of the function, the operation and the request's key as one.
    async fn claim(
        &self,
        function: TransactWriteItem,
        operation: &OperationRecord,
        remembered: Remembered<'_>,
        checked: Option<TransactWriteItem>,
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
        items.extend(checked);
        let token = operation.operation_id.to_string();
        let Some(refused) = self.transact(items, Some(&token)).await? else {
            return Ok(Claim::Won);
        };
        let mut refused = refused.into_iter();
        let function = refused.next().flatten();
        // The key first: whose request this is decides before what it asks for.
        if let Some(item) = refused.nth(1).flatten().filter(|_| remembered.is_some()) {
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
}

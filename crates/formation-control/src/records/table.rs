//! The table: its keys, reading one item, and writing several as one.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use formation_aws::AwsError;
use formation_model::{FunctionName, OperationId};
use jiff::Timestamp;
use serde_dynamo::from_item;
use tokio::time::sleep;

use super::stored::{FunctionRecord, OperationRecord, StoredSpec};
use crate::refusal::Refusal;

pub(super) const FUNCTION_PARTITION: &str = "FUNCTION";
pub(super) const OPERATION_PREFIX: &str = "OPERATION#";
pub(super) const REVISION_PREFIX: &str = "REVISION#";
pub(super) const RETIRED_PREFIX: &str = "RETIRED#";

/// How often a transaction is tried while others hold its items.
const CONFLICT_TRIES: u32 = 10;
const CONFLICT_PAUSE_MILLISECONDS: u64 = 60;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The table.
#[derive(Clone, Debug)]
pub struct Records {
    pub(super) client: Client,
    pub(super) table: String,
}

impl Records {
    /// The records in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The function of that name, strongly consistent.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read.
    pub(crate) async fn function(
        &self,
        name: &FunctionName,
    ) -> Result<Option<FunctionRecord>, Refusal> {
        Ok(self.item(function_key(name)).await?.map(from_item).transpose()?)
    }

    /// The operation of that id, strongly consistent.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read.
    pub async fn operation(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<Option<OperationRecord>, Refusal> {
        let Some(item) = self.item(operation_key(function, operation)).await? else {
            return Ok(None);
        };
        let stored_target = StoredSpec::target_in(&item);
        Ok(Some(OperationRecord { stored_target, ..from_item(item)? }))
    }

    /// Writes `items` as one. Answers nothing if they are written, and what the items were that
    /// failed their condition, in the order of `items`, if they are not.
    ///
    /// Simultaneous transactions may meet TransactionConflict before any condition is looked at:
    /// that decides nothing, so it is tried again until something does.
    pub(super) async fn transact(
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

    pub(super) async fn item(&self, key: Item) -> Result<Option<Item>, AwsError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("dynamodb:GetItem", error))?;
        Ok(output.item.filter(|item| !has_expired(item)))
    }
}

/// DynamoDB removes what has expired up to two days late.
pub(super) fn has_expired(item: &Item) -> bool {
    match item.get("expiresAt") {
        Some(AttributeValue::N(at)) => {
            at.parse().is_ok_and(|at: i64| at <= Timestamp::now().as_second())
        }
        _ => false,
    }
}

pub(super) fn function_key(name: &FunctionName) -> Item {
    key(FUNCTION_PARTITION, name.as_str())
}

pub(super) fn operation_key(function: &FunctionName, operation: OperationId) -> Item {
    key(&function_partition(function), &format!("{OPERATION_PREFIX}{operation}"))
}

/// Numbers have one length, so that they sort as numbers do.
pub(super) fn revision_key(function: &FunctionName, revision: u64) -> Item {
    key(&function_partition(function), &format!("{REVISION_PREFIX}{revision:010}"))
}

/// The partition of what belongs to a function besides its own record.
pub(super) fn function_partition(function: &FunctionName) -> String {
    format!("{FUNCTION_PARTITION}#{function}")
}

pub(super) fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

pub(super) fn with_key(mut item: Item, key: Item) -> Item {
    item.extend(key);
    item
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn built<T>(result: Result<T, BuildError>) -> Result<T, Refusal> {
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

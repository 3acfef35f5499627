//! Idempotency keys: a request that is repeated under its key gets the operation that it was
//! accepted as, or hears again that nothing was to be done, and does not act again.

use aws_sdk_dynamodb::types::{
    KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use formation_aws::AwsError;
use formation_model::{FunctionName, OperationId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_dynamo::{from_item, to_attribute_value, to_item};
use sha2::{Digest, Sha256};

use super::stored::FunctionRecord;
use super::table::{Item, Records, built, function_key, has_expired, key, text, with_key};
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::version_tag::VersionTag;

/// What fingerprints begin with. Those of another release were made of other parts, so they tell
/// nothing of a request; the first release's begin with nothing.
const FINGERPRINT: &str = "2:";

/// How long a key is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// The key that a caller gave to a request, and what tells the request from others.
#[derive(Clone, Debug)]
pub struct RequestKey {
    /// As the caller gave it.
    pub key: String,
    /// Key and caller's identity, so that callers need not know of each other's keys.
    id: String,
    /// Everything that the request asks for.
    fingerprint: String,
}

impl RequestKey {
    /// The key of `caller` for a request that consists of `parts`.
    pub fn new(caller: &Caller, key: &str, parts: &[impl AsRef<[u8]>]) -> Self {
        let id = digest(&[caller.identity(), key]);
        let fingerprint = format!("{FINGERPRINT}{}", digest(parts));
        Self { key: key.to_owned(), id, fingerprint }
    }

    /// A digest of the key and its caller.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// SHA-256 in hex of parts, told apart by their lengths.
fn digest(parts: &[impl AsRef<[u8]>]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a key was used for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdempotencyRecord {
    fingerprint: String,
    /// The function that the request is about.
    pub function_name: FunctionName,
    /// The operation that the request was accepted as; none if nothing was to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// The version that the answer told. The first release stored it in quotes, as `etag`.
    #[serde(default, alias = "etag", skip_serializing_if = "Option::is_none")]
    pub version_tag: Option<VersionTag>,
}

impl IdempotencyRecord {
    /// The record of an accepted request.
    pub fn new(
        request: &RequestKey,
        function_name: FunctionName,
        operation_id: Option<OperationId>,
        version_tag: Option<VersionTag>,
    ) -> Self {
        Self { fingerprint: request.fingerprint.clone(), function_name, operation_id, version_tag }
    }

    /// Whether it was `request` that the key was used for. Where another release remembered it, the
    /// key alone has to tell: who repeats a request across an upgrade must not be refused.
    pub fn is_of(&self, request: &RequestKey) -> bool {
        !self.fingerprint.starts_with(FINGERPRINT) || self.fingerprint == request.fingerprint
    }
}

fn idempotency_key(request: &RequestKey) -> Item {
    key(&format!("IDEMPOTENCY#{}", request.id), "IDEMPOTENCY")
}

/// Reads what a failed condition on the key found.
pub(super) fn found(item: Item) -> Result<IdempotencyRecord, Refusal> {
    Ok(from_item(item)?)
}

impl Records {
    /// What is known of the key and of the function, in one strongly consistent read.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read.
    pub(crate) async fn look(
        &self,
        function: &FunctionName,
        request: Option<&RequestKey>,
    ) -> Result<(Option<IdempotencyRecord>, Option<FunctionRecord>), Refusal> {
        let Some(request) = request else { return Ok((None, self.function(function).await?)) };
        let keys = KeysAndAttributes::builder()
            .keys(idempotency_key(request))
            .keys(function_key(function))
            .consistent_read(true);
        let output = self
            .client
            .batch_get_item()
            .request_items(&self.table, built(keys.build())?)
            .send()
            .await
            .map_err(|error| AwsError::new("dynamodb:BatchGetItem", error))?;
        if output.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            // Two small items are left out only where DynamoDB throttles.
            return Err(AwsError::throttled("dynamodb:BatchGetItem").into());
        }
        let mut items = output.responses.unwrap_or_default().remove(&self.table);
        let items = items.iter_mut().flat_map(|items| items.drain(..));
        let (mut remembered, mut function) = (None, None);
        for item in items.filter(|item| !has_expired(item)) {
            if item.get("sk") == Some(&text("IDEMPOTENCY")) {
                remembered = Some(from_item(item)?);
            } else {
                function = Some(from_item(item)?);
            }
        }
        Ok((remembered, function))
    }

    /// Remembers the key of a request for which nothing is to be done. Answers what the key is in
    /// use for, if it is.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read or written.
    pub(crate) async fn remember(
        &self,
        request: &RequestKey,
        record: &IdempotencyRecord,
    ) -> Result<Option<IdempotencyRecord>, Refusal> {
        let refused = self.transact(vec![self.remembering(request, record)?], None).await?;
        refused.into_iter().flatten().flatten().next().map(found).transpose()
    }

    /// Remembers the key, unless it is in use.
    pub(super) fn remembering(
        &self,
        request: &RequestKey,
        record: &IdempotencyRecord,
    ) -> Result<TransactWriteItem, Refusal> {
        let now = Timestamp::now();
        let mut item = with_key(to_item(record)?, idempotency_key(request));
        item.insert("expiresAt".to_owned(), to_attribute_value((now + KEPT).as_second())?);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk) OR #expiresAt <= :now")
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_names("#expiresAt", "expiresAt")
            .expression_attribute_values(":now", to_attribute_value(now.as_second())?)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(built(put.build())?).build())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_the_callers_own_and_requests_are_told_apart() {
        let ann = Caller::new("ann");
        let request = RequestKey::new(&ann, "k", &["POST", "/v1/functions", "{}"]);
        assert_eq!(request.id, RequestKey::new(&ann, "k", &["DELETE"]).id);
        assert_ne!(request.id, RequestKey::new(&Caller::new("bob"), "k", &["POST"]).id);
        // Not even by moving the border between the parts.
        assert_ne!(request.id, RequestKey::new(&Caller::new("annk"), "", &["POST"]).id);

        let record = IdempotencyRecord::new(&request, "a".parse().unwrap(), None, None);
        assert!(record.is_of(&RequestKey::new(&ann, "k", &["POST", "/v1/functions", "{}"])));
        assert!(!record.is_of(&RequestKey::new(&ann, "k", &["POST", "/v1/functions{}"])));
    }

    #[test]
    fn a_key_that_the_release_before_remembered_is_known_by_itself() {
        let record = json!({"fingerprint": "0".repeat(64), "functionName": "a"});
        let record: IdempotencyRecord = serde_json::from_value(record).unwrap();
        let request = RequestKey::new(&Caller::new("ann"), "k", &["POST"]);
        assert!(record.is_of(&request));
        // What is remembered from now on is held against the request.
        let record = IdempotencyRecord::new(&request, "a".parse().unwrap(), None, None);
        let record = serde_json::to_value(record).unwrap();
        let record: IdempotencyRecord = serde_json::from_value(record).unwrap();
        assert!(!record.is_of(&RequestKey::new(&Caller::new("ann"), "k", &["DELETE"])));
    }

    #[test]
    fn a_key_is_a_roles_own_in_every_session() {
        let session = |name: &str| {
            Caller::new(format!("arn:aws:sts::111122223333:assumed-role/deployer/{name}"))
        };
        let key = |caller: &Caller| RequestKey::new(caller, "k", &["POST"]).id;
        assert_eq!(key(&session("monday")), key(&session("tuesday")));
        let other = Caller::new("arn:aws:sts::111122223333:assumed-role/reader/monday");
        assert_ne!(key(&session("monday")), key(&other));
    }
}

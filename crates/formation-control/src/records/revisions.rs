//! Revisions: what each commit made of a function, for as long as it is kept.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use formation_aws::AwsError;
use formation_model::{
    Bundle, FunctionName, FunctionSpec, OperationId, OperationKind, Page, PublishedVersion,
    Revision,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::{from_item, to_item};

use super::looks::{delete_as_seen, if_as_seen};
use super::pages::{PageToken, page, readable};
use super::retired::Retired;
use super::stored::{FunctionRecord, OperationRecord};
use super::table::{
    Item, REVISION_PREFIX, Records, built, function_key, function_partition, revision_key, text,
    with_key,
};
use crate::refusal::Refusal;

/// A revision as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionRecord {
    /// Its number.
    pub revision: u64,
    /// The operation that committed it.
    pub operation_id: OperationId,
    /// What that operation did.
    pub kind: OperationKind,
    /// When it was committed.
    pub created_at: Timestamp,
    /// The verified caller that asked for it.
    pub created_by: String,
    /// The version that was published of it, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PublishedVersion>,
    /// The RoleId of the function's role when that version was published, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// What the function was.
    pub spec: FunctionSpec,
}

impl RevisionRecord {
    /// The revision that a function is at, as its own record tells it: an earlier release kept none.
    pub(crate) fn current(function: &FunctionRecord) -> Self {
        let kind =
            if function.revision == 1 { OperationKind::Create } else { OperationKind::Update };
        Self {
            revision: function.revision,
            operation_id: function.committed_by,
            kind,
            created_at: function.updated_at,
            created_by: function.created_by.clone(),
            version: function.live.version,
            role_id: function.role_id.clone(),
            spec: function.spec.clone(),
        }
    }

    /// The revision as its users see it, and with `specification` what the function was.
    pub(crate) fn to_revision(&self, specification: bool) -> Revision {
        let code = (&self.spec.code).into();
        Revision {
            revision: self.revision,
            operation_id: self.operation_id,
            kind: self.kind.into(),
            created_at: self.created_at,
            created_by: self.created_by.clone(),
            sha256: self.spec.code.sha256.clone(),
            version: self.version,
            specification: specification.then(|| self.spec.clone().with_code(code)),
        }
    }
}

/// What has to be known of a revision to decide whether it is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptRevision {
    pub revision: u64,
    pub operation_id: OperationId,
    pub created_at: Timestamp,
    /// The version that was published of it, if one was.
    #[serde(default)]
    pub version: Option<PublishedVersion>,
    spec: KeptSpec,
}

#[derive(Clone, Debug, Deserialize)]
struct KeptSpec {
    code: Bundle,
}

impl KeptRevision {
    /// Its code.
    pub fn code(&self) -> &Bundle {
        &self.spec.code
    }
}

/// Whether a page of revisions can end with that sort key.
fn is_revision(sort_key: &str) -> bool {
    let number = sort_key.strip_prefix(REVISION_PREFIX);
    number.is_some_and(|it| it.len() == 10 && it.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Records {
    /// One page of a function's revisions with at most `limit` of them, newest first, strongly
    /// consistent. Those whose record cannot be read are left out, so there may be fewer.
    ///
    /// # Errors
    /// [`Refusal::InvalidNextToken`], or what DynamoDB answered.
    pub(crate) async fn list_revisions(
        &self,
        function: &FunctionName,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Page<RevisionRecord>, Refusal> {
        let partition = function_partition(function);
        let query = self.query(&partition, REVISION_PREFIX).limit(limit).scan_index_forward(false);
        let list = format!("revisions {function}");
        let after = token.map(|token| PageToken::read(token, &list, is_revision));
        page(query, &partition, list, after.transpose()?).await
    }

    /// A revision of a function, strongly consistent.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if the record cannot be
    /// read.
    pub(crate) async fn revision(
        &self,
        function: &FunctionName,
        revision: u64,
    ) -> Result<Option<RevisionRecord>, Refusal> {
        Ok(self.item(revision_key(function, revision)).await?.map(from_item).transpose()?)
    }

    /// Keeps the revision that the function is at where an earlier release has not: before an update is committed,
    /// since then its specification is gone. Nothing else of it is written over than the version: `published` is
    /// what the operation has published of it, and under which RoleId. So a rollback finds what was made last of a
    /// revision, and what a repair has replaced is noted to go.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read or written.
    pub async fn keep_current(
        &self,
        operation: &OperationRecord,
        published: Option<(PublishedVersion, Option<&str>)>,
    ) -> Result<(), Refusal> {
        let name = &operation.function_name;
        let (true, Some(number)) = (operation.previous.is_some(), current(operation)) else {
            return Ok(());
        };
        if let Some(kept) = self.item(revision_key(name, number)).await? {
            // One that cannot be read is kept as it is: no operation fails for it.
            let Ok(kept) = from_item::<_, RevisionRecord>(kept) else { return Ok(()) };
            let Some((version, role_id)) = published else { return Ok(()) };
            match kept.version {
                Some(former) if former == version => return Ok(()),
                Some(_) if operation.kind != OperationKind::Repair => return Ok(()),
                Some(former) => {
                    self.retire(&Retired::Version(name.clone(), former), Timestamp::now()).await?;
                }
                None => {}
            }
            return self.give_version(name, &kept, version, role_id).await;
        }
        let Some(item) = self.item(function_key(name)).await? else { return Ok(()) };
        let spec = item.get("spec").cloned();
        let function: FunctionRecord = from_item(item)?;
        let Some(spec) = spec.filter(|_| function.revision == number) else { return Ok(()) };
        let current = RevisionRecord::current(&function);
        let item = Committed {
            revision: number,
            operation_id: current.operation_id,
            kind: current.kind,
            created_at: current.created_at,
            created_by: &current.created_by,
            version: published.map(|(version, _)| version).or(current.version),
            role_id: published.map_or(current.role_id.as_deref(), |(_, role_id)| role_id),
        };
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.with_spec(name, spec)?))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", "pk");
        match put.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(AwsError::new("dynamodb:PutItem", error).into()),
        }
    }

    /// Notes the version that was published of a revision later, and under which RoleId.
    async fn give_version(
        &self,
        function: &FunctionName,
        kept: &RevisionRecord,
        version: PublishedVersion,
        role_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(revision_key(function, kept.revision)))
            .condition_expression("#operation = :operation")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#roleId", "roleId")
            .expression_attribute_names("#operation", "operationId")
            .expression_attribute_values(":version", serde_dynamo::to_attribute_value(version)?)
            .expression_attribute_values(":operation", text(&kept.operation_id.to_string()));
        let update = match role_id {
            Some(role_id) => update
                .update_expression("SET #version = :version, #roleId = :roleId")
                .expression_attribute_values(":roleId", text(role_id)),
            None => update.update_expression("SET #version = :version REMOVE #roleId"),
        };
        if_as_seen(update).await.map(|_| ())
    }

    /// The write that keeps the revision which an operation commits with this specification. Its version was
    /// published under the role of this id.
    pub(super) fn keeping_revision(
        &self,
        operation: &OperationRecord,
        role_id: Option<&str>,
        spec: AttributeValue,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Refusal> {
        let OperationRecord { function_name, operation_id, kind, revision, requested_by, .. } =
            operation;
        let item = Committed {
            revision: *revision,
            operation_id: *operation_id,
            kind: *kind,
            created_at: now,
            created_by: requested_by,
            version: operation.live.version,
            role_id,
        };
        let item = item.with_spec(function_name, spec)?;
        // Where one of an earlier function of that name has stayed, this one replaces it.
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        Ok(TransactWriteItem::builder().put(built(put.build())?).build())
    }

    /// That a revision of this number, committed by this operation, is kept still.
    pub(super) fn checking_revision(
        &self,
        function: &FunctionName,
        (revision, operation): (u64, OperationId),
    ) -> Result<TransactWriteItem, Refusal> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(revision_key(function, revision)))
            .condition_expression("#operation = :operation")
            .expression_attribute_names("#operation", "operationId")
            .expression_attribute_values(":operation", text(&operation.to_string()));
        Ok(TransactWriteItem::builder().condition_check(built(check.build())?).build())
    }

    /// All revisions of a function that are stored and can be read, those of earlier functions of that
    /// name included.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn kept_revisions(
        &self,
        function: &FunctionName,
    ) -> Result<Vec<KeptRevision>, Refusal> {
        let partition = function_partition(function);
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .query(&partition, REVISION_PREFIX)
                .projection_expression(
                    "#sk, #revision, #operation, #createdAt, #version, #spec.#code",
                )
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_names("#operation", "operationId")
                .expression_attribute_names("#createdAt", "createdAt")
                .expression_attribute_names("#version", "version")
                .expression_attribute_names("#spec", "spec")
                .expression_attribute_names("#code", "code")
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(|error| AwsError::new("dynamodb:Query", error))?;
            found.extend(readable(page.items.unwrap_or_default(), &partition));
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Forgets a revision, unless another has taken its number since it was seen.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub(crate) async fn forget_revision(
        &self,
        function: &FunctionName,
        seen: &KeptRevision,
    ) -> Result<(), Refusal> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(revision_key(function, seen.revision)))
            .condition_expression("#operation = :operation")
            .expression_attribute_names("#operation", "operationId")
            .expression_attribute_values(
                ":operation",
                AttributeValue::S(seen.operation_id.to_string()),
            );
        delete_as_seen(delete).await
    }
}

/// The revision that the function of an operation is at while it runs; none of one that is made or deleted.
fn current(operation: &OperationRecord) -> Option<u64> {
    match operation.kind {
        OperationKind::Update | OperationKind::Rollback => operation.revision.checked_sub(1),
        OperationKind::Repair => Some(operation.revision),
        OperationKind::Create | OperationKind::Delete => None,
    }
}

/// What is written of a revision besides its specification: see [`RevisionRecord`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Committed<'a> {
    revision: u64,
    operation_id: OperationId,
    kind: OperationKind,
    created_at: Timestamp,
    created_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<PublishedVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_id: Option<&'a str>,
}

impl Committed<'_> {
    /// The item of a revision, with the specification as it was read: with the fields of a later release,
    /// too.
    fn with_spec(&self, function: &FunctionName, spec: AttributeValue) -> Result<Item, Refusal> {
        let mut item: Item = with_key(to_item(self)?, revision_key(function, self.revision));
        item.insert("spec".to_owned(), spec);
        Ok(item)
    }
}

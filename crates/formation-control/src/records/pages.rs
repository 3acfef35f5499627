//! Lists, page by page.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use formation_aws::AwsError;
use formation_model::{FunctionName, FunctionStatus};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::from_item;

use super::{
    FUNCTION_PARTITION, FunctionRecord, OPERATION_PREFIX, OperationRecord, Records, has_expired,
    key, operation_partition, text,
};
use crate::refusal::Refusal;

/// One page of functions, ordered by name.
#[derive(Debug)]
pub struct Page {
    /// The functions. Where a filter applies there may be fewer than asked for, even none.
    pub functions: Vec<FunctionRecord>,
    /// Where the next page begins; none on the last.
    pub next_token: Option<String>,
}

/// One page of a function's operations, newest first.
#[derive(Debug)]
pub struct OperationPage {
    /// The operations. Those that have expired are left out, so there may be fewer than asked for.
    pub operations: Vec<OperationRecord>,
    /// Where the next page begins; none on the last.
    pub next_token: Option<String>,
}

/// Which functions to list.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only those whose name begins so.
    pub prefix: String,
    /// Only those with this status.
    pub status: Option<FunctionStatus>,
}

impl ListFilter {
    /// No function's name holds the character between the two.
    fn list(&self) -> String {
        format!("functions {} {}", self.prefix, self.status.map_or("", FunctionStatus::as_str))
    }
}

/// A page token binds the place to the list that it was issued for, filters included.
#[derive(Serialize, Deserialize)]
struct PageToken {
    list: String,
    after: String,
}

impl PageToken {
    fn write(&self) -> Result<String, Refusal> {
        let json = serde_json::to_vec(self).map_err(|error| Refusal::Record(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    /// The place that `token` leads to in `list`.
    fn read(token: &str, list: &str) -> Result<String, Refusal> {
        let json = URL_SAFE_NO_PAD.decode(token).map_err(|_| Refusal::InvalidNextToken)?;
        let token: Self = serde_json::from_slice(&json).map_err(|_| Refusal::InvalidNextToken)?;
        if token.list == list { Ok(token.after) } else { Err(Refusal::InvalidNextToken) }
    }
}

impl Records {
    /// One page of functions with at most `limit` of them, strongly consistent.
    ///
    /// # Errors
    /// [`Refusal::InvalidNextToken`], what DynamoDB answered, or a record that cannot be read.
    pub async fn list(
        &self,
        filter: &ListFilter,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Page, Refusal> {
        let mut query = self.query(FUNCTION_PARTITION, &filter.prefix).limit(limit);
        if let Some(status) = filter.status {
            query = query
                .filter_expression("#status = :status")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":status", text(status.as_str()));
        }
        let (functions, next_token) =
            page(query, FUNCTION_PARTITION, &filter.list(), token).await?;
        Ok(Page { functions, next_token })
    }

    /// One page of a function's operations with at most `limit` of them, newest first, strongly
    /// consistent.
    ///
    /// # Errors
    /// As for [`Records::list`].
    pub async fn list_operations(
        &self,
        function: &FunctionName,
        limit: i32,
        token: Option<&str>,
    ) -> Result<OperationPage, Refusal> {
        let partition = operation_partition(function);
        let query = self.query(&partition, OPERATION_PREFIX).limit(limit).scan_index_forward(false);
        let (operations, next_token) = page(query, &partition, &partition, token).await?;
        Ok(OperationPage { operations, next_token })
    }

    fn query(&self, partition: &str, prefix: &str) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_values(":pk", text(partition));
        if prefix.is_empty() {
            query.key_condition_expression("#pk = :pk")
        } else {
            query
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
                .expression_attribute_names("#sk", "sk")
                .expression_attribute_values(":prefix", text(prefix))
        }
    }
}

async fn page<T: DeserializeOwned>(
    query: QueryFluentBuilder,
    partition: &str,
    list: &str,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let after = token.map(|token| PageToken::read(token, list)).transpose()?;
    let page = query
        .set_exclusive_start_key(after.map(|after| key(partition, &after)))
        .send()
        .await
        .map_err(|error| AwsError::new("dynamodb:Query", error))?;
    let items = page.items.unwrap_or_default().into_iter().filter(|item| !has_expired(item));
    let last = page.last_evaluated_key.and_then(|key| match key.get("sk") {
        Some(AttributeValue::S(after)) => Some(after.clone()),
        _ => None,
    });
    let next = last.map(|after| PageToken { list: list.to_owned(), after }.write());
    Ok((items.map(from_item).collect::<Result<_, _>>()?, next.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_leads_back_to_its_place_and_only_in_its_list() {
        let filter = ListFilter { prefix: "a".into(), status: Some(FunctionStatus::Available) };
        let token = PageToken { list: filter.list(), after: "abc".into() }.write().unwrap();
        assert_eq!(PageToken::read(&token, &filter.list()).unwrap(), "abc");
        for other in [ListFilter::default(), ListFilter { prefix: "b".into(), ..filter.clone() }] {
            let read = PageToken::read(&token, &other.list());
            assert!(matches!(read, Err(Refusal::InvalidNextToken)));
        }
        for broken in ["%", "", "e30"] {
            let read = PageToken::read(broken, &filter.list());
            assert!(matches!(read, Err(Refusal::InvalidNextToken)), "{broken}");
        }
    }
}

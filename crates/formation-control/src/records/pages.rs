//! Lists, page by page.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use formation_aws::{AwsError, Chain};
use formation_model::tag::TagFilter;
use formation_model::{FunctionName, FunctionStatus, OperationId, Page};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::from_item;
use sha2::{Digest, Sha256};

use super::stored::{FunctionRecord, OperationRecord};
use super::table::{
    FUNCTION_PARTITION, Item, OPERATION_PREFIX, Records, function_partition, has_expired, key, text,
};
use crate::refusal::Refusal;

/// Which functions to list.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only those whose name begins so: what a name can begin with could be a name itself.
    pub prefix: Option<FunctionName>,
    /// Only those with this status.
    pub status: Option<FunctionStatus>,
    /// Only those that have all of these tags.
    pub tags: BTreeSet<TagFilter>,
}

impl ListFilter {
    fn prefix(&self) -> &str {
        self.prefix.as_ref().map_or("", FunctionName::as_str)
    }

    /// No function's name holds the character between these. Of tags there is a digest, however many
    /// there are and however long they are.
    fn list(&self) -> String {
        let status = self.status.map_or("", FunctionStatus::as_str);
        let list = format!("functions {} {status}", self.prefix());
        if self.tags.is_empty() {
            return list;
        }
        let mut digest = Sha256::new();
        for tag in self.tags.iter().map(ToString::to_string) {
            digest.update((tag.len() as u64).to_be_bytes());
            digest.update(tag);
        }
        format!("{list} {}", URL_SAFE_NO_PAD.encode(digest.finalize()))
    }

    /// Whether a function that the query has found is listed.
    fn has(&self, function: &FunctionRecord) -> bool {
        self.tags.iter().all(|tag| tag.holds(&function.spec.tags))
    }

    /// Whether a page of this list can end with the function of that sort key.
    fn holds(&self, sort_key: &str) -> bool {
        sort_key.starts_with(self.prefix()) && sort_key.parse::<FunctionName>().is_ok()
    }
}

/// Whether a page of operations can end with that sort key.
fn is_operation(sort_key: &str) -> bool {
    let id = sort_key.strip_prefix(OPERATION_PREFIX);
    id.is_some_and(|id| id.parse::<OperationId>().is_ok())
}

/// More than any token that is issued: it holds two names of functions and a digest at most.
const LONGEST_TOKEN: usize = 512;

/// A page token binds the place to the list that it was issued for, filters included.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageToken {
    list: String,
    after: String,
}

impl PageToken {
    fn write(&self) -> Result<String, Refusal> {
        let json = serde_json::to_vec(self).map_err(|error| Refusal::Record(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    /// The place that `token` leads to in `list`: one that the list `holds`. The token must be
    /// spelled as it is issued, so that DynamoDB is asked only for places that it has named.
    pub(super) fn read(
        token: &str,
        list: &str,
        holds: impl Fn(&str) -> bool,
    ) -> Result<String, Refusal> {
        let read = || {
            if token.len() > LONGEST_TOKEN {
                return None;
            }
            let json = URL_SAFE_NO_PAD.decode(token).ok()?;
            let read: Self = serde_json::from_slice(&json).ok()?;
            let as_issued = read.write().ok()? == token;
            (as_issued && read.list == list && holds(&read.after)).then_some(read.after)
        };
        read().ok_or(Refusal::InvalidNextToken)
    }
}

impl Records {
    /// One page of functions with at most `limit` of them, ordered by name, strongly consistent. Where
    /// the filter applies there may be fewer, even none. Those whose record cannot be read are left
    /// out.
    ///
    /// # Errors
    /// [`Refusal::InvalidNextToken`], or what DynamoDB answered.
    pub(crate) async fn list(
        &self,
        filter: &ListFilter,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Page<FunctionRecord>, Refusal> {
        let mut query = self.query(FUNCTION_PARTITION, filter.prefix()).limit(limit);
        if let Some(status) = filter.status {
            query = query
                .filter_expression("#status = :status")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":status", text(status.as_str()));
        }
        let list = filter.list();
        let after = token.map(|token| PageToken::read(token, &list, |key| filter.holds(key)));
        let mut page = page(query, FUNCTION_PARTITION, list, after.transpose()?).await?;
        // Not by DynamoDB: a key that may be split in many places makes more conditions than it takes.
        page.items.retain(|function| filter.has(function));
        Ok(page)
    }

    /// One page of a function's operations with at most `limit` of them, newest first, strongly
    /// consistent. Those that have expired, and those whose record cannot be read, are left out, so
    /// there may be fewer.
    ///
    /// # Errors
    /// As for [`Records::list`].
    pub(crate) async fn list_operations(
        &self,
        function: &FunctionName,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Page<OperationRecord>, Refusal> {
        let partition = function_partition(function);
        let query = self.query(&partition, OPERATION_PREFIX).limit(limit).scan_index_forward(false);
        let list = partition.clone();
        let after = token.map(|token| PageToken::read(token, &list, is_operation));
        page(query, &partition, list, after.transpose()?).await
    }

    /// The items of `partition` whose sort key begins with `prefix`, strongly consistent.
    pub(super) fn query(&self, partition: &str, prefix: &str) -> QueryFluentBuilder {
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

/// The page of `list` that begins behind `after`, and the token of the next. What cannot be read is
/// left out.
pub(super) async fn page<T: DeserializeOwned>(
    query: QueryFluentBuilder,
    partition: &str,
    list: String,
    after: Option<String>,
) -> Result<Page<T>, Refusal> {
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
    let next = last.map(|after| PageToken { list, after }.write());
    Ok(Page { items: readable(items, partition).collect(), next_token: next.transpose()? })
}

/// The records that can be read of these items. The log names the others: one bad record must not hide
/// all others.
pub(super) fn readable<T: DeserializeOwned>(
    items: impl IntoIterator<Item = Item>,
    partition: &str,
) -> impl Iterator<Item = T> {
    items.into_iter().filter_map(move |item| {
        let name = item.get("sk").and_then(|it| it.as_s().ok()).cloned().unwrap_or_default();
        let read = from_item(item).map_err(Refusal::from);
        read.inspect_err(|error| {
            tracing::error!(
                item = %format_args!("{partition} {name}"),
                error = %Chain(error),
                "a record cannot be read; it is left out"
            );
        })
        .ok()
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::query::QueryOutput;
    use aws_smithy_mocks::mock;
    use serde_dynamo::to_item;
    use tracing_subscriber::fmt::MakeWriter;

    use super::super::table::{Item, function_key, operation_key, with_key};
    use super::super::tests::{function, operation, records};
    use super::*;

    /// What is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_hides_no_other() {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false);
        let _logged = tracing::subscriber::set_default(subscriber.finish());
        let page = |good: Item, bad: Item| {
            let bad = with_key([("spec".to_owned(), text("s3cr3t"))].into(), bad);
            let items = vec![bad, good];
            mock!(Client::query)
                .then_output(move || QueryOutput::builder().set_items(Some(items.clone())).build())
        };
        let name: FunctionName = "broken".parse().unwrap();
        let good = function(OperationId::generate());
        let query = page(to_item(&good).unwrap(), function_key(&name));
        let found = records(&[&query]).list(&all(), 20, None).await.unwrap();
        assert_eq!(found.items.len(), 1);
        assert_eq!(found.items[0].spec, good.spec);

        let id = OperationId::generate();
        let query = page(to_item(operation()).unwrap(), operation_key(&name, id));
        let found = records(&[&query]).list_operations(&name, 20, None).await.unwrap();
        assert_eq!(found.items.len(), 1);

        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        for item in ["FUNCTION broken".to_owned(), format!("FUNCTION#broken OPERATION#{id}")] {
            let told = |line: &&str| line.contains("ERROR") && line.contains(&item);
            assert_eq!(log.lines().filter(told).count(), 1, "{item}: {log}");
        }
        assert!(!log.contains("s3cr3t"), "{log}");
    }

    fn all() -> ListFilter {
        ListFilter::default()
    }

    fn available(prefix: &str) -> ListFilter {
        let status = Some(FunctionStatus::Available);
        ListFilter { prefix: Some(prefix.parse().unwrap()), status, tags: BTreeSet::new() }
    }

    fn tagged(tags: &[&str]) -> ListFilter {
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        ListFilter { tags, ..all() }
    }

    #[tokio::test]
    async fn of_what_a_page_has_read_those_with_all_of_the_tags_are_listed() {
        let function = |tags: &[(&str, &str)]| {
            let mut function = function(OperationId::generate());
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            function.spec.tags = tags.collect();
            function
        };
        let both = function(&[("team", "a"), ("app:tier", "web")]);
        let one = function(&[("team", "a")]);
        for (filter, expected) in [
            (all(), 2),
            (tagged(&["team:a"]), 2),
            (tagged(&["team:a", "app:tier:web"]), 1),
            (tagged(&["team:b"]), 0),
        ] {
            let items = vec![to_item(&both).unwrap(), to_item(&one).unwrap()];
            let query = mock!(Client::query)
                .match_requests(|request| request.limit() == Some(2))
                .then_output(move || {
                    QueryOutput::builder()
                        .set_items(Some(items.clone()))
                        .set_last_evaluated_key(Some(function_key(&"hello".parse().unwrap())))
                        .build()
                });
            let page = records(&[&query]).list(&filter, 2, None).await.unwrap();
            assert_eq!(page.items.len(), expected, "{filter:?}");
            // It goes on behind what was read, however little of that is listed.
            let token = page.next_token.unwrap();
            assert_eq!(read(&token, &filter).as_deref(), Some("hello"));
        }
    }

    #[test]
    fn a_page_token_is_bound_to_its_tags_in_whatever_order_they_are_asked_for() {
        let filter = tagged(&["team:a", "app:web"]);
        let token = issued(&filter.list(), &"n".repeat(64));
        assert!(token.len() <= LONGEST_TOKEN);
        let same = tagged(&["app:web", "team:a", "app:web"]);
        assert!(read(&token, &same).is_some());
        for other in [all(), tagged(&["team:a"]), tagged(&["team:a", "app:web", "x:"])] {
            assert_eq!(read(&token, &other), None, "{other:?}");
            assert_eq!(read(&issued(&other.list(), "abc"), &filter), None, "{other:?}");
        }
        let longest = "k".repeat(64);
        let all_of_it = ListFilter {
            prefix: Some(longest.parse().unwrap()),
            status: Some(FunctionStatus::Available),
            ..tagged(&[&format!("{}:{}", "k".repeat(128), "v".repeat(256))])
        };
        let token = issued(&all_of_it.list(), &longest);
        assert_eq!(read(&token, &all_of_it), Some(longest));
    }

    fn issued(list: &str, after: &str) -> String {
        PageToken { list: list.to_owned(), after: after.to_owned() }.write().unwrap()
    }

    fn read(token: &str, filter: &ListFilter) -> Option<String> {
        match PageToken::read(token, &filter.list(), |key| filter.holds(key)) {
            Ok(after) => Some(after),
            Err(Refusal::InvalidNextToken) => None,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_page_token_leads_back_to_its_place_and_only_in_its_list() {
        let longest = "n".repeat(64);
        for (filter, after) in
            [(available("a"), "abc"), (all(), &longest), (available(&longest), &longest)]
        {
            let token = issued(&filter.list(), after);
            assert_eq!(read(&token, &filter).as_deref(), Some(after));
            for other in [available("b"), ListFilter { status: None, ..available("a") }] {
                assert_eq!(read(&token, &other), None);
            }
        }
        let list = function_partition(&longest.parse().unwrap());
        let after = format!("{OPERATION_PREFIX}{}", OperationId::generate());
        let token = issued(&list, &after);
        assert_eq!(PageToken::read(&token, &list, is_operation).unwrap(), after);
    }

    #[test]
    fn a_forged_page_token_is_refused() {
        let filter = available("a");
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = issued(&filter.list(), "abc");
        assert_eq!(
            token,
            encoded(r#"{"list":"functions a AVAILABLE","after":"abc"}"#),
            "what follows tries other spellings of this"
        );
        let long = "a".repeat(65);
        for after in ["zzz", "", "a b", "a.b", "a/b", "a\0", "a\u{e4}", &long] {
            assert_eq!(read(&issued(&filter.list(), after), &filter), None, "{after:?}");
        }
        for forged in [
            String::new(),
            "%".to_owned(),
            "e30".to_owned(),
            format!("{token}="),
            format!("{token}\n"),
            format!(" {token}"),
            encoded(r#"{"after":"abc","list":"functions a AVAILABLE"}"#),
            encoded(r#"{"list":"functions a AVAILABLE","after": "abc"}"#),
            encoded(r#"{"list":"functions a AVAILABLE","after":"\u0061bc"}"#),
            encoded(r#"{"list":"functions a AVAILABLE","after":"abc","more":1}"#),
            encoded(r#"{"list":"functions a AVAILABLE","after":["abc"]}"#),
            encoded(r#"{"list":"functions a AVAILABLE","after":null}"#),
            encoded(r#"{"list":"functions a AVAILABLE"}"#),
            encoded(r#"["functions a AVAILABLE","abc"]"#),
            encoded("null"),
            URL_SAFE_NO_PAD.encode([0xff, 0xfe]),
            "A".repeat(1 << 20),
        ] {
            assert_eq!(read(&forged, &filter), None, "{forged:.80}");
        }
    }

    #[test]
    fn a_page_of_operations_ends_with_an_operation() {
        let list = function_partition(&"a".parse().unwrap());
        for after in [
            "OPERATION#",
            "OPERATION#01arz3ndektsv4rrffq69g5fav",
            "OPERATION#81ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "a",
            "",
        ] {
            let read = PageToken::read(&issued(&list, after), &list, is_operation);
            assert!(matches!(read, Err(Refusal::InvalidNextToken)), "{after}");
        }
    }
}

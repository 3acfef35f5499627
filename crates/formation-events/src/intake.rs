//! Requests by event: from the stack's bus through a queue to the same acceptance as the HTTP API.
//!
//! Delivery is at least once and unordered; the event's id is the idempotency key, so that it acts
//! once. What cannot be accepted is announced; what can be later stays in the queue, and what never
//! can be read ends in the dead-letter queue.

use std::borrow::Cow;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use formation_aws::{AwsError, Chain};
use formation_control::{Caller, Change, Control, Decision, Refusal, RequestKey, Requester};
use formation_model::event::{
    OPERATION_STATUS_CHANGE, RejectedStatus, Rejection, RequestKind, SOURCE, Unchanged,
    UnchangedStatus,
};
use formation_model::json::{FUNCTION, Shape, canonical_digest};
use formation_model::{
    Document, FieldProblem, FieldProblemCode, FunctionName, OperationKind, Problem, ProblemCode,
    json, request,
};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::announcer::{AnnounceError, Announcer};

/// The first pause before a message is looked at again, doubled each time, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Messages of a batch that are handled at once, so that only their documents are in memory.
const AT_ONCE: usize = 3;
/// How long before the end of its time a batch is answered. The messages that were not handled by
/// then come back alone; without an answer all would.
const RESERVE: Duration = Duration::from_secs(2);

/// EventBridge's own limits: ids are UUIDs.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>.
const ID_LENGTH: usize = 64;
const SOURCE_LENGTH: usize = 256;

/// What is kept of an event as EventBridge hands it to its targets.
const EVENT: Shape = Shape::Object(|field| {
    Some(match field {
        "id" | "source" | "account" => Shape::Whole,
        "detail" => DETAIL,
        _ => Shape::Ignored,
    })
});
const DETAIL: Shape = Shape::Object(|field| match field {
    "kind" => Some(Shape::Whole),
    "function" => Some(FUNCTION),
    _ => None,
});

/// Takes requests from the queue.
#[derive(Clone, Debug)]
pub struct Intake {
    /// What accepts them.
    pub control: Control,
    /// What tells of those that are refused.
    pub announcer: Announcer,
    /// The queue's service.
    pub sqs: aws_sdk_sqs::Client,
    /// The queue.
    pub queue_url: String,
}

/// Who asks for what, as far as an event says so.
struct Event {
    id: String,
    source: String,
    account: String,
    kind: Option<RequestKind>,
    function_name: Option<FunctionName>,
}

impl Event {
    /// None if it is no event of EventBridge.
    fn of(event: &Value) -> Option<Self> {
        let text = |field: &str, longest| {
            let text = event[field].as_str().filter(|text| text.len() <= longest);
            text.map(str::to_owned)
        };
        let detail = &event["detail"];
        Some(Self {
            id: text("id", ID_LENGTH)?,
            source: text("source", SOURCE_LENGTH)?,
            account: text("account", ID_LENGTH)?,
            kind: serde_json::from_value(detail["kind"].clone()).ok(),
            function_name: named(&detail["function"]).ok(),
        })
    }
}

/// Why a message stays in the queue.
#[derive(Debug, thiserror::Error)]
enum Later {
    /// It is no event, or does not say what for.
    #[error("the message is no event: {0}")]
    NoEvent(String),
    /// It may be accepted later.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its refusal could not be announced.
    #[error(transparent)]
    Announcing(#[from] AnnounceError),
}

impl Intake {
    /// Takes the requests of a batch within `time`, and answers which are to be tried again.
    pub async fn take(&self, batch: SqsEvent, time: Duration) -> SqsBatchResponse {
        let until = Instant::now() + time.saturating_sub(RESERVE);
        let taken = stream::iter(batch.records).map(async |message| {
            let id = message.message_id.clone().unwrap_or_default();
            // Reading a message takes time, too.
            if Instant::now() >= until {
                tracing::warn!(messageId = %id, "the batch has no time left for the message");
                return Some(id);
            }
            match timeout_at(until, self.take_message(&message)).await {
                Ok(Ok(())) => return None,
                Ok(Err(later)) => {
                    tracing::warn!(messageId = %id, error = %Chain(&later), "it is tried again later");
                    self.put_off(&message).await;
                }
                Err(_) => tracing::warn!(messageId = %id, "the message ran out of time"),
            }
            Some(id)
        });
        let failed: Vec<_> = taken.buffer_unordered(AT_ONCE).collect().await;
        let failures = failed.into_iter().flatten().map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        });
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failures.collect();
        response
    }

    async fn take_message(&self, message: &SqsMessage) -> Result<(), Later> {
        let body = message.body.as_deref().unwrap_or_default();
        let read = json::read(body.as_bytes(), EVENT);
        let readable = match &read {
            Ok(document) => &document.value,
            Err(malformed) => &malformed.readable,
        };
        let Some(event) = Event::of(readable) else {
            let told = "it has no id, source and account".to_owned();
            return Err(Later::NoEvent(read.err().map_or(told, |malformed| malformed.to_string())));
        };
        // The rule lets none through; what we announce must never ask us for anything.
        if event.source == SOURCE {
            return Ok(());
        }
        tracing::info!(
            requestId = %event.id,
            functionName = event.function_name.as_ref().map(FunctionName::as_str),
            "request"
        );
        let document = match read {
            Ok(document) => document,
            // Its sender can be told.
            Err(malformed) if event.function_name.is_some() => {
                let code = ProblemCode::MalformedJson;
                return self.reject(event, Problem::new(code, malformed.to_string())).await;
            }
            Err(malformed) => return Err(Later::NoEvent(malformed.to_string())),
        };
        match self.accept(&event, body, document.into_part("/detail")).await {
            Ok((_, Decision::Accepted(_))) => Ok(()),
            Ok((kind, Decision::Unchanged(unchanged))) => {
                let function = unchanged.function;
                let unchanged = Unchanged {
                    function_name: function.spec.function_name,
                    kind: OperationKind::from(kind).into(),
                    status: UnchangedStatus::Unchanged,
                    revision: function.revision,
                    idempotency_key: event.id,
                };
                Ok(self.announcer.announce(OPERATION_STATUS_CHANGE, &unchanged).await?)
            }
            Err(refusal) if may_succeed_later(&refusal) => Err(refusal.into()),
            Err(refusal) => {
                let detail = match &refusal {
                    Refusal::KeyReused => {
                        "an event of this id has asked for something else within \
                                           the last 48 hours"
                            .to_owned()
                    }
                    refusal => refusal.to_string(),
                };
                let problem = Problem::new(refusal.code(), detail);
                let problem = match refusal.errors() {
                    Some(errors) => problem.with_errors(errors),
                    None => problem,
                };
                self.reject(event, problem).await
            }
        }
    }

    async fn reject(&self, event: Event, problem: Problem) -> Result<(), Later> {
        let rejection = Rejection {
            function_name: event.function_name,
            kind: event.kind.map(|kind| OperationKind::from(kind).into()),
            status: RejectedStatus::Rejected,
            problem,
            idempotency_key: event.id,
        };
        Ok(self.announcer.announce(OPERATION_STATUS_CHANGE, &rejection).await?)
    }

    async fn accept(
        &self,
        event: &Event,
        text: &str,
        detail: Document,
    ) -> Result<(RequestKind, Decision), Refusal> {
        let kind = kind(&detail.value)?;
        let caller = Caller::new(format!("event:{}:{}", event.account, event.source));
        let key = RequestKey::new(&caller, &event.id, &[told(text, &detail).as_bytes()]);
        let requester = Requester { caller, key: Some(key), until: None };
        let defaults = self.control.defaults();
        let function = detail.into_part("/function");
        let change = match kind {
            RequestKind::Create => {
                let request = function
                    .read_with(|body| request::read(body, defaults, None))
                    .map_err(Refusal::InvalidFunction)?;
                Change::Create(request.into())
            }
            RequestKind::Update => {
                let name = named(&function.value).map_err(invalid)?;
                let edit = move |current: &_| {
                    function.read_with(|body| request::patched(body, defaults, current))
                };
                Change::Update { name, condition: None, edit: Box::new(edit) }
            }
            RequestKind::Delete => {
                let name = function
                    .read_with(|body| named(body).map_err(|problem| vec![problem]))
                    .map_err(Refusal::InvalidFunction)?;
                Change::Delete { name, condition: None }
            }
        };
        Ok((kind, self.control.accept(change, &requester).await?))
    }

    /// Hides a message that is to be tried again for longer each time, so that the tries that a
    /// queue allows span an operation that takes long. Best effort: the queue's own visibility
    /// timeout follows otherwise.
    async fn put_off(&self, message: &SqsMessage) {
        let received = message.attributes.get("ApproximateReceiveCount");
        let received = received.and_then(|count| count.parse().ok()).unwrap_or(1);
        let hidden = self
            .sqs
            .change_message_visibility()
            .queue_url(&self.queue_url)
            .set_receipt_handle(message.receipt_handle.clone())
            .visibility_timeout(i32::try_from(pause(received).as_secs()).unwrap_or(i32::MAX))
            .send()
            .await;
        if let Err(error) = hidden {
            let error = AwsError::new("sqs:ChangeMessageVisibility", error);
            tracing::warn!(error = %Chain(&error), "the message comes back after the queue's own pause");
        }
    }
}

fn pause(received: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << received.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

/// What a request by event asks for.
fn kind(detail: &Value) -> Result<RequestKind, Refusal> {
    let Ok(kind) = serde_json::from_value(detail["kind"].clone()) else {
        let code = match &detail["kind"] {
            Value::Null => FieldProblemCode::Required,
            _ => FieldProblemCode::NotSupported,
        };
        return Err(invalid(FieldProblem::new("/kind", code, "must be CREATE, UPDATE or DELETE")));
    };
    if !detail["function"].is_object() {
        let told = "must be an object with at least functionName";
        return Err(invalid(FieldProblem::new("/function", FieldProblemCode::Required, told)));
    }
    Ok(kind)
}

/// What tells a request from others: what it says, or the event's text where not all of it was kept.
fn told<'a>(text: &'a str, detail: &Document) -> Cow<'a, str> {
    if detail.is_whole() { canonical_digest(&detail.value).into() } else { text.into() }
}

/// The function that an UPDATE or DELETE names.
fn named(body: &Value) -> Result<FunctionName, FieldProblem> {
    let name = body["functionName"].as_str();
    let (code, told) = match name.map(str::parse::<FunctionName>) {
        Some(Ok(name)) => return Ok(name),
        Some(Err(error)) => (FieldProblemCode::InvalidFormat, error.to_string()),
        None => (FieldProblemCode::Required, "must be given".to_owned()),
    };
    Err(FieldProblem::new("/functionName", code, told))
}

fn invalid(problem: FieldProblem) -> Refusal {
    Refusal::InvalidFunction(problem.into())
}

/// A busy function becomes free, and AWS's trouble passes; a fault of our own ends
/// in the dead-letter queue, where somebody sees it.
fn may_succeed_later(refusal: &Refusal) -> bool {
    matches!(
        refusal.code(),
        ProblemCode::OperationInProgress
            | ProblemCode::ServiceUnavailable
            | ProblemCode::InternalError
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_read_or_told_what_is_wrong_with_it() {
        let detail = json!({"kind": "DELETE", "function": {"functionName": "a"}});
        assert_eq!(kind(&detail).unwrap(), RequestKind::Delete);
        for (detail, pointer) in [
            (json!({"function": {}}), "/kind"),
            (json!({"kind": "REPAIR", "function": {}}), "/kind"),
            (json!({"kind": "CREATE"}), "/function"),
            (json!({"kind": "CREATE", "function": "a"}), "/function"),
            (json!([]), "/kind"),
            (json!("text"), "/kind"),
        ] {
            let Err(Refusal::InvalidFunction(problems)) = kind(&detail) else { panic!("{detail}") };
            assert_eq!(problems.first()[0].pointer, pointer, "{detail}");
        }
        for body in [json!({}), json!({"functionName": 7}), json!({"functionName": "a b"})] {
            assert!(named(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn an_event_with_more_than_is_kept_is_another_request() {
        let told = |detail: &str| {
            let text = format!(r#"{{"id":"1","source":"acme","account":"2","detail":{detail}}}"#);
            let detail = json::read(text.as_bytes(), EVENT).unwrap().into_part("/detail");
            told(&text, &detail).into_owned()
        };
        let plain = told(r#"{"kind":"UPDATE","function":{"functionName":"a"}}"#);
        assert_eq!(told(r#"{"function": {"functionName": "a"}, "kind": "UPDATE"}"#), plain);
        let unknown = told(r#"{"kind":"UPDATE","function":{"functionName":"a","memroy":1}}"#);
        assert_ne!(unknown, plain);
        let other = told(r#"{"kind":"UPDATE","function":{"functionName":"a","memroy":2}}"#);
        assert_ne!(unknown, other);
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let seconds = [0, 1, 2, 5, 9, 99].map(|received| pause(received).as_secs());
        assert_eq!(seconds, [5, 5, 10, 80, 900, 900]);
    }
}

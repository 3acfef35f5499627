//! Requests by event: from the stack's bus through a queue to the same acceptance as the HTTP API.
//!
//! Delivery is at least once and unordered; the event's id is the idempotency key, so that it acts
//! once. What cannot be accepted is announced; what can be later stays in the queue, and what never
//! can be read ends in the dead-letter queue.

use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use formation_aws::AwsError;
use formation_control::{Caller, Changed, Control, Refusal, RequestKey, Requester};
use formation_model::event::{
    EventProblem, OPERATION_STATUS_CHANGE, OperationRequest, RejectedStatus, Rejection,
    RequestKind, SOURCE, Unchanged, UnchangedStatus,
};
use formation_model::{FieldProblem, FieldProblemCode, FunctionName, ProblemCode, request};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;

use crate::announcer::{AnnounceError, Announcer};

/// The first pause before a message is looked at again, doubled each time, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

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

/// An event as EventBridge hands it to its targets.
#[derive(Deserialize)]
struct Event {
    id: String,
    source: String,
    account: String,
    detail: Value,
}

/// Why a message stays in the queue.
#[derive(Debug, thiserror::Error)]
enum Later {
    /// It is no event.
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
    /// Takes the requests of a batch, all at once, and answers which are to be tried again.
    pub async fn take(&self, batch: SqsEvent) -> SqsBatchResponse {
        let taken = batch.records.into_iter().map(async |message| {
            let later = self.take_message(&message).await.err()?;
            let id = message.message_id.clone().unwrap_or_default();
            tracing::warn!(messageId = %id, "{later}");
            self.put_off(&message).await;
            Some(id)
        });
        let failed = join_all(taken).await.into_iter().flatten();
        let failures = failed.map(|id| {
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
        let event: Event =
            serde_json::from_str(body).map_err(|error| Later::NoEvent(error.to_string()))?;
        // The rule lets none through; what we announce must never ask us for anything.
        if event.source == SOURCE {
            return Ok(());
        }
        let function_name =
            event.detail["function"]["functionName"].as_str().and_then(|name| name.parse().ok());
        tracing::info!(
            requestId = %event.id,
            functionName = function_name.as_ref().map(FunctionName::as_str),
            "request"
        );
        match self.accept(&event).await {
            Ok((_, Changed::Accepted(_) | Changed::Planned(_))) => Ok(()),
            Ok((kind, Changed::Already(already))) => {
                let function = already.function;
                let unchanged = Unchanged {
                    function_name: function.spec.function_name,
                    kind: kind.into(),
                    status: UnchangedStatus::Unchanged,
                    revision: function.revision,
                    idempotency_key: event.id,
                };
                Ok(self.announcer.announce(OPERATION_STATUS_CHANGE, &unchanged).await?)
            }
            Err(refusal) if may_succeed_later(&refusal) => Err(refusal.into()),
            Err(refusal) => {
                let kind = serde_json::from_value::<RequestKind>(event.detail["kind"].clone());
                let errors = match &refusal {
                    Refusal::InvalidFunction(errors) => errors.clone(),
                    _ => Vec::new(),
                };
                let rejection = Rejection {
                    function_name,
                    kind: kind.ok().map(Into::into),
                    status: RejectedStatus::Rejected,
                    problem: EventProblem::new(refusal.code(), refusal.to_string(), errors),
                    idempotency_key: event.id,
                };
                Ok(self.announcer.announce(OPERATION_STATUS_CHANGE, &rejection).await?)
            }
        }
    }

    async fn accept(&self, event: &Event) -> Result<(RequestKind, Changed), Refusal> {
        let (kind, body) = read(&event.detail).map_err(Refusal::InvalidFunction)?;
        let caller = Caller::new(format!("event:{}:{}", event.account, event.source));
        let key = RequestKey::new(&caller, &event.id, &[&event.detail.to_string()]);
        let requester = Requester { caller, key: Some(key), dry_run: false, until: None };
        let defaults = &self.control.defaults;
        let changed = match kind {
            RequestKind::Create => {
                let request =
                    request::read(&body, defaults, None).map_err(Refusal::InvalidFunction)?;
                self.control.create(request, &requester).await?
            }
            RequestKind::Update => {
                let name = named(&body)?;
                let request = |current: &_| request::patched(&body, defaults, current);
                self.control.update(&name, None, request, &requester).await?
            }
            RequestKind::Delete => {
                let name = named(&body)?;
                self.control.delete(&name, None, &requester).await?
            }
        };
        Ok((kind, changed))
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
            tracing::warn!(%error, "the message comes back after the queue's own pause");
        }
    }
}

fn pause(received: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << received.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

/// The request in an event's detail, or everything that is wrong with its frame.
fn read(detail: &Value) -> Result<(RequestKind, Value), Vec<FieldProblem>> {
    let kind = &detail["kind"];
    if serde_json::from_value::<RequestKind>(kind.clone()).is_err() {
        let code = if kind.is_null() {
            FieldProblemCode::Required
        } else {
            FieldProblemCode::NotSupported
        };
        let told = "must be CREATE, UPDATE or DELETE";
        return Err(vec![FieldProblem::new("/kind", code, told)]);
    }
    if !detail["function"].is_object() {
        let told = "must be an object with at least functionName";
        return Err(vec![FieldProblem::new("/function", FieldProblemCode::Required, told)]);
    }
    match serde_json::from_value::<OperationRequest>(detail.clone()) {
        Ok(request) => Ok((request.kind, request.function)),
        Err(_) => {
            let told = "has fields besides kind and function";
            Err(vec![FieldProblem::new("", FieldProblemCode::UnknownField, told)])
        }
    }
}

/// The function that an UPDATE or DELETE names.
fn named(body: &Value) -> Result<FunctionName, Refusal> {
    let name = body["functionName"].as_str();
    let problem = match name.map(str::parse::<FunctionName>) {
        Some(Ok(name)) => return Ok(name),
        Some(Err(error)) => (FieldProblemCode::InvalidFormat, error.to_string()),
        None => (FieldProblemCode::Required, "must be given".to_owned()),
    };
    let problem = FieldProblem::new("/functionName", problem.0, problem.1);
    Err(Refusal::InvalidFunction(vec![problem]))
}

/// A function that is busy will not be for ever, and AWS's trouble passes; a fault of our own ends
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
        assert_eq!(read(&detail).unwrap().0, RequestKind::Delete);
        for (detail, pointer) in [
            (json!({"function": {}}), "/kind"),
            (json!({"kind": "REPAIR", "function": {}}), "/kind"),
            (json!({"kind": "CREATE"}), "/function"),
            (json!({"kind": "CREATE", "function": "a"}), "/function"),
            (json!({"kind": "CREATE", "function": {}, "more": 1}), ""),
            (json!([]), "/kind"),
            (json!("text"), "/kind"),
        ] {
            assert_eq!(read(&detail).unwrap_err()[0].pointer, pointer, "{detail}");
        }
        for body in [json!({}), json!({"functionName": 7}), json!({"functionName": "a b"})] {
            assert!(named(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let seconds = [0, 1, 2, 5, 9, 99].map(|received| pause(received).as_secs());
        assert_eq!(seconds, [5, 5, 10, 80, 900, 900]);
    }
}

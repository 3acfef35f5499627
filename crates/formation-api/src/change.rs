//! What all requests for a change have in common: who asks, on what condition, under which key, and
//! how the answer shall come.

use std::borrow::Cow;
use std::time::Duration;

use formation_control::{RequestKey, Requester};
use formation_model::Document;
use formation_model::json::{FUNCTION, Shape, canonical_digest};
use http::header::{IF_MATCH, IF_NONE_MATCH};
use tokio::time::Instant;

use crate::precondition::Precondition;
use crate::problem::ApiError;
use crate::request::{Headers, Query, Request, document};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const KEY_LENGTH: usize = 128;

/// The longest that a request waits for its operation's outcome, in seconds.
pub(crate) const LONGEST_WAIT: u64 = 25;

/// A request for a change.
#[derive(Debug)]
pub(crate) struct ChangeRequest {
    /// On what condition.
    pub precondition: Precondition,
    /// The JSON document in the body, for those who need one.
    pub body: Result<Document, ApiError>,
    /// What is asked of every change.
    pub asked: Asked,
}

/// Who asks for a change, and how the answer shall come.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Who asks.
    pub requester: Requester,
    /// Whether only to tell what would be done.
    pub dry_run: bool,
    /// How long to wait for the outcome.
    pub wait: Duration,
    /// When the answer must be on its way, whatever is waited for.
    pub until: Instant,
}

impl ChangeRequest {
    /// The change that `request` asks for.
    ///
    /// # Errors
    /// A parameter or header that has no such value.
    pub(crate) fn read(request: Request) -> Result<Self, ApiError> {
        Self::of(request, FUNCTION)
    }

    /// The same with a body of another shape.
    ///
    /// # Errors
    /// A parameter or header that has no such value.
    pub(crate) fn of(request: Request, shape: Shape) -> Result<Self, ApiError> {
        let wait = wait(&request.query)?;
        let dry_run = request.query.flag("dryRun")?;
        let precondition = Precondition::read(&request.headers)?;
        let key = idempotency_key(&request.headers)?;
        let body = document(&request, shape);
        let key = key.map(|key| request_key(&request, key, &body));
        let until = request.until;
        let requester = Requester { caller: request.caller, key, until: Some(until) };
        let asked = Asked { requester, dry_run, wait, until };
        Ok(Self { precondition, body, asked })
    }
}

/// How long a request waits for an outcome.
pub(crate) fn wait(query: &Query) -> Result<Duration, ApiError> {
    let seconds = |text: &str| text.parse().ok().filter(|wait| *wait <= LONGEST_WAIT);
    let wait = query.value("wait", seconds, &format!("0 to {LONGEST_WAIT} seconds"))?;
    Ok(Duration::from_secs(wait.unwrap_or_default()))
}

fn idempotency_key(headers: &Headers) -> Result<Option<&str>, ApiError> {
    let Some(key) = headers.text(IDEMPOTENCY_KEY)? else { return Ok(None) };
    if (1..=KEY_LENGTH).contains(&key.len()) {
        Ok(Some(key))
    } else {
        let detail = format!("Idempotency-Key must have 1 to {KEY_LENGTH} characters");
        Err(ApiError::InvalidParameter(detail))
    }
}

/// The key, and what tells the request from others: action, names, conditions and the document,
/// however they are spelled; the text itself where not all of it was kept. How long its answer is waited
/// for is no part of a request.
fn request_key(request: &Request, key: &str, body: &Result<Document, ApiError>) -> RequestKey {
    let condition = |name: &str| request.headers.get(name).unwrap_or_default().as_bytes();
    let query = request.query.canonical("wait");
    let document = match body {
        Ok(body) if body.is_whole() => Cow::from(canonical_digest(&body.value).into_bytes()),
        _ => Cow::from(&request.body),
    };
    let mut parts = vec![request.route.method.as_bytes(), request.route.path.as_bytes()];
    parts.extend(request.names().map(str::as_bytes));
    parts.extend([
        query.as_bytes(),
        condition(IF_MATCH.as_str()),
        condition(IF_NONE_MATCH.as_str()),
        &document,
    ]);
    RequestKey::new(&request.caller, key, &parts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::LARGEST_BODY;

    const PATCH: &str = "PATCH /v1/functions/{functionName}";
    const KEY: (&str, &str) = (IDEMPOTENCY_KEY, "k");

    fn change(
        query: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<ChangeRequest, ApiError> {
        ChangeRequest::read(Request::of(PATCH, query, headers, body))
    }

    #[test]
    fn only_json_is_taken_and_only_so_much() {
        let of_type = |text| change("", &[("content-type", text)], "{}").ok().unwrap().body;
        for good in
            ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"]
        {
            assert_eq!(of_type(good).ok().unwrap().value, json!({}), "{good}");
        }
        for bad in ["text/plain", "", "application/json+more", "application/j\u{e4}son"] {
            assert!(matches!(of_type(bad), Err(ApiError::UnsupportedMediaType)), "{bad}");
        }
        let large = change("", &[], &" ".repeat(LARGEST_BODY + 1)).ok().unwrap();
        assert!(matches!(large.body, Err(ApiError::BodyTooLarge)));
    }

    #[test]
    fn a_wait_is_no_part_of_a_request_and_everything_else_is() {
        const BODY: &str = r#"{"memoryMegabytes": 512, "timeoutSeconds": 9}"#;
        let key = |query: &str, headers: &[(&str, &str)], body: &str| {
            let headers = [headers, &[KEY]].concat();
            let key = change(query, &headers, body).ok().unwrap().asked.requester.key.unwrap();
            format!("{key:?}")
        };
        let first = key("wait=25", &[], BODY);
        for query in ["", "wait=0", "wait=3"] {
            assert_eq!(
                key(query, &[], r#"{"timeoutSeconds":9,"memoryMegabytes":512}"#),
                first,
                "{query}"
            );
        }
        assert_ne!(key("dryRun=true", &[], BODY), first);
        assert_ne!(key("", &[("if-match", "*")], BODY), first);
        assert_ne!(key("", &[], r#"{"memoryMegabytes": 512}"#), first);
        // What is refused for it is not the request that was accepted.
        let unknown = BODY.replace('}', r#", "memroy": 1}"#);
        assert_ne!(key("", &[], &unknown), key("", &[], BODY));
        let oversized = |item: &str| {
            let items = vec![item; 20_000].join(",");
            key("", &[], &format!(r#"{{"memoryMegabytes": 512, "tags": [{items}]}}"#))
        };
        assert_ne!(oversized("0"), key("", &[], r#"{"memoryMegabytes": 512}"#));
        assert_ne!(oversized("0"), oversized("1"));
        assert_ne!(key("", &[], "{"), key("", &[], "["), "what is no document is told apart, too");
        let names = |name: &str| {
            let mut payload = crate::event::Payload::of(PATCH, "", &[KEY], "{}");
            payload.raw_path = format!("/v1/functions/{name}");
            payload.path_parameters = Some([("functionName".into(), name.into())].into());
            let request = Request::read(payload, Instant::now()).ok().unwrap();
            format!("{:?}", ChangeRequest::read(request).ok().unwrap().asked.requester.key)
        };
        assert_ne!(names("a"), names("b"));
    }

    #[test]
    fn a_value_that_cannot_be_is_refused() {
        for query in ["wait=26", "wait=-1", "wait=", "wait=soon", "dryRun=yes", "dryRun="] {
            assert!(
                matches!(change(query, &[], ""), Err(ApiError::InvalidParameter(_))),
                "{query}"
            );
        }
        for key in ["", &"k".repeat(129), "\u{e4}", "a\nb"] {
            let refused = change("", &[(IDEMPOTENCY_KEY, key)], "");
            assert!(matches!(refused, Err(ApiError::InvalidParameter(_))), "{key}");
        }
    }
}

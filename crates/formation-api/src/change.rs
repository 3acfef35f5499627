//! What all requests for a change have in common: who asks, on what condition, under which key, and
//! how the answer shall come.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use formation_control::{RequestKey, Requester};
use formation_model::Document;
use formation_model::json::canonical_digest;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;

use crate::caller::Caller;
use crate::extract::Parameters;
use crate::json;
use crate::precondition::{Precondition, text};
use crate::problem::ApiError;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_LENGTH: usize = 128;

/// The longest that a request waits for its operation's outcome, in seconds.
pub(crate) const LONGEST_WAIT: u64 = 25;

/// A request for a change.
pub(crate) struct Change {
    /// Who asks.
    pub requester: Requester,
    /// On what condition.
    pub precondition: Precondition,
    /// How long to wait for the outcome.
    pub wait: Duration,
    /// The JSON document in the body, for those who need one.
    pub body: Result<Document, ApiError>,
}

/// The query of a change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeParameters {
    wait: Option<u64>,
    dry_run: Option<bool>,
}

impl<S: Send + Sync> FromRequest<S> for Change {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Caller(caller) = Caller::from_request_parts(&mut parts, state).await?;
        let Parameters(parameters) =
            Parameters::<ChangeParameters>::from_request_parts(&mut parts, state).await?;
        let wait = parameters.wait.unwrap_or_default();
        if wait > LONGEST_WAIT {
            let detail = format!("wait must be 0 to {LONGEST_WAIT} seconds");
            return Err(ApiError::InvalidParameter(detail));
        }
        let precondition = Precondition::from_request_parts(&mut parts, state).await?;
        let key = idempotency_key(&parts.headers)?;

        let headers = parts.headers.clone();
        let target = parts.uri.clone();
        let method = parts.method.clone();
        let bytes = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let bytes = bytes.map_err(|error| ApiError::MalformedJson(error.to_string()))?;
        let body = json::read(&headers, &bytes);
        let key = key.map(|key| {
            // Two spellings of one document are one request.
            let canonical = match &body {
                Ok(body) => canonical_digest(&body.value),
                Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
            };
            let condition =
                |name: HeaderName| text(&headers, name).ok().flatten().unwrap_or_default();
            let parts = [
                method.as_str(),
                target.path(),
                target.query().unwrap_or_default(),
                &condition(IF_MATCH),
                &condition(IF_NONE_MATCH),
                &canonical,
            ];
            RequestKey::new(&caller, &key, &parts)
        });
        let dry_run = parameters.dry_run.unwrap_or_default();
        Ok(Self {
            requester: Requester { caller, key, dry_run },
            precondition,
            wait: Duration::from_secs(wait),
            body,
        })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(key) = text(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    if (1..=KEY_LENGTH).contains(&key.len()) {
        Ok(Some(key))
    } else {
        let detail = format!("Idempotency-Key must have 1 to {KEY_LENGTH} characters");
        Err(ApiError::InvalidParameter(detail))
    }
}

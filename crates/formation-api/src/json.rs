//! JSON bodies.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::problem::ApiError;

/// A body that is one JSON document.
pub(crate) struct JsonBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if let Some(content_type) = request.headers().get(CONTENT_TYPE)
            && !is_json(content_type.as_bytes())
        {
            return Err(ApiError::UnsupportedMediaType);
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| ApiError::MalformedJson(error.to_string()))?;
        let value = serde_json::from_slice(&body);
        value.map(Self).map_err(|error| ApiError::MalformedJson(position(&error)))
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let media_type = media_type.trim_ascii();
    // RFC 7396's own type is welcome wherever JSON is; only PATCH gives it a meaning.
    ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known.as_bytes()))
}

/// Where the body ceases to be JSON, and nothing of what stands there.
fn position(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "it ends early" } else { "it has a syntax error" };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

//! Answers, before they are handed to API Gateway.

use formation_control::VersionTag;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

/// An answer whose body is text.
pub(crate) type Answered = Response<String>;

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answered {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}

/// An answer whose body is this document.
pub(crate) fn document(status: StatusCode, text: String) -> Answered {
    let mut response = empty(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = text;
    response
}

/// An answer whose body is `value` as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answered {
    // Every key is a text, so there is nothing that JSON could not hold.
    document(status, serde_json::to_string(value).unwrap_or_default())
}

/// A function's version as the header ETag spells it.
pub(crate) fn etag(version_tag: &VersionTag) -> String {
    format!("\"{version_tag}\"")
}

/// Sets a header. Paths and entity tags are made of characters that headers take.
pub(crate) fn set(response: &mut Answered, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

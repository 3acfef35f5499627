//! Conditional requests (RFC 9110, section 13): If-Match and If-None-Match.

use axum::extract::FromRequestParts;
use formation_control::Expected;
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;

use crate::problem::ApiError;

/// On what condition a change is asked for.
pub(crate) enum Precondition {
    /// On none.
    None,
    /// If-None-Match: * - there is no such function.
    Absent,
    /// If-Match - there is, and at one of these revisions.
    Expected(Expected),
}

impl Precondition {
    /// For changes of what exists: If-None-Match makes no sense there.
    pub(crate) fn of_what_exists(self) -> Result<Option<Expected>, ApiError> {
        match self {
            Self::None => Ok(None),
            Self::Expected(expected) => Ok(Some(expected)),
            Self::Absent => {
                Err(ApiError::InvalidParameter("If-None-Match goes with PUT only".to_owned()))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Precondition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let expected = text(&parts.headers, IF_MATCH)?.map(|tags| match tags.as_str() {
            "*" => Expected::Present,
            tags => Expected::Tags(tags.split(',').map(|tag| tag.trim().to_owned()).collect()),
        });
        match (expected, text(&parts.headers, IF_NONE_MATCH)?.as_deref()) {
            (Some(expected), None) => Ok(Self::Expected(expected)),
            (None, Some("*")) => Ok(Self::Absent),
            (None, None) => Ok(Self::None),
            (None, Some(_)) => Err(ApiError::InvalidParameter(
                "If-None-Match takes * only: create if there is none".to_owned(),
            )),
            (Some(_), Some(_)) => Err(ApiError::InvalidParameter(
                "send If-Match or If-None-Match, not both".to_owned(),
            )),
        }
    }
}

/// The text of a header, if it is there.
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(&name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(_) => Err(ApiError::InvalidParameter(format!("{name} is not plain text"))),
    }
}

//! Conditional requests (RFC 9110, section 13): If-Match and If-None-Match.

use formation_control::Expected;
use http::header::{IF_MATCH, IF_NONE_MATCH};

use crate::problem::ApiError;
use crate::request::Headers;

/// On what condition a change is asked for.
#[derive(Debug)]
pub(crate) enum Precondition {
    /// On none.
    None,
    /// If-None-Match: * - there is no such function.
    Absent,
    /// If-Match - there is, and at one of these revisions.
    Expected(Expected),
}

impl Precondition {
    /// The condition that these headers state.
    pub(crate) fn read(headers: &Headers) -> Result<Self, ApiError> {
        let expected = headers.text(IF_MATCH.as_str())?.map(|tags| match tags {
            "*" => Expected::Present,
            tags => Expected::Tags(tags.split(',').map(|tag| tag.trim().to_owned()).collect()),
        });
        match (expected, headers.text(IF_NONE_MATCH.as_str())?) {
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

//! Conditional requests (RFC 9110, section 13): If-Match and If-None-Match.

use formation_control::Condition;
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
    /// If-Match - there is, and as this condition asks.
    Holds(Condition),
}

/// What `If-Match` asks for. A tag that Formation did not issue, such as a weak one, matches no function.
fn if_match(tags: &str) -> Condition {
    if tags == "*" {
        return Condition::Exists;
    }
    let bare = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Condition::IsAt(tags.split(',').filter_map(bare).collect())
}

impl Precondition {
    /// The condition that these headers state.
    pub(crate) fn read(headers: &Headers) -> Result<Self, ApiError> {
        let condition = headers.text(IF_MATCH.as_str())?.map(if_match);
        match (condition, headers.text(IF_NONE_MATCH.as_str())?) {
            (Some(condition), None) => Ok(Self::Holds(condition)),
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
    pub(crate) fn of_what_exists(self) -> Result<Option<Condition>, ApiError> {
        match self {
            Self::None => Ok(None),
            Self::Holds(condition) => Ok(Some(condition)),
            Self::Absent => {
                Err(ApiError::InvalidParameter("If-None-Match goes with PUT only".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use formation_control::VersionTag;

    use super::*;
    use crate::answer::etag;

    #[test]
    fn if_match_takes_the_tags_that_we_issue_and_no_other_spelling() {
        const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let tag = VersionTag::new(3, ID.parse().unwrap());
        assert_eq!(etag(&tag), format!("\"3-{ID}\""));
        assert_eq!(if_match("*"), Condition::Exists);
        assert_eq!(if_match(&etag(&tag)), Condition::IsAt(vec![tag]));
        let several = format!("\"old\", {} , W/\"3-{ID}\"", etag(&tag));
        assert_eq!(if_match(&several), Condition::IsAt(vec![tag]));
        for other in ["", "\"", "\"\"", &format!("3-{ID}"), &format!("W/\"3-{ID}\"")] {
            assert_eq!(if_match(other), Condition::IsAt(Vec::new()), "{other}");
        }
    }
}

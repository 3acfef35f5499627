//! Which version of a function's record is meant.

use std::fmt;
use std::str::FromStr;

use formation_model::OperationId;
use serde::{Deserialize, Serialize};

/// The version of a function's record, as `<revision>-<operation>`: the revision and the operation
/// that committed it. Changes with every commit and with nothing else; a function that is deleted and
/// made again never has an earlier one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct VersionTag {
    revision: u64,
    committed_by: OperationId,
}

/// A text that is no version tag.
#[derive(Debug, thiserror::Error)]
#[error(
    "a version tag is a revision and the id of the operation that committed it, as in 3-01K..."
)]
pub struct InvalidVersionTag;

impl VersionTag {
    /// The tag of `revision` as `committed_by` commits it.
    pub fn new(revision: u64, committed_by: OperationId) -> Self {
        Self { revision, committed_by }
    }
}

impl fmt::Display for VersionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.revision, self.committed_by)
    }
}

impl FromStr for VersionTag {
    type Err = InvalidVersionTag;

    /// Takes the one spelling that [`Display`](fmt::Display) gives.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (revision, operation) = text.split_once('-')?;
            Some(Self::new(revision.parse().ok()?, operation.parse().ok()?))
        };
        read().filter(|tag| tag.to_string() == text).ok_or(InvalidVersionTag)
    }
}

impl From<VersionTag> for String {
    fn from(tag: VersionTag) -> Self {
        tag.to_string()
    }
}

impl TryFrom<String> for VersionTag {
    type Error = InvalidVersionTag;

    /// The first release stored it in quotes.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        bare.unwrap_or(&text).parse()
    }
}

/// What must hold of a function for it to be changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// It is there, at whatever version.
    Exists,
    /// It is there, at one of these versions.
    IsAt(Vec<VersionTag>),
}

impl Condition {
    /// Whether it holds of a function at `version`.
    pub(crate) fn holds(&self, version: VersionTag) -> bool {
        match self {
            Self::Exists => true,
            Self::IsAt(versions) => versions.contains(&version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    #[test]
    fn a_tag_has_one_spelling() {
        let tag = VersionTag::new(3, ID.parse().unwrap());
        assert_eq!(tag.to_string(), format!("3-{ID}"));
        assert_eq!(format!("3-{ID}").parse::<VersionTag>().unwrap(), tag);
        let lower = ID.to_lowercase();
        for other in
            ["", "3", ID, "3-", &format!("03-{ID}"), &format!("+3-{ID}"), &format!("3-{lower}")]
        {
            assert!(other.parse::<VersionTag>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_stored_tag_is_read_as_any_release_wrote_it() {
        let tag = VersionTag::new(3, ID.parse().unwrap());
        assert_eq!(serde_json::to_value(tag).unwrap(), format!("3-{ID}"));
        for stored in [format!("3-{ID}"), format!("\"3-{ID}\"")] {
            let read: VersionTag = serde_json::from_value(stored.clone().into()).unwrap();
            assert_eq!(read, tag, "{stored}");
        }
    }

    #[test]
    fn a_condition_holds_at_the_versions_that_it_names() {
        let tag = |revision| VersionTag::new(revision, ID.parse().unwrap());
        assert!(Condition::Exists.holds(tag(1)));
        assert!(Condition::IsAt(vec![tag(1), tag(2)]).holds(tag(2)));
        assert!(!Condition::IsAt(vec![tag(1)]).holds(tag(2)));
        assert!(!Condition::IsAt(Vec::new()).holds(tag(1)));
    }
}

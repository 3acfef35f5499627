//! Published versions of a Lambda function.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of a published version, from 1 on: never `$LATEST`, never an alias, never nothing. So a call
/// that is given one is a call about a version: Lambda's DeleteFunction without a qualifier deletes the function.
/// In JSON it is a string of digits, as Lambda has it.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct PublishedVersion(#[schemars(with = "String")] NonZeroU64);

/// A text that names no published version.
#[derive(Debug, thiserror::Error)]
#[error("a published version is a number from 1 on")]
pub struct NotPublished;

impl PublishedVersion {
    /// The first one of a function.
    pub const FIRST: Self = Self(NonZeroU64::MIN);
}

impl fmt::Display for PublishedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<PublishedVersion> for String {
    fn from(version: PublishedVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for PublishedVersion {
    type Error = NotPublished;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for PublishedVersion {
    type Err = NotPublished;

    /// Reads it as Lambda spells it: digits, without sign and leading zeros.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().map(Self).map_err(|_| NotPublished)?;
        if number.to_string() == text { Ok(number) } else { Err(NotPublished) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_from_1_on_is_a_published_version() {
        let read = |text: &str| text.parse::<PublishedVersion>().ok().map(|it| it.to_string());
        assert_eq!(read("1"), Some("1".to_owned()));
        assert_eq!(read("120"), Some("120".to_owned()));
        for text in ["", "0", "-1", "+1", "01", " 1", "1 ", "1.0", "$LATEST", "live"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(PublishedVersion::FIRST.to_string(), "1");
        assert!(serde_json::from_str::<PublishedVersion>("\"0\"").is_err());
        assert_eq!(serde_json::to_string(&PublishedVersion::FIRST).unwrap(), "\"1\"");
    }
}

//! Words that a later release may add to.

use std::fmt;

use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A word of an answer: one that this release knows, or one that a later release of the API brought.
///
/// A client outlives the API that it was built for, and one new word must not make a whole list
/// unreadable. It compares with the words that are known: `operation.kind == OperationKind::Create`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Open<Word> {
    /// This release knows it.
    Known(Word),
    /// It does not; this is how the API spells it.
    Unknown(String),
}

impl<Word> Open<Word> {
    /// The word, if this release knows it.
    pub fn known(&self) -> Option<&Word> {
        match self {
            Self::Known(word) => Some(word),
            Self::Unknown(_) => None,
        }
    }
}

impl<Word: PartialEq> PartialEq<Word> for Open<Word> {
    fn eq(&self, other: &Word) -> bool {
        self.known() == Some(other)
    }
}

impl<'de, Word: Deserialize<'de>> Deserialize<'de> for Open<Word> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let word: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
        Ok(Word::deserialize(word).map_or(Self::Unknown(text), Self::Known))
    }
}

impl<Word: Serialize> Serialize for Open<Word> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(word) => word.serialize(serializer),
            Self::Unknown(text) => serializer.serialize_str(text),
        }
    }
}

impl<Word: Serialize> fmt::Display for Open<Word> {
    /// As the API spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A formatter takes the text of a unit variant, without quotes.
            Self::Known(word) => word.serialize(f),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use formation_model::OperationKind;

    use super::*;

    #[test]
    fn a_word_is_known_or_kept_as_it_is() {
        let read = |text: &str| serde_json::from_str::<Open<OperationKind>>(text).unwrap();
        let known = read("\"CREATE\"");
        assert!(known == OperationKind::Create && known != OperationKind::Delete);
        let unknown = read("\"ROLLBACK\"");
        assert!(unknown != OperationKind::Create && unknown.known().is_none());
        for word in [known, unknown] {
            assert_eq!(serde_json::to_string(&word).unwrap(), format!("\"{word}\""));
            assert_eq!(read(&format!("\"{word}\"")), word);
        }
        assert!(serde_json::from_str::<Open<OperationKind>>("7").is_err());
    }
}

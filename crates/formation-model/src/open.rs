//! Words that a later release may add to.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A word of an answer, an event or a record: one that this release knows, or one that a later release
/// brought.
///
/// A client outlives the API that it was built for, and while a stack is upgraded records of both
/// releases are read by both: one new word must not make a whole list unreadable. It compares with the
/// words that are known: `operation.kind == OperationKind::Create`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Open<Word> {
    /// This release knows it.
    Known(Word),
    /// It does not; this is its spelling.
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

impl<Word> From<Word> for Open<Word> {
    fn from(word: Word) -> Self {
        Self::Known(word)
    }
}

impl<Word: Default> Default for Open<Word> {
    fn default() -> Self {
        Self::Known(Word::default())
    }
}

impl<'de, Word: Deserialize<'de>> Open<Word> {
    /// The word that is spelled like this.
    pub fn read(text: String) -> Self {
        let word: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
        Word::deserialize(word).map_or(Self::Unknown(text), Self::Known)
    }
}

impl<Word: PartialEq> PartialEq<Word> for Open<Word> {
    fn eq(&self, other: &Word) -> bool {
        self.known() == Some(other)
    }
}

impl<'de, Word: Deserialize<'de>> Deserialize<'de> for Open<Word> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(String::deserialize(deserializer)?))
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
    /// As it is spelled in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A formatter takes the text of a unit variant, without quotes.
            Self::Known(word) => word.serialize(f),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

/// The schema is that of the words that this release knows: it writes no others of its own.
impl<Word: JsonSchema> JsonSchema for Open<Word> {
    fn inline_schema() -> bool {
        Word::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Word::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Word::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Word::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::OperationKind;

    #[test]
    fn a_word_is_known_or_kept_as_it_is() {
        let read = |text: &str| serde_json::from_str::<Open<OperationKind>>(text).unwrap();
        let known = read("\"CREATE\"");
        assert!(known == OperationKind::Create && known != OperationKind::Delete);
        let unknown = read("\"MIGRATE\"");
        assert!(unknown != OperationKind::Create && unknown.known().is_none());
        for word in [known, unknown] {
            assert_eq!(serde_json::to_string(&word).unwrap(), format!("\"{word}\""));
            assert_eq!(read(&format!("\"{word}\"")), word);
        }
        assert!(serde_json::from_str::<Open<OperationKind>>("7").is_err());
    }
}

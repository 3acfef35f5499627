//! The keys and values of tags, as IAM, Lambda and CloudWatch Logs all take them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use unicode_general_category::{GeneralCategory, get_general_category};

/// The most tags of their own that a function, and so a filter, has: IAM and Lambda allow 50, and two
/// are Formation's.
pub const MOST_TAGS: usize = 48;
/// Characters of a key. Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html>.
pub(crate) const KEY_LENGTH: usize = 128;
/// Characters of a value. Source: as for [`KEY_LENGTH`].
pub(crate) const VALUE_LENGTH: usize = 256;
/// Characters of a [`TagFilter`].
pub const LONGEST_TAG: usize = KEY_LENGTH + 1 + VALUE_LENGTH;

/// A tag that functions are looked for by: `key:value`.
///
/// Keys and values may hold colons themselves, and nothing tells where the text is meant to be split. So a
/// function has it if any split gives one of its tags.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TagFilter(String);

/// What a text that is no [`TagFilter`] should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("key:value, with at most {LONGEST_TAG} characters")]
pub struct InvalidTagFilter;

impl TagFilter {
    /// Whether one of `tags` is it.
    pub fn holds(&self, tags: &BTreeMap<String, String>) -> bool {
        let mut splits =
            self.0.match_indices(':').map(|(at, _)| (&self.0[..at], &self.0[at + 1..]));
        splits.any(|(key, value)| tags.get(key).is_some_and(|it| it == value))
    }
}

impl FromStr for TagFilter {
    type Err = InvalidTagFilter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No key is empty.
        let has_key = text.rfind(':').is_some_and(|at| at > 0);
        let is_short = text.chars().nth(LONGEST_TAG).is_none();
        if has_key && is_short { Ok(Self(text.to_owned())) } else { Err(InvalidTagFilter) }
    }
}

impl fmt::Display for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a tag's key or value may hold `c`: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html>.
pub(crate) fn takes(c: char) -> bool {
    use GeneralCategory::{
        DecimalNumber, LetterNumber, LineSeparator, LowercaseLetter, ModifierLetter, OtherLetter,
        OtherNumber, ParagraphSeparator, SpaceSeparator, TitlecaseLetter, UppercaseLetter,
    };
    "_.:/=+-@".contains(c)
        || matches!(
            get_general_category(c),
            UppercaseLetter
                | LowercaseLetter
                | TitlecaseLetter
                | ModifierLetter
                | OtherLetter
                | SpaceSeparator
                | LineSeparator
                | ParagraphSeparator
                | DecimalNumber
                | LetterNumber
                | OtherNumber
        )
}

/// A key as it is compared without case.
///
/// IAM compares keys so and does not say how. So whatever any common way takes for equal is equal
/// here: all of `Σ`, `σ`, `ς`, and all of `I`, `i`, `İ`, `ı`.
pub fn folded(key: &str) -> String {
    // Of İ's small form the dot is left out; no other letter's has more than one character.
    let lower = key.chars().filter_map(|c| c.to_lowercase().next());
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_a_tag_however_its_colons_are_meant() {
        let tags = [("team", "a"), ("app:tier", "web:1"), (":x", "y"), ("empty", "")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let has = |text: &str| text.parse::<TagFilter>().unwrap().holds(&tags);
        for text in ["team:a", "app:tier:web:1", ":x:y", "empty:"] {
            assert!(has(text), "{text}");
        }
        for text in ["team:", "team:a:", "team:b", "Team:a", "team:A", "app:tier:web", "x:y", "a:a"]
        {
            assert!(!has(text), "{text}");
        }
    }

    #[test]
    fn what_no_tag_can_be_is_no_filter() {
        let longest = format!("{}:{}", "k".repeat(KEY_LENGTH), "\u{4e2d}".repeat(VALUE_LENGTH));
        for good in ["a:", "::", &longest] {
            assert_eq!(good.parse::<TagFilter>().unwrap().to_string(), good);
        }
        for bad in ["", "team", ":", ":a", &format!("{longest}x")] {
            assert_eq!(bad.parse::<TagFilter>(), Err(InvalidTagFilter), "{bad}");
        }
    }

    #[test]
    fn keys_that_any_comparison_without_case_takes_for_equal_are_equal() {
        for equal in [
            &["Team", "TEAM", "team"][..],
            &["Σ", "σ", "ς"],
            &["I", "i", "İ", "ı"],
            &["K", "k", "\u{212a}"],
            &["ẞ", "ß", "SS"],
            &["ſ", "s"],
            &["Ǆ", "ǅ", "ǆ"],
        ] {
            let folded: Vec<_> = equal.iter().map(|key| folded(key)).collect();
            assert!(folded.windows(2).all(|pair| pair[0] == pair[1]), "{equal:?}: {folded:?}");
        }
        assert_ne!(folded("team"), folded("teams"));
        assert_ne!(folded("é"), folded("e"));
    }

    #[test]
    fn tags_take_letters_numbers_and_separators_of_unicode_and_nothing_else() {
        for c in "aßΣ中ʰǅ09½Ⅷ٣ \u{a0}\u{2028}_.:/=+-@".chars() {
            assert!(takes(c), "{c:?}");
        }
        // Combining marks count as alphanumeric in Rust, as do some symbols.
        for c in "\u{301}\u{345}Ⓐ🅰€#,;\t\n\0\u{200d}😀".chars() {
            assert!(!takes(c), "{c:?}");
        }
    }
}

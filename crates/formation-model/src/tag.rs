//! The keys and values of tags, as IAM, Lambda and CloudWatch Logs all take them.

use unicode_general_category::{GeneralCategory, get_general_category};

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

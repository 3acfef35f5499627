//! How ids are written: ULIDs, which sort by time. As text each has one spelling, 26 characters of
//! Crockford's base 32, in capitals.

use ulid::Ulid;

/// What an id looks like, as a regular expression.
pub(crate) const PATTERN: &str = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$";

/// The id that `text` spells.
pub(crate) fn read(text: &str) -> Option<Ulid> {
    // Small letters are read as well, and what overflows 128 bits is cut off.
    Ulid::from_string(text).ok().filter(|id| id.to_string() == text)
}

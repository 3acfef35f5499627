//! Values as pages show them.

use jiff::Timestamp;
use serde_json::Value;

/// How long a value may be before it is cut: what is shown is to be read.
const LONGEST: usize = 400;

/// A value in words: a text as it is, anything else as JSON.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "\u{2013}".to_owned(),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Object(members) if members.is_empty() => "none".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(members) => match members.get("sha256").and_then(Value::as_str) {
            // Of code only its digest says something.
            Some(sha256) => format!("SHA-256 {sha256}"),
            None => lines(members.iter().map(|(name, value)| format!("{name}: {}", shown(value)))),
        },
        Value::Array(items) => lines(items.iter().map(shown)),
        other => other.to_string(),
    };
    cut(&text, LONGEST)
}

fn lines(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join("\n")
}

/// A text, cut where it is longer.
pub fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest).chain(['\u{2026}']).collect()
}

/// A moment to the second.
pub fn at(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A word of the API as people read it: `LOG_GROUP` is `Log group`.
pub fn word(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(String::from).unwrap_or_default();
    first + &characters.as_str().to_lowercase().replace('_', " ")
}

/// How a status is: a class of the style sheet.
pub fn class(status: &str) -> &'static str {
    match status {
        "AVAILABLE" | "SUCCEEDED" | "IN_SYNC" | "COMPLETE" => "good",
        "FAILED" | "DELETED" | "INCOMPLETE" | "ABORTED" => "bad",
        "CREATING" | "UPDATING" | "DELETING" | "RUNNING" => "busy",
        "DRIFTED" => "warn",
        _ => "none",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_as_words() {
        for (value, expected) in [
            (json!(null), "\u{2013}"),
            (json!(""), "(empty)"),
            (json!("a"), "a"),
            (json!(true), "yes"),
            (json!(512), "512"),
            (json!([]), "none"),
            (json!(["a", 1]), "a\n1"),
            (json!({"a": "b", "c": {}}), "a: b\nc: none"),
            (json!({"sha256": "abc=", "sizeBytes": 1}), "SHA-256 abc="),
        ] {
            assert_eq!(shown(&value), expected);
        }
        assert_eq!(word("LOG_GROUP"), "Log group");
        assert_eq!(shown(&json!("x".repeat(999))).chars().count(), LONGEST + 1);
    }
}

//! Keeping the values of environments out of what AWS says.

use formation_model::FunctionSpec;
use formation_model::triggers::Input;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Values too short to be a secret stay, or no message could be read any more.
const SHORTEST_SECRET: usize = 4;
const HIDDEN: &str = "***";
/// What is percent-encoded in a URL: all but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The values that no text may show, in every spelling in which AWS may quote them.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// The values of the environments of `specs`, and what their schedules and rules hand to the function.
    pub fn of<'a>(specs: impl IntoIterator<Item = &'a FunctionSpec>) -> Self {
        let specs: Vec<_> = specs.into_iter().collect();
        let values = specs.iter().flat_map(|spec| spec.configuration.environment.0.values());
        let inputs = specs.iter().flat_map(|spec| inputs(spec));
        let values = values.map(String::as_str).chain(inputs);
        let secrets = values.filter(|value| value.len() >= SHORTEST_SECRET);
        Self(secrets.flat_map(spellings).collect())
    }

    /// `text` with all that is a value hidden: where values overlap or one holds another, no rest of
    /// any is left.
    pub fn hide(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        // Up to where a value reaches that began before.
        let mut end = 0;
        for (at, character) in text.char_indices() {
            let values = self.0.iter().filter(|secret| text[at..].starts_with(secret.as_str()));
            if let Some(longest) = values.map(String::len).max() {
                if at >= end {
                    told.push_str(HIDDEN);
                }
                end = end.max(at + longest);
            }
            if at >= end {
                told.push(character);
            }
        }
        told
    }
}

/// What the triggers of a function hand to it, whole: AWS quotes it as it was sent.
fn inputs(spec: &FunctionSpec) -> impl Iterator<Item = &str> {
    let schedules = spec.triggers.schedules.iter().filter_map(|it| it.input.as_ref());
    let rules = spec.triggers.event_rules.iter().filter_map(|it| it.input.as_ref());
    schedules.chain(rules).map(Input::as_str)
}

/// A value as it is, in JSON with and without characters beyond ASCII, and percent-encoded.
fn spellings(value: &str) -> Vec<String> {
    // Serialising a text cannot fail.
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(value);
    let [lower, upper] = in_ascii(json);
    let encoded = utf8_percent_encode(value, RESERVED).to_string();
    let mut all = vec![value.to_owned(), json.to_owned(), lower, upper, encoded];
    all.sort_unstable();
    all.dedup();
    all
}

/// JSON's other spellings of characters beyond ASCII: UTF-16, as `\u00e4` and as `\u00E4`.
fn in_ascii(json: &str) -> [String; 2] {
    let mut spelled = [String::new(), String::new()];
    for character in json.chars() {
        if character.is_ascii() {
            spelled.iter_mut().for_each(|text| text.push(character));
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            spelled[0].push_str(&format!("\\u{unit:04x}"));
            spelled[1].push_str(&format!("\\u{unit:04X}"));
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::spec;

    fn secrets(values: &[&str]) -> Secrets {
        let mut spec = spec();
        let values = values.iter().enumerate();
        spec.configuration.environment.0 =
            values.map(|(at, value)| (format!("KEY_{at}"), (*value).to_owned())).collect();
        Secrets::of([&spec])
    }

    #[test]
    fn a_value_that_holds_another_is_hidden_whole() {
        for values in [["abcd", "abcdEFGH"], ["abcdEFGH", "EFGH"], ["abcdEF", "EFGH"]] {
            let text = secrets(&values).hide("bad value abcdEFGH given");
            assert_eq!(text, "bad value *** given", "{values:?}");
        }
    }

    #[test]
    fn short_values_stay_readable() {
        assert_eq!(secrets(&["on", "512"]).hide("512 is on"), "512 is on");
    }

    /// Every value, in every spelling and beside every other one, in a text of AWS's.
    #[test]
    fn no_value_is_told_in_any_spelling() {
        let values = [
            "pa\"ss\\word\n",
            "p\u{e4}ssw\u{f6}rt-\u{1F511}",
            "a b/c?d=e&f",
            "\"quoted\"",
            "aaaa",
            "aaaaaaa",
            "tab\there",
            "plain-secret",
        ];
        let secrets = secrets(&values);
        let all: Vec<String> = values.iter().flat_map(|value| spellings(value)).collect();
        for first in &all {
            for second in &all {
                for between in ["", ",", " and "] {
                    let text = secrets.hide(&format!("bad {first}{between}{second}!"));
                    for spelling in &all {
                        assert!(!text.contains(spelling), "{text}: {spelling}");
                    }
                    assert!(text.starts_with("bad ***") && text.ends_with('!'), "{text}");
                }
            }
        }
        let environment = json!({"Environment": {"Variables": {"A": values[0], "B": values[1]}}});
        let text = secrets.hide(&environment.to_string());
        assert_eq!(text, r#"{"Environment":{"Variables":{"A":"***","B":"***"}}}"#);
    }
}

//! Values as they stand in a manifest that the command writes.

use serde_json::Value;

use super::may_be_no_text;
pub use super::variables::escaped;

/// How far what stands in something is indented.
const STEP: usize = 2;

/// A value in YAML's block style, each line indented by so many spaces. Texts are quoted wherever some
/// reader could take them for something else.
pub fn block(value: &Value, indent: usize) -> String {
    let begin = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let lines = members.iter().map(|(key, value)| {
                format!("{begin}{}:{}", scalar(&Value::from(key.as_str())), behind(value, indent))
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) if !items.is_empty() => {
            let lines = items.iter().map(|item| {
                let inner = block(item, indent + STEP);
                format!("{begin}- {}", inner.trim_start())
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        value => format!("{begin}{}", scalar(value)),
    }
}

/// A value behind its key.
fn behind(value: &Value, indent: usize) -> String {
    match value {
        Value::Object(members) if !members.is_empty() => {
            format!("\n{}", block(value, indent + STEP))
        }
        Value::Array(items) if !items.is_empty() => format!("\n{}", block(value, indent + STEP)),
        value => format!(" {}", scalar(value)),
    }
}

fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    if starts && text.chars().all(is_plain) && !may_be_no_text(text) {
        return text.clone();
    }
    let mut quoted = String::new();
    for c in value.to_string().chars() {
        // JSON escapes fewer than YAML cannot hold, or a terminal would act on.
        if c.is_control() || ['\u{2028}', '\u{2029}', '\u{feff}'].contains(&c) {
            quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            quoted.push(c);
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::yaml::read;
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let texts = [
            "",
            " ",
            "a b",
            "yes",
            "ON",
            "null",
            "~",
            "1",
            "1.10",
            "0x10",
            "a: b",
            "# no",
            "- x",
            "a\nb\r\n",
            "\u{7f}\u{85}\u{2028}\u{feff}\u{1}",
            "\u{1f600} \u{e4}",
            "'\"\\",
            "{a}",
            "[a]",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a`",
            "s3:GetObject",
            "arn:aws:s3:::a/*",
            "src/a-b_c.mjs",
            "a:",
            "-",
            "---",
            "?",
            "\t",
        ];
        let value = json!({
            "texts": texts[..], "true": true, "no": 1.5, "none": null, "empty": {}, "list": [],
            "deep": {"a": [{"b": [1, [2, [3]], {}], "c": {"d": "e"}}, "f", []]},
            "a b": {"": "x"},
        });
        let written = block(&value, 0);
        assert_eq!(read(&written).unwrap().to_json(), value, "{written}");
        assert!(!written.contains(['\u{7f}', '\u{85}', '\u{1}']), "{written}");
        let indented = format!("a:\n{}", block(&value, 4));
        assert_eq!(read(&indented).unwrap().to_json()["a"], value, "{indented}");
    }

    #[test]
    fn it_reads_as_people_write() {
        let value = json!({
            "runtime": "python3.14", "memoryMegabytes": 256, "environment": {"TABLE": "${TABLE}"},
            "policyStatements": [{"actions": ["s3:GetObject"], "resources": ["*"]}],
        });
        let expected = "  runtime: python3.14
  memoryMegabytes: 256
  environment:
    TABLE: \"${TABLE}\"
  policyStatements:
    - actions:
        - \"s3:GetObject\"
      resources:
        - \"*\"";
        assert_eq!(block(&value, 2), expected);
    }
}

//! Variables of the environment in a manifest's texts: `${NAME}` and `${NAME:-text}`.
//!
//! They are put in once the file has been parsed, so that no value changes its structure. Every other
//! `${` stays as it is: IAM's own variables look like that. `$${` stands for `${`.

use super::yaml::{Content, Misplaced, Node, Place, Scalar};

/// Where the values of variables come from.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts variables into every text of `node`, and notes those that are not set.
pub(super) fn put_in(node: &mut Node, lookup: Lookup<'_>, problems: &mut Vec<Misplaced>) {
    match &mut node.content {
        Content::Scalar(scalar) => replace(scalar, node.at, lookup, problems),
        Content::List(items) => {
            for item in items {
                put_in(item, lookup, problems);
            }
        }
        Content::Map(members) => {
            for member in members.values_mut() {
                put_in(&mut member.node, lookup, problems);
            }
        }
    }
}

/// A plain scalar that is one variable and nothing else may stand for a number or a truth value, as
/// its value would without quotes; whatever else has a variable in it is a text.
fn replace(scalar: &mut Scalar, at: Place, lookup: Lookup<'_>, problems: &mut Vec<Misplaced>) {
    if !scalar.text.contains("${") {
        return;
    }
    let mut text = String::new();
    let mut rest = scalar.text.as_str();
    let mut alone = false;
    while let Some(found) = rest.find("${") {
        let (before, from) = rest.split_at(found);
        if let Some(before) = before.strip_suffix('$') {
            text += before;
            text += "${";
            rest = &from[2..];
            continue;
        }
        text += before;
        let Some((variable, length)) = variable(from) else {
            text += "${";
            rest = &from[2..];
            continue;
        };
        alone = length == scalar.text.len();
        rest = &from[length..];
        let value = lookup(variable.name).filter(|value| {
            // As in a shell, an empty one is as good as none where there is another text.
            !(value.is_empty() && variable.otherwise.is_some())
        });
        match value.as_deref().or(variable.otherwise) {
            Some(value) => text += value,
            None => {
                let name = variable.name;
                let message = format!(
                    "the variable {name} is not set: export it, or write ${{{name}:-text}} for a \
                     default, or $${{{name}}} for the text itself"
                );
                problems.push(Misplaced::new(at, message));
            }
        }
    }
    text += rest;
    *scalar = Scalar { text, plain: scalar.plain && alone };
}

/// How a text is written that is to be read as it is, whatever looks like a variable in it.
pub fn escaped(text: &str) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some(found) = rest.find("${") {
        let (before, from) = rest.split_at(found);
        written += before;
        // The other `${` are read as they are, but behind a dollar sign.
        if variable(from).is_some() || before.ends_with('$') {
            written.push('$');
        }
        written += "${";
        rest = &from[2..];
    }
    written + rest
}

/// Whether a text is a variable and nothing else, so that it tells no more than a name.
pub(super) fn is_reference(text: &str) -> bool {
    variable(text).is_some_and(|(it, length)| it.otherwise.is_none() && length == text.len())
}

struct Variable<'a> {
    name: &'a str,
    otherwise: Option<&'a str>,
}

/// The variable that `text` begins with, and how long it is.
fn variable(text: &str) -> Option<(Variable<'_>, usize)> {
    let inner = text.strip_prefix("${")?;
    let (inner, _) = inner.split_once('}')?;
    let length = inner.len() + "${}".len();
    let (name, otherwise) = match inner.split_once(":-") {
        Some((name, otherwise)) => (name, Some(otherwise)),
        None => (inner, None),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_name = starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((Variable { name, otherwise }, length))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::yaml::read;
    use super::*;

    fn with(text: &str) -> (Value, Vec<String>) {
        let lookup = |name: &str| match name {
            "NAME" => Some("world".to_owned()),
            "EMPTY" => Some(String::new()),
            "SIZE" => Some("512".to_owned()),
            "EVIL" => Some("a\nb: {c: ${NAME}}".to_owned()),
            _ => None,
        };
        let mut node = read(text).unwrap();
        let mut problems = Vec::new();
        put_in(&mut node, &lookup, &mut problems);
        (node.to_json(), problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn variables_are_put_into_texts_and_change_no_structure() {
        for (text, expected) in [
            ("a: hello ${NAME}!", json!({"a": "hello world!"})),
            (
                "a: ['${NAME}', {b: \"${NAME}${NAME}\"}]",
                json!({"a": ["world", {"b": "worldworld"}]}),
            ),
            ("a: ${MISSING:-x y}", json!({"a": "x y"})),
            ("a: ${EMPTY}", json!({"a": null})),
            ("a: '${EMPTY}'", json!({"a": ""})),
            ("a: ${EMPTY:-x}", json!({"a": "x"})),
            ("a: '${MISSING:-}'", json!({"a": ""})),
            ("a: ${SIZE}", json!({"a": 512})),
            ("a: '${SIZE}'", json!({"a": "512"})),
            ("a: ${SIZE}0", json!({"a": "5120"})),
            ("a: ${EVIL}", json!({"a": "a\nb: {c: ${NAME}}"})),
            ("a: $${NAME} $${MISSING}", json!({"a": "${NAME} ${MISSING}"})),
            ("a: $$${NAME}", json!({"a": "$${NAME}"})),
            ("a: ${aws:PrincipalTag/team}/*", json!({"a": "${aws:PrincipalTag/team}/*"})),
            ("a: ${1A} ${} ${A-B} $NAME ${NAME", json!({"a": "${1A} ${} ${A-B} $NAME ${NAME"})),
            ("${NAME}: x", json!({"${NAME}": "x"})),
        ] {
            assert_eq!(with(text), (expected, Vec::new()), "{text}");
        }
    }

    #[test]
    fn a_text_is_written_as_it_is_to_be_read() {
        for text in [
            "plain $ and $$",
            "${NAME}",
            "$${NAME}",
            "$$${NAME}$",
            "a${A:-b}c${D}",
            "${aws:username}/*",
            "$${aws:username}",
            "${",
            "${}",
            "${${NAME}}",
            "${NAME",
            "$${${NAME}",
            "${A}${B}$${C}",
        ] {
            let written = Value::from(escaped(text)).to_string();
            assert_eq!(
                with(&format!("a: {written}")),
                (json!({"a": text}), Vec::new()),
                "{written}"
            );
        }
        assert_eq!(escaped("${aws:username} ${A-B}"), "${aws:username} ${A-B}");
    }

    #[test]
    fn one_that_is_not_set_is_told_at_its_place() {
        let (_, problems) = with("a: x\nb:\n  - ${MISSING} and ${OTHER}");
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("3:5: the variable MISSING is not set"), "{problems:?}");
    }
}

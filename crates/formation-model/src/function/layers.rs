//! The layers of a function: archives that Lambda unzips beside its code.

use serde_json::{Value, json};

use super::configuration::ROW;
use super::property::Property;
use super::reader::Reader;
use crate::problem::FieldProblemCode as Code;

/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MOST: usize = 5;
/// What a layer version's ARN looks like.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
const ARN: &str = "^arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[1-9][0-9]*$";
const ARN_LENGTH: usize = 140;

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "layers",
    schema: || {
        json!({
            "type": "array", "maxItems": MOST, "default": [],
            "items": {"type": "string", "maxLength": ARN_LENGTH, "pattern": ARN},
            "description": "ARNs of versions of layers, in order: those that the stack's parameter LayerArns allows."
        })
    },
    example: || json!(["arn:aws:lambda:us-east-1:123456789012:layer:example:1"]),
    read: |it| {
        if let Some(layers) = read(it) {
            it.draft.configuration.layers = layers;
        }
    },
    ..ROW
}];

fn read(it: &mut Reader<'_>) -> Option<Vec<String>> {
    let layers = match it.fields.take(it.name) {
        None => return Some(Vec::new()),
        Some(Value::Array(layers)) => layers,
        Some(_) => {
            let detail = "must be a list of strings; leave it out for none";
            return it.fields.refuse(it.at(), Code::WrongType, detail);
        }
    };
    if layers.len() > MOST {
        let detail = format!("must not be more than {MOST}");
        return it.fields.refuse(it.at(), Code::OutOfRange, detail);
    }
    let mut read: Vec<String> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        match checked(it, layer, &read) {
            Ok(arn) => read.push(arn.to_owned()),
            Err((code, detail)) => it.fields.note(format!("{}/{index}", it.at()), code, detail),
        }
    }
    (read.len() == layers.len()).then_some(read)
}

/// The ARN of a layer's version, if it may stand behind `before`.
fn checked<'a>(
    it: &Reader<'_>,
    layer: &'a Value,
    before: &[String],
) -> Result<&'a str, (Code, String)> {
    let Value::String(arn) = layer else {
        return Err((Code::WrongType, "must be a string".to_owned()));
    };
    let Some(name) = name_of(arn) else {
        let detail = "must be the ARN of a layer's version: arn:aws:lambda:<region>:<account>:layer:\
                      <name>:<version>";
        return Err((Code::InvalidFormat, detail.to_owned()));
    };
    if before.iter().any(|other| name_of(other) == Some(name)) {
        return Err((Code::Conflict, "is of a layer that is in the list already".to_owned()));
    }
    // What a function has, it keeps, whatever the stack has allowed since.
    let has = it.current.is_some_and(|current| current.configuration.layers.contains(arn));
    let patterns = &it.defaults.layer_arns;
    if !has && !patterns.iter().any(|pattern| matches(pattern, arn)) {
        let allowed = patterns.join(", ");
        let detail = format!("is not allowed by the stack's parameter LayerArns: {allowed}");
        return Err((Code::NotSupported, detail));
    }
    Ok(arn)
}

/// The ARN of the layer whose version `arn` is; none if it is no such ARN.
fn name_of(arn: &str) -> Option<&str> {
    let (layer, version) = arn.rsplit_once(':')?;
    let parts: Vec<_> = layer.split(':').collect();
    let [prefix, partition, "lambda", region, account, "layer", name] = parts[..] else {
        return None;
    };
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let of = |text: &str, fits: fn(char) -> bool| !text.is_empty() && text.chars().all(fits);
    let digit = |c: char| c.is_ascii_digit();
    let in_names = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let fits = prefix == "arn"
        && of(partition, lower)
        && of(region, lower)
        && of(account, digit)
        && account.len() == 12
        && of(name, in_names)
        && of(version, digit)
        // Lambda would show another spelling of its number than was asked for.
        && !version.starts_with('0')
        && arn.len() <= ARN_LENGTH;
    fits.then_some(layer)
}

/// Whether `text` is what `pattern` stands for: `*` for any characters, `?` for one, as in IAM.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last star is, and how far it reaches.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, reached)) = star else { return false };
                star = Some((at, reached + 1));
                p = at + 1;
                t = reached + 1;
            }
        }
    }
    pattern[p..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::super::Defaults;
    use super::*;
    use crate::request::tests::{DEFAULTS, current, hello_with};
    use crate::request::{patched, read};

    const OWN: &str = "arn:aws:lambda:eu-west-1:111122223333:layer:";

    fn own() -> Defaults {
        Defaults { layer_arns: vec![format!("{OWN}*")], ..DEFAULTS.clone() }
    }

    fn problems(layers: &Value) -> Vec<(String, Code)> {
        let found = read(&hello_with("layers", layers.clone()), &own(), None).err();
        let found = found.unwrap_or_default().into_iter();
        found.map(|it| (it.pointer, *it.code.known().unwrap())).collect()
    }

    #[test]
    fn layers_are_versions_in_order_of_those_that_the_stack_allows() {
        let layers = json!([format!("{OWN}b:2"), format!("{OWN}a_-1:10")]);
        let request = read(&hello_with("layers", layers.clone()), &own(), None).unwrap();
        assert_eq!(json!(request.configuration.layers), layers);
        let at = |index: usize, code| vec![(format!("/layers/{index}"), code)];
        for (layers, expected) in [
            (json!("x"), vec![("/layers".to_owned(), Code::WrongType)]),
            (json!([1]), at(0, Code::WrongType)),
            (json!([format!("{OWN}a:1"), OWN]), at(1, Code::InvalidFormat)),
            (json!([format!("{OWN}a")]), at(0, Code::InvalidFormat)),
            (json!([format!("{OWN}a:1:1")]), at(0, Code::InvalidFormat)),
            (json!([format!("{OWN}a:01")]), at(0, Code::InvalidFormat)),
            (json!([format!("{OWN}a:0")]), at(0, Code::InvalidFormat)),
            (json!([format!("{OWN}{}:1", "x".repeat(96))]), at(0, Code::InvalidFormat)),
            (json!([format!("{OWN}a:1"), format!("{OWN}a:2")]), at(1, Code::Conflict)),
            (json!(["arn:aws:lambda:eu-west-1:999999999999:layer:a:1"]), at(0, Code::NotSupported)),
            (json!(vec![format!("{OWN}a:1"); 6]), vec![("/layers".to_owned(), Code::OutOfRange)]),
        ] {
            assert_eq!(problems(&layers), expected, "{layers}");
        }
    }

    #[test]
    fn what_is_refused_is_told_what_is_allowed_and_what_a_function_has_it_keeps() {
        let layer = format!("{OWN}a:1");
        let body = hello_with("layers", json!([layer]));
        let request = read(&body, &own(), None).unwrap();
        let with_layer = request.with_code(current().code);
        let others = ["arn:aws:lambda:*:999999999999:layer:shared*".to_owned()];
        let others = Defaults { layer_arns: others.into(), ..DEFAULTS.clone() };
        let found = read(&body, &others, None).unwrap_err();
        assert!(found[0].detail.contains("999999999999:layer:shared*"), "{}", found[0].detail);
        let kept = patched(&json!({"memoryMegabytes": 512}), &others, &with_layer).unwrap();
        assert_eq!(kept.configuration.layers, [layer]);
    }

    #[test]
    fn patterns_are_those_of_iam() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*b", "abab", true),
            ("a**", "a", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("abc", "ABC", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        // In a time that grows with their product, not with the number of stars.
        assert!(!matches(&"*a".repeat(1000), &"a".repeat(999)));
    }
}

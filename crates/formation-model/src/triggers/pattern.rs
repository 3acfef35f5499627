//! Event patterns: which events a rule fits, and which messages a filter lets through.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::fields::kept;
use crate::problem::pointer;

/// Characters of a pattern as EventBridge and Lambda take it.
/// Sources: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>,
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html>.
pub(crate) const LONGEST: usize = 4096;
/// Levels of a pattern. The table of records keeps 32, and those around it.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
const DEEPEST: usize = 20;

const MATCHERS: &str =
    "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists or cidr";

/// Reads a pattern: the same, with numbers as they are kept.
///
/// # Errors
/// Everything that is wrong with it, each with its JSON pointer in it.
pub fn read(pattern: &Map<String, Value>) -> Result<Map<String, Value>, Vec<(String, String)>> {
    let mut pattern = pattern.clone();
    let mut problems = Problems(Vec::new());
    problems.object("", &mut pattern, 1);
    let long = Value::from(pattern.clone()).to_string().chars().count() > LONGEST;
    if long && problems.0.is_empty() {
        problems.note("", format!("must not have more than {LONGEST} characters as JSON"));
    }
    if problems.0.is_empty() { Ok(pattern) } else { Err(problems.0) }
}

struct Problems(Vec<(String, String)>);

impl Problems {
    fn note(&mut self, at: impl Into<String>, told: impl Into<String>) {
        self.0.push((at.into(), told.into()));
    }

    /// Fields that all have to fit.
    fn object(&mut self, at: &str, fields: &mut Map<String, Value>, depth: usize) {
        if fields.is_empty() {
            return self.note(at, "must not be empty: it has a field for each that is to fit");
        }
        if depth > DEEPEST {
            return self.note(at, format!("must not be deeper than {DEEPEST} levels"));
        }
        for (name, value) in fields {
            let at = pointer(at, name);
            match value {
                Value::Object(fields) => self.object(&at, fields, depth + 1),
                Value::Array(items) if name == "$or" && items.iter().all(Value::is_object) => {
                    self.either(&at, items, depth + 1);
                }
                Value::Array(items) => self.matchers(&at, items),
                _ => self.note(
                    at,
                    "must be a list of what fits, such as [\"a\", \"b\"], or an object of fields",
                ),
            }
        }
    }

    /// Patterns of which one has to fit.
    fn either(&mut self, at: &str, patterns: &mut [Value], depth: usize) {
        if patterns.len() < 2 {
            self.note(at, "must be a list of two patterns or more, of which one has to fit");
        }
        for (place, pattern) in patterns.iter_mut().enumerate() {
            if let Value::Object(fields) = pattern {
                self.object(&format!("{at}/{place}"), fields, depth + 1);
            }
        }
    }

    /// Values and matchers of which one has to fit.
    fn matchers(&mut self, at: &str, items: &mut [Value]) {
        if items.is_empty() {
            self.note(at, "must not be empty: nothing would fit");
        }
        for (place, item) in items.iter_mut().enumerate() {
            let at = format!("{at}/{place}");
            match item {
                Value::Object(matcher) => self.matcher(&at, matcher),
                value => self.value(&at, value),
            }
        }
    }

    /// A value that has to be the same.
    fn value(&mut self, at: &str, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::String(_) => {}
            Value::Number(number) => match kept(number) {
                Some(number) => *value = number,
                None => self.note(at, "cannot be kept as this number; give it as a string"),
            },
            Value::Array(_) | Value::Object(_) => {
                self.note(at, "must be a string, a number, true, false, null or a matcher");
            }
        }
    }

    fn matcher(&mut self, at: &str, matcher: &mut Map<String, Value>) {
        let count = matcher.len();
        let Some((name, value)) = matcher.iter_mut().next().filter(|_| count == 1) else {
            return self
                .note(at, format!("must be one matcher: an object of one field, {MATCHERS}"));
        };
        let at = pointer(at, name);
        match name.as_str() {
            "prefix" | "suffix" => self.affix(&at, value),
            "equals-ignore-case" => self.text(&at, value),
            "wildcard" => self.wildcard(&at, value),
            "anything-but" => self.anything_but(&at, value),
            "numeric" => self.numeric(&at, value),
            "exists" if value.is_boolean() => {}
            "exists" => self.note(at, "must be true or false"),
            "cidr" if value.as_str().is_some_and(is_cidr) => {}
            "cidr" => self.note(at, "must be a range of addresses, such as 10.0.0.0/24"),
            _ => self.note(at, format!("is no matcher; there are {MATCHERS}")),
        }
    }

    fn text(&mut self, at: &str, value: &Value) {
        if !value.is_string() {
            self.note(at, "must be a string");
        }
    }

    /// A text, or one whose case does not count.
    fn affix(&mut self, at: &str, value: &Value) {
        let inner = value.as_object().filter(|it| it.len() == 1);
        match inner.and_then(|it| it.get("equals-ignore-case")) {
            Some(inner) => self.text(&pointer(at, "equals-ignore-case"), inner),
            None => self.text(at, value),
        }
    }

    fn wildcard(&mut self, at: &str, value: &Value) {
        match value.as_str() {
            None => self.note(at, "must be a string"),
            Some(text) if text.contains("**") => {
                self.note(at, "must not have two * in a row");
            }
            Some(_) => {}
        }
    }

    fn anything_but(&mut self, at: &str, value: &mut Value) {
        match value {
            Value::Array(items) => {
                let is_one_kind =
                    items.iter().all(Value::is_string) || items.iter().all(Value::is_number);
                if items.is_empty() || !is_one_kind {
                    return self.note(at, "must be a list of strings, or a list of numbers");
                }
                for (place, item) in items.iter_mut().enumerate() {
                    self.value(&format!("{at}/{place}"), item);
                }
            }
            Value::String(_) | Value::Number(_) => self.value(at, value),
            Value::Object(matcher) => {
                let count = matcher.len();
                let Some((name, value)) = matcher.iter().next().filter(|_| count == 1) else {
                    return self.note(at, "must be an object of one field");
                };
                let at = pointer(at, name);
                match (name.as_str(), value) {
                    ("prefix" | "suffix" | "equals-ignore-case" | "wildcard", Value::Array(items))
                        if !items.is_empty() =>
                    {
                        for (place, item) in items.iter().enumerate() {
                            self.text(&format!("{at}/{place}"), item);
                        }
                    }
                    ("prefix" | "suffix", value) => self.affix(&at, value),
                    ("equals-ignore-case", value) => self.text(&at, value),
                    ("wildcard", value) => self.wildcard(&at, value),
                    _ => self.note(
                        at,
                        "cannot be had of anything-but: prefix, suffix, equals-ignore-case and wildcard can",
                    ),
                }
            }
            _ => self
                .note(at, "must be a string, a number, a list of them, or an object of one field"),
        }
    }

    fn numeric(&mut self, at: &str, value: &mut Value) {
        const TOLD: &str =
            "must be [\">\", 0] or [\">=\", 0, \"<\", 100], or the like, with <, <=, =, >= and >";
        let operator =
            |value: &Value, of: &[&str]| value.as_str().is_some_and(|it| of.contains(&it));
        let fits = match value.as_array().map(Vec::as_slice) {
            Some([one, number]) => {
                operator(one, &["<", "<=", "=", ">=", ">"]) && number.is_number()
            }
            Some([above, least, below, most]) => {
                operator(above, &[">", ">="])
                    && operator(below, &["<", "<="])
                    && match (least.as_f64(), most.as_f64()) {
                        (Some(least), Some(most)) => least < most,
                        _ => false,
                    }
            }
            _ => false,
        };
        if !fits {
            return self.note(at, TOLD);
        }
        for (place, item) in value.as_array_mut().into_iter().flatten().enumerate() {
            self.value(&format!("{at}/{place}"), item);
        }
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.bytes().all(|byte| byte.is_ascii_digit())
        && bits.parse().is_ok_and(|bits: u8| bits <= most)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(pattern: Value) -> Result<Value, Vec<(String, String)>> {
        read(pattern.as_object().unwrap()).map(Value::from)
    }

    #[test]
    fn patterns_of_eventbridge_are_taken() {
        for pattern in [
            json!({"source": ["shop"], "detail-type": ["Order Placed", "Order Paid"]}),
            json!({"detail": {"state": ["a", null, true, 1, ""], "of": {"it": [{"exists": false}]}}}),
            json!({"detail": {"a": [{"prefix": "x"}, {"suffix": ".png"}]}}),
            json!({"detail": {"a": [{"prefix": {"equals-ignore-case": "x"}}]}}),
            json!({"detail": {"a": [{"equals-ignore-case": "x"}, {"wildcard": "dir/*.png"}]}}),
            json!({"detail": {"a": [{"anything-but": "x"}], "b": [{"anything-but": [1, 2]}]}}),
            json!({"detail": {"a": [{"anything-but": {"prefix": "x"}}]}}),
            json!({"detail": {"a": [{"anything-but": {"suffix": ["x", "y"]}}]}}),
            json!({"detail": {"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}}),
            json!({"detail": {"a": [{"numeric": [">", 0]}, {"numeric": [">=", -1.5, "<", 10]}]}}),
            json!({"detail": {"ip": [{"cidr": "10.0.0.0/24"}, {"cidr": "2001:db8::/32"}]}}),
            json!({"detail": {"$or": [{"a": ["x"]}, {"b": {"c": [1]}}]}}),
            json!({"$or": [{"a": ["x"]}, {"$or": [{"b": [1]}, {"c": [2]}]}]}),
        ] {
            assert_eq!(found(pattern.clone()), Ok(pattern));
        }
        // As it is kept.
        assert_eq!(found(json!({"a": [1.0, 2.5]})), Ok(json!({"a": [1, 2.5]})));
    }

    #[test]
    fn what_is_no_pattern_is_told_at_its_place() {
        for (pattern, at, told) in [
            (json!({}), "", "must not be empty"),
            (json!({"source": "shop"}), "/source", "must be a list"),
            (json!({"source": []}), "/source", "nothing would fit"),
            (json!({"detail": {}}), "/detail", "must not be empty"),
            (json!({"a": [["x"]]}), "/a/0", "must be a string, a number"),
            (json!({"a": ["x", {"begins-with": "y"}]}), "/a/1/begins-with", "is no matcher"),
            (json!({"a": [{}]}), "/a/0", "must be one matcher"),
            (json!({"a": [{"prefix": "x", "suffix": "y"}]}), "/a/0", "must be one matcher"),
            (json!({"a": [{"prefix": 1}]}), "/a/0/prefix", "must be a string"),
            (json!({"a": [{"wildcard": "a**b"}]}), "/a/0/wildcard", "two * in a row"),
            (json!({"a": [{"exists": "yes"}]}), "/a/0/exists", "true or false"),
            (json!({"a": [{"cidr": "10.0.0.0"}]}), "/a/0/cidr", "10.0.0.0/24"),
            (json!({"a": [{"cidr": "10.0.0.0/33"}]}), "/a/0/cidr", "10.0.0.0/24"),
            (json!({"a": [{"numeric": ["!", 1]}]}), "/a/0/numeric", "must be ["),
            (json!({"a": [{"numeric": [">", "1"]}]}), "/a/0/numeric", "must be ["),
            (json!({"a": [{"numeric": ["<", 5, ">", 1]}]}), "/a/0/numeric", "must be ["),
            (json!({"a": [{"numeric": [">", 5, "<", 1]}]}), "/a/0/numeric", "must be ["),
            (json!({"a": [{"anything-but": []}]}), "/a/0/anything-but", "list of strings"),
            (json!({"a": [{"anything-but": ["x", 1]}]}), "/a/0/anything-but", "list of strings"),
            (
                json!({"a": [{"anything-but": {"exists": true}}]}),
                "/a/0/anything-but/exists",
                "cannot",
            ),
            (json!({"$or": [{"a": ["x"]}]}), "/$or", "two patterns"),
            (json!({"$or": [{"a": ["x"]}, {}]}), "/$or/1", "must not be empty"),
            (json!({"a": [18_446_744_073_709_551_615_u64]}), "/a/0", "as a string"),
            (json!({"a": ["x".repeat(LONGEST)]}), "", "4096 characters"),
        ] {
            let found = found(pattern.clone()).unwrap_err();
            assert_eq!(found.len(), 1, "{pattern}: {found:?}");
            assert_eq!(found[0].0, at, "{pattern}");
            assert!(found[0].1.contains(told), "{pattern}: {}", found[0].1);
        }
    }

    #[test]
    fn a_pattern_is_no_deeper_than_a_record_can_be() {
        let nested =
            |levels: usize| (1..levels).fold(json!({"a": [1]}), |inner, _| json!({"a": inner}));
        assert!(found(nested(DEEPEST)).is_ok());
        let found = found(nested(DEEPEST + 1)).unwrap_err();
        assert!(found[0].1.contains("20 levels"), "{found:?}");
    }
}

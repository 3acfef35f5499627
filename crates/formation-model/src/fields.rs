//! The fields of an object in a request: each is taken once, and what is wrong with it is noted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value, json};

use crate::problem::{FieldProblem, FieldProblemCode as Code, pointer};

/// The fields of one JSON object, and what was found wrong with them so far.
pub(crate) struct Fields<'a> {
    pub body: &'a Map<String, Value>,
    pub known: BTreeSet<&'static str>,
    pub problems: Vec<FieldProblem>,
}

impl<'a> Fields<'a> {
    /// Those of `body`; none is known yet.
    pub fn of(body: &'a Map<String, Value>) -> Self {
        Self { body, known: BTreeSet::new(), problems: Vec::new() }
    }

    /// Whether something was found wrong with the field at this pointer, or in it.
    pub fn has_problem_at(&self, at: &str) -> bool {
        let inside = |found: &str| found.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
        self.problems.iter().any(|problem| problem.pointer == at || inside(&problem.pointer))
    }

    pub fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.body.get(name)
    }

    pub fn note(&mut self, at: impl Into<String>, code: Code, detail: impl Into<String>) {
        self.problems.push(FieldProblem::new(at, code, detail));
    }

    /// Notes a problem where a value was to be returned.
    pub fn refuse<T>(
        &mut self,
        at: impl Into<String>,
        code: Code,
        detail: impl Into<String>,
    ) -> Option<T> {
        self.note(at, code, detail);
        None
    }

    pub fn required_text(&mut self, name: &'static str) -> Option<&'a str> {
        match self.take(name) {
            Some(Value::String(text)) => Some(text),
            Some(_) => self.refuse(format!("/{name}"), Code::WrongType, "must be a string"),
            None => self.refuse(format!("/{name}"), Code::Required, "must be given"),
        }
    }

    pub fn text(&mut self, name: &'static str, default: &str) -> Option<String> {
        match self.take(name) {
            None => Some(default.to_owned()),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => self.refuse(
                format!("/{name}"),
                Code::WrongType,
                "must be a string; leave it out for the default",
            ),
        }
    }

    pub fn whole_number(&mut self, name: &'static str, default: u32) -> Option<i64> {
        match self.take(name) {
            None => Some(i64::from(default)),
            Some(Value::Number(number)) if whole(number).is_some() => whole(number),
            Some(_) => self.refuse(
                format!("/{name}"),
                Code::WrongType,
                "must be a whole number; leave it out for the default",
            ),
        }
    }

    pub fn number(&mut self, name: &'static str, limits: &Limits) -> Option<u32> {
        let number = self.whole_number(name, limits.default)?;
        match u32::try_from(number) {
            Ok(number) if (limits.least..=limits.most).contains(&number) => Some(number),
            _ => {
                let Limits { least, most, unit, .. } = limits;
                let detail = format!("must be {least} to {most} {unit}");
                self.refuse(format!("/{name}"), Code::OutOfRange, detail)
            }
        }
    }

    /// The strings of an object, and a problem for every value that is none; empty if it is not
    /// given.
    pub fn texts(&mut self, name: &'static str) -> Option<BTreeMap<String, String>> {
        let object = match self.take(name) {
            None => return Some(BTreeMap::new()),
            Some(Value::Object(object)) => object,
            Some(_) => {
                let detail = "must be an object whose values are strings";
                return self.refuse(format!("/{name}"), Code::WrongType, detail);
            }
        };
        let mut texts = BTreeMap::new();
        for (key, value) in object {
            match value {
                Value::String(text) => {
                    texts.insert(key.clone(), text.clone());
                }
                _ => self.note(
                    pointer(&format!("/{name}"), key),
                    Code::WrongType,
                    "must be a string",
                ),
            }
        }
        Some(texts)
    }

    pub fn refuse_unknown(&mut self) {
        let known = &self.known;
        let unknown: Vec<_> =
            self.body.keys().filter(|key| !known.contains(key.as_str())).collect();
        self.problems.extend(unknown.iter().map(|key| FieldProblem::unknown_field("", key)));
    }
}

/// Which whole numbers a field takes.
pub(crate) struct Limits {
    pub least: u32,
    pub most: u32,
    pub default: u32,
    pub unit: &'static str,
}

impl Limits {
    /// The JSON Schema of the field.
    pub fn schema(&self) -> Value {
        let Self { least, most, default, .. } = self;
        json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
    }
}

/// The number as an integer, if it has no fraction: to JSON Schema, 256.0 and 1e3 are integers. What
/// does not fit into 64 bits becomes the nearest that does.
pub(crate) fn whole(number: &Number) -> Option<i64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0);
    // The cast saturates.
    number.as_i64().or_else(|| float().map(|float| float as i64))
}

//! The fields of an object in a request: each is taken once, and what is wrong with it is noted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
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

    /// The text of a field that may be absent.
    pub fn optional_text(&mut self, name: &'static str) -> Option<&'a str> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                let detail = "must be a string; leave it out for none";
                self.refuse(format!("/{name}"), Code::WrongType, detail)
            }
        }
    }

    /// A whole number that may be absent.
    pub fn optional_number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
        unit: &str,
    ) -> Option<u32> {
        let at = format!("/{name}");
        let number = match self.take(name)? {
            Value::Number(number) => whole(number),
            _ => None,
        };
        let Some(number) = number else {
            let detail = "must be a whole number; leave it out for the default";
            return self.refuse(at, Code::WrongType, detail);
        };
        let found = u32::try_from(number).ok().filter(|number| range.contains(number));
        found.or_else(|| {
            let detail = format!("must be {} to {} {unit}", range.start(), range.end());
            self.refuse(at, Code::OutOfRange, detail.trim_end())
        })
    }

    /// The strings of a list, each of which has to be one that `check` takes; empty if it is not given.
    pub fn strings(
        &mut self,
        name: &'static str,
        most: usize,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Vec<String>> {
        let at = format!("/{name}");
        let items: &[Value] = match self.take(name) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                let detail = "must be a list of strings; leave it out for none";
                return self.refuse(at, Code::WrongType, detail);
            }
        };
        if items.len() > most {
            return self.refuse(at, Code::OutOfRange, format!("must not have more than {most}"));
        }
        let mut found = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let at = format!("{at}/{place}");
            match item.as_str().map(|text| (text, check(text))) {
                Some((text, Ok(()))) => found.push(text.to_owned()),
                Some((_, Err(detail))) => self.note(at, Code::InvalidFormat, detail),
                None => self.note(at, Code::WrongType, "must be a string"),
            }
        }
        (found.len() == items.len()).then_some(found)
    }

    /// Whether something is to be so.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        match self.take(name) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.note(format!("/{name}"), Code::WrongType, "must be true or false");
                default
            }
        }
    }

    /// One of `names`, which are those of `Choice` in JSON; none if it is not given or refused.
    pub fn choice<Choice: DeserializeOwned>(
        &mut self,
        name: &'static str,
        names: &[&str],
    ) -> Option<Choice> {
        let value = self.take(name)?;
        if !value.is_string() {
            let detail = "must be a string; leave it out for the default";
            return self.refuse(format!("/{name}"), Code::WrongType, detail);
        }
        match Choice::deserialize(value) {
            Ok(choice) => Some(choice),
            Err(_) => {
                let detail = format!("must be one of {}", names.join(", "));
                self.refuse(format!("/{name}"), Code::NotSupported, detail)
            }
        }
    }

    /// What `read` makes of each object of a list, with its place; empty if it is not given, none if something is
    /// wrong with it.
    pub fn each<T>(
        &mut self,
        name: &'static str,
        most: usize,
        mut read: impl FnMut(usize, &mut Fields<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let at = format!("/{name}");
        let items: &'a [Value] = match self.take(name) {
            None => return Some(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => {
                let detail = "must be a list of objects; leave it out for none";
                return self.refuse(at, Code::WrongType, detail);
            }
        };
        if items.len() > most {
            return self.refuse(at, Code::OutOfRange, format!("must not have more than {most}"));
        }
        let mut found = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let at = format!("{at}/{place}");
            match item {
                Value::Object(object) => {
                    found.extend(self.inner(&at, object, |fields| read(place, fields)));
                }
                _ => self.note(at, Code::WrongType, "must be an object"),
            }
        }
        (found.len() == items.len()).then_some(found)
    }

    /// What `read` makes of the object at this pointer; none if something is wrong with it, which is noted at its
    /// place, as is every field that `read` did not ask for.
    pub fn inner<'b, T>(
        &mut self,
        at: &str,
        object: &'b Map<String, Value>,
        read: impl FnOnce(&mut Fields<'b>) -> Option<T>,
    ) -> Option<T> {
        let mut inner = Fields::of(object);
        let found = read(&mut inner);
        inner.refuse_unknown();
        let is_valid = inner.problems.is_empty();
        self.problems.extend(inner.problems.into_iter().map(|problem| FieldProblem {
            pointer: format!("{at}{}", problem.pointer),
            ..problem
        }));
        found.filter(|_| is_valid)
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

/// The number as the table of records keeps it, which knows no difference between 1 and 1.0; none where it would
/// hold another: a whole one beyond 64 bits, or one that is nearer to zero than DynamoDB's. Source:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
pub(crate) fn kept(number: &Number) -> Option<Value> {
    let float = number.as_f64().unwrap_or_default();
    match whole(number) {
        Some(whole) if number.as_i64().is_none() && float as i128 != i128::from(whole) => None,
        Some(whole) => Some(whole.into()),
        None if float.abs() < 1e-130 => None,
        None => Some(number.clone().into()),
    }
}

/// The number as an integer, if it has no fraction: to JSON Schema, 256.0 and 1e3 are integers. What
/// does not fit into 64 bits becomes the nearest that does.
pub(crate) fn whole(number: &Number) -> Option<i64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0);
    // The cast saturates.
    number.as_i64().or_else(|| float().map(|float| float as i64))
}

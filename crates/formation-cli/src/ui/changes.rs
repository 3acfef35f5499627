//! Settings that a page can change: what a person types becomes what the API takes.

use formation_model::function::{Compared, Property};
use serde_json::{Value, json};

/// A property, and what it is to be.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The property.
    pub property: &'static Property,
    /// What was typed.
    pub text: String,
    value: Value,
}

/// How a value is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// One of these, of which the empty one stands for the default.
    Choice(Vec<String>),
    /// A whole number, at least and at most; an empty field where there may be none.
    Number(i64, i64),
    /// A line of text of so many characters.
    Line(u64),
    /// JSON.
    Json,
}

impl Input {
    /// How a property's value is asked for, by its schema.
    pub fn of(property: &Property) -> Self {
        let schema = (property.schema)();
        let types = &schema["type"];
        let has = |kind: &str| {
            *types == kind || types.as_array().is_some_and(|all| all.iter().any(|it| it == kind))
        };
        if let Some(all) = schema["enum"].as_array() {
            // Nothing is a choice, too: it gives the default back, and is what some properties have by default.
            let nothing = std::iter::once(String::new());
            return Self::Choice(nothing.chain(all.iter().map(text)).collect());
        }
        if has("boolean") {
            return Self::Choice(vec!["true".to_owned(), "false".to_owned()]);
        }
        if has("integer") {
            let limit = |name: &str, none| schema[name].as_i64().unwrap_or(none);
            return Self::Number(limit("minimum", 0), limit("maximum", i64::from(u32::MAX)));
        }
        if has("string") {
            return Self::Line(schema["maxLength"].as_u64().unwrap_or(1024));
        }
        Self::Json
    }
}

/// A value as it is typed.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Setting {
    /// What was typed for a property, if it can be read.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn read(property: &'static Property, typed: &str) -> Result<Self, String> {
        let trimmed = typed.trim();
        let value = match Input::of(property) {
            Input::Line(_) => json!(typed),
            Input::Choice(all) if all == ["true", "false"] => json!(trimmed == "true"),
            Input::Choice(_) | Input::Number(..) if trimmed.is_empty() => Value::Null,
            Input::Choice(_) => number(trimmed).unwrap_or_else(|| json!(trimmed)),
            Input::Number(..) => {
                number(trimmed).ok_or_else(|| format!("{trimmed:?} is no whole number."))?
            }
            Input::Json if trimmed.is_empty() => Value::Null,
            Input::Json => serde_json::from_str(trimmed)
                // Its message has places and no values, which may be secrets.
                .map_err(|error| {
                    format!("This is no JSON at line {}, column {}.", error.line(), error.column())
                })?,
        };
        Ok(Self { property, text: typed.to_owned(), value })
    }

    /// The JSON merge patch that makes it so.
    pub fn patch(&self) -> Value {
        json!({self.property.name: self.value})
    }
}

fn number(text: &str) -> Option<Value> {
    text.parse::<i64>().ok().map(Value::from)
}

/// Whether a page can change a property: not the name, and not the code, which is a file.
pub fn can_change(property: &Property) -> bool {
    !["functionName", "code"].contains(&property.name)
}

/// Whether a change of some of its keys leaves the others as they are.
pub fn is_merged(property: &Property) -> bool {
    matches!(property.compared, Compared::ByKey | Compared::ByKeyHidden)
}

#[cfg(test)]
mod tests {
    use formation_model::function::{properties, property};

    use super::*;

    #[test]
    fn what_is_typed_becomes_what_the_api_takes() {
        let read = |name: &str, typed: &str| {
            Setting::read(property(name).unwrap(), typed).map(|it| it.patch())
        };
        for (name, typed, expected) in [
            ("memoryMegabytes", " 512 ", json!(512)),
            ("reservedConcurrency", "", Value::Null),
            ("reservedConcurrency", "0", json!(0)),
            ("deletionProtection", "true", json!(true)),
            ("description", "a <b> ", json!("a <b> ")),
            ("logRetentionDays", "14", json!(14)),
            ("logFormat", "JSON", json!("JSON")),
            ("logFormat", "", Value::Null),
            ("applicationLogLevel", "", Value::Null),
            ("environment", "{\"A\": null, \"B\": \"1\"}", json!({"A": null, "B": "1"})),
            ("layers", "[]", json!([])),
        ] {
            assert_eq!(read(name, typed), Ok(json!({name: expected})), "{name}");
        }
        assert!(read("memoryMegabytes", "much").is_err());
        let told = read("environment", "{\"A\": s3cr3t}").unwrap_err();
        assert!(told.contains("line 1") && !told.contains("s3cr3t"), "{told}");
    }

    #[test]
    fn what_has_no_value_is_not_shown_with_one() {
        for name in ["applicationLogLevel", "systemLogLevel", "architecture", "runtime"] {
            let Input::Choice(all) = Input::of(property(name).unwrap()) else { panic!("{name}") };
            assert!(all.contains(&text(&Value::Null)) && all.len() > 2, "{name}: {all:?}");
        }
    }

    #[test]
    fn every_property_can_be_typed() {
        for property in properties().filter(|it| can_change(it)) {
            let example = (property.example)();
            let typed = text(&example);
            let read = Setting::read(property, &typed).map(|it| it.patch());
            assert_eq!(read, Ok(json!({property.name: example})), "{}", property.name);
        }
    }
}

//! Documents as they are shown, without what may be a secret.

use formation_model::Function;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// A function in JSON, the values of its environment variables masked: they may be secrets, and what
/// is shown is kept by terminals and by CI.
pub fn masked(function: &Function) -> Result<Value, Failure> {
    let mut value = document(function)?;
    mask(&mut value);
    Ok(value)
}

/// What is shown, in JSON.
pub fn document(shown: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(shown).map_err(|error| Failure::other("it cannot be shown", &error))
}

/// Masks what may be secret in a function's document: the values of environment variables, and what schedules and
/// rules hand to it.
pub fn mask(function: &mut Value) {
    let variables = function["environment"].as_object_mut();
    let mut secrets: Vec<_> = variables.into_iter().flat_map(|it| it.values_mut()).collect();
    secrets.iter_mut().for_each(|value| **value = Value::from("****"));
    for field in ["schedules", "eventRules"] {
        let triggers = function.get_mut(field).and_then(Value::as_array_mut);
        for trigger in triggers.into_iter().flatten() {
            if let Some(input) = trigger.get_mut("input") {
                *input = Value::from("****");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_secret_is_masked() {
        let mut document = json!({
            "environment": {"KEY": "s3cr3t"},
            "schedules": [{"name": "a", "input": "s3cr3t"}, {"name": "b"}],
            "eventRules": [{"name": "c", "input": "s3cr3t"}],
        });
        mask(&mut document);
        let masked = "****";
        assert_eq!(
            document,
            json!({
                "environment": {"KEY": masked},
                "schedules": [{"name": "a", "input": masked}, {"name": "b"}],
                "eventRules": [{"name": "c", "input": masked}],
            })
        );
        let mut none = json!({"environment": {}});
        mask(&mut none);
        assert_eq!(none, json!({"environment": {}}));
    }
}

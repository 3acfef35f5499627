//! Reading a function from a request: every problem at once, each with its JSON pointer.

use serde_json::{Map, Value};

use crate::bundle::CodeSummary;
use crate::fields::Fields;
use crate::function::{self, Defaults, FunctionRequest, FunctionSpec};
use crate::problem::{FieldProblem, FieldProblemCode as Code};
use crate::view::OUTPUT_ONLY;

/// Reads the function that `body` asks for. `current` is what the function is now, if there is one:
/// its name cannot change, its code can be referred to by its digest, and its runtime may have been
/// deprecated since.
///
/// # Errors
/// Everything that is wrong with it, in the order of the fields.
pub fn read(
    body: &Value,
    defaults: &Defaults,
    current: Option<&FunctionSpec>,
) -> Result<FunctionRequest, Vec<FieldProblem>> {
    let Value::Object(body) = body else {
        return Err(vec![FieldProblem::new("", Code::WrongType, "must be a JSON object")]);
    };
    let mut fields = Fields::of(body);
    fields.known.extend(OUTPUT_ONLY);
    function::read(fields, defaults, current)
}

/// What `current` becomes by `patch`, a JSON merge patch (RFC 7396): members are merged, null takes
/// one away and leaves its default. The code alone is replaced as a whole.
///
/// # Errors
/// As for [`read`].
pub fn patched(
    patch: &Value,
    defaults: &Defaults,
    current: &FunctionSpec,
) -> Result<FunctionRequest, Vec<FieldProblem>> {
    let Value::Object(patch) = patch else {
        return Err(vec![FieldProblem::new("", Code::WrongType, "must be a JSON object")]);
    };
    let digest = CodeSummary::from(&current.code);
    let mut body = current.clone().with_code(digest).values();
    if let (Some(body), true) = (body.as_object_mut(), patch.contains_key("code")) {
        body.remove("code");
    }
    for (field, value) in patch {
        merge(&mut body[field], value);
    }
    if let Some(body) = body.as_object_mut() {
        body.retain(|_, value| !value.is_null());
    }
    read(&body, defaults, Some(current))
}

/// MergePatch of RFC 7396, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(target) = target.as_object_mut() {
        for (field, value) in patch {
            if value.is_null() {
                target.remove(field);
            } else {
                merge(target.entry(field.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

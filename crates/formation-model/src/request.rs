//! Reading a function from a request: every problem at once, each with its JSON pointer.

use serde_json::{Map, Value};

use crate::bundle::CodeSummary;
use crate::fields::Fields;
use crate::function::{self, Compared, Defaults, FunctionRequest, FunctionSpec, Purpose};
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
    function::read(fields(body)?, defaults, current, Purpose::Change)
}

/// The same for a function that is only planned: of its code a digest is enough, also of code that it
/// does not have.
///
/// # Errors
/// As for [`read`].
pub fn planned(
    body: &Value,
    defaults: &Defaults,
    current: Option<&FunctionSpec>,
) -> Result<FunctionRequest, Vec<FieldProblem>> {
    function::read(fields(body)?, defaults, current, Purpose::Plan)
}

/// What of the triggers of `target`, an earlier state of the function, the stack would not take now, and `current`
/// does not have.
pub fn refused_triggers(
    target: &FunctionSpec,
    defaults: &Defaults,
    current: &FunctionSpec,
) -> Vec<FieldProblem> {
    if target.triggers == current.triggers {
        return Vec::new();
    }
    let problems = read(&target.values(), defaults, Some(current)).err().unwrap_or_default();
    let is_of_triggers = |problem: &FieldProblem| {
        let field = problem.pointer.split('/').nth(1);
        field.and_then(function::property).is_some_and(|it| it.compared == Compared::ByTrigger)
    };
    problems.into_iter().filter(is_of_triggers).collect()
}

fn fields(body: &Value) -> Result<Fields<'_>, Vec<FieldProblem>> {
    let Value::Object(body) = body else {
        return Err(vec![FieldProblem::new("", Code::WrongType, "must be a JSON object")]);
    };
    let mut fields = Fields::of(body);
    fields.known.extend(OUTPUT_ONLY);
    Ok(fields)
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
    let before = current.clone().with_code(digest).values();
    let mut body = before.clone();
    if let (Some(body), true) = (body.as_object_mut(), patch.contains_key("code")) {
        body.remove("code");
    }
    for (field, value) in patch {
        merge(&mut body[field], value);
    }
    let left_behind = |name: &str| {
        let follows = function::property(name).and_then(|property| property.follows);
        !patch.contains_key(name) && follows.is_some_and(|it| body[it] != before[it])
    };
    let left_behind: Vec<_> =
        function::properties().map(|it| it.name).filter(|name| left_behind(name)).collect();
    if let Some(body) = body.as_object_mut() {
        body.retain(|field, value| !value.is_null() && !left_behind.contains(&field.as_str()));
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

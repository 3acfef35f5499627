//! What the properties' rows in the model give functions: nothing is named here, so that a new property
//! is in every test that uses them.

use formation_model::function::{Property, properties};
use formation_model::{FunctionSpec, Part};
use serde_json::{Map, Value};

use crate::world::EXAMPLE_CODE;

/// The properties that can change. What calls a function has tests of its own: it needs queues and buses, and is no
/// property of anything that GetFunction shows.
pub fn changeable() -> impl Iterator<Item = &'static Property> {
    let calls = |it: &Property| it.facets.iter().any(|facet| facet.part() == Part::Triggers);
    properties().filter(move |it| !it.facets.is_empty() && !calls(it))
}

/// The example of each property that can change and AWS has, but code, and that is `wanted`.
pub fn examples(wanted: impl Fn(&Property) -> bool) -> Value {
    let rows = in_aws().filter(|row| wanted(row));
    rows.map(|row| (row.name.to_owned(), (row.example)())).collect::<Map<_, _>>().into()
}

/// A merge patch that takes them away again.
pub fn without_examples(name: &str) -> Value {
    let mut plain = back_to_plain(name);
    plain.retain(|name, _| in_aws().any(|row| row.name == name));
    plain.into()
}

fn in_aws() -> impl Iterator<Item = &'static Property> {
    changeable().filter(|row| row.in_aws && row.name != "code")
}

/// Each property that can change with what a function has that names nothing; null where that is not
/// to be had.
///
/// # Panics
/// If it is not the name of a function.
pub fn plain(name: &str) -> Map<String, Value> {
    let plain = FunctionSpec::new(name.parse().expect("a function's name"), EXAMPLE_CODE);
    let plain = plain.values();
    changeable().map(|property| (property.name.to_owned(), plain[property.name].clone())).collect()
}

/// A merge patch that gives each what it has in [`plain`].
///
/// # Panics
/// As [`plain`].
pub fn back_to_plain(name: &str) -> Map<String, Value> {
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    let nulled = |value: Value| if is_empty(&value) { Value::Null } else { value };
    plain(name).into_iter().map(|(field, value)| (field, nulled(value))).collect()
}

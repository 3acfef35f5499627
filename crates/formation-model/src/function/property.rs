//! What a property of a function is: one row, from which everything follows that Formation does with
//! all properties alike.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::Reader;
use super::{
    code, concurrency, configuration, environment, function_name, layers, logs, permissions,
    protection, tags, triggers,
};
use crate::drift::{Difference, between_maps};
use crate::part::Facet;

/// A field of a function that a request can choose.
///
/// From its row follow how a request is read and what a JSON merge patch changes, the property's
/// schema, what a plan says of it, and what the tests try. How Lambda spells it stands in
/// `formation-resources`, in a row of the same name.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its name in JSON.
    pub name: &'static str,
    /// What of the function's parts it is a matter of: a plan tells of it under each of them. None
    /// for what cannot change.
    pub facets: &'static [Facet],
    /// Whether AWS has it, too, and not the record alone.
    pub in_aws: bool,
    /// Whether a published version of the Lambda function has it, so that its callers meet a change of it when
    /// the alias moves: what is of [`Facet::Configuration`] or [`Facet::Code`], but for what no call can feel.
    pub in_version: bool,
    /// The property whose value its own depends on: where a merge patch changes that and does not name
    /// this one, this one goes back to its default.
    pub follows: Option<&'static str>,
    /// How two values of it are compared.
    pub compared: Compared,
    /// Its JSON Schema (2020-12).
    pub schema: fn() -> Value,
    /// A value that is valid and not the default. The examples of all properties together make a
    /// valid request, too.
    pub example: fn() -> Value,
    /// Reads it from a request, or notes what is wrong with it.
    pub(super) read: fn(&mut Reader<'_>),
}

/// How two values of a property are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compared {
    /// As a whole.
    Whole,
    /// Key by key: an object whose values are strings.
    ByKey,
    /// Key by key, and no value is shown: they are secrets.
    ByKeyHidden,
    /// Item by item: an array.
    ByItem,
    /// Trigger by trigger, each by its name.
    ByTrigger,
}

impl Property {
    /// Whether a change of it publishes another version of the Lambda function.
    pub fn is_of_a_version(&self) -> bool {
        let of_version = |facet: &Facet| [Facet::Configuration, Facet::Code].contains(facet);
        self.in_version && self.facets.iter().any(of_version)
    }

    /// How `actual` differs from `expected`, two values of this property in JSON, under `facet`. Null
    /// means that the value is absent.
    pub fn differences(&self, facet: Facet, expected: &Value, actual: &Value) -> Vec<Difference> {
        let by_key =
            |hidden| between_maps(facet, self.name, &texts(expected), &texts(actual), hidden);
        match self.compared {
            Compared::Whole => {
                Difference::between(facet, self.name, expected.clone(), actual.clone())
                    .into_iter()
                    .collect()
            }
            Compared::ByKey => by_key(false),
            Compared::ByKeyHidden => by_key(true),
            Compared::ByItem => by_item(facet, self.name, expected, actual),
            Compared::ByTrigger => triggers::differences(facet, self.name, expected, actual),
        }
    }
}

/// How the items of two arrays differ, each by its place.
fn by_item(facet: Facet, name: &str, expected: &Value, actual: &Value) -> Vec<Difference> {
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    let places = 0..count(expected).max(count(actual));
    // Beyond the end of an array there is null.
    let difference = |at: usize| {
        Difference::between(facet, format!("{name}/{at}"), expected[at].clone(), actual[at].clone())
    };
    places.filter_map(difference).collect()
}

/// An object of strings.
fn texts(value: &Value) -> BTreeMap<String, String> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Every property, in the order in which a request's problems are told.
pub fn properties() -> impl Iterator<Item = &'static Property> {
    const ALL: [&[Property]; 13] = [
        function_name::PROPERTIES,
        configuration::START,
        code::PROPERTIES,
        configuration::SIZE,
        configuration::TELLING,
        layers::PROPERTIES,
        concurrency::PROPERTIES,
        logs::PROPERTIES,
        permissions::PROPERTIES,
        triggers::PROPERTIES,
        environment::PROPERTIES,
        tags::PROPERTIES,
        protection::PROPERTIES,
    ];
    ALL.into_iter().flatten()
}

/// The property of that name.
pub fn property(name: &str) -> Option<&'static Property> {
    properties().find(|property| property.name == name)
}

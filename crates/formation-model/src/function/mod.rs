//! The function as it is asked for and recorded. Each facet of it has a file, with its defaults, its
//! limits and the rows of its properties: see [`Property`].

pub mod code;
mod concurrency;
mod configuration;
mod environment;
mod function_name;
mod layers;
mod logs;
pub mod permissions;
mod property;
mod protection;
mod reader;
mod size;
mod tags;
mod triggers;

pub use configuration::{Architecture, Configuration, Tracing};
pub use environment::Environment;
pub use logs::{ApplicationLogLevel, LogFormat, Logs, RETENTION_DAYS, SystemLogLevel};
pub use permissions::{Permissions, PolicyStatement};
pub use property::{Compared, Property, properties, property};
pub use reader::Defaults;
pub(crate) use reader::Purpose;
pub use size::MOST_BYTES;
pub use triggers::{MOST as MOST_TRIGGERS, Needed, TriggerLimits};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::code::CodeSource;
use self::reader::Reader;
use crate::bundle::Bundle;
use crate::fields::Fields;
use crate::name::FunctionName;
use crate::problem::FieldProblem;
use crate::triggers::Triggers;
use crate::warning::Warning;

/// Everything that a user can ask of a function, fully resolved: a later change of a default
/// changes no function that exists.
///
/// `Code` is what is known of the code: where it is to come from in a request, the stored
/// [`Bundle`] in a record, its digest in an answer.
///
/// A record of a release that did not know a property has none of it, and reads as its default.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionSpec<Code = Bundle> {
    /// The Lambda function's name.
    pub function_name: FunctionName,
    /// The code.
    pub code: Code,
    /// What Lambda's configuration is made from.
    #[serde(flatten)]
    pub configuration: Configuration,
    /// How logs are written and kept.
    #[serde(flatten)]
    pub logs: Logs,
    /// What the function may do besides.
    #[serde(flatten)]
    pub permissions: Permissions,
    /// The user's own tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How many concurrent invocations are set apart for it, and may be had by it at most: 0 stops it.
    /// Null for none.
    #[serde(default)]
    pub reserved_concurrency: Option<u32>,
    /// What calls it.
    #[serde(flatten)]
    pub triggers: Triggers,
    /// Whether DELETE is refused.
    #[serde(default)]
    pub deletion_protection: bool,
}

/// A valid request for a function: the specification, with the code still where it comes from.
pub type FunctionRequest = FunctionSpec<CodeSource>;

impl<Code> FunctionSpec<Code> {
    /// A function that names nothing but its code.
    pub fn new(function_name: FunctionName, code: Code) -> Self {
        Self {
            function_name,
            code,
            configuration: Configuration::default(),
            logs: Logs::default(),
            permissions: Permissions::default(),
            tags: BTreeMap::new(),
            reserved_concurrency: None,
            triggers: Triggers::default(),
            deletion_protection: false,
        }
    }

    /// The same function with another notion of its code.
    pub fn with_code<Other>(self, code: Other) -> FunctionSpec<Other> {
        FunctionSpec {
            function_name: self.function_name,
            code,
            configuration: self.configuration,
            logs: self.logs,
            permissions: self.permissions,
            tags: self.tags,
            reserved_concurrency: self.reserved_concurrency,
            triggers: self.triggers,
            deletion_protection: self.deletion_protection,
        }
    }

    /// What of it is accepted and will probably not do what was meant, whatever its code is.
    pub fn warnings(&self) -> Vec<Warning> {
        concurrency::warning(self).into_iter().collect()
    }

    /// Its properties by name, in JSON.
    pub fn values(&self) -> Value
    where
        Code: Serialize,
    {
        // Serialising these types to a Value cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Reads the function that `fields` ask for: see [`crate::request::read`].
pub(crate) fn read(
    fields: Fields<'_>,
    defaults: &Defaults,
    current: Option<&FunctionSpec>,
    purpose: Purpose,
) -> Result<FunctionRequest, Vec<FieldProblem>> {
    let mut reader = Reader::new(fields, defaults, current, purpose);
    for property in properties() {
        reader.name = property.name;
        (property.read)(&mut reader);
    }
    environment::refuse_if_too_large_with_the_rest(&mut reader);
    triggers::refuse_beyond_the_role(&mut reader);
    size::refuse_if_too_large(&mut reader);
    reader.end()
}

#[cfg(test)]
mod tests;

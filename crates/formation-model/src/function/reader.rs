//! What the readers of a function's properties share.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::code::CodeSource;
use super::configuration::{Architecture, Configuration};
use super::logs::Logs;
use super::permissions::Permissions;
use super::triggers::TriggerLimits;
use super::{FunctionRequest, FunctionSpec};
use crate::fields::{Fields, Limits};
use crate::name::FunctionName;
use crate::problem::FieldProblem;
use crate::triggers::Triggers;

/// What the stack chooses where a request does not.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The architecture of functions that name none.
    pub architecture: Architecture,
    /// Whether the stack takes code from S3.
    pub code_buckets: bool,
    /// Patterns (with `*` and `?`) of the ARNs of layers that functions may have.
    pub layer_arns: Vec<String>,
    /// The most concurrency that may be reserved for a function.
    pub max_reserved_concurrency: u32,
    /// How many characters the statements of a function's permissions may have, as IAM counts them:
    /// [`MOST_CHARACTERS`](super::permissions::MOST_CHARACTERS), or fewer. None where functions can have
    /// no permissions.
    pub policy_characters: Option<usize>,
    /// What may call functions, and whom they may tell of what failed.
    pub triggers: TriggerLimits,
}

/// What a function is read for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// To make or change it.
    Change,
    /// Only to tell what that would do.
    Plan,
}

/// Reads one property after the other into what the function is to be.
pub(super) struct Reader<'a> {
    /// The property that is being read.
    pub name: &'static str,
    pub fields: Fields<'a>,
    pub defaults: &'a Defaults,
    /// What the function is now, if there is one.
    pub current: Option<&'a FunctionSpec>,
    pub purpose: Purpose,
    pub draft: Draft,
}

/// A function as far as it has been read: its defaults where nothing was asked for, or what was asked
/// for is refused.
#[derive(Default)]
pub(super) struct Draft {
    pub function_name: Option<FunctionName>,
    pub code: Option<CodeSource>,
    pub configuration: Configuration,
    pub logs: Logs,
    pub permissions: Permissions,
    pub tags: BTreeMap<String, String>,
    pub reserved_concurrency: Option<u32>,
    pub triggers: Triggers,
    pub deletion_protection: bool,
}

impl<'a> Reader<'a> {
    pub fn new(
        fields: Fields<'a>,
        defaults: &'a Defaults,
        current: Option<&'a FunctionSpec>,
        purpose: Purpose,
    ) -> Self {
        Self { name: "", fields, defaults, current, purpose, draft: Draft::default() }
    }

    /// Where the property is: a JSON pointer.
    pub fn at(&self) -> String {
        format!("/{}", self.name)
    }

    /// Reads a whole number within `limits`.
    pub fn number(&mut self, limits: &Limits, place: fn(&mut Draft) -> &mut u32) {
        if let Some(number) = self.fields.number(self.name, limits) {
            *place(&mut self.draft) = number;
        }
    }

    /// Reads one of `names`, which are those of `Choice` in JSON; none if it is not given or refused.
    pub fn choice<Choice: DeserializeOwned>(&mut self, names: &[&str]) -> Option<Choice> {
        self.fields.choice(self.name, names)
    }

    /// What was read; the problems if there is any.
    pub fn end(mut self) -> Result<FunctionRequest, Vec<FieldProblem>> {
        self.fields.refuse_unknown();
        let Self { fields, draft, .. } = self;
        match (draft.function_name, draft.code) {
            (Some(function_name), Some(code)) if fields.problems.is_empty() => Ok(FunctionSpec {
                function_name,
                code,
                configuration: draft.configuration,
                logs: draft.logs,
                permissions: draft.permissions,
                tags: draft.tags,
                reserved_concurrency: draft.reserved_concurrency,
                triggers: draft.triggers,
                deletion_protection: draft.deletion_protection,
            }),
            _ => Err(fields.problems),
        }
    }
}

//! How large a function may be: what is recorded of it, and answered, is a multiple of that.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::configuration::Configuration;
use super::logs::Logs;
use super::permissions::Permissions;
use super::reader::Reader;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::Triggers;

/// Bytes of JSON that a function may have in all, without its code. An operation's record holds two of them, and a
/// record has 400 KB.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
pub const MOST_BYTES: usize = 64 * 1024;

/// What counts, of which each field has its own size.
#[derive(Serialize)]
struct Counted<'a> {
    #[serde(flatten)]
    configuration: &'a Configuration,
    #[serde(flatten)]
    logs: &'a Logs,
    #[serde(flatten)]
    permissions: &'a Permissions,
    #[serde(flatten)]
    triggers: &'a Triggers,
    tags: &'a BTreeMap<String, String>,
}

impl Counted<'_> {
    /// The bytes of each field, with its name.
    fn sizes(&self) -> Vec<(usize, String)> {
        let fields = json!(self);
        let fields = fields.as_object().into_iter().flatten();
        fields
            .map(|(name, value)| (value.to_string().len() + name.len() + 4, name.clone()))
            .collect()
    }
}

fn sum(sizes: &[(usize, String)]) -> usize {
    sizes.iter().map(|(bytes, _)| bytes).sum()
}

/// Notes a problem at the largest of its fields if it is larger, and larger than what is there.
pub(super) fn refuse_if_too_large(it: &mut Reader<'_>) {
    let draft = &it.draft;
    let sizes = Counted {
        configuration: &draft.configuration,
        logs: &draft.logs,
        permissions: &draft.permissions,
        triggers: &draft.triggers,
        tags: &draft.tags,
    }
    .sizes();
    let bytes = sum(&sizes);
    if bytes <= MOST_BYTES {
        return;
    }
    let has = it.current.map(|current| {
        let counted = Counted {
            configuration: &current.configuration,
            logs: &current.logs,
            permissions: &current.permissions,
            triggers: &current.triggers,
            tags: &current.tags,
        };
        sum(&counted.sizes())
    });
    if has.is_none_or(|has| bytes > has)
        && let Some((largest, name)) = sizes.into_iter().max()
    {
        let detail = format!(
            "has {largest} bytes as JSON, of {bytes} that the function has in all; {MOST_BYTES} is the most: shorten \
             it, or spread what it does over several functions"
        );
        it.fields.note(format!("/{name}"), Code::OutOfRange, detail);
    }
}

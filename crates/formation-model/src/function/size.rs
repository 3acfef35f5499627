//! How large a function may be: what is recorded of it, and answered, is a multiple of that.

use serde_json::json;

use super::reader::Reader;
use crate::problem::FieldProblemCode as Code;

/// Bytes of JSON that a function may have in all, without its code. An operation's record holds two of them, and a
/// record has 400 KB.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
pub const MOST_BYTES: usize = 64 * 1024;

/// Notes a problem at the largest of its fields if it is larger.
pub(super) fn refuse_if_too_large(it: &mut Reader<'_>) {
    let draft = &it.draft;
    let facets = [
        json!(draft.configuration),
        json!(draft.logs),
        json!(draft.permissions),
        json!(draft.triggers),
        json!({"tags": draft.tags}),
    ];
    let fields = facets.iter().flat_map(|facet| facet.as_object()).flatten();
    let sizes: Vec<_> =
        fields.map(|(name, value)| (value.to_string().len() + name.len() + 4, name)).collect();
    let bytes: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
    if bytes > MOST_BYTES
        && let Some((largest, name)) = sizes.into_iter().max()
    {
        let detail = format!(
            "has {largest} bytes as JSON, of {bytes} that the function has in all; {MOST_BYTES} is the most: shorten \
             it, or spread what it does over several functions"
        );
        it.fields.note(format!("/{name}"), Code::OutOfRange, detail);
    }
}

//! The user's own tags, on every part of a function.

use std::collections::BTreeMap;

use serde_json::json;

use super::FunctionSpec;
use super::configuration::ROW;
use super::property::{Compared, Property};
use crate::fields::Fields;
use crate::part::Facet;
use crate::problem::{FieldProblemCode as Code, pointer};
use crate::tag::{self, KEY_LENGTH, MOST_TAGS, VALUE_LENGTH};

/// What a key or value may hold, for an error's text.
const ALPHABET: &str = "letters, digits, spaces or any of _.:/=+-@";

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "tags",
    facets: &[Facet::Role, Facet::LogGroup, Facet::Configuration],
    in_version: false,
    compared: Compared::ByKey,
    schema: || {
        json!({
            "type": "object", "maxProperties": MOST_TAGS,
            "propertyNames": {"minLength": 1, "maxLength": KEY_LENGTH},
            "additionalProperties": {"type": "string", "maxLength": VALUE_LENGTH},
            "description": "Tags of function, role and log group; none that begins with `aws:` or `formation:`."
        })
    },
    example: || json!({"team": "blue"}),
    read: |it| {
        if let Some(tags) = read(&mut it.fields, it.current) {
            it.draft.tags = tags;
        }
    },
    ..ROW
}];

fn read(
    fields: &mut Fields<'_>,
    current: Option<&FunctionSpec>,
) -> Option<BTreeMap<String, String>> {
    let before = fields.problems.len();
    let tags = fields.texts("tags")?;
    if tags.len() > MOST_TAGS {
        let detail =
            format!("must not be more than {MOST_TAGS}: AWS allows 50, two are Formation's");
        fields.note("/tags", Code::OutOfRange, detail);
    }
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for (key, value) in &tags {
        let at = pointer("/tags", key);
        let folded = tag::folded(key);
        if folded.starts_with("aws:") || folded.starts_with("formation:") {
            fields.note(&at, Code::Reserved, "must not begin with `aws:` or `formation:`");
        }
        if key.trim().is_empty() || key.chars().count() > KEY_LENGTH || !key.chars().all(tag::takes)
        {
            let detail = format!("a tag's key has 1 to {KEY_LENGTH} {ALPHABET}");
            fields.note(&at, Code::InvalidFormat, detail);
        } else if let Some(other) = seen.insert(folded, key) {
            // The one that is new is the one to be told of.
            let is_known = |key| current.is_some_and(|current| current.tags.contains_key(key));
            let (new, old) = if is_known(key) { (other, key) } else { (key, other) };
            let detail = format!(
                "is the same key as `{old}` to IAM, which ignores case; keep one of them (a PATCH \
                 takes the other away with null)"
            );
            fields.note(pointer("/tags", new), Code::Conflict, detail);
        }
        if value.chars().count() > VALUE_LENGTH || !value.chars().all(tag::takes) {
            let detail = format!("a tag's value has at most {VALUE_LENGTH} {ALPHABET}");
            fields.note(&at, Code::InvalidFormat, detail);
        }
    }
    (fields.problems.len() == before).then_some(tags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::tests::{DEFAULTS, current, hello_with, problems};
    use crate::request::{patched, read};

    #[test]
    fn tags_keep_within_what_all_three_services_take() {
        let tags = json!({"team": "a", "cost:centre/1": "", "Grüße": "ä + b = c @ d"});
        assert!(read(&hello_with("tags", tags), &DEFAULTS, None).is_ok());
        for (tags, code) in [
            (json!({"AWS:x": "1"}), Code::Reserved),
            (json!({"awſ:x": "1"}), Code::Reserved),
            (json!({"Formation:function": "1"}), Code::Reserved),
            (json!({"Team": "1", "team": "2"}), Code::Conflict),
            (json!({"Σ": "1", "ς": "2"}), Code::Conflict),
            (json!({"İD": "1", "id": "2"}), Code::Conflict),
            (json!({"a#b": "1"}), Code::InvalidFormat),
            (json!({"a": "x\n"}), Code::InvalidFormat),
            (json!({"a": "e\u{301}"}), Code::InvalidFormat),
            (json!({"Ⓐ": "x"}), Code::InvalidFormat),
            (json!({"": "1"}), Code::InvalidFormat),
            (json!({"x".repeat(129): "1"}), Code::InvalidFormat),
            (json!({"x": "1".repeat(257)}), Code::InvalidFormat),
        ] {
            let found = problems(hello_with("tags", tags.clone()));
            assert_eq!(found.len(), 1, "{tags}");
            assert_eq!(found[0].1, code, "{tags}");
        }
        let many: BTreeMap<_, _> = (0..49).map(|n| (format!("k{n}"), "v")).collect();
        assert_eq!(
            problems(hello_with("tags", json!(many))),
            [("/tags".to_owned(), Code::OutOfRange)]
        );
        assert_eq!(
            problems(hello_with("tags", json!({"a/b~c": 1})))[0].0,
            "/tags/a~1b~0c",
            "pointers are escaped"
        );
    }

    #[test]
    fn a_patch_changes_the_case_of_a_key_by_taking_the_old_one_away() {
        let patch = json!({"tags": {"team": null, "Team": "b"}});
        let tags = patched(&patch, &DEFAULTS, &current()).unwrap().tags;
        assert_eq!(tags, [("Team".to_owned(), "b".to_owned())].into());
    }

    #[test]
    fn a_patch_that_adds_a_key_in_another_case_is_told_of_the_one_that_is_there() {
        for key in ["TEAM", "tEAM"] {
            let found = patched(&json!({"tags": {key: "b"}}), &DEFAULTS, &current()).unwrap_err();
            let [problem] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(problem.pointer, format!("/tags/{key}"));
            assert_eq!(problem.code, Code::Conflict);
            assert!(problem.detail.contains("`team`"), "{}", problem.detail);
        }
    }
}

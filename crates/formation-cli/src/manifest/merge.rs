//! Merging as JSON merge patches do (RFC 7396): objects merge member by member, null takes a member
//! away, and anything else replaces what was there. What is merged keeps its place in the file.

use std::collections::BTreeMap;

use super::yaml::{Content, Node};

/// `target` with `patch` merged into it; without a target, the patch alone.
pub(super) fn merged(target: Option<Node>, patch: &Node) -> Node {
    let Content::Map(changes) = &patch.content else { return patch.clone() };
    let mut members = match target {
        Some(Node { content: Content::Map(members), .. }) => members,
        _ => BTreeMap::new(),
    };
    for (key, change) in changes {
        let before = members.remove(key);
        if change.node.is_null() {
            continue;
        }
        let mut member = change.clone();
        member.node = merged(before.map(|member| member.node), &change.node);
        members.insert(key.clone(), member);
    }
    Node { at: patch.at, content: Content::Map(members) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::yaml::read;
    use super::*;

    #[test]
    fn it_is_that_of_rfc_7396() {
        // The RFC's own examples, as far as the target is an object or nothing.
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": 1}), json!({"a": 1}), json!({"e": 1, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let [target_node, patch_node] =
                [&target, &patch].map(|it| read(&it.to_string()).unwrap());
            assert_eq!(
                merged(Some(target_node), &patch_node).to_json(),
                expected,
                "{target} {patch}"
            );
        }
    }

    #[test]
    fn what_is_merged_keeps_its_place() {
        let file = read("one: {tags: {a: x}}\ntwo: {tags: {b: y}}").unwrap();
        let [one, two] = ["one", "two"].map(|key| file.get(key).unwrap());
        let both = merged(Some(one.clone()), two);
        let line = |pointer| both.place_of(pointer).line;
        assert_eq!((line("/tags/a"), line("/tags/b"), line("")), (1, 2, 2));
    }
}

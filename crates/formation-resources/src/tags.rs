//! Comparing tags. Only Formation's keys and those that the user declares, or declared before, are
//! ours to change: an account's own tooling may add others.

use std::collections::BTreeMap;

use formation_model::drift::between_maps;
use formation_model::{Difference, Facet, FunctionSpec, StackIdentity, tag};

/// What to change about the tags of a resource.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TagChanges {
    /// Keys to be removed, before anything is set.
    pub remove: Vec<String>,
    /// To be set. Where there is anything to set, the owner's tags are among them: IAM policies
    /// ask for them in every tagging request.
    pub set: BTreeMap<String, String>,
}

/// How a service tells the keys of a resource's tags apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    /// `Team` and `team` are two tags: Lambda, CloudWatch Logs.
    Exact,
    /// They are one: IAM.
    AnyCase,
}

impl Keys {
    fn are_one(self, a: &str, b: &str) -> bool {
        match self {
            Self::Exact => a == b,
            Self::AnyCase => tag::folded(a) == tag::folded(b),
        }
    }
}

/// What leads from `current` to the tags of `spec`, where `formerly` may have been in place.
///
/// To be removed first, then to be set: so no quota is exceeded on the way, and where `Team` becomes
/// `team`, IAM does not take the new one for the old one. A repetition that was shown tags from
/// before does both again.
pub(crate) fn changes(
    current: &BTreeMap<String, String>,
    keys: Keys,
    stack: &StackIdentity,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
) -> TagChanges {
    let wanted = stack.tags(&spec.function_name, &spec.tags);
    let differs = wanted.iter().any(|(key, value)| current.get(key) != Some(value));
    let declared = formerly.into_iter().flat_map(|former| former.tags.keys());
    let ours: Vec<_> = declared.chain(wanted.keys()).collect();
    let is_ours = |key: &String| ours.iter().any(|ours| keys.are_one(key, ours));
    let remove =
        current.keys().filter(|key| !wanted.contains_key(*key) && is_ours(key)).cloned().collect();
    let set = if differs { wanted } else { BTreeMap::new() };
    TagChanges { remove, set }
}

/// How the tags of `spec` differ from `current`, where they are ours to change.
pub(crate) fn differences(
    part: Facet,
    current: &BTreeMap<String, String>,
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> Vec<Difference> {
    let wanted = stack.tags(&spec.function_name, &spec.tags);
    let mut current = current.clone();
    current.retain(|key, _| wanted.contains_key(key));
    between_maps(part, "tags", &wanted, &current, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{spec, stack};

    fn with_tags(tags: &[(&str, &str)]) -> FunctionSpec {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        FunctionSpec { tags: tags.collect(), ..spec() }
    }

    #[test]
    fn equal_tags_and_tags_of_others_need_no_change() {
        let wanted = with_tags(&[("team", "a")]);
        let mut current = stack().tags(&wanted.function_name, &wanted.tags);
        current.insert("cost-centre".into(), "17".into());
        for keys in [Keys::Exact, Keys::AnyCase] {
            let changes = changes(&current, keys, &stack(), &wanted, Some(&wanted));
            assert_eq!(changes, TagChanges::default());
        }
    }

    #[test]
    fn tags_of_others_are_no_difference() {
        let spec = with_tags(&[("team", "a")]);
        let mut current = stack().tags(&spec.function_name, &spec.tags);
        current.insert("cost-centre".into(), "17".into());
        assert!(differences(Facet::Role, &current, &stack(), &spec).is_empty());
        current.insert("team".into(), "b".into());
        let found = differences(Facet::Role, &current, &stack(), &spec);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].property, "tags/team");
    }

    #[test]
    fn what_the_user_no_longer_declares_goes_and_the_rest_is_set_with_the_owners_tags() {
        let former = with_tags(&[("team", "a"), ("old", "x")]);
        let wanted = with_tags(&[("team", "b")]);
        let current = stack().tags(&former.function_name, &former.tags);
        for keys in [Keys::Exact, Keys::AnyCase] {
            let changes = changes(&current, keys, &stack(), &wanted, Some(&former));
            assert_eq!(changes.set, stack().tags(&wanted.function_name, &wanted.tags));
            assert_eq!(changes.remove, ["old"]);
        }
    }

    /// What a service shows after `changes`, made in their order and in full.
    fn after(
        mut tags: BTreeMap<String, String>,
        keys: Keys,
        changes: TagChanges,
    ) -> BTreeMap<String, String> {
        let TagChanges { remove, set } = changes;
        tags.retain(|tag, _| !remove.iter().any(|key| keys.are_one(tag, key)));
        for (key, value) in set {
            let known = tags.keys().find(|tag| keys.are_one(tag, &key)).cloned();
            tags.insert(known.unwrap_or(key), value);
        }
        tags
    }

    #[test]
    fn a_key_that_changes_in_case_only_ends_as_asked_by_every_service_however_often_it_is_repeated()
    {
        let former = with_tags(&[("Team", "a"), ("keep", "x")]);
        let wanted = with_tags(&[("team", "a"), ("keep", "x")]);
        let before = stack().tags(&former.function_name, &former.tags);
        let expected = stack().tags(&wanted.function_name, &wanted.tags);
        for keys in [Keys::Exact, Keys::AnyCase] {
            let changes = |shown: &BTreeMap<String, String>| {
                changes(shown, keys, &stack(), &wanted, Some(&former))
            };
            let first = changes(&before);
            let untagged = after(
                before.clone(),
                keys,
                TagChanges { remove: first.remove.clone(), ..TagChanges::default() },
            );
            let done = after(before.clone(), keys, first);
            assert_eq!(done, expected, "{keys:?}");
            // Cut off between the two calls; done already; done, and shown as before.
            assert_eq!(after(untagged.clone(), keys, changes(&untagged)), expected, "{keys:?}");
            assert_eq!(changes(&done), TagChanges::default(), "{keys:?}");
            assert_eq!(after(done, keys, changes(&before)), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_key_of_ours_that_somebody_wrote_in_another_case_is_another_tag_unless_to_iam() {
        let wanted = with_tags(&[("team", "a")]);
        let mut current = stack().tags(&wanted.function_name, &BTreeMap::new());
        current.insert("TEAM".into(), "b".into());
        let remove = |keys| changes(&current, keys, &stack(), &wanted, Some(&wanted)).remove;
        assert_eq!(remove(Keys::AnyCase), ["TEAM"]);
        assert_eq!(remove(Keys::Exact), [""; 0]);
    }
}

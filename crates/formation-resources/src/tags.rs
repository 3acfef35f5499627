//! Comparing tags. Only Formation's keys and those that the user declares, or declared before, are
//! ours to change: an account's own tooling may add others.

use std::collections::BTreeMap;

use formation_model::drift::between_maps;
use formation_model::{Difference, Facet, FunctionSpec, StackIdentity};

/// What to change about the tags of a resource.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TagChanges {
    /// To be set. Where there is anything to set, the owner's tags are among them: IAM policies
    /// ask for them in every tagging request.
    pub set: BTreeMap<String, String>,
    /// Keys to be removed.
    pub remove: Vec<String>,
}

/// What leads from `current` to the tags of `spec`, where `formerly` may have been in place.
pub(crate) fn changes(
    current: &BTreeMap<String, String>,
    stack: &StackIdentity,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
) -> TagChanges {
    let wanted = stack.tags(&spec.function_name, &spec.tags);
    let differs = wanted.iter().any(|(key, value)| current.get(key) != Some(value));
    let set = if differs { wanted.clone() } else { BTreeMap::new() };
    let declared = formerly.into_iter().flat_map(|former| former.tags.keys());
    let remove = declared
        .filter(|key| current.contains_key(*key) && !wanted.contains_key(*key))
        .cloned()
        .collect();
    TagChanges { set, remove }
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
        assert_eq!(changes(&current, &stack(), &wanted, Some(&wanted)), TagChanges::default());
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
        let changes = changes(&current, &stack(), &wanted, Some(&former));
        assert_eq!(changes.set, stack().tags(&wanted.function_name, &wanted.tags));
        assert_eq!(changes.remove, ["old"]);
    }
}

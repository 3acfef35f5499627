//! What somebody else did to a function between its plan and its PUT: the second plan tells what the
//! function is now, and both together what it was.

use formation_model::Difference;
use formation_model::plans::FunctionPlan;

use super::show::change;

/// What was done to the function since the plan `before`, a line each, by the plan that is made of the
/// same manifest `now`.
pub fn theirs(before: &FunctionPlan, now: &FunctionPlan) -> Vec<String> {
    match (&before.etag, &now.etag) {
        (Some(_), None) => return vec!["it was deleted".to_owned()],
        (None, Some(_)) => return vec!["it was created".to_owned()],
        _ => {}
    }
    let differing = |plan: &FunctionPlan| -> Vec<Difference> {
        plan.parts.iter().flat_map(|part| part.differences.clone()).collect()
    };
    let cut = [before, now].iter().any(|plan| plan.parts.iter().any(|part| part.more > 0));
    let (before, now) = (differing(before), differing(now));
    let same = |one: &Difference, other: &Difference| {
        (&one.part, &one.facet, &one.property) == (&other.part, &other.facet, &other.property)
    };
    let mut lines: Vec<String> = Vec::new();
    for it in &now {
        match before.iter().find(|other| same(it, other)) {
            Some(was) if was.actual == it.actual => {}
            Some(was) => lines.push(change(&it.property, &was.actual, &it.actual)),
            // One plan may only not show it.
            None if cut => {}
            // What the first plan does not name was as the manifest has it.
            None => lines.push(change(&it.property, &it.expected, &it.actual)),
        }
    }
    // What the second one does not name has become as the manifest has it.
    for it in before.iter().filter(|it| !cut && !now.iter().any(|other| same(it, other))) {
        lines.push(change(&it.property, &it.actual, &it.expected));
    }
    if cut {
        lines.push("and maybe more, which its plans are too long to show".to_owned());
    }
    if lines.is_empty() {
        lines.push("nothing of what the manifest says".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A plan in which these properties are to become the second value from the first.
    fn plan(etag: &str, differences: &[(&str, Value, Value)]) -> FunctionPlan {
        let differences: Vec<_> = differences
            .iter()
            .map(|(property, actual, expected)| {
                json!({
                    "part": "FUNCTION", "facet": "CONFIGURATION", "property": property,
                    "expected": expected, "actual": actual,
                })
            })
            .collect();
        let parts = json!([{"part": "FUNCTION", "action": "CHANGE", "differences": differences}]);
        let mut plan = json!({"functionName": "hello", "kind": "UPDATE", "parts": parts});
        if !etag.is_empty() {
            plan["etag"] = Value::from(etag);
        }
        serde_json::from_value(plan).unwrap()
    }

    #[test]
    fn their_change_is_what_two_plans_of_one_manifest_differ_in() {
        let before = plan("1", &[("memoryMegabytes", json!(128), json!(256))]);
        for (now, expected) in [
            // They changed what we are about to change, to something else and to the same.
            (
                plan("2", &[("memoryMegabytes", json!(512), json!(256))]),
                "memoryMegabytes: 128 -> 512",
            ),
            (plan("2", &[]), "memoryMegabytes: 128 -> 256"),
            // And what was as we want it.
            (
                plan(
                    "2",
                    &[
                        ("memoryMegabytes", json!(128), json!(256)),
                        ("timeoutSeconds", json!(9), json!(3)),
                    ],
                ),
                "timeoutSeconds: 3 -> 9",
            ),
            // Values that are not shown are both a mask.
            (
                plan(
                    "2",
                    &[
                        ("memoryMegabytes", json!(128), json!(256)),
                        ("environment/KEY", json!("(hidden)"), json!("(hidden)")),
                    ],
                ),
                "environment/KEY: changes",
            ),
            (
                plan("2", &[("memoryMegabytes", json!(128), json!(256))]),
                "nothing of what the manifest says",
            ),
            (plan("", &[]), "it was deleted"),
        ] {
            assert_eq!(theirs(&before, &now), [expected]);
        }
        assert_eq!(theirs(&plan("", &[]), &before), ["it was created"]);
    }

    #[test]
    fn of_plans_that_are_cut_only_what_both_show_is_told() {
        let before = plan("1", &[("memoryMegabytes", json!(128), json!(256))]);
        let mut now = plan("2", &[("timeoutSeconds", json!(9), json!(3))]);
        now.parts[0].more = 1;
        assert_eq!(theirs(&before, &now), ["and maybe more, which its plans are too long to show"]);
    }
}

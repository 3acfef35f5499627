//! Plans: what an operation would do to each part of a function.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::CodeSummary;
use crate::drift::{Difference, is_zero};
use crate::function::{self, FunctionSpec};
use crate::name::FunctionName;
use crate::open::Open;
use crate::operation::OperationKind;
use crate::part::{Facet, Part};
use crate::triggers::{Change, TriggerKey, TriggerKind, changes};
use crate::warning::Warning;

/// What an operation would do to a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Make it.
    Create,
    /// Change what differs.
    Change,
    /// Nothing.
    None,
    /// Remove it.
    Delete,
}

/// What an operation would do to one part.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedPart {
    /// The part.
    pub part: Open<Part>,
    /// What would be done.
    pub action: Open<Action>,
    /// The properties that would change: `expected` is what they would become, `actual` what they
    /// are: as recorded, and for a repair as AWS has them.
    pub differences: Vec<Difference>,
    /// What would be done to each trigger, of the part TRIGGERS; a repair's differences tell it alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<PlannedTrigger>,
    /// How many more differences there are; absent if all are shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

/// What an operation would do to one trigger.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedTrigger {
    /// Its kind.
    pub kind: Open<TriggerKind>,
    /// Its name: the schedule's or the rule's name, the source's ARN, the invoker's principal and source; empty for
    /// kinds of which a function has one.
    pub name: String,
    /// What would be done.
    pub action: Open<Action>,
}

impl PlannedTrigger {
    fn of(change: &Change) -> Self {
        let action = match change {
            Change::Added(_) => Action::Create,
            Change::Changed { .. } => Action::Change,
            Change::Removed(_) => Action::Delete,
            Change::Same(_) => Action::None,
        };
        let TriggerKey { kind, name } = change.key();
        Self { kind: kind.into(), name, action: action.into() }
    }
}

/// What a request would do, had it not been a dry run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The function.
    pub function_name: FunctionName,
    /// The kind of the operation; none if nothing would change and no operation would run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Open<OperationKind>>,
    /// What would be done to each part.
    pub parts: Vec<PlannedPart>,
    /// What would be accepted and will probably not do what was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// A plan of what `part` says of each part.
    fn of(
        kind: OperationKind,
        function_name: &FunctionName,
        part: impl Fn(Part) -> PlannedPart,
    ) -> Self {
        // What calls a function is a part of it only where something does.
        let is_there = |it: &PlannedPart| {
            it.part != Part::Triggers || !(it.triggers.is_empty() && it.differences.is_empty())
        };
        let parts = Part::ALL.into_iter().map(part).filter(is_there).collect();
        let function_name = function_name.clone();
        Self { function_name, kind: Some(kind.into()), parts, warnings: Vec::new() }
    }

    /// What leads from `current` to `target`; none of either is no function.
    pub fn between(
        kind: OperationKind,
        function_name: &FunctionName,
        current: Option<&FunctionSpec<CodeSummary>>,
        target: Option<&FunctionSpec<CodeSummary>>,
    ) -> Self {
        let set = |spec: Option<&FunctionSpec<_>>| spec.map(FunctionSpec::triggers);
        let (from, to) = (set(current).unwrap_or_default(), set(target).unwrap_or_default());
        Self::of(kind, function_name, |part| {
            let facets = Facet::of(part).iter();
            let differences: Vec<_> =
                facets.flat_map(|facet| differences(*facet, current, target)).collect();
            let (had, has) = match part {
                Part::Triggers => (!from.is_empty(), !to.is_empty()),
                _ => (current.is_some(), target.is_some()),
            };
            let action = match (had, has) {
                (false, true) => Action::Create,
                (true, false) => Action::Delete,
                _ if part == Part::Live && publishes(current, target) => Action::Change,
                _ if differences.is_empty() => Action::None,
                _ => Action::Change,
            };
            let triggers = match part {
                Part::Triggers => changes(&from, &to).iter().map(PlannedTrigger::of).collect(),
                _ => Vec::new(),
            };
            let (part, action) = (part.into(), action.into());
            PlannedPart { part, action, differences, triggers, more: 0 }
        })
    }

    /// What a repair would bring back, where a comparison with AWS has found `differences`. A part
    /// that is not ours is left alone, and what no repair can take back is shown all the same.
    pub fn to_repair(function_name: &FunctionName, differences: &[Difference]) -> Self {
        Self::of(OperationKind::Repair, function_name, |part| {
            let of_part = differences.iter().filter(|it| it.part == part);
            let differences: Vec<_> = of_part.map(Difference::cut).collect();
            // Triggers are left alone one by one.
            let is_whole = part != Part::Triggers;
            let action = if is_whole && differences.iter().any(Difference::is_not_owned) {
                Action::None
            } else if differences.iter().any(Difference::is_missing) {
                Action::Create
            } else if differences.iter().any(Difference::is_repairable) {
                Action::Change
            } else {
                Action::None
            };
            let (part, action) = (part.into(), action.into());
            PlannedPart { part, action, differences, triggers: Vec::new(), more: 0 }
        })
    }
}

/// The values of a specification, without what is not known of code that was given by its digest, or
/// that is too large to be read: no archive has 0 bytes, or an empty digest.
fn values(spec: Option<&FunctionSpec<CodeSummary>>) -> Value {
    let Some(spec) = spec else { return Value::Null };
    let mut values = spec.values();
    if let Some(code) = values["code"].as_object_mut() {
        if spec.code.size_bytes == 0 {
            code.remove("sizeBytes");
            code.retain(|name, value| name != "inline" || *value == true);
        }
        if spec.code.sha256.is_empty() {
            code.remove("sha256");
        }
    }
    values
}

/// What differs in the properties that are a matter of `facet`.
fn differences(
    facet: Facet,
    current: Option<&FunctionSpec<CodeSummary>>,
    target: Option<&FunctionSpec<CodeSummary>>,
) -> Vec<Difference> {
    let (from, to) = (values(current), values(target));
    let properties = function::properties().filter(|property| property.facets.contains(&facet));
    properties
        .flat_map(|property| property.differences(facet, &to[property.name], &from[property.name]))
        .collect()
}

/// Whether callers will notice: whether another version is published and the alias moves to it.
fn publishes(
    current: Option<&FunctionSpec<CodeSummary>>,
    target: Option<&FunctionSpec<CodeSummary>>,
) -> bool {
    let (from, to) = (values(current), values(target));
    function::properties().any(|it| it.is_of_a_version() && from[it.name] != to[it.name])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::function::Architecture;

    fn spec() -> FunctionSpec<CodeSummary> {
        let code = CodeSummary { sha256: "a".into(), size_bytes: 1, inline: false };
        let mut spec = FunctionSpec::new("hello".parse().unwrap(), code);
        spec.configuration.environment.0.insert("KEY".into(), "s3cr3t".into());
        spec.tags.insert("team".into(), "a".into());
        spec
    }

    fn actions(plan: &Plan) -> Vec<Action> {
        plan.parts.iter().map(|part| *part.action.known().unwrap()).collect()
    }

    #[test]
    fn a_plan_names_what_changes_and_hides_the_environment() {
        let mut target = spec();
        target.configuration.memory_megabytes = 256;
        target.configuration.environment.0.insert("KEY".into(), "other".into());
        let name = target.function_name.clone();
        let plan = Plan::between(OperationKind::Update, &name, Some(&spec()), Some(&target));
        assert_eq!(
            actions(&plan),
            [Action::None, Action::None, Action::Change, Action::Change],
            "{plan:?}"
        );
        let text = serde_json::to_string(&plan).unwrap();
        assert!(text.contains("memoryMegabytes") && text.contains("environment/KEY"), "{text}");
        assert!(!text.contains("s3cr3t") && !text.contains("other"), "{text}");
    }

    #[test]
    fn a_plan_leaves_out_what_is_not_known_of_code() {
        let name = spec().function_name;
        for (code, expected) in [
            (("b", 0, false), json!({"sha256": "b"})),
            (("b", 0, true), json!({"sha256": "b", "inline": true})),
            (("", 9_000_000, false), json!({"sizeBytes": 9_000_000, "inline": false})),
            (("b", 2, false), json!({"sha256": "b", "sizeBytes": 2, "inline": false})),
        ] {
            let (sha256, size_bytes, inline) = code;
            let target =
                spec().with_code(CodeSummary { sha256: sha256.into(), size_bytes, inline });
            let plan = Plan::between(OperationKind::Update, &name, Some(&spec()), Some(&target));
            let [difference] = &plan.parts[2].differences[..] else { panic!("{plan:?}") };
            assert_eq!(json!(difference)["expected"], expected);
            let there = json!({"sha256": "a", "sizeBytes": 1, "inline": false});
            assert_eq!(json!(difference)["actual"], there);
        }
    }

    #[test]
    fn a_plan_tells_of_deletion_protection() {
        let target = FunctionSpec { deletion_protection: true, ..spec() };
        let name = target.function_name.clone();
        let plan = Plan::between(OperationKind::Update, &name, Some(&spec()), Some(&target));
        assert_eq!(actions(&plan), [Action::None, Action::None, Action::Change, Action::None]);
        assert_eq!(plan.parts[2].differences[0].property, "deletionProtection");
    }

    #[test]
    fn a_plan_tells_whether_callers_will_notice() {
        let name = spec().function_name;
        let action = |change: fn(&mut FunctionSpec<CodeSummary>)| {
            let mut target = spec();
            change(&mut target);
            let plan = Plan::between(OperationKind::Update, &name, Some(&spec()), Some(&target));
            assert_eq!(plan.parts[3].part, Part::Live);
            assert_eq!(plan.parts[3].differences, []);
            *plan.parts[3].action.known().unwrap()
        };
        assert_eq!(action(|it| it.configuration.handler = "other.handler".into()), Action::Change);
        assert_eq!(action(|it| it.code.sha256 = "b".into()), Action::Change);
        assert_eq!(action(|it| it.logs.log_retention_days = 7), Action::None);
        assert_eq!(action(|it| it.configuration.description = "told".into()), Action::None);
        assert_eq!(action(|it| it.tags.clear()), Action::None);
        assert_eq!(action(|it| it.reserved_concurrency = Some(1)), Action::None);
        assert_eq!(action(|it| it.deletion_protection = true), Action::None);
    }

    #[test]
    fn tags_are_on_three_parts_and_the_architecture_belongs_to_the_code() {
        let mut target = spec();
        target.tags.insert("new".into(), "x".into());
        target.configuration.architecture = Architecture::Arm64;
        let name = target.function_name.clone();
        let plan = Plan::between(OperationKind::Update, &name, Some(&spec()), Some(&target));
        assert_eq!(
            plan.parts.iter().map(|it| it.part.clone()).collect::<Vec<_>>(),
            Part::ALL[..4].iter().map(|part| Open::from(*part)).collect::<Vec<_>>()
        );
        assert_eq!(actions(&plan), [Action::Change; 4]);
        let of_function = plan.parts[2].differences.iter();
        let of_function: Vec<_> =
            of_function.map(|it| (*it.facet.known().unwrap(), it.property.as_str())).collect();
        let expected = [(Facet::Configuration, "tags/new"), (Facet::Code, "architecture")];
        assert_eq!(of_function, expected);

        let plan = Plan::between(OperationKind::Create, &name, None, Some(&target));
        assert_eq!(actions(&plan), [Action::Create; 4]);
        let plan = Plan::between(OperationKind::Delete, &name, Some(&target), None);
        assert_eq!(actions(&plan), [Action::Delete; 4]);
    }

    #[test]
    fn a_repair_is_planned_from_what_aws_has_and_leaves_alone_what_is_not_ours() {
        let retention = Difference::between(Facet::LogGroup, "logRetentionDays", 30, 7);
        let found = [
            Difference::not_owned(Part::Role),
            retention.unwrap(),
            Difference::missing(Part::Function),
        ];
        let plan = Plan::to_repair(&spec().function_name, &found);
        assert_eq!(actions(&plan), [Action::None, Action::Change, Action::Create, Action::None]);
        assert_eq!(plan.parts[0].differences, [Difference::not_owned(Part::Role)]);
        assert_eq!(actions(&Plan::to_repair(&spec().function_name, &[])), [Action::None; 4]);

        let of_function = |name| Difference::between(Facet::Configuration, name, Value::Null, 1);
        let image = [of_function("packageType").unwrap()];
        let plan = Plan::to_repair(&spec().function_name, &image);
        assert_eq!(actions(&plan), [Action::None; 4]);
        assert_eq!(plan.parts[2].differences, image);
        let with_key = [&image[..], of_function("kmsKeyArn").as_slice()].concat();
        let plan = Plan::to_repair(&spec().function_name, &with_key);
        assert_eq!(actions(&plan), [Action::None, Action::None, Action::Change, Action::None]);
    }
}

//! Differences between what is declared of a function and what is there: found by comparing with
//! AWS (drift), or to be made by an operation (a plan).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bundle::CodeSummary;
use crate::function::{FunctionName, FunctionSpec};
use crate::operation::{OperationId, OperationKind};
use crate::warning::Warning;

/// What is compared of a function: each is changed by calls of its own.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Facet {
    /// The execution role: trust, boundary, policies, tags.
    Role,
    /// The log group: retention, tags.
    LogGroup,
    /// The Lambda function but for its code: configuration and tags.
    Configuration,
    /// The code, and the architecture that it is for.
    Code,
}

impl Facet {
    /// Every facet, in the order in which they are made.
    pub const ALL: [Self; 4] = [Self::Role, Self::LogGroup, Self::Configuration, Self::Code];
}

/// One property that is not as declared.
///
/// Values of the environment are secrets, and results of comparisons are stored and announced: of
/// an environment variable a difference shows [`HIDDEN`] in place of a value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What it is a property of.
    pub part: Facet,
    /// Its name: a field of the function, or AWS's own name for what is no field; `exists` for the
    /// whole.
    pub property: String,
    /// As declared; null if it should not be there.
    pub expected: Value,
    /// As it is; null if it is not there.
    pub actual: Value,
}

/// What stands for a secret value.
pub const HIDDEN: &str = "(hidden)";

impl Difference {
    /// The difference between `expected` and `actual`, if there is one.
    pub fn between(
        part: Facet,
        property: impl Into<String>,
        expected: impl Into<Value>,
        actual: impl Into<Value>,
    ) -> Option<Self> {
        let (expected, actual) = (expected.into(), actual.into());
        let differs = expected != actual;
        differs.then(|| Self { part, property: property.into(), expected, actual })
    }

    /// That the whole of `part` is gone.
    pub fn missing(part: Facet) -> Self {
        Self { part, property: EXISTS.to_owned(), expected: json!(true), actual: json!(false) }
    }

    /// Whether the whole part is gone.
    pub fn is_missing(&self) -> bool {
        self.property == EXISTS && self.actual == json!(false)
    }
}

const EXISTS: &str = "exists";

/// The differences between two maps, key by key; values are shown unless `hidden`.
pub fn between_maps(
    part: Facet,
    name: &str,
    expected: &BTreeMap<String, String>,
    actual: &BTreeMap<String, String>,
    hidden: bool,
) -> Vec<Difference> {
    let keys: BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
    let shown = |value: Option<&String>| match value {
        None => Value::Null,
        Some(_) if hidden => json!(HIDDEN),
        Some(value) => json!(value),
    };
    let differing = keys.into_iter().filter(|key| expected.get(*key) != actual.get(*key));
    let difference = |key: &String| Difference {
        part,
        property: format!("{name}/{key}"),
        expected: shown(expected.get(key)),
        actual: shown(actual.get(key)),
    };
    differing.map(difference).collect()
}

/// Whether AWS still has what the record says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DriftStatus {
    /// Every declared property is as recorded.
    InSync,
    /// Some property differs.
    Drifted,
    /// A part is gone.
    Deleted,
    /// Not compared yet.
    #[default]
    Unknown,
}

/// The result of the last comparison with AWS.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// What the comparison found.
    pub status: DriftStatus,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub checked_at: Option<Timestamp>,
    /// What differs.
    #[serde(default)]
    pub differences: Vec<Difference>,
}

impl Drift {
    /// What a comparison at `now` that found `differences` means.
    pub fn found(differences: Vec<Difference>, now: Timestamp) -> Self {
        let status = if differences.is_empty() {
            DriftStatus::InSync
        } else if differences.iter().any(Difference::is_missing) {
            DriftStatus::Deleted
        } else {
            DriftStatus::Drifted
        };
        Self { status, checked_at: Some(now), differences }
    }

    /// Whether AWS was found to be as recorded, or was not looked at.
    pub fn is_quiet(&self) -> bool {
        matches!(self.status, DriftStatus::InSync | DriftStatus::Unknown)
    }
}

/// What an operation would do to a facet.
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

/// What an operation would do to one facet.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedPart {
    /// The facet.
    pub part: Facet,
    /// What would be done.
    pub action: Action,
    /// The properties that would change: `expected` is what they would become, `actual` what the
    /// record says they are.
    pub differences: Vec<Difference>,
}

/// What a request would do, had it not been a dry run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The function.
    pub function_name: FunctionName,
    /// The kind of the operation; none if nothing would change and no operation would run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<OperationKind>,
    /// What would be done to each facet.
    pub parts: Vec<PlannedPart>,
    /// What would be accepted and will probably not do what was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// What leads from `current` to `target`; none of either is no function.
    pub fn between(
        kind: OperationKind,
        function_name: &FunctionName,
        current: Option<&FunctionSpec<CodeSummary>>,
        target: Option<&FunctionSpec<CodeSummary>>,
    ) -> Self {
        let part = |part| {
            let differences = differences(part, current, target);
            let action = match (current, target) {
                (None, Some(_)) => Action::Create,
                (Some(_), None) => Action::Delete,
                _ if differences.is_empty() => Action::None,
                _ => Action::Change,
            };
            PlannedPart { part, action, differences }
        };
        let parts = Facet::ALL.into_iter().map(part).collect();
        let function_name = function_name.clone();
        Self { function_name, kind: Some(kind), parts, warnings: Vec::new() }
    }
}

/// The fields that each facet is made from, and what differs in them.
fn differences(
    part: Facet,
    current: Option<&FunctionSpec<CodeSummary>>,
    target: Option<&FunctionSpec<CodeSummary>>,
) -> Vec<Difference> {
    let fields: &[&str] = match part {
        Facet::Role => &[],
        Facet::LogGroup => &["logRetentionDays"],
        Facet::Configuration => {
            &["runtime", "handler", "memoryMegabytes", "timeoutSeconds", "description"]
        }
        Facet::Code => &["architecture", "code"],
    };
    // Serialising these types to a Value cannot fail.
    let json = |spec: Option<&FunctionSpec<CodeSummary>>| {
        spec.map_or(Value::Null, |spec| serde_json::to_value(spec).unwrap_or_default())
    };
    let (from, to) = (json(current), json(target));
    let mut found: Vec<_> = fields
        .iter()
        .filter_map(|field| {
            Difference::between(part, *field, to[field].clone(), from[field].clone())
        })
        .collect();
    let map = |spec: Option<&FunctionSpec<CodeSummary>>, environment: bool| {
        let spec = spec.map(|spec| if environment { &spec.environment.0 } else { &spec.tags });
        spec.cloned().unwrap_or_default()
    };
    if part == Facet::Configuration {
        let (from, to) = (map(current, true), map(target, true));
        found.extend(between_maps(part, "environment", &to, &from, true));
    }
    if part != Facet::Code {
        found.extend(between_maps(part, "tags", &map(target, false), &map(current, false), false));
    }
    found
}

/// The detail of a `Formation Drift Status Change`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftAnnouncement {
    /// The function.
    pub function_name: FunctionName,
    /// The revision that AWS was compared with.
    pub revision: u64,
    /// What the comparison found.
    #[serde(flatten)]
    pub drift: Drift,
    /// What is done about it.
    pub reaction: DriftReaction,
    /// The operation that repairs it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DriftReaction {
    /// Nothing: it is reported, or is gone.
    None,
    /// A REPAIR brings AWS back.
    Repair,
    /// Nothing any more: the same was repaired twice in a row, and somebody changes it back.
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{Architecture, Environment};

    fn spec() -> FunctionSpec<CodeSummary> {
        FunctionSpec {
            function_name: "hello".parse().unwrap(),
            code: CodeSummary { sha256: "a".into(), size_bytes: 1, inline: false },
            runtime: "nodejs24.x".into(),
            handler: "index.handler".into(),
            architecture: Architecture::Arm64,
            memory_megabytes: 128,
            timeout_seconds: 3,
            log_retention_days: 30,
            environment: Environment([("KEY".to_owned(), "s3cr3t".to_owned())].into()),
            description: String::new(),
            tags: [("team".to_owned(), "a".to_owned())].into(),
            deletion_protection: false,
        }
    }

    fn actions(plan: &Plan) -> Vec<Action> {
        plan.parts.iter().map(|part| part.action).collect()
    }

    #[test]
    fn a_plan_names_what_changes_and_hides_the_environment() {
        let mut target = spec();
        target.memory_megabytes = 256;
        target.environment.0.insert("KEY".into(), "other".into());
        let name = target.function_name.clone();
        let plan = Plan::between(OperationKind::Update, &name, Some(&spec()), Some(&target));
        assert_eq!(
            actions(&plan),
            [Action::None, Action::None, Action::Change, Action::None],
            "{plan:?}"
        );
        let text = serde_json::to_string(&plan).unwrap();
        assert!(text.contains("memoryMegabytes") && text.contains("environment/KEY"), "{text}");
        assert!(!text.contains("s3cr3t") && !text.contains("other"), "{text}");
    }

    #[test]
    fn tags_are_on_three_parts_and_the_architecture_belongs_to_the_code() {
        let mut target = spec();
        target.tags.insert("new".into(), "x".into());
        target.architecture = Architecture::X86_64;
        let name = target.function_name.clone();
        let plan = Plan::between(OperationKind::Update, &name, Some(&spec()), Some(&target));
        assert_eq!(actions(&plan), [Action::Change; 4]);
        assert_eq!(plan.parts[3].differences[0].property, "architecture");

        let plan = Plan::between(OperationKind::Create, &name, None, Some(&target));
        assert_eq!(actions(&plan), [Action::Create; 4]);
        let plan = Plan::between(OperationKind::Delete, &name, Some(&target), None);
        assert_eq!(actions(&plan), [Action::Delete; 4]);
    }

    #[test]
    fn a_part_that_is_gone_is_more_than_drift() {
        let now = Timestamp::now();
        let retention =
            Difference::between(Facet::LogGroup, "logRetentionDays", 30, 7).into_iter().collect();
        assert_eq!(Drift::found(vec![], now).status, DriftStatus::InSync);
        assert_eq!(Drift::found(retention, now).status, DriftStatus::Drifted);
        let gone = vec![Difference::missing(Facet::Role)];
        assert_eq!(Drift::found(gone, now).status, DriftStatus::Deleted);
    }
}

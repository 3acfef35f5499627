//! Drift: differences between what is declared of a function and what AWS has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::name::FunctionName;
use crate::open::Open;
use crate::operation::OperationId;
use crate::part::{Facet, Part};

/// One property that is not as declared.
///
/// Values of the environment are secrets, and results of comparisons are stored and announced: of
/// an environment variable a difference shows [`HIDDEN`] in place of a value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// The part of the function that differs.
    pub part: Open<Part>,
    /// What of the part it is a property of.
    pub facet: Open<Facet>,
    /// Its name: a field of the function, or AWS's own name for what is no field; `exists` for the
    /// whole part, and `owner` where the part is not ours: then nothing else is told of it. Of a trigger the
    /// field, its name and its property: `schedules/nightly/expression`, `schedules/nightly/owner`; the whole
    /// of it without the last.
    pub property: String,
    /// As declared; null if it should not be there.
    pub expected: Value,
    /// As it is; null if it is not there.
    pub actual: Value,
}

/// What stands for a secret value.
pub const HIDDEN: &str = "(hidden)";

impl<'de> Deserialize<'de> for Difference {
    /// Reads the first release's records too: their `part` is the facet, and they have no `facet`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored {
            part: String,
            facet: Option<Open<Facet>>,
            property: String,
            #[serde(default)]
            expected: Value,
            #[serde(default)]
            actual: Value,
        }

        let Stored { part: named, facet, property, expected, actual } =
            Stored::deserialize(deserializer)?;
        let part = Open::<Part>::read(named.clone());
        let (part, facet) = match (facet, Open::<Facet>::read(named), &part) {
            (Some(facet), ..) => (part, facet),
            (None, Open::Known(facet), _) => (facet.part().into(), facet.into()),
            (None, _, Open::Known(known)) => (part.clone(), Facet::of(*known)[0].into()),
            (None, facet, Open::Unknown(_)) => (part, facet),
        };
        Ok(Self { part, facet, property, expected, actual })
    }
}

impl Difference {
    pub(crate) fn new(
        facet: Facet,
        property: impl Into<String>,
        expected: Value,
        actual: Value,
    ) -> Self {
        let (part, facet) = (facet.part().into(), facet.into());
        Self { part, facet, property: property.into(), expected, actual }
    }

    /// The difference between `expected` and `actual`, if there is one.
    pub fn between(
        facet: Facet,
        property: impl Into<String>,
        expected: impl Into<Value>,
        actual: impl Into<Value>,
    ) -> Option<Self> {
        let (expected, actual) = (expected.into(), actual.into());
        let differs = expected != actual;
        differs.then(|| Self::new(facet, property, expected, actual))
    }

    /// That the whole of `part` is gone.
    pub fn missing(part: Part) -> Self {
        Self::new(Facet::of(part)[0], EXISTS, json!(true), json!(false))
    }

    /// That what is there under the part's name is not ours: all that is told of it.
    pub fn not_owned(part: Part) -> Self {
        Self::new(Facet::of(part)[0], OWNER, Value::Null, Value::Null)
    }

    /// Whether the whole part is gone.
    pub fn is_missing(&self) -> bool {
        self.property == EXISTS && self.actual == json!(false)
    }

    /// Whether the part, or the trigger, is not ours.
    pub fn is_not_owned(&self) -> bool {
        let has_no_value = self.expected.is_null() && self.actual.is_null();
        has_no_value && self.property.rsplit('/').next() == Some(OWNER)
    }

    /// Whether it is of what Formation does not name: see [`UNNAMED`].
    fn is_unnamed(&self) -> bool {
        [Facet::Configuration, Facet::Live].iter().any(|it| self.facet == *it)
            && UNNAMED.iter().any(|(it, _)| *it == self.property)
    }

    /// What AWS said, `words`, when it refused to bring the function back: its runtime is blocked by now, or a layer
    /// is gone.
    pub fn refused(words: String) -> Self {
        Self::new(Facet::Configuration, REFUSED, Value::Null, json!(words))
    }

    /// Whether it is what AWS said when it refused to bring the function back.
    pub fn is_refusal(&self) -> bool {
        self.facet == Facet::Configuration && self.property == REFUSED
    }

    /// Whether a repair takes it back: not what is not ours, nor what only its own calls change, nor what was said.
    pub fn is_repairable(&self) -> bool {
        let is_beyond = self.is_unnamed() && UNNAMED.contains(&(self.property.as_str(), false));
        !self.is_not_owned() && !is_beyond && !self.is_refusal()
    }

    /// The same with values that are cut where they are long.
    #[must_use]
    pub fn cut(&self) -> Self {
        Self { expected: cut(&self.expected), actual: cut(&self.actual), ..self.clone() }
    }
}

/// What GetFunction shows of a function's configuration and Formation does not name, in AWS's own
/// words, and whether a repair can set it back. No update touches it.
pub const UNNAMED: [(&str, bool); 10] = [
    ("vpcConfig", true),
    ("kmsKeyArn", true),
    ("deadLetterConfig", true),
    ("fileSystemConfigs", true),
    ("snapStart", true),
    ("packageType", false),
    ("imageConfig", false),
    ("tenancyConfig", false),
    ("durableConfig", false),
    ("capacityProviderConfig", false),
];

const EXISTS: &str = "exists";
pub(crate) const OWNER: &str = "owner";
const REFUSED: &str = "refused";

/// How many differences a [`Drift`] shows.
const MOST_SHOWN: usize = 50;
/// Characters of a text that a difference shows whole.
const LONGEST_TEXT: usize = 256;
/// Bytes of any other value, as JSON, that a difference shows whole.
const LONGEST_VALUE: usize = 1024;
/// Characters that are left of what is longer.
const LEFT_OF_TEXT: usize = 200;

/// `value`, or the beginning of its text where it is long. Values that differ do so once cut, too.
fn cut(value: &Value) -> Value {
    let text = match value {
        Value::String(text) if text.chars().nth(LONGEST_TEXT).is_some() => text.clone(),
        Value::String(_) => return value.clone(),
        value => match value.to_string() {
            text if text.len() > LONGEST_VALUE => text,
            _ => return value.clone(),
        },
    };
    let left: String = text.chars().take(LEFT_OF_TEXT).collect();
    let (length, digest) = (text.chars().count(), hex(&text));
    json!(format!("{left}... ({length} characters, SHA-256 {})", &digest[..16]))
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A digest of `differences`; none of none.
fn digest(differences: &[Difference]) -> Option<String> {
    // Serialising these types cannot fail.
    let whole = || serde_json::to_string(differences).unwrap_or_default();
    (!differences.is_empty()).then(|| hex(&whole()))
}

/// The differences between two maps, key by key; values are shown unless `hidden`.
pub fn between_maps(
    facet: Facet,
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
    let difference = |key: &String| {
        let (expected, actual) = (shown(expected.get(key)), shown(actual.get(key)));
        Difference::new(facet, format!("{name}/{key}"), expected, actual)
    };
    differing.map(difference).collect()
}

/// Whether AWS still has what the record says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DriftStatus {
    /// Every declared property is as recorded.
    InSync,
    /// Some property differs, or a part is not ours.
    Drifted,
    /// A part is gone.
    Deleted,
    /// Not compared yet.
    #[default]
    Unknown,
}

/// The result of a comparison with AWS. It is stored and announced, so it is bounded when it is made:
/// whatever differs, and however long it is, it fits beside a function's record.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// What the comparison found.
    pub status: Open<DriftStatus>,
    /// When it was made.
    #[serde(default, with = "crate::time::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub checked_at: Option<Timestamp>,
    /// What differs: the first 50 differences, whole parts before properties, with long values cut.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// How many more differences there are; absent if all are shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// A digest of all differences, whole: it changes when any of them does. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Drift {
    /// What a comparison at `now` that found `differences` means.
    pub fn found(differences: &[Difference], now: Timestamp) -> Self {
        let status = if differences.is_empty() {
            DriftStatus::InSync
        } else if differences.iter().any(Difference::is_missing) {
            DriftStatus::Deleted
        } else {
            DriftStatus::Drifted
        };
        // That a part is gone or is not ours is never what is left out.
        let mut shown: Vec<_> = differences.iter().collect();
        shown.sort_by_key(|it| !(it.is_missing() || it.is_not_owned()));
        Self {
            status: status.into(),
            checked_at: Some(now),
            differences: shown.into_iter().take(MOST_SHOWN).map(Difference::cut).collect(),
            more: differences.len().saturating_sub(MOST_SHOWN),
            digest: digest(differences),
        }
    }

    /// Whether both found the same. The first release stored no digest, and every difference whole.
    pub fn is_same(&self, other: &Self) -> bool {
        let whole = |it: &Self| it.digest.clone().or_else(|| digest(&it.differences));
        self.status == other.status && whole(self) == whole(other)
    }

    /// Whether AWS was found to be as recorded, or was not looked at.
    pub fn is_quiet(&self) -> bool {
        matches!(self.status.known(), Some(DriftStatus::InSync | DriftStatus::Unknown))
    }
}

/// What a comparison with AWS, made for this request, has found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// The function.
    pub function_name: FunctionName,
    /// The revision that AWS was compared with.
    pub revision: u64,
    /// What was found.
    #[serde(flatten)]
    pub drift: Drift,
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
    pub reaction: Open<DriftReaction>,
    /// The operation that repairs it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// Nothing any more: the same was repaired twice in a row, and something changes it back.
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_gone_is_more_than_drift_and_one_that_is_not_ours_is_drift() {
        let now = Timestamp::now();
        let status = |differences: &[Difference]| Drift::found(differences, now).status;
        let retention = Difference::between(Facet::LogGroup, "logRetentionDays", 30, 7).unwrap();
        assert_eq!(status(&[]), DriftStatus::InSync);
        assert_eq!(status(&[retention]), DriftStatus::Drifted);
        assert_eq!(status(&[Difference::not_owned(Part::Function)]), DriftStatus::Drifted);
        assert_eq!(status(&[Difference::missing(Part::Role)]), DriftStatus::Deleted);
    }

    #[test]
    fn what_is_not_ours_is_told_without_a_value() {
        assert_eq!(
            serde_json::to_value(Difference::not_owned(Part::Function)).unwrap(),
            json!({
                "part": "FUNCTION", "facet": "CONFIGURATION", "property": "owner",
                "expected": null, "actual": null
            })
        );
    }

    /// The most that AWS lets anybody change: every tag of three resources, and long policies.
    fn everything(last: &str) -> Vec<Difference> {
        let tags = (0..48).map(|at| (format!("{at:128}"), "\u{1F4A1}".repeat(256))).collect();
        let facets = [Facet::Role, Facet::LogGroup, Facet::Configuration].into_iter();
        let tags = facets.flat_map(|it| between_maps(it, "tags", &tags, &BTreeMap::new(), false));
        let policy = json!({"Statement": "x".repeat(10_240), "Last": last});
        let policies = (0..16).filter_map(|at| {
            Difference::between(Facet::Role, format!("{at}"), policy.clone(), "y".repeat(9999))
        });
        policies.chain(tags).collect()
    }

    #[test]
    fn a_drift_is_small_whatever_differs_and_says_how_much_it_leaves_out() {
        let found = everything("");
        let now = Timestamp::from_second(1).unwrap();
        let drift = Drift::found(&found, now);
        assert_eq!((drift.differences.len(), drift.more), (50, 16 + 3 * 48 - 50));
        let text = serde_json::to_string(&drift).unwrap();
        assert!(text.len() < 100_000, "{} bytes", text.len());
        assert!(text.contains("9999 characters"), "{text}");
        assert_eq!(serde_json::from_str::<Drift>(&text).unwrap(), drift);

        let parts = [Difference::not_owned(Part::LogGroup), Difference::missing(Part::Function)];
        let with_parts: Vec<_> = found.iter().cloned().chain(parts.clone()).collect();
        let drift = Drift::found(&with_parts, Timestamp::now());
        assert_eq!(drift.differences[..2], parts, "whole parts come first");

        let text = serde_json::to_value(Drift::found(&found[..1], Timestamp::now())).unwrap();
        assert!(text.get("more").is_none(), "{text}");
    }

    #[test]
    fn a_change_that_is_not_shown_is_a_change() {
        let now = Timestamp::now();
        let drift = |found: &[Difference]| Drift::found(found, now);
        let mut found = everything("");
        let before = drift(&found);
        assert_eq!(before, drift(&found));
        found.last_mut().unwrap().actual = json!("another");
        let after = drift(&found);
        assert_eq!(before.differences, after.differences);
        assert_ne!(before.digest, after.digest);
        // In a place that is cut off, too.
        assert_ne!(before.differences, drift(&everything("another")).differences);
        assert_eq!(drift(&[]).digest, None);
    }

    #[test]
    fn a_difference_of_a_later_release_stays_as_it_is() {
        let stored = json!({
            "part": "LIVE", "facet": "VERSION", "property": "p", "expected": 1, "actual": null
        });
        let read: Difference = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), stored);
    }

    #[test]
    fn differences_of_the_first_release_are_readable() {
        for (part, facet) in [
            ("ROLE", Facet::Role),
            ("LOG_GROUP", Facet::LogGroup),
            ("CONFIGURATION", Facet::Configuration),
            ("CODE", Facet::Code),
        ] {
            let stored = json!({"part": part, "property": "p", "expected": 1, "actual": null});
            let read: Difference = serde_json::from_value(stored).unwrap();
            assert_eq!((read.part, read.facet), (facet.part().into(), facet.into()));
        }
    }
}

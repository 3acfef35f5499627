//! Plans of many functions at once: what a request for them is, and what is answered.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::{Document, Shape};
use crate::open::Open;
use crate::operation::OperationKind;
use crate::plan::{Plan, PlannedPart};
use crate::problem::{FieldProblem, FieldProblemCode, FieldProblems, ProblemCode, shown_name};
use crate::warning::Warning;

/// How many functions a request may ask to plan.
pub const MOST_FUNCTIONS: usize = 100;

/// Bytes of JSON that the plans of an answer have at the most, all together. Lambda takes 6 MB, in which
/// each quotation mark of it is two.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MOST_BYTES: usize = 2_500_000;

const FUNCTIONS: &str = "functions";

/// The shape of a request to plan functions: each of them is a document of its own.
pub const REQUEST: Shape =
    Shape::Object(|field| (field == FUNCTIONS).then_some(Shape::Items(MOST_FUNCTIONS)));

/// Where in its text the functions stand that a request asks to plan.
///
/// # Errors
/// What is wrong with the request as a whole.
pub fn requested(request: &Document) -> Result<&[Range<usize>], FieldProblems> {
    request.read_with(|body| {
        let wrong = |at: &str, code, told: &str| Err(vec![FieldProblem::new(at, code, told)]);
        let at = "/functions";
        let Value::Object(body) = body else {
            return wrong("", FieldProblemCode::WrongType, "must be a JSON object");
        };
        match body.get(FUNCTIONS) {
            None => wrong(at, FieldProblemCode::Required, "must be given: an array of functions"),
            Some(Value::Array(_)) if (1..=MOST_FUNCTIONS).contains(&request.item_count()) => {
                Ok(request.items())
            }
            Some(Value::Array(_)) => {
                let told = format!("must hold 1 to {MOST_FUNCTIONS} functions");
                wrong(at, FieldProblemCode::OutOfRange, &told)
            }
            Some(_) => wrong(at, FieldProblemCode::WrongType, "must be an array of functions"),
        }
    })
}

/// What the PUTs of several functions would do, in the order in which they were asked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plans {
    /// The plans.
    pub plans: Vec<FunctionPlan>,
}

/// What the PUT of one of several functions would do, or why it would be refused.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionPlan {
    /// The function's name as it was asked for, cut where it is too long for one; null where it is
    /// no text.
    pub function_name: Option<String>,
    /// The kind of the operation: CREATE where there is no such function, else UPDATE; none if nothing
    /// would change or it would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Open<OperationKind>>,
    /// The entity tag of the function that is there, as the header has it: what a PUT takes as If-Match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// What would be done to each part; empty if it would be refused.
    #[serde(default)]
    pub parts: Vec<PlannedPart>,
    /// What would be accepted and will probably not do what was meant.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Why it would be refused: the first hundred reasons.
    #[serde(default)]
    pub errors: Vec<PlanError>,
    /// How many reasons there are, if any: `errors` may show fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_count: Option<usize>,
}

/// One reason for which a function would be refused.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanError {
    /// Where: a JSON pointer (RFC 6901) into that function's object; empty if it is about the whole.
    pub pointer: String,
    /// What is wrong, for programs: that of a field, or that of the problem that PUT would answer.
    pub code: Open<PlanErrorCode>,
    /// What is wrong and what to do about it, for people. Never holds a value of the environment.
    pub detail: String,
}

/// What is wrong with a function that is planned.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PlanErrorCode {
    /// Something is wrong with a field.
    Field(FieldProblemCode),
    /// A request for it would be refused with this problem.
    Problem(ProblemCode),
}

impl From<FieldProblem> for PlanError {
    fn from(problem: FieldProblem) -> Self {
        let code = match problem.code {
            Open::Known(code) => Open::Known(PlanErrorCode::Field(code)),
            Open::Unknown(text) => Open::Unknown(text),
        };
        Self { pointer: problem.pointer, code, detail: problem.detail }
    }
}

impl FunctionPlan {
    /// The plan of a function whose entity tag is `etag`, if it is there.
    pub fn of(plan: Plan, etag: Option<String>) -> Self {
        Self {
            function_name: Some(plan.function_name.to_string()),
            kind: plan.kind,
            etag,
            parts: plan.parts,
            warnings: plan.warnings,
            errors: Vec::new(),
            error_count: None,
        }
    }

    /// That of a function which would be refused for what is wrong with its fields.
    pub fn invalid(function_name: Option<&str>, problems: &FieldProblems) -> Self {
        Self {
            function_name: function_name.map(shown_name),
            errors: problems.first().iter().cloned().map(PlanError::from).collect(),
            error_count: Some(problems.count()),
            ..Self::default()
        }
    }

    /// That of a function which would be refused with a problem.
    pub fn refused(function_name: Option<&str>, code: ProblemCode, detail: String) -> Self {
        let code = PlanErrorCode::Problem(code).into();
        Self {
            function_name: function_name.map(shown_name),
            errors: vec![PlanError { pointer: String::new(), code, detail }],
            error_count: Some(1),
            ..Self::default()
        }
    }

    /// The same in so many bytes of JSON: what is beyond them is not shown, differences first of all.
    /// Errors and differences that are not shown are counted; warnings are not, which are few and short.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        let mut room = bytes;
        keep(&mut self.errors, &mut room);
        keep(&mut self.warnings, &mut room);
        for part in &mut self.parts {
            keep(&mut part.triggers, &mut room);
            part.more += keep(&mut part.differences, &mut room);
        }
        self
    }
}

/// Keeps the first items, as many as have room, and tells how many it does not keep.
fn keep<Item: Serialize>(items: &mut Vec<Item>, room: &mut usize) -> usize {
    let fits = |item: &Item| {
        // Serialising these types cannot fail.
        let bytes = serde_json::to_vec(item).map_or(0, |json| json.len() + 1);
        *room = room.checked_sub(bytes)?;
        Some(())
    };
    let kept = items.iter().map_while(fits).count();
    let more = items.len() - kept;
    if more > 0 {
        // What comes after one that was not kept is not kept either.
        *room = 0;
    }
    items.truncate(kept);
    more
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json;

    fn asked(text: &str) -> Result<Vec<&str>, Vec<(String, String)>> {
        let document = json::read(text.as_bytes(), REQUEST).unwrap();
        match requested(&document) {
            Ok(items) => Ok(items.iter().map(|range| &text[range.clone()]).collect()),
            Err(problems) => {
                let told = |it: &FieldProblem| (it.pointer.clone(), it.code.to_string());
                Err(problems.first().iter().map(told).collect())
            }
        }
    }

    #[test]
    fn functions_are_found_where_they_stand() {
        let text = r#" {"functions" : [ {"a":[1,{"b":"]ä"}]} ,null,"x", 1.5e3 ] } "#;
        let expected = [r#"{"a":[1,{"b":"]ä"}]}"#, "null", r#""x""#, "1.5e3"];
        assert_eq!(asked(text).unwrap(), expected);
    }

    #[test]
    fn a_request_asks_for_one_to_a_hundred_functions_and_for_nothing_else() {
        let many = |count: usize| format!(r#"{{"functions": [{}]}}"#, vec!["{}"; count].join(","));
        assert_eq!(asked(&many(100)).unwrap().len(), 100);
        for (text, pointer, code) in [
            ("[]", "", "WRONG_TYPE"),
            ("null", "", "WRONG_TYPE"),
            ("{}", "/functions", "REQUIRED"),
            (r#"{"functions": null}"#, "/functions", "WRONG_TYPE"),
            (r#"{"functions": {"a": {}}}"#, "/functions", "WRONG_TYPE"),
            (&many(0), "/functions", "OUT_OF_RANGE"),
            (&many(101), "/functions", "OUT_OF_RANGE"),
            (&many(200_000), "/functions", "OUT_OF_RANGE"),
            (r#"{"functions": [{}], "wait": 1}"#, "/wait", "UNKNOWN_FIELD"),
        ] {
            let found = asked(text).unwrap_err();
            assert_eq!(found, [(pointer.to_owned(), code.to_owned())], "{text:.80}");
        }
    }

    #[test]
    fn codes_of_fields_and_of_problems_are_both_read() {
        let read = |code: &str| {
            let error = json!({"pointer": "", "code": code, "detail": ""});
            let read: PlanError = serde_json::from_value(error.clone()).unwrap();
            assert_eq!(json!(read), error);
            read.code
        };
        assert!(read("REQUIRED") == PlanErrorCode::Field(FieldProblemCode::Required));
        assert!(read("NOT_OWNED") == PlanErrorCode::Problem(ProblemCode::NotOwned));
        assert!(read("OF_A_LATER_RELEASE").known().is_none());
    }

    #[test]
    fn a_plan_has_a_size_whatever_is_planned() {
        use crate::bundle::CodeSummary;
        use crate::function::FunctionSpec;

        let code = CodeSummary { sha256: "a".into(), size_bytes: 1, inline: false };
        let name = "hello".parse().unwrap();
        let mut target = FunctionSpec::new("hello".parse().unwrap(), code);
        let tags = (0..48).map(|number| (format!("tag-{number}"), "\u{1}".repeat(256)));
        target.tags = tags.collect();
        let plan = Plan::between(OperationKind::Create, &name, None, Some(&target));
        let whole = FunctionPlan::of(plan, None);
        let size = |plan: &FunctionPlan| serde_json::to_vec(plan).unwrap().len();
        let shown =
            |plan: &FunctionPlan| plan.parts.iter().map(|it| it.differences.len()).sum::<usize>();
        assert_eq!(whole.clone().within(MOST_BYTES), whole);
        let cut = whole.clone().within(25_000);
        assert!(size(&whole) > 200_000 && size(&cut) < 26_000, "{}", size(&cut));
        let more: usize = cut.parts.iter().map(|part| part.more).sum();
        assert!(shown(&cut) > 10 && shown(&cut) + more == shown(&whole), "{more}");

        let problems: FieldProblems = (0..200)
            .map(|_| FieldProblem::new("/a", FieldProblemCode::Required, "ä".repeat(1000)))
            .collect();
        let cut = FunctionPlan::invalid(Some(&"x".repeat(9999)), &problems).within(25_000);
        assert!(size(&cut) < 26_000 && cut.errors.len() > 5, "{}", size(&cut));
        assert_eq!(cut.error_count, Some(200));
    }
}

//! Problems: what a caller is told when a request cannot be accepted (RFC 9457).

mod code;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::code::ProblemCode;
use crate::open::Open;
use crate::operation::{OperationId, Rollback};

/// A problem (RFC 9457): the body of every answer of the API that is an error, and why a request by
/// event was refused.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `about:blank`: the code tells what it is.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The same for every problem of this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what to do about it.
    pub detail: String,
    /// Stable name of the problem, for programs.
    pub code: Open<ProblemCode>,
    /// What is wrong with the function, where that is the problem: the first hundred things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// How many things are wrong with the function: `errors` may show fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_count: Option<usize>,
    /// The operation that runs, or that has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// What became of the changes of an operation that has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Open<Rollback>>,
    /// API Gateway's id of the request, by which the API's log can be searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            problem_type: "about:blank".to_owned(),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code: code.into(),
            errors: Vec::new(),
            error_count: None,
            operation_id: None,
            rollback: None,
            request_id: None,
        }
    }

    /// The same with what is wrong with the function.
    #[must_use]
    pub fn with_errors(self, errors: &FieldProblems) -> Self {
        let error_count = Some(errors.count());
        Self { errors: errors.first().to_vec(), error_count, ..self }
    }
}

impl fmt::Display for Problem {
    /// Title, detail, each thing that is wrong with the function on a line of its own, and how many
    /// more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        write!(f, " ({})", self.code)?;
        for error in &self.errors {
            write!(f, "\n{}: {}", error.pointer, error.detail)?;
        }
        match self.error_count.unwrap_or_default().saturating_sub(self.errors.len()) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Why one field of a function is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FieldProblemCode {
    /// The field must be given.
    Required,
    /// The value has another JSON type than the field.
    WrongType,
    /// The value does not have the form that AWS asks for.
    InvalidFormat,
    /// The number, length or size is outside its limits.
    OutOfRange,
    /// The value is not one of those that can be chosen.
    NotSupported,
    /// The name belongs to AWS or to Formation.
    Reserved,
    /// No field of this name is known.
    UnknownField,
    /// The object in S3 that the code refers to cannot be used.
    CodeNotAvailable,
    /// No archive was uploaded under this id by this caller within the last 24 hours.
    UploadNotFound,
    /// The field cannot be changed or must match another.
    Conflict,
}

/// One thing that is wrong with a function, and where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldProblem {
    /// Where: a JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What is wrong, for programs.
    pub code: Open<FieldProblemCode>,
    /// What is wrong and what to do about it, for people. Never holds a value of the environment.
    pub detail: String,
}

/// Characters that are shown of a name that somebody else chose, and of a problem's texts.
const NAME_LENGTH: usize = 128;
const POINTER_LENGTH: usize = 512;
const DETAIL_LENGTH: usize = 1024;

impl FieldProblem {
    /// A problem at `pointer`. Texts that are too long are cut.
    pub fn new(
        pointer: impl Into<String>,
        code: FieldProblemCode,
        detail: impl Into<String>,
    ) -> Self {
        let pointer = cut(pointer.into(), POINTER_LENGTH);
        Self { pointer, code: code.into(), detail: cut(detail.into(), DETAIL_LENGTH) }
    }

    /// The object at the JSON pointer `place` has a field that is not known.
    pub(crate) fn unknown_field(place: &str, field: &str) -> Self {
        let told = "is not a field; check its spelling";
        Self::new(pointer(place, field), FieldProblemCode::UnknownField, told)
    }
}

/// Appends `token` to the JSON pointer `base`, escaped as RFC 6901 section 3 asks. Of a long token
/// the beginning is shown.
pub fn pointer(base: &str, token: &str) -> String {
    let end = token.char_indices().nth(NAME_LENGTH).map_or(token.len(), |(at, _)| at);
    let (token, more) = (&token[..end], if end < token.len() { "…" } else { "" });
    format!("{base}/{}{more}", token.replace('~', "~0").replace('/', "~1"))
}

/// A name that somebody else chose, as far as it is shown.
pub(crate) fn shown_name(name: &str) -> String {
    cut(name.to_owned(), NAME_LENGTH)
}

/// The first characters of a text, and an ellipsis if there are more.
fn cut(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// What is wrong with a function: the first problems, and how many there are. However long a request
/// is, its answer is not: at most [`MOST_SHOWN`](Self::MOST_SHOWN) problems are kept, and of these as
/// many as fit into [`MOST_BYTES`](Self::MOST_BYTES) of JSON.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldProblems {
    first: Vec<FieldProblem>,
    count: usize,
    bytes: usize,
}

impl FieldProblems {
    /// How many problems are kept at the most.
    pub const MOST_SHOWN: usize = 100;
    /// How many bytes the problems have at the most that are kept, as JSON. PutEvents takes 256 KB.
    pub const MOST_BYTES: usize = 128 * 1024;

    /// Notes one more problem.
    pub fn push(&mut self, problem: FieldProblem) {
        // What comes after one that was not kept is not kept either.
        if self.first.len() == self.count && self.count < Self::MOST_SHOWN {
            let bytes = serde_json::to_vec(&problem).map_or(0, |json| json.len() + 1);
            if self.bytes + bytes <= Self::MOST_BYTES {
                self.bytes += bytes;
                self.first.push(problem);
            }
        }
        self.count += 1;
    }

    /// Notes what others have found.
    pub fn append(&mut self, others: Self) {
        let count = self.count + others.count;
        self.extend(others.first);
        self.count = count;
    }

    /// The first problems.
    pub fn first(&self) -> &[FieldProblem] {
        &self.first
    }

    pub(crate) fn first_mut(&mut self) -> &mut [FieldProblem] {
        &mut self.first
    }

    /// How many problems there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there is no problem.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Extend<FieldProblem> for FieldProblems {
    fn extend<T: IntoIterator<Item = FieldProblem>>(&mut self, problems: T) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl FromIterator<FieldProblem> for FieldProblems {
    fn from_iter<T: IntoIterator<Item = FieldProblem>>(problems: T) -> Self {
        let mut all = Self::default();
        all.extend(problems);
        all
    }
}

impl From<Vec<FieldProblem>> for FieldProblems {
    fn from(problems: Vec<FieldProblem>) -> Self {
        problems.into_iter().collect()
    }
}

impl From<FieldProblem> for FieldProblems {
    fn from(problem: FieldProblem) -> Self {
        vec![problem].into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str) -> FieldProblem {
        FieldProblem::unknown_field("", name)
    }

    #[test]
    fn pointers_are_escaped_and_long_names_cut() {
        assert_eq!(pointer("/tags", "a/b~c"), "/tags/a~1b~0c");
        assert_eq!(pointer("", &"ä".repeat(128)), format!("/{}", "ä".repeat(128)));
        assert_eq!(pointer("", &"ä".repeat(129)), format!("/{}…", "ä".repeat(128)));
        let long =
            FieldProblem::new("x".repeat(9999), FieldProblemCode::Required, "ä".repeat(9999));
        assert!(long.pointer.len() < 600 && long.detail.chars().count() < 1100);
    }

    #[test]
    fn a_problem_is_told_with_every_field() {
        let told = FieldProblem::new("/runtime", FieldProblemCode::NotSupported, "is unknown");
        let problem = Problem::new(ProblemCode::InvalidFunction, "D").with_errors(&told.into());
        let first = "The request is not valid: D (INVALID_FUNCTION)\n/runtime: is unknown";
        assert_eq!(problem.to_string(), first);
        let more = Problem { error_count: Some(102), ..problem };
        assert_eq!(more.to_string(), format!("{first}\nand 101 more"));
    }

    #[test]
    fn the_first_problems_are_kept_and_all_are_counted() {
        let mut problems: FieldProblems = (0..99).map(|n| problem(&n.to_string())).collect();
        assert_eq!((problems.first().len(), problems.count()), (99, 99));
        problems.append((0..5000).map(|n| problem(&n.to_string())).collect());
        assert_eq!((problems.first().len(), problems.count()), (100, 5099));
        problems.append(problem("x").into());
        assert_eq!((problems.first().len(), problems.count()), (100, 5100));
    }

    #[test]
    fn problems_have_a_size_whatever_names_they_have() {
        // Six bytes for each character.
        let detail = "\u{1}".repeat(2000);
        let name = "\u{1}".repeat(2000);
        let long = || FieldProblem::new(pointer("", &name), FieldProblemCode::Required, &*detail);
        let problems: FieldProblems = (0..200).map(|_| long()).collect();
        let bytes = serde_json::to_vec(problems.first()).unwrap().len();
        assert!(bytes <= FieldProblems::MOST_BYTES + 1, "{bytes}");
        assert!(problems.first().len() > 10 && problems.count() == 200);
    }
}

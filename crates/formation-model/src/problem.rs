//! Problems: what a caller is told when a request cannot be accepted (RFC 9457).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The stable `code` of a refused request. Clients match on it; the text beside it may change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProblemCode {
    /// 400: the body is not one well-formed JSON document.
    MalformedJson,
    /// 400: a query parameter or header has a value that cannot be used.
    InvalidParameter,
    /// 400: `nextToken` was not issued for this request.
    InvalidNextToken,
    /// 404: no function of that name.
    FunctionNotFound,
    /// 404: the function has no operation of that id.
    OperationNotFound,
    /// 404: no such path.
    RouteNotFound,
    /// 405: the path is there, but not with this method.
    MethodNotAllowed,
    /// 409: there is a function of that name already.
    FunctionExists,
    /// 409: another operation on the function is running.
    OperationInProgress,
    /// 409: the function has no good state yet that could be changed.
    NeverAvailable,
    /// 409: the function has `deletionProtection`.
    DeletionProtected,
    /// 409: the operation has ended, or only goes back or forward by its nature.
    NotCancellable,
    /// 412: the function is not at the revision that the request asks for.
    PreconditionFailed,
    /// 413: the body is larger than 6 MB.
    BodyTooLarge,
    /// 415: the body is not `application/json`.
    UnsupportedMediaType,
    /// 422: the function is not valid; `errors` lists every reason.
    InvalidFunction,
    /// 422: the idempotency key came with another request before.
    IdempotencyKeyReused,
    /// 428: the request must say which revision it is for.
    PreconditionRequired,
    /// 500: Formation's own fault; the request's id finds the cause in the logs.
    InternalError,
    /// 503: AWS throttles or cannot be reached; the same request may succeed later.
    ServiceUnavailable,
    // What an operation failed with: its `error.code`, and the answer to a request that waited.
    /// 409: a resource of that name is somebody else's.
    NotOwned,
    /// 409: a quota of the account is used up.
    QuotaExceeded,
    /// 409: somebody cancelled the operation.
    Cancelled,
    /// 422: AWS refused the specification.
    Rejected,
    /// 500: the stack's own permissions do not allow a call.
    AccessDenied,
    /// 500: a step failed in a way that nobody foresaw.
    Unexpected,
    /// 503: AWS was still at it when the patience ended.
    NotReady,
    /// 503: AWS limited the rate of calls longer than the patience lasted.
    Throttled,
    /// 503: AWS could not be reached or failed.
    Transient,
    /// 503: the operation's execution was stopped or died.
    Interrupted,
    /// 504: a step ran out of time.
    TimedOut,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: [Self; 31] = [
        Self::MalformedJson,
        Self::InvalidParameter,
        Self::InvalidNextToken,
        Self::FunctionNotFound,
        Self::OperationNotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::FunctionExists,
        Self::OperationInProgress,
        Self::NeverAvailable,
        Self::DeletionProtected,
        Self::NotCancellable,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidFunction,
        Self::IdempotencyKeyReused,
        Self::PreconditionRequired,
        Self::InternalError,
        Self::ServiceUnavailable,
        Self::NotOwned,
        Self::QuotaExceeded,
        Self::Cancelled,
        Self::Rejected,
        Self::AccessDenied,
        Self::Unexpected,
        Self::NotReady,
        Self::Throttled,
        Self::Transient,
        Self::Interrupted,
        Self::TimedOut,
    ];

    /// The code of an operation's error.
    pub fn of_failure(code: &str) -> Self {
        serde_json::from_value(code.into()).unwrap_or(Self::Unexpected)
    }

    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedJson | Self::InvalidParameter | Self::InvalidNextToken => 400,
            Self::FunctionNotFound | Self::OperationNotFound | Self::RouteNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::FunctionExists
            | Self::OperationInProgress
            | Self::NeverAvailable
            | Self::DeletionProtected
            | Self::NotCancellable
            | Self::NotOwned
            | Self::QuotaExceeded
            | Self::Cancelled => 409,
            Self::PreconditionFailed => 412,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::InvalidFunction | Self::IdempotencyKeyReused | Self::Rejected => 422,
            Self::PreconditionRequired => 428,
            Self::InternalError | Self::AccessDenied | Self::Unexpected => 500,
            Self::ServiceUnavailable
            | Self::NotReady
            | Self::Throttled
            | Self::Transient
            | Self::Interrupted => 503,
            Self::TimedOut => 504,
        }
    }

    /// The `title` of the problem: the same for every problem of this code.
    pub const fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is not well-formed JSON",
            Self::InvalidParameter => "A parameter of the request is not valid",
            Self::InvalidNextToken => "The token was not issued for this request",
            Self::FunctionNotFound => "No such function",
            Self::OperationNotFound => "No such operation",
            Self::RouteNotFound => "No such resource",
            Self::MethodNotAllowed => "The method is not allowed here",
            Self::FunctionExists => "The function exists already",
            Self::OperationInProgress => "Another operation is running",
            Self::NeverAvailable => "The function was never available",
            Self::DeletionProtected => "The function is protected from deletion",
            Self::NotCancellable => "The operation cannot be cancelled",
            Self::PreconditionFailed => "The function is at another revision",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body must be JSON",
            Self::InvalidFunction => "The function is not valid",
            Self::IdempotencyKeyReused => "The idempotency key was used for another request",
            Self::PreconditionRequired => "The request must be conditional",
            Self::InternalError => "Internal error",
            Self::ServiceUnavailable => "AWS cannot serve the request now",
            Self::NotOwned => "A resource of that name is somebody else's",
            Self::QuotaExceeded => "A quota of the account is used up",
            Self::Cancelled => "The operation was cancelled",
            Self::Rejected => "AWS refused the function",
            Self::AccessDenied => "The stack lacks a permission",
            Self::Unexpected => "The operation failed unexpectedly",
            Self::NotReady => "AWS was not ready in time",
            Self::Throttled => "AWS limits the rate of calls",
            Self::Transient => "AWS failed or could not be reached",
            Self::Interrupted => "The operation was interrupted",
            Self::TimedOut => "A step ran out of time",
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
        let first = "The function is not valid: D (INVALID_FUNCTION)\n/runtime: is unknown";
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

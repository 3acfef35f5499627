//! Problems: what a caller is told when a request cannot be accepted (RFC 9457).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    pub code: FieldProblemCode,
    /// What is wrong and what to do about it, for people. Never holds a value of the environment.
    pub detail: String,
}

impl FieldProblem {
    /// A problem at `pointer`.
    pub fn new(
        pointer: impl Into<String>,
        code: FieldProblemCode,
        detail: impl Into<String>,
    ) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// Appends `token` to the JSON pointer `base`, escaped as RFC 6901 section 3 asks.
pub fn pointer(base: &str, token: &str) -> String {
    format!("{base}/{}", token.replace('~', "~0").replace('/', "~1"))
}

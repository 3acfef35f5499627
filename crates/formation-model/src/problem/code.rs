//! The codes of problems, each with what goes with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The stable `code` of a refused request. Clients match on it; the text beside it may change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProblemCode {
    /// The body is not one well-formed JSON document.
    MalformedJson,
    /// A query parameter or header has a value that cannot be used.
    InvalidParameter,
    /// `nextToken` was not issued for this request.
    InvalidNextToken,
    /// No function of that name.
    FunctionNotFound,
    /// The function has no operation of that id.
    OperationNotFound,
    /// The function has no revision of that number that is kept.
    RevisionNotFound,
    /// No such path.
    RouteNotFound,
    /// The path is there, but not with this method.
    MethodNotAllowed,
    /// There is a function of that name already.
    FunctionExists,
    /// Another operation on the function is running.
    OperationInProgress,
    /// The function has no good state yet that could be changed.
    NeverAvailable,
    /// The function has `deletionProtection`.
    DeletionProtected,
    /// The operation has ended, or only goes back or forward by its nature.
    NotCancellable,
    /// The function is not at the revision that the request asks for.
    PreconditionFailed,
    /// The body is larger than 6 MB.
    BodyTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// What was sent of a function, an upload or a plan is not valid; `errors` lists every reason.
    InvalidFunction,
    /// No archive was uploaded under this id by this caller within the last 24 hours.
    UploadNotFound,
    /// The idempotency key came with another request before.
    IdempotencyKeyReused,
    /// The request must say which revision it is for.
    PreconditionRequired,
    /// Formation's own fault; the request's id finds the cause in the logs.
    InternalError,
    /// AWS throttles or cannot be reached; the same request may succeed later.
    ServiceUnavailable,
    // What an operation failed with: its `error.code`, and the answer to a request that waited.
    /// A resource of that name is somebody else's.
    NotOwned,
    /// A quota of the account is used up.
    QuotaExceeded,
    /// Somebody cancelled the operation.
    Cancelled,
    /// AWS refused the specification.
    Rejected,
    /// The stack's own permissions do not allow a call.
    AccessDenied,
    /// A step failed in a way that was not foreseen.
    Unexpected,
    /// AWS was still at it when the patience ended.
    NotReady,
    /// AWS limited the rate of calls longer than the patience lasted.
    Throttled,
    /// AWS could not be reached or failed.
    Transient,
    /// The operation's execution was stopped or died.
    Interrupted,
    /// A step ran out of time.
    TimedOut,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: [Self; 33] = [
        Self::MalformedJson,
        Self::InvalidParameter,
        Self::InvalidNextToken,
        Self::FunctionNotFound,
        Self::OperationNotFound,
        Self::RevisionNotFound,
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
        Self::UploadNotFound,
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
        self.row().0
    }

    /// The `title` of the problem: the same for every problem of this code.
    pub const fn title(self) -> &'static str {
        self.row().1
    }

    /// What to do about it, for people.
    pub const fn remedy(self) -> &'static str {
        self.row().2
    }

    /// Status, title and remedy.
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::MalformedJson => (
                400,
                "The body is not well-formed JSON",
                "Send one JSON document in UTF-8, without a byte order mark and with no key twice in an object; `detail` says where it is at fault.",
            ),
            Self::InvalidParameter => (
                400,
                "A parameter of the request is not valid",
                "`detail` names the parameter or header and what it takes.",
            ),
            Self::InvalidNextToken => (
                400,
                "The token was not issued for this request",
                "Begin the list anew, without `nextToken`; keep all other parameters the same from page to page.",
            ),
            Self::FunctionNotFound => (
                404,
                "No such function",
                "Check the name; `GET /v1/functions` lists those that are there.",
            ),
            Self::OperationNotFound => (
                404,
                "No such operation",
                "Check the id; `GET .../operations` lists those of the last 90 days.",
            ),
            Self::RevisionNotFound => (
                404,
                "No such revision",
                "Check the number; `GET .../revisions` lists those that are kept, the stack's newest `RevisionsKept`.",
            ),
            Self::RouteNotFound => (
                404,
                "No such resource",
                "Check the path: it must be spelled as `/v1/openapi.json` has it, letter by letter, without encoded characters in names.",
            ),
            Self::MethodNotAllowed => (
                405,
                "The method is not allowed here",
                "The header `Allow` has the methods of this path.",
            ),
            Self::FunctionExists => (
                409,
                "The function exists already",
                "Change it with PATCH or PUT, or take another name.",
            ),
            Self::OperationInProgress => (
                409,
                "Another operation is running",
                "Wait for the operation that `Operation-Location` names, or cancel it first, then send the request again.",
            ),
            Self::NeverAvailable => (
                409,
                "The function was never available",
                "Its create failed and could not be undone whole. `POST .../repair` or DELETE finishes that; then create it anew.",
            ),
            Self::DeletionProtected => (
                409,
                "The function is protected from deletion",
                "Set `deletionProtection` to false first.",
            ),
            Self::NotCancellable => (
                409,
                "The operation cannot be cancelled",
                "Wait for its end. A delete cannot be taken back; create the function anew.",
            ),
            Self::PreconditionFailed => (
                412,
                "The function is at another revision",
                "Read the function again, and decide with its new ETag.",
            ),
            Self::BodyTooLarge => (
                413,
                "The body is too large",
                "Upload the archive (`POST /v1/uploads`) and send its `uploadId` as the code.",
            ),
            Self::UnsupportedMediaType => {
                (415, "The body must be JSON", "Send the body as `application/json`.")
            }
            Self::InvalidFunction => (
                422,
                "The request is not valid",
                "`errors` says what is wrong, and where; mend all of it and send the request again.",
            ),
            Self::UploadNotFound => (
                422,
                "There is no such upload",
                "Ask for a new one (`POST /v1/uploads`), put the archive to its URL, and send its `uploadId` as the same role or user within 24 hours.",
            ),
            Self::IdempotencyKeyReused => (
                422,
                "The idempotency key was used for another request",
                "Take a new key for each new request, and the same one only to repeat the very same request.",
            ),
            Self::PreconditionRequired => (
                428,
                "The request must be conditional",
                "PUT takes `If-Match` with the ETag that was seen, or `If-None-Match: *` to create.",
            ),
            Self::InternalError => (
                500,
                "Internal error",
                "Tell the stack's operator the `requestId`: the api Lambda's log has the cause.",
            ),
            Self::ServiceUnavailable => (
                503,
                "AWS cannot serve the request now",
                "Send it again after `Retry-After`, a change under the same `Idempotency-Key`.",
            ),
            Self::NotOwned => (
                409,
                "A resource of that name is somebody else's",
                "Something of that name is there and not Formation's. Take another name, or have its owner remove it; of a part that was taken from Formation, have its tags given back.",
            ),
            Self::QuotaExceeded => (
                409,
                "A quota of the account is used up",
                "`error.awsErrorCode` says which; have it raised in Service Quotas, or delete what is not needed.",
            ),
            Self::Cancelled => (
                409,
                "The operation was cancelled",
                "Nothing: it was undone as somebody asked. Send the request again if it is still wanted.",
            ),
            Self::Rejected => (
                422,
                "AWS refused the function",
                "`error.message` has AWS's reason; mend the request and send it again.",
            ),
            Self::AccessDenied => (
                500,
                "The stack lacks a permission",
                "Tell the stack's operator: `error.awsRequestId` finds the call in CloudTrail. A policy of the organisation, or a changed role of the stack, denies it.",
            ),
            Self::Unexpected => (
                500,
                "The operation failed unexpectedly",
                "Tell the stack's operator the operation's id: its execution and the step's log have the cause.",
            ),
            Self::NotReady => (
                503,
                "AWS was not ready in time",
                "Send the request again; if it goes on, `steps` says what AWS was waited for.",
            ),
            Self::Throttled => (
                503,
                "AWS limits the rate of calls",
                "Send the request again later. Lambda's control plane takes 15 calls a second from all tools of the account together.",
            ),
            Self::Transient => {
                (503, "AWS failed or could not be reached", "Send the request again later.")
            }
            Self::Interrupted => (
                503,
                "The operation was interrupted",
                "Its execution was stopped, and it was undone or finished as far as `rollback` says. Send the request again if it is still wanted.",
            ),
            Self::TimedOut => (
                504,
                "A step ran out of time",
                "Send the request again; if it goes on, tell the stack's operator the operation's id.",
            ),
        }
    }
}

//! Why a request is not accepted, whichever door it came through.

use formation_aws::{AwsError, ErrorKind};
use formation_model::{ErrorName, FieldProblems, FunctionName, OperationId, ProblemCode};
use formation_resources::ResourceError;

use crate::version_tag::VersionTag;

/// Why a request is not accepted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// What was sent of a function, or besides one, is not valid.
    #[error("the request has {} problem(s); see errors", .0.count())]
    InvalidFunction(FieldProblems),
    /// The code was not uploaded, or not by this caller, or too long ago.
    #[error(
        "there is no such upload: ask for a new one, put the archive to its URL, and try again"
    )]
    UploadNotFound(FieldProblems),
    /// There is no such function.
    #[error("there is no function {0}")]
    FunctionNotFound(FunctionName),
    /// There is no such operation.
    #[error("the function {function} has no operation {operation}")]
    OperationNotFound {
        /// The function.
        function: FunctionName,
        /// What was asked for.
        operation: OperationId,
    },
    /// There is no such revision, or it is not kept any more.
    #[error("the function {function} has no revision {revision} that is kept")]
    RevisionNotFound {
        /// The function.
        function: FunctionName,
        /// What was asked for.
        revision: u64,
    },
    /// There is a function of that name.
    #[error("there is a function {0} already; update or delete it, or choose another name")]
    FunctionExists(FunctionName),
    /// One operation at a time.
    #[error(
        "the operation {operation} on the function {function} is running; try again when it has ended"
    )]
    OperationInProgress {
        /// The function.
        function: FunctionName,
        /// The operation that runs.
        operation: OperationId,
    },
    /// There is no good state to update from.
    #[error("the function {0} was never made completely; repair or delete it")]
    NeverAvailable(FunctionName),
    /// The condition does not hold: the function has been changed since the caller saw it.
    #[error("the function {function} is at version {version_tag}, which is not what was asked for")]
    ConditionFailed {
        /// The function.
        function: FunctionName,
        /// Its version now.
        version_tag: VersionTag,
    },
    /// The function must not be deleted.
    #[error("the function {0} has deletionProtection; set it to false first")]
    DeletionProtected(FunctionName),
    /// The operation does not go forward any more.
    #[error("the operation {operation} cannot be cancelled: {reason}")]
    NotCancellable {
        /// The operation.
        operation: OperationId,
        /// Why.
        reason: &'static str,
    },
    /// The request's key came with another request before.
    #[error("the request's key was used for another request within the last 48 hours")]
    KeyReused,
    /// A page token that was not issued for this list.
    #[error("nextToken was not issued for this list with these filters; begin without it")]
    InvalidNextToken,
    /// A call to AWS failed.
    #[error("a call to AWS failed")]
    Aws(#[from] AwsError),
    /// What AWS holds for the function is not ours, or cannot be told now.
    #[error("{}", match .0.name() {
        ErrorName::NotOwned => .0.to_string(),
        _ => "AWS cannot be asked now what it holds for the function; try again".to_owned(),
    })]
    Resource(#[source] Box<ResourceError>),
    /// What the boundary of functions allows cannot be told now.
    #[error("AWS cannot be asked now what the stack's permissions boundary allows; try again")]
    BoundaryUnknown(#[source] Box<ResourceError>),
    /// What is stored cannot be read, or cannot be written as it is.
    #[error("a record cannot be read or written: {0}")]
    Record(String),
}

impl Refusal {
    /// What is wrong with what was sent, where that is the problem.
    pub fn errors(&self) -> Option<&FieldProblems> {
        match self {
            Self::InvalidFunction(errors) | Self::UploadNotFound(errors) => Some(errors),
            _ => None,
        }
    }

    /// The stable code of the problem.
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::InvalidFunction(_) => ProblemCode::InvalidFunction,
            Self::UploadNotFound(_) => ProblemCode::UploadNotFound,
            Self::FunctionNotFound(_) => ProblemCode::FunctionNotFound,
            Self::OperationNotFound { .. } => ProblemCode::OperationNotFound,
            Self::RevisionNotFound { .. } => ProblemCode::RevisionNotFound,
            Self::FunctionExists(_) => ProblemCode::FunctionExists,
            Self::OperationInProgress { .. } => ProblemCode::OperationInProgress,
            Self::NeverAvailable(_) => ProblemCode::NeverAvailable,
            Self::ConditionFailed { .. } => ProblemCode::PreconditionFailed,
            Self::DeletionProtected(_) => ProblemCode::DeletionProtected,
            Self::NotCancellable { .. } => ProblemCode::NotCancellable,
            Self::KeyReused => ProblemCode::IdempotencyKeyReused,
            Self::InvalidNextToken => ProblemCode::InvalidNextToken,
            Self::Aws(error) => match error.kind {
                ErrorKind::Throttled | ErrorKind::Transient => ProblemCode::ServiceUnavailable,
                ErrorKind::AccessDenied | ErrorKind::QuotaExceeded | ErrorKind::Refused => {
                    ProblemCode::InternalError
                }
            },
            Self::Resource(error) => match error.name() {
                ErrorName::NotOwned => ProblemCode::NotOwned,
                _ => ProblemCode::ServiceUnavailable,
            },
            Self::BoundaryUnknown(_) => ProblemCode::ServiceUnavailable,
            Self::Record(_) => ProblemCode::InternalError,
        }
    }
}

impl From<ResourceError> for Refusal {
    fn from(error: ResourceError) -> Self {
        Self::Resource(Box::new(error))
    }
}

impl From<serde_dynamo::Error> for Refusal {
    /// The error's text may hold a value of the record, so only that it happened is kept.
    fn from(_: serde_dynamo::Error) -> Self {
        Self::Record("it does not have the form that this release knows".to_owned())
    }
}

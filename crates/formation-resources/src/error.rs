//! What can be wrong with a resource, in the words of the state machine.

use formation_aws::{AwsError, ErrorKind};
use formation_model::ErrorName;

/// Why a resource could not be brought to its target or removed.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// A resource of that name is somebody else's.
    #[error(
        "{what} exists and does not carry this stack's tags for this function; it was left untouched"
    )]
    NotOwned {
        /// What was found, for example `the log group /aws/lambda/hello`.
        what: String,
    },
    /// AWS is still at it; the same call may succeed later.
    #[error("{what}")]
    NotReady {
        /// What is not ready yet.
        what: String,
        /// The refusal that told so, if one did.
        #[source]
        source: Option<AwsError>,
    },
    /// AWS accepted the specification and then could not run it.
    #[error("{reason}")]
    Rejected {
        /// AWS's reason.
        reason: String,
    },
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl ResourceError {
    /// Something that is not ready, without a refusal that tells so.
    pub fn not_ready(what: impl Into<String>) -> Self {
        Self::NotReady { what: what.into(), source: None }
    }

    /// The name by which the state machine knows it.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::NotOwned { .. } => ErrorName::NotOwned,
            Self::NotReady { .. } => ErrorName::NotReady,
            Self::Rejected { .. } => ErrorName::Rejected,
            Self::Aws(error) => match error.kind {
                ErrorKind::Throttled => ErrorName::Throttled,
                ErrorKind::Transient => ErrorName::Transient,
                ErrorKind::AccessDenied => ErrorName::AccessDenied,
                ErrorKind::QuotaExceeded => ErrorName::QuotaExceeded,
                ErrorKind::Refused => ErrorName::Rejected,
            },
        }
    }

    /// The call to AWS that told so, if one did.
    pub fn aws(&self) -> Option<&AwsError> {
        match self {
            Self::Aws(error) => Some(error),
            Self::NotReady { source, .. } => source.as_ref(),
            Self::NotOwned { .. } | Self::Rejected { .. } => None,
        }
    }
}

/// Whether the refusal to delete something may only mean that it is gone already. The policies of
/// our Lambdas allow deleting what carries the stack's tag; what does not exist carries none, so
/// the second try of a delete whose answer was lost is denied. The caller looks whether it is so.
pub(crate) fn may_be_gone(error: &AwsError) -> bool {
    error.kind == ErrorKind::AccessDenied
}

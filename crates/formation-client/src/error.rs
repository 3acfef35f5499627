//! Why a request has no other answer.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use formation_model::{Operation, Problem, ProblemCode};
use http::StatusCode;

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL cannot be one of an API. It is not repeated, since there may be a password in it.
    #[error(
        "the API's URL must be https://HOST or https://HOST/STAGE, without user, query or `..`"
    )]
    InvalidUrl,
    /// The URL leads elsewhere than to API Gateway, and was not given explicitly.
    #[error(
        "requests, with the environment of functions and session tokens, would go to {0}, which is not \
         https below amazonaws.com: give the URL explicitly if that is right"
    )]
    UntrustedUrl(String),
    /// The file of certificates cannot be used.
    #[error("the CA bundle cannot be used: {0}")]
    CaBundle(String),
    /// The system has no CA certificates, so that no server could be trusted.
    #[error(
        "the system has no CA certificates: install them, or name a file of them by AWS_CA_BUNDLE"
    )]
    NoCertificates,
}

/// Why a request has no other answer. Neither a secret nor a body that was sent is ever part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The API refused the request, or the operation that was waited for has failed.
    #[error("{problem}")]
    Problem {
        /// What it said.
        problem: Box<Problem>,
        /// How long it asks to wait before the next request.
        retry_after: Option<Duration>,
    },
    /// API Gateway, or something else before the API, answered in its place.
    #[error("{status}: {message}")]
    Gateway {
        /// The HTTP status: 403 where IAM does not allow the request.
        status: StatusCode,
        /// What it said.
        message: String,
        /// How long it asks to wait before the next request.
        retry_after: Option<Duration>,
    },
    /// S3 refused what was put to a link.
    #[error("S3 answers {status}: {code}")]
    Storage {
        /// The HTTP status: 403 where the link has ended.
        status: StatusCode,
        /// S3's code, for example `AccessDenied`.
        code: String,
    },
    /// The request or its answer was lost on the way. What was asked for may have been accepted.
    #[error("the API cannot be reached")]
    Transport(#[source] ConnectorError),
    /// No answer came in time. What was asked for may have been accepted.
    #[error("the API has not answered within {0:?}")]
    Timeout(Duration),
    /// There are no credentials to sign with.
    #[error("there are no AWS credentials")]
    Credentials(#[source] CredentialsError),
    /// The request could not be signed.
    #[error("the request cannot be signed")]
    Signing(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request was not sent: it has a value that none can have.
    #[error("{0}")]
    InvalidRequest(String),
    /// The answer is not one of the API's.
    #[error("the answer ({status}) cannot be read: {reason}")]
    Unreadable {
        /// The HTTP status.
        status: StatusCode,
        /// What is wrong with it; nothing of what it says.
        reason: String,
    },
    /// The operation has not ended in the time that there was to wait for it.
    #[error("operation {} is still running", .0.operation_id)]
    StillRunning(Box<Operation>),
}

impl ClientError {
    /// Whether the same request may succeed later, without anybody doing anything about it.
    ///
    /// What an operation failed with is not passing: repeating the request would answer the same
    /// operation.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Problem { problem, .. } => {
                problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16()
                    && problem.operation_id.is_none()
            }
            Self::Gateway { status, .. } => {
                *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
            }
            // 409: somebody puts the same at the same time, which may fail yet.
            Self::Storage { status, code } => {
                *status == StatusCode::CONFLICT
                    || *status == StatusCode::TOO_MANY_REQUESTS
                    || status.is_server_error()
                    || code == "RequestTimeout"
            }
            Self::Transport(error) => !is_refused_by_tls(error) && !error.is_user(),
            Self::Timeout(_) => true,
            Self::Credentials(_)
            | Self::Signing(_)
            | Self::InvalidRequest(_)
            | Self::Unreadable { .. }
            | Self::StillRunning(_) => false,
        }
    }

    /// How long the API, or API Gateway, asks to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem { retry_after, .. } | Self::Gateway { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The problem that the API answered, where it answered one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// The code of the problem, where it is one that this release knows.
    pub fn code(&self) -> Option<ProblemCode> {
        self.problem().and_then(|problem| problem.code.known().copied())
    }
}

/// Whether TLS refused the other side, which it will do again.
fn is_refused_by_tls(error: &ConnectorError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An I/O error's source is that of the error in it.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use formation_model::OperationId;
    use serde_json::json;

    use super::*;

    fn problem(status: u16, more: serde_json::Value) -> ClientError {
        let mut body = json!({
            "type": "about:blank", "title": "T", "status": status, "detail": "D",
            "code": "A_NEW_CODE",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = Box::new(serde_json::from_value(body).unwrap());
        ClientError::Problem { problem, retry_after: None }
    }

    #[test]
    fn what_an_operation_failed_with_does_not_pass() {
        assert!(problem(503, json!({})).is_transient());
        let id = OperationId::generate();
        assert!(!problem(503, json!({"operationId": id, "rollback": "COMPLETE"})).is_transient());
        assert!(!problem(409, json!({"operationId": id})).is_transient());
        assert!(!problem(500, json!({})).is_transient());
    }

    #[test]
    fn what_api_gateway_answers_passes_unless_it_is_a_refusal() {
        for (status, passes) in [(403, false), (413, false), (429, true), (500, true), (503, true)]
        {
            let error = ClientError::Gateway {
                status: StatusCode::from_u16(status).unwrap(),
                message: String::new(),
                retry_after: None,
            };
            assert_eq!(error.is_transient(), passes, "{status}");
        }
    }
}

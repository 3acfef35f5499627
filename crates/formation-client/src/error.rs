//! Why a request has no other answer.

use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use formation_model::{FieldProblemCode, OperationId, ProblemCode, Rollback};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::open::Open;
use crate::views::Operation;

/// Why a request has no other answer. Neither a secret nor a body that was sent is ever part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The API refused the request, or the operation that was waited for has failed.
    #[error("{0}")]
    Problem(Box<Problem>),
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
            Self::Problem(problem) => {
                problem.status == StatusCode::SERVICE_UNAVAILABLE && problem.operation.is_none()
            }
            Self::Gateway { status, .. } => {
                *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
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
            Self::Problem(problem) => problem.retry_after,
            Self::Gateway { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The code of the problem, where it is one that this release knows.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Problem(problem) => problem.code.known().copied(),
            _ => None,
        }
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

/// A problem (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `about:blank`: the code tells what it is.
    #[serde(rename = "type", default)]
    pub problem_type: String,
    /// The same for every problem of this code.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(with = "status")]
    pub status: StatusCode,
    /// What is wrong with this request, and what to do about it.
    #[serde(default)]
    pub detail: String,
    /// Stable name of the problem, for programs.
    pub code: Open<ProblemCode>,
    /// What is wrong with the function, where that is the problem; the first of it, if it is much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// How many things are wrong with the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_count: Option<u64>,
    /// The operation that runs, or that has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// What became of the changes of an operation that has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Open<Rollback>>,
    /// API Gateway's id of the request, by which the API's log can be searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The answer's `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
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
        match self.error_count.unwrap_or_default().saturating_sub(self.errors.len() as u64) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// One thing that is wrong with a function, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// Where: a JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What is wrong, for programs.
    pub code: Open<FieldProblemCode>,
    /// What is wrong and what to do about it, for people.
    pub detail: String,
}

mod status {
    use http::StatusCode;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        status: &StatusCode,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<StatusCode, D::Error> {
        StatusCode::from_u16(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(status: u16, more: serde_json::Value) -> ClientError {
        let mut body = json!({"title": "T", "status": status, "detail": "D", "code": "A_NEW_CODE"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ClientError::Problem(Box::new(serde_json::from_value(body).unwrap()))
    }

    #[test]
    fn what_an_operation_failed_with_does_not_pass() {
        assert!(problem(503, json!({})).is_transient());
        let id = OperationId::generate();
        assert!(!problem(503, json!({"operation": id, "rollback": "COMPLETE"})).is_transient());
        assert!(!problem(409, json!({"operation": id})).is_transient());
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

    #[test]
    fn a_problem_is_told_with_every_field() {
        let told = problem(
            422,
            json!({"errors": [{"pointer": "/runtime", "code": "X", "detail": "is unknown"}]}),
        );
        assert_eq!(told.to_string(), "T: D (A_NEW_CODE)\n/runtime: is unknown");
        assert_eq!(told.code(), None);
        let error = json!({"pointer": "/tags/a", "code": "X", "detail": "is too long"});
        let first = problem(422, json!({"errors": [error], "errorCount": 102}));
        assert_eq!(first.to_string(), "T: D (A_NEW_CODE)\n/tags/a: is too long\nand 101 more");
    }
}

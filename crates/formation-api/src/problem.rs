//! Errors as `application/problem+json` (RFC 9457).

use formation_aws::Chain;
use formation_control::Refusal;
use formation_model::{
    FieldProblem, FieldProblemCode, FunctionName, Operation, Problem, ProblemCode,
};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use crate::answer::{Answered, empty, etag};
use crate::paths::{OPERATION_LOCATION, operation_path};

/// Seconds after which a busy function is worth another try.
pub(crate) const RETRY_AFTER_SECONDS: u64 = 2;

/// Why a request gets no other answer.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// What the operation or the record said.
    Refused(Refusal),
    /// If-Match or If-None-Match asks for something else than what there is.
    PreconditionFailed(String),
    /// The body is not JSON.
    MalformedJson(String),
    /// The body is declared as something else.
    UnsupportedMediaType,
    /// The body is larger than Lambda takes.
    BodyTooLarge,
    /// The operation that was waited for has failed.
    OperationFailed(Box<Operation>),
    /// A query parameter is unknown or has no such value.
    InvalidParameter(String),
    /// PUT needs a condition.
    PreconditionRequired,
    /// The body names another function than the path.
    OtherName(FunctionName),
    /// The path names a function or operation in a way that none can have.
    NotFound(ProblemCode),
    /// No such path.
    RouteNotFound,
    /// No such method on this path.
    MethodNotAllowed {
        /// Those that it has.
        allow: String,
    },
    /// AWS did not answer before the time was over.
    OutOfTime,
    /// API Gateway verified no caller.
    NoCaller,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ConditionFailed { version_tag, .. } => {
                Self::PreconditionFailed(format!("the function is at {}", etag(&version_tag)))
            }
            refusal => Self::Refused(refusal),
        }
    }
}

tokio::task_local! {
    /// The id of the request that is being answered.
    pub(crate) static REQUEST_ID: Option<String>;
}

/// What a refusal is told as, of a request and of one function that is planned: its code, and what is
/// wrong, for people.
pub(crate) fn told(refusal: &Refusal) -> (ProblemCode, String) {
    let code = refusal.code();
    let detail = match refusal {
        _ if code == ProblemCode::InternalError => in_the_log(),
        Refusal::KeyReused => {
            "this Idempotency-Key was used for another request within the last 48 hours".to_owned()
        }
        Refusal::OperationInProgress { function, operation } => {
            let path = operation_path(function, *operation);
            format!("{refusal}, or cancel it first (POST {path}/cancel), if it is no delete")
        }
        _ => refusal.to_string(),
    };
    (code, detail)
}

/// Of a fault of our own the log tells the cause, and the answer where to look for it.
fn in_the_log() -> String {
    match REQUEST_ID.try_with(Clone::clone).ok().flatten() {
        Some(id) => format!("the cause is in the API's log, under the requestId {id}"),
        None => "the cause is in the API's log".to_owned(),
    }
}

impl ApiError {
    /// The answer that tells it.
    pub(crate) fn into_response(self) -> Answered {
        let (code, detail) = match &self {
            Self::Refused(refusal) => told(refusal),
            Self::PreconditionFailed(there) => (
                ProblemCode::PreconditionFailed,
                format!("{there}, which is not what If-Match or If-None-Match asks for"),
            ),
            Self::MalformedJson(reason) => (ProblemCode::MalformedJson, reason.clone()),
            Self::UnsupportedMediaType => (
                ProblemCode::UnsupportedMediaType,
                "send the body with Content-Type: application/json".to_owned(),
            ),
            Self::BodyTooLarge => (
                ProblemCode::BodyTooLarge,
                "a body must not be larger than 6 MB, nor a zip archive in one than 3 MB; upload larger \
                 code (POST /v1/uploads), or name an object in one of the stack's CodeBuckets"
                    .to_owned(),
            ),
            Self::OperationFailed(operation) => {
                let error = operation.error.as_ref();
                let code = error.map_or(ProblemCode::Unexpected, |error| {
                    ProblemCode::of_failure(&error.code)
                });
                (code, error.map(|error| error.message.clone()).unwrap_or_default())
            }
            Self::InvalidParameter(reason) => (ProblemCode::InvalidParameter, reason.clone()),
            Self::PreconditionRequired => (
                ProblemCode::PreconditionRequired,
                "send If-Match with the function's ETag to replace it, or If-None-Match: * to create it"
                    .to_owned(),
            ),
            Self::OtherName(_) => (
                ProblemCode::InvalidFunction,
                "the body names another function than the path; see errors".to_owned(),
            ),
            Self::NotFound(code) => (*code, "nothing can have this name".to_owned()),
            Self::RouteNotFound => (
                ProblemCode::RouteNotFound,
                "the API has no such path; see /v1/openapi.json".to_owned(),
            ),
            Self::MethodNotAllowed { allow } => {
                (ProblemCode::MethodNotAllowed, format!("the path takes {allow}"))
            }
            Self::OutOfTime => (
                ProblemCode::ServiceUnavailable,
                "AWS has not answered in time; look what is there, or repeat the request under its Idempotency-Key"
                    .to_owned(),
            ),
            Self::NoCaller => (ProblemCode::InternalError, in_the_log()),
        };
        let status = code.status();
        if status >= 500 {
            self.log();
        }
        let request_id = REQUEST_ID.try_with(Clone::clone).ok().flatten();
        let mut problem = Problem { request_id, ..Problem::new(code, detail) };
        let mut response =
            empty(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Refused(Refusal::InvalidFunction(errors) | Refusal::UploadNotFound(errors)) => {
                problem = problem.with_errors(&errors);
            }
            Self::Refused(Refusal::OperationInProgress { function, operation }) => {
                problem.operation_id = Some(operation);
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
                if let Ok(path) = HeaderValue::try_from(operation_path(&function, operation)) {
                    headers.insert(OPERATION_LOCATION, path);
                }
            }
            Self::OperationFailed(operation) => {
                problem.operation_id = Some(operation.operation_id);
                problem.rollback = Some(operation.rollback.clone());
                let path = operation_path(&operation.function_name, operation.operation_id);
                if let Ok(path) = HeaderValue::try_from(path) {
                    headers.insert(OPERATION_LOCATION, path);
                }
            }
            Self::OtherName(name) => {
                let detail = format!("is {name} in the path");
                let code = FieldProblemCode::Conflict;
                let error = FieldProblem::new("/functionName", code, detail);
                problem = problem.with_errors(&error.into());
            }
            Self::MethodNotAllowed { allow } => {
                if let Ok(allow) = HeaderValue::try_from(allow) {
                    headers.insert(ALLOW, allow);
                }
            }
            _ if code == ProblemCode::ServiceUnavailable => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
            }
            _ => {}
        }
        *response.body_mut() = serde_json::to_string(&problem).unwrap_or_default();
        response
    }

    /// Tells operators why the answer is a 5xx. Of an operation that failed the record tells it.
    fn log(&self) {
        match self {
            Self::Refused(refusal) => {
                tracing::error!(error = %Chain(refusal), "the request failed");
            }
            Self::OutOfTime => tracing::error!("AWS has not answered in time"),
            Self::NoCaller => {
                tracing::error!("the request has no verified caller: are the routes authorised?");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use formation_aws::{AwsError, ErrorKind};
    use serde_json::{Value, json};

    use super::*;

    async fn body(error: ApiError) -> (StatusCode, Value) {
        let response = error.into_response();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let status = response.status();
        (status, serde_json::from_str(response.body()).unwrap())
    }

    fn aws(kind: ErrorKind) -> ApiError {
        let error = AwsError {
            call: "dynamodb:TransactWriteItems",
            kind,
            code: Some("ValidationException".into()),
            message: "item {TOKEN: s3cr3t} is not valid".into(),
            request_id: Some("r-1".into()),
        };
        ApiError::Refused(Refusal::Aws(error))
    }

    #[tokio::test]
    async fn our_own_faults_show_no_internals() {
        let answer = body(aws(ErrorKind::Refused));
        let (status, problem) = REQUEST_ID.scope(Some("r-2".to_owned()), answer).await;
        assert_eq!((status.as_u16(), &problem["code"]), (500, &"INTERNAL_ERROR".into()));
        assert_eq!(problem["requestId"], "r-2");
        assert!(!problem.to_string().contains("s3cr3t"), "{problem}");
        let (status, problem) = body(ApiError::NoCaller).await;
        assert_eq!((status.as_u16(), &problem["code"]), (500, &"INTERNAL_ERROR".into()));
    }

    #[tokio::test]
    async fn a_refusal_is_told_of_a_planned_function_as_it_is_told_of_a_request() {
        let busy = || Refusal::OperationInProgress {
            function: "hello".parse().unwrap(),
            operation: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        };
        let fault = || Refusal::Record("s3cr3t".to_owned());
        for refusal in [busy, fault as fn() -> Refusal] {
            let (code, detail) = told(&refusal());
            let (_, problem) = body(ApiError::Refused(refusal())).await;
            assert_eq!((&problem["code"], &problem["detail"]), (&json!(code), &json!(detail)));
            assert!(!detail.contains("s3cr3t"), "{detail}");
        }
        let (_, detail) = told(&busy());
        let cancel = "(POST /v1/functions/hello/operations/01ARZ3NDEKTSV4RRFFQ69G5FAV/cancel)";
        assert!(detail.contains(cancel), "{detail}");
    }

    #[tokio::test]
    async fn what_may_succeed_later_says_so() {
        let response = aws(ErrorKind::Throttled).into_response();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key(RETRY_AFTER));
        let (_, problem) = body(aws(ErrorKind::Transient)).await;
        assert_eq!(problem["code"], "SERVICE_UNAVAILABLE");
        assert!(!problem.to_string().contains("s3cr3t"), "{problem}");
    }
}

//! One classification of the SDK's errors, for all that calls AWS. What an error means for a resource
//! is the resource's business; what it means for the next try is decided here.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

/// What an error of AWS means for the next try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// AWS limits the rate of calls.
    Throttled,
    /// Transport, deadline, 5xx, or a concurrent change: a quick retry may help. The call may or
    /// may not have been carried out.
    Transient,
    /// The caller has no permission.
    AccessDenied,
    /// A quota of the account is used up.
    QuotaExceeded,
    /// AWS understood the call and said no.
    Refused,
}

/// A call to AWS that failed.
///
/// The message is AWS's own, but for those that are known to echo secrets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{call}: {message}")]
pub struct AwsError {
    /// Service and operation as IAM spells them, for example `iam:CreateRole`.
    pub call: &'static str,
    /// What it means for the next try.
    pub kind: ErrorKind,
    /// AWS's error code; none if the call got no answer.
    pub code: Option<String>,
    /// What AWS said, or why there was no answer.
    pub message: String,
    /// AWS's id of the call.
    pub request_id: Option<String>,
}

/// Codes that mean "too fast". Source: aws-runtime's `retries/classifiers.rs`, without
/// `LimitExceededException`, which is a quota for the services that we call.
const THROTTLED: [&str; 11] = [
    "BandwidthLimitExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
];

/// Codes that a quick retry may cure below 500, too: concurrent changes of the same thing, credentials
/// that were rotated under way, and S3's own failures, which it tells behind a 200 where it had begun to
/// answer.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
const TRANSIENT: [&str; 13] = [
    "ConcurrentModification",
    "ConditionalRequestConflict",
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalError",
    "OperationAborted",
    "OperationAbortedException",
    "PriorRequestNotComplete",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "TransactionConflictException",
    "TransactionInProgressException",
];

const ACCESS_DENIED: [&str; 4] =
    ["AccessDenied", "AccessDeniedException", "UnauthorizedException", "UnauthorizedOperation"];

/// `LimitExceeded` is IAM's, `LimitExceededException` CloudWatch Logs' and EventBridge's,
/// `ServiceQuotaExceededException` EventBridge Scheduler's and Lambda's, the others are Lambda's.
/// Source: the services' models in the SDK.
const QUOTA_EXCEEDED: [&str; 6] = [
    "AliasLimitExceededException",
    "CodeStorageExceededException",
    "LimitExceeded",
    "LimitExceededException",
    "PolicyLengthExceededException",
    "ServiceQuotaExceededException",
];

impl AwsError {
    /// Classifies the error of `call`.
    pub fn new<E>(call: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let request_id = error.request_id().map(str::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let kind = match &error {
            SdkError::ConstructionFailure(_) => ErrorKind::Refused,
            SdkError::ServiceError(_) => classify(code.as_deref().unwrap_or_default(), status),
            // No usable answer; the call may have been carried out.
            _ => ErrorKind::Transient,
        };
        let message = match error.message() {
            Some(message) => without_echoes(message),
            None if code.is_some() => "AWS gave no reason".to_owned(),
            None => no_answer(&error).to_owned(),
        };
        Self { call, kind, code, message, request_id }
    }

    /// An answer of AWS that lacks what it always holds.
    pub fn incomplete(call: &'static str) -> Self {
        Self {
            call,
            kind: ErrorKind::Transient,
            code: None,
            message: "AWS's answer is incomplete".to_owned(),
            request_id: None,
        }
    }

    /// An error that AWS told of `call` within the answer to another.
    pub fn told(call: &'static str, code: &str, message: &str) -> Self {
        Self {
            call,
            kind: classify(code, None),
            code: Some(code.to_owned()),
            message: without_echoes(message),
            request_id: None,
        }
    }

    /// An answer of AWS that leaves out what was asked for because calls come too fast.
    pub fn throttled(call: &'static str) -> Self {
        Self {
            call,
            kind: ErrorKind::Throttled,
            code: None,
            message: "AWS left out a part of its answer".to_owned(),
            request_id: None,
        }
    }

    /// Whether AWS answered with this error code.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// An error and all of its sources, in one line. Every log line of a failure shows one: the formatter
/// of the log writes no sources by itself.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.0.to_string();
        f.write_str(&told)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Some hand on their source's text as their own.
            if text != told {
                write!(f, ": {text}")?;
                told = text;
            }
            source = error.source();
        }
        Ok(())
    }
}

fn classify(code: &str, status: Option<u16>) -> ErrorKind {
    if THROTTLED.contains(&code) || status == Some(429) {
        ErrorKind::Throttled
    } else if TRANSIENT.contains(&code) || status.is_some_and(|status| status >= 500) {
        ErrorKind::Transient
    } else if ACCESS_DENIED.contains(&code) {
        ErrorKind::AccessDenied
    } else if QUOTA_EXCEEDED.contains(&code) {
        ErrorKind::QuotaExceeded
    } else {
        ErrorKind::Refused
    }
}

/// Lambda answers an oversized environment with all of it, after `String measured:`.
fn without_echoes(message: &str) -> String {
    match message.split_once("String measured") {
        Some((told, _)) => told.trim_end().to_owned(),
        None => message.to_owned(),
    }
}

fn no_answer<E>(error: &SdkError<E, HttpResponse>) -> &'static str {
    match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection, or it broke",
        SdkError::ResponseError(_) => "the answer could not be read",
        _ => "the call failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_the_status_does() {
        for (code, status, kind) in [
            ("Throttling", 400, ErrorKind::Throttled),
            ("TooManyRequestsException", 429, ErrorKind::Throttled),
            ("SlowDown", 503, ErrorKind::Throttled),
            ("", 429, ErrorKind::Throttled),
            ("ServiceFailure", 500, ErrorKind::Transient),
            ("InternalError", 200, ErrorKind::Transient),
            ("", 502, ErrorKind::Transient),
            ("OperationAbortedException", 400, ErrorKind::Transient),
            ("AccessDeniedException", 403, ErrorKind::AccessDenied),
            ("LimitExceeded", 409, ErrorKind::QuotaExceeded),
            ("LimitExceededException", 400, ErrorKind::QuotaExceeded),
            ("CodeStorageExceededException", 400, ErrorKind::QuotaExceeded),
            ("AliasLimitExceededException", 400, ErrorKind::QuotaExceeded),
            ("PolicyLengthExceededException", 400, ErrorKind::QuotaExceeded),
            ("ServiceQuotaExceededException", 402, ErrorKind::QuotaExceeded),
            ("RequestLimitExceeded", 400, ErrorKind::Throttled),
            ("ResourceConflictException", 409, ErrorKind::Refused),
            ("SomethingNew", 400, ErrorKind::Refused),
        ] {
            assert_eq!(classify(code, Some(status)), kind, "{code} {status}");
        }
    }

    #[test]
    fn a_chain_tells_every_source_once() {
        #[derive(Debug, thiserror::Error)]
        enum Outer {
            #[error("it was not recorded")]
            Told(#[source] AwsError),
            #[error(transparent)]
            HandedOn(Box<Outer>),
            #[error("{0}")]
            Repeated(#[source] Box<Outer>),
        }
        let error = Outer::Told(AwsError::incomplete("dynamodb:GetItem"));
        let told = "it was not recorded: dynamodb:GetItem: AWS's answer is incomplete";
        assert_eq!(Chain(&error).to_string(), told);
        let error = Outer::HandedOn(Box::new(error));
        assert_eq!(Chain(&error).to_string(), told);
        assert_eq!(Chain(&Outer::Repeated(Box::new(error))).to_string(), told);
    }

    #[test]
    fn an_echoed_environment_is_cut_off() {
        let text = "your environment variables exceeded the 4KB limit. String measured: {\"A\":\"s3cr3t\"}";
        assert_eq!(without_echoes(text), "your environment variables exceeded the 4KB limit.");
    }
}

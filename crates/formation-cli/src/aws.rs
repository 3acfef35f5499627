//! Calls of AWS's own services, signed as the user. Each is one request: the few that there are need no
//! SDK.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use formation_client::{Answer, Client, ClientError};
use http::{Method, StatusCode};
use serde_json::Value;
use thiserror::Error;

use crate::failure::{Failure, chain_of};
use crate::remedy::{help, renew};

/// How often a call that changes nothing is tried while its errors may pass.
const TRIES: u32 = 5;
/// How long to wait before the second try; each later pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The AWS of a Region, as a user with these credentials.
#[derive(Clone, Debug)]
pub struct Aws {
    /// The Region.
    pub region: String,
    /// Where AWS is, if elsewhere than usual.
    pub endpoint_url: Option<String>,
    /// Whose credentials sign.
    pub credentials: SharedCredentialsProvider,
    /// The profile that the user named, for what is told about renewing credentials.
    pub profile: Option<String>,
}

/// Why a call has no result.
#[derive(Debug, Error)]
pub enum AwsError {
    /// The service refused it.
    #[error("{service} answers {status}{}", said(code, message))]
    Refused {
        /// The service, as hosts and signatures name it.
        service: &'static str,
        /// The HTTP status.
        status: StatusCode,
        /// AWS's code, for example `AccessDeniedException`.
        code: String,
        /// What it said.
        message: String,
    },
    /// The service was not reached, or there are no credentials to sign with.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The service cannot be called as it is set up here.
    #[error(transparent)]
    Build(#[from] formation_client::BuildError),
    /// The answer is not one that the service gives.
    #[error("the answer of {0} cannot be read")]
    Unreadable(&'static str),
}

impl AwsError {
    /// AWS's code of a refusal.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            _ => "",
        }
    }

    /// Whether IAM does not allow the call.
    pub fn is_denied(&self) -> bool {
        ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"].contains(&self.code())
    }

    /// Whether AWS does not take the credentials, or there are none.
    /// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/CommonErrors.html>.
    pub fn is_of_credentials(&self) -> bool {
        const CODES: [&str; 9] = [
            "ExpiredTokenException",
            "ExpiredToken",
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "InvalidClientTokenId",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
        ];
        matches!(self, Self::Client(ClientError::Credentials(_))) || CODES.contains(&self.code())
    }

    /// Whether the same call may succeed a little later.
    fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                status.is_server_error()
                    || *status == StatusCode::TOO_MANY_REQUESTS
                    || code.contains("Throttl")
            }
            Self::Client(error) => error.is_transient(),
            Self::Build(_) | Self::Unreadable(_) => false,
        }
    }
}

impl Aws {
    /// A client of a service, whose name hosts and signatures share.
    ///
    /// # Errors
    /// [`AwsError::Build`].
    pub fn client(&self, service: &'static str, timeout: Duration) -> Result<Client, AwsError> {
        // Source: <https://docs.aws.amazon.com/general/latest/gr/rande.html>.
        let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
        let usual = || format!("https://{service}.{}.amazonaws.com{suffix}", self.region);
        let url = self.endpoint_url.clone().unwrap_or_else(usual);
        let client = Client::builder(url, &self.region, self.credentials.clone());
        // The endpoint is the user's own setting, or AWS's.
        Ok(client.service(service).timeout(timeout).given_explicitly().build()?)
    }

    /// Calls an action that changes nothing of a service with AWS's JSON protocol, and repeats it while its
    /// errors may pass; `target` is that of the header, for example `AmazonSSM.GetParameter`.
    ///
    /// # Errors
    /// All of [`AwsError`].
    pub async fn json(
        &self,
        service: &'static str,
        target: &str,
        document: &Value,
    ) -> Result<Value, AwsError> {
        let client = self.client(service, Duration::from_secs(30))?;
        let mut pause = FIRST_PAUSE;
        let mut tried = 1;
        loop {
            let request = client
                .request(Method::POST, "/")
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", target)
                .body(document.to_string());
            let answer = request.send().await.map_err(AwsError::from);
            match answer.and_then(|answer| read(service, &answer)) {
                Err(error) if error.is_transient() && tried < TRIES => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    tried += 1;
                }
                other => return other,
            }
        }
    }

    /// Why a command that needed a call ends; `what` is what could not be done.
    pub fn failure(&self, what: &str, error: &AwsError) -> Failure {
        let told = chain_of(error);
        let profile = self.profile.as_deref();
        let of_credentials = error.is_of_credentials();
        let help = help(&told, profile).or_else(|| of_credentials.then(|| renew(profile)));
        let help = help.unwrap_or_default();
        if of_credentials || error.is_denied() {
            return Failure::Denied(format!("{what}: {told}{help}"));
        }
        Failure::Other(format!("{what}: {told}{help}"))
    }
}

/// AWS's code and its message, as far as there are any.
fn said(code: &str, message: &str) -> String {
    let said = [(" ", code), (": ", message)].into_iter().filter(|(_, it)| !it.is_empty());
    said.map(|(before, it)| format!("{before}{it}")).collect()
}

/// The document of an answer, or why there is none.
///
/// # Errors
/// [`AwsError::Refused`] and [`AwsError::Unreadable`].
pub fn read(service: &'static str, answer: &Answer) -> Result<Value, AwsError> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if answer.status.is_success() {
        return body.ok_or(AwsError::Unreadable(service));
    }
    let body = body.unwrap_or_default();
    // JSON 1.1 tells the code in the body, REST-JSON in a header, with a namespace before or a URL after
    // it. Source: <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>.
    let code = body["__type"].as_str().or(answer.header("x-amzn-errortype")).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default().to_owned();
    let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
    Err(AwsError::Refused { service, status: answer.status, code, message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_has_no_gaps() {
        let refused = |code: &str, message: &str| AwsError::Refused {
            service: "ssm",
            status: StatusCode::BAD_GATEWAY,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(refused("", "").to_string(), "ssm answers 502 Bad Gateway");
        assert_eq!(refused("C", "m").to_string(), "ssm answers 502 Bad Gateway C: m");
    }
}

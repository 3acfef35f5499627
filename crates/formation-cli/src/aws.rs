//! Calls of AWS's own services, signed as the user. Each is one request: the few that there are need no
//! SDK.

mod xml;

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use formation_client::{Answer, Client, ClientError, RawRequest};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use thiserror::Error;

pub use self::xml::Xml;
use crate::failure::{Failure, chain_of};
use crate::remedy::{help, renew};

/// How often a call that changes nothing is tried while its errors may pass.
const TRIES: u32 = 5;
/// The limit of the pause before the second try, which is a random one below it; each later limit is twice as
/// long, so that many that are throttled at once do not come back at once.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long one try of a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that is shown of what a service said.
const LONGEST_MESSAGE: usize = 512;

/// Characters that the value of a form escapes: all but the unreserved ones of RFC 3986, section 2.3.
const IN_FORMS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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

    /// Whether there is none of what was asked for.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, code, .. } if *status == StatusCode::NOT_FOUND
            && (code.ends_with("NotFoundException") || code == "NoSuchEntity"))
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
    pub fn is_transient(&self) -> bool {
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
        let (url, region) = self.home(service);
        let client = Client::builder(url, region, self.credentials.clone());
        let client = client.service(service).timeout(timeout);
        // An endpoint is the user's own setting; without one it is AWS that is asked.
        let client = if self.endpoint_url.is_some() { client.given_explicitly() } else { client };
        Ok(client.build()?)
    }

    /// Where a service is, and the Region that signatures name.
    /// Source: <https://docs.aws.amazon.com/general/latest/gr/rande.html>.
    fn home(&self, service: &str) -> (String, &str) {
        let region = self.region.as_str();
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let (usual, region) = match service {
            // One for all Regions of a partition.
            // Source: <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>.
            "iam" if region.starts_with("cn-") => ("iam.cn-north-1".to_owned(), "cn-north-1"),
            "iam" if region.starts_with("us-gov-") => ("iam.us-gov".to_owned(), "us-gov-west-1"),
            "iam" => ("iam".to_owned(), "us-east-1"),
            _ => (format!("{service}.{region}"), region),
        };
        let usual = || format!("https://{usual}.amazonaws.com{suffix}");
        (self.endpoint_url.clone().unwrap_or_else(usual), region)
    }

    /// A service with AWS's JSON protocol, for several calls on one connection.
    ///
    /// # Errors
    /// [`AwsError::Build`].
    pub fn service(&self, name: &'static str) -> Result<Service, AwsError> {
        Ok(Service { name, client: self.client(name, TIMEOUT)? })
    }

    /// Calls an action of a service once: see [`Service::json`].
    ///
    /// # Errors
    /// All of [`AwsError`].
    pub async fn json(
        &self,
        service: &'static str,
        target: &str,
        document: &Value,
    ) -> Result<Value, AwsError> {
        self.service(service)?.json(target, document).await
    }

    /// Gets a document of a service with the REST-JSON protocol, and repeats that while its errors may pass;
    /// `target` is a path, with a query if there is one.
    ///
    /// # Errors
    /// All of [`AwsError`].
    pub async fn get(&self, service: &'static str, target: &str) -> Result<Value, AwsError> {
        let client = self.client(service, TIMEOUT)?;
        repeated(async || read(service, &client.request(Method::GET, target).send().await?)).await
    }

    /// Calls an action that changes nothing of a service with the Query protocol, IAM or STS, and repeats it
    /// while its errors may pass.
    ///
    /// # Errors
    /// All of [`AwsError`].
    pub async fn query(
        &self,
        service: &'static str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Xml, AwsError> {
        let client = self.client(service, TIMEOUT)?;
        repeated(async || {
            let answer = query(&client, service, action, parameters).send().await?;
            read_xml(service, &answer)
        })
        .await
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

/// A service of AWS's with its JSON protocol.
#[derive(Clone, Debug)]
pub struct Service {
    name: &'static str,
    client: Client,
}

impl Service {
    /// Calls an action that changes nothing, and repeats it while its errors may pass; `target` is that of
    /// the header, for example `AmazonSSM.GetParameter`.
    ///
    /// # Errors
    /// All of [`AwsError`] but [`AwsError::Build`].
    pub async fn json(&self, target: &str, document: &Value) -> Result<Value, AwsError> {
        repeated(async || {
            let request = self.client.request(Method::POST, "/");
            let request = request.header("content-type", json_type(self.name));
            let request = request.header("x-amz-target", target).body(document.to_string());
            read(self.name, &request.send().await?)
        })
        .await
    }
}

/// What a service calls its JSON protocol.
/// Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>.
fn json_type(service: &str) -> &'static str {
    match service {
        "monitoring" => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    }
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
    Err(AwsError::Refused { service, status: answer.status, code, message: first_line(message) })
}

/// A call of a service with the Query protocol.
/// Source: <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>.
pub fn query(
    client: &Client,
    service: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> RawRequest {
    let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
    let all = [("Action", action), ("Version", version)];
    let all = all.iter().chain(parameters);
    let all = all.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, IN_FORMS)));
    client
        .request(Method::POST, "/")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(all.collect::<Vec<_>>().join("&"))
}

/// The document of an answer with the Query protocol, or why there is none.
///
/// # Errors
/// [`AwsError::Refused`]; that the document cannot be read is told where it is.
pub fn read_xml(service: &'static str, answer: &Answer) -> Result<Xml, AwsError> {
    if answer.status.is_success() {
        return Ok(Xml::new(service, answer.body.clone()));
    }
    let told = |name| {
        let texts = xml::texts(&answer.body, &["Error", name]).unwrap_or_default();
        texts.into_iter().next().unwrap_or_default()
    };
    let (code, message) = (told("Code"), first_line(&told("Message")));
    Err(AwsError::Refused { service, status: answer.status, code, message })
}

/// Of what a service says the first line: those below it may repeat the request, its session token
/// included. Nothing in it is acted on by a terminal.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect()
}

/// Repeats a call that changes nothing while its errors may pass.
async fn repeated<T>(call: impl AsyncFn() -> Result<T, AwsError>) -> Result<T, AwsError> {
    let mut pause = FIRST_PAUSE;
    let mut tried = 1;
    loop {
        match call().await {
            Err(error) if error.is_transient() && tried < TRIES => {
                tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
                pause *= 2;
                tried += 1;
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn a_service_is_where_aws_has_it_and_is_signed_for_there() {
        let home = |region: &str, service| {
            let credentials = Credentials::new("AKID", "s3cr3t", None, None, "a test");
            let aws = Aws {
                region: region.to_owned(),
                endpoint_url: None,
                credentials: SharedCredentialsProvider::new(credentials),
                profile: None,
            };
            let (url, region) = aws.home(service);
            format!("{url} {region}")
        };
        for (region, service, expected) in [
            ("eu-west-1", "lambda", "https://lambda.eu-west-1.amazonaws.com eu-west-1"),
            ("eu-west-1", "iam", "https://iam.amazonaws.com us-east-1"),
            ("us-gov-east-1", "iam", "https://iam.us-gov.amazonaws.com us-gov-west-1"),
            ("cn-northwest-1", "iam", "https://iam.cn-north-1.amazonaws.com.cn cn-north-1"),
            ("cn-north-1", "sts", "https://sts.cn-north-1.amazonaws.com.cn cn-north-1"),
        ] {
            assert_eq!(home(region, service), expected);
        }
    }

    #[test]
    fn what_a_service_repeats_of_a_request_is_cut_off() {
        let json = answer(
            403,
            r#"{"__type": "a#InvalidSignatureException", "message": "does \u001b[31mnot match\n\nx-amz-security-token:t0ken"}"#,
        );
        let error = read("ssm", &json).unwrap_err();
        let expected = "ssm answers 403 Forbidden InvalidSignatureException: does [31mnot match";
        assert_eq!(error.to_string(), expected);
        let xml = answer(
            403,
            "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>It is over.\nx-amz-security-token:t0ken</Message></Error></ErrorResponse>",
        );
        let error = read_xml("sts", &xml).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "sts answers 403 Forbidden ExpiredToken: It is over.");
        assert!(error.is_of_credentials() && !error.is_denied());
        let odd = read_xml("iam", &answer(502, "<html>")).map(|_| ()).unwrap_err();
        assert!(odd.is_transient(), "{odd}");
    }

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

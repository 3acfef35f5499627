//! The client: how it is built, and how a request becomes an answer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use formation_model::About;
use http::header::{HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::{Answer, refusal};
use crate::endpoint::Endpoint;
use crate::error::{BuildError, ClientError};
use crate::retry::Retries;
use crate::sign::{API_GATEWAY, Signer};
use crate::transport::Transport;

/// API Gateway answers within 30 s.
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const TIMEOUT: Duration = Duration::from_secs(31);
/// The environment variable that names a file of certificates to trust.
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// Characters that a query escapes: all but the unreserved ones of RFC 3986, section 2.3. Signatures
/// ask for just these.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a [`Client`] is built from.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    url: String,
    given_explicitly: bool,
    service: String,
    region: String,
    credentials: SharedCredentialsProvider,
    ca_bundle: Option<PathBuf>,
    timeout: Duration,
    retries: Retries,
}

impl ClientBuilder {
    /// Says that a person gave the URL for this very purpose, so that requests go there wherever it
    /// leads. Without it only https below `amazonaws.com` and `amazonaws.com.cn` is taken: what a
    /// parameter or a file of a project names must not have bodies and session tokens sent to it.
    #[must_use]
    pub fn given_explicitly(self) -> Self {
        Self { given_explicitly: true, ..self }
    }

    /// Signs for another service of AWS than API Gateway, which the URL leads to then: for a call of it
    /// there is [`Client::request`].
    #[must_use]
    pub fn service(self, name: impl Into<String>) -> Self {
        Self { service: name.into(), ..self }
    }

    /// A file of certificates (PEM) to trust besides the system's; that of `AWS_CA_BUNDLE` by
    /// default.
    #[must_use]
    pub fn ca_bundle(self, file: impl Into<PathBuf>) -> Self {
        Self { ca_bundle: Some(file.into()), ..self }
    }

    /// How long one try of a request may take, besides what it waits for an outcome; 31 s by default.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How requests are repeated.
    #[must_use]
    pub fn retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// The client. Proxies are those of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
    /// `NO_PROXY`), and none to this machine.
    ///
    /// # Errors
    /// [`BuildError::InvalidUrl`], [`BuildError::UntrustedUrl`], [`BuildError::CaBundle`] and
    /// [`BuildError::NoCertificates`].
    pub fn build(self) -> Result<Client, BuildError> {
        let endpoint = Endpoint::read(&self.url, self.given_explicitly)?;
        let from_environment = || std::env::var_os(CA_BUNDLE).filter(|path| !path.is_empty());
        let ca_bundle = self.ca_bundle.or_else(|| from_environment().map(PathBuf::from));
        let transport = Transport::new(&endpoint, ca_bundle.as_deref())?;
        Ok(Client {
            way: Arc::new(Way {
                endpoint,
                transport,
                timeout: self.timeout,
                retries: self.retries,
                ca_bundle,
            }),
            signer: Arc::new(Signer::new(self.service, self.region, self.credentials)),
        })
    }
}

/// A client of the API of one stack. Clones are cheap and share connections and credentials.
#[derive(Clone, Debug)]
pub struct Client {
    way: Arc<Way>,
    signer: Arc<Signer>,
}

/// How requests get to the API.
#[derive(Debug)]
struct Way {
    endpoint: Endpoint,
    transport: Transport,
    timeout: Duration,
    retries: Retries,
    ca_bundle: Option<PathBuf>,
}

impl Client {
    /// Builds a client of the API at `url`, in `region`, that signs with `credentials`. They are kept
    /// until a minute before they expire.
    pub fn builder(
        url: impl Into<String>,
        region: impl Into<String>,
        credentials: SharedCredentialsProvider,
    ) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            given_explicitly: false,
            service: API_GATEWAY.to_owned(),
            region: region.into(),
            credentials,
            ca_bundle: None,
            timeout: TIMEOUT,
            retries: Retries::default(),
        }
    }

    /// The same client, on the same connections, for another caller.
    #[must_use]
    pub fn with_credentials(&self, credentials: SharedCredentialsProvider) -> Self {
        let signer = Arc::new(self.signer.with_provider(credentials));
        Self { way: Arc::clone(&self.way), signer }
    }

    /// Where the API is.
    pub fn url(&self) -> String {
        self.way.endpoint.to_string()
    }

    /// What the stack is, and what its functions may have.
    ///
    /// # Errors
    /// As for every request: see [`ClientError`].
    pub async fn about(&self) -> Result<About, ClientError> {
        self.send(&Request::get("/v1")).await?.read()
    }

    /// The API's own description, OpenAPI 3.1.
    ///
    /// # Errors
    /// As for every request: see [`ClientError`].
    pub async fn openapi(&self) -> Result<serde_json::Value, ClientError> {
        self.send(&Request::get("/v1/openapi.json")).await?.read()
    }

    /// Sends a request, which can be repeated without acting twice, until it is answered.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, ClientError> {
        let Way { retries, timeout, .. } = &*self.way;
        let attempt = async |left: Duration| {
            let most = left.min(timeout.saturating_add(request.waits));
            let attempt = tokio::time::timeout(most, self.attempt(request)).await;
            attempt.unwrap_or(Err(ClientError::Timeout(most)))
        };
        retries.repeat(retries.total.saturating_add(request.waits), attempt).await
    }

    /// Sends a request once, and answers whatever came.
    pub(crate) async fn send_once(
        &self,
        request: &Request,
        signed: bool,
    ) -> Result<Answer, ClientError> {
        let timeout = self.way.timeout;
        let answer = tokio::time::timeout(timeout, self.exchange(request, signed)).await;
        answer.unwrap_or(Err(ClientError::Timeout(timeout)))
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.way.endpoint
    }

    pub(crate) fn ca_bundle(&self) -> Option<&Path> {
        self.way.ca_bundle.as_deref()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.way.timeout
    }

    pub(crate) fn retries(&self) -> Retries {
        self.way.retries
    }

    async fn exchange(&self, request: &Request, signed: bool) -> Result<Answer, ClientError> {
        let mut request = request.to_http(&self.way.endpoint)?;
        if signed {
            self.signer.sign(&mut request, SystemTime::now()).await?;
        }
        self.way.transport.send(request).await
    }

    async fn attempt(&self, request: &Request) -> Result<Answer, ClientError> {
        let answer = self.exchange(request, true).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let error = refusal(&answer);
        if matches!(&error, ClientError::Gateway { status: StatusCode::FORBIDDEN, .. }) {
            self.signer.forget().await;
        }
        Err(error)
    }
}

/// A request that is not yet signed.
pub(crate) struct Request {
    method: Method,
    /// Path and query.
    target: String,
    headers: HeaderMap,
    body: Bytes,
    /// How long the API is asked to wait for an outcome.
    waits: Duration,
}

impl fmt::Debug for Request {
    /// Without the body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

impl Request {
    /// `path` is made of characters that stand for themselves.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let headers = HeaderMap::new();
        Self { method, target: path.into(), headers, body: Bytes::new(), waits: Duration::ZERO }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn query(&mut self, name: &str, value: &str) {
        let joint = if self.target.contains('?') { '&' } else { '?' };
        let value = utf8_percent_encode(value, ESCAPED);
        self.target.push_str(&format!("{joint}{name}={value}"));
    }

    pub(crate) fn header(&mut self, name: HeaderName, value: &str) -> Result<(), ClientError> {
        let valid = HeaderValue::from_str(value).map_err(|_| {
            ClientError::InvalidRequest(format!("{name} has a character that no header takes"))
        })?;
        self.headers.insert(name, valid);
        Ok(())
    }

    pub(crate) fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.append(name, value);
    }

    pub(crate) fn set_body(&mut self, body: Bytes) {
        self.body = body;
    }

    pub(crate) fn json(&mut self, document: &impl serde::Serialize) -> Result<(), ClientError> {
        let body = serde_json::to_vec(document);
        let body = body.map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
        self.body = body.into();
        self.header(http::header::CONTENT_TYPE, "application/json")
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.query("wait", &time.as_secs().to_string());
        self.waits = time;
    }

    fn to_http(&self, endpoint: &Endpoint) -> Result<http::Request<Bytes>, ClientError> {
        let invalid = |error: http::Error| ClientError::InvalidRequest(error.to_string());
        let mut request = http::Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = endpoint.uri(&self.target).map_err(invalid)?;
        *request.headers_mut() = self.headers.clone();
        let agent = concat!("formation-client/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_as_it_is_signed() {
        let mut request = Request::get("/v1/functions");
        request.query("prefix", "a-b_c.d~e");
        request.query("nextToken", "ä/+= &?");
        let expected = "/v1/functions?prefix=a-b_c.d~e&nextToken=%C3%A4%2F%2B%3D%20%26%3F";
        assert_eq!(request.target, expected);
    }
}

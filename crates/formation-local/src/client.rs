//! A client that signs (AWS Signature Version 4) and connects to loopback whatever the host is
//! called.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use crate::error::LocalError;
use crate::stack::Stack;

const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// How long a connection is kept for the next request. Local AWS ends idle ones after 75 s, which may
/// be the very moment of that request.
pub const KEPT_IDLE: Duration = Duration::from_secs(2);

/// Who signs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Access key id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

/// An HTTP answer with its body read.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client of one stack.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    region: String,
    api_url: String,
    endpoint_url: String,
    identity: Option<Identity>,
}

impl Client {
    /// A client that signs as the stack's own key.
    ///
    /// # Errors
    /// That the stack's URLs cannot be read.
    pub fn new(stack: &Stack) -> Result<Self, LocalError> {
        let url = |text: &str| {
            text.parse::<http::Uri>().map_err(|error| LocalError::Answer(error.to_string()))
        };
        let (api, endpoint) = (url(&stack.api_url)?, url(&stack.endpoint_url)?);
        // Not every resolver takes names below `localhost` to loopback (RFC 6761).
        let loopback = SocketAddr::from(([127, 0, 0, 1], endpoint.port_u16().unwrap_or(80)));
        let http = reqwest::Client::builder()
            .resolve(api.host().unwrap_or_default(), loopback)
            .timeout(REQUEST_LIMIT)
            .pool_idle_timeout(KEPT_IDLE)
            .no_proxy()
            .build()?;
        Ok(Self {
            http,
            region: stack.region.clone(),
            api_url: stack.api_url.clone(),
            endpoint_url: stack.endpoint_url.clone(),
            identity: Some(Identity {
                access_key_id: stack.access_key_id.clone(),
                secret_access_key: stack.secret_access_key.clone(),
            }),
        })
    }

    /// The same client for another caller; unsigned for none.
    #[must_use]
    pub fn as_caller(&self, identity: Option<Identity>) -> Self {
        Self { identity, ..self.clone() }
    }

    /// Sends a request with a JSON body, or with none, to the HTTP API.
    ///
    /// # Errors
    /// That it could not be sent; an answer of any status is none.
    pub async fn api(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, LocalError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send("execute-api", method, &format!("{}{path}", self.api_url), &[], body).await
    }

    /// Sends any request to the HTTP API.
    ///
    /// # Errors
    /// As for [`Client::api`].
    pub async fn api_raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, LocalError> {
        self.send("execute-api", method, &format!("{}{path}", self.api_url), headers, body).await
    }

    /// Invokes a Lambda function and answers what it answered.
    ///
    /// # Errors
    /// That it could not be sent, or the function failed.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, LocalError> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.endpoint_url);
        let answer = self.send("lambda", Method::POST, &url, &[], payload.to_string()).await?;
        if answer.status.is_success() && !answer.headers.contains_key("x-amz-function-error") {
            return Ok(answer.json());
        }
        let body = String::from_utf8_lossy(&answer.body);
        Err(LocalError::Answer(format!("invoking {function}: {} {body}", answer.status)))
    }

    async fn send(
        &self,
        service: &str,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, LocalError> {
        let body = body.into();
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let mut request =
            request.body(body).map_err(|error| LocalError::Signing(error.to_string()))?;
        if let Some(identity) = &self.identity {
            sign_request(&mut request, identity, &self.region, service)?;
        }
        let answer = self.http.execute(request.try_into()?).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.bytes().await?.to_vec() })
    }
}

fn sign_request(
    request: &mut http::Request<Vec<u8>>,
    identity: &Identity,
    region: &str,
    service: &str,
) -> Result<(), LocalError> {
    let signing = |error: &dyn std::error::Error| LocalError::Signing(error.to_string());
    let credentials = Credentials::new(
        &identity.access_key_id,
        &identity.secret_access_key,
        None,
        None,
        "formation-local",
    )
    .into();
    let params = SigningParams::builder()
        .identity(&credentials)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| signing(&error))?
        .into();
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.uri().to_string(),
        headers,
        SignableBody::Bytes(request.body()),
    )
    .map_err(|error| signing(&error))?;
    let (instructions, _) = sign(signable, &params).map_err(|error| signing(&error))?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

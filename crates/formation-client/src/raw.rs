//! Requests as they are written: for what has no method of its own.

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Method};
use serde::Serialize;

use crate::answer::Answer;
use crate::client::{Client, Request};
use crate::error::ClientError;

/// A request that is signed and sent once, as it is written: see [`Client::request`].
#[derive(Debug)]
#[must_use = "nothing is asked for until it is sent"]
pub struct RawRequest {
    client: Client,
    request: Result<Request, ClientError>,
    signed: bool,
}

impl Client {
    /// A request to the API for which there is no method here. `target` is a path, with a query if
    /// there is one, in which only characters stand that a URL takes. It is sent once, and its answer
    /// is handed over whatever its status.
    pub fn request(&self, method: Method, target: impl Into<String>) -> RawRequest {
        let request = Ok(Request::new(method, target));
        RawRequest { client: self.clone(), request, signed: true }
    }
}

impl RawRequest {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok(request) = &mut self.request {
            let invalid = || {
                ClientError::InvalidRequest(format!("no header is named {name} and has this value"))
            };
            match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                (Ok(name), Ok(value)) => request.append(name, value),
                _ => self.request = Err(invalid()),
            }
        }
        self
    }

    /// Sends these bytes.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if let Ok(request) = &mut self.request {
            request.set_body(body.into());
        }
        self
    }

    /// Sends a document as JSON.
    pub fn json(mut self, document: &impl Serialize) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = request.json(document)
        {
            self.request = Err(error);
        }
        self
    }

    /// Sends it as nobody: API Gateway refuses it.
    pub fn unsigned(self) -> Self {
        Self { signed: false, ..self }
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`ClientError::InvalidRequest`], [`ClientError::Credentials`], [`ClientError::Signing`],
    /// [`ClientError::Transport`] and [`ClientError::Timeout`].
    pub async fn send(self) -> Result<Answer, ClientError> {
        self.client.send_once(&self.request?, self.signed).await
    }
}

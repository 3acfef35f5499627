//! Raw requests and their answers, for tests that are about them.

use std::fmt;

use formation_client::Client;
use formation_model::Operation;
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer of the HTTP API, whatever its status.
#[derive(Clone)]
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

    /// The body as it came: what it must not hold is looked for in this, since what is read from it
    /// may be less.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the API answers in UTF-8")
    }

    /// The body as what it must be: an operation, a function, a problem.
    ///
    /// # Panics
    /// With the answer, if it is something else.
    #[track_caller]
    pub fn read<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// Sends a request with these headers as the client's caller. A body is JSON unless a header says
/// something else.
///
/// # Panics
/// Where a change is accepted and `Operation-Location` is not the path of the operation.
pub async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Answer {
    let body = body.into();
    let mut request = client.request(method, path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    let answer = request.body(body).send().await.expect("the API answers");
    let answer =
        Answer { status: answer.status, headers: answer.headers, body: answer.body.into() };
    if answer.status == StatusCode::ACCEPTED {
        let Operation { function_name, operation_id, .. } = answer.read();
        let path = format!("/v1/functions/{function_name}/operations/{operation_id}");
        assert_eq!(answer.header("operation-location"), path, "{answer:?}");
    }
    answer
}

/// Sends a request that nobody has signed.
pub async fn ask_unsigned(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> StatusCode {
    let request = client.request(method, path).unsigned();
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.expect("the API answers").status
}

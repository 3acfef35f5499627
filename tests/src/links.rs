//! Links to S3: requests that somebody else has signed, sent as they are written.

use std::collections::BTreeMap;

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::answer::Answer;

/// Sends a request with these headers to a link, and nothing of any credentials.
///
/// # Panics
/// Where there is no answer.
pub async fn follow(
    method: Method,
    url: &str,
    headers: &BTreeMap<String, String>,
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(body.into())).expect("a link is a URL, with headers");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.expect("S3 answers");
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.expect("S3's answer is whole").to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: body.into() }
}

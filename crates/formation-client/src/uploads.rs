//! Code that is too large for a request or an answer: it goes to and from S3 by a link.

use std::time::Duration;

use bytes::Bytes;
use formation_model::{CodeLink, FunctionName, Upload, UploadRequest};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::client::{Client, Request};
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::functions::path;
use crate::transport::Transport;

/// A line that is slower than so many bytes a second is taken for dead.
const SLOWEST: u64 = 128 * 1024;
/// The most that is shown of an error code.
const LONGEST_CODE: usize = 64;

impl Client {
    /// Asks where an archive can be put that is too large for a request.
    ///
    /// # Errors
    /// As for every request: see [`ClientError`].
    pub async fn create_upload(&self, upload: &UploadRequest) -> Result<Upload, ClientError> {
        let mut request = Request::new(Method::POST, "/v1/uploads");
        request.json(upload)?;
        self.send(&request).await?.read()
    }

    /// Puts the archive that `upload` was asked for with. `{"code": {"uploadId"}}` of a function names
    /// it then. That it is there already is no error: S3 takes it once, and only this very archive.
    ///
    /// No credentials are sent.
    ///
    /// # Errors
    /// [`ClientError::Storage`]: what S3 refused it with; 403 also where the link has ended, so that
    /// another one has to be asked for. [`ClientError::InvalidRequest`] for an archive of another
    /// length, or a link to where nothing is sent; and that it cannot be reached.
    pub async fn put_upload(
        &self,
        upload: &Upload,
        archive: impl Into<Bytes>,
    ) -> Result<(), ClientError> {
        let archive = archive.into();
        let request = to_http(upload, &archive)?;
        let (endpoint, ca_bundle) = (storage(self.endpoint(), request.uri())?, self.ca_bundle());
        let transport = Transport::new(&endpoint, ca_bundle)
            .map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
        let most = self.timeout() + Duration::from_secs(archive.len() as u64 / SLOWEST);
        // What has begun before the link ends may end after it.
        let attempt = async |_left: Duration| {
            let sent = tokio::time::timeout(most, transport.send(request.clone())).await;
            outcome(&sent.unwrap_or(Err(ClientError::Timeout(most)))?)
        };
        // It is tried at least once: S3 tells whether the link has ended, and clocks differ.
        let left = upload.expires_at.duration_since(Timestamp::now());
        let left = Duration::try_from(left).unwrap_or_default();
        self.retries().repeat(left, attempt).await
    }

    /// A link to a function's code, as its record has it, or one of its revisions.
    ///
    /// # Errors
    /// The problems `FUNCTION_NOT_FOUND` and `REVISION_NOT_FOUND`, and as for every request: see
    /// [`ClientError`].
    pub async fn code_link(
        &self,
        name: &FunctionName,
        revision: Option<u64>,
    ) -> Result<CodeLink, ClientError> {
        let mut request = Request::get(format!("{}/code", path(name)));
        if let Some(revision) = revision {
            request.query("revision", &revision.to_string());
        }
        self.send(&request).await?.read()
    }
}

impl Client {
    /// Fetches what a presigned link leads to, at most so many bytes: code, as a [`CodeLink`] or Lambda's own
    /// GetFunction names it.
    ///
    /// No credentials are sent. The link is a secret, and part of no error.
    ///
    /// # Errors
    /// [`ClientError::Storage`]: what S3 refused it with. [`ClientError::InvalidRequest`] for a link to where
    /// nothing is sent; [`ClientError::Unreadable`] where there are more bytes; and that it cannot be reached.
    pub async fn fetch(&self, link: &str, most: usize) -> Result<Bytes, ClientError> {
        let unusable = || ClientError::InvalidRequest("the link cannot be read".to_owned());
        let uri = link.parse::<Uri>().map_err(|_| unusable())?;
        let endpoint = storage(self.endpoint(), &uri)?;
        let transport = Transport::new(&endpoint, self.ca_bundle())
            .map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = uri;
        let longest = self.timeout() + Duration::from_secs(most as u64 / SLOWEST);
        let attempt = async |_left: Duration| {
            let sent = transport.send_within(request.clone(), most);
            let sent = tokio::time::timeout(longest, sent).await;
            let answer = sent.unwrap_or(Err(ClientError::Timeout(longest)))?;
            outcome(&answer)?;
            Ok(answer.body)
        };
        self.retries().repeat(longest, attempt).await
    }
}

fn to_http(upload: &Upload, archive: &Bytes) -> Result<http::Request<Bytes>, ClientError> {
    // Neither is repeated: the link is a secret.
    let unusable = || ClientError::InvalidRequest("the upload cannot be read".to_owned());
    let mut headers = HeaderMap::new();
    for (name, value) in &upload.headers {
        let name = name.parse::<HeaderName>().map_err(|_| unusable())?;
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| unusable())?);
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.is_some_and(|length| length != archive.len().to_string()) {
        let told = "the archive has another length than the upload was asked for with";
        return Err(ClientError::InvalidRequest(told.to_owned()));
    }
    let mut request = http::Request::new(archive.clone());
    *request.method_mut() = upload.method.parse().map_err(|_| unusable())?;
    *request.uri_mut() = upload.url.parse().map_err(|_| unusable())?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Where the link leads. Code goes by https, unless all that is sent to this API does not.
fn storage(api: &Endpoint, link: &Uri) -> Result<Endpoint, ClientError> {
    let refused = |told: &str| ClientError::InvalidRequest(told.to_owned());
    let endpoint = Endpoint::of(link).ok_or_else(|| refused("the link leads nowhere"))?;
    if !endpoint.is_https() && (api.is_https() || !endpoint.is_beside(api)) {
        return Err(refused("code would be sent without encryption: the link is no https"));
    }
    Ok(endpoint)
}

/// What S3 says to an upload.
fn outcome(answer: &Answer) -> Result<(), ClientError> {
    let status = answer.status;
    // An earlier try has put it, and its answer was lost.
    if status.is_success() || status == StatusCode::PRECONDITION_FAILED {
        return Ok(());
    }
    // The rest of what S3 says may repeat what was signed.
    let body = String::from_utf8_lossy(&answer.body);
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = code.map_or("no reason was given", |(code, _)| code);
    let code = code.chars().take(LONGEST_CODE).collect();
    Err(ClientError::Storage { status, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_goes_by_https_unless_the_api_itself_does_not() {
        let api = |url| Endpoint::read(url, true).unwrap();
        let (https, http) = (api("https://a1b2.amazonaws.com"), api("http://a1b2.localhost:4566"));
        let link = |scheme| format!("{scheme}://127.0.0.1:4566/b/k?X-Amz-Signature=s3cr3t");
        let to = |api: &Endpoint, scheme| storage(api, &link(scheme).parse().unwrap());
        assert!(to(&https, "https").is_ok() && to(&http, "http").unwrap().is_loopback());
        let refused = to(&https, "http").unwrap_err().to_string();
        assert!(refused.contains("no https") && !refused.contains("s3cr3t"), "{refused}");
        assert!(storage(&http, &"/b/k".parse().unwrap()).is_err());
        for elsewhere in ["http://10.0.0.1:4566/b/k", "http://b.example.org/k", "ftp://127.0.0.1/k"]
        {
            assert!(storage(&http, &elsewhere.parse().unwrap()).is_err(), "{elsewhere}");
        }
        let near = api("http://10.0.0.1:4566");
        assert!(storage(&near, &"http://10.0.0.1:9000/b/k".parse().unwrap()).is_ok());
    }
}

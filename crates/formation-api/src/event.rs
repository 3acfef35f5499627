//! What API Gateway sends to this Lambda, and what it takes back: payload format 2.0 of HTTP APIs.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

use std::collections::BTreeMap;

use http::Response;
use serde::{Deserialize, Deserializer, Serialize};

/// A request as API Gateway hands it over; nothing where that cannot be read, so that it gets an
/// answer all the same.
#[derive(Debug)]
pub struct Event(pub(crate) Option<Payload>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error is not kept: its text may hold a value of the request.
        Ok(Self(Payload::deserialize(deserializer).ok()))
    }
}

/// What of a request counts. Cookies and forwarding headers do not, and `queryStringParameters` is
/// not what was sent: a parameter that is given twice is one there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Payload {
    /// Method and path of the route that was matched, as the template has them, or `$default`.
    pub route_key: String,
    /// The path, decoded.
    pub raw_path: String,
    /// The query as it was sent.
    pub raw_query_string: String,
    /// The values of the route's parameters.
    pub path_parameters: Option<BTreeMap<String, String>>,
    /// The values of a header that was sent several times are joined by commas.
    pub headers: Option<BTreeMap<String, String>>,
    /// What is known besides.
    pub request_context: RequestContext,
    /// The body, if there is one.
    pub body: Option<String>,
    /// Whether the body is written in base64: the gateway does that to all that it takes for binary.
    pub is_base64_encoded: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RequestContext {
    pub request_id: Option<String>,
    /// The API's own domain, or a custom one that the request came by.
    pub domain_name: Option<String>,
    pub http: Http,
    authorizer: Option<Authorizer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Http {
    pub method: String,
}

#[derive(Debug, Deserialize)]
struct Authorizer {
    iam: Option<Iam>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iam {
    user_arn: Option<String>,
}

impl RequestContext {
    /// The ARN of the caller that IAM has verified.
    pub(crate) fn user_arn(&self) -> Option<&str> {
        self.authorizer.as_ref()?.iam.as_ref()?.user_arn.as_deref()
    }
}

/// An answer as API Gateway takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub(crate) status_code: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl From<Response<String>> for Answer {
    fn from(response: Response<String>) -> Self {
        let headers = response.headers().iter().filter_map(|(name, value)| {
            // All that is set here is text.
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        Self {
            status_code: response.status().as_u16(),
            headers: headers.collect(),
            body: response.into_body(),
        }
    }
}

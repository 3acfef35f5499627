//! Answers as they come, and what they say.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use formation_model::Problem;
use http::header::{AsHeaderName, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ClientError;

/// The most that is shown of what API Gateway said.
const LONGEST_MESSAGE: usize = 256;

/// An answer, whatever its status, read whole.
#[derive(Clone, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Empty for a refusal that is too large to be the API's.
    pub body: Bytes,
}

impl fmt::Debug for Answer {
    /// Without headers and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes", self.status, self.body.len())
    }
}

impl Answer {
    /// A header as text, if it is there.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The document in the body: a [`Function`](formation_model::Function), an
    /// [`Operation`](formation_model::Operation), a [`Problem`].
    ///
    /// # Errors
    /// [`ClientError::Unreadable`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        // serde_json's own message may repeat a value, and values may be secrets.
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = if error.is_data() { "an unexpected value" } else { "no JSON" };
            let reason = format!("{what} at line {}, column {}", error.line(), error.column());
            ClientError::Unreadable { status: self.status, reason }
        })
    }
}

/// What API Gateway answers by itself.
#[derive(Deserialize)]
struct GatewayError {
    #[serde(alias = "Message")]
    message: String,
}

/// Who refused, and why.
pub(crate) fn refusal(answer: &Answer) -> ClientError {
    // Seconds: the API and API Gateway send no dates.
    let retry_after = answer.header(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let retry_after = retry_after.map(Duration::from_secs);
    let status = answer.status;
    if let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) {
        // The status line is what counts to everybody on the way.
        let problem = Box::new(Problem { status: status.as_u16(), ..problem });
        return ClientError::Problem { problem, retry_after };
    }
    // The lines below the first may repeat the request, its session token included.
    let message = serde_json::from_slice::<GatewayError>(&answer.body).ok();
    let message = message.as_ref().and_then(|error| error.message.lines().next());
    let message = message.or(status.canonical_reason()).unwrap_or("no reason was given");
    let message = message.chars().take(LONGEST_MESSAGE).collect();
    ClientError::Gateway { status, message, retry_after }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn who_answered_is_told_apart() {
        let of = |status, body: &str| refusal(&answer(status, body.to_owned()));
        let problem =
            json!(Problem::new(formation_model::ProblemCode::FunctionExists, "it exists"));
        let error = of(409, &problem.to_string());
        assert_eq!(error.code(), Some(formation_model::ProblemCode::FunctionExists));
        assert_eq!(of(403, r#"{"message":"Forbidden"}"#).to_string(), "403 Forbidden: Forbidden");
        assert_eq!(of(403, r#"{"Message":"no"}"#).to_string(), "403 Forbidden: no");
        let proxy = of(502, "<html>s3cr3t</html>").to_string();
        assert_eq!(proxy, "502 Bad Gateway: Bad Gateway");
    }

    #[test]
    fn what_a_gateway_repeats_of_a_request_is_cut_off() {
        let of = |message: &str| {
            refusal(&answer(403, json!({"message": message}).to_string())).to_string()
        };
        let told = of("The signature does not match.\n\nhost:x\nx-amz-security-token:t0ken");
        assert_eq!(told, "403 Forbidden: The signature does not match.");
        assert!(of(&"a".repeat(9999)).len() < 300);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_repeated() {
        #[derive(Debug, Deserialize)]
        struct Counted {
            #[serde(rename = "count")]
            _count: u64,
        }
        for body in [r#"{"count": "s3cr3t"}"#, r#"{"count": s3cr3t}"#] {
            let answer = answer(200, body);
            let error = answer.read::<Counted>().unwrap_err();
            let shown = format!("{error} {error:?} {answer:?}");
            assert!(shown.contains("line 1") && !shown.contains("s3cr3t"), "{shown}");
        }
    }
}

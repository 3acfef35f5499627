//! JSON bodies.

use formation_model::json::{self, FUNCTION};
use formation_model::{Document, MalformedJson};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::problem::ApiError;

/// Lambda hands on 6 MB; a larger request is refused by API Gateway or Lambda, mostly.
const LARGEST_BODY: usize = 6 * 1024 * 1024;

impl From<MalformedJson> for ApiError {
    fn from(malformed: MalformedJson) -> Self {
        Self::MalformedJson(malformed.to_string())
    }
}

/// The function, or the patch for one, in `body`.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Document, ApiError> {
    if let Some(content_type) = headers.get(CONTENT_TYPE)
        && !is_json(content_type.as_bytes())
    {
        return Err(ApiError::UnsupportedMediaType);
    }
    if body.len() > LARGEST_BODY {
        return Err(ApiError::BodyTooLarge);
    }
    Ok(json::read(body, FUNCTION)?)
}

fn is_json(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let media_type = media_type.trim_ascii();
    // RFC 7396's own type is welcome wherever JSON is; only PATCH gives it a meaning.
    ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_json_is_taken_and_only_so_much() {
        let headers = |text| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]);
        for good in
            ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"]
        {
            assert!(read(&headers(good), b"{}").is_ok(), "{good}");
        }
        let refused = read(&headers("text/plain"), b"{}");
        assert!(matches!(refused, Err(ApiError::UnsupportedMediaType)));
        let refused = read(&HeaderMap::new(), &vec![b' '; LARGEST_BODY + 1]);
        assert!(matches!(refused, Err(ApiError::BodyTooLarge)));
        let refused = read(&HeaderMap::new(), b"{");
        assert!(matches!(refused, Err(ApiError::MalformedJson(_))));
    }
}

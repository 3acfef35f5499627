//! Where the API is, and whether requests may go there.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::error::BuildError;

/// Where API Gateway's own names end, in every Region of AWS and of AWS in China.
/// Source: <https://docs.aws.amazon.com/general/latest/gr/apigateway.html>.
const GATEWAYS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// The URL of an API.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    /// What stands before every path: nothing, or a stage.
    base: String,
}

impl Endpoint {
    /// Reads a URL. `trusted` is whether it was given explicitly, so that it may lead anywhere.
    pub(crate) fn read(url: &str, trusted: bool) -> Result<Self, BuildError> {
        let parts = url.parse::<Uri>().map_err(|_| BuildError::InvalidUrl)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(BuildError::InvalidUrl);
        };
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let base = path.path().trim_end_matches('/').to_owned();
        // What is signed must be what is sent, so nothing may stand there that is written in two ways.
        let plain = |segment: &str| {
            !["", ".", ".."].contains(&segment)
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
        };
        let is_http = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        let whole = is_http
            && path.query().is_none()
            && !authority.as_str().contains('@')
            && !authority.host().is_empty()
            && base.split('/').skip(1).all(plain);
        if !whole {
            return Err(BuildError::InvalidUrl);
        }
        let endpoint = Self { scheme, authority, base };
        if trusted || endpoint.is_api_gateway() {
            Ok(endpoint)
        } else {
            Err(BuildError::UntrustedUrl(endpoint.authority.to_string()))
        }
    }

    /// What a link leads to; none where it is no URL.
    pub(crate) fn of(link: &Uri) -> Option<Self> {
        let (scheme, authority) = (link.scheme()?.clone(), link.authority()?.clone());
        Some(Self { scheme, authority, base: String::new() })
    }

    /// The URL of `target`: a path, and a query if there is one.
    pub(crate) fn uri(&self, target: &str) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{target}", self.base))
            .build()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether it leads to this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        address.map_or_else(|_| is_localhost(host), |address| address.is_loopback())
    }

    /// Whether it leads to this machine, or to that of `other`.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        let is_http = self.scheme == Scheme::HTTP || self.is_https();
        is_http && (self.is_loopback() || self.authority.host() == other.authority.host())
    }

    fn is_api_gateway(&self) -> bool {
        let host = self.authority.host().to_ascii_lowercase();
        self.is_https() && GATEWAYS.iter().any(|end| host.ends_with(end))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base)
    }
}

/// Whether a name is `localhost` or below it, and so means this machine (RFC 6761, section 6.3).
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_api_gateway_is_trusted_unasked() {
        for good in [
            "https://a1b2.execute-api.eu-central-1.amazonaws.com",
            "https://a1b2.execute-api.eu-central-1.amazonaws.com/prod/",
            "https://A1B2.execute-api.cn-north-1.AMAZONAWS.com.cn:443",
        ] {
            assert!(Endpoint::read(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://a1b2.execute-api.eu-central-1.amazonaws.com",
            "https://amazonaws.com.example.org",
            "https://examplesamazonaws.com",
            "https://a1b2.amazonaws.com.example",
            "https://amazonaws.com",
            "https://127.0.0.1:4566",
            "http://a1b2.execute-api.localhost:4566",
        ] {
            let read = Endpoint::read(bad, false);
            assert!(matches!(read, Err(BuildError::UntrustedUrl(_))), "{bad}: {read:?}");
            assert!(Endpoint::read(bad, true).is_ok(), "{bad}");
        }
    }

    #[test]
    fn a_url_with_two_readings_or_a_password_is_refused_and_not_repeated() {
        for bad in [
            "",
            "/v1",
            "example.org",
            "ftp://example.org",
            "https://ann:s3cr3t@a.amazonaws.com",
            "https://a.amazonaws.com/?x=y",
            "https://a.amazonaws.com/a/../b",
            "https://a.amazonaws.com//a",
            "https://a.amazonaws.com/%2e",
        ] {
            let error = Endpoint::read(bad, true).unwrap_err();
            assert!(matches!(error, BuildError::InvalidUrl), "{bad}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn names_below_localhost_are_this_machine() {
        for here in ["localhost", "a.execute-api.LOCALHOST", "127.0.0.1", "[::1]"] {
            assert!(Endpoint::read(&format!("http://{here}:80"), true).unwrap().is_loopback());
        }
        for there in ["localhost.example.org", "notlocalhost", "10.0.0.1", "[2001:db8::1]"] {
            assert!(!Endpoint::read(&format!("http://{there}:80"), true).unwrap().is_loopback());
        }
    }

    #[test]
    fn a_stage_stands_before_every_path() {
        let uri = |url| Endpoint::read(url, true).unwrap().uri("/v1/functions?a=b").unwrap();
        assert_eq!(uri("https://x/prod/"), "https://x/prod/v1/functions?a=b");
        assert_eq!(uri("https://x"), "https://x/v1/functions?a=b");
    }
}

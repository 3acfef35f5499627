//! Requests sent as they are written, byte for byte. Clients tidy a path up before they sign and
//! send it, and so never send what somebody else might.

use std::net::SocketAddr;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::world::World;

/// What SigV4 leaves as it is: RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Sends a request to the HTTP API. `target` is path and query as they are to stand in the request
/// line; the signature is that of these very bytes, as AWS makes it of them.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
///
/// # Errors
/// That the connection fails or ends without an answer.
pub async fn send(
    world: &World,
    identity: &Credentials,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    let host = authority(&world.stack.api_url);
    let region = world.stack.region.as_str();
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &now[..8];
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let canonical = format!(
        "{method}\n{}\n{}\nhost:{host}\nx-amz-date:{now}\n\nhost;x-amz-date\n{}",
        canonical_path(path),
        canonical_query(query),
        sha256(body.as_bytes())
    );
    let scope = format!("{day}/{region}/execute-api/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let key = generate_signing_key(
        identity.secret_access_key(),
        SystemTime::now(),
        region,
        "execute-api",
    );
    let signature = calculate_signature(key, to_sign.as_bytes());

    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Amz-Date: {now}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-date, \
         Signature={signature}\r\nConnection: close\r\nContent-Length: {}\r\n",
        identity.access_key_id(),
        body.len()
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("\r\n{body}");

    let port = world.stack.endpoint_url.parse::<Uri>().ok().and_then(|url| url.port_u16());
    let address = SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(80)));
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    read(&answer).ok_or_else(|| std::io::Error::other("the answer is no HTTP"))
}

fn authority(url: &str) -> String {
    let url = url.parse::<Uri>().ok();
    url.and_then(|url| Some(url.authority()?.to_string())).unwrap_or_default()
}

/// Without dot segments and empty ones, each segment encoded once more.
fn canonical_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(percent_encode(segment.as_bytes(), ENCODED).to_string()),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn canonical_query(query: &str) -> String {
    let encoded = |text: &str| {
        let decoded: Vec<u8> = percent_decode(text.as_bytes()).collect();
        percent_encode(&decoded, ENCODED).to_string()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: Vec<_> =
        pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.sort();
    pairs.join("&")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse::<u16>().ok()?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    Some(Answer {
        status: StatusCode::from_u16(status).ok()?,
        headers: headers.collect::<HeaderMap>(),
        body: answer[end + 4..].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_what_aws_makes_of_the_bytes() {
        for (path, canonical) in [
            ("/v1/functions/a", "/v1/functions/a"),
            ("/v1/functions/a/../b", "/v1/functions/b"),
            ("//v1/./functions//a/", "/v1/functions/a/"),
            ("/v1/functions/a/%2e%2e/b", "/v1/functions/a/%252e%252e/b"),
            ("/v1/functions/a\\..\\b", "/v1/functions/a%5C..%5Cb"),
            ("/", "/"),
        ] {
            assert_eq!(canonical_path(path), canonical);
        }
        assert_eq!(canonical_query("b=%22<\"&a"), "a=&b=%22%3C%22");
    }
}

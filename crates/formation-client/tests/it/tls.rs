//! TLS and proxies.

use std::process::Command;
use std::sync::Arc;

use formation_client::{Client, ClientError, Retries};
use formation_model::FunctionName;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::stub::{Stub, answer, credentials, function};

fn name() -> FunctionName {
    "hello".parse().unwrap()
}

/// A stand-in that speaks TLS, and its certificate.
async fn secure() -> (Stub, String) {
    let names = vec!["a1b2.execute-api.localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let reply = |_: usize, _: &_| answer(200, &[("etag", "\"1\"")], &function("hello"));
    (Stub::start_with(Some(acceptor), reply).await, cert.pem())
}

#[tokio::test]
async fn whom_the_ca_bundle_names_is_trusted() {
    let (stub, certificate) = secure().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, certificate).unwrap();
    let client = stub.builder().ca_bundle(&path).build().unwrap();
    assert_eq!(client.describe(&name()).await.unwrap().etag.as_str(), "\"1\"");
    assert_eq!(stub.seen()[0].target, "/v1/functions/hello");
}

#[tokio::test]
async fn whom_nobody_names_is_not_trusted_and_not_asked_again() {
    let (stub, _) = secure().await;
    let other = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, other.cert.pem()).unwrap();
    let client = stub.builder().ca_bundle(&path).build().unwrap();
    let error = client.describe(&name()).await.unwrap_err();
    assert!(matches!(error, ClientError::Transport(_)) && !error.is_transient(), "{error:?}");
    assert!(stub.seen().is_empty());
}

const CHILD: &str = "FORMATION_CLIENT_TEST_URL";

/// Only as the child of the test below, which sets its environment.
#[tokio::test]
#[ignore = "a part of another test"]
async fn child_that_sends_one_request() {
    let url = std::env::var(CHILD).unwrap();
    let once = Retries { tries: 1, ..Retries::default() };
    let client = Client::builder(url, "eu-central-1", credentials("AKID"));
    let client = client.given_explicitly().retries(once).build().unwrap();
    let _whatever = client.describe(&name()).await;
}

/// The first line that reaches a proxy at `variable` when a request is sent to `url`.
async fn proxied(variable: &str, url: &str, no_proxy: &str) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--ignored", "tls::child_that_sends_one_request"]);
    for inherited in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        child.env_remove(inherited).env_remove(inherited.to_uppercase());
    }
    child.env(CHILD, url).env(variable, proxy).env("NO_PROXY", no_proxy);
    let child = tokio::task::spawn_blocking(move || child.output().unwrap());
    tokio::select! {
        accepted = listener.accept() => {
            let (mut stream, _) = accepted.unwrap();
            let mut read = vec![0; 4096];
            let length = stream.read(&mut read).await.unwrap();
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            let text = String::from_utf8_lossy(&read[..length]).into_owned();
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        ended = child => {
            let ended = ended.unwrap();
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
            None
        }
    }
}

#[tokio::test]
async fn proxies_of_the_environment_are_used_but_not_to_this_machine() {
    // Names that do not exist (RFC 6761), so that nobody is bothered where no proxy is.
    let secure = "https://a1b2.execute-api.eu-central-1.amazonaws.com.invalid";
    let line = proxied("HTTPS_PROXY", secure, "").await;
    let host = secure.strip_prefix("https://").unwrap();
    assert_eq!(line, Some(format!("CONNECT {host}:443 HTTP/1.1")));
    assert_eq!(proxied("HTTPS_PROXY", secure, ".invalid").await, None);
    assert_eq!(proxied("HTTPS_PROXY", "https://a1b2.localhost:1", "").await, None);
    let plain = "http://a1b2.invalid";
    let line = proxied("HTTP_PROXY", plain, "").await;
    assert_eq!(line, Some(format!("GET {plain}/v1/functions/hello HTTP/1.1")));
}

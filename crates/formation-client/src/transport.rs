//! HTTP as the AWS SDK speaks it, by its own connector: rustls on ring, proxies from the environment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::HttpError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::answer::Answer;
use crate::endpoint::{Endpoint, is_localhost};
use crate::error::BuildError;
use crate::error::ClientError;

/// The most that is read of an answer: twice what a Lambda function can answer.
const LARGEST_ANSWER: usize = 12 * 1024 * 1024;
/// The most that is read of a refusal. The API lists problems in an eighth of it.
const LARGEST_REFUSAL: usize = 1024 * 1024;
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request. API Gateway, and what stands in for it, end
/// idle ones after a minute or so, which may be the very moment of that request.
const KEPT_IDLE: Duration = Duration::from_secs(20);

/// What sends requests.
#[derive(Debug)]
pub(crate) struct Transport(Connector);

impl Transport {
    /// A transport to `endpoint`, which trusts the system's certificates and those in `ca_bundle`.
    pub(crate) fn new(endpoint: &Endpoint, ca_bundle: Option<&Path>) -> Result<Self, BuildError> {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        // What is on this machine is not reached by way of another.
        let proxies =
            if endpoint.is_loopback() { ProxyConfig::disabled() } else { ProxyConfig::from_env() };
        let trust = if endpoint.is_https() || !endpoint.is_loopback() {
            trusted(ca_bundle)?
        } else {
            TrustStore::empty()
        };
        let tls = TlsContext::builder().with_trust_store(trust).build();
        let connector = ConnectorBuilder::default()
            .connector_settings(settings)
            .proxy_config(proxies)
            .pool_idle_timeout(KEPT_IDLE)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.map_err(|error| BuildError::CaBundle(error.to_string()))?)
            .build_with_resolver(Resolver);
        Ok(Self(connector))
    }

    /// Sends a request and reads its answer, whatever its status.
    pub(crate) async fn send(&self, request: http::Request<Bytes>) -> Result<Answer, ClientError> {
        self.send_within(request, LARGEST_ANSWER).await
    }

    /// The same, where a successful answer may have so many bytes.
    pub(crate) async fn send_within(
        &self,
        request: http::Request<Bytes>,
        largest: usize,
    ) -> Result<Answer, ClientError> {
        let request = request.map(SdkBody::from).try_into();
        let request =
            request.map_err(|error: HttpError| ClientError::InvalidRequest(error.to_string()))?;
        let answer = self.0.call(request).await.map_err(ClientError::Transport)?;
        let answer = answer
            .try_into_http1x()
            .map_err(|error| ClientError::Transport(ConnectorError::other(error.into(), None)))?;
        let (parts, body) = answer.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        let most = if status.is_success() { largest } else { LARGEST_REFUSAL };
        let body = match Limited::new(body, most).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if !error.is::<LengthLimitError>() => {
                return Err(ClientError::Transport(ConnectorError::io(error)));
            }
            Err(_) if status.is_success() => {
                let reason = format!("it has more than {most} bytes");
                return Err(ClientError::Unreadable { status, reason });
            }
            Err(_) => Bytes::new(),
        };
        Ok(Answer { status, headers, body })
    }
}

/// The system's certificates and those of `bundle`, which the connector takes without checking them.
fn trusted(bundle: Option<&Path>) -> Result<TrustStore, BuildError> {
    let from_system = !rustls_native_certs::load_native_certs().certs.is_empty();
    let trust = TrustStore::empty().with_native_roots(from_system);
    let Some(path) = bundle else {
        return if from_system { Ok(trust) } else { Err(BuildError::NoCertificates) };
    };
    let refused = |reason: &dyn std::fmt::Display| {
        BuildError::CaBundle(format!("{}: {reason}", path.display()))
    };
    let pem = std::fs::read(path).map_err(|error| refused(&error))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| refused(&error))?;
    if certificates.is_empty() {
        return Err(refused(&"there is no certificate in it"));
    }
    let mut roots = rustls::RootCertStore::empty();
    certificates
        .into_iter()
        .try_for_each(|certificate| roots.add(certificate))
        .map_err(|error| refused(&error))?;
    Ok(trust.with_pem_certificate(pem))
}

/// The system's resolver, but for names that mean this machine: not every resolver knows them.
#[derive(Clone, Debug)]
struct Resolver;

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        if is_localhost(name) {
            let here = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            return DnsFuture::ready(Ok(here.to_vec()));
        }
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(found.map(|address| address.ip()).collect::<Vec<IpAddr>>())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_below_localhost_lead_to_this_machine() {
        let addresses = Resolver.resolve_dns("a1b2.execute-api.localhost").await.unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback));
    }

    #[test]
    fn a_bundle_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let refusal = || trusted(Some(&path)).unwrap_err().to_string();
        assert!(refusal().contains("ca.pem"), "{}", refusal());
        std::fs::write(&path, "no certificate").unwrap();
        assert!(refusal().contains("no certificate in it"), "{}", refusal());
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, damaged).unwrap();
        assert!(refusal().contains("ca.pem"), "{}", refusal());
    }
}

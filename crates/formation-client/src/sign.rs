//! Signing: AWS Signature Version 4.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use tokio::sync::Mutex;

use crate::error::ClientError;

/// The name under which API Gateway checks signatures.
pub(crate) const API_GATEWAY: &str = "execute-api";
/// How long before their end credentials are asked for anew.
const AHEAD: Duration = Duration::from_secs(60);

/// Who signs, and for which service in which Region.
#[derive(Debug)]
pub(crate) struct Signer {
    service: String,
    region: String,
    provider: SharedCredentialsProvider,
    /// What the provider gave last: it may ask a browser, a process or STS each time.
    kept: Mutex<Option<Credentials>>,
}

impl Signer {
    pub(crate) fn new(
        service: String,
        region: String,
        provider: SharedCredentialsProvider,
    ) -> Self {
        Self { service, region, provider, kept: Mutex::new(None) }
    }

    /// The same service and Region with other credentials.
    pub(crate) fn with_provider(&self, provider: SharedCredentialsProvider) -> Self {
        Self::new(self.service.clone(), self.region.clone(), provider)
    }

    /// Signs exactly what will be sent: method, path, query, headers with `host`, and body.
    pub(crate) async fn sign(
        &self,
        request: &mut http::Request<Bytes>,
        now: SystemTime,
    ) -> Result<(), ClientError> {
        let credentials = self.credentials(now).await.map_err(ClientError::Credentials)?;
        sign_as(request, credentials, (&self.service, &self.region), now)
            .map_err(ClientError::Signing)
    }

    /// Asks the provider anew next time: what it gave was refused.
    pub(crate) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, CredentialsError> {
        let lasts = |kept: &Credentials, ahead| kept.expiry().is_none_or(|end| end > now + ahead);
        // Held while asking, so that many requests at once ask once.
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| lasts(kept, AHEAD)) {
            return Ok(credentials.clone());
        }
        match self.provider.provide_credentials().await {
            Ok(credentials) => Ok(kept.insert(credentials).clone()),
            Err(error) => match kept.as_ref().filter(|kept| lasts(kept, Duration::ZERO)) {
                Some(credentials) => Ok(credentials.clone()),
                None => Err(error),
            },
        }
    }
}

fn sign_as(
    request: &mut http::Request<Bytes>,
    credentials: Credentials,
    (service, region): (&str, &str),
    now: SystemTime,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.uri().to_string(),
        headers,
        SignableBody::Bytes(request.body()),
    )?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::provider::future;

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    /// Credentials that last ten minutes, numbered; after the second there are no more.
    #[derive(Debug, Default)]
    struct Renewed {
        asked: AtomicU64,
        lasting: bool,
    }

    impl ProvideCredentials for Renewed {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            let end = (!self.lasting).then(|| START + Duration::from_secs(600 * asked));
            let credentials =
                Credentials::new(format!("AKID{asked}"), "s3cr3t", None, end, "a test");
            future::ProvideCredentials::ready(if asked > 2 {
                Err(CredentialsError::not_loaded("no more"))
            } else {
                Ok(credentials)
            })
        }
    }

    fn signer(lasting: bool) -> (Arc<Renewed>, Signer) {
        let provider = Arc::new(Renewed { lasting, ..Renewed::default() });
        let shared: Arc<dyn ProvideCredentials> = Arc::clone(&provider) as _;
        (provider, Signer::new(API_GATEWAY.into(), "eu-central-1".into(), shared.into()))
    }

    async fn key(signer: &Signer, seconds: u64) -> Result<String, CredentialsError> {
        let credentials = signer.credentials(START + Duration::from_secs(seconds)).await?;
        Ok(credentials.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn credentials_are_renewed_before_they_end_and_used_to_their_end() {
        let (provider, signer) = signer(false);
        assert_eq!(key(&signer, 0).await.unwrap(), "AKID1");
        assert_eq!(key(&signer, 539).await.unwrap(), "AKID1");
        assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
        assert_eq!(key(&signer, 540).await.unwrap(), "AKID2");
        assert_eq!(key(&signer, 1199).await.unwrap(), "AKID2");
        assert!(key(&signer, 1200).await.is_err());
    }

    #[tokio::test]
    async fn credentials_that_were_refused_are_asked_for_anew() {
        let (_, signer) = signer(true);
        assert_eq!(key(&signer, 0).await.unwrap(), "AKID1");
        assert_eq!(key(&signer, 99_999).await.unwrap(), "AKID1");
        signer.forget().await;
        assert_eq!(key(&signer, 99_999).await.unwrap(), "AKID2");
    }

    #[test]
    fn neither_a_key_nor_a_token_is_ever_shown() {
        let (_, signer) = signer(true);
        let credentials = Credentials::new("AKID", "s3cr3t", Some("t0ken".into()), None, "a test");
        *signer.kept.try_lock().unwrap() = Some(credentials);
        let shown = format!("{signer:?}");
        assert!(!shown.contains("s3cr3t") && !shown.contains("t0ken"), "{shown}");
    }
}

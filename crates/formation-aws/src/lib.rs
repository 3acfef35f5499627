//! What every call to AWS shares: how clients are configured, and what an error means.

mod error;

pub use error::{AwsError, ErrorKind};

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// One try of a call. Control-plane calls answer in well under a second; CreateFunction may take a
/// few when it fetches a large bundle.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// A call with the SDK's own retries. The SDK sets no limit of its own.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// The configuration of every AWS client: credentials, Region and endpoint from the environment,
/// TLS by rustls on ring, and a limit on the time of every call.
///
/// Retries stay at the SDK's standard, three tries: the state machine does the patient part.
pub async fn sdk_config() -> SdkConfig {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .timeout_config(timeouts)
        .load()
        .await
}

//! What every call to AWS shares: how clients are configured, and what an error means.

mod error;

pub use error::{AwsError, ErrorKind};

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_types::retry::RetryConfig;

/// One try of a call. Control-plane calls answer in well under a second; CreateFunction may take a
/// few when it fetches a large bundle.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// A call with the SDK's own retries. The SDK sets no limit of its own.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// The configuration of every AWS client: credentials, Region and endpoint from the environment,
/// TLS by rustls on ring, and a limit on the time of every call.
///
/// Put together by hand, since Lambda gives all of it in the environment: the SDK's default chain
/// (profiles, instance metadata, STS) would be a sixth of a step's zip and would have to be started.
///
/// Retries stay at the SDK's standard, three tries: the state machine does the patient part.
pub fn sdk_config() -> SdkConfig {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(https)
        .retry_config(RetryConfig::standard())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(timeouts);
    // As the SDKs define them: <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>.
    config.set_region(std::env::var("AWS_REGION").ok().map(Region::new));
    config.set_endpoint_url(std::env::var("AWS_ENDPOINT_URL").ok());
    config.build()
}

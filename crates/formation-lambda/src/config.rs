//! How the clients of AWS are configured.

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
/// A call with the SDK's own retries, where somebody waits for the answer. The SDK sets no limit of
/// its own.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// The same in a step. While AWS throttles, waiting here is cheaper than failing: a transition of
/// Step Functions costs as much as 7 s of a step's Lambda.
const STEP_OPERATION_TIMEOUT: Duration = Duration::from_secs(40);
/// The longest pause between a step's tries, full jitter: a hundred steps that wait for one bucket
/// of tokens use up nearly all that it gives, and the last of them is not left to wait long after.
const STEP_LONGEST_PAUSE: Duration = Duration::from_millis(1500);
/// So many tries take some 27 s. They must be over before the time is: a call that its deadline ends
/// does not tell that it was throttled, and the state machine has little patience with the unknown.
const STEP_TRIES: u32 = 36;

/// The configuration of every AWS client: credentials, Region and endpoint from the environment,
/// TLS by rustls on ring, and a limit on the time of every call. Three tries, the SDK's standard.
///
/// Put together by hand, since Lambda gives all of it in the environment: the SDK's default chain
/// (profiles, instance metadata, STS) would be a sixth of a step's zip and would have to be started.
pub fn sdk_config() -> SdkConfig {
    configure(RetryConfig::standard(), OPERATION_TIMEOUT)
}

/// The same for steps, which wait out AWS's throttling for some seconds before the state machine
/// does.
pub(crate) fn step_sdk_config() -> SdkConfig {
    let patient =
        RetryConfig::standard().with_max_attempts(STEP_TRIES).with_max_backoff(STEP_LONGEST_PAUSE);
    configure(patient, STEP_OPERATION_TIMEOUT)
}

fn configure(retries: RetryConfig, operation_timeout: Duration) -> SdkConfig {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(operation_timeout)
        .build();
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(https)
        .retry_config(retries)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(timeouts);
    // As the SDKs define them: <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>.
    config.set_region(std::env::var("AWS_REGION").ok().map(Region::new));
    config.set_endpoint_url(std::env::var("AWS_ENDPOINT_URL").ok());
    config.build()
}

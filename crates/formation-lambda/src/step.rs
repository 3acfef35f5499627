//! What a step starts with.

use aws_config::SdkConfig;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use formation_control::{Bundles, Records};

use crate::config::step_sdk_config;
use crate::environment::{BadVariable, required_var};
use crate::log::init_log;

/// A step's Lambda as it starts: a client of each service that some step works with. What a step
/// does not ask for is not linked into its binary.
#[derive(Debug)]
pub struct Step {
    config: SdkConfig,
}

impl Step {
    /// Begins the log, and configures the clients from the environment.
    pub fn start() -> Self {
        init_log();
        Self { config: step_sdk_config() }
    }

    /// For steps that change roles.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::config::Builder::from(&self.config);
        aws_sdk_iam::Client::from_conf(config.retry_partition(patient()).build())
    }

    /// For steps that change or look at functions.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::config::Builder::from(&self.config);
        aws_sdk_lambda::Client::from_conf(config.retry_partition(patient()).build())
    }

    /// For steps that change log groups.
    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config);
        aws_sdk_cloudwatchlogs::Client::from_conf(config.retry_partition(patient()).build())
    }

    /// For steps that change rules of event buses.
    pub fn events(&self) -> aws_sdk_eventbridge::Client {
        let config = aws_sdk_eventbridge::config::Builder::from(&self.config);
        aws_sdk_eventbridge::Client::from_conf(config.retry_partition(patient()).build())
    }

    /// For steps that change schedules.
    pub fn scheduler(&self) -> aws_sdk_scheduler::Client {
        let config = aws_sdk_scheduler::config::Builder::from(&self.config);
        aws_sdk_scheduler::Client::from_conf(config.retry_partition(patient()).build())
    }

    /// For steps that look at queues.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.config);
        aws_sdk_sqs::Client::from_conf(config.retry_partition(patient()).build())
    }

    /// For steps that look at streams.
    pub fn kinesis(&self) -> aws_sdk_kinesis::Client {
        let config = aws_sdk_kinesis::config::Builder::from(&self.config);
        aws_sdk_kinesis::Client::from_conf(config.retry_partition(patient()).build())
    }

    /// The stack's records.
    ///
    /// # Errors
    /// [`BadVariable`] if the table is not named.
    pub fn records(&self) -> Result<Records, BadVariable> {
        let table = required_var("TABLE_NAME")?;
        Ok(Records::new(aws_sdk_dynamodb::Client::new(&self.config), table))
    }

    /// The stack's bundles, for a step that takes no code from elsewhere.
    ///
    /// # Errors
    /// [`BadVariable`] if the bucket or the account is not named.
    pub fn bundles(&self) -> Result<Bundles, BadVariable> {
        let bucket = required_var("ARTIFACT_BUCKET")?;
        let s3 = aws_sdk_s3::Client::new(&self.config);
        Ok(Bundles::new(s3, bucket, required_var("ACCOUNT_ID")?, Vec::new()))
    }
}

/// How a client of the service that a step changes accounts for its tries: not at all. The SDK
/// grants a process so many retries and few of them anew, so that a Lambda that has waited out some
/// throttling would give up at the first refusal from then on. The rates are AWS's to keep.
fn patient() -> RetryPartition {
    RetryPartition::custom("step").token_bucket(TokenBucket::unlimited()).build()
}

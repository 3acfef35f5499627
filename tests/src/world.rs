//! Local AWS with Formation on it, and what can be asked of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use formation_client::{Client, Retries};
use formation_local::ministack::free_port;
use formation_local::{
    LocalError, MiniStack, Options, Project, REGION, STACK_NAME, Stack, deploy, lambda,
};
use http::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::announcements::Announcements;
use crate::answer::{Answer, ask};
use crate::proxy::Proxy;

/// Waits and retry pauses of the state machine are this much shorter than on AWS, where a test does
/// not need them as they are.
pub const WAIT_SCALE: f64 = 0.02;
/// Nothing that a test waits for takes longer, on a busy machine either.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a request may take, with the 25 s that it may wait for an outcome.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// An answer that would be asked for again is one that a test must see.
const ONCE: Retries = Retries {
    tries: 1,
    first_pause: Duration::ZERO,
    longest_pause: Duration::ZERO,
    total: REQUEST_LIMIT,
};

/// A bucket that the stack takes code from.
pub const CODE_BUCKET: &str = "formation-test-code";

/// An event bus on which the stack lets functions have rules, once a test has made it.
pub const EVENT_BUS: &str = "formation-test-bus";

/// The code of a function that answers.
pub const EXAMPLE_CODE: &str = "export const handler = async (event) => { return { statusCode: 200, body: JSON.stringify(`Hello!`) }; };";

/// Local AWS with Formation on it.
pub struct World {
    pub(crate) ministack: MiniStack,
    /// Where the stack is.
    pub stack: Stack,
    /// Calls the HTTP API as the root user.
    pub client: Client,
    /// What the Lambdas' calls pass through.
    pub proxy: Proxy,
    /// The packaged template, before anything was taken out for local AWS.
    pub template: Value,
    /// The stack's key.
    pub stack_key: String,
    /// AWS as the root user sees it, past the proxy.
    pub iam: aws_sdk_iam::Client,
    /// See `iam`.
    pub lambda: aws_sdk_lambda::Client,
    /// See `iam`.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// See `iam`.
    pub s3: aws_sdk_s3::Client,
    /// See `iam`.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// See `iam`.
    pub sfn: aws_sdk_sfn::Client,
    /// See `iam`.
    pub events: aws_sdk_eventbridge::Client,
    /// See `iam`.
    pub scheduler: aws_sdk_scheduler::Client,
    /// See `iam`.
    pub kinesis: aws_sdk_kinesis::Client,
    /// See `iam`.
    pub sqs: aws_sdk_sqs::Client,
    /// See `iam`.
    pub sts: aws_sdk_sts::Client,
    /// Everything that was announced on the bus.
    pub(crate) announcements: Announcements,
    /// Held while reconcile runs as on its schedule.
    pub(crate) schedule: Mutex<()>,
    /// Removed when the world ends.
    _folder: TempDir,
}

impl World {
    /// Starts local AWS behind a proxy and deploys Formation to it. Waits of the state machine take
    /// `wait_scale` times as long as on AWS.
    ///
    /// # Errors
    /// What is missing or was refused.
    pub async fn start(wait_scale: f64) -> Result<Self, LocalError> {
        let project = Project::find()?;
        let folder = TempDir::with_prefix("formation-")
            .map_err(|source| LocalError::File { path: std::env::temp_dir(), source })?;
        let port = free_port(None)?;
        let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], port)))
            .await
            .map_err(|source| LocalError::File { path: "127.0.0.1".into(), source })?;
        let options = Options {
            port,
            lambda_endpoint_url: proxy.url(),
            folder: folder.path().to_owned(),
            wait_scale,
        };
        let ministack = MiniStack::start(&project, &options).await?;
        match Self::deploy(&project, ministack.url(), &folder).await {
            Ok((stack, config, template)) => Ok(Self {
                ministack,
                client: stack.client_builder().timeout(REQUEST_LIMIT).retries(ONCE).build()?,
                proxy,
                stack_key: stack_key(&config, &stack).await?,
                template,
                iam: aws_sdk_iam::Client::new(&config),
                lambda: aws_sdk_lambda::Client::new(&config),
                logs: aws_sdk_cloudwatchlogs::Client::new(&config),
                s3: aws_sdk_s3::Client::new(&config),
                dynamodb: aws_sdk_dynamodb::Client::new(&config),
                sfn: aws_sdk_sfn::Client::new(&config),
                events: aws_sdk_eventbridge::Client::new(&config),
                scheduler: aws_sdk_scheduler::Client::new(&config),
                kinesis: aws_sdk_kinesis::Client::new(&config),
                sqs: aws_sdk_sqs::Client::new(&config),
                sts: aws_sdk_sts::Client::new(&config),
                announcements: Announcements::listen(&config, &stack).await?,
                schedule: Mutex::new(()),
                stack,
                _folder: folder,
            }),
            Err(error) => {
                ministack.stop().await?;
                Err(error)
            }
        }
    }

    async fn deploy(
        project: &Project,
        url: String,
        folder: &TempDir,
    ) -> Result<(Stack, aws_config::SdkConfig, Value), LocalError> {
        let config = formation_lambda::sdk_config().into_builder();
        // A test is more patient than a Lambda.
        let timeouts = TimeoutConfig::builder().operation_timeout(LIMIT).build();
        let config = config
            .timeout_config(timeouts)
            .endpoint_url(&url)
            .region(aws_config::Region::new(REGION))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
                Credentials::from_keys("test", "test", None),
            ))
            .build();
        let s3 = aws_sdk_s3::Client::new(&config);
        s3.create_bucket()
            .bucket(CODE_BUCKET)
            .send()
            .await
            .map_err(|error| LocalError::Answer(format!("{error:?}")))?;
        let events = aws_sdk_eventbridge::Client::new(&config);
        events
            .create_event_bus()
            .name(EVENT_BUS)
            .send()
            .await
            .map_err(|error| LocalError::Answer(format!("{error:?}")))?;
        // The schedule would disturb what is counted: tests that need it say when time has passed.
        let parameters = [
            &format!("CodeBuckets={CODE_BUCKET}"),
            // That of the property's example.
            "LayerArns=arn:aws:lambda:*:123456789012:layer:example:?",
            "AllowPublicUrls=true",
            &format!("EventBusNames=default,{EVENT_BUS},{STACK_NAME}"),
            "EventSourceArns=arn:aws:sqs:*,arn:aws:kinesis:*:stream/*_clicks",
            "FailureDestinationArns=arn:aws:sqs:*",
            "ReconcileSchedule=rate(1 day)",
            "DriftMode=REPAIR",
            "RevisionsKept=3",
        ];
        let stack = deploy::deploy(project, &url, folder.path(), &parameters).await?;
        let packaged = folder.path().join(deploy::PACKAGED);
        let text = std::fs::read(&packaged)
            .map_err(|source| LocalError::File { path: packaged, source })?;
        Ok((stack, config, serde_json::from_slice(&text)?))
    }

    /// Ends local AWS.
    ///
    /// # Errors
    /// That it does not end.
    pub async fn stop(&self) -> Result<(), LocalError> {
        self.ministack.stop().await
    }

    /// A name that no other test uses. Short enough to stand uncut in the name of a role.
    pub fn name(&self, what: &str) -> String {
        let name = format!("{what}-{:08x}", fastrand::u32(..));
        assert!(name.len() <= 32, "{name} would be cut in the name of its role");
        name
    }

    /// A request to the HTTP API as the root user.
    pub async fn api(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        ask(&self.client, method, path, &[], body).await
    }

    /// A request with headers to the HTTP API as the root user.
    pub async fn api_raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        ask(&self.client, method, path, headers, body).await
    }

    /// Invokes a Lambda function.
    ///
    /// # Errors
    /// What it failed with.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, LocalError> {
        lambda::invoke(&self.lambda, function, payload).await
    }

    /// The lines that a Lambda has logged and that hold `text`.
    pub async fn log_of(&self, lambda: &str, text: &str) -> Vec<String> {
        let group = format!("/formation/{}/{lambda}", self.stack.stack_name);
        let pages = self.logs.filter_log_events().log_group_name(group).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("logs can be read");
        let events = pages.into_iter().flat_map(|page| page.events.unwrap_or_default());
        let lines = events.filter_map(|event| event.message);
        lines.filter(|line| line.contains(text)).collect()
    }

    /// Looks again and again until `look` finds something.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(began.elapsed() < LIMIT, "waited in vain until {what}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// The stack, as names derive from it.
    pub fn identity(&self) -> formation_model::StackIdentity {
        formation_model::StackIdentity {
            partition: "aws".to_owned(),
            region: self.stack.region.clone(),
            account_id: self.stack.account_id.clone(),
            stack_key: self.stack_key.clone(),
        }
    }

    /// The physical id of a resource of the stack, by its logical id.
    pub async fn lambda_name(&self, logical_id: &str) -> String {
        let mut functions = self.lambda.list_functions().into_paginator().items().send();
        while let Some(function) = functions.next().await {
            let name = function.expect("functions can be listed").function_name;
            let name = name.unwrap_or_default();
            if name.contains(&format!("{}-{logical_id}-", self.stack.stack_name)) {
                return name;
            }
        }
        panic!("the stack has no Lambda {logical_id}");
    }
}

/// The stack's key, as one of its Lambdas was told.
async fn stack_key(config: &aws_config::SdkConfig, stack: &Stack) -> Result<String, LocalError> {
    let lambda = aws_sdk_lambda::Client::new(config);
    let listed = lambda.list_functions().send().await;
    let listed = listed.map_err(|error| LocalError::Answer(format!("{error:?}")))?;
    let key = listed.functions().iter().find_map(|function| {
        let ours = function.function_name()?.starts_with(&stack.stack_name);
        let variables = function.environment()?.variables()?;
        ours.then(|| variables.get("STACK_KEY").cloned())?
    });
    key.ok_or_else(|| LocalError::Answer("no Lambda of the stack knows its key".to_owned()))
}

//! Local AWS with Formation on it, and what can be asked of it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iam::types::Role;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use formation_local::client::Answer;
use formation_local::ministack::free_port;
use formation_local::{Client, LocalError, MiniStack, Options, Project, REGION, Stack, deploy};
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::announcements::Announcements;
use crate::proxy::{Call, Proxy};

/// Waits and retry pauses of the state machine are this much shorter than on AWS, where a test does
/// not need them as they are.
pub const WAIT_SCALE: f64 = 0.02;
/// Nothing that a test waits for takes longer, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A bucket that the stack takes code from.
pub const CODE_BUCKET: &str = "formation-test-code";

/// The code of the example's function.
pub use formation_local::walkthrough::EXAMPLE_CODE;

/// Local AWS with Formation on it.
pub struct World {
    ministack: MiniStack,
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
    pub sqs: aws_sdk_sqs::Client,
    /// See `iam`.
    pub sts: aws_sdk_sts::Client,
    /// Everything that was announced on the bus.
    announcements: Announcements,
    /// Held while reconcile runs as on its schedule.
    schedule: Mutex<()>,
    /// Removed when the world ends.
    _folder: TempDir,
}

/// What AWS holds for a function.
pub struct Live {
    /// The Lambda function.
    pub function: Option<GetFunctionOutput>,
    /// Its role.
    pub role: Option<Role>,
    /// The documents of the role's inline policies, by name.
    pub inline_policies: BTreeMap<String, Value>,
    /// The ARNs of the managed policies that are attached to the role.
    pub attached_policies: Vec<String>,
    /// The RoleId that the function's record has; none where it has none.
    pub recorded_role_id: Option<String>,
    /// Its log group: retention and tags.
    pub log_group: Option<(Option<i32>, BTreeMap<String, String>)>,
}

impl Live {
    /// The parts that are there, by name.
    pub fn parts(&self) -> Vec<&'static str> {
        let parts = [
            ("function", self.function.is_some()),
            ("role", self.role.is_some()),
            ("log group", self.log_group.is_some()),
        ];
        parts.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }

    /// Everything that Formation declares about the parts that are there: the same before an update
    /// and after its rollback.
    pub fn facts(&self) -> Value {
        let sorted =
            |map: &HashMap<String, String>| map.clone().into_iter().collect::<BTreeMap<_, _>>();
        let function = self.function.as_ref().map(|function| {
            let found = function.configuration().expect("a function has a configuration");
            let variables = found.environment().and_then(|environment| environment.variables());
            json!({
                "code": found.code_sha256(),
                "architectures": found.architectures().iter().map(|it| it.as_str()).collect::<Vec<_>>(),
                "runtime": found.runtime().map(|runtime| runtime.as_str()),
                "handler": found.handler(),
                "memory": found.memory_size(),
                "timeout": found.timeout(),
                "description": found.description(),
                "environment": variables.map(sorted),
                "role": found.role(),
                "logGroup": found.logging_config().and_then(|logging| logging.log_group()),
                "tags": function.tags().map(sorted),
            })
        });
        let role = self.role.as_ref().map(|role| {
            let tags = role.tags().iter().map(|tag| (&tag.key, &tag.value));
            let boundary = role.permissions_boundary().and_then(|it| it.permissions_boundary_arn());
            // Another id each time that a role is made: what counts is that the record knows it.
            let recorded = self.recorded_role_id.as_deref().map(|id| id == role.role_id());
            json!({
                "trust": role.assume_role_policy_document(),
                "boundary": boundary,
                "inlinePolicies": self.inline_policies,
                "attachedPolicies": self.attached_policies,
                "idIsRecorded": recorded,
                "tags": tags.collect::<BTreeMap<_, _>>(),
            })
        });
        let group = self.log_group.as_ref();
        let group = group.map(|(days, tags)| json!({"retention": days, "tags": tags}));
        json!({"function": function, "role": role, "logGroup": group})
    }
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
                client: Client::new(&stack)?,
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
        // The schedule would disturb what is counted: tests that need it say when time has passed.
        let parameters = [
            &format!("CodeBuckets={CODE_BUCKET}"),
            "ReconcileSchedule=rate(1 day)",
            "DriftMode=REPAIR",
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
        self.client.api(method, path, body).await.expect("the API answers")
    }

    /// Asks for the example's function, with what `fields` adds.
    pub async fn ask_for(&self, name: &str, fields: Value) -> Answer {
        let mut body = json!({"functionName": name, "code": EXAMPLE_CODE});
        for (field, value) in fields.as_object().expect("fields are an object") {
            body[field] = value.clone();
        }
        self.api(Method::POST, "/v1/functions", Some(&body)).await
    }

    /// Creates the example's function, and answers the ended operation.
    pub async fn create(&self, name: &str, fields: Value) -> Value {
        let accepted = self.ask_for(name, fields).await;
        assert_eq!(accepted.status, 202, "{}", accepted.json());
        self.ended(&accepted).await
    }

    /// Deletes a function, and answers the ended operation.
    pub async fn delete(&self, name: &str) -> Value {
        let accepted = self.api(Method::DELETE, &format!("/v1/functions/{name}"), None).await;
        assert_eq!(accepted.status, 202, "{}", accepted.json());
        self.ended(&accepted).await
    }

    /// Waits until the operation that `accepted` tells of has ended, its execution too.
    pub async fn ended(&self, accepted: &Answer) -> Value {
        let path = accepted.header("operation-location").to_owned();
        let operation = self
            .until("the operation has ended", async || {
                let operation = self.api(Method::GET, &path, None).await.json();
                (operation["status"] != "RUNNING").then_some(operation)
            })
            .await;
        let arn = operation["executionArn"].as_str().expect("an operation names its execution");
        self.until("the execution has ended", async || {
            let execution = self.sfn.describe_execution().execution_arn(arn).send().await;
            let status = execution.expect("the execution can be described").status;
            (status != aws_sdk_sfn::types::ExecutionStatus::Running).then_some(())
        })
        .await;
        operation
    }

    /// Waits until an operation and its execution have ended, past the API and so unseen by the
    /// proxy, and answers its status and its rollback.
    pub async fn ended_unseen(&self, operation: &Value) -> (String, String) {
        self.ended_within(operation, LIMIT).await
    }

    /// The same, for operations that take longer.
    pub async fn ended_within(&self, operation: &Value, limit: Duration) -> (String, String) {
        let id = operation["operationId"].as_str().expect("an operation");
        let began = Instant::now();
        while !self.announcements.have_ended(id) {
            if began.elapsed() > limit {
                let item = self.operation_item(operation).await;
                let told = ["status", "attempt", "dueAt", "rollback"].map(|name| item.get(name));
                panic!(
                    "{operation:#} has not ended: {told:?}, {:#?}",
                    self.log_of("reconcile", id).await
                );
            }
            sleep(LOOK_EVERY).await;
        }
        let item = self.operation_item(operation).await;
        let arn = operation["executionArn"].as_str().expect("an operation names its execution");
        let attempt = item["attempt"].as_n().expect("a number");
        let current = format!("{}-{attempt}", arn.rsplit_once('-').expect("an attempt").0);
        for arn in [arn, &current] {
            self.until("its executions have ended", async || {
                let execution = self.sfn.describe_execution().execution_arn(arn).send().await;
                // One that was refused was never there.
                let status = execution.ok().map(|execution| execution.status);
                (status != Some(aws_sdk_sfn::types::ExecutionStatus::Running)).then_some(())
            })
            .await;
        }
        let read = |field: &str| item[field].as_s().expect("a text").clone();
        (read("status"), read("rollback"))
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

    /// The record of an operation, past the API.
    pub async fn operation_item(&self, operation: &Value) -> HashMap<String, AttributeValue> {
        let found = self.dynamodb.get_item().table_name(&self.stack.table_name);
        let found = found.set_key(Some(operation_key(operation))).send().await;
        found.expect("the table can be read").item.expect("the operation is recorded")
    }

    /// Lets so much time pass that an operation is due, and has reconcile look.
    pub async fn reconcile_operation(&self, operation: &Value) {
        self.make_due(operation_key(operation)).await;
        self.reconcile().await;
    }

    /// Lets so much time pass that a function is due, and has reconcile look.
    pub async fn reconcile_function(&self, name: &str) {
        self.make_due(key("FUNCTION".to_owned(), name.to_owned())).await;
        self.reconcile().await;
    }

    /// Lets so much time pass that the item of that key is due.
    pub async fn make_due(&self, key: HashMap<String, AttributeValue>) {
        let update = self.dynamodb.update_item().table_name(&self.stack.table_name);
        let updated = update
            .set_key(Some(key))
            .update_expression("SET dueAt = :past")
            .condition_expression("attribute_exists(due)")
            .expression_attribute_values(":past", AttributeValue::N("0".to_owned()))
            .send()
            .await;
        updated.expect("it stands in the index of what is due");
    }

    /// Runs reconcile as its schedule does: one run after the other.
    pub async fn reconcile(&self) {
        let looked = self.alone_with_reconcile(async || self.run_reconcile().await).await;
        looked.expect("reconcile looks at what is due");
    }

    /// Does `something` while no other test runs reconcile as its schedule does.
    pub async fn alone_with_reconcile<T>(&self, something: impl AsyncFnOnce() -> T) -> T {
        let _turn = self.schedule.lock().await;
        something().await
    }

    /// Runs reconcile as its schedule does, for a test that is alone with it.
    ///
    /// # Errors
    /// What reconcile answers where it could not look at everything.
    pub async fn run_reconcile(&self) -> Result<Value, LocalError> {
        let lambda = self.lambda_name("ReconcileFunction").await;
        let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        self.client.invoke(&lambda, &event).await
    }

    /// Puts a request on the bus, and answers the event's id.
    pub async fn put_request(&self, detail: Value) -> String {
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
            .event_bus_name(&self.stack.event_bus_name)
            .source("acme.builds")
            .detail_type("Formation Operation Request")
            .detail(detail.to_string())
            .build();
        let put = self.events.put_events().entries(entry).send().await.expect("events are put");
        let id = put.entries().first().and_then(|entry| entry.event_id());
        id.expect("the event has an id").to_owned()
    }

    /// Waits for an announcement that `fits`, and answers the whole event.
    pub async fn announced(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until(what, async || self.announcements.find(&fits)).await
    }

    /// Whether the end of an operation was announced.
    pub fn has_ended(&self, operation_id: &str) -> bool {
        self.announcements.have_ended(operation_id)
    }

    /// How many announcements so far fit.
    pub fn count_announced(&self, fits: impl Fn(&Value) -> bool) -> usize {
        self.announcements.count(fits)
    }

    /// That since the first `before` calls for this function each of `expected`, sorted, changed a
    /// part of it, once, and no other call did.
    ///
    /// # Panics
    /// With every such call and its status, if that is not so.
    #[track_caller]
    pub fn assert_changed_once(&self, name: &str, before: usize, expected: &[&str]) {
        let mut calls = self.proxy.calls(name).split_off(before);
        calls.retain(Call::changes_a_part);
        let mut names: Vec<_> = calls.iter().map(Call::name).collect();
        names.sort_unstable();
        let statuses: Vec<_> = calls.iter().map(|call| (call.name(), call.status)).collect();
        assert_eq!(names, expected, "in this order: {statuses:?}");
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

    /// The names of the states that the execution of `operation` entered, in order.
    pub async fn states_entered(&self, operation: &Value) -> Vec<String> {
        let arn = operation["executionArn"].as_str().expect("an operation names its execution");
        let mut history =
            self.sfn.get_execution_history().execution_arn(arn).into_paginator().items().send();
        let mut entered = Vec::new();
        while let Some(event) = history.next().await {
            let event = event.expect("the history can be read");
            entered.extend(event.state_entered_event_details.map(|details| details.name));
        }
        entered
    }

    /// What AWS holds for the function of that name.
    pub async fn live(&self, name: &str) -> Live {
        let function = self.lambda.get_function().function_name(name).send().await.ok();
        let role = self.iam.get_role().role_name(self.role_name(name)).send().await.ok();
        let groups = self
            .logs
            .describe_log_groups()
            .log_group_name_prefix(format!("/aws/lambda/{name}"))
            .send()
            .await
            .expect("log groups can be described");
        let group = groups
            .log_groups()
            .iter()
            .find(|group| group.log_group_name() == Some(format!("/aws/lambda/{name}").as_str()));
        let log_group = match group {
            None => None,
            Some(group) => {
                let arn = group.arn().expect("a log group has an ARN").trim_end_matches(":*");
                let tags = self.logs.list_tags_for_resource().resource_arn(arn).send().await;
                let tags = tags.expect("tags can be listed").tags.unwrap_or_default();
                Some((group.retention_in_days, tags.into_iter().collect()))
            }
        };
        let role = role.and_then(|output| output.role);
        let (inline_policies, attached_policies) = match &role {
            Some(role) => self.policies(role.role_name()).await,
            None => Default::default(),
        };
        let record = self.dynamodb.get_item().table_name(&self.stack.table_name);
        let record = record.set_key(Some(key("FUNCTION".to_owned(), name.to_owned())));
        let record = record.send().await.expect("the table can be read").item.unwrap_or_default();
        let recorded_role_id = record.get("roleId").and_then(|id| id.as_s().ok()).cloned();
        Live { function, role, inline_policies, attached_policies, recorded_role_id, log_group }
    }

    /// The inline policies of a role, and the ARNs of the managed ones.
    async fn policies(&self, role: &str) -> (BTreeMap<String, Value>, Vec<String>) {
        let listed = self.iam.list_role_policies().role_name(role).send().await;
        let mut inline = BTreeMap::new();
        for name in listed.expect("inline policies can be listed").policy_names {
            let got = self.iam.get_role_policy().role_name(role).policy_name(&name).send().await;
            inline.insert(name, policy(got.expect("a policy can be read").policy_document()));
        }
        let attached = self.iam.list_attached_role_policies().role_name(role).send().await;
        let attached = attached.expect("managed policies can be listed").attached_policies;
        let attached = attached.unwrap_or_default().into_iter().filter_map(|it| it.policy_arn);
        (inline, attached.collect())
    }

    /// The name of a function's role.
    pub fn role_name(&self, name: &str) -> String {
        self.identity().role_name(&name.parse().expect("a function's name"))
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

    /// The tags of everything that Formation makes for a function without tags of its own.
    pub fn tags(&self, name: &str) -> BTreeMap<String, String> {
        self.identity().tags(&name.parse().expect("a function's name"), &BTreeMap::new())
    }

    /// The values of the tag `state` of a function's bundles, one for each bundle.
    pub async fn bundle_states(&self, name: &str) -> Vec<String> {
        let bucket = &self.stack.artifact_bucket;
        let listed = self.s3.list_objects_v2().bucket(bucket);
        let listed = listed.prefix(format!("bundles/{name}/")).send().await;
        let listed = listed.expect("bundles can be listed");
        let mut states = Vec::new();
        for object in listed.contents() {
            let tagging = self.s3.get_object_tagging().bucket(bucket);
            let tagging = tagging.set_key(object.key.clone()).send().await;
            let tagging = tagging.expect("bundles have tags");
            states.extend(tagging.tag_set.into_iter().map(|tag| tag.value));
        }
        states
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

fn key(pk: String, sk: String) -> HashMap<String, AttributeValue> {
    [("pk", pk), ("sk", sk)].map(|(name, it)| (name.to_owned(), AttributeValue::S(it))).into()
}

fn operation_key(operation: &Value) -> HashMap<String, AttributeValue> {
    let text = |field: &str| operation[field].as_str().expect("an operation").to_owned();
    key(format!("FUNCTION#{}", text("functionName")), format!("OPERATION#{}", text("operationId")))
}

/// A policy as IAM returns it: URL-encoded JSON.
pub fn policy(encoded: &str) -> Value {
    let text = percent_decode_str(encoded).decode_utf8().expect("policies are UTF-8");
    serde_json::from_str(&text).expect("policies are JSON")
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

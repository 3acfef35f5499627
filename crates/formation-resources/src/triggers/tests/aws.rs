//! A stand-in for Lambda, EventBridge, EventBridge Scheduler and SQS at the wire: it keeps what requests set, as far as
//! triggers are concerned, and shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_lambda::config::Region;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::super::{Clients, Sources};
use crate::testing::{json_error, stack};

/// One function, which is there and ours unless a test says otherwise, and what calls it.
#[derive(Clone, Debug, Default)]
pub struct StandIn(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub struct State {
    /// Whether there is no function, or no alias of it.
    pub no_function: bool,
    pub no_alias: bool,
    pub policy: Vec<Value>,
    /// Each null where there is none.
    pub url: Value,
    pub asynchronous: Value,
    pub schedules: BTreeMap<String, Value>,
    /// By bus and name.
    pub rules: BTreeMap<(String, String), Value>,
    pub mappings: BTreeMap<String, Value>,
    /// The attributes of queues by name.
    pub queues: BTreeMap<String, Value>,
    /// By which key streams are encrypted.
    pub stream_key: Option<String>,
    /// How often a mapping that is deleted is still shown.
    pub lingers: usize,
    /// At which look a mapping has become what it was to be, and its state then.
    pub becomes: Option<(usize, &'static str)>,
    /// All requests since the last look: operation and what it said.
    calls: Vec<(String, Value)>,
    /// The next call of an operation is answered so: its name, status, code, message, and whether it is carried out.
    refusals: Vec<(&'static str, u16, &'static str, &'static str, bool)>,
    made: usize,
}

impl StandIn {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn clients(&self) -> (Clients, Sources) {
        macro_rules! client {
            ($sdk:ident) => {{
                let config = $sdk::Config::builder().with_test_defaults().behavior_version_latest();
                let config = config.region(Region::new("eu-west-1")).http_client(self.clone());
                $sdk::Client::from_conf(config.build())
            }};
        }
        let (lambda, events) = (client!(aws_sdk_lambda), client!(aws_sdk_eventbridge));
        let scheduler = client!(aws_sdk_scheduler);
        let sources = Sources { sqs: client!(aws_sdk_sqs), kinesis: client!(aws_sdk_kinesis) };
        (Clients { lambda, events, scheduler }, sources)
    }

    /// The next call of `operation` is refused, or its answer is lost though it is carried out.
    pub fn refuse(&self, refused: (&'static str, u16, &'static str, &'static str, bool)) {
        self.state().refusals.push(refused);
    }

    /// Everything that was asked since the last look.
    pub fn calls(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.state().calls)
    }

    /// The names of what was changed since the last look.
    pub fn writes(&self) -> Vec<String> {
        let reads = ["Get", "List", "Describe"];
        let is_read = |name: &str| reads.iter().any(|it| name.starts_with(it));
        self.calls().into_iter().map(|(name, _)| name).filter(|name| !is_read(name)).collect()
    }
}

/// A statement as Lambda keeps it.
fn stated(asked: &Value) -> Value {
    let principal = asked["Principal"].as_str().unwrap_or_default();
    let principal = match principal {
        "*" => json!("*"),
        service if service.ends_with(".amazonaws.com") => json!({"Service": service}),
        other => json!({"AWS": other}),
    };
    let mut conditions = json!({});
    for (field, operator, key) in [
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("InvokedViaFunctionUrl", "Bool", "lambda:InvokedViaFunctionUrl"),
    ] {
        match &asked[field] {
            Value::Null => {}
            Value::Bool(it) => conditions[operator][key] = json!(it.to_string()),
            text => conditions[operator][key] = text.clone(),
        }
    }
    json!({
        "Sid": asked["StatementId"], "Effect": "Allow", "Principal": principal,
        "Action": asked["Action"], "Resource": live_arn(), "Condition": conditions
    })
}

fn answer(body: Value) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(200).unwrap(), body.to_string().into())
}

fn absent() -> HttpResponse {
    json_error(404, "ResourceNotFoundException", "there is no such thing")
}

fn or_absent(found: Option<&Value>) -> HttpResponse {
    match found {
        None | Some(Value::Null) => absent(),
        Some(found) => answer(found.clone()),
    }
}

/// The operation of a request to Lambda or EventBridge Scheduler.
fn operation(method: &str, path: &str) -> String {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let verb = match method {
        "GET" => "Get",
        "PUT" => "Update",
        "DELETE" => "Delete",
        _ => "Create",
    };
    match parts[..] {
        ["schedules"] => "ListSchedules".to_owned(),
        ["schedules", _] => format!("{verb}Schedule"),
        [_, "tags", ..] => match method {
            "GET" => "ListTags".to_owned(),
            "POST" => "TagResource".to_owned(),
            _ => "UntagResource".to_owned(),
        },
        [_, "event-source-mappings"] if method == "GET" => "ListEventSourceMappings".to_owned(),
        [_, "event-source-mappings", ..] => format!("{verb}EventSourceMapping"),
        [_, "functions", _, "url"] => format!("{verb}FunctionUrlConfig"),
        [_, "functions", _, "event-invoke-config"] => {
            let verb = if method == "PUT" { "Put" } else { verb };
            format!("{verb}FunctionEventInvokeConfig")
        }
        [_, "functions", _, "policy"] if method == "POST" => "AddPermission".to_owned(),
        [_, "functions", _, "policy"] => "GetPolicy".to_owned(),
        [_, "functions", _, "policy", _] => "RemovePermission".to_owned(),
        [_, "functions", _] => "GetFunction".to_owned(),
        _ => panic!("no such route: {method} {path}"),
    }
}

impl State {
    fn answer(&mut self, operation: &str, path: &str, query: &str, body: Value) -> HttpResponse {
        let mut told = body.clone();
        if told.is_null() {
            told = json!({"path": path, "query": query});
        }
        self.calls.push((operation.to_owned(), told));
        let refused = self.refusals.iter().position(|it| it.0 == operation);
        let refused = refused.map(|at| self.refusals.remove(at));
        if let Some((_, status, code, message, carried_out)) = refused {
            if carried_out {
                self.carry_out(operation, path, query, body);
            }
            return json_error(status, code, message);
        }
        self.carry_out(operation, path, query, body)
    }

    fn carry_out(&mut self, operation: &str, path: &str, query: &str, body: Value) -> HttpResponse {
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        let at = || {
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let name = if body["Rule"].is_null() { text("Name") } else { text("Rule") };
            (text("EventBusName"), name)
        };
        let ours =
            || json!({"formation:stack": "0a1b2c3d", "formation:function": "hello", "team": "a"});
        match operation {
            "GetFunction" => {
                if self.no_function || (self.no_alias && query.contains("Qualifier")) {
                    return absent();
                }
                answer(json!({"Configuration": {"State": "Active"}, "Tags": ours()}))
            }
            "GetPolicy" if self.policy.is_empty() => absent(),
            "GetPolicy" => answer(json!({"Policy": json!({"Statement": self.policy}).to_string()})),
            "AddPermission" => {
                let sid = body["StatementId"].clone();
                if self.policy.iter().any(|it| it["Sid"] == sid) {
                    let message = "The statement id provided already exists.";
                    return json_error(409, "ResourceConflictException", message);
                }
                self.policy.push(stated(&body));
                answer(json!({}))
            }
            "RemovePermission" => {
                self.policy.retain(|it| it["Sid"] != last.as_str());
                answer(json!({}))
            }
            "GetFunctionUrlConfig" => or_absent(Some(&self.url)),
            "CreateFunctionUrlConfig" | "UpdateFunctionUrlConfig" => {
                self.url = body;
                self.url["FunctionUrl"] = json!("https://abc.lambda-url.eu-west-1.on.aws/");
                self.url["FunctionArn"] = json!("arn");
                self.url["CreationTime"] = json!(Timestamp::now().to_string());
                self.url["LastModifiedTime"] = json!("2026-01-01T00:00:00Z");
                answer(self.url.clone())
            }
            "DeleteFunctionUrlConfig" => {
                self.url = Value::Null;
                answer(json!({}))
            }
            "GetFunctionEventInvokeConfig" => or_absent(Some(&self.asynchronous)),
            "PutFunctionEventInvokeConfig" => {
                self.asynchronous = body;
                self.asynchronous["LastModified"] = json!(Timestamp::now().as_second());
                answer(json!({}))
            }
            "DeleteFunctionEventInvokeConfig" => {
                self.asynchronous = Value::Null;
                answer(json!({}))
            }
            "ListSchedules" => {
                let shown = |it: &Value| json!({"Name": it["Name"], "Target": it["Target"]});
                answer(json!({"Schedules": self.schedules.values().map(shown).collect::<Vec<_>>()}))
            }
            "GetSchedule" => or_absent(self.schedules.get(&last)),
            "CreateSchedule" | "UpdateSchedule" => {
                let mut schedule = body;
                schedule["Name"] = json!(last);
                self.schedules.insert(last, schedule);
                answer(json!({"ScheduleArn": "arn"}))
            }
            "DeleteSchedule" => match self.schedules.remove(&last) {
                Some(_) => answer(json!({})),
                None => absent(),
            },
            "PutRule" => {
                let rule = self.rules.entry(at()).or_insert_with(|| json!({"Tags": body["Tags"]}));
                for field in ["Name", "EventPattern", "State"] {
                    rule[field] = body[field].clone();
                }
                answer(json!({}))
            }
            "DescribeRule" => or_absent(self.rules.get(&at())),
            "PutTargets" => {
                self.rules.get_mut(&at()).unwrap()["Targets"] = body["Targets"].clone();
                answer(json!({"FailedEntryCount": 0}))
            }
            "RemoveTargets" => {
                self.rules.get_mut(&at()).unwrap()["Targets"] = json!([]);
                answer(json!({"FailedEntryCount": 0}))
            }
            "ListTargetsByRule" => {
                answer(json!({"Targets": self.rules.get(&at()).map(|it| &it["Targets"])}))
            }
            "ListRuleNamesByTarget" => {
                let bus = body["EventBusName"].as_str().unwrap_or_default();
                let leads = |it: &Value| it["Targets"][0]["Arn"] == body["TargetArn"];
                let found = self.rules.iter().filter(|((on, _), it)| on == bus && leads(it));
                let names: Vec<_> = found.map(|((_, name), _)| name).collect();
                answer(json!({"RuleNames": names}))
            }
            "DeleteRule" => {
                let rule = self.rules.remove(&at()).unwrap_or_default();
                let has_targets = rule["Targets"].as_array().is_some_and(|it| !it.is_empty());
                assert!(!has_targets, "EventBridge deletes no rule with targets");
                answer(json!({}))
            }
            "ListTagsForResource" => {
                let name = body["ResourceARN"].as_str().unwrap_or_default().rsplit('/').next();
                let found = self.rules.iter().find(|((_, it), _)| Some(it.as_str()) == name);
                found.map_or_else(absent, |(_, it)| answer(json!({"Tags": it["Tags"]})))
            }
            "ListEventSourceMappings" => {
                if self.no_alias && query.contains("FunctionName") {
                    return absent();
                }
                answer(json!({"EventSourceMappings": self.mappings.values().collect::<Vec<_>>()}))
            }
            "GetEventSourceMapping" => {
                if self.mappings.get(&last).is_some_and(|it| it["State"] == "Deleting") {
                    match self.lingers {
                        0 => drop(self.mappings.remove(&last)),
                        _ => self.lingers -= 1,
                    }
                }
                if let Some((looks, state)) = self.becomes.take() {
                    match looks {
                        0 => self.mappings.get_mut(&last).unwrap()["State"] = json!(state),
                        _ => self.becomes = Some((looks - 1, state)),
                    }
                }
                or_absent(self.mappings.get(&last))
            }
            "CreateEventSourceMapping" => {
                self.made += 1;
                let uuid = format!("uuid-{}", self.made);
                let mut mapping = body;
                mapping["UUID"] = json!(uuid);
                mapping["FunctionArn"] = mapping["FunctionName"].clone();
                mapping["LastModified"] = json!(Timestamp::now().as_second());
                let enabled = mapping["Enabled"] != json!(false);
                mapping["State"] = json!(if enabled { "Enabled" } else { "Disabled" });
                self.mappings.insert(uuid, mapping.clone());
                answer(mapping)
            }
            "UpdateEventSourceMapping" => {
                let mapping = self.mappings.get_mut(&last).unwrap();
                for (field, value) in body.as_object().into_iter().flatten() {
                    mapping[field] = value.clone();
                }
                let enabled = mapping["Enabled"] != json!(false);
                mapping["State"] = json!(if enabled { "Enabled" } else { "Disabled" });
                answer(mapping.clone())
            }
            "DeleteEventSourceMapping" => {
                match self.mappings.get_mut(&last) {
                    Some(mapping) if self.lingers > 0 => mapping["State"] = json!("Deleting"),
                    _ => drop(self.mappings.remove(&last)),
                }
                answer(json!({}))
            }
            "ListTags" => {
                let uuid = last.rsplit(':').next().unwrap_or_default();
                let found = self.mappings.get(uuid);
                found.map_or_else(absent, |it| answer(json!({"Tags": it["Tags"]})))
            }
            "TagResource" | "UntagResource" => answer(json!({})),
            "TestEventPattern" => answer(json!({"Result": false})),
            "DescribeStreamSummary" => answer(json!({"StreamDescriptionSummary": {
                "StreamName": "clicks", "StreamARN": body["StreamARN"], "StreamStatus": "ACTIVE",
                "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1, "EnhancedMonitoring": [],
                "OpenShardCount": 1, "KeyId": self.stream_key,
                "EncryptionType": if self.stream_key.is_some() { "KMS" } else { "NONE" }
            }})),
            "GetQueueUrl" => {
                let name = body["QueueName"].as_str().unwrap_or_default();
                match self.queues.contains_key(name) {
                    true => answer(json!({"QueueUrl": format!("https://sqs/1/{name}")})),
                    false => {
                        json_error(400, "QueueDoesNotExist", "The specified queue does not exist.")
                    }
                }
            }
            "GetQueueAttributes" => {
                let url = body["QueueUrl"].as_str().unwrap_or_default();
                let name = url.rsplit('/').next().unwrap_or_default();
                answer(json!({"Attributes": self.queues[name]}))
            }
            other => panic!("no such operation: {other}"),
        }
    }
}

/// The ARN that all triggers lead to.
pub fn live_arn() -> String {
    stack().live_arn(&"hello".parse().unwrap())
}

impl HttpConnector for StandIn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = percent_decode_str(request.uri()).decode_utf8_lossy().into_owned();
        let uri = uri.split_once("amazonaws.com").map_or(uri.as_str(), |(_, path)| path);
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let target = request.headers().get("x-amz-target").and_then(|it| it.rsplit('.').next());
        let operation = target.map_or_else(|| operation(request.method(), path), ToOwned::to_owned);
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_default();
        HttpConnectorFuture::ready(Ok(self.state().answer(&operation, path, query, body)))
    }
}

impl HttpClient for StandIn {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

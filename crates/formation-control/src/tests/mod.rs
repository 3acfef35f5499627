//! An AWS for tests, at the wire: a table that keeps what is written, a bucket and a state machine
//! that take everything, and nothing that a function could be made of. What a test wants otherwise it
//! says, call by call.

mod live;
mod releases;
mod revisions;
mod table;
mod triggers;
mod upgrades;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_http_client::test_util::infallible_client_fn;
use formation_model::function::{Architecture, TriggerLimits};
use formation_model::operation::{CANCELLED, OperationError};
use formation_model::{
    Defaults, FunctionName, FunctionRequest, FunctionStatus, OperationId, StackIdentity, request,
};
use formation_resources::Comparer;
use formation_resources::role::RoleSettings;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use self::table::Item;
use self::table::{Answer, Table};
use crate::records::tests::function;
use crate::{
    Bundles, Caller, Control, Executions, FunctionRecord, OperationRecord, Records, RequestKey,
    Requester,
};

pub(crate) const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:formation";

pub(crate) const DEFAULTS: Defaults = Defaults {
    architecture: Architecture::Arm64,
    code_buckets: true,
    layer_arns: Vec::new(),
    max_reserved_concurrency: 0,
    policy_characters: Some(3000),
    triggers: TriggerLimits::NONE,
};

/// Why an operation was taken over that ann has cancelled.
pub(crate) fn cancelled() -> OperationError {
    OperationError {
        code: CANCELLED.into(),
        message: "cancelled by ann".into(),
        step: "Ensure role".into(),
        aws_error_code: None,
        aws_request_id: None,
    }
}

/// What happens right before a call.
type Meanwhile = Box<dyn FnOnce(&mut State) + Send>;

/// An AWS for one test.
#[derive(Clone, Default)]
pub(crate) struct Aws(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    table: Table,
    /// Every call by its name, as in `dynamodb:GetItem`.
    calls: Vec<String>,
    /// Executions that were started: name and input.
    executions: BTreeMap<String, String>,
    /// The bundles that were stored and not removed.
    stored: Vec<String>,
    /// The bundles that were marked, and how at last.
    marked: BTreeMap<String, String>,
    /// Answers to calls instead of the usual ones: status and body.
    answers: BTreeMap<String, (u16, Value)>,
    meanwhile: BTreeMap<String, Meanwhile>,
    /// What the permissions boundary allows instead of everything.
    pub boundary: Option<Vec<&'static str>>,
    pub boundary_is_gone: bool,
    pub boundary_is_denied: bool,
}

impl State {
    /// Puts a record into the table.
    pub fn put(&mut self, key: (&str, &str), record: &impl Serialize) {
        let mut item = to_item(record);
        item.insert("pk".to_owned(), json!({"S": key.0}));
        item.insert("sk".to_owned(), json!({"S": key.1}));
        self.table.put(item);
    }

    /// Puts a function's record into the table.
    pub fn put_function(&mut self, function: &FunctionRecord) {
        self.put(("FUNCTION", function.spec.function_name.as_str()), function);
    }

    /// Puts an operation's record into the table.
    pub fn put_operation(&mut self, operation: &OperationRecord) {
        let partition = format!("FUNCTION#{}", operation.function_name);
        self.put((&partition, &format!("OPERATION#{}", operation.operation_id)), operation);
    }
}

impl Aws {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Answers a call so from now on.
    pub fn answer(&self, call: &str, status: u16, body: Value) {
        self.state().answers.insert(call.to_owned(), (status, body));
    }

    /// Does something right before the next call of that name.
    pub fn before(&self, call: &str, something: impl FnOnce(&mut State) + Send + 'static) {
        self.state().meanwhile.insert(call.to_owned(), Box::new(something));
    }

    /// How often a call was made.
    pub fn calls(&self, call: &str) -> usize {
        self.state().calls.iter().filter(|made| *made == call).count()
    }

    /// The names of calls that change something.
    pub fn writes(&self) -> Vec<String> {
        let reads = ["Get", "Batch", "Query", "Describe", "List", "Head"];
        let calls = self.state().calls.clone();
        let reads =
            |call: &String| reads.iter().any(|it| call.split(':').nth(1).unwrap().starts_with(it));
        calls.into_iter().filter(|call| !reads(call)).collect()
    }

    /// The executions that were started: name and input.
    pub fn executions(&self) -> BTreeMap<String, String> {
        self.state().executions.clone()
    }

    /// The bundles that are stored.
    pub fn stored(&self) -> Vec<String> {
        self.state().stored.clone()
    }

    /// The bundles that were marked, and how at last.
    pub fn marked(&self) -> BTreeMap<String, String> {
        self.state().marked.clone()
    }

    /// Every item of the table, as JSON.
    pub fn items(&self) -> Vec<Value> {
        self.state().table.items().map(from_item).collect()
    }

    /// An item of the table, as JSON.
    pub fn item(&self, pk: &str, sk: &str) -> Option<Value> {
        let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        self.state().table.get(&key).map(from_item)
    }

    /// The record of a function, as JSON.
    pub fn function(&self, name: &FunctionName) -> Option<Value> {
        self.item("FUNCTION", name.as_str())
    }

    /// The record of an operation, as JSON.
    pub fn operation(&self, name: &FunctionName, id: OperationId) -> Value {
        self.item(&format!("FUNCTION#{name}"), &format!("OPERATION#{id}")).unwrap()
    }

    /// Sets attributes of an item that is there, whatever this release knows of them.
    pub fn set(&self, pk: &str, sk: &str, change: impl FnOnce(&mut Value)) {
        let mut item = self.item(pk, sk).unwrap();
        change(&mut item);
        self.state().put((pk, sk), &item);
    }

    /// Removes an item.
    pub fn remove(&self, pk: &str, sk: &str) {
        self.state().table.remove(&json!({"pk": {"S": pk}, "sk": {"S": sk}}));
    }

    pub fn records(&self) -> Records {
        Records::new(aws_sdk_dynamodb::Client::new(&self.config()), "records")
    }

    pub fn bundles(&self) -> Bundles {
        let buckets = vec!["builds".to_owned()];
        let client = aws_sdk_s3::Client::new(&self.config());
        Bundles::new(client, "bundles", "111122223333", buckets)
    }

    pub fn control(&self) -> Control {
        let config = self.config();
        let stack = StackIdentity {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account_id: "111122223333".to_owned(),
            stack_key: "0a1b2c3d".to_owned(),
        };
        let settings = RoleSettings {
            stack: stack.clone(),
            boundary_arn: "arn:aws:iam::111122223333:policy/boundary".to_owned(),
            has_platforms_boundary: true,
            guarded: vec!["arn:aws:iam::111122223333:*/formation-*".to_owned()],
        };
        Control::new(
            stack,
            DEFAULTS,
            self.records(),
            self.bundles(),
            Executions::new(aws_sdk_sfn::Client::new(&config), MACHINE),
            Comparer::new(&config, settings, String::new()),
        )
    }

    fn config(&self) -> SdkConfig {
        let aws = self.clone();
        let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
            let (status, body) = aws.handle(&request);
            let response = http::Response::builder().status(status);
            response.header("x-amz-version-id", "v1").body(body).unwrap()
        });
        let credentials = Credentials::new("id", "secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http)
            .build()
    }

    fn handle(&self, request: &http::Request<SdkBody>) -> (u16, String) {
        let bytes = request.body().bytes().unwrap_or_default();
        let call = name(request, bytes);
        let mut state = self.state();
        state.calls.push(call.clone());
        if let Some(something) = state.meanwhile.remove(&call) {
            something(&mut state);
        }
        if let Some((status, body)) = state.answers.get(&call) {
            return (*status, body.to_string());
        }
        let (service, operation) = call.split_once(':').unwrap();
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let answer: Answer = match (service, operation) {
            ("dynamodb", operation) => state.table.call(operation, &body),
            ("states", "StartExecution") => {
                let text = |name: &str| body[name].as_str().unwrap().to_owned();
                let name = text("name");
                let arn = format!("{MACHINE}:{name}").replace(":stateMachine:", ":execution:");
                state.executions.insert(name, text("input"));
                Ok(json!({"executionArn": arn, "startDate": 1.0}))
            }
            ("states", "StopExecution") => Ok(json!({"stopDate": 1.0})),
            ("states", _) => Err(json!({"__type": "ExecutionDoesNotExist", "message": "none"})),
            ("logs", _) => Ok(json!({"logGroups": []})),
            ("lambda", _) => {
                return (404, json!({"__type": "ResourceNotFoundException"}).to_string());
            }
            ("iam", "GetPolicy") if state.boundary_is_denied => {
                let error =
                    "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
                return (403, error.to_owned());
            }
            ("iam", "GetPolicy") if !state.boundary_is_gone => {
                let version = "<DefaultVersionId>v1</DefaultVersionId>";
                return (200, told("GetPolicy", "Policy", version));
            }
            ("iam", "GetPolicyVersion") => {
                let actions = state.boundary.clone().unwrap_or_else(|| vec!["*"]);
                let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
                let document = json!({"Statement": statement});
                let document = format!("<Document>{document}</Document>");
                return (200, told("GetPolicyVersion", "PolicyVersion", &document));
            }
            ("iam", _) => {
                let error =
                    "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>";
                return (404, error.to_owned());
            }
            ("s3", "PutObjectTagging") => {
                let body = str::from_utf8(bytes).unwrap();
                let state_tag = body.split("<Value>").nth(1).unwrap().split('<').next().unwrap();
                state.marked.insert(request.uri().path().to_owned(), state_tag.to_owned());
                return (200, String::new());
            }
            ("s3", "PutObject") => {
                state.stored.push(request.uri().path().to_owned());
                return (200, String::new());
            }
            ("s3", "DeleteObject") => {
                let path = request.uri().path();
                state.stored.retain(|stored| stored != path);
                return (204, String::new());
            }
            _ => return (200, String::new()),
        };
        match answer {
            Ok(body) => (200, body.to_string()),
            Err(body) => (400, body.to_string()),
        }
    }
}

/// What IAM answers to a call: of `member` these fields.
fn told(call: &str, member: &str, fields: &str) -> String {
    format!(
        "<{call}Response><{call}Result><{member}>{fields}</{member}></{call}Result></{call}Response>"
    )
}

/// The name of a call, as IAM has it or nearly.
fn name(request: &http::Request<SdkBody>, body: &[u8]) -> String {
    let path = request.uri().path();
    if let Some(target) = request.headers().get("x-amz-target") {
        let (service, operation) = target.to_str().unwrap().rsplit_once('.').unwrap();
        let service = match service {
            "DynamoDB_20120810" => "dynamodb",
            "AWSStepFunctions" => "states",
            _ => "logs",
        };
        return format!("{service}:{operation}");
    }
    if path.contains("/aliases/") {
        return "lambda:GetAlias".to_owned();
    }
    if path.contains("/functions/") {
        return "lambda:GetFunction".to_owned();
    }
    if let Some(action) = std::str::from_utf8(body).ok().and_then(|it| it.strip_prefix("Action=")) {
        return format!("iam:{}", action.split('&').next().unwrap());
    }
    let kind = match request.method().as_str() {
        "PUT" => "Put",
        "DELETE" => "Delete",
        "HEAD" => "Head",
        _ => "Get",
    };
    let tagging = request.uri().query().is_some_and(|query| query.contains("tagging"));
    format!("s3:{kind}Object{}", if tagging { "Tagging" } else { "" })
}

/// A record in DynamoDB's JSON.
fn to_item(record: &impl Serialize) -> Item {
    let Value::Object(fields) = serde_json::to_value(record).unwrap() else { panic!("no object") };
    fields.into_iter().map(|(name, value)| (name, to_attribute(value))).collect()
}

fn to_attribute(value: Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(value) => json!({"BOOL": value}),
        Value::Number(value) => json!({"N": value.to_string()}),
        Value::String(value) => json!({"S": value}),
        Value::Array(values) => {
            json!({"L": values.into_iter().map(to_attribute).collect::<Vec<_>>()})
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, to_attribute(value)));
            json!({"M": fields.collect::<Item>()})
        }
    }
}

fn from_item(item: &Item) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), from_attribute(value))).collect())
}

fn from_attribute(attribute: &Value) -> Value {
    let (kind, value) = attribute.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "NULL" => Value::Null,
        "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
        "L" => value.as_array().unwrap().iter().map(from_attribute).collect(),
        "M" => from_item(value.as_object().unwrap()),
        _ => value.clone(),
    }
}

/// The request for a function, with defaults and what `body` says.
pub(crate) fn function_request(body: Value) -> FunctionRequest {
    request::read(&body, &DEFAULTS, None).unwrap()
}

/// Who asks in tests.
pub(crate) fn ann() -> Requester {
    Requester { caller: Caller::new("arn:aws:iam::111122223333:user/ann"), key: None, until: None }
}

/// The same, under a key that is used for `parts`.
pub(crate) fn ann_again(key: &str, parts: &[&str]) -> Requester {
    let ann = ann();
    let key = RequestKey::new(&ann.caller, key, parts);
    Requester { key: Some(key), ..ann }
}

/// The function `hello`, at revision 1 and as recorded.
pub(crate) fn available() -> FunctionRecord {
    let operation = OperationId::generate();
    FunctionRecord { status: FunctionStatus::Available, revision: 1, ..function(operation) }
}

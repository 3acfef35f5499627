//! A proxy between the Lambdas and local AWS. It sees every call that a Lambda makes, and does to
//! single calls what AWS does now and then and local AWS never: see [`Fault`].
//!
//! Host and body are forwarded as they came, so that signatures still hold.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use percent_encoding::percent_decode_str;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// How long a connection to local AWS is kept for the next call. Local AWS ends idle ones after 75 s,
/// which may be the very moment of that call.
const KEPT_IDLE: Duration = Duration::from_secs(2);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A call of a Lambda to AWS, as IAM names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// `iam`, `lambda`, `logs`, `events`, `scheduler`, `sqs`, `dynamodb`, `s3`, `states`.
    pub service: String,
    /// For example `CreateRole`.
    pub operation: String,
    /// Path, query and body: what a rule looks for its function's name in.
    pub text: String,
    /// What the Lambda was answered; none if the answer was lost.
    pub status: Option<StatusCode>,
}

impl Call {
    /// Service and operation, for example `iam:CreateRole`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// Whether it changes a part of a function, rather than looks at it or writes a record.
    pub fn changes_a_part(&self) -> bool {
        let reads = ["Get", "List", "Describe"];
        ["iam", "lambda", "logs", "events", "scheduler"].contains(&self.service.as_str())
            && self.operation != "PutEvents"
            && !reads.iter().any(|read| self.operation.starts_with(read))
    }
}

/// What is done to a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// AWS refuses it, with this status, code and message, in the service's own protocol.
    Refuse(u16, &'static str, &'static str),
    /// AWS limits the rate of calls: refused in the service's own words.
    Throttle,
    /// AWS fails: 500.
    Fail,
    /// The call does not reach AWS: the connection ends.
    Drop,
    /// AWS carries it out and the answer is lost: the connection ends.
    LoseAnswer,
    /// It reaches AWS only after this time, when its client may have given up.
    Delay(Duration),
    /// AWS carries it out, and the process of the Lambda that made the call dies.
    Kill,
    /// The process of the Lambda that makes the call dies before it reaches AWS.
    KillBefore,
    /// AWS carries it out, and the answer shows these values (JSON pointer, value) in place of its
    /// own; null takes one away.
    Show(&'static [(&'static str, &'static str)]),
    /// AWS carries it out, and the answer does not show the tags yet.
    HideTags,
}

/// Which calls draw on a bucket of tokens, as AWS limits rates: so many a second, and as many at
/// once. A call that finds the bucket empty is throttled.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Names as [`Call::name`] has them; a name that ends in `*` stands for all that begin so.
    pub calls: &'static [&'static str],
    /// Calls that do not draw on it although `calls` has them.
    pub except: &'static [&'static str],
    /// Tokens a second.
    pub rate: f64,
}

impl Bucket {
    fn holds(&self, call: &str) -> bool {
        let named = |name: &&str| match name.strip_suffix('*') {
            Some(begin) => call.starts_with(begin),
            None => *name == call,
        };
        self.calls.iter().any(named) && !self.except.iter().any(named)
    }
}

struct Tokens {
    bucket: Bucket,
    left: f64,
    at: Instant,
    /// Calls that found a token, and calls that did not.
    taken: usize,
    refused: usize,
}

impl Tokens {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let refilled = self.left + now.duration_since(self.at).as_secs_f64() * self.bucket.rate;
        self.left = refilled.min(self.bucket.rate.max(1.0));
        self.at = now;
        let taken = self.left >= 1.0;
        if taken {
            self.left -= 1.0;
            self.taken += 1;
        } else {
            self.refused += 1;
        }
        taken
    }
}

/// Which calls a fault is done to.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As [`Call::name`] has it.
    pub call: String,
    /// Only calls that name this function.
    pub function: String,
    /// How many of them are let through first.
    pub skip: usize,
    /// How many of them the fault is done to then.
    pub times: usize,
    /// What is done.
    pub fault: Fault,
}

impl Rule {
    /// Does `fault` to the next `times` of `function`'s calls of this name.
    pub fn new(call: &str, function: &str, times: usize, fault: Fault) -> Self {
        Self { call: call.to_owned(), function: function.to_owned(), skip: 0, times, fault }
    }
}

/// An event source mapping that was made.
struct Mapping {
    function: String,
    source: String,
    is_there: bool,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// Which of them hold a word: there are too many to be searched through again and again.
    by_word: HashMap<String, Vec<usize>>,
    rules: Vec<Rule>,
    buckets: Vec<Tokens>,
    /// How long Lambda cannot assume a role that was just made, and when roles were.
    role_propagation: Duration,
    /// The function of each event source mapping, whose calls name only its id.
    mappings: HashMap<String, Mapping>,
    /// Texts of delayed calls that have not reached AWS yet.
    late: Vec<String>,
    roles: HashMap<String, Instant>,
}

impl State {
    fn record(&mut self, call: Call) {
        let index = self.calls.len();
        for word in call.text.split(|c| !in_name(c)).filter(|word| !word.is_empty()) {
            let holding = self.by_word.entry(word.to_owned()).or_default();
            if holding.last() != Some(&index) {
                holding.push(index);
            }
        }
        self.calls.push(call);
    }
}

/// The proxy.
#[derive(Clone)]
pub struct Proxy {
    address: SocketAddr,
    target: SocketAddr,
    state: Arc<Mutex<State>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Proxy {
    /// Starts a proxy to local AWS at `target`.
    ///
    /// # Errors
    /// That there is no free port.
    pub async fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Self {
            address: listener.local_addr()?,
            target,
            state: Arc::default(),
            client: Client::builder(TokioExecutor::new()).pool_idle_timeout(KEPT_IDLE).build_http(),
        };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((connection, peer)) = listener.accept().await {
                let proxy = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| proxy.serve(request, peer));
                    // A connection that a fault ended is no concern of ours.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(connection), service)
                        .await;
                });
            }
        });
        Ok(proxy)
    }

    /// Where Lambdas find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does `rule`'s fault to the calls that it picks from now on.
    pub fn inject(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// Does nothing more to the calls of `function`.
    pub fn release(&self, function: &str) {
        self.state().rules.retain(|rule| rule.function != function);
    }

    /// Whether every fault that was injected for `function` was done as often as it should be.
    pub fn is_spent(&self, function: &str) -> bool {
        let state = self.state();
        state.rules.iter().filter(|rule| rule.function == function).all(|rule| rule.times == 0)
    }

    /// The calls so far that name `function`.
    pub fn calls(&self, function: &str) -> Vec<Call> {
        let state = self.state();
        let holding = state.by_word.get(function).into_iter().flatten();
        holding.map(|index| state.calls[*index].clone()).collect()
    }

    /// Whether a delayed call for `function` has yet to reach AWS.
    pub fn has_late_calls(&self, function: &str) -> bool {
        self.state().late.iter().any(|text| names(text, function))
    }

    /// Limits the rates of calls from now on, anew.
    pub fn limit(&self, buckets: &[Bucket]) {
        let full = |bucket: &Bucket| Tokens {
            bucket: bucket.clone(),
            left: bucket.rate.max(1.0),
            at: Instant::now(),
            taken: 0,
            refused: 0,
        };
        self.state().buckets = buckets.iter().map(full).collect();
    }

    /// How many calls each bucket has let through and refused, in their order.
    pub fn drawn(&self) -> Vec<(usize, usize)> {
        self.state().buckets.iter().map(|tokens| (tokens.taken, tokens.refused)).collect()
    }

    /// Lambda cannot assume roles for so long after they were made, from now on.
    pub fn propagate_roles_in(&self, time: Duration) {
        self.state().role_propagation = time;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response<Full<Bytes>>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut call = identify(&parts.method, &parts.uri, &parts.headers, &body);
        self.name_function(&mut call);
        let fault = self.pick(&call).or_else(|| self.limits(&call));
        let answer = match &fault {
            Some(Fault::Refuse(status, code, message)) => {
                refusal(&call.service, *status, code, message)
            }
            Some(Fault::Throttle) => {
                let (status, code) = throttling(&call.service);
                refusal(&call.service, status, code, "Rate exceeded")
            }
            Some(Fault::Fail) => refusal(&call.service, 500, "InternalFailure", "injected"),
            Some(Fault::Drop) => {
                self.state().record(call);
                return Err("the connection is dropped".into());
            }
            Some(Fault::KillBefore) => {
                self.state().record(call);
                kill_owner_of(peer);
                return Err("the process that called is dead".into());
            }
            Some(Fault::Delay(time)) => {
                // Of its own, since this request ends when its client gives up.
                let (proxy, time, call) = (self.clone(), *time, call.clone());
                self.state().late.push(call.text.clone());
                let late = tokio::spawn(async move {
                    sleep(time).await;
                    let answer = proxy.carry_out(&call, parts, body).await;
                    proxy.state().late.retain(|late| *late != call.text);
                    answer
                });
                late.await??
            }
            Some(Fault::LoseAnswer | Fault::Kill | Fault::Show(_) | Fault::HideTags) | None => {
                self.carry_out(&call, parts, body).await?
            }
        };
        let lost = matches!(fault, Some(Fault::LoseAnswer | Fault::Kill));
        if answer.status().is_success() && call.name() == "iam:CreateRole" {
            let role = form_value(&call.text, "RoleName");
            self.state().roles.insert(role, Instant::now());
        }
        call.status = (!lost).then_some(answer.status());
        self.state().record(call);
        match fault {
            Some(Fault::Kill) => {
                kill_owner_of(peer);
                Err("the process that called is dead".into())
            }
            Some(Fault::LoseAnswer) => Err("the answer is lost".into()),
            Some(Fault::Show(values)) => show(answer, values).await,
            Some(Fault::HideTags) => without_tags(answer).await,
            _ => Ok(answer),
        }
    }

    /// What is called of an event source mapping tells its function, too.
    fn name_function(&self, call: &mut Call) {
        if !call.text.contains("event-source-mapping") {
            return;
        }
        let state = self.state();
        let of_it = state.mappings.iter().find(|(id, _)| call.text.contains(id.as_str()));
        if let Some((_, of_it)) = of_it {
            call.text = format!("{}\n{}", call.text, of_it.function);
        }
    }

    /// Hands a call on. Of a function and a source AWS has one event source mapping, and local AWS any number.
    async fn carry_out(
        &self,
        call: &Call,
        parts: Parts,
        body: Bytes,
    ) -> Result<Response<Full<Bytes>>, BoxError> {
        let creates = call.operation == "CreateEventSourceMapping";
        let names =
            |it: &Mapping| call.text.contains(&it.function) && call.text.contains(&it.source);
        if creates && self.state().mappings.values().any(|it| it.is_there && names(it)) {
            let message =
                "An event source mapping with event source arn and function already exists.";
            return Ok(refusal("lambda", 409, "ResourceConflictException", message));
        }
        let answer = self.forward(parts, body).await?;
        if !answer.status().is_success() {
            return Ok(answer);
        }
        if call.operation == "DeleteEventSourceMapping" {
            let mut state = self.state();
            let gone = state.mappings.iter_mut().find(|(id, _)| call.text.contains(id.as_str()));
            gone.into_iter().for_each(|(_, it)| it.is_there = false);
        }
        if !creates {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let made: Value = serde_json::from_slice(&body)?;
        let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
        let (function, source) = (text("FunctionArn"), text("EventSourceArn"));
        let made = Mapping { function, source, is_there: true };
        self.state().mappings.insert(text("UUID"), made);
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    async fn forward(&self, parts: Parts, body: Bytes) -> Result<Response<Full<Bytes>>, BoxError> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("http://{}{path}", self.target).parse()?;
        // The client would put its own, and the signature would not hold.
        let host = parts.headers.get(HOST).cloned();
        let mut forwarded = Request::from_parts(parts, Full::new(body));
        *forwarded.uri_mut() = uri;
        forwarded.headers_mut().insert(HOST, host.ok_or("no host")?);
        let (parts, body) = self.client.request(forwarded).await?.into_parts();
        Ok(Response::from_parts(parts, Full::new(body.collect().await?.to_bytes())))
    }

    /// What AWS's limits do to a call: a token of each bucket that it draws on, then a role that
    /// Lambda cannot assume yet.
    fn limits(&self, call: &Call) -> Option<Fault> {
        let mut state = self.state();
        let name = call.name();
        let mut drawn = state.buckets.iter_mut().filter(|tokens| tokens.bucket.holds(&name));
        if !drawn.all(Tokens::take) {
            return Some(Fault::Throttle);
        }
        let uses_role = ["lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"];
        if !uses_role.contains(&name.as_str()) {
            return None;
        }
        let young = state.roles.iter().any(|(role, made)| {
            call.text.contains(role.as_str()) && made.elapsed() < state.role_propagation
        });
        young.then_some(Fault::Refuse(
            400,
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ))
    }

    fn pick(&self, call: &Call) -> Option<Fault> {
        let mut state = self.state();
        let rule = state.rules.iter_mut().find(|rule| {
            rule.call == call.name() && rule.times > 0 && names(&call.text, &rule.function)
        })?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.fault.clone())
    }
}

/// The value of a field of a form.
fn form_value(text: &str, name: &str) -> String {
    let pairs = text.split(['&', '\n']);
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    value.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// The answer with other values.
async fn show(
    answer: Response<Full<Bytes>>,
    values: &[(&str, &str)],
) -> Result<Response<Full<Bytes>>, BoxError> {
    let (mut parts, body) = answer.into_parts();
    let mut json: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    for (pointer, value) in values {
        let (parent, field) = pointer.rsplit_once('/').ok_or("no pointer")?;
        let parent = json.pointer_mut(parent).and_then(Value::as_object_mut).ok_or("no object")?;
        match serde_json::from_str(value)? {
            Value::Null => parent.remove(field),
            value => parent.insert(field.to_owned(), value),
        };
    }
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Full::new(Bytes::from(json.to_string()))))
}

/// The answer without tags: those of IAM's XML, Lambda's `Tags`, CloudWatch Logs' `tags`.
async fn without_tags(answer: Response<Full<Bytes>>) -> Result<Response<Full<Bytes>>, BoxError> {
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    let text = String::from_utf8(body.to_vec())?;
    let shown = match text.split_once("<Tags>") {
        Some((before, rest)) => {
            let (_, after) = rest.split_once("</Tags>").ok_or("tags without an end")?;
            format!("{before}{after}")
        }
        None => {
            let mut json: Value = serde_json::from_str(&text)?;
            let answer = json.as_object_mut().ok_or("no object")?;
            answer.remove("Tags").or_else(|| answer.remove("tags")).ok_or("no tags to hide")?;
            json.to_string()
        }
    };
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Full::new(Bytes::from(shown))))
}

/// Ends the process at the other end of a connection on loopback, if it is a Lambda's.
fn kill_owner_of(peer: SocketAddr) {
    let Some(pid) = owner_of(peer) else { return };
    // That it is gone already is as good.
    let _ = kill_process(pid, Signal::KILL);
}

/// Linux tells which socket has that address, and which process has that socket.
fn owner_of(peer: SocketAddr) -> Option<Pid> {
    let port = format!("0100007F:{:04X}", peer.port());
    let sockets = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let mut fields = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let inode = fields.find_map(|fields| {
        (fields.get(1) == Some(&port.as_str())).then(|| fields.get(9).map(|it| it.to_string()))?
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find_map(|pid| {
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        if program.file_name()? != "bootstrap" {
            return None;
        }
        let mut files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.filter_map(Result::ok);
        let has = files.any(|file| {
            std::fs::read_link(file.path())
                .is_ok_and(|target| target.as_os_str() == socket.as_str())
        });
        has.then(|| Pid::from_raw(pid))?
    })
}

/// Whether `text` holds `function` as a whole name, not as a part of a longer one.
fn names(text: &str, function: &str) -> bool {
    text.match_indices(function).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + function.len()..].chars().next();
        !before.is_some_and(in_name) && !after.is_some_and(in_name)
    })
}

/// Whether a character may stand in the name of a test's function.
fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn identify(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Call {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let path = uri.path();
    let query: HashMap<_, _> = uri
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    // Credential=KEY/DATE/REGION/SERVICE/aws4_request, of a link in its query.
    let scope = text("authorization").and_then(|value| value.split('/').nth(3));
    let link = query.get("X-Amz-Credential").and_then(|value| value.split("%2F").nth(3));
    let service = scope.or(link).unwrap_or("unsigned").to_owned();
    // Archives are large, and name nobody.
    let stores = service == "s3" && method == Method::PUT && !query.contains_key("tagging");
    let body = if stores { "".into() } else { String::from_utf8_lossy(body) };
    let operation = match (service.as_str(), text("x-amz-target")) {
        ("lambda", _) => lambda_operation(method, path),
        ("s3", _) => s3_operation(method, &query, headers),
        ("scheduler", _) => scheduler_operation(method, path),
        ("iam", _) => body
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="))
            .unwrap_or("Unknown")
            .to_owned(),
        // Service_Version.Operation
        (_, Some(target)) => target.rsplit('.').next().unwrap_or(target).to_owned(),
        _ => "Unknown".to_owned(),
    };
    let target = percent_decode_str(&uri.to_string()).decode_utf8_lossy().into_owned();
    let body = percent_decode_str(&body).decode_utf8_lossy().into_owned();
    Call { service, operation, text: format!("{target}\n{body}"), status: None }
}

fn lambda_operation(method: &Method, path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = match (method.as_str(), last) {
        ("GET", "event-source-mappings") => "ListEventSourceMappings",
        ("POST", "event-source-mappings") => "CreateEventSourceMapping",
        ("GET", _) if path.contains("/event-source-mappings/") => "GetEventSourceMapping",
        ("PUT", _) if path.contains("/event-source-mappings/") => "UpdateEventSourceMapping",
        ("DELETE", _) if path.contains("/event-source-mappings/") => "DeleteEventSourceMapping",
        ("GET", "url") => "GetFunctionUrlConfig",
        ("POST", "url") => "CreateFunctionUrlConfig",
        ("PUT", "url") => "UpdateFunctionUrlConfig",
        ("DELETE", "url") => "DeleteFunctionUrlConfig",
        ("GET", "event-invoke-config") => "GetFunctionEventInvokeConfig",
        ("PUT", "event-invoke-config") => "PutFunctionEventInvokeConfig",
        ("DELETE", "event-invoke-config") => "DeleteFunctionEventInvokeConfig",
        ("GET", "policy") => "GetPolicy",
        ("POST", "policy") => "AddPermission",
        ("DELETE", _) if path.contains("/policy/") => "RemovePermission",
        ("GET", _) if path.contains("/tags/") => "ListTags",
        ("POST", "functions") => "CreateFunction",
        ("PUT", "code") => "UpdateFunctionCode",
        ("PUT", "concurrency") => "PutFunctionConcurrency",
        ("DELETE", "concurrency") => "DeleteFunctionConcurrency",
        ("PUT", "configuration") => "UpdateFunctionConfiguration",
        ("POST", "versions") => "PublishVersion",
        ("POST", "aliases") => "CreateAlias",
        ("GET", _) if path.contains("/aliases/") => "GetAlias",
        ("PUT", _) if path.contains("/aliases/") => "UpdateAlias",
        ("DELETE", _) if path.contains("/aliases/") => "DeleteAlias",
        ("POST", _) if path.contains("/tags/") => "TagResource",
        ("DELETE", _) if path.contains("/tags/") => "UntagResource",
        ("GET", _) => "GetFunction",
        ("DELETE", _) => "DeleteFunction",
        _ => "Unknown",
    };
    name.to_owned()
}

/// All that is called is about one schedule.
fn scheduler_operation(method: &Method, path: &str) -> String {
    let name = match method.as_str() {
        "GET" if path.trim_end_matches('/') == "/schedules" => "ListSchedules",
        "GET" => "GetSchedule",
        "POST" => "CreateSchedule",
        "PUT" => "UpdateSchedule",
        "DELETE" => "DeleteSchedule",
        _ => "Unknown",
    };
    name.to_owned()
}

fn s3_operation(method: &Method, query: &HashMap<&str, &str>, headers: &HeaderMap) -> String {
    let name = match method.as_str() {
        "PUT" if query.contains_key("tagging") => "PutObjectTagging",
        "PUT" if headers.contains_key("x-amz-copy-source") => "CopyObject",
        "PUT" => "PutObject",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "DELETE" => "DeleteObject",
        _ => "Unknown",
    };
    name.to_owned()
}

/// How a service says that calls come too fast.
fn throttling(service: &str) -> (u16, &'static str) {
    match service {
        "lambda" => (429, "TooManyRequestsException"),
        "iam" => (400, "Throttling"),
        "s3" => (503, "SlowDown"),
        "scheduler" => (429, "ThrottlingException"),
        _ => (400, "ThrottlingException"),
    }
}

/// An error as the service itself would answer it.
fn refusal(service: &str, status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let (content_type, body) = match service {
        "iam" => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error><RequestId>injected</RequestId></ErrorResponse>"
            ),
        ),
        "s3" => (
            "application/xml",
            format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
        ),
        _ => (
            "application/x-amz-json-1.1",
            serde_json::json!({"__type": code, "message": message, "Message": message}).to_string(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-amzn-requestid", HeaderValue::from_static("injected"));
    if let ("lambda" | "scheduler", Ok(code)) = (service, HeaderValue::from_str(code)) {
        headers.insert("x-amzn-errortype", code);
    }
    response
}

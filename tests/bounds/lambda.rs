//! One process of a Lambda, with stand-ins for Lambda's Runtime API and for AWS.
//!
//! Source of the API: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::convert::Infallible;
use std::future::pending;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use formation_local::Project;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

/// A call with this in its request is not answered.
pub const NEVER_ANSWERED: &str = "never-answered";

/// There is no function whose name begins so; any other may not be asked for.
pub const NOT_THERE: &str = "not-there";

/// The bucket that code may be taken from: it has the same object under every key.
pub const CODE_BUCKET: &str = "code";

/// What a Lambda has answered, and asked of AWS until then.
pub struct Answer {
    /// The response to the invocation.
    pub body: Bytes,
    calls: Vec<(String, Value)>,
}

impl Answer {
    /// The requests of a call, for example `AWSEvents.PutEvents`.
    pub fn calls(&self, target: &str) -> impl Iterator<Item = &Value> {
        self.calls.iter().filter(move |(called, _)| called == target).map(|(_, request)| request)
    }
}

/// An event, and how long its handling may take.
type Event = (Bytes, Duration);

/// What the process sends.
enum Sent {
    Response(Bytes),
    Call(String, Value),
}

/// A process of a Lambda.
pub struct Lambda {
    process: Child,
    events: mpsc::Sender<Event>,
    sent: mpsc::Receiver<Sent>,
    /// What the template gives it, in bytes.
    pub memory: u64,
}

impl Drop for Lambda {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Lambda {
    /// Starts the program that the template's `resource` runs.
    pub async fn start(binary: &str, resource: &str) -> Self {
        Self::start_with(binary, resource, Bytes::new()).await
    }

    /// The same where `object` is in the bucket [`CODE_BUCKET`].
    pub async fn start_with(binary: &str, resource: &str, object: Bytes) -> Self {
        let project = Project::find().unwrap();
        let template = std::fs::read_to_string(project.path("infra/template.yaml")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, waiting) = mpsc::channel(1);
        let (sender, sent) = mpsc::channel(64);
        tokio::spawn(serve(listener, Arc::new(Mutex::new(waiting)), sender, object));

        let blocks = [block(&template, "", "Globals"), block(&template, "  ", resource)];
        let own = |name: &str| blocks.iter().rev().find_map(|block| value(block, name));
        let url = format!("http://{address}");
        let variables = blocks.iter().flat_map(|block| variables(block));
        let variables = variables.map(|name| {
            let value = match name {
                "ACCOUNT_ID" => "111122223333",
                "CODE_BUCKETS" => CODE_BUCKET,
                "FUNCTION_BOUNDARY_ARN"
                | "LAYER_ARNS"
                | "INVOKER_ACCOUNTS"
                | "EVENT_BUS_NAMES"
                | "EVENT_SOURCE_ARNS"
                | "FAILURE_DESTINATION_ARNS" => "",
                "ALLOW_PUBLIC_URLS" => "false",
                "DEFAULT_ARCHITECTURE" => "arm64",
                "QUEUE_URL" => &url,
                _ => "1",
            };
            (name, value.to_owned())
        });
        let program = project.path(format!("target/lambda/{binary}/bootstrap"));
        let process = Command::new(&program)
            .env_clear()
            .envs(variables)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_ENDPOINT_URL", &url)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", own("MemorySize").unwrap())
            .env("AWS_LAMBDA_FUNCTION_NAME", binary)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "log")
            .env("AWS_LAMBDA_LOG_LEVEL", "ERROR")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "log")
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .spawn();
        let process = process.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let memory: u64 = own("MemorySize").unwrap().parse().unwrap();
        Self { process, events, sent, memory: memory * 1024 * 1024 }
    }

    /// Hands it an event that it may take so long for, and waits for its answer.
    pub async fn invoke(&mut self, event: &str, time: Duration) -> Answer {
        self.events.send((Bytes::from(event.to_owned()), time)).await.unwrap();
        let mut calls = Vec::new();
        loop {
            let sent = timeout(time, self.sent.recv()).await;
            match sent.unwrap_or_else(|_| panic!("no answer within {time:?}")).unwrap() {
                Sent::Response(body) => return Answer { body, calls },
                Sent::Call(target, request) => calls.push((target, request)),
            }
        }
    }

    /// The most memory that it has had so far, in bytes.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kilobytes * 1024
    }
}

/// The lines below the key `name` of a YAML text.
fn block<'a>(text: &'a str, indent: &str, name: &str) -> Vec<&'a str> {
    let begin = format!("{indent}{name}:");
    let inner = format!("{indent}  ");
    let lines = text.lines().skip_while(|line| *line != begin).skip(1);
    lines.take_while(|line| line.is_empty() || line.starts_with(&inner)).collect()
}

fn value<'a>(block: &[&'a str], name: &str) -> Option<&'a str> {
    let own = block.iter().map(|line| line.trim());
    own.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).next()
}

/// The names of the environment variables.
fn variables<'a>(block: &[&'a str]) -> Vec<&'a str> {
    let mut lines = block.iter().skip_while(|line| line.trim() != "Variables:");
    let Some(begin) = lines.next() else { return Vec::new() };
    let indent = begin.len() - begin.trim_start().len() + 2;
    let own = lines.take_while(|line| line.len() - line.trim_start().len() >= indent);
    own.filter_map(|line| line.trim().split_once(':').map(|(name, _)| name)).collect()
}

type Waiting = Arc<Mutex<mpsc::Receiver<Event>>>;

async fn serve(listener: TcpListener, waiting: Waiting, sender: mpsc::Sender<Sent>, object: Bytes) {
    while let Ok((connection, _)) = listener.accept().await {
        let (waiting, sender, object) = (waiting.clone(), sender.clone(), object.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &waiting, &sender, &object));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    waiting: &Waiting,
    sender: &mpsc::Sender<Sent>,
    object: &Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    if head.uri.path().ends_with("/invocation/next") {
        // Without another event, the Lambda waits.
        let (event, time) = match waiting.lock().await.recv().await {
            Some(event) => event,
            None => pending().await,
        };
        let deadline = SystemTime::now() + time;
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let response = Response::builder()
            .header("lambda-runtime-aws-request-id", "r-1")
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:1:function:f")
            .header("lambda-runtime-trace-id", "Root=1-0-0");
        return Ok(response.body(Full::new(event)).unwrap());
    }
    let body = body.collect().await.unwrap().to_bytes();
    if head.uri.path().starts_with("/2018-06-01/runtime/") {
        let _ = sender.send(Sent::Response(body)).await;
        return Ok(Response::builder().status(202).body(Full::default()).unwrap());
    }
    if head.uri.path().starts_with(&format!("/{CODE_BUCKET}/")) {
        let response = Response::builder().header("etag", "\"1\"");
        return Ok(response.body(Full::new(object.clone())).unwrap());
    }
    if head.uri.path().contains(&format!("/functions/{NOT_THERE}")) {
        let response = Response::builder().status(404);
        let response = response.header("x-amzn-errortype", "ResourceNotFoundException");
        return Ok(response.body(Full::from("{}")).unwrap());
    }
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let target = target.unwrap_or_default().to_owned();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = request.to_string();
    let (status, answer) = match target.as_str() {
        "DynamoDB_20120810.GetItem" if text.contains(NOT_THERE) => (200, json!({})),
        "AWSEvents.PutEvents" => {
            (200, json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}))
        }
        "AmazonSQS.ChangeMessageVisibility" => (200, json!({})),
        _ => (400, json!({"__type": "AccessDeniedException", "message": "this is no AWS"})),
    };
    let answered = !text.contains(NEVER_ANSWERED);
    let _ = sender.send(Sent::Call(target, request)).await;
    if !answered {
        pending::<()>().await;
    }
    let response = Response::builder().status(status);
    let response = response.header("content-type", "application/x-amz-json-1.1");
    Ok(response.body(Full::from(answer.to_string())).unwrap())
}

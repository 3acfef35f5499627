//! The stand-in: answers each request as a test says, and remembers what came.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use formation_client::{Client, ClientBuilder, Retries};
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub const TOKEN: &str = "t0ken";
pub const ID: &str = "01JDJ3M6Q5X8Z7W2V4T9R0N1KB";

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    /// As it stood in the request line.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whatever a query asks for, without the rest.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What becomes of a request.
pub enum Reply {
    Answer(Response<Full<Bytes>>),
    /// It is answered after this time.
    Late(Duration, Response<Full<Bytes>>),
    /// The connection ends without an answer.
    Lost,
    /// Nothing comes, ever.
    Silence,
}

/// An answer with a JSON body.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> Reply {
    raw(status, headers, body.to_string())
}

pub fn raw(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Reply::Answer(response.body(Full::new(body.into())).unwrap())
}

pub fn function(name: &str) -> Value {
    json!({
        "functionName": name, "code": {"sha256": "abc=", "sizeBytes": 182},
        "runtime": "nodejs24.x", "handler": "index.handler", "architecture": "arm64",
        "memoryMegabytes": 128, "timeoutSeconds": 3, "logRetentionDays": 30, "environment": {},
        "description": "", "tags": {}, "deletionProtection": false, "status": "AVAILABLE",
        "revision": 1, "operationId": ID, "drift": {"status": "UNKNOWN", "differences": []},
        "resources": {
            "functionArn": "arn:f", "liveArn": "arn:f:live", "invokeArn": "arn:f:live",
            "roleArn": "arn:r", "logGroupName": "/l"
        },
        "createdAt": "2026-11-25T17:00:00Z", "updatedAt": "2026-11-25T17:00:00Z", "createdBy": "ann",
    })
}

pub fn about() -> Value {
    json!({
        "version": "0.3.0", "stackName": "formation", "region": "eu-central-1", "layerArns": [],
        "functionBoundaryArn": null, "boundaryActions": ["logs:PutLogEvents"], "guard": [],
        "codeBuckets": [],
        "limits": {
            "planFunctions": 100, "zipFileBytes": 3145728, "uploadBytes": 262144000, "policyStatementsCharacters": 0,
            "waitSeconds": 25, "maxReservedConcurrency": 10,
        },
    })
}

pub fn operation(status: &str) -> Value {
    json!({
        "operationId": ID, "kind": "CREATE", "functionName": "hello", "status": status,
        "rollback": "NOT_NEEDED", "startedAt": "2026-11-25T17:00:00Z", "requestedBy": "ann",
        "executionArn": "arn:e", "consoleUrl": "https://c",
    })
}

pub fn problem(status: u16, code: &str) -> Value {
    json!({
        "type": "about:blank", "title": "T", "status": status, "detail": "D", "code": code,
        "requestId": "r-1",
    })
}

/// The stand-in, which lives as long as the test.
pub struct Stub {
    /// Of a name below `localhost`, as local AWS has it.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Stub {
    /// `reply` is told how many requests came before, and what came.
    pub async fn start(reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, reply).await
    }

    pub async fn start_with(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (all, reply) = (Arc::clone(&seen), Arc::new(reply));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (all, reply, tls) = (Arc::clone(&all), Arc::clone(&reply), tls.clone());
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (all, reply) = (Arc::clone(&all), Arc::clone(&reply));
                    async move {
                        let (Parts { method, uri, headers, .. }, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let seen = Seen { method, target: uri.to_string(), headers, body };
                        let before = {
                            let mut all = all.lock().unwrap();
                            all.push(seen.clone());
                            all.len() - 1
                        };
                        match reply(before, &seen) {
                            Reply::Answer(response) => Ok(response),
                            Reply::Late(time, response) => {
                                tokio::time::sleep(time).await;
                                Ok(response)
                            }
                            Reply::Lost => Err("lost"),
                            Reply::Silence => std::future::pending().await,
                        }
                    }
                });
                tokio::spawn(async move {
                    let http = http1::Builder::new();
                    // That a client goes away is no news.
                    let _ended = match tls {
                        None => http.serve_connection(TokioIo::new(stream), service).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => {
                                http.serve_connection(TokioIo::new(stream), service).await
                            }
                            Err(_) => return,
                        },
                    };
                });
            }
        });
        Self { url: format!("{scheme}://a1b2.execute-api.localhost:{port}"), seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// A client of it that repeats without losing time.
    pub fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    pub fn builder(&self) -> ClientBuilder {
        let pause = Duration::from_millis(1);
        let retries = Retries { first_pause: pause, longest_pause: pause, ..Retries::default() };
        Client::builder(&self.url, "eu-central-1", credentials("AKID"))
            .given_explicitly()
            .retries(retries)
    }
}

pub fn credentials(key: &str) -> SharedCredentialsProvider {
    let token = Some(TOKEN.to_owned());
    SharedCredentialsProvider::new(Credentials::new(key, "s3cr3t", token, None, "a test"))
}

//! A stand-in for AWS that answers as a test says, odd answers included.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use formation_client::{Client, Retries};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::connect::Connected;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and target, as they stand in the request line.
    pub line: String,
    /// The headers in lower case, one a line.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Asked {
    /// The body, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The action of a call with the Query protocol or with AWS's JSON protocol, or else the method and the
    /// path.
    pub fn call(&self) -> String {
        if let Some(action) = self.body.strip_prefix("Action=") {
            return action.split('&').next().unwrap().to_owned();
        }
        let target = self.head.lines().find_map(|line| line.strip_prefix("x-amz-target: "));
        let line = self.line.split('?').next().unwrap();
        target
            .map_or_else(|| line.to_owned(), |target| target.split('.').nth(1).unwrap().to_owned())
    }
}

/// What it answers: a status, headers and a body.
pub type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

pub fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    (status, Vec::new(), body.into())
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is answered.
    Answered(Reply),
    /// The connection ends without an answer.
    Lost,
}

/// An answer in JSON.
pub fn answer(status: u16, body: &Value) -> Fate {
    Fate::Answered(reply(status, body.to_string()))
}

/// A refusal as AWS's JSON protocol has it.
pub fn refusal(status: u16, code: &str) -> Fate {
    answer(status, &json!({"__type": code, "message": "M"}))
}

/// The stand-in, as long as the test runs.
pub struct Stub {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(move |_, asked| Fate::Answered(answer(asked)))
    }

    /// `fate` is told how many requests came before, and what came.
    pub fn start_with(fate: impl Fn(usize, &Asked) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (all, fate) = (Arc::clone(&asked), Arc::new(fate));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (all, fate) = (Arc::clone(&all), Arc::clone(&fate));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(asked) = read(&mut stream) else { return };
                    let before = {
                        let mut all = all.lock().unwrap();
                        all.push(asked.clone());
                        all.len() - 1
                    };
                    let Fate::Answered((status, headers, body)) = fate(before, &asked) else {
                        return;
                    };
                    let mut head =
                        format!("HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n", body.len());
                    for (name, value) in headers {
                        head += &format!("{name}: {value}\r\n");
                    }
                    let head = head + "connection: close\r\n\r\n";
                    // Whoever asked may have gone.
                    let _ =
                        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
                });
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// An AWS whose services are all here.
    pub fn aws(&self) -> Aws {
        aws(&self.url)
    }

    /// A stack whose API, and whose AWS, is here.
    pub fn connected(&self) -> Connected {
        connected(&self.url)
    }
}

/// A stack whose API, and whose AWS, is at a URL.
pub fn connected(url: &str) -> Connected {
    let aws = aws(url);
    let client = Client::builder(url, &aws.region, aws.credentials.clone());
    let once = Retries { tries: 1, ..Retries::default() };
    let client = client.given_explicitly().retries(once).build().unwrap();
    Connected { client, stack: Some("shop".to_owned()), aws }
}

fn aws(url: &str) -> Aws {
    let token = Some("t0ken".to_owned());
    let credentials = Credentials::new("AKIDEXAMPLE", "s3cr3t", token, None, "a test");
    Aws {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(url.to_owned()),
        credentials: SharedCredentialsProvider::new(credentials),
        profile: None,
    }
}

/// A function as the API has it.
pub fn function(name: &str) -> Value {
    json!({
        "functionName": name, "code": {"sha256": "abc=", "sizeBytes": 182},
        "runtime": "nodejs24.x", "handler": "index.handler", "architecture": "arm64",
        "memoryMegabytes": 128, "timeoutSeconds": 3, "logRetentionDays": 30, "environment": {},
        "description": "", "tags": {}, "deletionProtection": false, "status": "AVAILABLE",
        "revision": 1, "operationId": "01JDJ3M6Q5X8Z7W2V4T9R0N1KB",
        "drift": {"status": "UNKNOWN", "differences": []},
        "resources": {
            "functionArn": format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
            "liveArn": format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}:live"),
            "invokeArn": format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}:live"),
            "version": "1",
            "roleArn": "arn:r", "logGroupName": format!("/aws/lambda/{name}"),
        },
        "createdAt": "2026-11-25T17:00:00Z", "updatedAt": "2026-11-25T17:00:00Z", "createdBy": "ann",
    })
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.trim().parse().ok()?;
        }
        head += &format!("{name}: {}\n", value.trim());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, head, body: String::from_utf8(body).ok()? })
}

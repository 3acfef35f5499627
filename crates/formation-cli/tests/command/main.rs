//! The command as a process of its own, at a terminal and without one, against a stand-in for AWS.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod codes;
mod help;
mod input;
mod interrupt;
mod live;
mod midway;
mod network;
mod question;
mod safety;
mod speed;
#[path = "../../../formation-client/tests/it/stub.rs"]
#[allow(dead_code, reason = "the client's tests use more of it")]
mod stub;
mod summary;
mod terminal;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::stub::{ID, Reply, Seen, Stub, answer, operation, problem};

const BINARY: &str = env!("CARGO_BIN_EXE_formation");
const PLAN: &str = "/v1/plan";
const ONE: &str = "functions:\n  hello: {code: x}\n";

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// A folder with a manifest, and the stand-in that its functions are to be deployed to.
struct Project {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Project {
    fn new(url: &str, manifest: &str) -> Self {
        let folder = TempDir::with_prefix("formation-").unwrap();
        let variables = [
            ("PATH", std::env::var("PATH").unwrap().as_str()),
            ("HOME", folder.path().to_str().unwrap()),
            ("TERM", "xterm-256color"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
            ("FORMATION_API_URL", url),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let project = Self { folder, variables: variables.to_vec() };
        project.write("formation.yaml", manifest);
        project
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), text).unwrap();
    }

    /// With another variable, or without one.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        if !value.is_empty() {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The command with these arguments, apart by spaces.
    fn command(&self, arguments: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(words(arguments)).current_dir(self.folder.path());
        command.env_clear().envs(self.variables.iter().map(pair)).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, arguments: &str) -> Said {
        self.command(arguments).output().await.unwrap().into()
    }

    /// The command at a terminal of so many rows and columns.
    fn at_terminal(&self, arguments: &str, rows: u16, columns: u16) -> terminal::Terminal {
        let command = pty_process::Command::new(BINARY).args(words(arguments));
        let command = command.current_dir(self.folder.path()).env_clear();
        let command = command.envs(self.variables.iter().map(pair));
        terminal::Terminal::run(command, rows, columns)
    }
}

fn words(arguments: &str) -> impl Iterator<Item = &str> {
    arguments.split(' ').filter(|word| !word.is_empty())
}

fn pair((name, value): &(String, String)) -> (impl AsRef<OsStr>, impl AsRef<OsStr>) {
    (name, value)
}

/// The plan of whatever is asked for: all of it is to be made.
fn plan(seen: &Seen) -> Reply {
    answer(200, &[], &plans(seen, &json!({"kind": "CREATE"})))
}

/// The same plan of each function that is asked for.
fn plans(seen: &Seen, each: &Value) -> Value {
    let asked: Value = serde_json::from_slice(&seen.body).unwrap();
    let plans = asked["functions"].as_array().unwrap().iter().map(|function| {
        let mut plan = each.clone();
        plan["functionName"] = function["functionName"].clone();
        plan
    });
    json!({"plans": plans.collect::<Vec<_>>()})
}

/// An operation with these steps: name, status, attempts, what it waits for.
fn with_steps(mut operation: Value, steps: &[(&str, &str, u32, &str)]) -> Value {
    let steps = steps.iter().map(|(name, status, attempts, waits)| {
        let mut step = json!({
            "name": name, "status": status, "attempts": attempts, "startedAt": "2026-11-25T17:00:00Z",
        });
        if !["RUNNING", "WAITING"].contains(status) {
            step["endedAt"] = json!("2026-11-25T17:00:01Z");
        }
        if !waits.is_empty() {
            step["waitingFor"] = json!(waits);
        }
        step
    });
    operation["steps"] = steps.collect();
    if operation["status"] != "RUNNING" {
        operation["endedAt"] = json!("2026-11-25T17:00:03.25Z");
    }
    operation
}

/// Whether a request is to change something.
fn changes(seen: &Seen) -> bool {
    let method = seen.method.as_str();
    method != "GET" && seen.path() != PLAN
}

/// Whether a file is there that a test writes when something is to go on.
fn told(file: &Path) -> bool {
    file.exists()
}

/// Waits until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 30, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where an archive can be put: to the stub itself.
fn offer(seen: &Seen) -> Reply {
    let url = format!("http://{}/upload", seen.header("host"));
    let upload = json!({
        "uploadId": ID, "method": "PUT", "url": url, "headers": {},
        "expiresAt": "2126-11-25T17:00:00Z",
    });
    answer(201, &[], &upload)
}

/// That an archive is stored, a second after it was sent.
fn stored_late() -> Reply {
    let Reply::Answer(stored) = answer(200, &[], &json!({})) else { panic!() };
    Reply::Late(Duration::from_secs(1), stored)
}

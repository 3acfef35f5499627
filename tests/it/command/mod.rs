//! The `formation` command as people and CI type it, each as a process of its own.

pub mod action;
pub mod conflict;
pub mod connect;
pub mod deploy;
pub mod doctor;
pub mod init;
pub mod invoke;
pub mod logs;
pub mod revisions;
#[path = "../../../crates/formation-cli/tests/command/terminal.rs"]
#[allow(dead_code, reason = "the command's own tests use more of it")]
mod terminal;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use aws_credential_types::Credentials;
use formation_tests::World;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use self::terminal::Terminal;

const CODE: &str = "export const handler = async () => process.env.GREETING;";

/// The command that was built beside the tests.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("formation")
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
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

/// A command that knows nothing of whoever runs the tests.
pub fn command(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command as somebody who has these credentials, on local AWS.
fn command_as(
    world: &World,
    credentials: &Credentials,
    folder: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Command {
    let mut command = command(folder, arguments);
    let stack = &world.stack;
    command.envs([
        ("AWS_REGION", stack.region.as_str()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key()),
        ("AWS_ENDPOINT_URL", stack.endpoint_url.as_str()),
        ("FORMATION_API_URL", stack.api_url.as_str()),
        ("FORMATION_STACK", stack.stack_name.as_str()),
    ]);
    command
}

/// ^C, as a terminal sends it.
fn interrupt(running: &Child) {
    let id = i32::try_from(running.id().unwrap()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
}

/// A folder with a manifest, and with the local AWS that `make run` would have told of.
struct Project(TempDir);

impl Project {
    fn new(world: &World, manifest: &str) -> Self {
        let folder = TempDir::with_prefix("formation-").unwrap();
        let stack = &world.stack;
        let local = json!({
            "endpointUrl": stack.endpoint_url, "region": stack.region, "accountId": stack.account_id,
            "accessKeyId": stack.access_key_id, "secretAccessKey": stack.secret_access_key,
            "apiUrl": stack.api_url, "stackName": stack.stack_name,
        });
        fs::create_dir(folder.path().join(".local")).unwrap();
        fs::write(folder.path().join(".local/stack.json"), local.to_string()).unwrap();
        let project = Self(folder);
        project.write("formation.yaml", manifest);
        project
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs it so at a terminal.
    fn at_terminal(&self, arguments: &str) -> Terminal {
        let command = pty_process::Command::new(binary()).arg("--local");
        let command = command.args(arguments.split(' ')).current_dir(self.0.path());
        let path = std::env::var_os("PATH").unwrap();
        let command = command.env_clear().env("PATH", path).env("TERM", "xterm-256color");
        Terminal::run(command, 50, 100)
    }

    /// Runs `formation --local` with these arguments, apart by spaces.
    async fn run(&self, arguments: &str) -> Said {
        let arguments = ["--local"].into_iter().chain(arguments.split(' '));
        command(self.0.path(), arguments).output().await.unwrap().into()
    }
}

//! The command that serves the page, and a browser that it has let in.

use std::path::PathBuf;
use std::process::Stdio;

use formation_tests::World;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::browser::Browser;

/// A page with its browser.
pub struct Served {
    pub browser: Browser,
    /// Where its pages are: the host, and a path that nobody else knows.
    pub base: String,
    command: Child,
}

/// The command that was built beside the tests.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("formation")
}

/// `formation`, as somebody who uses the local AWS as if it were AWS.
pub fn command(world: &World, arguments: &[&str]) -> Command {
    let stack = &world.stack;
    let mut command = Command::new(binary());
    command.args(arguments).env_clear().current_dir("/").kill_on_drop(true);
    command.envs([
        ("AWS_REGION", stack.region.as_str()),
        ("AWS_ACCESS_KEY_ID", stack.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", stack.secret_access_key.as_str()),
        ("AWS_ENDPOINT_URL", stack.endpoint_url.as_str()),
        ("FORMATION_API_URL", stack.api_url.as_str()),
        ("FORMATION_STACK", stack.stack_name.as_str()),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A name that no other test has. In pictures it is one that people would choose, so that they change no more than the
/// pages do.
pub fn name(world: &World, what: &str) -> String {
    match std::env::var_os("FORMATION_PICTURES") {
        Some(_) => what.to_owned(),
        None => world.name(what),
    }
}

impl Served {
    /// Serves a page that may change functions, and lets a browser in.
    pub async fn start(world: &World) -> Self {
        let mut command = command(world, &["ui", "--no-open", "--write"]).spawn().unwrap();
        let mut lines = BufReader::new(command.stdout.take().unwrap()).lines();
        let link = lines.next_line().await.unwrap().expect("the command tells its link");
        let browser = Browser::start().await;
        browser.open(&link).await;
        browser.until("h1", "Functions").await;
        let url = browser.url().await;
        let base = url.strip_suffix('/').unwrap_or_else(|| panic!("{url}")).to_owned();
        if std::env::var_os("FORMATION_PICTURES").is_some() {
            // What is on its way from one colour to another is no picture.
            browser.look(1280, "light").await;
        }
        Self { browser, base, command }
    }

    /// Opens one of its pages.
    pub async fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base)).await;
    }

    /// Ends the command, as ^C does, while the browser goes on.
    pub async fn interrupt(&mut self) {
        let id = self.command.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.unwrap(), Signal::INT).unwrap();
        assert!(self.command.wait().await.unwrap().success());
    }

    /// Keeps what the page looks like, where pictures are asked for.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("FORMATION_PICTURES") else { return };
        std::fs::create_dir_all(&folder).unwrap();
        let path = PathBuf::from(folder).join(format!("{name}.png"));
        std::fs::write(path, self.browser.picture().await).unwrap();
    }

    /// Ends it, once it has shown no error.
    pub async fn close(self) {
        let errors = self.browser.errors().await;
        assert!(errors.is_empty(), "{errors:#?}");
        self.browser.close().await;
    }
}

//! The commands that build the code of functions.

use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::output::Output;

/// How long a command may take to end once it has been asked to.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(2);
/// How long what a command has left running may go on printing.
const REST: Duration = Duration::from_secs(1);
/// The bytes of a line that are shown; what is beyond them is left out.
const LONGEST: usize = 4096;

/// By what CI lets a job ask for credentials of AWS: its OIDC tokens, and what they are asked for with.
/// Sources: <https://docs.github.com/en/actions/reference/security/oidc>,
/// <https://circleci.com/docs/openid-connect-tokens/>,
/// <https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/>,
/// <https://buildkite.com/docs/agent/v3/cli-oidc>.
const OF_CI: [&str; 5] = [
    "ACTIONS_ID_TOKEN_REQUEST_",
    "BITBUCKET_STEP_OIDC_TOKEN",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
    "CI_JOB_JWT",
    "CIRCLE_OIDC_TOKEN",
];

/// Runs a build command in a folder. What it prints is progress, and no variable of AWS's, or by which CI
/// gives credentials of AWS, is in its environment: it is code of the project, not of whoever deploys it.
/// When this is dropped, everything ends that the command has started.
///
/// # Errors
/// That it cannot be run, or has failed.
pub async fn run(command: &str, folder: &Path, name: &str, output: &Output) -> Result<(), String> {
    let mut process = Command::new("sh");
    process.arg("-c").arg(command).current_dir(folder);
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for (variable, _) in std::env::vars_os() {
        if may_be_credentials(&variable.to_string_lossy()) {
            process.env_remove(variable);
        }
    }
    // A group of its own, which can be ended as a whole.
    #[cfg(unix)]
    process.process_group(0);
    let process = process.spawn().map_err(|error| match folder.is_dir() {
        true => format!("sh cannot be run: {error}"),
        false => format!("there is no folder {}", folder.display()),
    })?;
    let mut group = Group::new(process);
    let (out, err) = (group.process.stdout.take(), group.process.stderr.take());
    let mut told = pin!(async { tokio::join!(relay(out, name, output), relay(err, name, output)) });
    let mut all_told = false;
    let ended = loop {
        tokio::select! {
            ended = group.process.wait() => break ended,
            _ = &mut told, if !all_told => all_told = true,
        }
    };
    // What the command has left running may hold its output open for ever.
    if all_told || timeout(REST, told).await.is_ok() {
        group.has_ended();
    } else {
        output.progress(&format!(
            "{name}: the command has ended; what it has left running is ended, too"
        ));
    }
    drop(group);
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the command failed ({status}); its output is above")),
        Err(error) => Err(format!("the command cannot be waited for: {error}")),
    }
}

/// A command with all that it has started. Unless it has ended, all of them end when this is dropped.
struct Group {
    process: Child,
    /// The group's id, which outlives the command: a process tells its own no more once it has ended.
    #[cfg(unix)]
    id: Option<Pid>,
}

impl Group {
    fn new(process: Child) -> Self {
        Self {
            #[cfg(unix)]
            id: process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw),
            process,
        }
    }

    /// Nothing of it is left to be ended.
    fn has_ended(&mut self) {
        #[cfg(unix)]
        {
            self.id = None;
        }
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = self.id else { return };
        // The first asks, so that they can take away what they have begun.
        for signal in [Signal::TERM, Signal::KILL] {
            let until = Instant::now() + PATIENCE;
            let sent = kill_process_group(group, signal).is_ok();
            while sent && test_kill_process_group(group).is_ok() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
                // One that has ended is of the group until somebody has looked.
                let _ = self.process.try_wait();
            }
        }
    }
}

/// Whether a variable may hold credentials, say where some are, or get some.
fn may_be_credentials(variable: &str) -> bool {
    let variable = variable.to_ascii_uppercase();
    variable.starts_with("AWS_") || OF_CI.iter().any(|it| variable.starts_with(it))
}

/// Hands on what a command prints, line by line.
async fn relay(from: Option<impl AsyncRead + Unpin>, name: &str, output: &Output) {
    let Some(mut from) = from else { return };
    let mut lines = Lines::default();
    let mut piece = vec![0; 8192];
    loop {
        // What cannot be read ends the telling and not the command.
        let length = from.read(&mut piece).await.unwrap_or_default();
        let ended = if length == 0 {
            lines.end().into_iter().collect()
        } else {
            lines.take(&piece[..length])
        };
        for line in ended {
            output.progress(&format!("{name} | {line}"));
            // However much there is, ^C is heard.
            tokio::task::yield_now().await;
        }
        if length == 0 {
            return;
        }
    }
}

/// The lines of an output, which may have none: those of a progress bar end with a return, and what is
/// beyond the longest is left out.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    left_out: bool,
    /// Whether a return has ended the last line, so that a line feed now ends none.
    returned: bool,
}

impl Lines {
    /// The lines that end in the next piece.
    fn take(&mut self, piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in piece.split_inclusive(|byte| b"\r\n".contains(byte)) {
            let text = part.strip_suffix(b"\n").or(part.strip_suffix(b"\r")).unwrap_or(part);
            let room = LONGEST.saturating_sub(self.line.len()).min(text.len());
            self.line.extend_from_slice(&text[..room]);
            self.left_out |= room < text.len();
            let returned = std::mem::take(&mut self.returned);
            match &part[text.len()..] {
                b"\n" if returned && text.is_empty() => {}
                b"\n" => lines.push(self.end().unwrap_or_default()),
                b"\r" => {
                    let line = self.end();
                    self.returned = line.is_some();
                    lines.extend(line);
                }
                _ => {}
            }
        }
        lines
    }

    /// What there is of a line that has not ended.
    fn end(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let more = if std::mem::take(&mut self.left_out) { " [...]" } else { "" };
        let text = String::from_utf8_lossy(&line);
        (!line.is_empty()).then(|| format!("{}{more}", text.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_sees_credentials_or_what_gets_some() {
        for variable in [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_PROFILE",
            "aws_session_token",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "CI_JOB_JWT_V2",
            "CIRCLE_OIDC_TOKEN_V2",
        ] {
            assert!(may_be_credentials(variable), "{variable}");
        }
        for variable in ["PATH", "HOME", "AWSOME", "GITHUB_TOKEN", "FORMATION_API_URL", "CI"] {
            assert!(!may_be_credentials(variable), "{variable}");
        }
    }

    #[test]
    fn output_is_lines_of_a_limited_length_wherever_it_is_cut() {
        let long = "x".repeat(3 * LONGEST);
        let shown = format!("{} [...]", "x".repeat(LONGEST));
        for (printed, expected) in [
            ("a\nb", vec!["a", "b"]),
            ("a\r\n\r\nb\r\n", vec!["a", "", "b"]),
            ("\r10%\r20%\r\ndone\n\n", vec!["10%", "20%", "done", ""]),
            (&format!("{long}\n\u{e4}"), vec![&shown, "\u{e4}"]),
            ("", vec![]),
        ] {
            for size in [1, 2, 5000] {
                let mut lines = Lines::default();
                let pieces = printed.as_bytes().chunks(size);
                let mut found: Vec<_> = pieces.flat_map(|piece| lines.take(piece)).collect();
                found.extend(lines.end());
                assert_eq!(found, expected, "{size}");
                assert!(lines.line.capacity() <= 2 * LONGEST);
            }
        }
    }
}

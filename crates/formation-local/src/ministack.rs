//! MiniStack, the local AWS: <https://pypi.org/project/ministack/>.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::error::LocalError;
use crate::project::Project;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a Lambda's surplus processes stay warm. Each costs local AWS three threads that wake ten
/// times a second under one interpreter lock: with the default of 300 s, a thousand threads after a
/// burst.
const WARM_SECONDS: u32 = 10;

/// How to start local AWS.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Where the Lambdas on it find AWS: itself, or a proxy before it.
    pub lambda_endpoint_url: String,
    /// Its folder: log, process id, code of Lambdas.
    pub folder: PathBuf,
    /// By what the waits and retry pauses of state machines are multiplied.
    pub wait_scale: f64,
}

/// A local AWS that runs.
#[derive(Debug)]
pub struct MiniStack {
    port: u16,
    folder: PathBuf,
}

impl MiniStack {
    /// Starts local AWS, with IAM enforcement on, and waits until it answers. It outlives this
    /// process: see [`MiniStack::stop`] and [`stop_in`].
    ///
    /// # Errors
    /// What is missing, or that it does not answer.
    pub async fn start(project: &Project, options: &Options) -> Result<Self, LocalError> {
        let program = project.tool("ministack")?;
        let folder = &options.folder;
        let temporary = folder.join("tmp");
        // It leaves the code of its Lambdas behind.
        if temporary.exists() {
            std::fs::remove_dir_all(&temporary).map_err(LocalError::file(&temporary))?;
        }
        std::fs::create_dir_all(&temporary).map_err(LocalError::file(&temporary))?;
        let log_path = folder.join("ministack.log");
        let log = File::create(&log_path).map_err(LocalError::file(&log_path))?;
        let errors = log.try_clone().map_err(LocalError::file(&log_path))?;
        let mut child = Command::new(&program)
            .env("AUTH", "true")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", options.port.to_string())
            .env("EDGE_PORT", options.port.to_string())
            .env("AWS_ENDPOINT_URL", &options.lambda_endpoint_url)
            .env("AWS_DEFAULT_REGION", crate::REGION)
            .env("MINISTACK_REGION", crate::REGION)
            .env("SFN_WAIT_SCALE", options.wait_scale.to_string())
            .env("LAMBDA_WARM_TTL_SECONDS", WARM_SECONDS.to_string())
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Of its own group, so that Ctrl-C at the terminal does not end it.
            .process_group(0)
            .spawn()
            .map_err(LocalError::file(&program))?;
        let started = Started { pid: child.id(), program };
        started.write(folder)?;

        let started = Self { port: options.port, folder: folder.clone() };
        let began = Instant::now();
        while began.elapsed() < START_LIMIT {
            // Where another has taken the port meanwhile, ours has ended and the other would answer.
            if child.try_wait().map_err(LocalError::file(&log_path))?.is_some() {
                break;
            }
            if matches!(timeout(LOOK_LIMIT, started.is_well()).await, Ok(Ok(true))) {
                return Ok(started);
            }
            sleep(LOOK_EVERY).await;
        }
        started.stop().await?;
        Err(LocalError::NotUp { seconds: START_LIMIT.as_secs(), log: log_path })
    }

    /// Whether it answers that it is well.
    async fn is_well(&self) -> std::io::Result<bool> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        // HTTP/1.0, so that the end of the answer is the end of the connection.
        connection.write_all(b"GET /_ministack/health HTTP/1.0\r\n\r\n").await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        let status = answer.split(|byte| *byte == b' ').nth(1);
        Ok(status == Some(b"200"))
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it and its Lambdas.
    ///
    /// # Errors
    /// That its process id cannot be read, or that it does not end.
    pub async fn stop(&self) -> Result<(), LocalError> {
        stop_in(&self.folder).await.map(|_| ())
    }
}

/// Ends the local AWS that was started in `folder`, if it still runs, and answers whether it did.
///
/// # Errors
/// That its process id cannot be read, or that it does not end.
pub async fn stop_in(folder: &Path) -> Result<bool, LocalError> {
    let pid_path = pid_path(folder);
    let Some(started) = Started::read(folder) else { return Ok(false) };
    let Some(pid) = started.running() else {
        std::fs::remove_file(&pid_path).map_err(LocalError::file(&pid_path))?;
        return Ok(false);
    };
    for signal in [Signal::TERM, Signal::KILL] {
        // That it is gone already is as good.
        let _ = kill_process(pid, signal);
        let began = Instant::now();
        while began.elapsed() < STOP_LIMIT {
            if started.running().is_none() {
                std::fs::remove_file(&pid_path).map_err(LocalError::file(&pid_path))?;
                return Ok(true);
            }
            sleep(LOOK_EVERY).await;
        }
    }
    Err(LocalError::Answer(format!("local AWS, process {}, does not end", pid.as_raw_nonzero())))
}

/// A port of 127.0.0.1 that is free now: `preferred` if it is.
///
/// # Errors
/// [`LocalError::File`] if the machine has none.
pub fn free_port(preferred: Option<u16>) -> Result<u16, LocalError> {
    let free = |port| TcpListener::bind(("127.0.0.1", port)).and_then(|at| at.local_addr());
    let address = match preferred.map(free) {
        Some(Ok(address)) => address,
        _ => free(0).map_err(LocalError::file("127.0.0.1"))?,
    };
    Ok(address.port())
}

fn pid_path(folder: &Path) -> PathBuf {
    folder.join("ministack.pid")
}

/// What is kept in the file with the process id: two lines.
struct Started {
    pid: u32,
    program: PathBuf,
}

impl Started {
    fn write(&self, folder: &Path) -> Result<(), LocalError> {
        let path = pid_path(folder);
        let text = format!("{}\n{}\n", self.pid, self.program.display());
        std::fs::write(&path, text).map_err(LocalError::file(&path))
    }

    fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(pid_path(folder)).ok()?;
        let mut lines = text.lines();
        let (pid, program) = (lines.next()?, lines.next()?);
        Some(Self { pid: pid.parse().ok()?, program: program.into() })
    }

    /// Its process, if it runs: the id may have gone to another one since.
    fn running(&self) -> Option<Pid> {
        let pid = Pid::from_raw(self.pid.try_into().ok()?)?;
        let command = command_line_in_proc(pid).or_else(|| command_line_by_ps(pid))?;
        command.contains(&*self.program.to_string_lossy()).then_some(pid)
    }
}

/// How a process was started; nothing where it has ended, although nobody waited for it yet, or
/// where the system has no `/proc`.
fn command_line_in_proc(pid: Pid) -> Option<String> {
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    Some(String::from_utf8_lossy(&line).replace('\0', " "))
}

/// The same from POSIX's `ps`, which small containers lack.
fn command_line_by_ps(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero().to_string();
    let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A process that does not outlive its test.
    struct Sleeper(std::process::Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A program that runs until it is ended, and a process of it.
    fn sleeper(folder: &TempDir) -> (PathBuf, Sleeper) {
        let program = folder.path().join("sleeper");
        std::fs::write(&program, "while :; do sleep 1; done\n").unwrap();
        let process = Sleeper(Command::new("sh").arg(&program).spawn().unwrap());
        // `spawn` may return a moment before the process shows its command line.
        let started = Started { pid: process.0.id(), program: program.clone() };
        let began = Instant::now();
        while started.running().is_none() {
            assert!(began.elapsed() < STOP_LIMIT, "the program was not started");
        }
        (program, process)
    }

    #[tokio::test]
    async fn only_a_process_of_the_program_that_was_started_is_ended() {
        let folder = TempDir::new().unwrap();
        let (program, mut process) = sleeper(&folder);
        let other = folder.path().join("ministack");
        Started { pid: process.0.id(), program: other }.write(folder.path()).unwrap();
        assert!(!stop_in(folder.path()).await.unwrap(), "another program's process was ended");
        assert!(process.0.try_wait().unwrap().is_none(), "another program's process has ended");
        assert!(!stop_in(folder.path()).await.unwrap());

        Started { pid: process.0.id(), program }.write(folder.path()).unwrap();
        assert!(stop_in(folder.path()).await.unwrap());
        assert!(process.0.wait().unwrap().code().is_none(), "it was not ended by a signal");
        assert!(!stop_in(folder.path()).await.unwrap());
    }

    #[test]
    fn a_command_line_is_known_without_proc_too() {
        let folder = TempDir::new().unwrap();
        let (program, mut process) = sleeper(&folder);
        let pid = Pid::from_child(&process.0);
        let told = command_line_by_ps(pid).unwrap();
        assert!(told.contains(&*program.to_string_lossy()), "{told}");
        process.0.kill().unwrap();
        // It has ended, and nobody waited for it yet.
        let began = Instant::now();
        while command_line_by_ps(pid).unwrap().contains(&*program.to_string_lossy()) {
            assert!(began.elapsed() < STOP_LIMIT, "a process that has ended is taken for running");
        }
        process.0.wait().unwrap();
        assert_eq!(command_line_by_ps(pid).unwrap(), "");
    }
}

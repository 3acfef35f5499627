//! From what a manifest says of code to what the API takes: build commands are run, folders zipped,
//! archives read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
#[cfg(unix)]
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::failure::{Failure, chain_of};
use crate::folder::{self, Archive, MOST_BYTES};
use crate::interrupt::off_thread;
use crate::manifest::{Code, Local, Manifest, Misplaced, Wanted};
use crate::output::Output;

/// How long a command may take to end once it has been asked to.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(2);

/// The code of a function, ready to be sent.
#[derive(Clone, Debug)]
pub enum Source {
    /// As the manifest has it.
    AsItIs(Value),
    /// An archive.
    Archive(Archive),
}

impl Source {
    /// The code as a plan takes it: of an archive the digest alone.
    pub fn named(&self) -> Value {
        match self {
            Self::AsItIs(code) => code.clone(),
            Self::Archive(archive) => json!({"sha256": archive.sha256}),
        }
    }
}

/// Builds and reads the code of each function, in their order. A command that several functions name
/// for the same folder runs once.
///
/// # Errors
/// What cannot be built or read, at its place in the manifest.
pub async fn sources(
    manifest: &Manifest,
    folder: &Path,
    wanted: &[Wanted],
    build: bool,
    output: &Output,
) -> Result<Vec<Source>, Failure> {
    if build {
        let mut built = Vec::new();
        for function in wanted {
            let Some((local, within)) = local(&function.code, folder) else { continue };
            let Some(command) = &local.build else { continue };
            if built.contains(&(within.clone(), command.clone())) {
                continue;
            }
            output.progress(&format!("{}: {command}", function.name));
            run(command, &within, function.name.as_str(), output).await.map_err(|message| {
                let at = function.place_of("/code/build");
                Failure::from(manifest.problems(vec![Misplaced::new(at, message)]))
            })?;
            built.push((within, command.clone()));
        }
    }
    let mut found = Vec::new();
    let mut sources = Vec::new();
    // A folder that several functions name is zipped once.
    let mut read: BTreeMap<(bool, PathBuf), Archive> = BTreeMap::new();
    for function in wanted {
        let (is_folder, path) = match &function.code {
            Code::AsItIs(code) => {
                sources.push(Source::AsItIs(code.clone()));
                continue;
            }
            Code::Folder(local) => (true, folder.join(&local.path)),
            Code::Zip(local) => (false, folder.join(&local.path)),
        };
        let key = (is_folder, path);
        let archive = match read.get(&key) {
            Some(archive) => Ok(archive.clone()),
            None => {
                let verb = if is_folder { "zipping" } else { "reading" };
                let _busy = output.busy(&format!("{}: {verb} {}", function.name, key.1.display()));
                let path = key.1.clone();
                off_thread(move || {
                    Ok(match is_folder {
                        true => folder::zip(&path).map_err(|error| chain_of(&error)),
                        false => archive(&path),
                    })
                })
                .await?
            }
        };
        match archive {
            Ok(archive) => {
                read.insert(key, archive.clone());
                sources.push(Source::Archive(archive));
            }
            Err(message) => {
                let pointer = if is_folder { "/code/folder" } else { "/code/zip" };
                found.push(Misplaced::new(function.place_of(pointer), message));
            }
        }
    }
    if found.is_empty() { Ok(sources) } else { Err(manifest.problems(found).into()) }
}

/// What is beside the manifest, and the folder in which its command runs: its own, or that of the
/// manifest for an archive, which the command is to make.
fn local<'a>(code: &'a Code, folder: &Path) -> Option<(&'a Local, PathBuf)> {
    match code {
        Code::AsItIs(_) => None,
        Code::Folder(local) => Some((local, folder.join(&local.path))),
        Code::Zip(local) => Some((local, folder.to_owned())),
    }
}

fn archive(path: &Path) -> Result<Archive, String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|_| format!("there is no archive {shown}"))?;
    if !metadata.is_file() {
        return Err(format!("{shown} is no archive; a folder is named by `folder`"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(format!("{shown} has {} bytes, and Lambda takes {MOST_BYTES}", metadata.len()));
    }
    let bytes = fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    Ok(Archive::new(bytes))
}

/// Runs a build command. What it prints is progress, and nothing of AWS's credentials reaches it: it
/// is code of the project, not of whoever deploys it. When this is dropped, everything ends that the
/// command has started.
async fn run(command: &str, folder: &Path, name: &str, output: &Output) -> Result<(), String> {
    let mut process = Command::new("sh");
    process.arg("-c").arg(command).current_dir(folder);
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for (variable, _) in std::env::vars_os() {
        if is_of_aws(&variable.to_string_lossy()) {
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
    let mut process = Group(process);
    let (out, err) = (process.0.stdout.take(), process.0.stderr.take());
    let (ended, (), ()) =
        tokio::join!(process.0.wait(), relay(out, name, output), relay(err, name, output));
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the command failed ({status}); its output is above")),
        Err(error) => Err(format!("the command cannot be waited for: {error}")),
    }
}

/// A command with all that it has started. If it has not ended when this is dropped, all of them end.
struct Group(Child);

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        let Some(group) = id.and_then(Pid::from_raw) else { return };
        // The first asks, so that they can take away what they have begun.
        for signal in [Signal::TERM, Signal::KILL] {
            let until = Instant::now() + PATIENCE;
            let sent = kill_process_group(group, signal).is_ok();
            while sent && test_kill_process_group(group).is_ok() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
                // One that has ended is of the group until somebody has looked.
                let _ = self.0.try_wait();
            }
        }
    }
}

/// Whether a variable may hold credentials, or say where some are.
fn is_of_aws(variable: &str) -> bool {
    variable.to_ascii_uppercase().starts_with("AWS_")
}

/// Hands on what a command prints, line by line.
async fn relay(from: Option<impl AsyncRead + Unpin>, name: &str, output: &Output) {
    let Some(from) = from else { return };
    let mut lines = BufReader::new(from).split(b'\n');
    // What cannot be read ends the telling and not the command.
    while let Ok(Some(line)) = lines.next_segment().await {
        output.progress(&format!("{name} | {}", String::from_utf8_lossy(&line).trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::output::Format;

    async fn sources_of(text: &str, folder: &Path, build: bool) -> Result<Vec<Source>, Failure> {
        let manifest = Manifest::read("formation.yaml", text, None).unwrap();
        let wanted = manifest.functions(&[], &|_| None).unwrap();
        sources(&manifest, folder, &wanted, build, &Output::new(Format::Table)).await
    }

    #[tokio::test]
    async fn commands_run_once_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        let text = "functions:\n  a: {code: {folder: app, build: 'echo x >> runs'}}\n  \
                    b: {code: {folder: app, build: 'echo x >> runs'}}\n  \
                    c: {code: {zip: c.zip, build: 'printf PK > c.zip'}}\n  d: {code: inline}\n";
        let sources = sources_of(text, folder.path(), true).await.unwrap();
        let runs = fs::read_to_string(folder.path().join("app/runs")).unwrap();
        assert_eq!(runs, "x\n");
        let digests: BTreeSet<_> = sources.iter().map(|it| it.named().to_string()).collect();
        assert_eq!((sources.len(), digests.len()), (4, 3));
        let Source::Archive(c) = &sources[2] else { panic!("{sources:?}") };
        assert_eq!(&c.bytes[..], b"PK");
        assert_eq!(sources[3].named(), json!("inline"));
    }

    #[test]
    fn no_command_sees_credentials() {
        for variable in ["AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "aws_session_token"] {
            assert!(is_of_aws(variable), "{variable}");
        }
        for variable in ["PATH", "HOME", "AWSOME", "GITHUB_TOKEN"] {
            assert!(!is_of_aws(variable), "{variable}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_built_or_read_is_told_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        for (code, build, expected) in [
            ("{folder: missing}", true, "2:22: there is no folder"),
            ("{folder: empty}", true, "2:22: "),
            ("{zip: missing.zip}", true, "2:19: there is no archive"),
            ("{zip: empty}", true, "is no archive; a folder is named by `folder`"),
            ("{folder: empty, build: exit 3}", true, "2:36: the command failed (exit status: 3)"),
            ("{folder: empty, build: exit 3}", false, "has no file to deploy"),
            ("{folder: missing, build: exit 0}", true, "there is no folder"),
        ] {
            let text = format!("functions:\n  a: {{code: {code}}}");
            let failure = sources_of(&text, folder.path(), build).await.unwrap_err();
            let Failure::Manifest(problems) = failure else { panic!("{code}: {failure:?}") };
            let found = problems.found[0].to_string();
            assert!(found.contains(expected), "{code}: {found}");
        }
    }
}

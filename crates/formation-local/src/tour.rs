//! What `make run` shows: the life of `examples/hello`, by the commands that a person types.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::LocalError;
use crate::project::Project;

/// The folder of the manifest, within the project.
pub const FOLDER: &str = "examples/hello";

/// The commands, in the order in which they are typed in [`FOLDER`].
pub const COMMANDS: [&str; 8] = [
    "formation apply --local --yes",
    r#"formation invoke hello --local -d '{"name": "Ann"}'"#,
    "formation logs hello --local",
    "GREETING='Good evening' formation plan --local",
    "GREETING='Good evening' formation apply --local --yes",
    "formation invoke hello --local",
    "formation list --local",
    "formation delete hello --local --yes",
];

/// The `formation` command that was built beside this program.
///
/// # Errors
/// [`LocalError::Missing`].
pub fn command() -> Result<PathBuf, LocalError> {
    let here = std::env::current_exe().map_err(LocalError::file("formation-local"))?;
    let path = here.with_file_name("formation");
    if path.is_file() {
        return Ok(path);
    }
    Err(LocalError::Missing {
        what: path.display().to_string(),
        remedy: "run `make build`, which builds it",
    })
}

/// Types each of [`COMMANDS`]: prints it, and lets it print what it has to say. `command` is the
/// `formation` that they run.
///
/// # Errors
/// That one of them does not end well.
pub fn show(project: &Project, command: &Path) -> Result<(), LocalError> {
    let folder = project.path(FOLDER);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = command.parent().map(Path::to_owned);
    let path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&path)))
        .map_err(|error| LocalError::Answer(format!("{}: {error}", command.display())))?;
    println!("$ cd {FOLDER}");
    for line in COMMANDS {
        println!("$ {line}");
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(&folder).env("PATH", &path);
        let status = shell.status().map_err(LocalError::file("sh"))?;
        if !status.success() {
            let output = format!("{status}; what it has said is above");
            return Err(LocalError::Command { command: line.to_owned(), output });
        }
        println!();
    }
    Ok(())
}

//! What can go wrong on the way to a running local AWS.

use std::path::PathBuf;

use formation_client::BuildError;

/// Why local AWS cannot be used. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// This is not run from within the project.
    #[error("no statemachine.asl.json here or above: run this from within the project")]
    NoProject,
    /// Something that has to be made or installed first is not there.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{command} failed:\n{output}")]
    Command {
        /// The program and its first arguments.
        command: String,
        /// The end of what it printed.
        output: String,
    },
    /// Local AWS did not come up.
    #[error("local AWS has ended, or has not answered within {seconds} s; its log is {log}")]
    NotUp {
        /// How long was waited.
        seconds: u64,
        /// Where it logs.
        log: PathBuf,
    },
    /// A request was not answered as expected.
    #[error("{0}")]
    Answer(String),
    /// The API's URL cannot be used.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Something is not the JSON that it should be.
    #[error("unexpected JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl LocalError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

//! Where things are in the project's folder.

use std::path::{Path, PathBuf};

use crate::error::LocalError;

/// The project's folder.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The project that the current folder belongs to.
    ///
    /// # Errors
    /// [`LocalError::NoProject`].
    pub fn find() -> Result<Self, LocalError> {
        let here = std::env::current_dir().map_err(LocalError::file("."))?;
        let root = here.ancestors().find(|folder| folder.join("statemachine.asl.json").is_file());
        root.map(|root| Self { root: root.to_owned() }).ok_or(LocalError::NoProject)
    }

    /// A file or folder of the project.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// What `make run` leaves: the state of local AWS and `stack.json`.
    pub fn local(&self) -> PathBuf {
        self.path(".local")
    }

    /// A program of the virtual environment that the Makefile makes.
    ///
    /// # Errors
    /// [`LocalError::Missing`].
    pub fn tool(&self, name: &str) -> Result<PathBuf, LocalError> {
        let path = self.path(".venv/bin").join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(LocalError::Missing {
            what: path.display().to_string(),
            remedy: "run `make tools`, which installs it from infra/requirements.txt",
        })
    }
}

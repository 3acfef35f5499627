//! What commands say: results on standard output, in the form that was asked for; everything else on
//! standard error.

pub mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// In which form results are shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// The API's own documents.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names alone, one a line.
    Name,
}

/// Where results and progress go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The form of results.
    pub format: Format,
    /// Whether a person can be asked.
    pub interactive: bool,
}

impl Output {
    /// The process's own.
    pub fn new(format: Format) -> Self {
        // Where CI is set, a terminal is one that nobody looks at.
        let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        let terminals = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { format, interactive: terminals && !in_ci }
    }

    /// Shows a result: `table` for people, `name` for a list of names.
    ///
    /// # Errors
    /// It cannot be written: whoever reads it has gone, or the disk is full.
    pub fn show<T: Serialize>(
        &self,
        result: &T,
        table: impl FnOnce(&T) -> String,
        names: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => table(result),
            Format::Name => names(result).join("\n"),
            Format::Json => serde_json::to_string_pretty(result)
                .map_err(|error| Failure::other("the result cannot be shown", &error))?,
            Format::Yaml => serde_saphyr::to_string(result)
                .map_err(|error| Failure::other("the result cannot be shown", &error))?,
        };
        self.line(text.trim_end_matches('\n'))
    }

    /// Writes a line of the result; nothing for an empty one.
    ///
    /// # Errors
    /// As for [`Output::show`].
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        let written = writeln!(out, "{text}").and_then(|()| out.flush());
        match written {
            // As when it is piped into `head`: whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::other("the result cannot be written", &error)),
            Ok(()) => Ok(()),
        }
    }

    /// Tells what happens.
    pub fn progress(&self, text: &str) {
        // That nobody reads it changes nothing of what happens.
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }
}

//! What commands say: results on standard output, in the form that was asked for; everything else on
//! standard error.

mod live;
mod plain;
pub mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub use self::live::Busy;
pub use self::plain::{ASIDE, BAD, GOOD, NAMES, UNSETTLED, bare, one_line, styled};
use crate::failure::Failure;
use crate::outcome::Outcome;

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

/// Whether colours are shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Colour {
    /// At a terminal, unless the environment says otherwise: `NO_COLOR`, `CLICOLOR_FORCE`.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Where results and progress go. What is written passes here, so that text from elsewhere does
/// nothing to a terminal, or to what runs a job.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The form of results.
    pub format: Format,
    /// Whether a person can be asked.
    pub interactive: bool,
    /// Whether a person watches: progress moves then, and is one line a step otherwise.
    live: bool,
    /// Whether it is a job's log that is written.
    in_ci: bool,
}

impl Output {
    /// The process's own.
    pub fn new(format: Format) -> Self {
        // Where CI is set, a terminal is one that nobody looks at.
        let in_ci = is_in_ci();
        let watched = io::stderr().is_terminal() && !in_ci;
        let moves = std::env::var_os("TERM").map_or(cfg!(windows), |term| term != "dumb");
        let interactive = io::stdin().is_terminal() && watched;
        Self { format, interactive, live: watched && moves, in_ci }
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
            Format::Json => return self.verbatim(&json(result)?),
            Format::Yaml => return self.verbatim(&self.yaml(result)?),
        };
        self.line(text.trim_end_matches('\n'))
    }

    /// Writes a line of the result, safe for a terminal; nothing for an empty one.
    ///
    /// # Errors
    /// As for [`Output::show`].
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() { Ok(()) } else { self.verbatim(&self.safe(text)) }
    }

    /// Writes what is not to be changed by a character: what programs read, and what nobody else has
    /// written.
    ///
    /// # Errors
    /// As for [`Output::show`].
    pub fn verbatim(&self, text: &str) -> Result<(), Failure> {
        // As when it is piped into `head`: whoever reads has seen enough.
        self.write(text.as_bytes()).map(|_| ())
    }

    /// Shows an event of a stream, at once, and answers whether anybody reads on: for people as `table`, if
    /// they have to read it; JSON is a line, YAML a document.
    ///
    /// # Errors
    /// As for [`Output::show`].
    pub fn event<T: Serialize>(
        &self,
        event: &T,
        table: impl FnOnce() -> Option<String>,
    ) -> Result<bool, Failure> {
        let text = match self.format {
            Format::Table | Format::Name => match table() {
                Some(text) => self.safe(&text),
                None => return Ok(true),
            },
            Format::Json => {
                let json = serde_json::to_string(event)
                    .map_err(|error| Failure::other("the event cannot be shown", &error))?;
                plain::json(&json)
            }
            Format::Yaml => format!("---\n{}", self.yaml(event)?),
        };
        self.write(text.as_bytes())
    }

    /// Writes a document that is somebody else's as it came, with an end of line after it; where a person, or a
    /// job's log, may have it, what acts on those is an escape in JSON, and taken out of anything else.
    ///
    /// # Errors
    /// As for [`Output::show`].
    pub fn raw(&self, document: &[u8]) -> Result<(), Failure> {
        if !self.in_ci && !io::stdout().is_terminal() {
            let mut out = io::stdout().lock();
            let written = out.write_all(document).and_then(|()| out.write_all(b"\n"));
            return read_on(written.and_then(|()| out.flush())).map(|_| ());
        }
        let text = String::from_utf8_lossy(document);
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        self.verbatim(&if is_json { plain::json(&text) } else { self.safe(&text) })
    }

    /// Writes a text, and answers whether anybody reads on.
    fn write(&self, text: &[u8]) -> Result<bool, Failure> {
        read_on(self.apart(|| {
            let mut out = anstream::stdout().lock();
            out.write_all(text).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush())
        }))
    }

    /// Tells what happens.
    pub fn progress(&self, text: &str) {
        let text = self.safe(text);
        // That nobody reads it changes nothing of what happens.
        self.apart(|| drop(writeln!(anstream::stderr().lock(), "{text}")));
    }

    /// Tells a step of what happens where it cannot be shown as it moves.
    pub fn step(&self, text: &str) {
        if !self.live {
            self.progress(text);
        }
    }

    /// Shows that something is under way, as long as what is answered lives; only to who watches.
    pub fn busy(&self, what: &str) -> Busy {
        if self.live { Busy::at_terminal(what) } else { Busy::nowhere() }
    }

    fn yaml<T: Serialize>(&self, result: &T) -> Result<String, Failure> {
        let text = yaml(result)?;
        let text = text.trim_end_matches('\n');
        // JSON is YAML, and what would have to be changed is an escape there.
        if self.safe(text) == text { Ok(text.to_owned()) } else { json(result) }
    }

    fn safe(&self, text: &str) -> String {
        let text = plain::safe(text);
        if self.in_ci { plain::without_commands(&text) } else { text }
    }

    fn apart<T>(&self, writes: impl FnOnce() -> T) -> T {
        if self.live { live::apart(writes) } else { writes() }
    }
}

/// Decides about colours, for all that this process writes: by the command line, or else as
/// [anstream](anstream::AutoStream::choice) does.
pub fn colour(asked: Colour) {
    let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    match asked {
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
        Colour::Auto if is_in_ci() && !forced => anstream::ColorChoice::Never,
        Colour::Auto => return,
    }
    .write_global();
}

/// Ends the process at once, and leaves its terminal as it was.
pub fn exit(outcome: Outcome) -> ! {
    if Output::new(Format::Table).live {
        live::clear();
    }
    std::process::exit(outcome.code().into())
}

/// After ^C: whatever the terminal has echoed of it, what is told next begins a line.
pub fn interrupted() {
    if Output::new(Format::Table).live {
        live::echoed();
    }
}

/// Whether what was written is read.
fn read_on(written: io::Result<()>) -> Result<bool, Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::other("the result cannot be written", &error)),
        Ok(()) => Ok(true),
    }
}

fn is_in_ci() -> bool {
    ["CI", "GITHUB_ACTIONS"].iter().any(|it| std::env::var_os(it).is_some_and(|it| !it.is_empty()))
}

fn json<T: Serialize>(result: &T) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(result)
        .map_err(|error| Failure::other("the result cannot be shown", &error))?;
    Ok(plain::json(&json))
}

/// A document in YAML, whose texts are on one line each: so none of their lines can be taken for
/// something else.
fn yaml<T: Serialize>(result: &T) -> Result<String, Failure> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(result, options)
        .map_err(|error| Failure::other("the result cannot be shown", &error))
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use formation_model::{FunctionName, FunctionStatus, OperationId};

pub use crate::connect::Connection;
use crate::output::{Colour, Format};
use crate::since::Since;

const EXAMPLES: &str = "\
Exit codes:
  0 as asked    1 failed    2 differences (--exit-code)    3 still running
  4 refused     5 failed and something is left    64 usage    77 credentials or IAM
Of several functions the worst counts: 5, 1, 77, 3, 4, 0.";

/// Provisions functions on AWS Lambda: code, execution role, log group and function as one.
#[derive(Debug, Parser)]
#[command(name = "formation", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// The form of the result: table, json, yaml or name
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    pub output: Format,
    /// Colours: always, never, or auto, by terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    pub color: Colour,
    /// Which stack.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What a command line asks for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a folder with a function that works, or a manifest from a function that exists in AWS
    #[command(
        after_help = "Examples:\n  formation init hello\n  formation init --runtime python\n  formation init --from old --as new --download"
    )]
    Init(Init),
    /// Makes functions as the manifest says
    #[command(
        after_help = "Examples:\n  formation apply\n  formation apply hello --overlay prod --yes\n  formation apply --prune"
    )]
    Apply(Apply),
    /// Tells what `apply` would do, and does nothing
    #[command(
        after_help = "Examples:\n  formation plan\n  formation plan --overlay prod --exit-code -o json"
    )]
    Plan(Plan),
    /// Lists functions
    #[command(
        after_help = "Examples:\n  formation list\n  formation list --tag team:blue --status failed -o name"
    )]
    List(List),
    /// Shows a function
    #[command(
        after_help = "Examples:\n  formation get hello\n  formation get hello -o json | jq .resources"
    )]
    Get(Get),
    /// Lists the operations on a function, newest first
    #[command(after_help = "Examples:\n  formation operations hello --limit 5")]
    Operations(Operations),
    /// Lists what a function has been, newest first, or shows one of its revisions
    #[command(
        after_help = "Examples:\n  formation revisions hello\n  formation revisions hello 3 -o yaml"
    )]
    Revisions(Revisions),
    /// Follows an operation until it has ended
    #[command(
        after_help = "Examples:\n  formation wait hello\n  formation wait hello 01JDJ3M6Q5X8Z7W2V4T9R0N1KB --timeout 60"
    )]
    Wait(Wait),
    /// Stops an operation and rolls it back
    #[command(after_help = "Examples:\n  formation cancel hello")]
    Cancel(Cancel),
    /// Brings AWS back to what is recorded
    #[command(after_help = "Examples:\n  formation repair hello --yes")]
    Repair(Change),
    /// Takes a function back to an earlier revision, its callers first
    #[command(
        after_help = "Examples:\n  formation rollback hello\n  formation rollback hello --to 7 --yes"
    )]
    Rollback(Rollback),
    /// Compares functions with AWS, now
    #[command(
        after_help = "Examples:\n  formation drift hello\n  formation drift --all --exit-code"
    )]
    Drift(Drift),
    /// Deletes functions with all that belongs to them
    #[command(
        after_help = "Examples:\n  formation delete hello\n  formation delete hello worker --yes"
    )]
    Delete(Change),
    /// Shows what functions have logged
    #[command(
        after_help = "Reports of invocations are one line: 312 ms, 88 MB, cold (145 ms). -o json is one event a line, with its\n\
        message as it is; events have no names, so there is no -o name.\n\n\
        Examples:\n  formation logs hello\n  formation logs hello worker --follow\n  formation logs hello --since 2h \
        --grep ERROR\n  formation logs hello --since 2026-11-26T09:30:00Z -o json | jq .message"
    )]
    Logs(Logs),
    /// Invokes a function
    #[command(
        after_help = "The function's answer is the result, and the end of its log is told beside it; -o json is both:\n\
        {statusCode, executedVersion, functionError, payload, logTail}.\n\n\
        Examples:\n  formation invoke hello\n  formation invoke hello -d '{\"name\": \"Ann\"}'\n  formation invoke hello \
        -d @event.json --async\n  jq .detail event.json | formation invoke hello -d -"
    )]
    Invoke(Invoke),
    /// Serves a web page on this machine that shows functions and what happens to them
    #[command(
        after_help = "It is served on 127.0.0.1 to one browser, signs with your own credentials, and ends with ^C. On AWS it only\n\
                      shows; --write lets it change functions and invoke them.\n\nExamples:\n  formation ui --local\n  \
                      formation ui --profile prod\n  formation ui --stack shop --write\n  formation ui --no-open --port 8420"
    )]
    Ui(Ui),
    /// Tells what is in the way of AWS and the stack, and what to do about it; changes nothing
    #[command(
        after_help = "The first check that FAILED decides the exit code: 77 credentials, clock or IAM, 64 no Region, 4 no stack,\n\
                      1 no network.\n\nExamples:\n  formation doctor\n  formation doctor --profile prod -o json"
    )]
    Doctor,
    /// Writes the JSON Schema of manifests, for editors
    #[command(after_help = "Examples:\n  formation schema > formation.schema.json")]
    Schema,
    /// Writes a script that completes command lines
    #[command(
        after_help = "Examples:\n  formation completions bash > ~/.local/share/bash-completion/completions/formation"
    )]
    Completions(Completions),
}

/// `formation init`
#[derive(Args, Debug)]
pub struct Init {
    /// The folder, made if it is not there; its name is the function's [default: this folder]
    #[arg(conflicts_with = "from")]
    pub folder: Option<PathBuf>,
    /// What the function is written in: nodejs, python or rust
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "LANGUAGE",
        conflicts_with = "from",
        hide_possible_values = true
    )]
    pub runtime: Language,
    /// A Lambda function that Formation did not make
    #[arg(long, value_name = "FUNCTION", requires = "new_name")]
    pub from: Option<FunctionName>,
    /// What the new function is to be called
    #[arg(long = "as", value_name = "NEW", requires = "from")]
    pub new_name: Option<FunctionName>,
    /// Download the function's code into the folder NEW beside the manifest
    #[arg(long, requires = "from")]
    pub download: bool,
    /// The manifest to write
    #[arg(short, long, default_value = "formation.yaml", value_name = "FILE", requires = "from")]
    pub file: PathBuf,
}

/// What a new function is written in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Language {
    /// JavaScript, by Node.js.
    #[default]
    Nodejs,
    /// Python.
    Python,
    /// Rust, built by cargo-lambda.
    Rust,
}

/// What is read of a manifest.
#[derive(Args, Debug)]
pub struct FromManifest {
    /// Only these functions of the manifest
    pub names: Vec<String>,
    /// The manifest
    #[arg(short, long, default_value = "formation.yaml", value_name = "FILE")]
    pub file: PathBuf,
    /// Which of its overlays counts
    #[arg(long, value_name = "NAME")]
    pub overlay: Option<String>,
    /// Take folders and archives as they are, without their build commands
    #[arg(long)]
    pub no_build: bool,
    /// Delete what carries the manifest's name and is no longer in it
    #[arg(long, conflicts_with = "names")]
    pub prune: bool,
    /// Take functions over from another manifest
    #[arg(long)]
    pub take_over: bool,
}

/// `formation plan`
#[derive(Args, Debug)]
pub struct Plan {
    /// The manifest.
    #[command(flatten)]
    pub manifest: FromManifest,
    /// End with 2 where there is something to do
    #[arg(long)]
    pub exit_code: bool,
}

/// `formation apply`
#[derive(Args, Debug)]
pub struct Apply {
    /// The manifest.
    #[command(flatten)]
    pub manifest: FromManifest,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How many functions at once
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub parallel: usize,
    /// How long to follow them.
    #[command(flatten)]
    pub patience: Patience,
}

/// `formation list`
#[derive(Args, Debug)]
pub struct List {
    /// Those whose name begins so
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Those with this status
    #[arg(long, value_parser = status, value_name = "STATUS")]
    pub status: Option<FunctionStatus>,
    /// Those with this tag; several must all be there
    #[arg(long = "tag", value_parser = tag, value_name = "KEY:VALUE")]
    pub tags: Vec<(String, String)>,
}

/// `formation get`
#[derive(Args, Debug)]
pub struct Get {
    /// The function
    pub name: FunctionName,
    /// Show the values of its environment variables
    #[arg(long)]
    pub show_environment: bool,
}

/// `formation operations`
#[derive(Args, Debug)]
pub struct Operations {
    /// The function
    pub name: FunctionName,
    /// The newest N
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// `formation revisions`
#[derive(Args, Debug)]
pub struct Revisions {
    /// The function
    pub name: FunctionName,
    /// The number of one of its revisions
    pub revision: Option<u64>,
    /// Show the values of its environment variables
    #[arg(long, requires = "revision")]
    pub show_environment: bool,
}

/// `formation wait`
#[derive(Args, Debug)]
pub struct Wait {
    /// The function
    pub name: FunctionName,
    /// Its operation [default: the one that runs, or the last]
    pub operation: Option<OperationId>,
    /// How long, in seconds
    #[command(flatten)]
    pub patience: Patience,
}

/// How long to follow what runs.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// Stop following after so many seconds; the operation goes on
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    pub timeout: u64,
}

impl Patience {
    /// That time.
    pub fn time(self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// `formation cancel`
#[derive(Args, Debug)]
pub struct Cancel {
    /// The function
    pub name: FunctionName,
    /// Its operation [default: the one that runs]
    pub operation: Option<OperationId>,
    /// How long to follow it.
    #[command(flatten)]
    pub patience: Patience,
}

/// `formation repair` and `formation delete`
#[derive(Args, Debug)]
pub struct Change {
    /// The functions
    #[arg(required = true)]
    pub names: Vec<FunctionName>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How long to follow it.
    #[command(flatten)]
    pub patience: Patience,
}

/// `formation rollback`
#[derive(Args, Debug)]
pub struct Rollback {
    /// The function
    pub name: FunctionName,
    /// The revision to go back to: the one before the current otherwise; `formation revisions` lists them
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    pub to: Option<u64>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How long to follow it.
    #[command(flatten)]
    pub patience: Patience,
}

/// `formation drift`
#[derive(Args, Debug)]
pub struct Drift {
    /// The functions
    #[arg(required_unless_present = "all")]
    pub names: Vec<FunctionName>,
    /// All functions of the stack
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// End with 2 where there are differences
    #[arg(long)]
    pub exit_code: bool,
}

/// `formation logs`
#[derive(Args, Debug)]
pub struct Logs {
    /// The functions
    #[arg(required = true)]
    pub names: Vec<FunctionName>,
    /// Go on showing what comes, until ^C
    #[arg(short, long)]
    pub follow: bool,
    /// How far back to look, or from which moment on: 30s, 10m, 2h, 1d or 2026-11-26T09:30:00Z
    #[arg(long, default_value = "10m", value_name = "TIME")]
    pub since: Since,
    /// Only what has this text
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
    /// Only what belongs to this invocation
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
}

/// `formation invoke`
#[derive(Args, Debug)]
pub struct Invoke {
    /// The function
    pub name: FunctionName,
    /// The payload: JSON, @FILE, or - for standard input [default: none]
    #[arg(short, long, alias = "payload", value_name = "JSON|@FILE|-")]
    pub data: Option<String>,
    /// Do not wait for the function, and have Lambda try again where it fails
    #[arg(long = "async")]
    pub asynchronous: bool,
}

/// `formation ui`
#[derive(Args, Debug)]
pub struct Ui {
    /// Let the page change functions and invoke them; on local AWS it may without
    #[arg(long)]
    pub write: bool,
    /// The port [default: one that is free]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Open no browser, and tell the link that lets one in, once
    #[arg(long)]
    pub no_open: bool,
}

/// `formation completions`
#[derive(Args, Debug)]
pub struct Completions {
    /// For which shell
    pub shell: Shell,
}

/// A shell that completes command lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once(':').ok_or("must be KEY:VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn status(text: &str) -> Result<FunctionStatus, String> {
    let known = FunctionStatus::ALL.into_iter();
    let known = known.clone().find(|it| it.as_str().eq_ignore_ascii_case(text)).ok_or(known);
    known.map_err(|all| {
        let all = all.map(FunctionStatus::as_str).collect::<Vec<_>>().join(", ");
        format!("must be one of {all}")
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            assert!(help.contains(&format!("formation {name}")), "{name}: {help}");
        }
    }
}

//! The commands, one file each.

mod apply;
mod became;
mod cancel;
mod change;
mod completions;
mod doctor;
mod drift;
mod get;
mod init;
mod invoke;
mod list;
mod logs;
mod operations;
mod plan;
mod revisions;
mod schema;
mod ui;
mod wait;

use std::ffi::OsString;
use std::io::{self, BufRead, Write};

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use formation_client::ClientError;
use formation_model::{FunctionName, OperationId, ProblemCode};

use crate::args::{Cli, Command};
use crate::changing::Kind;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::follow::{self, Followed};
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::{self, Colour, Output};

/// Does what the process's command line asks for.
pub async fn run() -> Outcome {
    // What clap says of a command line has colours, too.
    output::colour(colour_asked(std::env::args_os()));
    let cli = match Cli::try_parse() {
        Ok(Cli { connection, output, color, command }) => {
            let connection = connection.or_environment(&|name| std::env::var(name).ok());
            Cli { connection, output, color, command }
        }
        Err(error) => {
            // Help and version are what was asked for.
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let _ = error.print();
            return if asked { Outcome::Done } else { Outcome::Usage };
        }
    };
    let output = Output::new(cli.output);
    let profile = cli.connection.profile.clone();
    match dispatch(cli, &output).await {
        Ok(outcome) => outcome,
        Err(failure) => {
            let told = failure.told(profile.as_deref());
            if !told.is_empty() {
                output.progress(&told);
            }
            failure.outcome()
        }
    }
}

/// What `--color` says, before the command line is known to be right.
fn colour_asked(arguments: impl Iterator<Item = OsString>) -> Colour {
    let arguments: Vec<_> = arguments.map(|it| it.to_string_lossy().into_owned()).collect();
    let asked = arguments.iter().enumerate().find_map(|(at, argument)| match argument.as_str() {
        "--color" => arguments.get(at + 1).map(String::as_str),
        argument => argument.strip_prefix("--color="),
    });
    asked.and_then(|asked| Colour::from_str(asked, false).ok()).unwrap_or_default()
}

async fn dispatch(cli: Cli, output: &Output) -> Result<Outcome, Failure> {
    let connected = async || cli.connection.connect(None).await;
    match &cli.command {
        Command::Init(asked) => init::run(&cli.connection, asked, output).await,
        Command::Apply(asked) => apply::run(&cli.connection, asked, output).await,
        Command::Plan(asked) => plan::run(&cli.connection, asked, output).await,
        Command::List(asked) => list::run(&connected().await?, asked, output).await,
        Command::Get(asked) => get::run(&connected().await?, asked, output).await,
        Command::Operations(asked) => operations::run(&connected().await?, asked, output).await,
        Command::Revisions(asked) => revisions::run(&connected().await?, asked, output).await,
        Command::Wait(asked) => wait::run(&connected().await?, asked, output).await,
        Command::Cancel(asked) => cancel::run(&connected().await?, asked, output).await,
        Command::Repair(asked) => {
            change::run(&connected().await?, Kind::Repair, asked, output).await
        }
        Command::Rollback(asked) => change::roll_back(&connected().await?, asked, output).await,
        Command::Delete(asked) => {
            change::run(&connected().await?, Kind::Delete, asked, output).await
        }
        Command::Drift(asked) => drift::run(&connected().await?, asked, output).await,
        Command::Ui(asked) => {
            ui::run(&connected().await?, cli.connection.local, asked, output).await
        }
        Command::Doctor => doctor::run(&cli.connection, output).await,
        Command::Schema => schema::run(output),
        Command::Logs(asked) => logs::run(&connected().await?, asked, output).await,
        Command::Invoke(asked) => invoke::run(&connected().await?, asked, output).await,
        Command::Completions(asked) => completions::run(asked.shell, output),
    }
}

/// Asks a person, and goes on only at a clear yes.
async fn confirm(
    question: &str,
    yes: bool,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !output.interactive {
        let text = format!("{question} Nobody can be asked here: say --yes");
        return Err(Failure::Usage(text));
    }
    let mut terminal = io::stderr().lock();
    let asked = write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush());
    drop(terminal);
    asked.map_err(|error| Failure::other("nobody can be asked", &error))?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        answer = answer => answer,
        () = interrupt.pressed() => return Ok(false),
    };
    let answer = answer.map_err(io::Error::other).and_then(|answer| answer);
    let answer = answer.map_err(|error| Failure::other("nobody can be asked", &error))?;
    if !answer.ends_with('\n') {
        // As after ^D.
        output::interrupted();
    }
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

/// Shows an operation that was followed, and tells how it ended, or why no more is seen of it.
fn ended(followed: &Followed, connected: &Connected, output: &Output) -> Result<Outcome, Failure> {
    let Followed { operation, lost } = followed;
    output.progress(&follow::outcome(operation));
    if let Some(lost) = lost {
        output.progress(&lost.told(connected.aws.profile.as_deref()));
    }
    // What is to be said to people has been.
    output.show(operation, |_| String::new(), |it| vec![it.operation_id.to_string()])?;
    Ok(followed.outcome())
}

/// How often something is tried because another operation was in the way.
const TRIES: usize = 5;

/// After so many tries.
fn others_in_the_way() -> Failure {
    Failure::Other("other operations are in the way, one after the other".to_owned())
}

/// The operation that is in the way of what was asked for.
fn busy_with(error: &ClientError) -> Option<OperationId> {
    let busy = error.code() == Some(ProblemCode::OperationInProgress);
    error.problem().filter(|_| busy)?.operation_id
}

/// The operation that was named, or else the function's current one.
async fn asked_for(
    connected: &Connected,
    name: &FunctionName,
    named: Option<OperationId>,
    interrupt: &Interrupt,
) -> Result<OperationId, Failure> {
    match named {
        Some(operation) => Ok(operation),
        None => interrupt.before(current(connected, name)).await,
    }
}

/// The operation that runs on a function, or else the last one.
async fn current(connected: &Connected, name: &FunctionName) -> Result<OperationId, Failure> {
    Ok(connected.client.describe(name).await?.function.operation_id)
}

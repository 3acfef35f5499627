//! `formation repair` and `formation delete`: what is done to functions that are there.

use std::time::Duration;

use formation_client::{Changed, Client};
use formation_model::{FunctionName, ProblemCode};

use super::{busy_with, confirm, ended};
use crate::args::Change;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::follow::follow;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::Output;

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Repair,
    Delete,
}

impl Kind {
    fn question(self, names: &[FunctionName]) -> String {
        let names = names.iter().map(FunctionName::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Repair => format!("Bring {names} back to what is recorded?"),
            Self::Delete => format!("Delete {names}, with code, role and logs?"),
        }
    }

    fn ask(self, client: &Client, name: &FunctionName) -> formation_client::Change {
        match self {
            Self::Repair => client.repair(name),
            Self::Delete => client.delete(name),
        }
    }
}

/// One after the other: each is told as it goes, and what a person has stopped goes no further.
pub(super) async fn run(
    connected: &Connected,
    kind: Kind,
    asked: &Change,
    output: &Output,
) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    if !confirm(&kind.question(&asked.names), asked.yes, &interrupt, output).await? {
        output.progress("nothing was done");
        return Ok(Outcome::Refused);
    }
    let patience = Duration::from_secs(asked.patience.timeout);
    Ok(each(connected, kind, &asked.names, patience, &interrupt, output).await)
}

/// Does it to each, and tells what becomes of it.
pub(super) async fn each(
    connected: &Connected,
    kind: Kind,
    names: &[FunctionName],
    patience: Duration,
    interrupt: &Interrupt,
    output: &Output,
) -> Outcome {
    let mut all = Outcome::Done;
    for (at, name) in names.iter().enumerate() {
        let one = change(connected, kind, name, patience, interrupt, output).await;
        let one = one.unwrap_or_else(|failure| {
            output.progress(&format!("{name}: {failure}"));
            failure.outcome()
        });
        all = all.and(one);
        if one == Outcome::Running {
            for name in &names[at + 1..] {
                output.progress(&format!("{name}: not begun"));
            }
            break;
        }
    }
    all
}

async fn change(
    connected: &Connected,
    kind: Kind,
    name: &FunctionName,
    patience: Duration,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Outcome, Failure> {
    let client = &connected.client;
    let operation = match kind.ask(client, name).await {
        Ok(Changed::Accepted(accepted)) => accepted.operation.operation_id,
        Ok(_) => {
            output.progress(&format!("{name}: nothing is to be done"));
            return Ok(Outcome::Done);
        }
        Err(error) => match busy_with(&error) {
            Some(operation) => {
                let text = "another operation runs on it; this one has to wait";
                output.progress(&format!("{name}: {text}"));
                let before = follow(client, name, operation, patience, interrupt, output).await?;
                if !before.has_ended() {
                    return ended(&before, output);
                }
                return Box::pin(change(connected, kind, name, patience, interrupt, output)).await;
            }
            None => return Err(error.into()),
        },
    };
    let seen = follow(client, name, operation, patience, interrupt, output).await;
    match (kind, seen) {
        // A function that is gone takes the history of its operations with it, sooner or later.
        (Kind::Delete, Err(Failure::Client(error)))
            if error.code() == Some(ProblemCode::FunctionNotFound) =>
        {
            output.progress(&format!("{name}: deleted"));
            Ok(Outcome::Done)
        }
        (_, seen) => ended(&seen?, output),
    }
}

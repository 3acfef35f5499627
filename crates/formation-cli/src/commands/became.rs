//! What becomes of each of several functions, for people, for programs and for CI.

use formation_model::{FunctionName, Operation};
use serde_json::{Value, json};

use crate::deploy::show::Ended;
use crate::failure::Failure;
use crate::follow::{self, Followed};
use crate::outcome::Outcome;
use crate::output::Output;

/// What became of a function.
#[derive(Debug)]
pub(super) struct Became {
    /// The function.
    pub name: FunctionName,
    /// What that comes to.
    pub outcome: Outcome,
    /// In a word for programs, where there is no operation.
    word: &'static str,
    /// In a few words.
    pub told: String,
    /// The operation on it, as it was last seen.
    pub operation: Option<Operation>,
}

impl Became {
    /// Nothing was to be done, or `told` was.
    pub fn done(name: &FunctionName, told: &str, output: &Output) -> Self {
        output.progress(&format!("{name}: {told}"));
        let (name, told) = (name.clone(), told.to_owned());
        Self { name, outcome: Outcome::Done, word: "DONE", told, operation: None }
    }

    /// It comes after what has stopped the command.
    pub fn not_begun(name: &FunctionName, output: &Output) -> Self {
        let done = Self::done(name, "not begun", output);
        Self { outcome: Outcome::Refused, word: "NOT_BEGUN", ..done }
    }

    /// An operation that was followed; the profile's user is told what helps.
    pub fn of(followed: Followed, profile: Option<&str>, output: &Output) -> Self {
        let outcome = followed.outcome();
        let Followed { operation, lost } = followed;
        let name = operation.function_name.clone();
        output.progress(&follow::outcome(&operation));
        let mut told = follow::in_short(&operation);
        if let Some(lost) = lost {
            output.progress(&format!("{name}: {}", lost.told(profile)));
            told = format!("{told}: {lost}");
        }
        Self { name, outcome, word: word_of(outcome), told, operation: Some(operation) }
    }

    /// Nothing was done, for this reason.
    pub fn refused(
        name: &FunctionName,
        failure: &Failure,
        profile: Option<&str>,
        output: &Output,
    ) -> Self {
        output.progress(&format!("{name}: {}", failure.told(profile)));
        let outcome = failure.outcome();
        let told = format!("{}: {failure}", outcome.word());
        Self { name: name.clone(), outcome, word: word_of(outcome), told, operation: None }
    }

    /// Whether an operation goes on.
    pub fn goes_on(&self) -> bool {
        self.operation.as_ref().is_some_and(|operation| !operation.has_ended())
    }

    /// As a summary has it.
    pub fn ended(&self) -> Ended {
        let link = self.operation.as_ref().map(|it| it.console_url.clone());
        Ended { name: self.name.clone(), told: self.told.clone(), link }
    }

    /// As programs have it: the operation, or why there is none; nothing where nothing was to be done.
    fn entry(&self) -> Option<Result<Value, Failure>> {
        match &self.operation {
            Some(operation) => Some(crate::shown::document(operation)),
            None if self.outcome == Outcome::Done => None,
            None => Some(Ok(entry(&self.name, self.word, &self.told))),
        }
    }
}

/// What programs are told of a function that there is no result of.
pub(super) fn entry(name: &FunctionName, word: &str, told: &str) -> Value {
    json!({"functionName": name, "outcome": word, "detail": told})
}

/// How something has ended, for programs.
pub(super) const fn word_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Denied => "DENIED",
        Outcome::Refused => "REFUSED",
        Outcome::Running => "RUNNING",
        _ => "FAILED",
    }
}

/// Shows what became of them for programs, one document: people have followed them.
pub(super) fn shown(became: &[Became], output: &Output) -> Result<Outcome, Failure> {
    let entries = became.iter().filter_map(Became::entry).collect::<Result<Vec<_>, _>>()?;
    let names = || became.iter().filter(|it| it.entry().is_some()).map(|it| it.name.to_string());
    output.show(&entries, |_| String::new(), |_| names().collect())?;
    Ok(worst(became))
}

/// What they come to.
pub(super) fn worst(became: &[Became]) -> Outcome {
    became.iter().fold(Outcome::Done, |all, one| all.and(one.outcome))
}

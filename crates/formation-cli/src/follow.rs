//! Following an operation: each step as it begins and ends, and what it waits for.

use std::collections::BTreeSet;
use std::time::Duration;

use formation_client::{Client, deadline};
use formation_model::{FunctionName, Operation, OperationId, OperationStep, Rollback};
use futures_util::TryStreamExt;
use tokio::time::{sleep, timeout_at};

use crate::failure::{Failure, chain_of};
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::table::took;
use crate::output::{ASIDE, BAD, GOOD, Output, styled};

/// How long a pause gets while the API is out of reach, on top of the client's own.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Follows operations: for so long, until it is interrupted, and telling it there.
#[derive(Clone, Copy, Debug)]
pub struct Follower<'a> {
    /// The API.
    pub client: &'a Client,
    /// How long to follow each.
    pub patience: Duration,
    /// What ends following.
    pub interrupt: &'a Interrupt,
    /// Where steps are told.
    pub output: &'a Output,
}

/// An operation as it was last seen, and why no more is seen of it, where it cannot be.
#[derive(Debug)]
pub struct Followed {
    /// The operation, which may run still.
    pub operation: Operation,
    /// Why it cannot be followed.
    pub lost: Option<Failure>,
}

impl Followed {
    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        let seen = Outcome::of(&self.operation);
        self.lost.as_ref().map_or(seen, |lost| seen.and(lost.outcome()))
    }
}

impl Follower<'_> {
    /// Follows an operation of which nothing is known but its id.
    ///
    /// # Errors
    /// It cannot be read, not even once.
    pub async fn find(&self, name: &FunctionName, id: OperationId) -> Result<Followed, Failure> {
        let first = async { Ok(self.client.operation(name, id).await?) };
        Ok(self.follow(self.interrupt.before(first).await?).await)
    }

    /// Follows what is in the way of a function, before something else is done to it.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn first(&self, name: &FunctionName, id: OperationId) -> Result<Followed, Failure> {
        let text = format!("{name}: operation {id} runs on it; following that first");
        self.output.progress(&text);
        let followed = self.find(name, id).await?;
        self.output.progress(&outcome(&followed.operation));
        Ok(followed)
    }

    /// Follows an operation until it has ended, or as long as it can be.
    pub async fn follow(&self, mut seen: Operation) -> Followed {
        let until = deadline(self.patience);
        let (name, id) = (seen.function_name.clone(), seen.operation_id);
        let mut told = Told::default();
        let busy = self.output.busy(name.as_str());
        busy.tell(&operation_of(&seen), "");
        let watch = || Box::pin(self.client.watch(name.clone(), id));
        let (mut changes, mut pause) = (watch(), None::<Duration>);
        let lost = loop {
            let next = tokio::select! {
                next = timeout_at(until, changes.try_next()) => next,
                // Whoever ends the command leaves the operation running.
                () = self.interrupt.pressed() => break None,
            };
            match next {
                Ok(Ok(Some(now))) => {
                    pause = None;
                    for line in told.lines(&now) {
                        self.output.step(&format!("{name}: {line}"));
                    }
                    if let Some((what, more)) = at_work(&now) {
                        busy.tell(&what, &more);
                    }
                    seen = now;
                }
                Ok(Ok(None)) | Err(_) => break None,
                // What may pass does not end what is followed.
                Ok(Err(error)) if error.is_transient() => {
                    if pause.is_none() {
                        let why = chain_of(&error);
                        let text = format!("{name}: the API is out of reach, trying again ({why})");
                        self.output.progress(&text);
                    }
                    let now = pause.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
                    pause = Some(now);
                    tokio::select! {
                        _ = timeout_at(until, sleep(now)) => {}
                        () = self.interrupt.pressed() => {}
                    }
                    changes = watch();
                }
                Ok(Err(error)) => break Some(error.into()),
            }
        };
        Followed { operation: seen, lost }
    }
}

/// What has been told of an operation.
#[derive(Default)]
struct Told(BTreeSet<String>);

impl Told {
    /// What is new: steps that have ended, and what is waited for.
    fn lines(&mut self, operation: &Operation) -> Vec<String> {
        let steps = operation.steps.iter().flatten().enumerate();
        let lines = steps.filter_map(|(at, step)| {
            let line = line(step)?;
            self.0.insert(format!("{at} {line}")).then_some(line)
        });
        lines.collect()
    }
}

/// What there is to say of a step.
fn line(step: &OperationStep) -> Option<String> {
    let name = &step.name;
    if let Some(waiting) = &step.waiting_for {
        let attempt = step.attempts.max(1);
        return Some(format!("{name} (attempt {attempt}) waits for {waiting}"));
    }
    let ended = step.ended_at?;
    let how = match &step.last_error {
        Some(error) if failed(step) => {
            format!("failed: {} ({})", error.message, error.code)
        }
        _ => "done".to_owned(),
    };
    let attempts =
        if step.attempts > 1 { format!(", {} attempts", step.attempts) } else { String::new() };
    Some(format!("{name} {how} in {}{attempts}", took(step.started_at, ended)))
}

/// What is at work now: the steps that have ended as a mark each, and the one that has not; and which
/// try of it this is, and what it waits for.
fn at_work(operation: &Operation) -> Option<(String, String)> {
    let steps = operation.steps.as_deref()?;
    let now = steps.iter().rfind(|step| step.ended_at.is_none()).or(steps.last())?;
    let ended = steps.iter().filter(|step| step.ended_at.is_some());
    let marks: String =
        ended.map(|step| if failed(step) { '\u{2717}' } else { '\u{2713}' }).collect();
    let space = if marks.is_empty() { "" } else { " " };
    let mut more = String::new();
    if now.attempts > 1 {
        more += &format!(", attempt {}", now.attempts);
    }
    if let Some(waiting) = &now.waiting_for {
        more += &format!(", waits for {waiting}");
    }
    Some((format!("{marks}{space}{}", now.name), more))
}

/// What a failed operation has left, in a few words.
pub fn left(operation: &Operation) -> String {
    match operation.rollback.known() {
        Some(Rollback::Complete) => "everything is as it was before".to_owned(),
        Some(Rollback::NotNeeded) => "nothing had been changed".to_owned(),
        _ => {
            let leftovers = operation.leftovers.iter().map(ToString::to_string);
            format!("left over: {}", leftovers.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether a step has failed for good.
pub fn failed(step: &OperationStep) -> bool {
    step.status == formation_model::operation::StepStatus::Failed
}

fn operation_of(operation: &Operation) -> String {
    operation.kind.to_string().to_lowercase()
}

/// How an operation has ended, in a few words.
pub fn in_short(operation: &Operation) -> String {
    let (kind, word) = (operation_of(operation), Outcome::of(operation).word());
    let took = operation.ended_at.map(|ended| took(operation.started_at, ended));
    let took = took.map_or_else(String::new, |took| format!(" in {took}"));
    let why = operation.error.as_ref().map(|error| format!(": {} ({})", error.message, error.code));
    format!("{kind} {word}{took}{}", why.unwrap_or_default())
}

/// How an operation has ended, in a sentence.
pub fn outcome(operation: &Operation) -> String {
    let Operation { function_name, operation_id, console_url, .. } = operation;
    let kind = operation_of(operation);
    let link = styled(ASIDE, console_url);
    let Some(ended) = operation.ended_at else {
        return format!(
            "{function_name}: the {kind} goes on; `formation wait {function_name} {operation_id}` follows it"
        );
    };
    let took = took(operation.started_at, ended);
    if Outcome::of(operation) == Outcome::Done {
        let succeeded = styled(GOOD, "succeeded");
        return format!("{function_name}: {kind} {succeeded} in {took}  {link}");
    }
    let failed = styled(BAD, "failed");
    let Some(error) = &operation.error else {
        return format!("{function_name}: {kind} {failed} in {took}  {link}");
    };
    let aws = [&error.aws_error_code, &error.aws_request_id].into_iter().flatten();
    let aws: String = aws.map(|it| format!(", {it}")).collect();
    let after = match operation.rollback.known() {
        Some(Rollback::Complete | Rollback::NotNeeded) => left(operation),
        _ => format!("{}; `formation repair {function_name}` tries again", left(operation)),
    };
    format!(
        "{function_name}: {kind} {failed} in {took}: {}\n  at {} ({}{aws}); {after}\n  {link}",
        error.message, error.step, error.code
    )
}

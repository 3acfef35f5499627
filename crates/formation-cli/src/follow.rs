//! Following an operation: each step as it begins and ends, and what it waits for.

use std::collections::BTreeSet;
use std::time::Duration;

use formation_client::Client;
use formation_model::{FunctionName, Operation, OperationId, OperationStep, Rollback};
use futures_util::TryStreamExt;
use tokio::time::{Instant, timeout_at};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::table::took;
use crate::output::{ASIDE, BAD, GOOD, Output, styled};

/// Follows an operation until it has ended, for `patience` at the most; what is answered may run still.
///
/// # Errors
/// It cannot be read.
pub async fn follow(
    client: &Client,
    name: &FunctionName,
    operation: OperationId,
    patience: Duration,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Operation, Failure> {
    let until = Instant::now() + patience;
    let mut seen = client.operation(name, operation).await?;
    let mut told = Told::default();
    let busy = output.busy(name.as_str());
    busy.tell(&operation_of(&seen), "");
    let mut changes = std::pin::pin!(client.watch(name.clone(), operation));
    loop {
        let next = tokio::select! {
            next = timeout_at(until, changes.try_next()) => next,
            // Whoever ends the command leaves the operation running.
            () = interrupt.pressed() => return Ok(seen),
        };
        match next {
            Ok(Ok(Some(now))) => {
                for line in told.lines(&now) {
                    output.step(&format!("{name}: {line}"));
                }
                if let Some((what, more)) = at_work(&now) {
                    busy.tell(&what, &more);
                }
                seen = now;
            }
            Ok(Ok(None)) | Err(_) => return Ok(seen),
            // What may pass does not end what is followed.
            Ok(Err(error)) if error.is_transient() => {
                let left = until.saturating_duration_since(Instant::now());
                return Ok(match client.wait_for(name, operation, left).await {
                    Err(formation_client::ClientError::StillRunning(operation)) => *operation,
                    other => other?,
                });
            }
            Ok(Err(error)) => return Err(error.into()),
        }
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

fn failed(step: &OperationStep) -> bool {
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
    let Some(error) = &operation.error else {
        let succeeded = styled(GOOD, "succeeded");
        return format!("{function_name}: {kind} {succeeded} in {took}  {link}");
    };
    let aws = [&error.aws_error_code, &error.aws_request_id].into_iter().flatten();
    let aws: String = aws.map(|it| format!(", {it}")).collect();
    let after = match operation.rollback.known() {
        Some(Rollback::Complete) => "everything is as it was before".to_owned(),
        Some(Rollback::NotNeeded) => "nothing had been changed".to_owned(),
        _ => {
            let leftovers = operation.leftovers.iter().map(ToString::to_string);
            let leftovers = leftovers.collect::<Vec<_>>().join(", ");
            format!("left over: {leftovers}; `formation repair {function_name}` tries again")
        }
    };
    format!(
        "{function_name}: {kind} {} in {took}: {}\n  at {} ({}{aws}); {after}\n  {link}",
        styled(BAD, "failed"),
        error.message,
        error.step,
        error.code
    )
}

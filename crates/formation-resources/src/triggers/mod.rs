//! What calls a function: a set of things, each of a kind and with a name, and each brought to its target alone.
//! A file a kind.
//!
//! All of them lead to the alias `live`, so that every caller meets an update at one moment. Whose they are is
//! proved by tags (rules, event source mappings), by the group that they are in (schedules, which have no
//! tags), by the id (statements of the function's policy), or by the function (its address, and what becomes of
//! asynchronous calls: there is one of each at an alias). What others have made is left alone, and is no difference.
//!
//! Before the alias moves, things are added and changed, which may fail; what is new does not act yet. Once it has
//! moved, all are let act, and what is not wanted any more goes: see [`Target::only_adds`].

mod asynchronous;
mod compare;
mod mapping;
mod mapping_calls;
mod queue;
mod remove;
mod rule;
mod rule_calls;
mod schedule;
mod statement;
#[cfg(test)]
mod tests;
mod url;

use formation_aws::AwsError;
use formation_model::names::LIVE;
use formation_model::triggers::{Change, changes};
use formation_model::{
    FunctionName, FunctionSpec, StackIdentity, Trigger, TriggerKey, TriggerKind,
};
use jiff::Timestamp;

use crate::Target;
use crate::error::ResourceError;
use crate::function::errors::redacted;
use crate::function::{described, find};
use crate::live::calls::qualified;
use crate::ownership::Age;
use crate::redaction::Secrets;

pub use self::compare::compare;
pub use self::remove::remove;

/// What the triggers of a stack have in common.
#[derive(Clone, Debug)]
pub struct TriggerSettings {
    /// The stack.
    pub stack: StackIdentity,
    /// The role in whose name EventBridge Scheduler invokes the stack's functions.
    pub scheduler_role_arn: String,
}

/// The services that triggers are made in.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Addresses, statements, event source mappings, asynchronous calls.
    pub lambda: aws_sdk_lambda::Client,
    /// Rules.
    pub events: aws_sdk_eventbridge::Client,
    /// Schedules.
    pub scheduler: aws_sdk_scheduler::Client,
}

/// Triggers that are as they should be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ensured {
    /// The function's address, if it has one.
    pub function_url: Option<String>,
}

/// What each kind is given to work with.
#[derive(Clone, Copy)]
struct Scope<'a> {
    clients: &'a Clients,
    settings: &'a TriggerSettings,
    function: &'a FunctionName,
    /// When the operation began.
    since: Timestamp,
    /// Whether callers have yet to move: nothing is taken away, and what is new does not act.
    only_adds: bool,
}

impl Scope<'_> {
    /// The ARN that all triggers lead to.
    fn live_arn(&self) -> String {
        self.settings.stack.live_arn(self.function)
    }

    /// The derived name of a schedule or a rule.
    fn name_of(&self, key: &TriggerKey) -> String {
        self.settings.stack.trigger_name(self.function, key)
    }

    /// How old what is found may be: none of these services tells, so it may be as old as the operation.
    fn age(&self) -> Age {
        let began = Some(self.since).filter(|since| *since <= Timestamp::now());
        Age::of(began, self.since)
    }
}

/// What is to be looked at, and what goes.
struct Work {
    /// What has to be as it is here.
    ensured: Vec<Trigger>,
    /// What was there and is not wanted.
    removed: Vec<Trigger>,
}

impl Work {
    /// Only what differs between the two states, and what carries the tags if those differ; everything if it is
    /// `searched` for what nobody knows of.
    fn of(target: &Target<'_>, searches: bool) -> Self {
        let wanted = target.spec.triggers();
        let former = target.formerly.map(FunctionSpec::triggers).unwrap_or_default();
        let retagged = target.formerly.is_some_and(|former| former.tags != target.spec.tags);
        let mut work = Self { ensured: Vec::new(), removed: Vec::new() };
        for change in changes(&former, &wanted) {
            match change {
                Change::Added(it) => work.ensured.push(it),
                Change::Changed { from, to } => {
                    // On another event bus it is another rule.
                    work.removed.extend(moved_away(from, &to));
                    work.ensured.push(to);
                }
                Change::Same(it) if searches || (retagged && has_tags(&it)) => {
                    work.ensured.push(it);
                }
                Change::Same(_) => {}
                Change::Removed(it) => work.removed.push(it),
            }
        }
        work
    }
}

fn has_tags(it: &Trigger) -> bool {
    matches!(it, Trigger::EventRule(_) | Trigger::EventSource(_))
}

fn moved_away(from: Trigger, to: &Trigger) -> Option<Trigger> {
    match (&from, to) {
        (Trigger::EventRule(old), Trigger::EventRule(new)) => {
            (old.event_bus_name != new.event_bus_name).then_some(from)
        }
        _ => None,
    }
}

/// Brings what calls a function to its target, each trigger alone; see [`Target::only_adds`] for what is left for
/// later while callers have yet to move. Where the function has no alias yet, all of it is left. `searches` asks for
/// a look at everything, and for what an operation has left that nobody knows of.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the function or a trigger is somebody else's, [`ResourceError::NotReady`] while AWS is
/// still at it, [`ResourceError::Rejected`] if a queue cannot be read as asked; otherwise what AWS answered. Each
/// names the trigger, and none what it hands to the function.
pub async fn ensure(
    clients: &Clients,
    sqs: &aws_sdk_sqs::Client,
    settings: &TriggerSettings,
    target: &Target<'_>,
    searches: bool,
) -> Result<Ensured, ResourceError> {
    let secrets = Secrets::of([target.spec].into_iter().chain(target.formerly));
    let ensured = ensure_all(clients, sqs, settings, target, searches).await;
    ensured.map_err(|error| redacted(error, &secrets))
}

async fn ensure_all(
    clients: &Clients,
    sqs: &aws_sdk_sqs::Client,
    settings: &TriggerSettings,
    target: &Target<'_>,
    searches: bool,
) -> Result<Ensured, ResourceError> {
    let Target { spec, since, only_adds, .. } = *target;
    let function = &spec.function_name;
    let scope = Scope { clients, settings, function, since, only_adds };
    let lambda = &clients.lambda;
    let Some(found) = find(lambda, &settings.stack, function, since).await? else {
        if only_adds {
            return Ok(Ensured::default());
        }
        let what = format!("Lambda does not show {}", described(function));
        return Err(ResourceError::not_ready(what));
    };
    if only_adds && qualified(lambda, function, LIVE).await?.is_none() {
        return Ok(Ensured::default());
    }
    let work = Work::of(target, searches);
    let done = async || {
        queue::check(sqs, &scope, target, &work.ensured).await?;
        let function_url = url::ensure(&scope, spec, &work).await?;
        statement::ensure(&scope, &work).await?;
        asynchronous::ensure(&scope, &work).await?;
        schedule::ensure(&scope, &work).await?;
        rule::ensure(&scope, target, &work).await?;
        mapping::ensure(&scope, target, &work, searches).await?;
        if !only_adds {
            schedule::take_away(&scope, &work.removed, searches.then_some(spec)).await?;
            rule::take_away(&scope, &work.removed, searches.then_some(spec)).await?;
            statement::take_away(&scope, spec, &work, searches).await?;
            asynchronous::take_away(&scope, &work.removed).await?;
            // Last, since it cannot be had back: another address would be another one.
            url::take_away(&scope, &work.removed).await?;
        }
        Ok(Ensured { function_url })
    };
    done().await.map_err(|error| match error {
        ResourceError::Aws(error) => found.age.judge(error, described(function)),
        error => error,
    })
}

/// The triggers of one kind.
macro_rules! each {
    ($triggers:expr, $kind:ident) => {
        $triggers.iter().filter_map(|it| match it {
            formation_model::Trigger::$kind(own) => Some((it.key(), own)),
            _ => None,
        })
    };
}
use each;

/// How people are told of a trigger.
fn told(key: &TriggerKey) -> String {
    let name = &key.name;
    match key.kind {
        TriggerKind::FunctionUrl => "the function's address".to_owned(),
        TriggerKind::Invoker => format!("the invoker {name}"),
        TriggerKind::Schedule => format!("the schedule {name}"),
        TriggerKind::EventRule => format!("the rule {name}"),
        TriggerKind::EventSource => format!("the event source {name}"),
        TriggerKind::AsyncInvoke => "what becomes of asynchronous calls".to_owned(),
    }
}

/// The error with the trigger that it is about.
fn about(key: &TriggerKey) -> impl Fn(ResourceError) -> ResourceError {
    let told = told(key);
    move |error| match error {
        ResourceError::Aws(error) => {
            AwsError { message: format!("{told}: {}", error.message), ..error }.into()
        }
        ResourceError::NotReady { what, source } => {
            ResourceError::NotReady { what: format!("{told}: {what}"), source }
        }
        ResourceError::Rejected { reason } => {
            ResourceError::Rejected { reason: format!("{told}: {reason}") }
        }
        error @ ResourceError::NotOwned { .. } => error,
    }
}

/// What an answer means where that there is none is as good.
fn unless_absent<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All three services tell it alike.
fn is_absent(error: &AwsError) -> bool {
    error.has_code("ResourceNotFoundException")
}

/// What Lambda, EventBridge and EventBridge Scheduler say while another change of the same thing is under way.
fn unless_busy(error: AwsError) -> ResourceError {
    const CODES: [&str; 4] = [
        "ConcurrentModificationException",
        "ConflictException",
        "ResourceConflictException",
        "ResourceInUseException",
    ];
    if CODES.iter().any(|code| error.has_code(code)) {
        let what = "AWS is still at an earlier change of it".to_owned();
        return ResourceError::NotReady { what, source: Some(error) };
    }
    error.into()
}

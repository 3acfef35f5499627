//! What calls a function: a set of things, each of a kind and with a name, and each brought to its target alone.
//! A file a kind.
//!
//! All of them lead to the alias `live`, so that every caller meets an update at one moment. Whose they are is
//! proved by tags (rules, event source mappings), by the group that they are in (schedules, which have no
//! tags), by the id (statements of the function's policy), or by the function (its address, and what becomes of
//! asynchronous calls: there is one of each at an alias). What others have made is left alone, and is no difference.
//!
//! Before the alias moves, things are added, which may fail; they do not act yet, and what acts already goes on as it
//! does: what reaches the function, and with what, changes when callers move, and nothing is lost of what was not to
//! be. Once the alias has moved, all is as it shall be, and what is not wanted any more goes last: see
//! [`Target::only_adds`] and [`take_away`].

mod asynchronous;
mod compare;
mod mapping;
mod mapping_calls;
mod remove;
mod rule;
mod rule_calls;
mod schedule;
mod source;
mod statement;
#[cfg(test)]
mod tests;
mod url;

use formation_aws::AwsError;
use formation_model::names::LIVE;
use formation_model::triggers::{Change, LeftTrigger, changes};
use formation_model::{
    Difference, FunctionName, FunctionSpec, StackIdentity, Trigger, TriggerKey, TriggerKind,
};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::Target;
use crate::error::ResourceError;
use crate::function::errors::{is_busy, redacted, says_one_of};
use crate::function::settle::ROLE_PAUSES;
use crate::function::{described, find};
use crate::live::calls::qualified;
use crate::ownership::{Age, may_be_of};
use crate::redaction::Secrets;

pub use self::compare::compare;
pub use self::remove::remove;
pub use self::source::Sources;

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

/// Triggers that are as they should be, but for what is taken away.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ensured {
    /// The function's address, if it was looked at and there is one.
    pub function_url: Option<String>,
    /// Whether [`take_away`] has something to do that cannot be undone: once it has begun, nothing leads back.
    pub takes_away: bool,
}

/// What each kind is given to work with.
#[derive(Clone, Copy)]
struct Scope<'a> {
    clients: &'a Clients,
    settings: &'a TriggerSettings,
    function: &'a FunctionName,
    /// When the operation began.
    since: Timestamp,
    /// Whether callers have yet to move: nothing that acts is changed, and what is new does not act.
    only_adds: bool,
    /// Whether it is gone back to what was there before.
    restores: bool,
    /// Whether nothing is made, but only looked at.
    compares: bool,
    /// What was there before the operation, as it is recorded.
    recorded: &'a [Trigger],
    /// What earlier operations may have left that is not recorded.
    left: &'a [LeftTrigger],
    /// How old the function is, whose tags allow changes of what has none of its own.
    function_age: Age,
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

    /// Whether a trigger of ours under this key was there before the operation, as far as anybody knows.
    fn is_known(&self, key: &TriggerKey) -> bool {
        self.recorded.iter().any(|it| it.key() == *key)
            || self.left.iter().any(|left| left.key == *key && left.since.is_none())
    }

    /// How old what is found under `key` may be, where AWS tells nothing of it: as old as the operation.
    fn age_of(&self, key: &TriggerKey) -> Age {
        match key.kind {
            TriggerKind::EventRule | TriggerKind::EventSource => {
                let makes = |since: &Timestamp| !self.compares && *since <= Timestamp::now();
                Age::of(Some(self.since).filter(makes), self.since)
            }
            _ => self.function_age,
        }
    }

    /// That what has no tags, and was `made` at that time, was made by Formation: the function may have it from
    /// somebody else.
    ///
    /// # Errors
    /// [`ResourceError::NotOwned`] if it is older than any operation that had asked for it.
    fn prove_made(&self, key: &TriggerKey, made: Option<Timestamp>) -> Result<(), ResourceError> {
        let earlier = self.left.iter().filter(|left| left.key == *key);
        let mut asked = earlier.filter_map(|left| left.since).chain([self.since]);
        let is_ours = |made| asked.any(|since| may_be_of(made, since));
        if self.is_known(key) || made.is_some_and(is_ours) {
            return Ok(());
        }
        Err(ResourceError::NotOwned { what: told(key) })
    }

    /// Whether there may be one of ours under this key.
    fn may_be_left(&self, key: &TriggerKey) -> bool {
        self.is_known(key) || self.left.iter().any(|left| left.key == *key)
    }

    /// The error with the trigger that it is about. A denial is not final while AWS may not act by the tags that would
    /// allow the call.
    fn about(&self, key: &TriggerKey) -> impl Fn(ResourceError) -> ResourceError {
        let (told, age) = (told(key), self.age_of(key));
        move |error| match error {
            ResourceError::Aws(error) => {
                let error = AwsError { message: format!("{told}: {}", error.message), ..error };
                age.judge(error, &told)
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
}

/// What is to be looked at, and what goes.
struct Work {
    /// What has to be as it is here.
    ensured: Vec<Trigger>,
    /// What was there and is not wanted.
    removed: Vec<Trigger>,
    /// Whether something that is there is another one afterwards.
    replaces: bool,
}

impl Work {
    /// Only what differs between the two states, and what carries the tags if those differ; everything if it is
    /// `searched` for what nobody knows of.
    fn of(target: &Target<'_>, searches: bool) -> Self {
        let wanted = target.spec.triggers();
        let former = target.formerly.map(FunctionSpec::triggers).unwrap_or_default();
        let retagged = target.formerly.is_some_and(|former| former.tags != target.spec.tags);
        let mut work = Self { ensured: Vec::new(), removed: Vec::new(), replaces: false };
        for change in changes(&former, &wanted) {
            match change {
                Change::Added(it) => work.ensured.push(it),
                Change::Changed { from, to } => {
                    // On another event bus it is another rule.
                    work.replaces |= begins_elsewhere(&from, &to);
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

    fn takes_away(&self) -> bool {
        self.replaces || !self.removed.is_empty()
    }
}

fn begins_elsewhere(from: &Trigger, to: &Trigger) -> bool {
    match (from, to) {
        (Trigger::EventSource(old), Trigger::EventSource(new)) => {
            old.starting_position != new.starting_position
        }
        _ => false,
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

/// Brings what calls a function to its target, each trigger alone, but for what is to go: see [`take_away`]. See
/// [`Target::only_adds`] for what is left for later while callers have yet to move; where the function has no alias
/// yet, all of it is. `search` asks for a look at everything: an operation before this one has left something,
/// what is given of it among it, or AWS is to be brought to the record.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the function or a trigger is somebody else's, [`ResourceError::NotReady`] while AWS is
/// still at it, [`ResourceError::Rejected`] if a source cannot be read as asked; otherwise what AWS answered. Each
/// names the trigger, and none what it hands to the function.
pub async fn ensure(
    clients: &Clients,
    sources: &Sources,
    settings: &TriggerSettings,
    target: &Target<'_>,
    search: Option<&[LeftTrigger]>,
) -> Result<Ensured, ResourceError> {
    let secrets = Secrets::of([target.spec].into_iter().chain(target.formerly));
    let ensured = ensure_all(clients, sources, settings, target, search).await;
    ensured.map_err(|error| redacted(error, &secrets))
}

async fn ensure_all(
    clients: &Clients,
    sources: &Sources,
    settings: &TriggerSettings,
    target: &Target<'_>,
    search: Option<&[LeftTrigger]>,
) -> Result<Ensured, ResourceError> {
    let Target { spec, since, only_adds, .. } = *target;
    let function = &spec.function_name;
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
    let recorded = recorded(target);
    let scope = scope(clients, settings, target, &recorded, search, found.age);
    let work = Work::of(target, search.is_some());
    source::check(sources, &scope, target, &work.ensured).await?;
    let function_url = url::ensure(&scope, spec, &work).await?;
    statement::ensure(&scope, &work).await?;
    asynchronous::ensure(&scope, &work).await?;
    schedule::ensure(&scope, &work).await?;
    rule::ensure(&scope, target, &work).await?;
    mapping::ensure(&scope, target, &work).await?;
    Ok(Ensured { function_url, takes_away: work.takes_away() })
}

/// Takes away what is not wanted any more of what calls a function, once all that is wanted is there, and puts what
/// cannot be changed in its own place. What cannot be had back goes last: a stream's mapping, which has a position, and
/// the address, since another would be another one.
///
/// # Errors
/// Those of [`ensure`].
pub async fn take_away(
    clients: &Clients,
    settings: &TriggerSettings,
    target: &Target<'_>,
    search: Option<&[LeftTrigger]>,
) -> Result<(), ResourceError> {
    let secrets = Secrets::of([target.spec].into_iter().chain(target.formerly));
    let recorded = recorded(target);
    // The function is proved ours.
    let age = Age::of(Some(target.since), target.since);
    let scope = scope(clients, settings, target, &recorded, search, age);
    let work = Work::of(target, search.is_some());
    let taken = async {
        let searches = search.map(|_| target.spec);
        schedule::take_away(&scope, &work.removed, searches).await?;
        rule::take_away(&scope, &work.removed, searches).await?;
        statement::take_away(&scope, target.spec, &work, search.is_some()).await?;
        asynchronous::take_away(&scope, target.spec, &work.removed).await?;
        mapping::take_away(&scope, target, &work, search.is_some()).await?;
        url::take_away(&scope, target.spec, &work.removed).await
    };
    taken.await.map_err(|error| redacted(error, &secrets))
}

/// What the record says was there before the operation.
fn recorded(target: &Target<'_>) -> Vec<Trigger> {
    let before = if target.restores { Some(target.spec) } else { target.formerly };
    before.map(FunctionSpec::triggers).unwrap_or_default()
}

fn scope<'a>(
    clients: &'a Clients,
    settings: &'a TriggerSettings,
    target: &Target<'a>,
    recorded: &'a [Trigger],
    search: Option<&'a [LeftTrigger]>,
    function_age: Age,
) -> Scope<'a> {
    let Target { spec, since, only_adds, restores, .. } = *target;
    let (function, left) = (&spec.function_name, search.unwrap_or_default());
    Scope {
        clients,
        settings,
        function,
        since,
        only_adds,
        restores,
        compares: false,
        recorded,
        left,
        function_age,
    }
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

/// Takes away what has no tags, under `key`, if it is ours: without a look where it is known to be, otherwise by when it
/// was `made`, which is none where there is none.
async fn take_away_untagged(
    scope: &Scope<'_>,
    key: &TriggerKey,
    made: impl AsyncFnOnce() -> Result<Option<Option<Timestamp>>, AwsError>,
    delete: impl AsyncFnOnce() -> Result<(), AwsError>,
) -> Result<(), ResourceError> {
    let is_known = scope.is_known(key);
    let taken = async {
        if !is_known {
            let Some(made) = made().await? else { return Ok(()) };
            scope.prove_made(key, made)?;
        }
        delete().await.map_err(unless_busy)
    };
    let taken = taken.await;
    let taken = if is_known { taken } else { unless_foreign(taken) };
    taken.map_err(scope.about(key))
}

/// What becomes of something that proves to be somebody else's, where it perhaps never was ours: it is left as it is.
fn unless_foreign(done: Result<(), ResourceError>) -> Result<(), ResourceError> {
    match done {
        Err(ResourceError::NotOwned { .. }) => Ok(()),
        done => done,
    }
}

/// The property that stands for all of a trigger that Formation does not name.
const OTHER: &str = "other";

/// That what Formation does not name of a trigger is not as AWS has it by default. No value is told: it may be secret.
fn other(key: &TriggerKey) -> Difference {
    key.difference(OTHER, "default".into(), "changed".into())
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

/// Repeats a call while the role may not do yet what it was just allowed, or another change is under way. A role
/// that is never allowed gives the same refusal, so the patience has an end, here and in the state machine.
async fn once_allowed(call: impl AsyncFn() -> Result<(), AwsError>) -> Result<(), ResourceError> {
    let mut pauses = ROLE_PAUSES.iter();
    loop {
        let (error, what) = match call().await {
            Ok(()) => return Ok(()),
            Err(error) if role_may_not(&error) => {
                (error, "the function's role may not do yet what it was allowed")
            }
            Err(error) if error.has_code("ResourceInUseException") => {
                (error, "Lambda is still at an earlier change of it")
            }
            Err(error) if is_busy(&error) => return Err(unless_busy(error)),
            Err(error) => return Err(error.into()),
        };
        let Some(pause) = pauses.next() else {
            return Err(ResourceError::NotReady { what: what.to_owned(), source: Some(error) });
        };
        sleep(*pause).await;
    }
}

/// Lambda looks whether the role may read a source, and tell a destination of what failed. It has no code of its own for
/// that.
/// Texts: <https://github.com/hashicorp/terraform-provider-aws/issues/38057>, and of streams and destinations those of
/// `internal/service/lambda/event_source_mapping.go` and `function_event_invoke_config.go` there.
fn role_may_not(error: &AwsError) -> bool {
    const TEXTS: [&str; 6] = [
        "execution role does not have permissions",
        "ensure the role can perform",
        "not authorized to perform",
        "cannot be assumed by lambda",
        "provided execution role does not have permissions",
        "the destination arn",
    ];
    error.has_code("InvalidParameterValueException") && says_one_of(error, &TEXTS)
}

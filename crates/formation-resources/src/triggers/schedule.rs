//! Schedules of EventBridge Scheduler: in the stack's own group, by which they are the stack's, and under names that
//! are derived.

use std::collections::BTreeSet;

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use formation_aws::AwsError;
use formation_model::triggers::{Input, Schedule};
use formation_model::{FunctionSpec, Trigger, TriggerKey};

use super::{Scope, Work, each, unless_absent, unless_busy};
use crate::error::ResourceError;
use crate::function::errors::says_one_of;

/// A schedule as AWS has it.
pub(super) struct Found {
    /// In the model's terms.
    pub schedule: Schedule,
    /// What it invokes, and in whose name.
    pub target: Option<(String, String)>,
    /// Whether the rest is as EventBridge Scheduler has it by default.
    pub is_plain: bool,
}

/// Makes and changes schedules; what is new does not act before callers have moved.
pub(super) async fn ensure(scope: &Scope<'_>, work: &Work) -> Result<(), ResourceError> {
    for (key, wanted) in each!(work.ensured, Schedule) {
        ensure_one(scope, &key, wanted).await.map_err(scope.about(&key))?;
    }
    Ok(())
}

async fn ensure_one(
    scope: &Scope<'_>,
    key: &TriggerKey,
    wanted: &Schedule,
) -> Result<(), ResourceError> {
    let mut found = find(scope, key, wanted).await?;
    if found.is_none() {
        let new = Schedule { enabled: wanted.enabled && !scope.only_adds, ..wanted.clone() };
        match create(scope, key, &new).await {
            Ok(()) => return Ok(()),
            // Another try of this step has made it.
            Err(error) if error.has_code("ConflictException") => {
                found = find(scope, key, wanted).await?;
            }
            Err(error) => return Err(not_assumable(error)),
        }
    }
    let Some(found) = found else {
        return Err(ResourceError::not_ready("EventBridge Scheduler does not show it yet"));
    };
    let mut becomes = wanted.clone();
    if scope.only_adds {
        // What callers run still was not made for another input.
        let Schedule { enabled, input, .. } = &found.schedule;
        becomes = Schedule { enabled: *enabled, input: input.clone(), ..becomes };
    }
    let is_plain = found.is_plain || scope.only_adds;
    if found.schedule != becomes || found.target != Some(leads_to(scope)) || !is_plain {
        update(scope, key, &becomes).await.map_err(not_assumable)?;
    }
    Ok(())
}

/// Takes away those that are not wanted any more, and where `all_but` is given every other one that invokes the
/// function.
pub(super) async fn take_away(
    scope: &Scope<'_>,
    removed: &[Trigger],
    all_but: Option<&FunctionSpec>,
) -> Result<(), ResourceError> {
    for (key, _) in each!(removed, Schedule) {
        delete(scope, &scope.name_of(&key)).await.map_err(scope.about(&key))?;
    }
    let Some(spec) = all_but else { return Ok(()) };
    let kept: BTreeSet<_> =
        each!(spec.triggers(), Schedule).map(|(key, _)| scope.name_of(&key)).collect();
    for name in all(scope).await? {
        if !kept.contains(&name) {
            delete(scope, &name).await?;
        }
    }
    Ok(())
}

/// What all schedules of a function lead to.
pub(super) fn leads_to(scope: &Scope<'_>) -> (String, String) {
    (scope.live_arn(), scope.settings.scheduler_role_arn.clone())
}

/// The schedule as AWS has it; none where there is none.
pub(super) async fn find(
    scope: &Scope<'_>,
    key: &TriggerKey,
    wanted: &Schedule,
) -> Result<Option<Found>, AwsError> {
    let get = scope.clients.scheduler.get_schedule().name(scope.name_of(key));
    let got = get.group_name(scope.settings.stack.schedule_group()).send().await;
    let got = unless_absent(got.map_err(|error| AwsError::new("scheduler:GetSchedule", error)))?;
    Ok(got.map(|found| shown(found, wanted)))
}

fn shown(found: GetScheduleOutput, wanted: &Schedule) -> Found {
    let target = found.target.as_ref();
    let is_plain = is_plain(&found);
    let schedule = Schedule {
        name: wanted.name.clone(),
        expression: found.schedule_expression.unwrap_or_default(),
        timezone: found.schedule_expression_timezone.unwrap_or_else(|| "UTC".to_owned()),
        input: target.and_then(|it| it.input.clone()).map(Input),
        enabled: found.state != Some(ScheduleState::Disabled),
    };
    Found { schedule, target: found.target.map(|it| (it.arn, it.role_arn)), is_plain }
}

/// Whether it has nothing that we do not give it: it invokes at the time and for ever, and what fails is tried for as long as
/// EventBridge Scheduler does, and dropped.
fn is_plain(found: &GetScheduleOutput) -> bool {
    let at_the_time =
        found.flexible_time_window.as_ref().is_none_or(|it| it.mode == FlexibleTimeWindowMode::Off);
    let stays = found.action_after_completion.as_ref().is_none_or(|it| it.as_str() == "NONE");
    let target = found.target.as_ref();
    let tries = target.and_then(|it| it.retry_policy.as_ref()).is_none_or(|it| {
        it.maximum_retry_attempts.is_none_or(|it| it == 185)
            && it.maximum_event_age_in_seconds.is_none_or(|it| it == 86_400)
    });
    let dropped = target.is_none_or(|it| it.dead_letter_config.is_none());
    at_the_time && stays && tries && dropped && found.end_date.is_none()
}

/// The names of all schedules that invoke the function.
pub(super) async fn all(scope: &Scope<'_>) -> Result<Vec<String>, AwsError> {
    let list = scope.clients.scheduler.list_schedules();
    let list = list.group_name(scope.settings.stack.schedule_group());
    // Cut, as derived names are: what it leads to tells whose it is.
    let prefix = scope.settings.stack.trigger_prefix(scope.function);
    let mut schedules = list.name_prefix(prefix).into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(schedule) = schedules.next().await {
        let refused = |error| AwsError::new("scheduler:ListSchedules", error);
        // Somebody has deleted the group, and with it all that were in it.
        let Some(it) = unless_absent(schedule.map_err(refused))? else { break };
        let leads_here = it.target.is_some_and(|it| it.arn == scope.live_arn());
        names.extend(it.name.filter(|_| leads_here));
    }
    Ok(names)
}

fn target(scope: &Scope<'_>, it: &Schedule) -> Result<Target, AwsError> {
    let (arn, role_arn) = leads_to(scope);
    let input = it.input.as_ref().map(|input| input.as_str().to_owned());
    let target = Target::builder().arn(arn).role_arn(role_arn).set_input(input).build();
    target.map_err(|_| AwsError::incomplete("scheduler:Target"))
}

fn at_the_time() -> Result<FlexibleTimeWindow, AwsError> {
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build();
    window.map_err(|_| AwsError::incomplete("scheduler:FlexibleTimeWindow"))
}

fn state(it: &Schedule) -> ScheduleState {
    if it.enabled { ScheduleState::Enabled } else { ScheduleState::Disabled }
}

async fn create(scope: &Scope<'_>, key: &TriggerKey, it: &Schedule) -> Result<(), AwsError> {
    let create = scope.clients.scheduler.create_schedule();
    let created = create
        .name(scope.name_of(key))
        .group_name(scope.settings.stack.schedule_group())
        .schedule_expression(&it.expression)
        .schedule_expression_timezone(&it.timezone)
        .flexible_time_window(at_the_time()?)
        .state(state(it))
        .target(target(scope, it)?)
        .send()
        .await;
    created.map(|_| ()).map_err(|error| AwsError::new("scheduler:CreateSchedule", error))
}

/// Every field is sent: EventBridge Scheduler sets back to its default what a request leaves out.
/// Source: <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html>.
async fn update(scope: &Scope<'_>, key: &TriggerKey, it: &Schedule) -> Result<(), AwsError> {
    let update = scope.clients.scheduler.update_schedule();
    let updated = update
        .name(scope.name_of(key))
        .group_name(scope.settings.stack.schedule_group())
        .schedule_expression(&it.expression)
        .schedule_expression_timezone(&it.timezone)
        .flexible_time_window(at_the_time()?)
        .state(state(it))
        .target(target(scope, it)?)
        .send()
        .await;
    updated.map(|_| ()).map_err(|error| AwsError::new("scheduler:UpdateSchedule", error))
}

/// Deletes a schedule, if it is there.
pub(super) async fn delete(scope: &Scope<'_>, name: &str) -> Result<(), ResourceError> {
    let delete = scope.clients.scheduler.delete_schedule().name(name);
    let deleted = delete.group_name(scope.settings.stack.schedule_group()).send().await;
    let refused = |error| AwsError::new("scheduler:DeleteSchedule", error);
    unless_absent(deleted.map_err(refused)).map(|_| ()).map_err(unless_busy)
}

/// The role of a stack that was just made may not have been spread by IAM.
fn not_assumable(error: AwsError) -> ResourceError {
    if says_one_of(&error, &["must allow aws eventbridge scheduler to assume"]) {
        let what = "EventBridge Scheduler cannot assume the stack's role yet".to_owned();
        return ResourceError::NotReady { what, source: Some(error) };
    }
    unless_busy(error)
}

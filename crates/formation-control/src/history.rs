//! An operation's steps, read from its execution's history: so there is one truth about them.

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use formation_model::Failure;
use formation_model::operation::{OperationStep, StepStatus};
use jiff::Timestamp;

/// The steps that the events tell of, in order.
///
/// Events are read by their type and not by what they follow: the end of a try may come after the
/// end of an execution that was stopped.
pub(crate) fn steps(events: &[HistoryEvent]) -> Vec<OperationStep> {
    let mut steps: Vec<OperationStep> = Vec::new();
    for event in events {
        let at = time(event);
        if let Some(entered) = &event.state_entered_event_details {
            if let Some(status) = status_when_entered(&event.r#type) {
                let waits = status == StepStatus::Waiting;
                steps.push(OperationStep {
                    name: entered.name.clone(),
                    status: status.into(),
                    attempts: 0,
                    started_at: at,
                    ended_at: None,
                    last_error: None,
                    waiting_for: waits.then(|| "time to pass".to_owned()),
                });
            }
            continue;
        }
        let Some(step) = steps.last_mut() else { continue };
        match &event.r#type {
            HistoryEventType::TaskScheduled => {
                step.attempts += 1;
                step.status = StepStatus::Running.into();
                step.waiting_for = None;
            }
            HistoryEventType::TaskFailed
            | HistoryEventType::TaskTimedOut
            | HistoryEventType::TaskStartFailed
            | HistoryEventType::TaskSubmitFailed
            | HistoryEventType::EvaluationFailed => {
                let failure = failure(event, &step.name).to_operation_error();
                if step.ended_at.is_none() {
                    step.status = StepStatus::Waiting.into();
                    step.waiting_for = Some(failure.message.clone());
                }
                step.last_error = Some(failure);
            }
            HistoryEventType::TaskSucceeded if step.ended_at.is_none() => {
                step.status = StepStatus::Succeeded.into();
            }
            HistoryEventType::ExecutionAborted | HistoryEventType::ExecutionTimedOut => {
                end(step, StepStatus::Aborted, at);
            }
            HistoryEventType::ExecutionFailed => end(step, StepStatus::Failed, at),
            _ if event.state_exited_event_details.is_some() => {
                let failed = step.attempts > 0 && step.status != StepStatus::Succeeded;
                end(step, if failed { StepStatus::Failed } else { StepStatus::Succeeded }, at);
            }
            _ => {}
        }
    }
    steps
}

/// What ends a step for good; a step that has ended stays as it is.
fn end(step: &mut OperationStep, status: StepStatus, at: Timestamp) {
    if step.ended_at.is_none() {
        step.status = status.into();
        step.ended_at = Some(at);
        step.waiting_for = None;
    }
}

/// Whether an event tells that a step was entered.
pub(crate) fn is_step(event: &HistoryEventType) -> bool {
    status_when_entered(event).is_some()
}

/// Only tasks and waits are steps to their users: choices and ends take no time.
fn status_when_entered(event: &HistoryEventType) -> Option<StepStatus> {
    match event {
        HistoryEventType::TaskStateEntered => Some(StepStatus::Running),
        HistoryEventType::WaitStateEntered => Some(StepStatus::Waiting),
        _ => None,
    }
}

/// What an event tells of a try that failed. Each type of event has details of its own.
fn failure(event: &HistoryEvent, step: &str) -> Failure {
    let told = |error: &Option<String>, cause: &Option<String>| (error.clone(), cause.clone());
    let failed = event.task_failed_event_details.as_ref();
    let timed_out = event.task_timed_out_event_details.as_ref();
    let not_started = event.task_start_failed_event_details.as_ref();
    let not_submitted = event.task_submit_failed_event_details.as_ref();
    let not_evaluated = event.evaluation_failed_event_details.as_ref();
    let (error, cause) = failed
        .map(|it| told(&it.error, &it.cause))
        .or_else(|| timed_out.map(|it| told(&it.error, &it.cause)))
        .or_else(|| not_started.map(|it| told(&it.error, &it.cause)))
        .or_else(|| not_submitted.map(|it| told(&it.error, &it.cause)))
        .or_else(|| not_evaluated.map(|it| told(&it.error, &it.cause)))
        .unwrap_or_default();
    Failure {
        step: step.to_owned(),
        error: error.unwrap_or_else(|| "States.TaskFailed".to_owned()),
        cause: cause.unwrap_or_default(),
    }
}

fn time(event: &HistoryEvent) -> Timestamp {
    let at = event.timestamp;
    let nanoseconds = i32::try_from(at.subsec_nanos()).unwrap_or_default();
    Timestamp::new(at.secs(), nanoseconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::primitives::DateTime;
    use aws_sdk_sfn::types::{
        EvaluationFailedEventDetails, StateEnteredEventDetails, StateExitedEventDetails,
        TaskFailedEventDetails, TaskStartFailedEventDetails, TaskSubmitFailedEventDetails,
        TaskTimedOutEventDetails,
    };
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Story {
        events: Vec<HistoryEvent>,
    }

    impl Story {
        fn event(
            mut self,
            kind: HistoryEventType,
            with: impl FnOnce(
                aws_sdk_sfn::types::builders::HistoryEventBuilder,
            ) -> aws_sdk_sfn::types::builders::HistoryEventBuilder,
        ) -> Self {
            let id = self.events.len() as i64;
            let event =
                HistoryEvent::builder().id(id).r#type(kind).timestamp(DateTime::from_secs(id));
            self.events.push(with(event).build().unwrap());
            self
        }

        fn plain(self, kind: HistoryEventType) -> Self {
            self.event(kind, |event| event)
        }

        fn entered(self, kind: HistoryEventType, name: &str) -> Self {
            let details = StateEnteredEventDetails::builder().name(name).build().unwrap();
            self.event(kind, |event| event.state_entered_event_details(details))
        }

        fn exited(self, kind: HistoryEventType, name: &str) -> Self {
            let details = StateExitedEventDetails::builder().name(name).build().unwrap();
            self.event(kind, |event| event.state_exited_event_details(details))
        }

        fn failed(self, error: &str) -> Self {
            let cause = json!({"errorMessage": "told [AWS error E, request r-1]"}).to_string();
            let details = TaskFailedEventDetails::builder()
                .resource_type("lambda")
                .resource("invoke")
                .error(error)
                .cause(cause)
                .build()
                .unwrap();
            self.event(HistoryEventType::TaskFailed, |event| {
                event.task_failed_event_details(details)
            })
        }
    }

    use HistoryEventType as Kind;

    fn ensure_role() -> Story {
        Story { events: Vec::new() }
            .plain(Kind::ExecutionStarted)
            .entered(Kind::ChoiceStateEntered, "Choose lane")
            .exited(Kind::ChoiceStateExited, "Choose lane")
            .entered(Kind::TaskStateEntered, "Ensure role")
            .plain(Kind::TaskScheduled)
    }

    #[test]
    fn a_step_that_is_tried_again_waits_and_tells_for_what() {
        let steps = steps(&ensure_role().failed("Formation.NotReady").events);
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].name.as_str(), steps[0].attempts), ("Ensure role", 1));
        assert_eq!(steps[0].status, StepStatus::Waiting);
        assert_eq!(steps[0].waiting_for.as_deref(), Some("told"));
        let error = steps[0].last_error.as_ref().unwrap();
        assert_eq!((error.code.as_str(), error.step.as_str()), ("NOT_READY", "Ensure role"));
        assert_eq!(error.aws_request_id.as_deref(), Some("r-1"));
    }

    #[test]
    fn a_step_that_succeeds_at_its_second_try_keeps_the_first_ones_error() {
        let story = ensure_role().failed("Formation.Throttled").plain(Kind::TaskScheduled);
        let story = story.plain(Kind::TaskSucceeded).exited(Kind::TaskStateExited, "Ensure role");
        let steps = steps(&story.events);
        assert_eq!((&steps[0].status, steps[0].attempts), (&StepStatus::Succeeded.into(), 2));
        assert_eq!(steps[0].last_error.as_ref().unwrap().code, "THROTTLED");
        assert_eq!(steps[0].ended_at, Some(Timestamp::from_second(8).unwrap()));
        assert_eq!(steps[0].waiting_for, None);
    }

    #[test]
    fn a_step_that_is_caught_has_failed_and_a_wait_follows() {
        let story = ensure_role()
            .failed("Formation.Rejected")
            .exited(Kind::TaskStateExited, "Ensure role")
            .entered(Kind::WaitStateEntered, "Let AWS settle");
        let steps = steps(&story.events);
        assert_eq!(steps[0].status, StepStatus::Failed);
        assert_eq!((&steps[1].status, steps[1].attempts), (&StepStatus::Waiting.into(), 0));
    }

    #[test]
    fn every_way_in_which_a_try_fails_tells_its_error() {
        let not_started = || {
            let details = TaskStartFailedEventDetails::builder().error("Formation.Throttled");
            details.resource_type("lambda").resource("invoke").build().unwrap()
        };
        let not_submitted = || {
            let details = TaskSubmitFailedEventDetails::builder().error("Formation.Throttled");
            details.resource_type("lambda").resource("invoke").build().unwrap()
        };
        let timed_out = || {
            let details = TaskTimedOutEventDetails::builder().error("Formation.Throttled");
            details.resource_type("lambda").resource("invoke").build().unwrap()
        };
        let not_evaluated = || {
            let details = EvaluationFailedEventDetails::builder().error("Formation.Throttled");
            details.state("Ensure role").build().unwrap()
        };
        for story in [
            ensure_role().failed("Formation.Throttled"),
            ensure_role().event(Kind::TaskStartFailed, |event| {
                event.task_start_failed_event_details(not_started())
            }),
            ensure_role().event(Kind::TaskSubmitFailed, |event| {
                event.task_submit_failed_event_details(not_submitted())
            }),
            ensure_role()
                .event(Kind::TaskTimedOut, |event| event.task_timed_out_event_details(timed_out())),
            ensure_role().event(Kind::EvaluationFailed, |event| {
                event.evaluation_failed_event_details(not_evaluated())
            }),
        ] {
            let steps = steps(&story.events);
            let error = steps[0].last_error.as_ref();
            assert_eq!(error.map(|error| error.code.as_str()), Some("THROTTLED"), "{story:?}");
        }
        let untold = steps(&ensure_role().plain(Kind::TaskFailed).events);
        assert_eq!(untold[0].last_error.as_ref().unwrap().code, "UNEXPECTED");
    }

    #[test]
    fn a_step_that_was_cut_off_stays_so_whatever_comes_late() {
        let story = ensure_role().plain(Kind::ExecutionAborted).plain(Kind::TaskSucceeded);
        assert_eq!(steps(&story.events)[0].status, StepStatus::Aborted);
        let story = ensure_role().plain(Kind::ExecutionAborted).failed("Formation.NotReady");
        let step = &steps(&story.events)[0];
        assert_eq!((&step.status, &step.waiting_for), (&StepStatus::Aborted.into(), &None));
    }
}

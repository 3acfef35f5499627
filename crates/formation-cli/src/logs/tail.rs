//! Following the logs of functions.

use std::time::Duration;

use formation_model::FunctionName;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::reading::{Reading, merge};
use super::{Event, Invocations, Seen, Shown, State, record};
use crate::aws::{AwsError, Service};

/// How long after a look the next one comes while there is something new.
const PAUSE: Duration = Duration::from_secs(1);
/// How much of an account's rate of FilterLogEvents may be used: with many functions, looks are rarer.
const PAUSE_EACH: Duration = Duration::from_millis(250);
/// How long it gets while there is nothing new.
const IDLE_PAUSE: Duration = Duration::from_secs(5);
/// How long it gets while AWS throttles, or is not reached.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How often it is looked far back for what arrives late.
const FAR: Duration = Duration::from_secs(15);
/// How long AWS may be out of reach before following ends.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How far the clocks of this machine and of functions may be apart, in milliseconds: what is logged after a
/// look has begun, and that much later, is not waited for.
const CLOCKS: i64 = 60 * 1000;

/// A function whose log is read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: FunctionName,
    /// The name of its log group.
    pub log_group: String,
}

/// Which events are shown.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those that have this text.
    pub text: Option<String>,
    /// Those of this invocation.
    pub request_id: Option<String>,
}

/// What is heard of a function whose log cannot be read, or no more.
#[derive(Debug)]
pub enum Heard<'a> {
    /// AWS is out of reach, or throttles; it is tried again.
    Trouble(&'a AwsError),
    /// It does not let this log be read.
    Refused(&'a AwsError),
}

/// What one look has led to.
enum Look {
    /// Something, or nothing, was new.
    Read { new: bool },
    /// AWS is out of reach.
    Trouble,
    /// Nobody reads what is shown.
    Unread,
}

/// The logs of several functions.
#[derive(Debug)]
pub struct Tail {
    logs: Service,
    filter: Filter,
    states: Vec<State>,
}

impl Tail {
    /// What these functions log from `since` on.
    pub fn new(logs: Service, sources: Vec<Source>, since: Timestamp, filter: Filter) -> Self {
        let since = since.as_millisecond();
        let state = |Source { name, log_group }| State {
            name,
            log_group,
            seen: Seen::since(since),
            invocations: Invocations::default(),
        };
        Self { logs, filter, states: sources.into_iter().map(state).collect() }
    }

    /// Reads what is there, once: what is shown is handed to `show`, which says whether to go on; of whom
    /// nothing can be read, `hear` is told.
    ///
    /// # Errors
    /// Those of `show`.
    pub async fn read<E>(
        &mut self,
        show: impl FnMut(Shown) -> Result<bool, E>,
        mut hear: impl AsyncFnMut(&FunctionName, Heard<'_>) -> bool,
    ) -> Result<(), E> {
        let until = Timestamp::now().as_millisecond() + CLOCKS;
        let (readings, _) = self.look(true, Some(until), show).await?;
        for (state, reading) in self.states.iter().zip(&readings) {
            if let Some(error) = &reading.error {
                hear(&state.name, Heard::Refused(error)).await;
            }
        }
        Ok(())
    }

    /// Reads what is there and what comes, until nothing is left to follow or nobody reads on. `hear`
    /// answers whether a function is still to be followed.
    ///
    /// # Errors
    /// Those of `show`.
    pub async fn follow<E>(
        &mut self,
        mut show: impl FnMut(Shown) -> Result<bool, E>,
        mut hear: impl AsyncFnMut(&FunctionName, Heard<'_>) -> bool,
    ) -> Result<(), E> {
        let (mut pause, mut looked_far) = (PAUSE, None::<Instant>);
        let mut trouble_since = None::<Instant>;
        while !self.states.is_empty() {
            let far = looked_far.is_none_or(|then| then.elapsed() >= FAR);
            if far {
                looked_far = Some(Instant::now());
            }
            let in_trouble = trouble_since.is_some();
            let patient = trouble_since.is_none_or(|since| since.elapsed() < PATIENCE);
            let (readings, goes_on) = self.look(far, None, &mut show).await?;
            let looked = if goes_on {
                self.heard(readings, in_trouble, patient, &mut hear).await
            } else {
                Look::Unread
            };
            let usual =
                PAUSE.max(PAUSE_EACH * u32::try_from(self.states.len()).unwrap_or(u32::MAX));
            pause = match looked {
                Look::Unread => return Ok(()),
                Look::Trouble => {
                    trouble_since.get_or_insert_with(Instant::now);
                    (pause * 2).min(LONGEST_PAUSE)
                }
                Look::Read { new } => {
                    trouble_since = None;
                    if new { usual } else { (pause * 3 / 2).min(IDLE_PAUSE).max(usual) }
                }
            };
            if !self.states.is_empty() {
                sleep(pause).await;
            }
        }
        Ok(())
    }

    /// Looks at all logs once; whether somebody wants more is the second answer.
    async fn look<E>(
        &mut self,
        far: bool,
        until: Option<i64>,
        mut show: impl FnMut(Shown) -> Result<bool, E>,
    ) -> Result<(Vec<Read>, bool), E> {
        let Self { logs, filter, states } = self;
        let now = Timestamp::now().as_millisecond();
        let readings = states.iter_mut().map(|state| {
            Reading::new(state.log_group.clone(), state.seen.look_since(now, far), until)
        });
        let mut readings: Vec<_> = readings.collect();
        let mut new = vec![false; readings.len()];
        let goes_on = merge(logs, &mut readings, |at, event| {
            let Some(state) = states.get_mut(at) else { return Ok(true) };
            if !state.seen.is_new(&event) {
                return Ok(true);
            }
            new[at] = true;
            match shown(state, event, filter) {
                Some(event) => show(event),
                None => Ok(true),
            }
        });
        let goes_on = goes_on.await?;
        let read = readings.into_iter().zip(new);
        let read = read.map(|(reading, new)| Read { error: reading.error, new });
        Ok((read.collect(), goes_on))
    }

    /// Tells of what could not be read, and follows no more whom it is not to follow.
    async fn heard(
        &mut self,
        readings: Vec<Read>,
        in_trouble: bool,
        patient: bool,
        hear: &mut impl AsyncFnMut(&FunctionName, Heard<'_>) -> bool,
    ) -> Look {
        let new = readings.iter().any(|reading| reading.new);
        let mut trouble = false;
        let mut still = Vec::new();
        for (state, Read { error, .. }) in self.states.drain(..).zip(readings) {
            let followed = match &error {
                None => true,
                Some(error) if error.is_transient() && patient => {
                    // One outage is told once.
                    if !in_trouble && !trouble {
                        hear(&state.name, Heard::Trouble(error)).await;
                    }
                    trouble = true;
                    true
                }
                Some(error) => hear(&state.name, Heard::Refused(error)).await,
            };
            if followed {
                still.push(state);
            }
        }
        self.states = still;
        if trouble { Look::Trouble } else { Look::Read { new } }
    }
}

/// What a look at one log has led to.
struct Read {
    error: Option<AwsError>,
    new: bool,
}

/// The event with what is known of it, if it is to be shown.
fn shown(state: &mut State, event: Event, filter: &Filter) -> Option<Shown> {
    let record = record::read(&event.message);
    let request_id = state.invocations.of(&event, &record);
    if filter.text.as_ref().is_some_and(|text| !event.message.contains(text.as_str())) {
        return None;
    }
    if let Some(wanted) = &filter.request_id
        && request_id.as_ref() != Some(wanted)
        && !event.message.contains(wanted.as_str())
    {
        return None;
    }
    Some(Shown { function: state.name.clone(), event, record: record.kind, request_id })
}

//! What functions have logged, and what they log: read from CloudWatch Logs as the user, page after page.

mod reading;
pub mod record;
mod refused;
mod seen;
mod show;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use formation_model::FunctionName;

pub use refused::refused;
pub use show::{Shown, lines_of_tail};
pub use tail::{Filter, Heard, Source, Tail};

use record::{Kind, Record};
use seen::Seen;

/// An event of a log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Event {
    /// When it happened, in milliseconds since 1970.
    pub timestamp: i64,
    /// The log stream: one for each execution environment.
    pub stream: String,
    /// CloudWatch's id of it.
    pub id: String,
    /// What was logged, as it is.
    pub message: String,
}

impl Event {
    /// What tells it apart from others of its moment. The id alone does, but AWS does not promise that there is one.
    pub fn digest(&self) -> u64 {
        let mut digest = DefaultHasher::new();
        (&self.id, &self.stream, &self.message).hash(&mut digest);
        digest.finish()
    }
}

/// How many execution environments are known by what they do: more have been in use for long.
const MOST_STREAMS: usize = 10_000;

/// Which invocation each execution environment is at. Most of what code prints does not say.
#[derive(Debug, Default)]
struct Invocations(HashMap<String, String>);

impl Invocations {
    /// The invocation that an event belongs to.
    fn of(&mut self, event: &Event, record: &Record) -> Option<String> {
        let own = record.request_id.clone();
        match (&record.kind, &own) {
            (Kind::Start, Some(id)) => {
                if self.0.len() >= MOST_STREAMS {
                    self.0.clear();
                }
                self.0.insert(event.stream.clone(), id.clone());
            }
            // END comes before REPORT, which has the id itself.
            (Kind::End, _) | (Kind::Report(_), Some(_)) => {
                self.0.remove(&event.stream);
            }
            _ => {}
        }
        own.or_else(|| self.0.get(&event.stream).cloned())
    }
}

/// What is known of a function whose log is read.
#[derive(Debug)]
struct State {
    name: FunctionName,
    log_group: String,
    seen: Seen,
    invocations: Invocations,
}

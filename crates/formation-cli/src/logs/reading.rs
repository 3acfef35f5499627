//! Reading log groups: pages of one, and the events of several in the order of time.

use std::collections::VecDeque;

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use super::Event;
use crate::aws::{AwsError, Service};

/// How many log groups are asked at once. FilterLogEvents has a rate of its own for the account, 5 or 10 a
/// second: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>.
const AT_ONCE: usize = 4;

/// What a log group has in a time, of which at most one page is held.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>:
/// sorted by time, up to 1 MB a page; an empty page may be followed by others.
#[derive(Debug)]
pub(super) struct Reading {
    log_group: String,
    since: i64,
    until: Option<i64>,
    page: VecDeque<Event>,
    next: Next,
    /// Why it has ended early.
    pub error: Option<AwsError>,
}

#[derive(Debug)]
enum Next {
    First,
    Page(String),
    End,
}

impl Reading {
    /// All that `log_group` has from `since` on, and before `until`: milliseconds since 1970.
    pub fn new(log_group: String, since: i64, until: Option<i64>) -> Self {
        // No event is older than 1970 to CloudWatch.
        let since = since.max(0);
        let page = VecDeque::new();
        Self { log_group, since, until, page, next: Next::First, error: None }
    }

    fn is_to_be_filled(&self) -> bool {
        self.page.is_empty() && self.error.is_none() && !matches!(self.next, Next::End)
    }

    /// Asks until there are events, or no more will come.
    async fn fill(&mut self, logs: &Service) {
        while self.is_to_be_filled() {
            match self.ask(logs).await {
                Ok(page) => {
                    self.page = page.events.into_iter().map(Event::from).collect();
                    let next = page.next_token.map_or(Next::End, Next::Page);
                    // The same token twice would lead round and round.
                    let again = match (&self.next, &next) {
                        (Next::Page(before), Next::Page(next)) => before == next,
                        _ => false,
                    };
                    self.next = if again { Next::End } else { next };
                }
                Err(error) => self.error = Some(error),
            }
        }
    }

    async fn ask(&self, logs: &Service) -> Result<Page, AwsError> {
        let mut document = json!({"logGroupName": self.log_group, "startTime": self.since});
        if let Some(until) = self.until {
            document["endTime"] = until.into();
        }
        if let Next::Page(token) = &self.next {
            document["nextToken"] = token.as_str().into();
        }
        let answer = logs.json("Logs_20140328.FilterLogEvents", &document).await?;
        serde_json::from_value(answer).map_err(|_| AwsError::Unreadable("logs"))
    }
}

/// The answer to FilterLogEvents.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    events: Vec<FilteredEvent>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct FilteredEvent {
    timestamp: i64,
    log_stream_name: String,
    event_id: String,
    message: String,
}

impl From<FilteredEvent> for Event {
    fn from(event: FilteredEvent) -> Self {
        let FilteredEvent { timestamp, log_stream_name, event_id, message } = event;
        Self { timestamp, stream: log_stream_name, id: event_id, message }
    }
}

/// Hands the events of all readings over in the order of time, with the number of the reading that each is
/// of, as long as `take` wants more. A reading that fails ends; the others go on.
pub(super) async fn merge<E>(
    logs: &Service,
    readings: &mut [Reading],
    mut take: impl FnMut(usize, Event) -> Result<bool, E>,
) -> Result<bool, E> {
    let empty = readings.iter_mut().map(|reading| reading.fill(logs));
    stream::iter(empty).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    loop {
        let first = readings
            .iter()
            .enumerate()
            .filter_map(|(at, reading)| reading.page.front().map(|event| (event.timestamp, at)));
        let Some((_, at)) = first.min() else { return Ok(true) };
        if let Some(event) = readings[at].page.pop_front()
            && !take(at, event)?
        {
            return Ok(false);
        }
        readings[at].fill(logs).await;
    }
}

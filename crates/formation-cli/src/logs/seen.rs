//! Which events have been shown already.

use std::collections::BTreeSet;

use super::Event;

/// How far behind the newest event one may arrive and still be shown, in milliseconds.
const LOOK_BACK: i64 = 5 * 60 * 1000;
/// How far back every look goes: nearly all events are there within seconds.
const GLANCE_BACK: i64 = 10 * 1000;
/// How many events are remembered at the most: some megabytes. Of a function that logs more within
/// [`LOOK_BACK`], late events are waited for for a shorter time.
const MOST: usize = 200_000;

/// The events of a function that have been shown, as far back as it is looked.
#[derive(Debug)]
pub struct Seen {
    /// Each by its moment and a digest.
    events: BTreeSet<(i64, u64)>,
    /// All events since then are remembered.
    since: i64,
    most: usize,
}

impl Seen {
    /// Nothing since this moment.
    pub fn since(since: i64) -> Self {
        Self { events: BTreeSet::new(), since, most: MOST }
    }

    /// Whether the event is a new one; from now on it is none.
    pub fn is_new(&mut self, event: &Event) -> bool {
        let new = self.events.insert((event.timestamp, event.digest()));
        // A moment goes as a whole, so that what is remembered of one is always all of it.
        if self.events.len() > self.most
            && let Some(&(oldest, _)) = self.events.first()
        {
            self.forget_before(oldest + 1);
        }
        new
    }

    /// From which moment on to look. Clocks of functions may be wrong: one that is ahead must not hide what
    /// others log `now`.
    pub fn look_since(&mut self, now: i64, far: bool) -> i64 {
        let newest = self.events.last().map_or(self.since, |(newest, _)| (*newest).min(now));
        self.forget_before(newest.saturating_sub(LOOK_BACK));
        if far { self.since } else { self.since.max(newest.saturating_sub(GLANCE_BACK)) }
    }

    fn forget_before(&mut self, moment: i64) {
        if moment > self.since {
            self.since = moment;
            self.events = self.events.split_off(&(moment, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(timestamp: i64, id: &str) -> Event {
        Event { timestamp, id: id.to_owned(), ..Event::default() }
    }

    #[test]
    fn an_event_is_new_once() {
        let mut seen = Seen::since(0);
        assert!(seen.is_new(&event(1, "a")) && seen.is_new(&event(1, "b")));
        assert!(!seen.is_new(&event(1, "a")) && !seen.is_new(&event(1, "b")));
    }

    #[test]
    fn it_is_looked_back_from_the_newest_event_and_from_now() {
        let now = 10_000_000;
        let mut seen = Seen::since(now - 600_000);
        assert_eq!(seen.look_since(now, false), now - 600_000);
        seen.is_new(&event(now - 1000, "a"));
        assert_eq!(seen.look_since(now, false), now - 1000 - GLANCE_BACK);
        assert_eq!(seen.look_since(now, true), now - 1000 - LOOK_BACK);
        // By a clock that is two hours ahead.
        seen.is_new(&event(now + 7_200_000, "b"));
        assert_eq!(seen.look_since(now, true), now - LOOK_BACK);
        assert!(!seen.is_new(&event(now + 7_200_000, "b")));
        // What is within the window is not shown again, and not forgotten.
        assert!(!seen.is_new(&event(now - 1000, "a")));
    }

    #[test]
    fn what_is_remembered_has_a_limit_and_is_complete() {
        let mut seen = Seen { most: 3, ..Seen::since(0) };
        for (timestamp, id) in [(1, "a"), (1, "b"), (2, "c"), (3, "d")] {
            assert!(seen.is_new(&event(timestamp, id)));
        }
        assert_eq!((seen.events.len(), seen.look_since(3, true)), (2, 2));
    }
}

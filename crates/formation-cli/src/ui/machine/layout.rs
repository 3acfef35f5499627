//! Where each state stands: lanes beside each other, each from top to bottom.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use super::{DEFINITION, State, states};

/// Where a state stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The lane's column: the usual way is 0, what leads back to it is left of it, and what is done about a
    /// failure right of it.
    pub column: i32,
    /// How many states come before it, at the most.
    pub row: i32,
}

/// The state machine, laid out.
#[derive(Debug)]
pub struct Machine {
    pub(super) states: Vec<State>,
    pub(super) start: usize,
    /// Nothing for a state that is an end to which only failures of a kind lead: many arrows would lead there.
    pub(super) places: Vec<Option<Place>>,
}

impl Machine {
    /// The one that this release deploys.
    pub fn read() -> Self {
        // A test reads it, too.
        Self::of(&serde_json::from_str(DEFINITION).unwrap_or_default())
    }

    /// That of a definition.
    pub fn of(definition: &Value) -> Self {
        let (states, start) = states(definition);
        if states.is_empty() {
            return Self { states, start, places: Vec::new() };
        }
        let lanes = lanes(&states, start);
        let rows = rows(&states, start, &lanes);
        let places = places(&states, &lanes, &rows);
        Self { states, start, places }
    }

    /// What a state is for, by its name.
    pub fn comment(&self, name: &str) -> Option<&str> {
        let found = self.states.iter().find(|state| state.name == name)?;
        Some(&found.comment)
    }

    /// The last states of an execution that do something: behind them it has succeeded or failed.
    pub fn ends(&self) -> Vec<String> {
        let acts = self.states.iter().filter(|state| !state.is_outcome && !state.chooses);
        let ends = acts.filter(|state| state.forward.iter().all(|it| self.states[*it].is_outcome));
        ends.map(|state| state.name.clone()).collect()
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.states.iter().position(|state| state.name == name)
    }

    /// The way from one state to another through nothing but choices, both ends included.
    pub(super) fn way(&self, from: usize, to: usize) -> Vec<usize> {
        let mut before = vec![None; self.states.len()];
        let mut next = VecDeque::from([from]);
        let mut seen = BTreeSet::from([from]);
        while let Some(at) = next.pop_front() {
            let state = &self.states[at];
            for &onward in state.forward.iter().chain(&state.caught) {
                if !seen.insert(onward) {
                    continue;
                }
                before[onward] = Some(at);
                if onward == to {
                    let steps = std::iter::successors(Some(to), |it| before[*it]);
                    let mut way: Vec<_> = steps.collect();
                    way.reverse();
                    return way;
                }
                if self.states[onward].chooses {
                    next.push_back(onward);
                }
            }
        }
        Vec::new()
    }
}

/// States that follow each other.
#[derive(Debug)]
struct Lane {
    states: Vec<usize>,
    /// Which earlier lane it leads to, or else comes from.
    beside: usize,
}

/// The usual way first, then what is done about a failure, then what each choice leads to besides.
fn lanes(states: &[State], start: usize) -> Vec<Lane> {
    let mut of = vec![None; states.len()];
    let mut lanes: Vec<Lane> = Vec::new();
    let mut add = |first: usize, from: usize| {
        let mut lane = Vec::new();
        let mut next = Some(first);
        while let Some(at) = next.filter(|at| of[*at].is_none()) {
            of[at] = Some(lanes.len());
            lane.push(at);
            next = states[at].usual();
        }
        if lane.is_empty() {
            return None;
        }
        let beside =
            next.and_then(|joined| of[joined]).filter(|it| *it != lanes.len()).unwrap_or(from);
        lanes.push(Lane { states: lane.clone(), beside });
        Some(lane)
    };
    let mut open: VecDeque<_> = add(start, 0).into_iter().flatten().map(|it| (it, 0)).collect();
    let failing = open.iter().flat_map(|(it, _)| &states[*it].caught);
    let failing = failing.copied().find(|it| states[*it].usual().is_some());
    let mut count = 1;
    if let Some(lane) = failing.and_then(|first| add(first, 1)) {
        open.extend(lane.into_iter().map(|it| (it, 1)));
        count += 1;
    }
    while let Some((at, lane)) = open.pop_front() {
        for &next in &states[at].forward {
            if let Some(added) = add(next, lane) {
                open.extend(added.into_iter().map(|it| (it, count)));
                count += 1;
            }
        }
    }
    lanes
}

/// Whether a lane is of what is done about a failure.
fn is_right(lanes: &[Lane], at: usize) -> bool {
    at == 1 || (at > 1 && lanes[at].beside == 1)
}

/// How many states come before each on the longest way forward, of those that stand in a lane.
fn rows(states: &[State], start: usize, lanes: &[Lane]) -> Vec<i32> {
    let right = |at: usize| {
        let lane = lanes.iter().position(|lane| lane.states.contains(&at));
        lane.is_some_and(|lane| is_right(lanes, lane))
    };
    let standing: BTreeSet<_> = lanes.iter().flat_map(|lane| lane.states.iter().copied()).collect();
    let mut rows = vec![0; states.len()];
    // The beginning of what is done about a failure has a row of its own, too.
    if let Some(first) = lanes.get(1).and_then(|lane| lane.states.first()) {
        rows[*first] = 1;
    }
    rows[start] = 0;
    // A way that leads back does not end: as many rounds as there are states are enough for any other.
    for _ in 0..states.len() {
        for (at, state) in states.iter().enumerate().filter(|(at, _)| standing.contains(at)) {
            for &next in &state.forward {
                let below = rows[at] + 1;
                // What is done about a failure leads back to the usual way, and not on.
                if right(at) && !right(next) {
                    continue;
                }
                if next != start && below < i32::try_from(states.len()).unwrap_or(i32::MAX) {
                    rows[next] = rows[next].max(below);
                }
            }
        }
    }
    rows
}

/// The usual way in the middle; beside it each lane in the nearest column in which it is alone, short ones
/// nearer than long ones.
fn places(states: &[State], lanes: &[Lane], rows: &[i32]) -> Vec<Option<Place>> {
    let mut places = vec![None; states.len()];
    let mut taken: Vec<(i32, i32, i32)> = Vec::new();
    let span = |lane: &Lane| {
        let first = lane.states.first().map_or(0, |it| rows[*it]);
        let last = lane.states.last().copied().unwrap_or_default();
        // Down to where it leads the column is its own: there its arrow goes.
        let end = states[last].usual().map_or(rows[last], |next| (rows[next] - 1).max(rows[last]));
        (first, end)
    };
    let mut order: Vec<_> = (0..lanes.len()).collect();
    order.sort_by_key(|at| {
        let (first, end) = span(&lanes[*at]);
        (*at > 1, if *at > 1 { end - first } else { 0 }, *at)
    });
    for at in order {
        let lane = &lanes[at];
        let (first, end) = span(lane);
        let is_free = |column: i32| {
            taken.iter().all(|(other, from, to)| *other != column || end < *from || first > *to)
        };
        let column = match at {
            0 => 0,
            1 => 1,
            _ => {
                let side = if is_right(lanes, at) { 1 } else { -1 };
                let nearest = (1..).map(|away| away * side);
                nearest.into_iter().find(|column| is_free(*column)).unwrap_or_default()
            }
        };
        taken.push((column, first, end));
        for state in &lane.states {
            places[*state] = Some(Place { column, row: rows[*state] });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn place(machine: &Machine, name: &str) -> Place {
        machine.places[machine.number(name).unwrap()].unwrap()
    }

    #[test]
    fn every_state_stands_in_a_place_of_its_own() {
        let machine = Machine::read();
        assert!(machine.states.len() > 20);
        let mut places = BTreeMap::new();
        for (state, place) in machine.states.iter().zip(&machine.places) {
            let is_end = state.forward.is_empty() && state.caught.is_empty();
            assert!(place.is_some() || is_end, "{} has no place", state.name);
            if let Some(Place { column, row }) = place {
                let other = places.insert((*column, *row), &state.name);
                assert_eq!(other, None, "{} is in the way", state.name);
            }
        }
    }

    #[test]
    fn lanes_go_down_beside_each_other() {
        let machine = Machine::read();
        let usual =
            ["Ensure role", "Ensure log group", "Ensure function", "Go live", "Record success"];
        for pair in usual.windows(2) {
            let (one, other) = (place(&machine, pair[0]), place(&machine, pair[1]));
            assert!(one.row < other.row && one.column == 0 && other.column == 0, "{pair:?}");
        }
        assert!(place(&machine, "Remove function").column < 0);
        assert_eq!(place(&machine, "Undo role").column, 1);
        assert!(place(&machine, "Restore role").column > 1);
    }

    #[test]
    fn a_state_that_is_added_appears() {
        let mut definition: Value = serde_json::from_str(DEFINITION).unwrap();
        let states = definition["States"].as_object_mut().unwrap();
        states["Go live"]["Next"] = "Ensure triggers".into();
        let mut added = states["Go live"].clone();
        added["Next"] = "What next".into();
        states.insert("Ensure triggers".to_owned(), added);
        let machine = Machine::of(&definition);
        let added = place(&machine, "Ensure triggers");
        assert!(added.column == 0 && added.row > place(&machine, "Go live").row);
        assert!(added.row < place(&machine, "Record success").row);
    }

    #[test]
    fn an_execution_ends_with_what_it_announces() {
        assert_eq!(Machine::read().ends(), ["Announce success", "Announce failure"]);
    }

    #[test]
    fn a_definition_that_leads_round_and_round_ends() {
        let round = serde_json::json!({"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"},
        }});
        assert_eq!(Machine::of(&round).places.len(), 2);
        assert!(Machine::of(&Value::Null).places.is_empty());
    }
}

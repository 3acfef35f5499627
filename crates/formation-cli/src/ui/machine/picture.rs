//! The picture of the state machine, with what an operation has done of it.

use std::collections::BTreeSet;

use formation_model::operation::{OperationStep, StepStatus};
use formation_model::{Operation, OperationStatus};

use super::layout::{Machine, Place};
use crate::follow::failed;
use crate::output::table::took;

/// Sizes, in the units of the picture.
const WIDTH: i32 = 150;
const HEIGHT: i32 = 38;
const ACROSS: i32 = 172;
const DOWN: i32 = 60;
const MARGIN: i32 = 8;

/// A state in the picture.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its left edge.
    pub x: i32,
    /// Its upper edge.
    pub y: i32,
    /// How wide it is.
    pub width: i32,
    /// How high it is.
    pub height: i32,
    /// The middle of its text.
    pub middle: i32,
    /// Where its name stands.
    pub name_y: i32,
    /// Where the line below its name stands.
    pub told_y: i32,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub comment: String,
    /// How it went: a class of the style sheet.
    pub class: &'static str,
    /// What there is to say of how it went; empty where it was not entered.
    pub told: String,
}

/// An arrow.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its path, as SVG has it.
    pub path: String,
    /// Of what kind it is, and whether it was taken: classes of the style sheet.
    pub class: &'static str,
}

/// The picture.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// How wide it is.
    pub width: i32,
    /// How high it is.
    pub height: i32,
    /// The arrows: those that were taken last, so that they are on top.
    pub lines: Vec<Line>,
    /// The states.
    pub marks: Vec<Mark>,
}

impl Machine {
    /// The picture, with the steps of an operation.
    pub fn draw(&self, operation: &Operation) -> Drawn {
        let steps = operation.steps.as_deref().unwrap_or_default();
        let mut taken = self.taken(steps);
        let outcome = self.outcome(operation, steps);
        taken.extend(outcome);
        let columns = self.places.iter().flatten().map(|place| place.column);
        let left = columns.clone().min().unwrap_or_default();
        let right = columns.max().unwrap_or_default();
        let last = self.places.iter().flatten().map(|place| place.row).max().unwrap_or_default();
        let ground = Ground { left, places: &self.places };
        let marks =
            self.states.iter().zip(&self.places).enumerate().filter_map(|(at, (_, place))| {
                let mark = self.mark(at, ground.at((*place)?), steps, &taken);
                // What says how it ended is no step: it has taken no time, and done nothing.
                let class =
                    if outcome.is_some_and(|(_, to)| to == at) { "failed" } else { mark.class };
                Some(Mark { class, ..mark })
            });
        let failing = steps.iter().filter(|step| failed(step)).map(|step| step.name.as_str());
        let mut lines = self.lines(ground, &taken, &failing.collect());
        lines.sort_by_key(|line| line.class.contains("taken"));
        Drawn {
            width: (right - left) * ACROSS + WIDTH + 2 * MARGIN,
            height: last * DOWN + HEIGHT + 2 * MARGIN,
            lines,
            marks: marks.collect(),
        }
    }

    /// The pairs of states that the steps have led through, choices between them included.
    fn taken(&self, steps: &[OperationStep]) -> BTreeSet<(usize, usize)> {
        let numbers: Vec<_> = steps.iter().filter_map(|step| self.number(&step.name)).collect();
        let first = numbers.first().map(|first| (self.start, *first));
        let pairs = first.into_iter().chain(numbers.windows(2).map(|pair| (pair[0], pair[1])));
        let ways = pairs.map(|(from, to)| self.way(from, to));
        ways.flat_map(|way| way.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>())
            .collect()
    }

    /// The way from the last step to the state that only says that the operation has failed.
    fn outcome(&self, operation: &Operation, steps: &[OperationStep]) -> Option<(usize, usize)> {
        let last = steps.last().filter(|step| step.status == StepStatus::Succeeded)?;
        let from = self.number(&last.name)?;
        let to = self.states[from].usual().filter(|to| self.states[*to].is_outcome)?;
        (operation.status == OperationStatus::Failed).then_some((from, to))
    }

    fn mark(
        &self,
        at: usize,
        (x, y): (i32, i32),
        steps: &[OperationStep],
        taken: &BTreeSet<(usize, usize)>,
    ) -> Mark {
        let state = &self.states[at];
        let step = steps.iter().rfind(|step| step.name == state.name);
        let passed = taken.iter().any(|(from, to)| *from == at || *to == at);
        let class = match step {
            Some(step) => class(step),
            None if passed => "passed",
            None => "idle",
        };
        let told = step.map(told).unwrap_or_default();
        let name_y = if told.is_empty() { y + HEIGHT / 2 + 4 } else { y + 16 };
        Mark {
            x,
            y,
            width: WIDTH,
            height: HEIGHT,
            middle: x + WIDTH / 2,
            name_y,
            told_y: y + 30,
            name: state.name.clone(),
            comment: state.comment.clone(),
            class,
            told,
        }
    }

    fn lines(
        &self,
        ground: Ground<'_>,
        taken: &BTreeSet<(usize, usize)>,
        failing: &BTreeSet<&str>,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        for (from, state) in self.states.iter().enumerate() {
            let Some(place) = self.places[from] else { continue };
            for &to in &state.forward {
                let Some(target) = self.places[to] else { continue };
                // What leads back up would cross what leads down; the states themselves tell that it was taken.
                let is_taken = taken.contains(&(from, to));
                let leads_back = place.column > 0 && target.column <= 0;
                if target.row <= place.row || (leads_back && !is_taken) {
                    continue;
                }
                let class = if is_taken { "way taken" } else { "way" };
                lines.push(Line { path: ground.down(place, target), class });
            }
            for &to in &state.caught {
                let Some(target) = self.places[to] else { continue };
                let is_taken = taken.contains(&(from, to)) && failing.contains(state.name.as_str());
                // From the usual way each has a stub; from elsewhere only the one that was taken has an arrow.
                let path = match (place.column, target.column) {
                    (0, 1) => ground.across(place, target),
                    (one, other) if one == other && is_taken => ground.past(place, target),
                    _ => continue,
                };
                let class = if is_taken { "fall taken" } else { "fall" };
                lines.push(Line { path, class });
            }
        }
        lines
    }
}

/// What the picture stands on.
#[derive(Clone, Copy)]
struct Ground<'a> {
    left: i32,
    places: &'a [Option<Place>],
}

impl Ground<'_> {
    /// The upper left corner of a place.
    fn at(self, place: Place) -> (i32, i32) {
        (MARGIN + (place.column - self.left) * ACROSS, MARGIN + place.row * DOWN)
    }

    /// Whether a column has nothing between two rows.
    fn is_free(self, column: i32, from: i32, to: i32) -> bool {
        let between = |place: &Place| place.column == column && place.row > from && place.row < to;
        !self.places.iter().flatten().any(between)
    }

    /// From the foot of one place to the head of another below it, through what is free.
    fn down(self, from: Place, to: Place) -> String {
        let ((x, y), (end_x, end_y)) = (self.at(from), self.at(to));
        let (x, end_x, y) = (x + WIDTH / 2, end_x + WIDTH / 2, y + HEIGHT);
        let gap = (DOWN - HEIGHT) / 2;
        if self.is_free(from.column, from.row, to.row) {
            return format!("M{x} {y}V{}H{end_x}V{end_y}", end_y - gap);
        }
        if self.is_free(to.column, from.row, to.row) {
            return format!("M{x} {y}V{}H{end_x}V{end_y}", y + gap);
        }
        let beside = self.at(to).0 - (ACROSS - WIDTH) / 4;
        format!("M{x} {y}V{}H{beside}V{}H{end_x}V{end_y}", y + gap, end_y - gap)
    }

    /// From the side of one place to that of another, which is in the next column.
    fn across(self, from: Place, to: Place) -> String {
        let ((x, y), (end_x, end_y)) = (self.at(from), self.at(to));
        let beside = end_x - (ACROSS - WIDTH) / 2;
        format!("M{} {}H{beside}V{}H{end_x}", x + WIDTH, y + HEIGHT / 2, end_y + HEIGHT / 2)
    }

    /// Past what is between two places of a column.
    fn past(self, from: Place, to: Place) -> String {
        let ((x, y), (_, end_y)) = (self.at(from), self.at(to));
        let beside = x - (ACROSS - WIDTH) / 4;
        format!("M{x} {}H{beside}V{}H{x}", y + HEIGHT / 2, end_y + HEIGHT / 2)
    }
}

/// How a step went: a class of the style sheet.
pub fn class(step: &OperationStep) -> &'static str {
    match step.status.known() {
        Some(StepStatus::Running) => "running",
        Some(StepStatus::Waiting) => "waiting",
        Some(StepStatus::Succeeded) => "succeeded",
        Some(StepStatus::Failed) => "failed",
        Some(StepStatus::Aborted) => "aborted",
        None => "passed",
    }
}

/// What there is to say of a step in a few words.
fn told(step: &OperationStep) -> String {
    let tries = match step.attempts {
        0 | 1 => String::new(),
        more => format!("{more} tries"),
    };
    let time = match (step.status.known(), step.ended_at) {
        (_, Some(ended)) => took(step.started_at, ended),
        (Some(StepStatus::Waiting), None) => "waits".to_owned(),
        _ => "at work".to_owned(),
    };
    if tries.is_empty() { time } else { format!("{time} \u{b7} {tries}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation(steps: &[(&str, &str)]) -> Operation {
        let steps = steps.iter().map(|(name, status)| {
            json!({"name": name, "status": status, "attempts": 2, "startedAt": "2026-11-25T17:00:00Z"})
        });
        let operation = json!({
            "operationId": "01JDJ3M6Q5X8Z7W2V4T9R0N1KB", "kind": "CREATE", "functionName": "hello",
            "status": "RUNNING", "rollback": "NOT_NEEDED", "startedAt": "2026-11-25T17:00:00Z",
            "requestedBy": "ann", "executionArn": "arn:e", "consoleUrl": "https://c",
            "steps": steps.collect::<Vec<_>>(),
        });
        serde_json::from_value(operation).unwrap()
    }

    fn lit(drawn: &Drawn, class: &str) -> Vec<String> {
        let lit = drawn.marks.iter().filter(|mark| mark.class == class);
        lit.map(|mark| mark.name.clone()).collect()
    }

    #[test]
    fn what_was_done_is_lit_with_the_choices_between() {
        let machine = Machine::read();
        let create = [("Ensure role", "SUCCEEDED"), ("Ensure log group", "RUNNING")];
        let drawn = machine.draw(&operation(&create));
        assert_eq!(lit(&drawn, "succeeded"), ["Ensure role"]);
        assert_eq!(lit(&drawn, "running"), ["Ensure log group"]);
        assert_eq!(lit(&drawn, "passed"), ["Choose lane"]);
        assert_eq!(drawn.lines.iter().filter(|it| it.class == "way taken").count(), 2);
        let undone = [
            ("Ensure role", "SUCCEEDED"),
            ("Ensure log group", "FAILED"),
            ("Restore live", "SUCCEEDED"),
            ("Let AWS settle", "SUCCEEDED"),
            ("Undo function", "WAITING"),
        ];
        let drawn = machine.draw(&operation(&undone));
        assert_eq!(lit(&drawn, "failed"), ["Ensure log group"]);
        assert_eq!(lit(&drawn, "waiting"), ["Undo function"]);
        assert_eq!(lit(&drawn, "passed"), ["Choose lane", "Choose recovery"]);
        assert_eq!(drawn.lines.iter().filter(|it| it.class == "fall taken").count(), 1);
    }

    #[test]
    fn what_has_failed_is_seen_to_end_so() {
        let machine = Machine::read();
        let steps = [("Record failure", "SUCCEEDED"), ("Announce failure", "SUCCEEDED")];
        let mut failed = operation(&steps);
        assert!(lit(&machine.draw(&failed), "failed").is_empty(), "it still runs");
        failed.status = OperationStatus::Failed.into();
        let drawn = machine.draw(&failed);
        assert_eq!(lit(&drawn, "failed"), ["Operation failed"]);
        let taken = |drawn: &Drawn| drawn.lines.iter().filter(|it| it.class == "way taken").count();
        assert_eq!(taken(&drawn), taken(&machine.draw(&operation(&steps))) + 1);
    }

    #[test]
    fn everything_is_within_the_picture_and_no_arrow_leads_through_a_state() {
        let drawn = Machine::read().draw(&operation(&[]));
        for mark in &drawn.marks {
            assert!(mark.x >= 0 && mark.x + mark.width <= drawn.width, "{mark:?}");
            assert!(mark.y >= 0 && mark.y + mark.height <= drawn.height, "{mark:?}");
        }
        for line in drawn.lines.iter().filter(|it| it.class == "way") {
            let mut at = (0, 0);
            for (command, numbers) in commands(&line.path) {
                let to = match command {
                    'H' => (numbers[0], at.1),
                    'V' => (at.0, numbers[0]),
                    _ => (numbers[0], numbers[1]),
                };
                let crosses = |mark: &&Mark| {
                    let (x, y) =
                        ((at.0.min(to.0), at.0.max(to.0)), (at.1.min(to.1), at.1.max(to.1)));
                    x.1 > mark.x
                        && x.0 < mark.x + mark.width
                        && y.1 > mark.y
                        && y.0 < mark.y + mark.height
                };
                if command != 'M' {
                    assert!(drawn.marks.iter().find(crosses).is_none(), "{line:?} {at:?} {to:?}");
                }
                at = to;
            }
        }
    }

    fn commands(path: &str) -> Vec<(char, Vec<i32>)> {
        let starts = path.match_indices(|c: char| c.is_ascii_alphabetic()).map(|(at, _)| at);
        let starts: Vec<_> = starts.chain([path.len()]).collect();
        let part = |pair: &[usize]| {
            let numbers = path[pair[0] + 1..pair[1]].split(' ').map(|it| it.parse().unwrap());
            (path[pair[0]..].chars().next().unwrap(), numbers.collect())
        };
        starts.windows(2).map(part).collect()
    }
}

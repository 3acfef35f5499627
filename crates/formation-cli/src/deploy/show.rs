//! A plan as people read it: on a terminal, and as Markdown in CI's summary.

use formation_model::plan::{Action, PlannedPart, PlannedTrigger};
use formation_model::{Difference, FunctionName, Part};
use serde_json::Value;

use super::planned::{Planned, verb};
use crate::output::one_line;
use crate::output::table::word;

/// How long a value may be before it is cut: what is shown is to be read.
const LONGEST: usize = 120;

/// What a plan comes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// Functions to be made.
    pub create: usize,
    /// Functions to be changed.
    pub update: usize,
    /// Functions to be deleted.
    pub delete: usize,
    /// Functions that are as wanted.
    pub unchanged: usize,
}

impl Sum {
    /// That of functions that are planned, and of so many that are to go.
    pub fn of(planned: &[Planned], delete: usize) -> Self {
        let create = planned.iter().filter(|it| it.is_new()).count();
        let changed = planned.iter().filter(|it| it.changes()).count();
        Self { create, update: changed - create, delete, unchanged: planned.len() - changed }
    }

    /// Whether there is something to do.
    pub fn changes(&self) -> bool {
        self.create + self.update + self.delete > 0
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let Self { create, update, delete, unchanged } = self;
        format!("{create} to create, {update} to update, {delete} to delete, {unchanged} unchanged")
    }
}

/// A plan for a terminal; `going` are functions that the manifest does not name any more.
pub fn text(planned: &[Planned], going: &[FunctionName]) -> String {
    let mut lines = Vec::new();
    for function in planned.iter().filter(|it| it.changes()) {
        let sign = if function.is_new() { "+" } else { "~" };
        let name = &function.wanted.name;
        lines.push(format!("{sign} {name}: {}", verb(function.plan.kind.as_ref())));
        let parts = part_lines(&function.plan.parts, function.is_new());
        lines.extend(parts.iter().map(|line| format!("    {line}")));
        for warning in &function.plan.warnings {
            lines.push(format!("    warning: {} ({})", warning.detail, warning.pointer));
        }
    }
    lines.extend(going.iter().map(|name| format!("- {name}: delete")));
    lines.push(Sum::of(planned, going.len()).sentence());
    lines.join("\n")
}

/// What is done to each part, and what changes in it.
pub fn part_lines(parts: &[PlannedPart], is_new: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for part in parts {
        let none = part.action.known() == Some(&Action::None);
        let is_live = part.part == Part::Live && !is_new;
        if none && part.differences.is_empty() && part.more == 0 && !is_live {
            continue;
        }
        let noticed = match is_live {
            true if none => ": callers stay on their version",
            true => ": callers move to another version",
            false => "",
        };
        lines.push(format!("{} {}{noticed}", part.part, word(&part.action)));
        let triggers = part.triggers.iter();
        let triggers = triggers.filter(|it| it.action.known() != Some(&Action::None));
        lines.extend(triggers.map(|it| format!("  {}", trigger(it))));
        // Of what is new everything differs from nothing: the manifest tells it.
        if !is_new {
            lines.extend(part.differences.iter().map(|it| format!("  {}", line(it))));
            if part.more > 0 {
                lines.push(format!("  and {} more", part.more));
            }
        }
    }
    lines
}

/// A plan as Markdown.
pub fn markdown(planned: &[Planned], going: &[FunctionName]) -> String {
    let sum = Sum::of(planned, going.len());
    let mut lines = vec!["### Formation plan".to_owned(), String::new(), sum.sentence()];
    if sum.changes() {
        lines.push(String::new());
        lines.push("| function | action | what changes |".to_owned());
        lines.push("|---|---|---|".to_owned());
    }
    for function in planned.iter().filter(|it| it.changes()) {
        let changes: Vec<_> = match function.is_new() {
            true => vec!["all of it".to_owned()],
            false => {
                let more: usize = function.plan.parts.iter().map(|part| part.more).sum();
                let more = (more > 0).then(|| format!("and {more} more"));
                function.differences().map(|it| cell(&line(it))).chain(more).collect()
            }
        };
        let (name, action) = (&function.wanted.name, verb(function.plan.kind.as_ref()));
        lines.push(format!("| `{name}` | {action} | {} |", changes.join("<br>")));
    }
    lines.extend(going.iter().map(|name| format!("| `{name}` | delete | all of it |")));
    let warnings = planned.iter().flat_map(|it| it.plan.warnings.iter().map(move |w| (it, w)));
    for (function, warning) in warnings {
        lines.push(String::new());
        lines.push(format!("> **{}**: {}", function.wanted.name, cell(&warning.detail)));
    }
    lines.join("\n") + "\n"
}

/// What becomes of a trigger.
fn trigger(planned: &PlannedTrigger) -> String {
    let PlannedTrigger { kind, name, action } = planned;
    let name = if name.is_empty() { String::new() } else { format!(" {name}") };
    format!("{kind}{name} {}", word(action))
}

/// What a property becomes.
fn line(difference: &Difference) -> String {
    change(&difference.property, &difference.actual, &difference.expected)
}

/// What a property was, and what it is then.
pub fn change(property: &str, from: &Value, to: &Value) -> String {
    match (from, to) {
        // Values that are not shown are both a mask.
        (from, to) if from == to => format!("{property}: changes"),
        (Value::Null, to) => format!("{property}: {}", shown(to)),
        (from, Value::Null) => format!("{property}: {} is taken away", shown(from)),
        (from, to) => format!("{property}: {} -> {}", shown(from), shown(to)),
    }
}

fn shown(value: &Value) -> String {
    // Of code only its digest says something.
    let text = match value.get("sha256").and_then(Value::as_str) {
        Some(sha256) => format!("SHA-256 {sha256}"),
        None => value.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['\u{2026}']).collect()
}

/// A text that is nothing but text in Markdown, in one line.
/// Source: <https://spec.commonmark.org/0.31.2/#backslash-escapes>.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        if character.is_ascii_punctuation() {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// How operations ended, as Markdown.
pub fn outcomes(ended: &[Ended]) -> String {
    let mut lines = vec!["### Formation apply".to_owned(), String::new()];
    lines.push("| function | outcome |".to_owned());
    lines.push("|---|---|".to_owned());
    for Ended { name, told, link } in ended {
        let link = match link {
            Some(link) if link.starts_with("https://") && !link.contains([')', '(', ' ', '|']) => {
                format!(" ([execution]({link}))")
            }
            _ => String::new(),
        };
        lines.push(format!("| `{name}` | {}{link} |", cell(told)));
    }
    lines.join("\n") + "\n"
}

/// What became of a function.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The function.
    pub name: FunctionName,
    /// What became of it, in a few words.
    pub told: String,
    /// Its execution in the console.
    pub link: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_told_by_kind_and_name() {
        for (kind, name, action, expected) in [
            ("SCHEDULE", "nightly", Action::Change, "SCHEDULE nightly CHANGE"),
            ("FUNCTION_URL", "", Action::Delete, "FUNCTION_URL DELETE"),
            ("OF_A_LATER_RELEASE", "x", Action::Create, "OF_A_LATER_RELEASE x CREATE"),
        ] {
            let kind = serde_json::from_value(kind.into()).unwrap();
            let planned = PlannedTrigger { kind, name: name.to_owned(), action: action.into() };
            // The action has a colour.
            let (told, action) = expected.rsplit_once(' ').unwrap();
            let shown = trigger(&planned);
            assert!(shown.starts_with(&format!("{told} ")) && shown.contains(action), "{shown}");
        }
    }

    #[test]
    fn what_stands_in_a_cell_stays_in_it_and_is_no_markdown() {
        for (text, expected) in [
            ("plain \u{e4} 8080", "plain \u{e4} 8080"),
            ("a | b\n| c", "a \\| b\u{240a}\\| c"),
            ("<img src=x>", "\\<img src\\=x\\>"),
            ("![x](y) `z` \\|", "\\!\\[x\\]\\(y\\) \\`z\\` \\\\\\|"),
            ("\u{1b}[2J::set-output", "\\:\\:set\\-output"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn outcomes_have_a_row_each() {
        let ended = |told: &str, link: &str| Ended {
            name: "hello".parse().unwrap(),
            told: told.to_owned(),
            link: Some(link.to_owned()),
        };
        let shown = outcomes(&[ended("create succeeded", "https://c/x"), ended("a|b", "x](y")]);
        let expected = "### Formation apply\n\n| function | outcome |\n|---|---|\n\
                        | `hello` | create succeeded ([execution](https://c/x)) |\n\
                        | `hello` | a\\|b |\n";
        assert_eq!(shown, expected);
    }
}

//! `docs/state-machine.md`, drawn from `statemachine.asl.json` so that the two cannot differ.

use std::fmt::Write;

use serde_json::Value;

/// The page: a Mermaid diagram of the states and a table of what each is for.
pub(crate) fn state_machine_page(definition: &Value) -> String {
    let states = &definition["States"];
    let mut names = Vec::new();
    visit(states, definition["StartAt"].as_str().unwrap_or_default(), &mut names);

    let mut page = String::from(
        "# The state machine\n\n\
         Written by `make docs` from `statemachine.asl.json`; a test compares the two. Solid arrows \
         are the way\nforward, dotted ones are taken when a step has failed for good. Every step \
         may also end in `Superseded`.\n\n\
         ```mermaid\nflowchart TD\n",
    );
    let mut arrows = String::new();
    let mut table = String::from("| state | what it is for |\n|---|---|\n");
    // Writing to a String cannot fail.
    for name in names {
        let state = &states[name];
        let (open, close) = match state["Type"].as_str() {
            Some("Choice") => ("{", "}"),
            Some("Fail" | "Succeed") => ("([", "])"),
            Some("Wait") => ("[/", "/]"),
            _ => ("[", "]"),
        };
        let _ = writeln!(page, "    {}{open}\"{name}\"{close}", id(name));
        for (label, next) in forward(state) {
            let arrow = if label.is_empty() { "-->".to_owned() } else { format!("-- {label} -->") };
            let _ = writeln!(arrows, "    {} {arrow} {}", id(name), id(next));
        }
        for next in caught(state).filter(|next| *next != SUPERSEDED) {
            let _ = writeln!(arrows, "    {} -.-> {}", id(name), id(next));
        }
        let _ = writeln!(table, "| {name} | {} |", state["Comment"].as_str().unwrap_or_default());
    }
    page + &arrows + "```\n\n" + &table
}

/// The state that every step may end in: its arrows would hide all others.
const SUPERSEDED: &str = "Superseded";

/// Notes the states in the order in which a reader meets them: the way forward first.
fn visit<'a>(states: &'a Value, name: &'a str, seen: &mut Vec<&'a str>) {
    if seen.contains(&name) {
        return;
    }
    seen.push(name);
    let state = &states[name];
    let mut onward = forward(state);
    onward.reverse();
    for (_, next) in onward {
        visit(states, next, seen);
    }
    for next in caught(state) {
        visit(states, next, seen);
    }
}

fn caught(state: &Value) -> impl Iterator<Item = &str> {
    let catchers = state["Catch"].as_array().into_iter().flatten();
    catchers.filter_map(|catcher| catcher["Next"].as_str())
}

fn forward(state: &Value) -> Vec<(&str, &str)> {
    let choices = state["Choices"].as_array().into_iter().flatten();
    let labelled = choices.filter_map(|choice| {
        // {% $states.input.lane = 'DELETE' %}: what is compared with is the label, if it is a text.
        let condition = choice["Condition"].as_str()?;
        let comparison = || condition.split("$states.input.").nth(1)?.strip_suffix(" %}");
        let label = condition.split('\'').nth(1).or_else(comparison)?;
        Some((label, choice["Next"].as_str()?))
    });
    let default = state["Default"].as_str().map(|next| ("otherwise", next));
    let next = state["Next"].as_str().map(|next| ("", next));
    labelled.chain(default).chain(next).collect()
}

fn id(name: &str) -> String {
    name.split(|c: char| !c.is_ascii_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_whose_arrows_are_left_out_is_there() {
        let definition = include_str!("../../statemachine.asl.json");
        let definition: Value = serde_json::from_str(definition).unwrap();
        assert!(definition["States"][SUPERSEDED].is_object());
    }
}

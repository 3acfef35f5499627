//! The state machine as a picture: read from the definition that is deployed, laid out by what it says, so that
//! a state that is added to it is in the picture, too.

mod layout;
mod picture;

use serde_json::Value;

pub use self::layout::Machine;
pub use self::picture::{Drawn, class};

const DEFINITION: &str = include_str!("../../../../../statemachine.asl.json");

/// A state, and where it leads.
#[derive(Clone, Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub comment: String,
    /// Whether nothing is done in it but a choice.
    pub chooses: bool,
    /// Whether nothing is done in it but to say how the execution has ended.
    pub is_outcome: bool,
    /// Where its way forward leads, by number: the usual way last.
    pub forward: Vec<usize>,
    /// Where it leads when it has failed for good.
    pub caught: Vec<usize>,
}

impl State {
    /// The way that it leads as a rule.
    fn usual(&self) -> Option<usize> {
        self.forward.last().copied()
    }
}

/// The states, in the order of the definition, and the number of the first.
fn states(definition: &Value) -> (Vec<State>, usize) {
    let all: Vec<_> = definition["States"].as_object().into_iter().flatten().collect();
    let number =
        |name: &Value| all.iter().position(|(other, _)| Some(other.as_str()) == name.as_str());
    let each = |list: &Value| {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|it| number(&it["Next"])).collect::<Vec<_>>()
    };
    let states = all.iter().map(|(name, state)| {
        let mut forward = each(&state["Choices"]);
        forward.extend(number(&state["Default"]).or(number(&state["Next"])));
        State {
            name: (*name).clone(),
            comment: state["Comment"].as_str().unwrap_or_default().to_owned(),
            chooses: state["Type"] == "Choice",
            is_outcome: state["Type"] == "Fail" || state["Type"] == "Succeed",
            forward,
            caught: each(&state["Catch"]),
        }
    });
    (states.collect(), number(&definition["StartAt"]).unwrap_or_default())
}

//! `statemachine.asl.json` against the code and the template.

use std::collections::BTreeSet;

use formation_local::diagram::state_machine_page;
use formation_model::{ErrorName, ExecutionInput, OperationId, OperationKind};
use formation_tests::World;
use serde_json::{Map, Value};

/// The state machine as it stands in the project.
fn definition() -> Value {
    serde_json::from_str(include_str!("../../statemachine.asl.json")).unwrap()
}

fn states(definition: &Value) -> &Map<String, Value> {
    definition["States"].as_object().unwrap()
}

/// The states that invoke a Lambda, with the logical id of the Lambda.
fn steps(definition: &Value) -> Vec<(&str, &Value, &str)> {
    let invoking = states(definition).iter().filter_map(|(name, state)| {
        let lambda = state["Arguments"]["FunctionName"].as_str()?;
        let id = lambda.strip_prefix("${").and_then(|id| id.strip_suffix("Arn}")).unwrap();
        Some((name.as_str(), state, id))
    });
    invoking.collect()
}

/// `Undo role` borrows the Lambda of `Remove role`, `Restore role` that of `Ensure role`; every
/// other state has its own.
fn lender_of(state: &str) -> String {
    state.replacen("Undo", "Remove", 1).replacen("Restore", "Ensure", 1)
}

fn lambda_of(state: &str) -> String {
    let words = lender_of(state);
    let camel = words.split(' ').map(|word| word[..1].to_uppercase() + &word[1..]);
    camel.collect::<String>() + "Function"
}

fn binary_of(state: &str) -> String {
    lender_of(state).to_lowercase().replace(' ', "-")
}

pub async fn names_follow_from_the_states(world: &World) {
    let definition = definition();
    let mut binaries = BTreeSet::new();
    for (name, state, id) in steps(&definition) {
        assert_eq!(id, lambda_of(name), "the Lambda of {name}");
        let function = &world.template["Resources"][id];
        assert_eq!(function["Metadata"]["Binary"], binary_of(name), "the binary of {id}");
        assert!(state["Comment"].is_string(), "{name} has no comment");
        binaries.insert(binary_of(name) + ".rs");
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder.join("../crates/formation-steps/src/bin")).unwrap();
    let files: BTreeSet<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, binaries, "a binary for each step, and none besides");
}

pub async fn errors_are_those_of_the_code(_: &World) {
    let definition = definition();
    let names = |terminal| {
        let names = ErrorName::ALL.into_iter().filter(move |name| name.is_terminal() == terminal);
        names.map(|name| name.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    let listed = |value: &Value| {
        let names = value["ErrorEquals"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let steps = steps(&definition);
    let retry = &steps[0].1["Retry"];
    for (name, state, _) in &steps {
        assert_eq!(&state["Retry"], retry, "{name} retries otherwise than the others");
        let catchers = state["Catch"].as_array().unwrap();
        assert_eq!(listed(&catchers[0]), [ErrorName::Superseded.as_str().to_owned()].into());
        assert_eq!(catchers[0]["Next"], "Superseded", "{name}");
        let to = catchers.get(1).map(|catcher| {
            assert_eq!(listed(catcher), ["States.ALL".to_owned()].into(), "{name}");
            catcher["Next"].as_str().unwrap()
        });
        let verb = name.split(' ').next().unwrap();
        let expected = match verb {
            "Ensure" => Some("Let AWS settle"),
            "Remove" | "Undo" | "Restore" => Some("Record failure"),
            // What cannot be recorded fails the execution.
            "Record" => None,
            other => panic!("no such verb {other}"),
        };
        assert_eq!(to, expected, "where {name} goes when it fails for good");
    }
    let retriers = retry.as_array().unwrap();
    assert_eq!(listed(&retriers[0]), names(true), "terminal errors are not retried");
    assert_eq!(retriers[0]["MaxAttempts"], 0);
    let retried: BTreeSet<_> = retriers[1..].iter().flat_map(&listed).collect();
    let mut expected = names(false);
    // Whatever else happens is retried as a transient error is.
    expected.remove(ErrorName::Transient.as_str());
    expected.extend(["States.ALL", "Lambda.TooManyRequestsException"].map(str::to_owned));
    assert_eq!(retried, expected);
    for retrier in &retriers[1..] {
        assert_eq!(retrier["JitterStrategy"], "FULL");
        let grows = retrier["BackoffRate"] != 1;
        assert_eq!(retrier["MaxDelaySeconds"].is_number(), grows, "pauses have an end");
    }
}

pub async fn where_an_execution_is_that_has_not_begun_is_its_lanes_first_step(_: &World) {
    let definition = definition();
    let choice = &states(&definition)["Choose lane"];
    let leading = |text: &str| {
        let choices = choice["Choices"].as_array().unwrap().iter();
        let mut leading = choices.filter(|it| it["Condition"].as_str().unwrap().contains(text));
        leading.next().unwrap()["Next"].as_str().unwrap().to_owned()
    };
    let first_step = |kind, attempt| {
        let id = OperationId::generate();
        ExecutionInput::new(kind, true, "hello".parse().unwrap(), id, attempt).first_step()
    };
    use OperationKind::{Create, Delete, Update};
    assert_eq!(first_step(Create, 1), choice["Default"].as_str().unwrap());
    assert_eq!(first_step(Delete, 1), leading("'DELETE'"));
    for kind in [Create, Update, Delete] {
        assert_eq!(first_step(kind, 2), leading("attempt > 1"), "{kind:?}");
    }
}

pub async fn the_page_in_docs_is_drawn_from_it(_: &World) {
    let page = include_str!("../../docs/state-machine.md");
    assert_eq!(page, state_machine_page(&definition()), "run `make docs`");
}

pub async fn nothing_acts_after_its_undo_has_begun(world: &World) {
    for (name, state, id) in steps(&definition()) {
        let lambda = world.template["Resources"][id]["Properties"]["Timeout"].as_u64().unwrap();
        let task = state["TimeoutSeconds"].as_u64().unwrap();
        assert!(task > lambda, "{name} gives up after {task} s, its Lambda after {lambda} s");
    }
}

pub async fn the_time_limit_exceeds_all_attempts_and_waits(_: &World) {
    let definition = definition();
    let states = states(&definition);
    let longest = longest_from(states, definition["StartAt"].as_str().unwrap());
    let limit = definition["TimeoutSeconds"].as_u64().unwrap();
    assert!(limit > longest, "the limit of {limit} s is within the longest path, {longest} s");
}

/// Seconds of the longest way from `name` to an end, with every attempt used up.
fn longest_from(states: &Map<String, Value>, name: &str) -> u64 {
    let state = &states[name];
    let timeout = state["TimeoutSeconds"].as_u64().unwrap_or_default();
    let retriers = state["Retry"].as_array().into_iter().flatten();
    let retries: u64 = retriers
        .map(|retrier| {
            let attempts = retrier["MaxAttempts"].as_u64().unwrap();
            attempts * (timeout + retrier["MaxDelaySeconds"].as_u64().unwrap_or_default())
        })
        .sum();
    let wait = state["Seconds"].as_u64().unwrap_or_default();
    let branches = ["Choices", "Catch"].into_iter().flat_map(|field| state[field].as_array());
    let next = branches.flatten().map(|branch| &branch["Next"]);
    let next = next.chain([&state["Next"], &state["Default"]]).filter_map(Value::as_str);
    let longest_next = next.map(|next| longest_from(states, next)).max().unwrap_or_default();
    timeout + retries + wait + longest_next
}

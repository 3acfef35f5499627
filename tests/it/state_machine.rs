//! `statemachine.asl.json` against the code and the template.

use std::collections::BTreeSet;

use formation_model::step::{
    FIRST_STATE, INVOCATION_FAILED, INVOCATION_THROTTLED, goes_forward, part_made_by,
};
use formation_model::{ErrorName, ExecutionInput, OperationId, OperationKind, Part};
use formation_tests::World;
use serde_json::{Map, Value};

use crate::template::timeout_of;

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

/// `Undo role` borrows the Lambda of `Remove role`, `Restore role` and all other states of the role that of
/// `Ensure role`, and those that move callers that of `Go live`; every other state has its own.
fn lender_of(state: &str) -> String {
    match state {
        "Restore live" => state.to_owned(),
        "Return live" | "Keep live" => "Go live".to_owned(),
        "Equip role" | "Widen role" | "Return role" | "Narrow role" => "Ensure role".to_owned(),
        "Settle triggers" | "Release triggers" => "Ensure triggers".to_owned(),
        _ => state.replacen("Undo", "Remove", 1).replacen("Restore", "Ensure", 1),
    }
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

fn listed(value: &Value) -> BTreeSet<&str> {
    value["ErrorEquals"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// The longest pauses of a retrier in seconds, one for each attempt; on average they are half as long.
fn pauses(retrier: &Value) -> impl Iterator<Item = f64> {
    let number = |field: &str| retrier[field].as_f64();
    let (interval, rate) = (number("IntervalSeconds"), number("BackoffRate"));
    let (interval, rate) = (interval.unwrap_or_default(), rate.unwrap_or(1.0));
    let longest = number("MaxDelaySeconds").unwrap_or(f64::INFINITY);
    let attempts = retrier["MaxAttempts"].as_i64().unwrap();
    (0..attempts).map(move |attempt| longest.min(interval * rate.powi(attempt.try_into().unwrap())))
}

fn patience(retrier: &Value) -> f64 {
    pauses(retrier).sum()
}

pub async fn errors_are_those_of_the_code(_: &World) {
    let definition = definition();
    let terminal = ErrorName::ALL.into_iter().filter(|name| name.is_terminal());
    let terminal: BTreeSet<_> = terminal.map(ErrorName::as_str).collect();
    let not_ready = BTreeSet::from([ErrorName::NotReady.as_str()]);
    let throttled = BTreeSet::from([ErrorName::Throttled.as_str()]);
    let uninvoked = BTreeSet::from([INVOCATION_THROTTLED]);
    let mut transient = BTreeSet::from(INVOCATION_FAILED);
    transient.insert(ErrorName::Transient.as_str());
    let all = BTreeSet::from(["States.ALL"]);
    let first = [&terminal, &not_ready, &throttled, &uninvoked];

    let steps = steps(&definition);
    for (name, state, _) in &steps {
        let retriers = state["Retry"].as_array().unwrap();
        let verb = name.split(' ').next().unwrap();
        // A Record is as patient with whatever is not terminal: giving up undoes what is finished.
        let rest = if verb == "Record" { vec![&all] } else { vec![&transient, &all] };
        let names: Vec<_> = retriers.iter().map(listed).collect();
        assert_eq!(names.iter().collect::<Vec<_>>(), [&first[..], &rest].concat(), "{name}");
        let peer =
            steps.iter().find(|(peer, ..)| (peer.starts_with("Record ")) == (verb == "Record"));
        assert_eq!(
            state["Retry"],
            peer.unwrap().1["Retry"],
            "{name} retries otherwise than others"
        );

        let catchers = state["Catch"].as_array().unwrap();
        assert_eq!(listed(&catchers[0]), [ErrorName::Superseded.as_str()].into());
        assert_eq!(catchers[0]["Next"], "Superseded", "{name}");
        let to = catchers.get(1).map(|catcher| {
            assert_eq!(listed(catcher), all, "{name}");
            catcher["Next"].as_str().unwrap()
        });
        let expected = match verb {
            "Ensure" | "Equip" | "Widen" | "Return" | "Keep" | "Go" | "Settle" | "Release" => {
                Some("Restore live")
            }
            // A step of an attempt that was cut off may still be at it.
            "Restore" if *name == "Restore live" => Some("Let AWS settle"),
            "Remove" | "Undo" | "Restore" | "Narrow" => Some("Record failure"),
            // What cannot be recorded fails the execution.
            "Record" => None,
            other => panic!("no such verb {other}"),
        };
        assert_eq!(to, expected, "where {name} goes when it fails for good");
    }
}

pub async fn retries_are_as_patient_as_what_they_wait_for(_: &World) {
    let definition = definition();
    for (name, state) in states(&definition) {
        let retriers = state["Retry"].as_array().map(Vec::as_slice).unwrap_or_default();
        for retrier in retriers {
            if retrier["MaxAttempts"] == 0 {
                assert!(listed(retrier).contains(ErrorName::NotOwned.as_str()), "{name}");
                continue;
            }
            assert_eq!(retrier["JitterStrategy"], "FULL", "{name}");
            let grows = retrier["BackoffRate"] != 1;
            assert_eq!(retrier["MaxDelaySeconds"].is_number(), grows, "{name}: pauses have an end");
        }
        let of = |error: &str| {
            let found = retriers.iter().find(|retrier| listed(retrier).contains(error));
            found.or(retriers.last()).map(patience)
        };
        let Some(lambda_failed) = of(INVOCATION_FAILED[0]) else { continue };
        assert!(lambda_failed >= 60.0, "{name}: a hiccup of Lambda lasts tens of seconds");
        if state["Resource"].as_str().unwrap().ends_with(":lambda:invoke") {
            let throttled = of(ErrorName::Throttled.as_str()).unwrap();
            let uninvoked = of(INVOCATION_THROTTLED).unwrap();
            assert!(uninvoked >= throttled, "{name}");
            // Ten invocations at once is what a new account has, for everything in it.
            assert!(uninvoked >= 600.0, "{name}: a small account gets through in minutes");
        }
        if name.starts_with("Record ") {
            let crashed = of("Runtime.ExitError").unwrap();
            assert!(lambda_failed.min(crashed) >= 300.0, "{name}: what is finished is not undone");
        }
    }
}

/// What is named in a list of an expression, as `'leftovers': ['ROLE']`.
fn named(expression: &str, list: &str) -> Option<Vec<String>> {
    let (_, rest) = expression.split_once(&format!("'{list}': ["))?;
    let (names, _) = rest.split_once(']')?;
    Some(names.split(", ").map(|name| name.trim_matches('\'').to_owned()).collect())
}

/// Whether two states stand in one lane: in the lanes forward, verbs differ.
fn are_of_one_lane(one: &str, other: &str) -> bool {
    let verb = |name: &str| name.split(' ').next().unwrap_or_default().to_owned();
    let forward = |name: &str| {
        let verbs = ["Ensure", "Equip", "Widen", "Return", "Keep", "Go", "Let", "Choose"];
        verbs.contains(&verb(name).as_str())
    };
    // Behind the move: where the role is narrowed, that is left, too.
    let behind = |name: &str| ["Release", "Narrow"].contains(&verb(name).as_str());
    verb(one) == verb(other) || (forward(one) && forward(other)) || (behind(one) && behind(other))
}

/// The parts that this state and those behind it in its lane are about, as JSON spells them, each once.
fn parts_from(states: &Map<String, Value>, name: &str) -> Vec<String> {
    let Some((_, part)) = name.split_once(' ') else { return Vec::new() };
    let part = part.to_uppercase().replace(' ', "_");
    let part = serde_json::from_value::<Part>(part.clone().into()).is_ok().then_some(part);
    let next = states[name]["Next"].as_str().or(states[name]["Default"].as_str());
    let next = next.filter(|next| are_of_one_lane(name, next));
    let behind = next.map(|next| parts_from(states, next)).unwrap_or_default();
    let behind = behind.into_iter().filter(|it| Some(it) != part.as_ref()).collect::<Vec<_>>();
    part.into_iter().chain(behind).collect()
}

pub async fn what_is_left_over_is_the_failed_part_and_all_behind_it(_: &World) {
    let definition = definition();
    let states = states(&definition);
    let mut all: Vec<_> =
        Part::ALL.iter().map(|part| serde_json::to_value(part).unwrap()).collect();
    for (name, state, _) in steps(&definition) {
        let mut parts = parts_from(states, name);
        let list = match name.split(' ').next().unwrap() {
            "Ensure" | "Equip" | "Widen" | "Return" | "Keep" | "Go" | "Settle" | "Release" => {
                "unfinished"
            }
            "Remove" | "Undo" | "Restore" | "Narrow" => "leftovers",
            _ => continue,
        };
        assert!(!parts.is_empty(), "{name} is about no part");
        let made = part_made_by(name).map(|part| serde_json::to_value(part).unwrap());
        let ensured = (list == "unfinished").then(|| parts[0].clone().into());
        assert_eq!(made, ensured, "{name}");
        // Behind the move, where the function has some.
        let triggers = "TRIGGERS".to_owned();
        if list == "unfinished" && !parts.contains(&triggers) {
            parts.push(triggers);
        }
        let output = state["Catch"][1]["Output"].as_str().unwrap();
        if name == "Restore live" {
            // Without it no other restore step runs.
            parts.extend(["TRIGGERS", "ROLE", "LOG_GROUP", "FUNCTION"].map(str::to_owned));
        }
        if name == "Go live" {
            // It takes away of the function's concurrency, too.
            parts.insert(0, "FUNCTION".to_owned());
        }
        assert_eq!(named(output, list), Some(parts), "{name}");
    }
    // How far an attempt came that was taken over nobody knows.
    let taken_over = states[FIRST_STATE]["Choices"][1]["Output"].as_str().unwrap();
    let mut unknown: Vec<_> =
        named(taken_over, "unfinished").unwrap().into_iter().map(Value::from).collect();
    all.sort_by_key(Value::to_string);
    unknown.sort_by_key(Value::to_string);
    assert_eq!(unknown, all);
}

pub async fn the_states_that_code_names_are_there(_: &World) {
    let definition = definition();
    let states = states(&definition);
    assert_eq!(definition["StartAt"], FIRST_STATE);
    // An operation can be cancelled where a failure would lead to recovery, and before that.
    let recovers = |state: &Value| {
        let catchers = state["Catch"].as_array().into_iter().flatten();
        catchers.into_iter().any(|catcher| catcher["Next"] == "Restore live")
    };
    for (name, state) in states {
        let waits = name == "Let permissions spread";
        // Behind the move it goes forward only, a create but for its failing.
        let behind = name == "Settle triggers" || name == "Release triggers";
        let forward = name == FIRST_STATE || waits || (recovers(state) && !behind);
        assert_eq!(goes_forward(name), forward, "{name}");
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
    use OperationKind::{Create, Delete, Rollback, Update};
    assert_eq!(first_step(Create, 1), choice["Default"].as_str().unwrap());
    assert_eq!(first_step(Delete, 1), leading("{% $states.input.lane = 'DELETE' %}"));
    assert_eq!(first_step(Rollback, 1), leading("'ROLLBACK'"));
    assert_eq!(first_step(Delete, 2), leading("attempt > 1 and"));
    for kind in [Create, Update, Rollback] {
        assert_eq!(first_step(kind, 2), leading("attempt > 1 %}"), "{kind:?}");
    }
    let with_triggers = |kind| {
        let id = OperationId::generate();
        let input = ExecutionInput::new(kind, true, "hello".parse().unwrap(), id, 1);
        ExecutionInput { has_triggers: true, changes_triggers: true, ..input }.first_step()
    };
    assert_eq!(with_triggers(Create), choice["Default"].as_str().unwrap());
    assert_eq!(with_triggers(Update), leading("changesTriggers = true and"));
    assert_eq!(with_triggers(Delete), leading("'DELETE' and $states.input.hasTriggers"));
    assert_eq!(with_triggers(Rollback), leading("'ROLLBACK'"));
}

pub async fn nothing_acts_after_its_undo_has_begun(world: &World) {
    for (name, state, id) in steps(&definition()) {
        let lambda = timeout_of(world, id);
        let task = state["TimeoutSeconds"].as_u64().unwrap();
        assert!(task > lambda, "{name} gives up after {task} s, its Lambda after {lambda} s");
    }
}

pub async fn the_time_limit_exceeds_all_attempts_and_waits(_: &World) {
    let definition = definition();
    let states = states(&definition);
    let longest = longest_from(states, definition["StartAt"].as_str().unwrap(), &[]);
    let limit = definition["TimeoutSeconds"].as_u64().unwrap();
    assert!(limit > longest, "the limit of {limit} s is within the longest path, {longest} s");
}

/// Where callers have moved an execution that was taken over goes forward once more. Where that fails it is
/// recorded, so it recovers twice at the most.
const RECOVERS: &str = "Choose recovery";

/// Seconds of the longest way from `name` to an end, with every attempt used up; `before` are the states that
/// lead to it.
fn longest_from<'a>(states: &'a Map<String, Value>, name: &'a str, before: &[&'a str]) -> u64 {
    let times = before.iter().filter(|it| **it == name).count();
    assert!(times <= usize::from(before.contains(&RECOVERS)), "{name} can be entered for ever");
    if name == RECOVERS && times > 0 {
        return longest_from(states, "Record failure", &[]);
    }
    let before = &[before, &[name]].concat();
    let state = &states[name];
    let timeout = state["TimeoutSeconds"].as_u64().unwrap_or_default();
    let retriers = state["Retry"].as_array().into_iter().flatten();
    let retries: u64 = retriers
        .map(|retrier| {
            let attempts = retrier["MaxAttempts"].as_u64().unwrap();
            attempts * timeout + patience(retrier).ceil() as u64
        })
        .sum();
    let wait = &state["Seconds"];
    let longest = wait.as_str().map(|it| it.split(|c: char| !c.is_ascii_digit()));
    let longest = longest.and_then(|it| it.filter_map(|it| it.parse().ok()).max());
    let wait = wait.as_u64().or(longest).unwrap_or_default();
    let branches = ["Choices", "Catch"].into_iter().flat_map(|field| state[field].as_array());
    let next = branches.flatten().map(|branch| &branch["Next"]);
    let next = next.chain([&state["Next"], &state["Default"]]).filter_map(Value::as_str);
    let longest_next =
        next.map(|next| longest_from(states, next, before)).max().unwrap_or_default();
    timeout + retries + wait + longest_next
}

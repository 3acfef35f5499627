//! README from top to bottom, as a newcomer types it.

use std::fs;

use formation_local::{Project, tour};
use formation_model::bundle;
use formation_tests::World;
use formation_tests::readme::{Block, README, blocks, type_in};
use serde_json::json;

use crate::command::binary;
use crate::examples::clone;

/// What no test runs, by its first command: each is of an account of AWS's, or what tests are run by.
const NOT_RUN: [&str; 4] = [
    "make run",
    "formation ui --local",
    "aws cloudformation deploy --stack-name function-boundary",
    "make deploy",
];

/// What the commands of each block that is run say, each text behind the one before, and the heading that the
/// block stands under.
const SAID: [(&str, &[&str]); 7] = [
    (
        "The first minute",
        &["1 to create", "Good evening, Ann!", "Good evening, Ann!", " ms, ", "AVAILABLE"],
    ),
    ("In CI", &["1 to create", "SUCCEEDED", "1 unchanged"]),
    ("Permissions", &["\"kept\"", "\"quantity\"", "\"Count\": 1"]),
    ("The API", &["201 Created", "greeter", "good evening"]),
    ("The API", &["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "OUT_OF_RANGE"]),
    ("Code of any size", &["\"status\":\"AVAILABLE\""]),
    ("By event", &["\"FailedEntryCount\": 0"]),
];

/// Between what one block says and what the next one does.
const NEXT: &str = "===== next =====";

pub async fn every_block_is_run_or_says_why_not(_: &World) {
    let blocks = blocks(README);
    let (not_run, run): (Vec<_>, Vec<_>) = blocks.iter().partition(|it| it.not_run.is_some());
    let told: Vec<_> = not_run.iter().map(|it| it.commands.as_str()).collect();
    assert_eq!(told.len(), NOT_RUN.len(), "{told:#?}");
    for (commands, first) in told.iter().zip(NOT_RUN) {
        assert!(commands.starts_with(first), "{commands}");
    }
    // Nothing is shown in another way that a reader would type.
    assert_eq!(README.matches("\n```sh\n").count(), blocks.len());
    for other in ["```bash", "```console", "```shell", "~~~"] {
        assert!(!README.contains(other), "{other}");
    }
    assert!(run.len() >= 7, "{run:#?}");
}

pub async fn what_a_newcomer_types_from_top_to_bottom_does_what_it_says(world: &World) {
    let clone = clone(world);
    let project = Project::find().unwrap();
    let tools = [binary().parent().unwrap().to_owned(), project.path(".venv/bin")];

    // What `make run` shows.
    let shown = format!("cd {}\n{}", tour::FOLDER, tour::COMMANDS.join("\n"));
    let shown = type_in(clone.path(), &tools, &shown);
    let said = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    for text in ["Hello, Ann!", " ms, ", "environment/GREETING: changes", "Good evening, you!"] {
        assert!(said.contains(text), "{text} is not in {said}");
    }
    assert!(!world.is_known("hello").await);

    // What README shows, as one session.
    let archive = bundle::from_source("index.mjs", "export const handler = () => 'large';");
    let archive = archive.unwrap();
    fs::write(clone.path().join("function.zip"), &archive).unwrap();
    let all = blocks(README).into_iter().filter(|block| block.not_run.is_none());
    let all: Vec<Block> = all.collect();
    let next = |block: &Block| format!("{}\necho '{NEXT}'\n", block.commands);
    let typed = type_in(clone.path(), &tools, &all.iter().map(next).collect::<String>());
    let said = String::from_utf8(typed.stdout).unwrap();
    let told = String::from_utf8_lossy(&typed.stderr);
    assert!(typed.status.success(), "{said}\n{told}");

    let mut answers = said.split(NEXT);
    for (block, (heading, expected)) in all.iter().zip(SAID) {
        assert_eq!(block.heading, heading);
        let mut said = answers.next().unwrap();
        for text in expected {
            let found = said.find(text);
            let found = found.unwrap_or_else(|| panic!("{text} is not in {said}\nof {block:?}"));
            said = &said[found..];
        }
    }
    assert_eq!(all.len(), SAID.len());
    // What it is to have left, and nothing else.
    for gone in ["hello", "greeter"] {
        assert!(!world.is_known(gone).await, "{gone}");
    }
    assert_eq!(world.invoke("large", &json!({})).await.unwrap(), "large");
    assert_eq!(fs::read(clone.path().join("large.zip")).unwrap(), archive);
    // What other users of the machine can see of a command holds no link.
    for block in &all {
        for line in block.commands.lines().filter(|line| line.contains("curl")) {
            assert!(!line.contains(".url)\""), "{line}");
        }
    }
}

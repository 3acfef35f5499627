//! The GitHub Action and the example of a workflow, as GitHub reads them, and the action's scripts with a
//! command that ends as the test says.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use formation_tests::action::Workflow;
use serde_json::Value;
use tempfile::TempDir;

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn yaml(path: &str) -> Value {
    formation_tests::yaml::read(&in_project(path))
}

/// A command that prints its arguments, writes `summary` as its plan, and ends with `code`.
fn stub(folder: &TempDir, summary: &str, code: u8) -> PathBuf {
    let path = folder.path().join("stub");
    fs::write(folder.path().join("plan"), summary).unwrap();
    let program = format!(
        "#!/bin/sh\nprintf '<%s>' \"$@\" >&2\necho '[]'\ncat '{}/plan' >> \"$GITHUB_STEP_SUMMARY\"\nexit {code}\n",
        folder.path().display()
    );
    fs::write(&path, program).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn no_input_of_the_action_stands_in_a_script() {
    let action = yaml("action/action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    assert_eq!(action["runs"]["using"], "composite");
    let mut scripts = 0;
    for step in steps {
        let Some(script) = step["run"].as_str() else { continue };
        assert!(!script.contains("${{"), "{script}");
        let name = script.strip_prefix("bash \"$GITHUB_ACTION_PATH/").unwrap();
        let text =
            fs::read_to_string(in_project("action").join(name.trim_end_matches('"'))).unwrap();
        assert!(!text.contains("${{"), "{name}");
        // What a step hands over is read, and nothing else is expected.
        let variables = step["env"].as_object();
        let given: Vec<_> =
            variables.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        for variable in &given {
            let is_read = *variable == "GH_TOKEN" || text.contains(variable);
            assert!(is_read, "{name} does not read {variable}");
        }
        scripts += 1;
    }
    assert_eq!(scripts, 4);
    // Every input is used, and every output is one of a step.
    let text = fs::read_to_string(in_project("action/action.yml")).unwrap();
    for input in action["inputs"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("inputs.{input} ")), "{input}");
    }
    for output in action["outputs"].as_object().unwrap().values() {
        let value = output["value"].as_str().unwrap();
        let name = value.trim_start_matches("${{ steps.run.outputs.").trim_end_matches(" }}");
        let run = fs::read_to_string(in_project("action/run.sh")).unwrap();
        assert!(run.contains(&format!("echo \"{name}=")), "{name}");
    }
}

#[test]
fn every_action_that_is_used_is_one_commit() {
    let mut seen = 0;
    for path in ["action/action.yml", "examples/github-actions/deploy.yml"] {
        let text = fs::read_to_string(in_project(path)).unwrap();
        for line in text.lines().filter(|line| line.contains("uses: ")) {
            let (_, used) = line.split_once("uses: ").unwrap();
            let (_, version) = used.split_once('@').unwrap();
            let commit = version.split(' ').next().unwrap();
            let is_commit = commit.len() == 40 && commit.bytes().all(|it| it.is_ascii_hexdigit());
            assert!(is_commit, "{path}: {line}");
            let is_ours = used.starts_with("OWNER/formation/action@");
            assert!(is_ours || version.contains(" # v"), "{path}: {line}");
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
}

#[test]
fn the_example_of_a_workflow_gives_no_job_more_than_it_needs() {
    let workflow = yaml("examples/github-actions/deploy.yml");
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    let (plan, apply) = (&workflow["jobs"]["plan"], &workflow["jobs"]["apply"]);
    let condition = plan["if"].as_str().unwrap();
    assert!(condition.contains("github.event_name == 'pull_request'"));
    assert!(condition.contains("head.repo.full_name == github.repository"), "{condition}");
    assert_eq!(apply["if"], "github.event_name == 'push'");
    assert_eq!(apply["environment"], "production");
    let expected = serde_json::json!({
        "contents": "read", "id-token": "write", "pull-requests": "write",
    });
    assert_eq!(plan["permissions"], expected);
    let expected = serde_json::json!({"contents": "read", "id-token": "write"});
    assert_eq!(apply["permissions"], expected);
    let action = yaml("action/action.yml");
    for (job, command, role) in
        [(plan, "plan", "formation-plan"), (apply, "apply", "formation-deploy")]
    {
        let steps = job["steps"].as_array().unwrap();
        let with = |used: &str| {
            let step = steps.iter().find(|it| it["uses"].as_str().unwrap().starts_with(used));
            &step.unwrap()["with"]
        };
        let assumed = with("aws-actions/")["role-to-assume"].as_str().unwrap();
        assert!(assumed.ends_with(&format!("/{role}")), "{assumed}");
        assert_eq!(with("actions/checkout@")["persist-credentials"], false);
        let inputs = with("OWNER/formation/action@");
        assert_eq!(inputs["command"], command);
        for input in inputs.as_object().unwrap().keys() {
            assert!(action["inputs"].get(input).is_some(), "the action has no input {input}");
        }
        assert!(job["concurrency"]["group"].is_string() && job["timeout-minutes"].is_number());
    }
}

#[test]
fn the_step_ends_as_the_command_did() {
    for (command, code, expected) in [
        ("plan", 0, (0, "false")),
        ("plan", 2, (0, "true")),
        ("plan", 4, (4, "")),
        ("plan", 77, (77, "")),
        ("apply", 0, (0, "false")),
        ("apply", 1, (1, "true")),
        ("apply", 2, (2, "")),
        ("apply", 3, (3, "true")),
        ("apply", 4, (4, "")),
        ("apply", 5, (5, "true")),
        ("apply", 64, (64, "")),
    ] {
        let folder = TempDir::new().unwrap();
        let step = Workflow::new(&stub(&folder, "", code), &[]).run(command, &[]);
        assert_eq!((step.code, step.output("changes")), expected, "{command} {code}: {step:?}");
        assert_eq!(step.output("exit-code"), code.to_string(), "{command}");
    }
    let folder = TempDir::new().unwrap();
    let step = Workflow::new(&stub(&folder, "", 0), &[]).run("delete", &[]);
    assert_eq!(step.code, 64);
    assert!(step.printed.contains("command is plan or apply"), "{step:?}");
}

#[test]
fn inputs_reach_the_command_as_they_are() {
    let folder = TempDir::new().unwrap();
    let workflow = Workflow::new(&stub(&folder, "", 0), &[]);
    let odd = "a b; $(touch owned) `touch owned` \"'";
    let step = workflow
        .run("plan", &[("MANIFEST", odd), ("OVERLAY", odd), ("STACK", "s"), ("REGION", "r")]);
    let expected =
        format!("<plan><--file><{odd}><--exit-code><--overlay><{odd}><--stack><s><--region><r>");
    assert!(step.printed.contains(&expected), "{step:?}");
    assert!(!workflow.path().join("owned").exists());
    let step = workflow.run("apply", &[]);
    let expected = "<apply><--file><formation.yaml><--yes><--output><json>";
    assert!(step.printed.contains(expected), "{step:?}");
    // Nothing that it prints is a command to the runner.
    let lines: Vec<_> = step.printed.lines().collect();
    let pause = lines[0].strip_prefix("::stop-commands::").unwrap();
    assert!(pause.len() == 32 && lines.contains(&&*format!("::{pause}::")), "{step:?}");
}

#[test]
fn a_comment_is_as_long_as_github_takes_and_says_what_it_lacks() {
    let folder = TempDir::new().unwrap();
    let row = format!("| `function` | update | {} |\n", "\u{e4}".repeat(400));
    let workflow = Workflow::new(&stub(&folder, &row.repeat(200), 2), &[]);
    let step = workflow.run("plan", &[]);
    workflow.tell(&step, "one", &[]);
    let (_, body) = &workflow.comments()[0];
    assert!(body.chars().count() < 65_536 && body.len() > 50_000, "{}", body.len());
    assert!(body.contains("https://github.com/acme/shop/actions/runs/1"), "{body}");
    let rows = body.lines().filter(|line| line.starts_with("| `"));
    assert!(rows.clone().count() > 50 && rows.clone().all(|line| line.ends_with(" |")));
}

#[test]
fn a_comment_that_cannot_be_made_fails_nothing_and_is_never_doubled() {
    let folder = TempDir::new().unwrap();
    let workflow = Workflow::new(&stub(&folder, "plan\n", 2), &[]);
    let step = workflow.run("plan", &[]);
    let told = workflow.tell(&step, "one", &[("GH_FAILS", "1")]);
    assert_eq!(told.code, 0);
    assert!(told.printed.contains("::warning::"), "{told:?}");
    assert!(workflow.comments().is_empty());
    for _ in 0..2 {
        workflow.tell(&step, "one", &[]);
    }
    assert_eq!(workflow.comments().len(), 1);
}

#[test]
fn the_command_is_built_of_the_actions_own_sources_or_is_one_that_is_there() {
    let folder = TempDir::new().unwrap();
    let there = stub(&folder, "", 0);
    let workflow = Workflow::new(&there, &[]);
    let installed = workflow.install(&[("BINARY", there.to_str().unwrap())]);
    assert_eq!(installed.output("formation"), there.canonicalize().unwrap().to_str().unwrap());
    let missing = workflow.install(&[("BINARY", "no-such\n::error::x")]);
    assert_eq!(missing.code, 64, "{missing:?}");
    assert!(missing.printed.contains("::error::there is no command no-such::error::x"));

    let digest = workflow.sources();
    let digest = digest.output("digest");
    assert!(digest.len() == 40 && digest.bytes().all(|it| it.is_ascii_hexdigit()), "{digest}");

    // A Cargo that makes what it is asked for, and notes how it was asked.
    let built = workflow.path().join(".cache/formation-action");
    let cargo = format!(
        "#!/bin/sh\nprintf '<%s>' \"$@\"\nmkdir -p '{0}/bin'\ncp '{1}' '{0}/bin/formation'\n",
        built.display(),
        there.display()
    );
    for (name, program) in [("cargo", cargo.as_str()), ("rustup", "#!/bin/sh\nexit 0\n")] {
        let path = workflow.path().join(name);
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    let asked = format!(
        "<install><--locked><--force><--path><crates/formation-cli><--root><{}>",
        built.display()
    );
    let installed = workflow.install(&[("KEPT", "")]);
    assert!(installed.printed.contains(&asked), "{installed:?}");
    let formation = built.join("bin/formation");
    assert_eq!(installed.output("formation"), formation.to_str().unwrap());
    let kept = workflow.install(&[("KEPT", "true")]);
    assert!(!kept.printed.contains(&asked), "{kept:?}");
    assert_eq!(kept.output("formation"), formation.to_str().unwrap());
}

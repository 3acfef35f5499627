//! The GitHub Action's scripts, run as GitHub runs them, with a `gh` whose pull request is a file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Who writes the comments of a workflow.
pub const BOT: &str = "github-actions[bot]";

/// A `gh` that knows the comments of one pull request, in `comments.json` beside it.
const GH: &str = r#"#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
test -z "${GH_FAILS:-}" || exit 1
case "$*" in
  "api --paginate repos/acme/shop/issues/7/comments?per_page=100 --jq "*) jq -r "$5" comments.json ;;
  "api --method POST repos/acme/shop/issues/7/comments --input -")
    jq --slurpfile new <(cat) '. + [{id: (length + 1), user: {login: "github-actions[bot]"}, body: $new[0].body}]' comments.json > new
    mv new comments.json ;;
  "api --method PATCH repos/acme/shop/issues/comments/"*" --input -")
    jq --slurpfile new <(cat) --argjson id "${4##*/}" 'map(if .id == $id then .body = $new[0].body else . end)' comments.json > new
    mv new comments.json ;;
  *) echo "gh was not to be called so: $*" >&2; exit 2 ;;
esac
"#;

/// A run of a workflow on a pull request.
pub struct Workflow {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a step has ended.
#[derive(Debug)]
pub struct Step {
    /// Its exit code.
    pub code: i32,
    /// What it has printed, both ways.
    pub printed: String,
    /// Its outputs.
    pub outputs: Vec<(String, String)>,
}

impl Step {
    /// An output; empty where it has none of that name.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

#[expect(clippy::unwrap_used, reason = "this is for tests")]
impl Workflow {
    /// A run without comments; `formation` is the command, `variables` are of the job.
    pub fn new(formation: &Path, variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("formation-").unwrap();
        let gh = folder.path().join("gh");
        fs::write(&gh, GH).unwrap();
        fs::set_permissions(&gh, Permissions::from_mode(0o755)).unwrap();
        let own = [("FORMATION", formation.to_str().unwrap()), ("MANIFEST", "formation.yaml")];
        let variables = own.iter().chain(variables);
        let variables = variables.map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let workflow = Self { folder, variables };
        workflow.comment_on(&json!([]));
        workflow
    }

    /// The folder that was checked out.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets the comments that there are.
    pub fn comment_on(&self, comments: &Value) {
        fs::write(self.path().join("comments.json"), comments.to_string()).unwrap();
    }

    /// Who has written which comments.
    pub fn comments(&self) -> Vec<(String, String)> {
        let comments = fs::read(self.path().join("comments.json")).unwrap();
        let comments: Value = serde_json::from_slice(&comments).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let comments = comments.as_array().unwrap().iter();
        comments.map(|it| (text(&it["user"]["login"]), text(&it["body"]))).collect()
    }

    /// What the job's summary holds.
    pub fn summary(&self) -> String {
        fs::read_to_string(self.path().join("summary")).unwrap_or_default()
    }

    /// Runs the command, `plan` or `apply`, with these inputs, by their variables.
    pub fn run(&self, command: &str, inputs: &[(&str, &str)]) -> Step {
        self.step("run.sh", &[&[("COMMAND", command)], inputs].concat())
    }

    /// Makes the plan a comment, as behind a step that was run with these inputs.
    pub fn tell(&self, step: &Step, which: &str, more: &[(&str, &str)]) -> Step {
        let (code, summary) = (step.output("exit-code"), step.output("summary"));
        let own = [("EXIT_CODE", code), ("SUMMARY", summary), ("WHICH", which)];
        let of_github = [("PULL_REQUEST", "7"), ("GH_TOKEN", "token")];
        self.step("comment.sh", &[&own[..], &of_github, more].concat())
    }

    /// Sees to the command, from these variables.
    pub fn install(&self, variables: &[(&str, &str)]) -> Step {
        self.step("install.sh", variables)
    }

    /// Tells what the command would be built of.
    pub fn sources(&self) -> Step {
        self.step("sources.sh", &[])
    }

    fn step(&self, script: &str, variables: &[(&str, &str)]) -> Step {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../action").join(script);
        let outputs = self.path().join("outputs");
        fs::write(&outputs, "").unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let path = [self.path().to_owned()].into_iter().chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path.collect::<Vec<PathBuf>>()).unwrap();
        let Output { status, stdout, stderr } = Command::new("bash")
            .arg(script)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", path)
            .env("CI", "true")
            .env("HOME", self.path())
            .env("RUNNER_TEMP", self.path())
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", self.path().join("summary"))
            .env("GITHUB_REPOSITORY", "acme/shop")
            .env("GITHUB_RUN_ID", "1")
            .env("GITHUB_SHA", "0123456789abcdef")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let outputs = fs::read_to_string(outputs).unwrap();
        let outputs = outputs.lines().filter_map(|line| line.split_once('='));
        Step {
            code: status.code().unwrap(),
            printed: String::from_utf8([stdout, stderr].concat()).unwrap(),
            outputs: outputs.map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }
}

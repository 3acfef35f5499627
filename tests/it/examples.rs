//! What `examples/` shows, as it stands there.

use std::fs;
use std::path::{Path, PathBuf};

use formation_local::Project;
use formation_tests::World;
use formation_tests::readme::type_in;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Said, binary};

/// One request of a file of sample requests.
struct Sample {
    title: String,
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Reads the requests of a `.http` file: `###` and a title, a line of method and URL, headers, an empty
/// line, the body.
fn samples(file: &str) -> Vec<Sample> {
    let read = |text: &str| {
        let mut lines = text.trim().lines();
        let title = lines.next().unwrap().trim().to_owned();
        let (method, url) = lines.next().unwrap().split_once(' ').unwrap();
        let target = url.strip_prefix("{{apiUrl}}").unwrap().to_owned();
        let headers = lines.by_ref().take_while(|line| !line.is_empty());
        let headers = headers.map(|line| line.split_once(": ").unwrap());
        // The client signs.
        let headers = headers.filter(|(name, _)| *name != "Authorization");
        let headers =
            headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let body = lines.collect::<Vec<_>>().join("\n");
        Sample { title, method: method.parse().unwrap(), target, headers, body }
    };
    file.split("\n###").skip(1).map(read).collect()
}

pub async fn the_sample_requests_do_what_their_titles_say(world: &World) {
    let samples = samples(include_str!("../../examples/requests.http"));
    let mut changes = 0;
    for Sample { title, method, target, headers, body } in samples {
        let is_waited_for = target.contains("wait=");
        let expected = match (&method, is_waited_for) {
            (&Method::POST, true) if target.contains("/functions?") => StatusCode::CREATED,
            (&Method::POST, false) if target == "/v1/uploads" => StatusCode::CREATED,
            (&Method::DELETE, true) => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        };
        changes += usize::from(is_waited_for);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let answer = world.api_raw(method, &target, &headers, body).await;
        assert_eq!(answer.status, expected, "{title}: {answer:?}");
    }
    assert!(changes >= 4, "{changes}");
    assert!(!world.is_known("sample").await);
}

/// Files that an example does not come with: what building it leaves there.
const BUILT: [&str; 3] = ["bootstrap", "node_modules", "target"];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            _ if BUILT.iter().any(|it| entry.file_name() == *it) => {}
            kind if kind.is_dir() => copy(&entry.path(), &to),
            _ => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// A folder with all examples as the project comes with them, and with the local AWS that `make run` would
/// have told of.
pub fn clone(world: &World) -> TempDir {
    let project = Project::find().unwrap();
    let folder = TempDir::with_prefix("formation-").unwrap();
    copy(&project.path("examples"), &folder.path().join("examples"));
    fs::create_dir(folder.path().join(".local")).unwrap();
    world.stack.write(&folder.path().join(".local/stack.json")).unwrap();
    folder
}

/// What the manifests of the examples need to be known to the API and to run.
struct Example {
    name: &'static str,
    function: &'static str,
    variables: Vec<(&'static str, String)>,
    payload: Value,
}

/// Deploys an example as it is, again, and with its overlay, and answers what the function answered.
async fn lives(world: &World, example: &Example) -> Value {
    let clone = clone(world);
    let folder = clone.path().join("examples").join(example.name);
    let Example { function, variables, payload, .. } = example;
    let tools = Project::find().unwrap().path(".venv/bin");
    let tools = [binary().parent().unwrap().to_owned(), tools];
    let variables: String =
        variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    let run = |arguments: &str| {
        let typed = format!("{variables}formation --local {arguments}");
        Said::from(type_in(&folder, &tools, &typed))
    };
    run("apply --yes").with(0);
    let answer = world.invoke(function, payload).await.unwrap();
    // A build makes the same bytes again, so that nothing is uploaded and nothing done.
    let again = run("apply --yes").with(0);
    assert!(again.err.contains("0 to update, 0 to delete, 1 unchanged"), "{again:?}");
    assert_eq!(world.function(function).await.revision, 1);
    // Where it is important there is more of something, and the code is the same.
    let planned = run("plan --overlay prod --no-build --exit-code").with(2);
    assert!(planned.out.contains("memoryMegabytes: 128 ->"), "{planned:?}");
    assert!(!planned.out.contains("CODE") && !planned.out.contains("SHA-256"), "{planned:?}");
    run("apply --overlay prod --no-build --yes").with(0);
    assert_eq!(world.function(function).await.revision, 2);
    world.invoke(function, payload).await.unwrap();
    answer
}

pub async fn the_node_example_is_built_deployed_and_answers(world: &World) {
    let answer = lives(
        world,
        &Example {
            name: "node",
            function: "tickets",
            variables: vec![("PREFIX", "BUG".to_owned())],
            payload: json!({"title": "It is late"}),
        },
    )
    .await;
    assert_eq!(answer["title"], "It is late");
    let id = answer["id"].as_str().unwrap();
    assert!(id.starts_with("BUG-") && id.len() == 14, "{id}");
}

pub async fn the_rust_example_is_built_deployed_and_answers(world: &World) {
    // Local AWS runs it on this machine.
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    // Its dependencies are compiled once, however often this runs.
    let binary = binary();
    let target = binary.ancestors().nth(3).unwrap().to_str().unwrap();
    let answer = lives(
        world,
        &Example {
            name: "rust",
            function: "words",
            variables: vec![
                ("ARCHITECTURE", architecture.to_owned()),
                ("SHORTEST", "3".to_owned()),
                ("CARGO_TARGET_DIR", target.to_owned()),
            ],
            payload: json!({"text": "It is as asked, or nothing of it is."}),
        },
    )
    .await;
    assert_eq!(answer, json!({"words": 2, "longest": "nothing"}));
}

/// Every manifest among the examples.
fn manifests() -> Vec<PathBuf> {
    let examples = Project::find().unwrap().path("examples");
    let folders = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    folders.map(|folder| folder.join("formation.yaml")).filter(|it| it.is_file()).collect()
}

pub async fn every_example_shows_what_a_manifest_can_hold(_: &World) {
    let manifests = manifests();
    assert_eq!(manifests.len(), 7, "{manifests:?}");
    let start = "# yaml-language-server: $schema=";
    for path in manifests {
        let text = fs::read_to_string(&path).unwrap();
        // By it an editor completes and checks what is typed.
        let schema = text.lines().next().and_then(|line| line.strip_prefix(start)).unwrap();
        let schema = fs::read(path.with_file_name(schema)).unwrap();
        let schema = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap());
        let schema = schema.unwrap();
        let manifest = formation_tests::yaml::read(&path);
        let problems: Vec<_> = schema.iter_errors(&manifest).map(|it| it.to_string()).collect();
        assert!(problems.is_empty(), "{}: {problems:?}", path.display());
        for part in ["\nname: ", "\ndefaults:", "\noverlays:", "${"] {
            assert!(text.contains(part), "{} lacks {part}", path.display());
        }
    }
}

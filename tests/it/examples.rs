//! What `examples/` shows, as it stands there.

use std::process::Command;

use formation_local::Project;
use formation_model::bundle;
use formation_tests::World;
use http::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

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

/// The first commands of a section of README.
fn commands(section: &str, containing: &str) -> String {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once(&format!("\n## {section}\n")).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
    let mut blocks = section.split("```sh\n").skip(1).map(|it| it.split_once("```").unwrap().0);
    blocks.find(|block| block.contains(containing)).unwrap().to_owned()
}

/// Runs commands as a person does who has followed README, in the folder of a project.
fn run(world: &World, commands: &str) -> String {
    run_in(&tempfile::tempdir().unwrap(), world, commands)
}

fn run_in(folder: &TempDir, world: &World, commands: &str) -> String {
    let project = Project::find().unwrap();
    std::fs::create_dir(folder.path().join(".local")).unwrap();
    world.stack.write(&folder.path().join(".local/stack.json")).unwrap();
    std::os::unix::fs::symlink(project.path("examples"), folder.path().join("examples")).unwrap();
    let tools = project.tool("aws").unwrap().parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    let ran = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("AWS_ENDPOINT_URL", &world.stack.endpoint_url)
        .env("AWS_DEFAULT_REGION", &world.stack.region)
        .env("AWS_ACCESS_KEY_ID", &world.stack.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &world.stack.secret_access_key)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_PAGER", "")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}");
    String::from_utf8(ran.stdout).unwrap()
}

/// How README says that requests are signed.
fn signing() -> String {
    let first = commands("A first function", "SIGN=");
    first.split_once("\n\n").unwrap().0.to_owned()
}

pub async fn readmes_function_writes_to_its_table(world: &World) {
    let told =
        run(world, &format!("{}\n{}", signing(), commands("Permissions", "examples/orders")));
    for expected in [r#""kept": "1""#, r#""quantity""#, r#""Count": 1"#] {
        assert!(told.contains(expected), "{told}");
    }
    let path = "/v1/functions/orders?wait=25";
    assert_eq!(world.api(Method::DELETE, path, None).await.status, StatusCode::NO_CONTENT);
}

pub async fn readmes_code_of_any_size_goes_there_and_comes_back(world: &World) {
    let archive =
        bundle::from_source("index.mjs", "export const handler = () => 'large';").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("function.zip"), &archive).unwrap();
    let commands = commands("A function", "/v1/uploads");
    let told = run_in(&folder, world, &format!("{}\n{commands}", signing()));
    assert!(told.contains(r#""status":"AVAILABLE""#), "{told}");
    assert_eq!(world.invoke("large", &json!({})).await.unwrap(), "large");
    assert_eq!(std::fs::read(folder.path().join("large.zip")).unwrap(), archive);
    // What other users of the machine can see of a command holds no link.
    for line in commands.lines().filter(|line| line.contains("curl")) {
        assert!(!line.contains(".url)\""), "{line}");
    }
    let path = "/v1/functions/large?wait=25";
    assert_eq!(world.api(Method::DELETE, path, None).await.status, StatusCode::NO_CONTENT);
}

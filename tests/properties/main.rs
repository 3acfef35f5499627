//! The API against its own description, `/v1/openapi.json`. A client that is generated from it works.
//! And schemathesis makes hundreds of requests from it, valid and invalid ones, for each of its
//! operations: none may be answered with 5xx, with a status that is not documented, or with a body
//! that does not fit its schema.

#![expect(clippy::expect_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use formation_local::{LocalError, Project};
use formation_tests::{WAIT_SCALE, World, run, trials};
use http::{Method, Uri};
use serde_json::Value;

/// Requests for each operation, in each way of making them up.
const EXAMPLES: &str = "100";
/// The same requests each time.
const SEED: &str = "20261125";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

/// Operations whose requests are made up by one process each: schemathesis's own threads trip over
/// each other.
const PROCESSES: usize = 4;

/// The API's description as a file in `folder`.
async fn description(world: &World, folder: &Path) -> Result<(PathBuf, Value), LocalError> {
    let document = world.api(Method::GET, "/v1/openapi.json", None).await;
    let file = folder.join("openapi.json");
    std::fs::write(&file, &document.body).map_err(failed)?;
    Ok((file, document.json()))
}

/// A program that finds this folder's modules, and what they sign requests with.
fn command(world: &World, project: &Project, tool: &str) -> Result<Command, LocalError> {
    let host = world.stack.api_url.parse::<Uri>().expect("the API has a URL");
    let mut command = Command::new(project.tool(tool)?);
    command
        .env("PYTHONPATH", project.path("tests/properties"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("API_HOST", host.authority().expect("the API has a host").as_str())
        .env("API_URL", &world.stack.endpoint_url)
        .env("API_KEY", &world.stack.access_key_id)
        .env("API_SECRET", &world.stack.secret_access_key)
        .env("API_REGION", &world.stack.region);
    Ok(command)
}

fn failed(error: std::io::Error) -> LocalError {
    LocalError::Answer(error.to_string())
}

async fn use_generated_client(world: &World) -> Result<bool, LocalError> {
    let project = Project::find()?;
    let folder = tempfile::tempdir().map_err(failed)?;
    let (file, _) = description(world, folder.path()).await?;
    let package = folder.path().join("formation_client");
    let mut generate = command(world, &project, "openapi-python-client")?;
    generate.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]).arg(&file);
    // It formats what it generates with a tool that it looks for on the PATH.
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{path}", project.path(".venv/bin").display());
    generate.arg("--output-path").arg(&package).env("PATH", path);
    if !generate.status().map_err(failed)?.success() {
        return Ok(false);
    }
    let mut client = command(world, &project, "python3")?;
    client.arg(project.path("tests/properties/client.py")).arg(world.name("generated"));
    let status = client.env("PYTHONPATH", folder.path()).status().map_err(failed)?;
    Ok(status.success())
}

async fn a_client_generated_from_the_description_works(world: &World) {
    assert!(use_generated_client(world).await.expect("the client can be used"), "see above");
}

async fn check(world: &World) -> Result<bool, LocalError> {
    let project = Project::find()?;
    let folder = tempfile::tempdir().map_err(failed)?;
    let (file, document) = description(world, folder.path()).await?;
    let paths = &document["paths"];
    let items = paths.as_object().into_iter().flatten().flat_map(|(_, item)| item.as_object());
    let operations = items.flatten().map(|(_, operation)| operation["operationId"].as_str());
    let operations: Vec<_> = operations.map(|id| id.expect("an id").to_owned()).collect();

    let mut running = Vec::new();
    for process in 0..PROCESSES {
        let own = folder.path().join(process.to_string());
        std::fs::create_dir(&own).map_err(failed)?;
        let mut command = command(world, &project, "schemathesis")?;
        command
            .arg("run")
            .arg(&file)
            .args(["--url", &world.stack.endpoint_url, "--checks", CHECKS])
            .args(["--max-examples", EXAMPLES, "--seed", SEED, "--no-color"])
            .args(["--phases", "examples,coverage,fuzzing"]);
        for operation in operations.iter().skip(process).step_by(PROCESSES) {
            command.args(["--include-operation-id", operation]);
        }
        let child = command
            .current_dir(own)
            .env("SCHEMATHESIS_HOOKS", "sign")
            .stdout(Stdio::piped())
            .spawn();
        running.push(child.map_err(failed)?);
    }
    let mut passed = true;
    for child in running {
        let output = child.wait_with_output().map_err(failed)?;
        println!("{}", String::from_utf8_lossy(&output.stdout));
        passed &= output.status.success();
    }
    // A request that is not signed well is answered by the gateway, with a status that is documented.
    let answered = world.log_of("formation-api", "\"answered\"").await;
    let mut statuses = BTreeMap::<u64, usize>::new();
    for line in &answered {
        let line: Value = serde_json::from_str(line)?;
        *statuses.entry(line["fields"]["status"].as_u64().unwrap_or_default()).or_default() += 1;
    }
    println!("answered by the API: {statuses:?}");
    assert!(answered.len() > operations.len() * 100, "too few requests have reached the API");
    Ok(passed)
}

async fn the_api_keeps_to_its_description(world: &World) {
    assert!(check(world).await.expect("the API can be checked"), "see above");
}

fn main() -> ExitCode {
    run(WAIT_SCALE, 1, |suite| {
        trials! { suite:
            a_client_generated_from_the_description_works,
            the_api_keeps_to_its_description,
        }
    })
}

//! The API against its own description: schemathesis makes hundreds of requests from
//! `/v1/openapi.json`, valid and invalid ones, for each of its operations. None may be answered with
//! 5xx, with a status that is not documented, or with a body that does not fit its schema.

#![expect(clippy::expect_used, reason = "these are tests")]

use std::process::{Command, ExitCode};

use formation_local::{LocalError, Project};
use formation_tests::World;
use formation_tests::world::WAIT_SCALE;
use http::{Method, Uri};
use tokio::runtime::Runtime;

/// Requests for each operation, in each way of making them up.
const EXAMPLES: &str = "100";
/// The same requests each time.
const SEED: &str = "20261125";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

async fn check(world: &World) -> Result<bool, LocalError> {
    let project = Project::find()?;
    let document = world.api(Method::GET, "/v1/openapi.json", None).await;
    let folder = tempfile::tempdir().map_err(|error| LocalError::Answer(error.to_string()))?;
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document.body).map_err(|error| LocalError::Answer(error.to_string()))?;
    let host = world.stack.api_url.parse::<Uri>().expect("the API has a URL");
    let status = Command::new(project.tool("schemathesis")?)
        .arg("run")
        .arg(&file)
        .args(["--url", &world.stack.endpoint_url, "--checks", CHECKS])
        .args(["--max-examples", EXAMPLES, "--seed", SEED, "--workers", "4"])
        .args(["--phases", "examples,coverage,fuzzing", "--no-color"])
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", project.path("tests/properties/sign.py"))
        .env("PYTHONPATH", project.path("tests/properties"))
        .env("API_HOST", host.authority().expect("the API has a host").as_str())
        .env("API_URL", &world.stack.endpoint_url)
        .env("API_KEY", &world.stack.access_key_id)
        .env("API_SECRET", &world.stack.secret_access_key)
        .env("API_REGION", &world.stack.region)
        .status()
        .map_err(|error| LocalError::Answer(error.to_string()))?;
    Ok(status.success())
}

fn main() -> ExitCode {
    let runtime = Runtime::new().expect("a runtime");
    let checked = runtime.block_on(async {
        let world = World::start(WAIT_SCALE).await?;
        let checked = check(&world).await;
        world.stop().await?;
        checked
    });
    match checked {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

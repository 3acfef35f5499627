//! The life of a stack: its upgrade while it works, and its end, not while it has functions, and
//! never of what they may need. Each would trouble every other test: local AWS ends the invocations of
//! a Lambda whose code is changed, which AWS does not.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "these are tests")]

use std::io::Write;
use std::process::{Command, ExitCode, Output};

use formation_local::Project;
use formation_tests::world::CODE_BUCKET;
use formation_tests::{Fault, Rule, WAIT_SCALE, World, run, trials};
use serde_json::json;

async fn an_operation_runs_well_through_an_upgrade_of_its_steps(world: &World) {
    let name = world.name("upgraded");
    // Held before its last step, until the new release of that step is there.
    world.proxy.inject(Rule::new("logs:PutRetentionPolicy", &name, usize::MAX, Fault::Throttle));
    let accepted = world.ask_for(&name, json!({})).await;
    for (resource, binary) in
        [("EnsureFunctionFunction", "ensure-function"), ("RecordSuccessFunction", "record-success")]
    {
        let lambda = world.lambda_name(resource).await;
        let key = format!("{binary}-{name}.zip");
        let put = world.s3.put_object().bucket(CODE_BUCKET).key(&key);
        put.body(changed_release(binary).into()).send().await.unwrap();
        let before = world.lambda.get_function().function_name(&lambda).send().await.unwrap();
        let update = world.lambda.update_function_code().function_name(&lambda);
        let updated = update.s3_bucket(CODE_BUCKET).s3_key(&key).send().await.unwrap();
        let before = before.configuration.unwrap().code_sha256.unwrap();
        assert_ne!(updated.code_sha256.unwrap(), before, "{binary} was not changed");
    }
    world.proxy.release(&name);
    let operation = world.ended(&accepted).await;
    assert_eq!(operation["status"], "SUCCEEDED", "{operation:#}");
    assert_eq!(world.client.invoke(&name, &json!({})).await.unwrap()["statusCode"], 200);
    assert_eq!(world.delete(&name).await["status"], "SUCCEEDED");
}

/// A step Lambda's archive with one file more.
fn changed_release(binary: &str) -> Vec<u8> {
    let project = Project::find().expect("the project is found");
    let program = std::fs::read(project.path(format!("target/lambda/{binary}/bootstrap")));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    archive.start_file("bootstrap", options).unwrap();
    archive.write_all(&program.unwrap()).unwrap();
    archive.start_file("release.txt", options).unwrap();
    archive.write_all(b"next").unwrap();
    archive.finish().unwrap().into_inner()
}

fn destroy(world: &World, project: &Project) -> Output {
    let tools = project.path(".venv/bin");
    let path = std::env::var("PATH").expect("a PATH");
    Command::new(project.path("infra/destroy.sh"))
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("STACK", &world.stack.stack_name)
        .env("REGION", &world.stack.region)
        .env("AWS_ENDPOINT_URL", &world.stack.endpoint_url)
        .env("AWS_ACCESS_KEY_ID", &world.stack.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &world.stack.secret_access_key)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .expect("the script runs")
}

async fn a_stack_ends_only_without_functions_and_leaves_what_they_may_need(world: &World) {
    let project = &Project::find().expect("the project is found");
    let name = world.name("resident");
    let created = world.create(&name, json!({})).await;
    assert_eq!(created["status"], "SUCCEEDED");
    let refused = destroy(world, project);
    assert!(!refused.status.success(), "a stack with a function was destroyed");
    assert!(String::from_utf8_lossy(&refused.stderr).contains(&name), "{refused:?}");
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);

    assert_eq!(world.delete(&name).await["status"], "SUCCEEDED");
    let destroyed = destroy(world, project);
    assert!(destroyed.status.success(), "{destroyed:?}");
    let told = String::from_utf8_lossy(&destroyed.stdout).into_owned();
    for kept in [&world.stack.table_name, &world.stack.artifact_bucket] {
        assert!(told.contains(kept.as_str()), "{told}");
    }
    let table = world.dynamodb.scan().table_name(&world.stack.table_name).send().await;
    assert!(table.is_ok_and(|found| found.count > 0), "the table is kept, with the history");
    let bucket = world.s3.head_bucket().bucket(&world.stack.artifact_bucket).send().await;
    assert!(bucket.is_ok(), "the bucket is kept: {bucket:?}");
    let policies = world.iam.list_policies().send().await.expect("policies can be listed");
    let boundary = told.lines().last().expect("the policy").trim_start();
    let kept = policies
        .policies()
        .iter()
        .any(|policy| policy.arn().is_some_and(|arn| boundary.contains(arn)));
    assert!(kept, "the boundary is kept: {told}");
    let machine = &world.stack.state_machine_arn;
    let machine = world.sfn.describe_state_machine().state_machine_arn(machine).send().await;
    assert!(machine.is_err(), "the state machine is gone");
}

fn main() -> ExitCode {
    run(WAIT_SCALE, 1, |suite| {
        trials! { suite:
            an_operation_runs_well_through_an_upgrade_of_its_steps,
            a_stack_ends_only_without_functions_and_leaves_what_they_may_need,
        }
    })
}

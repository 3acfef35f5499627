//! The end of a stack: not while it has functions, and never of what they may need.

#![expect(clippy::expect_used, reason = "these are tests")]

use std::process::{Command, ExitCode, Output};

use formation_local::Project;
use formation_tests::{WAIT_SCALE, World, run};
use serde_json::json;

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
        let name = "a_stack_ends_only_without_functions_and_leaves_what_they_may_need";
        let test = a_stack_ends_only_without_functions_and_leaves_what_they_may_need;
        vec![suite.trial(name, test)]
    })
}

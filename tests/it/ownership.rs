//! What is not ours is never touched.

use std::collections::HashMap;

use aws_sdk_lambda::types::{FunctionCode, Runtime};
use formation_model::bundle;
use formation_tests::World;
use http::Method;
use serde_json::{Value, json};

/// The create failed because of what was there, the name is free, and only `left` is there.
async fn assert_refused(world: &World, name: &str, operation: &Value, left: &[&str]) {
    assert_eq!(operation["status"], "FAILED", "{operation:#}");
    assert_eq!(operation["rollback"], "COMPLETE");
    assert_eq!(operation["error"]["code"], "NOT_OWNED");
    assert_eq!(world.live(name).await.parts(), left);
    let path = format!("/v1/functions/{name}");
    assert_eq!(world.api(Method::GET, &path, None).await.status, 404);
    assert_eq!(world.bundle_states(name).await, ["expired"]);
}

pub async fn a_foreign_function_makes_the_create_fail_and_stays_untouched(world: &World) {
    let name = world.name("foreign-function");
    let role = format!("theirs-{name}");
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let create = world.iam.create_role().role_name(&role).assume_role_policy_document(trust);
    create.send().await.unwrap();
    let archive = bundle::from_source("index.mjs", "export const handler = () => 'theirs';");
    let code = FunctionCode::builder().zip_file(archive.unwrap().into()).build();
    world
        .lambda
        .create_function()
        .function_name(&name)
        .runtime(Runtime::Nodejs22x)
        .handler("index.handler")
        .role(format!("arn:aws:iam::000000000000:role/{role}"))
        .code(code)
        .tags("team", "theirs")
        .send()
        .await
        .unwrap();
    let before = world.live(&name).await.function.unwrap();

    let operation = world.create(&name, json!({})).await;
    assert_refused(world, &name, &operation, &["function"]).await;
    assert_eq!(operation["error"]["step"], "Ensure function");

    let after = world.live(&name).await.function.unwrap();
    assert_eq!(after.tags, Some(HashMap::from([("team".to_owned(), "theirs".to_owned())])));
    let (before, after) = (before.configuration.unwrap(), after.configuration.unwrap());
    assert_eq!(after.code_sha256, before.code_sha256);
    assert_eq!(after.last_modified, before.last_modified);
    assert_eq!(after.role, before.role);
}

pub async fn a_foreign_log_group_makes_the_create_fail_and_stays_untouched(world: &World) {
    let name = world.name("foreign-group");
    let group = format!("/aws/lambda/{name}");
    // Half of our tags are not enough.
    let tags = HashMap::from([("formation:function".to_owned(), name.clone())]);
    let create = world.logs.create_log_group().log_group_name(&group).set_tags(Some(tags));
    create.send().await.unwrap();
    let retention = world.logs.put_retention_policy().log_group_name(&group);
    retention.retention_in_days(365).send().await.unwrap();

    let operation = world.create(&name, json!({})).await;
    assert_refused(world, &name, &operation, &["log group"]).await;
    assert_eq!(operation["error"]["step"], "Ensure log group");
    let (retention, tags) = world.live(&name).await.log_group.unwrap();
    assert_eq!(retention, Some(365));
    assert_eq!(tags, [("formation:function".to_owned(), name)].into());
}

pub async fn a_foreign_role_makes_the_create_fail_and_stays_untouched(world: &World) {
    let name = world.name("foreign-role");
    let role = world.role_name(&name);
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let create = world.iam.create_role().role_name(&role).assume_role_policy_document(&trust);
    create.send().await.unwrap();

    let operation = world.create(&name, json!({})).await;
    assert_refused(world, &name, &operation, &["role"]).await;
    assert_eq!(operation["error"]["step"], "Ensure role");
    let live = world.live(&name).await.role.unwrap();
    assert_eq!(
        formation_tests::world::policy(live.assume_role_policy_document().unwrap()),
        serde_json::from_str::<Value>(&trust).unwrap()
    );
}

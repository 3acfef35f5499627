//! What becomes of functions when the stack's boundary is another, cannot do, is gone, or is none.

use formation_local::{Project, deploy};
use formation_model::{Difference, OperationStatus, Rollback};
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

/// A managed policy that allows these actions.
async fn policy(world: &World, actions: &[&str]) -> String {
    let create = world.iam.create_policy().policy_name(world.name("boundary"));
    let created = create.policy_document(document(actions)).send().await.unwrap();
    created.policy.unwrap().arn.unwrap()
}

fn document(actions: &[&str]) -> String {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Deploys the stack again, with this boundary.
async fn deploy(world: &World, boundary: &str) {
    let project = Project::find().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let parameter = format!("FunctionBoundaryArn={boundary}");
    let url = &world.stack.endpoint_url;
    deploy::deploy(&project, url, folder.path(), &[&parameter]).await.unwrap();
}

async fn drifted(world: &World, name: &str) -> Vec<String> {
    let answer = world.api(Method::GET, &format!("/v1/functions/{name}/drift"), None).await.json();
    let found: Vec<Difference> = serde_json::from_value(answer["differences"].clone()).unwrap();
    found.into_iter().map(|it| it.property).collect()
}

async fn boundary_of(world: &World, name: &str) -> String {
    let role = world.live(name).await.role.unwrap();
    role.permissions_boundary.unwrap().permissions_boundary_arn.unwrap()
}

/// Where a function with these statements is refused, and with which words.
async fn refused(world: &World, statements: Value) -> (String, String) {
    let name = world.name("refused");
    let body = json!({"functionName": name, "code": "x", "policyStatements": statements});
    let answer = world.api(Method::POST, "/v1/functions?dryRun=true", Some(&body)).await;
    assert_eq!(answer.status, 422, "{}", answer.json());
    let error = answer.json()["errors"][0].clone();
    let text = |member: &str| error[member].as_str().unwrap().to_owned();
    (text("pointer"), text("detail"))
}

pub async fn functions_follow_the_stacks_boundary_by_repair_and_new_ones_need_a_good_one(
    world: &World,
) {
    let name = world.name("bounded");
    let statements = json!([{"actions": ["s3:GetObject"], "resources": ["*"]}]);
    let created = world.create(&name, json!({"policyStatements": statements})).await;
    assert_eq!(created.status, OperationStatus::Succeeded, "{created:?}");
    let first = boundary_of(world, &name).await;

    let next = policy(world, &["logs:*", "s3:Get*"]).await;
    deploy(world, &next).await;
    assert_eq!(drifted(world, &name).await, ["permissionsBoundary", "guard"].map(String::from));
    assert_eq!(boundary_of(world, &name).await, first);
    let repair = format!("/v1/functions/{name}/repair?wait=25");
    assert_eq!(world.api(Method::POST, &repair, None).await.status, 200);
    assert_eq!(drifted(world, &name).await, [""; 0]);
    assert_eq!(boundary_of(world, &name).await, next);
    let (place, detail) = refused(world, json!([{"actions": ["sqs:*"], "resources": ["*"]}])).await;
    assert_eq!(place, "/policyStatements/0/actions/0");
    assert!(detail.contains("logs:*, s3:Get*"), "{detail}");

    // What the boundary does not allow any more is restored all the same: it is not asked for anew.
    let narrow = world.iam.create_policy_version().policy_arn(&next).set_as_default(true);
    narrow.policy_document(document(&["logs:*"])).send().await.unwrap();
    let refuse = Fault::Refuse(400, "InvalidParameterValueException", "injected");
    world.proxy.inject(Rule::new("lambda:UpdateFunctionConfiguration", &name, 1, refuse));
    let fails = json!({"policyStatements": null, "memoryMegabytes": 512});
    let failed = world.patch(&name, fails).await;
    let ended = (failed.status.clone(), failed.rollback.clone());
    assert_eq!(ended, (OperationStatus::Failed.into(), Rollback::Complete.into()), "{failed:?}");
    assert_eq!(drifted(world, &name).await, [""; 0]);
    let policies = world.live(&name).await.inline_policies;
    assert!(policies.keys().any(|policy| policy.starts_with("permissions-")), "{policies:?}");

    for (boundary, told) in [
        (policy(world, &["logs:PutLogEvents", "s3:*"]).await, "logs:CreateLogStream"),
        (format!("{next}-gone"), "gone"),
    ] {
        deploy(world, &boundary).await;
        let (place, detail) = refused(world, statements.clone()).await;
        assert_eq!(place, "/policyStatements");
        assert!(detail.contains(told) && detail.contains(&boundary), "{detail}");
        let (place, _) = refused(world, json!([])).await;
        assert_eq!(place, "/policyStatements");
    }
    // Where it is gone, what is there stays as it is.
    let path = format!("/v1/functions/{name}");
    for (method, path, body) in [
        (Method::PATCH, path.clone(), Some(json!({"memoryMegabytes": 512}))),
        (Method::POST, format!("{path}/repair"), None),
    ] {
        let answer = world.api(method, &path, body.as_ref()).await;
        assert_eq!(answer.status, 422, "{}", answer.json());
        let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("is gone"), "{detail}");
    }
    assert_eq!(boundary_of(world, &name).await, next);

    // Within Formation's own there is nothing to allow; what a function has, it keeps.
    deploy(world, "").await;
    let (place, detail) = refused(world, statements.clone()).await;
    assert_eq!(place, "/policyStatements");
    assert!(detail.contains("FunctionBoundaryArn"), "{detail}");
    let about = world.api(Method::GET, "/v1", None).await.json();
    assert_eq!(about["functionBoundaryArn"], Value::Null);
    assert_eq!(about["limits"]["policyStatementsCharacters"], 0);
    assert!(about["boundaryActions"].as_array().unwrap().contains(&json!("logs:PutLogEvents")));
    let changed = world.patch(&name, json!({"memoryMegabytes": 256})).await;
    assert_eq!(changed.status, OperationStatus::Succeeded, "{changed:?}");
    let own = boundary_of(world, &name).await;
    assert!(own.contains(&format!("{}-FunctionBoundary-", world.stack.stack_name)), "{own}");
    assert_eq!(drifted(world, &name).await, [""; 0]);
    let plain = world.name("plain");
    assert_eq!(world.create(&plain, json!({})).await.status, OperationStatus::Succeeded);
    for name in [&name, &plain] {
        assert_eq!(world.delete(name).await.status, OperationStatus::Succeeded);
    }
}

//! Whatever ends an execution before its time, its operation ends: as the target or as what was
//! before, and with nobody's help.

use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

use crate::moments::{Act, at_call, at_each_of};

/// How many moments of each operation are tried.
const MOMENTS: usize = 20;

fn path(name: &str) -> String {
    format!("/v1/functions/{name}")
}

async fn stop_at(world: &World, act: Act, moment: usize) {
    let name = world.name("stopped");
    act.prepare(world, &name).await;
    let before = world.live(&name).await.facts();
    let accepted = act.ask(world, &name).await;
    at_call(world, &name, &accepted, moment).await;
    let arn = accepted["executionArn"].as_str().unwrap();
    // One that has ended cannot be stopped, and one that was stopped just now may be started late.
    let _ = world.sfn.stop_execution().execution_arn(arn).send().await;

    let (status, rollback) = world.ended_unseen(&accepted).await;
    let after = world.live(&name).await.facts();
    let told = format!("{act:?}, stopped at call {moment}: {status} {rollback}");
    match (status.as_str(), rollback.as_str()) {
        ("SUCCEEDED", "NOT_NEEDED") => act.check(&after, &told),
        ("FAILED", "COMPLETE") => {
            assert_eq!(after, before, "{told}");
            assert_ne!(act, Act::Delete, "{told}: a delete only goes forward");
            let item = world.operation_item(&accepted).await;
            let error = item["error"].as_m().unwrap();
            assert_eq!(error["code"].as_s().unwrap(), "INTERRUPTED", "{told}");
        }
        _ => panic!("{told}"),
    }
}

pub async fn an_execution_that_is_stopped_at_any_moment_leaves_the_target_or_what_was_before(
    world: &World,
) {
    at_each_of(MOMENTS, async |act, moment| stop_at(world, act, moment).await).await;
}

pub async fn an_operation_that_nobody_started_is_started(world: &World) {
    let name = world.name("unstarted");
    let refuse = Fault::Refuse(403, "AccessDeniedException", "injected");
    world.proxy.inject(Rule::new("states:StartExecution", &name, 1, refuse));
    let accepted = world.ask_for(&name, json!({})).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    let arn = accepted.json()["executionArn"].as_str().unwrap().to_owned();
    assert!(world.sfn.describe_execution().execution_arn(&arn).send().await.is_err());

    world.reconcile_operation(&accepted.json()).await;
    let operation = world.ended(&accepted).await;
    assert_eq!(operation["status"], "SUCCEEDED", "{operation:#}");
    assert_eq!(operation["executionArn"], arn, "the attempt that was accepted is the one that ran");
}

pub async fn an_api_lambda_that_dies_between_claim_and_start_heals(world: &World) {
    let name = world.name("died");
    world.proxy.inject(Rule::new("dynamodb:TransactWriteItems", &name, 1, Fault::Kill));
    let answer = world.ask_for(&name, json!({})).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    let function = world.api(Method::GET, &path(&name), None).await.json();
    assert_eq!(function["status"], "CREATING");
    let operation =
        format!("{}/operations/{}", path(&name), function["operation"].as_str().unwrap());
    let operation = world.api(Method::GET, &operation, None).await.json();

    world.reconcile_operation(&operation).await;
    assert_eq!(world.ended_unseen(&operation).await.0, "SUCCEEDED");
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);
}

pub async fn recoveries_in_a_row_pause_longer(world: &World) {
    let name = world.name("stubborn");
    world.proxy.inject(Rule::new("logs:CreateLogGroup", &name, usize::MAX, Fault::Throttle));
    let accepted = world.ask_for(&name, json!({})).await.json();
    let stop = async |attempt: u32| {
        let arn = accepted["executionArn"].as_str().unwrap();
        let arn = format!("{}-{attempt}", arn.rsplit_once('-').unwrap().0);
        world
            .until("the attempt runs", async || {
                world.sfn.stop_execution().execution_arn(&arn).send().await.ok()
            })
            .await;
    };
    let attempt = async || {
        let item = world.operation_item(&accepted).await;
        let number = |name: &str| item[name].as_n().unwrap().parse::<i64>().unwrap();
        (number("attempt"), number("dueAt"))
    };
    stop(1).await;
    world.until("it is taken over", async || (attempt().await.0 == 2).then_some(())).await;
    let due = attempt().await.1;
    stop(2).await;
    // The second time it is put off rather than taken over.
    world.until("it is put off", async || (attempt().await.1 > due).then_some(())).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (attempt, due) = attempt().await;
    assert_eq!(attempt, 2);
    assert!(due > i64::try_from(now.as_secs()).unwrap() + 30, "due in {due}");
}

pub async fn an_outcome_that_its_execution_did_not_announce_is_announced(world: &World) {
    let name = world.name("untold");
    let operation = world.create(&name, json!({})).await;
    let id = operation["operationId"].clone();
    let told = |event: &Value| event["detail"]["operationId"] == id;
    world.announced("its execution announces it", told).await;
    // As if its execution had died just before: the record names an attempt that never announced.
    let key = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
    world
        .dynamodb
        .update_item()
        .table_name(&world.stack.table_name)
        .key("pk", key(format!("FUNCTION#{name}")))
        .key("sk", key(format!("OPERATION#{}", id.as_str().unwrap())))
        .update_expression("SET attempt = :attempt")
        .expression_attribute_values(
            ":attempt",
            aws_sdk_dynamodb::types::AttributeValue::N("7".to_owned()),
        )
        .send()
        .await
        .unwrap();
    world.reconcile_operation(&operation).await;
    world
        .until("it is announced again", async || (world.count_announced(told) == 2).then_some(()))
        .await;
    assert!(!world.operation_item(&operation).await.contains_key("due"), "it is due no more");
}

pub async fn a_rollback_that_stayed_incomplete_is_finished(world: &World) {
    let name = world.name("leftover");
    let refuse = Fault::Refuse(403, "AccessDeniedException", "explicit deny");
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refuse));
    let refuse = Fault::Refuse(400, "UnmodifiableEntity", "told");
    world.proxy.inject(Rule::new("iam:DeleteRole", &name, 1, refuse));
    let operation = world.create(&name, json!({})).await;
    assert_eq!(operation["rollback"], "INCOMPLETE");
    assert_eq!(world.live(&name).await.parts(), ["role", "log group"]);

    world.reconcile_function(&name).await;
    let healed = world
        .announced("it is healed", |event| {
            event["detail"]["functionName"] == name && event["detail"]["kind"] == "REPAIR"
        })
        .await;
    assert_eq!(healed["detail"]["status"], "SUCCEEDED", "{healed:#}");
    assert!(world.live(&name).await.parts().is_empty());
    assert_eq!(world.api(Method::GET, &path(&name), None).await.status, 404);
    let operations = format!("{}/operations", path(&name));
    let operations = world.api(Method::GET, &operations, None).await.json();
    assert_eq!(operations["operations"][0]["requestedBy"], "formation:reconcile");
}

pub async fn a_delete_that_could_not_be_finished_is_finished(world: &World) {
    let name = world.name("half-gone");
    world.create(&name, json!({})).await;
    let refuse = Fault::Refuse(400, "ValidationException", "told");
    world.proxy.inject(Rule::new("logs:DeleteLogGroup", &name, 1, refuse));
    let operation = world.delete(&name).await;
    assert_eq!(
        (&operation["status"], &operation["rollback"]),
        (&json!("FAILED"), &json!("INCOMPLETE"))
    );
    assert_eq!(operation["leftovers"], json!(["LOG_GROUP"]));

    world.reconcile_function(&name).await;
    world
        .until("the function is gone", async || {
            (world.api(Method::GET, &path(&name), None).await.status == 404).then_some(())
        })
        .await;
    assert!(world.live(&name).await.parts().is_empty());
}

//! Whatever ends an execution before its time, its operation ends: as the target or as what was
//! before, and with nobody's help.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use formation_client::Changed;
use formation_model::{FunctionStatus, Operation, OperationId, OperationStatus, Part, Rollback};
use formation_tests::{Fault, Rule, World};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::moments::{Act, Clean, at_call, at_each};

type Key = HashMap<String, AttributeValue>;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn key_of(pk: &str, sk: &str) -> Key {
    [("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))].into()
}

fn function_key(name: &str) -> Key {
    key_of("FUNCTION", name)
}

fn operation_key(operation: &Operation) -> Key {
    let (name, id) = (&operation.function_name, operation.operation_id);
    key_of(&format!("FUNCTION#{name}"), &format!("OPERATION#{id}"))
}

/// An item of the table, past the API.
async fn item_of(world: &World, key: &Key) -> HashMap<String, AttributeValue> {
    let found = world.dynamodb.get_item().table_name(&world.stack.table_name);
    found.set_key(Some(key.clone())).send().await.unwrap().item.unwrap()
}

async fn put(world: &World, item: HashMap<String, AttributeValue>) {
    let put = world.dynamodb.put_item().table_name(&world.stack.table_name);
    put.set_item(Some(item)).send().await.unwrap();
}

async fn stop_at(world: &World, clean: &Clean, moment: usize) {
    let (name, act) = (world.name("stopped"), clean.act);
    act.prepare(world, &name).await;
    let before = world.live(&name).await.facts();
    let accepted = act.ask(world, &name).await;
    at_call(world, &name, &accepted, moment).await;
    let arn = &accepted.execution_arn;
    // One that has ended cannot be stopped, and one that was stopped just now may be started late.
    let _ = world.sfn.stop_execution().execution_arn(arn).send().await;

    let (status, rollback) = world.ended_unseen(&accepted).await;
    let told = format!("{act:?}, stopped at call {moment}: {status:?} {rollback:?}");
    match (status, rollback) {
        (OperationStatus::Succeeded, Rollback::NotNeeded) => {
            clean.check(world, &name, &told).await;
        }
        (OperationStatus::Failed, Rollback::Complete) => {
            assert_eq!(world.live(&name).await.facts(), before, "{told}");
            assert_ne!(act, Act::Delete, "{told}: a delete only goes forward");
            let item = world.operation_item(&accepted).await;
            let error = item["error"].as_m().unwrap();
            assert_eq!(error["code"].as_s().unwrap(), "INTERRUPTED", "{told}");
            assert!(!error["step"].as_s().unwrap().is_empty(), "{told}");
        }
        _ => panic!("{told}"),
    }
}

pub async fn an_execution_that_is_stopped_at_any_moment_leaves_the_target_or_what_was_before(
    world: &World,
) {
    at_each(world, async |clean, moment| stop_at(world, clean, moment).await).await;
}

pub async fn an_operation_that_nobody_started_is_started(world: &World) {
    let name = world.name("unstarted");
    let refuse = Fault::Refuse(403, "AccessDeniedException", "injected");
    world.proxy.inject(Rule::new("states:StartExecution", &name, 1, refuse));
    let accepted = world.ask_for(&name, json!({})).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    let begun: Operation = accepted.read();
    let arn = &begun.execution_arn;
    assert!(world.sfn.describe_execution().execution_arn(arn).send().await.is_err());

    world.reconcile_operation(&begun).await;
    let operation = world.ended(&accepted).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    let ran = operation.execution_arn;
    assert_eq!(&ran, arn, "the attempt that was accepted is the one that ran");
}

pub async fn an_api_lambda_that_dies_between_claim_and_start_heals(world: &World) {
    let name = world.name("died");
    world.proxy.inject(Rule::new("dynamodb:TransactWriteItems", &name, 1, Fault::Kill));
    let answer = world.ask_for(&name, json!({})).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    let function = world.function(&name).await;
    assert_eq!(function.status, FunctionStatus::Creating);
    let name_of = &function.spec.function_name;
    let operation = world.client.operation(name_of, function.operation_id).await.unwrap();

    world.reconcile_operation(&operation).await;
    assert_eq!(world.ended_unseen(&operation).await.0, OperationStatus::Succeeded);
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);
}

pub async fn recoveries_in_a_row_pause_longer(world: &World) {
    let name = world.name("stubborn");
    world.proxy.inject(Rule::new("logs:CreateLogGroup", &name, usize::MAX, Fault::Throttle));
    let accepted: Operation = world.ask_for(&name, json!({})).await.read();
    let stop = async |attempt: u32| {
        let arn = format!("{}-{attempt}", accepted.execution_arn.rsplit_once('-').unwrap().0);
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
    let id = operation.operation_id.to_string();
    let told = |event: &Value| event["detail"]["operationId"] == id;
    world.announced("its execution announces it", told).await;
    // As if its execution had died just before: the record names an attempt that never announced.
    let update = world.dynamodb.update_item().table_name(&world.stack.table_name);
    let update = update.set_key(Some(operation_key(&operation)));
    let update = update.update_expression("SET attempt = :attempt");
    let attempt = AttributeValue::N("7".to_owned());
    update.expression_attribute_values(":attempt", attempt).send().await.unwrap();
    world.reconcile_operation(&operation).await;
    world
        .until("it is announced again", async || (world.count_announced(told) == 2).then_some(()))
        .await;
    assert!(!world.operation_item(&operation).await.contains_key("due"), "it is due no more");
}

/// A create that left its role over because its rollback stayed incomplete.
async fn left_over(world: &World, name: &str) -> Operation {
    let refuse = Fault::Refuse(403, "AccessDeniedException", "explicit deny");
    world.proxy.inject(Rule::new("lambda:CreateFunction", name, 1, refuse));
    let refuse = Fault::Refuse(400, "UnmodifiableEntity", "told");
    world.proxy.inject(Rule::new("iam:DeleteRole", name, 1, refuse));
    let operation = world.create(name, json!({})).await;
    assert_eq!(operation.rollback, Rollback::Incomplete);
    operation
}

/// Makes two operations what the previous release would have left of a rollback that stayed
/// incomplete: for ever, with specifications. The earlier one is not the function's last.
async fn keep_specifications(world: &World, operation: &Operation) -> [Operation; 2] {
    let spec = item_of(world, &function_key(operation.function_name.as_str())).await;
    let spec = spec["spec"].clone();
    let operation_id = "01JAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let earlier = Operation { operation_id, ..operation.clone() };
    let mut item = world.operation_item(operation).await;
    for attribute in ["expiresAt", "due", "dueAt"] {
        item.remove(attribute);
    }
    let (mut first, mut last) = (item.clone(), item);
    first.extend(operation_key(&earlier));
    first.insert("operationId".to_owned(), text(&operation_id.to_string()));
    first.insert("previous".to_owned(), spec.clone());
    last.insert("target".to_owned(), spec);
    put(world, first).await;
    put(world, last).await;
    [earlier, operation.clone()]
}

pub async fn a_rollback_that_stayed_incomplete_is_finished(world: &World) {
    let name = world.name("leftover");
    let operation = left_over(world, &name).await;
    assert_eq!(world.live(&name).await.parts(), ["role", "log group"]);
    let item = world.operation_item(&operation).await;
    assert!(!item.contains_key("target") && item.contains_key("expiresAt"), "{item:?}");

    world.reconcile_function(&name).await;
    let healed = world
        .announced("it is healed", |event| {
            event["detail"]["functionName"] == name && event["detail"]["kind"] == "REPAIR"
        })
        .await;
    assert_eq!(healed["detail"]["status"], "SUCCEEDED", "{healed:#}");
    assert!(world.live(&name).await.parts().is_empty());
    assert!(!world.is_known(&name).await);
    let operations = world.client.operations(name.parse().unwrap());
    let operations: Vec<_> = operations.try_collect().await.unwrap();
    assert_eq!(operations[0].requested_by, "formation:reconcile");
}

pub async fn what_the_previous_release_kept_is_forgotten_whoever_comes_first(world: &World) {
    for way in ["reconcile", "DELETE", "repair", "event"] {
        let name = world.name("kept");
        let operation = left_over(world, &name).await;
        let kept = keep_specifications(world, &operation).await;
        match way {
            "reconcile" => world.reconcile_function(&name).await,
            "event" => {
                let function = json!({"functionName": name});
                world.put_request(json!({"kind": "DELETE", "function": function})).await;
            }
            _ => {
                let (client, name) = (&world.client, &name.parse().unwrap());
                let change =
                    if way == "repair" { client.repair(name) } else { client.delete(name) };
                let changed = change.await.unwrap();
                assert!(matches!(changed, Changed::Accepted(_)), "{changed:?}");
            }
        }
        world.until(way, async || (!world.is_known(&name).await).then_some(())).await;
        for operation in &kept {
            let item = world.operation_item(operation).await;
            let specified = ["target", "previous"].iter().any(|it| item.contains_key(*it));
            assert!(!specified && item.contains_key("expiresAt"), "{way}: {item:?}");
        }
    }
}

pub async fn a_delete_that_could_not_be_finished_is_finished(world: &World) {
    let name = world.name("half-gone");
    world.create(&name, json!({})).await;
    let refuse = Fault::Refuse(400, "ValidationException", "told");
    world.proxy.inject(Rule::new("logs:DeleteLogGroup", &name, 1, refuse));
    let operation = world.delete(&name).await;
    assert_eq!(operation.status, OperationStatus::Failed);
    assert_eq!(operation.rollback, Rollback::Incomplete);
    assert_eq!(operation.leftovers, [Part::LogGroup]);

    world.reconcile_function(&name).await;
    world
        .until("the function is gone", async || (!world.is_known(&name).await).then_some(()))
        .await;
    assert!(world.live(&name).await.parts().is_empty());
}

/// How many items stand before one that can be repaired: more than a page of the index.
const HEADS: usize = 23;

/// Items that are due and that nobody can look at: functions of which AWS refuses to tell, an
/// operation that cannot be read, and something of a later release.
async fn heads_of_the_queue(world: &World, like: &str) -> Vec<Key> {
    let like = item_of(world, &function_key(like)).await;
    let mut heads = Vec::new();
    for head in 0..HEADS {
        let name = world.name("head");
        let mut item = like.clone();
        item.insert("sk".to_owned(), text(&name));
        let spec = item.get_mut("spec").unwrap();
        let AttributeValue::M(spec) = spec else { panic!("{spec:?}") };
        spec.insert("functionName".to_owned(), text(&name));
        // Before the one that stands behind them.
        item.insert("dueAt".to_owned(), AttributeValue::N(head.to_string()));
        put(world, item).await;
        let refuse = Fault::Refuse(403, "AccessDeniedException", "explicit deny");
        world.proxy.inject(Rule::new("iam:GetRole", &name, usize::MAX, refuse));
        heads.push(function_key(&name));
    }
    let name = world.name("unreadable");
    for (queue, key) in [
        (
            "OPERATIONS",
            [format!("FUNCTION#{name}"), format!("OPERATION#{}", OperationId::generate())],
        ),
        ("COMPARISONS", ["LATER".to_owned(), name.clone()]),
    ] {
        let key = key_of(&key[0], &key[1]);
        let mut item = key.clone();
        item.insert("due".to_owned(), text(queue));
        item.insert("dueAt".to_owned(), AttributeValue::N("0".to_owned()));
        put(world, item).await;
        heads.push(key);
    }
    heads
}

pub async fn what_cannot_be_looked_at_is_put_off_and_holds_up_nothing_behind_it(world: &World) {
    let name = world.name("behind");
    world.create(&name, json!({})).await;
    let group = format!("/aws/lambda/{name}");
    let retention = world.logs.put_retention_policy().log_group_name(&group);
    retention.retention_in_days(365).send().await.unwrap();
    world
        .alone_with_reconcile(async || {
            let heads = heads_of_the_queue(world, &name).await;
            // Behind them, and looks at it have failed before.
            let update = world.dynamodb.update_item().table_name(&world.stack.table_name);
            let update = update.set_key(Some(function_key(&name)));
            let update = update.update_expression("SET dueAt = :behind, lookFailures = :three");
            let number = |number: usize| AttributeValue::N(number.to_string());
            let update = update.expression_attribute_values(":behind", number(HEADS));
            update.expression_attribute_values(":three", number(3)).send().await.unwrap();
            let told = world.run_reconcile().await.unwrap_err().to_string();
            assert!(told.contains("items could not be looked at"), "{told}");
            let put_off = async |failures: i64, least: i64| {
                for head in &heads {
                    let item = item_of(world, head).await;
                    let number = |name: &str| item[name].as_n().unwrap().parse::<i64>().unwrap();
                    assert_eq!(number("lookFailures"), failures, "{item:?}");
                    let pause = number("dueAt") - Timestamp::now().as_second();
                    assert!(pause > least, "{item:?} is due again in {pause} s");
                }
            };
            put_off(1, 5).await;
            for head in &heads {
                world.make_due(head.clone()).await;
            }
            assert!(world.run_reconcile().await.is_err());
            put_off(2, 65).await;

            let head = heads[0]["sk"].as_s().unwrap();
            let lines = world.log_of("reconcile", head).await;
            let told = |line: &String| line.contains("put off") && line.contains("iam:GetRole");
            assert!(lines.iter().any(told), "{lines:#?}");
            for head in heads {
                let delete = world.dynamodb.delete_item().table_name(&world.stack.table_name);
                delete.set_key(Some(head)).send().await.unwrap();
            }
        })
        .await;

    let repaired = world
        .announced("what stands behind is repaired", |event| {
            event["detail"]["functionName"] == name && event["detail"]["kind"] == "REPAIR"
        })
        .await;
    assert_eq!(repaired["detail"]["status"], "SUCCEEDED", "{repaired:#}");
    assert_eq!(world.live(&name).await.facts()["logGroup"]["retention"], 30);
    assert!(!item_of(world, &function_key(&name)).await.contains_key("lookFailures"));
}

pub async fn a_part_that_was_taken_from_us_is_told_and_not_repaired(world: &World) {
    let name = world.name("taken");
    world.create(&name, json!({})).await;
    let untag = world.iam.untag_role().role_name(world.role_name(&name));
    untag.tag_keys("formation:stack").send().await.unwrap();
    world.reconcile_function(&name).await;
    let told = world
        .announced("it is told", |event| {
            event["detail-type"] == "Formation Drift Status Change"
                && event["detail"]["functionName"] == name
        })
        .await;
    let detail = &told["detail"];
    assert_eq!((&detail["status"], &detail["reaction"]), (&json!("DRIFTED"), &json!("NONE")));
    assert_eq!(detail["differences"].as_array().unwrap().len(), 1, "{detail:#}");
    assert_eq!(detail["differences"][0]["property"], "owner");
    let status = world.function(&name).await.status;
    assert_eq!(status, FunctionStatus::Available, "no repair has failed on it");
}

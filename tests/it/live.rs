//! What callers run: the alias `live`, which an operation moves last and puts back first.

use std::time::Duration;

use formation_model::{
    DriftStatus, FunctionStatus, Operation, OperationKind, OperationStatus, Part, PublishedVersion,
    Rollback,
};
use formation_tests::{Call, Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::requests::{OTHER_CODE, path};

fn version(number: u64) -> Option<PublishedVersion> {
    number.to_string().parse().ok()
}

/// What callers of a function are answered.
async fn answered(world: &World, name: &str) -> Value {
    world.invoke(&format!("{name}:live"), &json!({})).await.unwrap()
}

fn first() -> Value {
    json!({"statusCode": 200, "body": "\"Hello!\""})
}

async fn roll_back(world: &World, name: &str, to: Option<u64>) -> Operation {
    world.carried_out(world.client.roll_back(&name.parse().unwrap(), to)).await
}

fn refusing(call: &str, name: &str, times: usize) -> Rule {
    let fault = Fault::Refuse(400, "InvalidParameterValueException", "injected");
    Rule::new(call, name, times, fault)
}

/// The calls to Lambda that changed something since the first `before`, in their order.
fn writes(world: &World, name: &str, before: usize) -> Vec<String> {
    let mut calls = world.proxy.calls(name).split_off(before);
    calls.retain(|call| call.service == "lambda" && call.changes_a_part());
    calls.iter().map(|call| call.operation.clone()).collect()
}

pub async fn callers_run_a_version_that_an_update_moves_them_to(world: &World) {
    let name = world.name("live");
    world.create(&name, json!({})).await;
    let function = world.function(&name).await;
    assert_eq!(function.resources.version, version(1));
    assert_eq!(function.resources.invoke_arn, format!("{}:live", function.resources.function_arn));
    assert_eq!(answered(world, &name).await, first());

    let publish = ["PublishVersion", "UpdateAlias"];
    for (patch, mut calls, states, to) in [
        (
            json!({"code": OTHER_CODE, "memoryMegabytes": 256}),
            vec!["UpdateFunctionConfiguration", "UpdateFunctionCode"],
            8,
            2,
        ),
        (json!({"timeoutSeconds": 9}), vec!["UpdateFunctionConfiguration"], 8, 3),
        (json!({"tags": {"team": "a"}}), vec!["TagResource"], 8, 3),
        (json!({"logRetentionDays": 7}), vec![], 8, 3),
    ] {
        let before = world.proxy.calls(&name).len();
        let operation = world.patch(&name, patch.clone()).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{patch}: {operation:#?}");
        let entered = world.states_entered(&operation).await;
        assert_eq!(entered.len(), states, "{patch}: {entered:?}");
        if to != 3 || patch.get("timeoutSeconds").is_some() {
            calls.extend(publish);
        }
        assert_eq!(writes(world, &name, before), calls, "{patch}");
        let looks = world.proxy.calls(&name).split_off(before);
        assert!(looks.iter().all(|call| call.operation != "GetAlias"), "{patch}");
        assert_eq!(world.function(&name).await.resources.version, version(to), "{patch}");
    }
    assert_eq!(answered(world, &name).await, json!("second"));
    assert_eq!(*world.drift(&name).await.drift.status.known().unwrap(), DriftStatus::InSync);
    let announced = world
        .announced("the last one is announced", |event| {
            event["detail"]["functionName"] == *name && event["detail"]["revision"] == 3
        })
        .await;
    assert_eq!(announced["detail"]["version"], "3", "{announced:#}");
}

pub async fn an_update_that_fails_never_reaches_callers(world: &World) {
    for call in ["lambda:UpdateFunctionCode", "lambda:PublishVersion", "lambda:UpdateAlias"] {
        let name = world.name("unreached");
        world.create(&name, json!({"memoryMegabytes": 256})).await;
        let before = world.live(&name).await.facts();
        world.proxy.inject(refusing(call, &name, 1));
        let change = json!({"code": OTHER_CODE, "memoryMegabytes": 512});
        let operation = world.patch(&name, change).await;
        assert_eq!(operation.status, OperationStatus::Failed, "{call}: {operation:#?}");
        assert_eq!(operation.rollback, Rollback::Complete, "{call}: {operation:#?}");
        assert_eq!(world.live(&name).await.facts(), before, "{call}");
        assert_eq!(answered(world, &name).await, first(), "{call}");
        let states = world.states_entered(&operation).await;
        let back = states.iter().position(|it| it == "Restore live").unwrap();
        assert_eq!(states[back + 1], "Let AWS settle", "callers first: {states:?}");
        // And the next one does.
        let operation = world.patch(&name, json!({"code": OTHER_CODE})).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{call}: {operation:#?}");
        assert_eq!(answered(world, &name).await, json!("second"), "{call}");
    }
}

pub async fn where_nothing_leads_back_it_only_goes_forward(world: &World) {
    // Applied, and the answer is lost, however often it is asked for.
    let name = world.name("moved");
    world.create(&name, json!({})).await;
    world.proxy.inject(Rule::new("lambda:UpdateAlias", &name, 2, Fault::LoseAnswer));
    let operation = world.patch(&name, json!({"code": OTHER_CODE})).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(answered(world, &name).await, json!("second"));

    // Stopped once callers have moved: it is taken over, and succeeds all the same.
    let name = world.name("stopped");
    world.create(&name, json!({"tags": {"team": "a"}})).await;
    world.proxy.inject(Rule {
        call: "dynamodb:TransactWriteItems".to_owned(),
        function: name.clone(),
        // That of its acceptance.
        skip: 1,
        times: usize::MAX,
        fault: Fault::Throttle,
    });
    let change = json!({"code": OTHER_CODE});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&change)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    world
        .until("callers have moved", async || {
            (answered(world, &name).await == json!("second")).then_some(())
        })
        .await;
    let held = |call: &Call| call.operation == "TransactWriteItems";
    world
        .until("its outcome is to be recorded", async || {
            (world.proxy.calls(&name).iter().filter(|call| held(call)).count() > 1).then_some(())
        })
        .await;
    let begun: Operation = accepted.read();
    // Too late for a cancel.
    let id = begun.operation_id;
    let cancel = format!("{}/operations/{id}/cancel", path(&name));
    let cancelled = world.api(Method::POST, &cancel, None).await;
    assert_eq!(
        (cancelled.status.as_u16(), &cancelled.json()["code"]),
        (409, &json!("NOT_CANCELLABLE"))
    );
    world.sfn.stop_execution().execution_arn(&begun.execution_arn).send().await.unwrap();
    world.proxy.release(&name);
    assert_eq!(world.ended_unseen(&begun).await.0, OperationStatus::Succeeded);
    assert_eq!(answered(world, &name).await, json!("second"));
    let function = world.function(&name).await;
    assert_eq!((function.revision, function.resources.version), (2, version(2)));
    assert_eq!(*world.drift(&name).await.drift.status.known().unwrap(), DriftStatus::InSync);
}

pub async fn permissions_come_before_the_move_and_go_after_it(world: &World) {
    let name = world.name("widened");
    world.create(&name, json!({})).await;
    for (tracing, state, other) in [
        ("ACTIVE", "Let permissions spread", "Narrow role"),
        ("PASS_THROUGH", "Narrow role", "Let permissions spread"),
    ] {
        let before = world.proxy.calls(&name).len();
        let operation = world.patch(&name, json!({"tracing": tracing})).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{tracing}: {operation:#?}");
        let states = world.states_entered(&operation).await;
        assert!(states.len() == 9 && states.iter().any(|it| it == state), "{states:?}");
        assert!(states.iter().all(|it| it != other), "{states:?}");
        let mut calls = world.proxy.calls(&name).split_off(before);
        calls.retain(Call::changes_a_part);
        let at = |name: &str| calls.iter().position(|call| call.operation == name).unwrap();
        assert_eq!(at("PutRolePolicy") < at("UpdateAlias"), tracing == "ACTIVE", "{calls:?}");
        assert_eq!(calls.iter().filter(|call| call.operation == "PutRolePolicy").count(), 1);
    }
    // What fails once they have moved is finished forward.
    world.patch(&name, json!({"tracing": "ACTIVE"})).await;
    world.proxy.inject(refusing("iam:PutRolePolicy", &name, 1));
    let operation =
        world.patch(&name, json!({"tracing": "PASS_THROUGH", "code": OTHER_CODE})).await;
    assert_eq!(operation.status, OperationStatus::Failed, "{operation:#?}");
    assert_eq!(operation.rollback, Rollback::Incomplete, "{operation:#?}");
    assert_eq!(operation.leftovers, [Part::Role]);
    assert_eq!(answered(world, &name).await, json!("second"));
    let function = world.function(&name).await;
    assert_eq!((function.status, function.revision), (FunctionStatus::Failed.into(), 5));
    world.reconcile_function(&name).await;
    world
        .until("it is finished", async || {
            (world.function(&name).await.status == FunctionStatus::Available).then_some(())
        })
        .await;
    assert_eq!(answered(world, &name).await, json!("second"));
    assert_eq!(*world.drift(&name).await.drift.status.known().unwrap(), DriftStatus::InSync);
}

pub async fn a_rollback_moves_callers_before_anything_else(world: &World) {
    let name = world.name("back");
    world.create(&name, json!({})).await;
    world.patch(&name, json!({"code": OTHER_CODE, "memoryMegabytes": 256})).await;
    let before = world.proxy.calls(&name).len();
    let began = Instant::now();
    let accepted = world.api(Method::POST, &format!("{}/rollback", path(&name)), None).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    world
        .until("callers are back", async || (answered(world, &name).await == first()).then_some(()))
        .await;
    let took = began.elapsed();
    println!("callers are back {took:?} after a rollback was asked for");
    let operation = world.ended(&accepted).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(operation.kind, OperationKind::Rollback);
    let expected = ["UpdateAlias", "UpdateFunctionConfiguration", "UpdateFunctionCode"];
    assert_eq!(writes(world, &name, before), expected);
    assert!(world.states_entered(&operation).await.len() <= 11);
    let function = world.function(&name).await;
    assert_eq!((function.revision, function.resources.version), (3, version(1)));
    assert_eq!(function.spec.configuration.memory_megabytes, 128);
    assert_eq!(*world.drift(&name).await.drift.status.known().unwrap(), DriftStatus::InSync);

    // Its function step fails: callers stay where they were taken.
    world.proxy.inject(refusing("lambda:UpdateFunctionCode", &name, 1));
    let operation = roll_back(world, &name, Some(2)).await;
    assert_eq!(operation.status, OperationStatus::Failed, "{operation:#?}");
    assert_eq!(operation.rollback, Rollback::Incomplete, "{operation:#?}");
    assert_eq!(operation.leftovers, [Part::Function, Part::Live]);
    assert_eq!(answered(world, &name).await, json!("second"));
    let function = world.function(&name).await;
    assert_eq!((function.status, function.revision), (FunctionStatus::Failed.into(), 4));
    assert_eq!(function.resources.version, version(2));
    let repaired = world.repair(&name).await;
    assert_eq!(repaired.status, OperationStatus::Succeeded, "{repaired:#?}");
    assert_eq!(answered(world, &name).await, json!("second"));

    // A version that is gone is published anew.
    world.lambda.delete_function().function_name(&name).qualifier("1").send().await.unwrap();
    let operation = roll_back(world, &name, Some(3)).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(answered(world, &name).await, first());
    assert_eq!(world.function(&name).await.resources.version, version(3));
    for (body, status, code) in [
        (json!({"revision": 99}), 404, "REVISION_NOT_FOUND"),
        (json!({"revision": "1"}), 422, "INVALID_FUNCTION"),
    ] {
        let told = world.api(Method::POST, &format!("{}/rollback", path(&name)), Some(&body)).await;
        assert_eq!((told.status.as_u16(), &told.json()["code"]), (status, &json!(code)));
    }
    let same = json!({"revision": 5});
    let told = world.api(Method::POST, &format!("{}/rollback", path(&name)), Some(&same)).await;
    assert_eq!(told.status, 200, "{told:?}");
}

pub async fn callers_are_back_at_once_when_an_update_is_cancelled(world: &World) {
    let name = world.name("cancelled");
    world.create(&name, json!({})).await;
    // Moved, as by an execution that has died since, and not wholly: that is no move.
    world.proxy.inject(Rule::new("lambda:PublishVersion", &name, usize::MAX, Fault::Throttle));
    let change = json!({"code": OTHER_CODE});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&change)).await;
    let begun: Operation = accepted.read();
    world
        .until("it is about to publish", async || {
            let calls = world.proxy.calls(&name);
            calls.iter().any(|call| call.operation == "PublishVersion").then_some(())
        })
        .await;
    let published = world.lambda.publish_version().function_name(&name).send().await.unwrap();
    let to = published.version().unwrap();
    let alias = world.lambda.update_alias().function_name(&name).name("live");
    alias.function_version(to).send().await.unwrap();
    assert_eq!(answered(world, &name).await, json!("second"));
    let began = Instant::now();
    let cancel = format!("{}/operations/{}/cancel", path(&name), begun.operation_id);
    let cancelled = world.api(Method::POST, &cancel, None).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    world
        .until("callers are back", async || (answered(world, &name).await == first()).then_some(()))
        .await;
    let took = began.elapsed();
    println!("callers are back {took:?} after a cancel was asked for");
    assert!(took < Duration::from_secs(3), "{took:?}");
    world.proxy.release(&name);
    let (status, rollback) = world.ended_unseen(&begun).await;
    assert_eq!((status, rollback), (OperationStatus::Failed, Rollback::Complete));
}

pub async fn either_part_of_what_is_made_and_what_is_run_is_drift(world: &World) {
    let name = world.name("elsewhere");
    world.create(&name, json!({})).await;
    world.patch(&name, json!({"code": OTHER_CODE})).await;
    let parts = async || {
        let report = world.drift(&name).await;
        let parts = report.drift.differences.iter().map(|it| *it.part.known().unwrap());
        let mut parts: Vec<_> = parts.collect();
        parts.dedup();
        parts
    };
    let alias = world.lambda.update_alias().function_name(&name).name("live");
    alias.function_version("1").send().await.unwrap();
    assert_eq!(parts().await, [Part::Live]);
    assert_eq!(world.repair(&name).await.status, OperationStatus::Succeeded);
    assert_eq!(answered(world, &name).await, json!("second"));
    let shares = aws_sdk_lambda::types::AliasRoutingConfiguration::builder();
    let shares = shares.additional_version_weights("1", 0.5).build();
    let alias = world.lambda.update_alias().function_name(&name).name("live");
    alias.routing_config(shares).send().await.unwrap();
    assert_eq!(parts().await, [Part::Live]);
    assert_eq!(world.repair(&name).await.status, OperationStatus::Succeeded);
    assert_eq!(parts().await, []);
    let update = world.lambda.update_function_configuration().function_name(&name);
    update.timeout(9).send().await.unwrap();
    assert_eq!(parts().await, [Part::Function]);
    assert_eq!(world.repair(&name).await.status, OperationStatus::Succeeded);
    assert_eq!(parts().await, []);
    let gone = world.lambda.delete_alias().function_name(&name).name("live");
    gone.send().await.unwrap();
    assert_eq!(parts().await, [Part::Live]);
    assert_eq!(world.repair(&name).await.status, OperationStatus::Succeeded);
    assert_eq!(answered(world, &name).await, json!("second"));
}

pub async fn a_function_of_an_earlier_release_gets_a_version_before_it_is_changed(world: &World) {
    for fails in [false, true] {
        let name = world.name("unversioned");
        world.create(&name, json!({})).await;
        as_an_earlier_release_made_it(world, &name).await;
        assert_eq!(*world.drift(&name).await.drift.status.known().unwrap(), DriftStatus::InSync);
        assert_eq!(world.function(&name).await.resources.version, None);
        if fails {
            world.proxy.inject(refusing("lambda:UpdateFunctionCode", &name, 1));
        }
        let operation = world.patch(&name, json!({"code": OTHER_CODE})).await;
        let states = world.states_entered(&operation).await;
        assert_eq!(states[1], "Keep live", "{states:?}");
        let function = world.function(&name).await;
        assert_eq!(function.status, FunctionStatus::Available, "{operation:#?}");
        let expected = if fails { first() } else { json!("second") };
        assert_eq!(answered(world, &name).await, expected, "{operation:#?}");
        assert!(function.resources.version.is_some(), "{function:#?}");
        assert_eq!(*world.drift(&name).await.drift.status.known().unwrap(), DriftStatus::InSync);
    }
    // A repair gives one, too.
    let name = world.name("unversioned");
    world.create(&name, json!({})).await;
    as_an_earlier_release_made_it(world, &name).await;
    assert_eq!(world.repair(&name).await.status, OperationStatus::Succeeded);
    assert_eq!(answered(world, &name).await, first());
    assert!(world.function(&name).await.resources.version.is_some());
}

pub async fn versions_that_nobody_runs_go_and_nothing_else(world: &World) {
    let name = world.name("pruned");
    world.create(&name, json!({})).await;
    // The tests' stack keeps 3 revisions.
    for timeout in [4, 5, 6] {
        let updated = world.patch(&name, json!({"timeoutSeconds": timeout})).await;
        assert_eq!(updated.status, OperationStatus::Succeeded, "{updated:#?}");
    }
    // What a failed operation has published goes, too.
    world.proxy.inject(refusing("lambda:UpdateAlias", &name, 1));
    let failed = world.patch(&name, json!({"code": OTHER_CODE})).await;
    assert_eq!(failed.rollback, Rollback::Complete, "{failed:#?}");
    let versions = async || {
        let listed = world.lambda.list_versions_by_function().function_name(&name).send().await;
        let versions = listed.unwrap().versions.unwrap_or_default().into_iter();
        versions.filter_map(|it| it.version).collect::<Vec<_>>()
    };
    let all = ["$LATEST", "1", "2", "3", "4", "5"];
    assert_eq!(versions().await, all);
    let lambda = world.lambda_name("PruneVersionsFunction").await;
    let prune = async || world.invoke(&lambda, &json!({})).await.unwrap();
    prune().await;
    assert_eq!(versions().await, all, "it stays for six hours");
    let text = |it: String| aws_sdk_dynamodb::types::AttributeValue::S(it);
    for what in ["VERSION#0000000001".to_owned(), format!("OPERATION#{}", failed.operation_id)] {
        let key = [("pk", format!("FUNCTION#{name}")), ("sk", format!("RETIRED#{what}"))];
        world.make_due(key.map(|(name, it)| (name.to_owned(), text(it))).into()).await;
    }
    prune().await;
    assert_eq!(versions().await, ["$LATEST", "2", "3", "4"]);
    assert_eq!(answered(world, &name).await, first());
    let operation = roll_back(world, &name, Some(2)).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(world.function(&name).await.resources.version, version(2));
}

/// Without a version, in AWS and in the record.
async fn as_an_earlier_release_made_it(world: &World, name: &str) {
    let gone = world.lambda.delete_alias().function_name(name).name("live");
    gone.send().await.unwrap();
    world.lambda.delete_function().function_name(name).qualifier("1").send().await.unwrap();
    let text = |it: &str| aws_sdk_dynamodb::types::AttributeValue::S(it.to_owned());
    for (pk, sk) in [
        ("FUNCTION".to_owned(), name.to_owned()),
        (format!("FUNCTION#{name}"), "REVISION#0000000001".to_owned()),
    ] {
        let update = world.dynamodb.update_item().table_name(&world.stack.table_name);
        let update = update.key("pk", text(&pk)).key("sk", text(&sk));
        let update = update.update_expression("REMOVE #version, #alias");
        let update = update.expression_attribute_names("#version", "version");
        let update = update.expression_attribute_names("#alias", "aliasRevisionId");
        update.send().await.unwrap();
    }
}

//! How often Lambda is written to: its control plane takes 15 calls a second for all that an account does.

use formation_model::{Operation, OperationStatus};
use formation_tests::{Call, World};
use serde_json::{Value, json};

use crate::requests::OTHER_CODE;

/// The calls since the first `before` that changed something, and all calls to Lambda that draw on its bucket.
fn calls(world: &World, name: &str, before: usize) -> (Vec<Call>, Vec<String>) {
    let calls = world.proxy.calls(name).split_off(before);
    let limited = calls.iter().filter(|it| it.service == "lambda" && it.operation != "GetFunction");
    let limited = limited.map(|it| it.operation.clone()).collect();
    (calls.into_iter().filter(Call::changes_a_part).collect(), limited)
}

fn succeeded(operation: &Operation) {
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
}

pub async fn lambda_is_asked_for_what_differs_and_nothing_else(world: &World) {
    let name = world.name("frugal");
    succeeded(&world.create(&name, json!({"tags": {"team": "a"}})).await);
    assert_eq!(calls(world, &name, 0).1, ["CreateFunction", "CreateAlias"]);

    let (configure, code) = ("UpdateFunctionConfiguration", "UpdateFunctionCode");
    let [publish, shift] = ["PublishVersion", "UpdateAlias"];
    let table =
        format!("arn:aws:dynamodb:{}:{}:table/t", world.stack.region, world.stack.account_id);
    let allowed = json!([{"actions": ["dynamodb:GetItem"], "resources": [table]}]);
    let updates: [(Value, &[&str]); 9] = [
        (json!({"code": OTHER_CODE, "memoryMegabytes": 256}), &[configure, code, publish, shift]),
        (json!({"code": "export const handler = () => 3;"}), &[code, publish, shift]),
        (json!({"environment": {"KEY": "value"}}), &[configure, publish, shift]),
        (json!({"tags": {"team": "b"}}), &["TagResource"]),
        (json!({"tags": null}), &["UntagResource"]),
        (json!({"policyStatements": allowed}), &[]),
        (json!({"policyStatements": null}), &[]),
        (json!({"logRetentionDays": 7}), &[]),
        (json!({"deletionProtection": true}), &[]),
    ];
    for (patch, expected) in updates {
        let before = world.proxy.calls(&name).len();
        succeeded(&world.patch(&name, patch.clone()).await);
        assert_eq!(calls(world, &name, before).1, expected, "{patch}");
    }
    succeeded(&world.patch(&name, json!({"deletionProtection": false})).await);
    let before = world.proxy.calls(&name).len();
    succeeded(&world.repair(&name).await);
    assert_eq!(calls(world, &name, before).1, ["GetAlias"], "what is well is looked at");
    let before = world.proxy.calls(&name).len();
    succeeded(&world.delete(&name).await);
    assert_eq!(calls(world, &name, before).1, ["DeleteFunction"]);
}

pub async fn a_rollback_to_a_version_that_is_kept_moves_callers_before_anything_else(
    world: &World,
) {
    let name = world.name("fleeing");
    succeeded(&world.create(&name, json!({"logRetentionDays": 7})).await);
    let change = json!({"code": OTHER_CODE, "memoryMegabytes": 256, "logRetentionDays": 30});
    succeeded(&world.patch(&name, change).await);
    let before = world.proxy.calls(&name).len();
    let rollback = world.client.roll_back(&name.parse().unwrap(), None);
    succeeded(&world.carried_out(rollback).await);
    let (changes, limited) = calls(world, &name, before);
    let changes: Vec<_> = changes.iter().map(Call::name).collect();
    assert_eq!(
        changes,
        [
            "lambda:UpdateAlias",
            "logs:PutRetentionPolicy",
            "lambda:UpdateFunctionConfiguration",
            "lambda:UpdateFunctionCode"
        ]
    );
    assert_eq!(limited, ["UpdateAlias", "UpdateFunctionConfiguration", "UpdateFunctionCode"]);
}

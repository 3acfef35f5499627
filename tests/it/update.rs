//! Update, replace and repair, and what becomes of them when they fail.

use formation_model::plan::Action;
use formation_model::{
    Difference, DriftStatus, Function, FunctionStatus, OperationKind, OperationStatus, Part,
    Rollback,
};
use formation_tests::{Answer, Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

use crate::plans::actions;
use crate::requests::{OTHER_CODE, dry_run, path};

async fn conditional(
    world: &World,
    method: Method,
    path: &str,
    condition: (&str, &str),
    body: &Value,
) -> Answer {
    world.api_raw(method, path, &[condition], body.to_string()).await
}

pub async fn an_update_changes_what_differs_and_nothing_else(world: &World) {
    let name = world.name("update");
    world
        .create(
            &name,
            json!({"environment": {"KEEP": "1", "DROP": "2"}, "tags": {"team": "a", "old": "x"}}),
        )
        .await;
    for (change, expected) in [
        (
            json!({"memoryMegabytes": 256, "environment": {"DROP": null, "NEW": "3"}}),
            vec![
                "lambda:PublishVersion",
                "lambda:UpdateAlias",
                "lambda:UpdateFunctionConfiguration",
            ],
        ),
        (
            json!({"code": OTHER_CODE}),
            vec!["lambda:PublishVersion", "lambda:UpdateAlias", "lambda:UpdateFunctionCode"],
        ),
        (
            json!({"code": formation_tests::world::EXAMPLE_CODE, "timeoutSeconds": 9}),
            vec![
                "lambda:PublishVersion",
                "lambda:UpdateAlias",
                "lambda:UpdateFunctionCode",
                "lambda:UpdateFunctionConfiguration",
            ],
        ),
        (json!({"logRetentionDays": 7}), vec!["logs:PutRetentionPolicy"]),
        (json!({"deletionProtection": true}), vec![]),
        (
            json!({"tags": {"team": "b", "old": null}}),
            vec![
                "iam:TagRole",
                "iam:UntagRole",
                "lambda:TagResource",
                "lambda:UntagResource",
                "logs:TagResource",
                "logs:UntagResource",
            ],
        ),
    ] {
        let revision = world.function(&name).await.revision;
        let before = world.proxy.calls(&name).len();
        let operation = world.patch(&name, change.clone()).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{change}: {operation:#?}");
        assert_eq!(operation.kind, OperationKind::Update);
        let states = world.states_entered(&operation).await;
        assert!(states.len() <= 8, "{states:?}");
        world.assert_changed_once(&name, before, &expected);
        let function = world.function(&name).await;
        assert_eq!(function.status, FunctionStatus::Available);
        assert_eq!(function.revision, revision + 1);
    }
    let facts = world.live(&name).await.facts();
    let function = &facts["function"];
    assert_eq!(function["Environment"]["Variables"], json!({"KEEP": "1", "NEW": "3"}));
    assert_eq!((&function["MemorySize"], &function["Timeout"]), (&json!(256), &json!(9)));
    assert_eq!(facts["logGroup"]["retention"], 7);
    for part in ["function", "role", "logGroup"] {
        let mut expected = world.tags(&name);
        expected.insert("team".to_owned(), "b".to_owned());
        assert_eq!(facts[part]["tags"], json!(expected), "{part}");
    }
    // The first code came back under a new key; what it superseded is gone soon.
    let mut states = world.bundle_states(&name).await;
    states.sort();
    assert_eq!(states, ["expired", "expired", "kept"]);
}

pub async fn a_change_that_changes_nothing_is_no_operation(world: &World) {
    let name = world.name("same");
    world.create(&name, json!({"memoryMegabytes": 256})).await;
    let before = world.function(&name).await;
    for same in [
        json!({}),
        json!({"memoryMegabytes": 256, "timeoutSeconds": null}),
        json!({"code": formation_tests::world::EXAMPLE_CODE}),
        json!({"code": {"sha256": before.spec.code.sha256}}),
    ] {
        let answer = world.api(Method::PATCH, &path(&name), Some(&same)).await;
        assert_eq!(answer.status, 200, "{same}: {}", answer.json());
        assert_eq!(answer.read::<Function>(), before, "{same}");
    }
    assert_eq!(world.bundle_states(&name).await, ["kept"]);
}

pub async fn put_creates_and_replaces_on_condition(world: &World) {
    let name = world.name("put");
    let body = json!({"code": formation_tests::world::EXAMPLE_CODE, "memoryMegabytes": 256});
    let refused = world.api(Method::PUT, &path(&name), Some(&body)).await;
    assert_eq!(refused.status, 428);
    assert_eq!(refused.json()["code"], "PRECONDITION_REQUIRED");

    let absent = ("if-none-match", "*");
    let accepted = conditional(world, Method::PUT, &path(&name), absent, &body).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    let refused = conditional(world, Method::PUT, &path(&name), absent, &body).await;
    assert_eq!(refused.status, 412);
    assert_eq!(refused.json()["code"], "PRECONDITION_FAILED");

    // What GET returned can be PUT.
    let described = world.api(Method::GET, &path(&name), None).await;
    let etag = described.header("etag").to_owned();
    let mut function = described.json();
    let matching = ("if-match", etag.as_str());
    let same = conditional(world, Method::PUT, &path(&name), matching, &function).await;
    assert_eq!(same.status, 200, "{}", same.json());

    function["memoryMegabytes"] = json!(512);
    let accepted = conditional(world, Method::PUT, &path(&name), matching, &function).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    let expected = accepted.header("etag").to_owned();
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_eq!(world.api(Method::GET, &path(&name), None).await.header("etag"), expected);

    // The revision that the caller has seen is gone.
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let stale = conditional(world, method.clone(), &path(&name), matching, &function).await;
        assert_eq!(stale.status, 412, "{method}");
    }
    // Replacing gives back the defaults of what is left out.
    let present = ("if-match", "*");
    let accepted =
        conditional(world, Method::PUT, &path(&name), present, &json!({"code": function["code"]}))
            .await;
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_eq!(world.function(&name).await.spec.configuration.memory_megabytes, 128);
}

pub async fn an_update_that_fails_leaves_the_last_good_state(world: &World) {
    let refuse = || Fault::Refuse(400, "InvalidParameterValueException", "injected");
    let change = json!({
        "code": OTHER_CODE, "memoryMegabytes": 512, "logRetentionDays": 7,
        "environment": {"STAGE": "second"}, "tags": {"team": "b", "new": "y"},
    });
    for call in [
        "iam:TagRole",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "lambda:UpdateFunctionConfiguration",
        "lambda:UpdateFunctionCode",
        "lambda:TagResource",
    ] {
        let name = world.name("restored");
        let fields = json!({"environment": {"STAGE": "first"}, "tags": {"team": "a"}});
        world.create(&name, fields).await;
        let before = world.live(&name).await.facts();
        let described = world.function(&name).await;

        world.proxy.inject(Rule::new(call, &name, 1, refuse()));
        let operation = world.patch(&name, change.clone()).await;
        assert_eq!(operation.status, OperationStatus::Failed, "{call}: {operation:#?}");
        assert_eq!(operation.rollback, Rollback::Complete, "{call}: {operation:#?}");
        assert_eq!(operation.error.unwrap().code, "REJECTED", "{call}");
        assert_eq!(world.live(&name).await.facts(), before, "{call}");
        let after = world.function(&name).await;
        assert_eq!(after.operation_id, operation.operation_id);
        // Compared anew, with the same result.
        assert_eq!(after.drift.status, DriftStatus::InSync);
        let Function { operation_id, drift, .. } = described.clone();
        assert_eq!(Function { operation_id, drift, ..after }, described, "{call}");
        let mut states = world.bundle_states(&name).await;
        states.sort();
        assert_eq!(states, ["expired", "kept"], "{call}");
        assert_eq!(world.invoke(&name, &json!({})).await.unwrap()["statusCode"], 200);
    }
}

pub async fn a_restore_that_fails_can_be_repaired(world: &World) {
    let name = world.name("half-way");
    world.create(&name, json!({})).await;
    let before = world.live(&name).await.facts();
    let refuse = || Fault::Refuse(400, "InvalidParameterValueException", "injected");
    let rule = |call: &str, skip, times| Rule {
        call: call.to_owned(),
        function: name.clone(),
        skip,
        times,
        fault: refuse(),
    };
    // The new code is refused, and then the old configuration is too.
    world.proxy.inject(rule("lambda:UpdateFunctionCode", 0, 1));
    world.proxy.inject(rule("lambda:UpdateFunctionConfiguration", 1, 1));
    let change =
        json!({"code": OTHER_CODE, "memoryMegabytes": 512, "environment": {"KEY": "s3cr3t"}});
    let operation = world.patch(&name, change).await;
    assert_eq!(operation.rollback, Rollback::Incomplete, "{operation:#?}");
    let item = world.operation_item(&operation).await;
    assert!(!format!("{item:?}").contains("s3cr3t"), "{item:?}");
    assert!(item.contains_key("expiresAt"), "{item:?}");
    assert_eq!(operation.leftovers, [Part::Function]);
    assert_eq!(world.function(&name).await.status, FunctionStatus::Failed);

    let repaired = world.repair(&name).await;
    assert_eq!(repaired.status, OperationStatus::Succeeded, "{repaired:#?}");
    assert_eq!(repaired.kind, OperationKind::Repair);
    assert_eq!(world.live(&name).await.facts(), before);
    let function = world.function(&name).await;
    assert_eq!(function.status, FunctionStatus::Available);
    assert_eq!(function.revision, 1);
}

pub async fn a_repair_brings_back_what_was_deleted_or_changed_behind_our_back(world: &World) {
    let name = world.name("repair");
    world.create(&name, json!({"logRetentionDays": 7, "tags": {"team": "a"}})).await;
    let before = world.live(&name).await.facts();
    let etag = world.client.describe(&name.parse().unwrap()).await.unwrap().etag;
    let role = world.role_name(&name);
    let group = format!("/aws/lambda/{name}");
    for damage in 0..4 {
        match damage {
            0 => {
                world.lambda.delete_function().function_name(&name).send().await.unwrap();
            }
            1 => {
                world.logs.delete_log_group().log_group_name(&group).send().await.unwrap();
            }
            2 => {
                let policy = world.iam.delete_role_policy().role_name(&role);
                policy.policy_name("write-own-logs").send().await.unwrap();
                world.iam.delete_role().role_name(&role).send().await.unwrap();
            }
            _ => {
                let update = world.lambda.update_function_configuration();
                update.function_name(&name).timeout(900).send().await.unwrap();
                let attach = world.iam.put_role_policy().role_name(&role).policy_name("extra");
                let any = json!({"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": "*", "Resource": "*"}
                ]});
                attach.policy_document(any.to_string()).send().await.unwrap();
                let retention = world.logs.put_retention_policy().log_group_name(&group);
                retention.retention_in_days(365).send().await.unwrap();
            }
        }
        let operation = world.repair(&name).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{damage}: {operation:#?}");
        assert_eq!(world.live(&name).await.facts(), before, "{damage}");
        let described = world.client.describe(&name.parse().unwrap()).await.unwrap();
        assert_eq!(described.function.status, FunctionStatus::Available);
        assert_eq!(described.etag, etag, "a repair is no new revision");
    }
    let inline = world.iam.list_role_policies().role_name(&role).send().await.unwrap();
    assert_eq!(inline.policy_names(), ["write-own-logs"]);
}

pub async fn a_repair_finishes_undoing_a_create(world: &World) {
    let name = world.name("unmade");
    for (call, code) in [
        ("lambda:CreateFunction", "InvalidParameterValueException"),
        ("logs:DeleteLogGroup", "ValidationException"),
    ] {
        world.proxy.inject(Rule::new(call, &name, 1, Fault::Refuse(400, code, "told")));
    }
    let operation = world.create(&name, json!({})).await;
    assert_eq!(operation.leftovers, [Part::LogGroup], "{operation:#?}");
    let refused = world.api(Method::PATCH, &path(&name), Some(&json!({"timeoutSeconds": 9}))).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (409, &json!("NEVER_AVAILABLE"))
    );

    let repaired = world.repair(&name).await;
    assert_eq!(repaired.status, OperationStatus::Succeeded, "{repaired:#?}");
    assert!(world.live(&name).await.parts().is_empty());
    assert!(!world.is_known(&name).await);
    assert_eq!(world.create(&name, json!({})).await.status, OperationStatus::Succeeded);
}

pub async fn a_repairs_dry_run_tells_what_aws_has_and_changes_nothing(world: &World) {
    let name = world.name("planned");
    world.create(&name, json!({"environment": {"KEY": "s3cr3t"}})).await;
    let before = world.function(&name).await;
    let planned = async || {
        let repair = format!("{}/repair", path(&name));
        let (text, plan) = dry_run(world, Method::POST, &repair, None).await;
        assert_eq!(plan.kind, Some(OperationKind::Repair.into()));
        (text, plan)
    };
    assert_eq!(actions(&planned().await.1), [Action::None; 4]);

    let update = world.lambda.update_function_configuration().function_name(&name);
    let variables = aws_sdk_lambda::types::Environment::builder().variables("KEY", "stolen");
    update.memory_size(1024).environment(variables.build()).send().await.unwrap();
    let group = format!("/aws/lambda/{name}");
    world.logs.delete_log_group().log_group_name(&group).send().await.unwrap();
    let untag = world.iam.untag_role().role_name(world.role_name(&name));
    untag.tag_keys("formation:stack").send().await.unwrap();
    let (text, plan) = planned().await;
    // What is not ours would be left alone.
    assert_eq!(
        actions(&plan),
        [Action::None, Action::Create, Action::Change, Action::None],
        "{plan:#?}"
    );
    assert_eq!(plan.parts[0].differences, [Difference::not_owned(Part::Role)]);
    let differences = plan.parts[2].differences.iter();
    let mut properties: Vec<_> = differences.map(|it| it.property.as_str()).collect();
    properties.sort_unstable();
    assert_eq!(properties, ["environment/KEY", "memoryMegabytes"]);
    assert!(!text.contains("s3cr3t") && !text.contains("stolen"), "{text}");
    assert_eq!(world.function(&name).await, before);
    assert_eq!(world.live(&name).await.parts(), ["function", "role"]);
}

pub async fn code_that_is_gone_holds_up_no_delete(world: &World) {
    let name = world.name("codeless");
    world.create(&name, json!({})).await;
    // As S3 says that an object is missing to whoever may not list its bucket.
    let forbidden = Fault::Refuse(403, "AccessDenied", "Access Denied");
    world.proxy.inject(Rule::new("s3:PutObjectTagging", &name, 1, forbidden));
    let deleted = world.delete(&name).await;
    assert_eq!(deleted.status, OperationStatus::Succeeded, "{deleted:#?}");
    assert!(world.proxy.is_spent(&name));
    let lines = world.log_of("record-success", "taken for gone").await;
    assert!(lines.iter().any(|line| line.contains(&name)), "{lines:#?}");
}

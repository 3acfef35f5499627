//! The concurrency that is reserved for a function.

use aws_sdk_lambda::error::ProvideErrorMetadata;
use formation_model::plan::Action;
use formation_model::{
    Difference, DriftReport, Facet, Operation, OperationStatus, Part, Rollback, Warning,
    WarningCode,
};
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

use crate::plans::actions;
use crate::requests::{dry_run, path};

/// What AWS says where the account has no room.
const NO_ROOM: Fault = Fault::Refuse(
    400,
    "InvalidParameterValueException",
    "Specified ReservedConcurrentExecutions for function decreases account's \
     UnreservedConcurrentExecution below its minimum value of [100].",
);

fn is_stopped(warnings: &[Warning]) -> bool {
    match warnings {
        [] => false,
        [it] => it.pointer == "/reservedConcurrency" && it.code == WarningCode::FunctionStopped,
        others => panic!("{others:?}"),
    }
}

/// What Lambda has reserved for it.
async fn reserved(world: &World, name: &str) -> Option<i32> {
    let function = world.live(name).await.function.unwrap();
    function.concurrency.and_then(|it| it.reserved_concurrent_executions)
}

pub async fn a_function_is_stopped_and_says_so_and_answers_again(world: &World) {
    let name = world.name("stopped");
    let body = json!({
        "functionName": name, "code": formation_tests::world::EXAMPLE_CODE,
        "reservedConcurrency": 0,
    });
    let plan = world.planned(world.client.create(&body)).await;
    assert!(is_stopped(&plan.warnings), "{plan:#?}");
    let accepted = world.ask_for(&name, json!({"reservedConcurrency": 0})).await;
    assert!(is_stopped(&accepted.read::<Operation>().warnings));
    let ended = world.ended(&accepted).await;
    assert_eq!(ended.status, OperationStatus::Succeeded, "{ended:#?}");
    assert!(is_stopped(&ended.warnings), "it is remembered");
    let function = world.api(Method::GET, &path(&name), None).await.json();
    assert_eq!(function["reservedConcurrency"], 0);
    assert_eq!(reserved(world, &name).await, Some(0));
    let refused = world.lambda.invoke().function_name(&name).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("TooManyRequestsException"), "{refused:?}");

    // Null takes it away, with one call, and so does a PUT that does not name it.
    let patch = json!({"reservedConcurrency": null});
    let (_, plan) = dry_run(world, Method::PATCH, &path(&name), Some(&patch)).await;
    assert!(!is_stopped(&plan.warnings), "{plan:#?}");
    let before = world.proxy.calls(&name).len();
    let updated = world.patch(&name, patch).await;
    assert_eq!(updated.status, OperationStatus::Succeeded, "{updated:#?}");
    world.assert_changed_once(&name, before, &["lambda:DeleteFunctionConcurrency"]);
    assert!(!is_stopped(&updated.warnings));
    let function = world.api(Method::GET, &path(&name), None).await.json();
    assert_eq!(function["reservedConcurrency"], Value::Null);
    assert_eq!(reserved(world, &name).await, None);
    world.invoke(&name, &json!({})).await.unwrap();
}

pub async fn it_is_changed_by_one_call_and_only_where_it_differs(world: &World) {
    let name = world.name("reserved");
    let stack = world.api(Method::GET, "/v1", None).await.json();
    assert_eq!(stack["limits"]["maxReservedConcurrency"], 10);
    let above = json!({"reservedConcurrency": 11});
    let refused = world.ask_for(&name, above.clone()).await;
    let problem = refused.json();
    assert_eq!((refused.status.as_u16(), &problem["code"]), (422, &json!("INVALID_FUNCTION")));
    let told = &problem["errors"][0];
    assert_eq!(told["pointer"], "/reservedConcurrency");
    assert!(told["detail"].as_str().unwrap().contains("MaxReservedConcurrency"), "{told}");

    let created = world.create(&name, json!({"reservedConcurrency": 5})).await;
    assert_eq!(created.status, OperationStatus::Succeeded, "{created:#?}");
    let made = [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "lambda:CreateAlias",
        "lambda:CreateFunction",
        "lambda:PutFunctionConcurrency",
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
    ];
    world.assert_changed_once(&name, 0, &made);
    assert_eq!(reserved(world, &name).await, Some(5));
    for (patch, calls) in [
        (json!({"reservedConcurrency": 3}), vec!["lambda:PutFunctionConcurrency"]),
        (
            json!({"memoryMegabytes": 256}),
            vec![
                "lambda:PublishVersion",
                "lambda:UpdateAlias",
                "lambda:UpdateFunctionConfiguration",
            ],
        ),
        (
            json!({"memoryMegabytes": 128, "reservedConcurrency": null}),
            vec![
                "lambda:DeleteFunctionConcurrency",
                "lambda:PublishVersion",
                "lambda:UpdateAlias",
                "lambda:UpdateFunctionConfiguration",
            ],
        ),
    ] {
        let before = world.proxy.calls(&name).len();
        let updated = world.patch(&name, patch.clone()).await;
        assert_eq!(updated.status, OperationStatus::Succeeded, "{patch}: {updated:#?}");
        world.assert_changed_once(&name, before, &calls);
    }
    let refused = world.api(Method::PATCH, &path(&name), Some(&above)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(reserved(world, &name).await, None);
}

pub async fn an_account_without_room_takes_the_operation_back_with_the_reason(world: &World) {
    let reason = "below its minimum value of [100]";
    let name = world.name("no-room");
    world.proxy.inject(Rule::new("lambda:PutFunctionConcurrency", &name, 1, NO_ROOM));
    let accepted = world.ask_for(&name, json!({"reservedConcurrency": 5})).await;
    let ended = world.ended(&accepted).await;
    let error = ended.error.unwrap();
    assert_eq!((error.code.as_str(), error.step.as_str()), ("REJECTED", "Ensure function"));
    assert!(error.message.contains(reason), "{error:?}");
    assert_eq!(ended.rollback, Rollback::Complete);
    assert_eq!(world.live(&name).await.parts(), Vec::<&str>::new());

    let created = world.create(&name, json!({"reservedConcurrency": 2})).await;
    assert_eq!(created.status, OperationStatus::Succeeded, "the name is free: {created:#?}");
    let facts = world.live(&name).await.facts();
    world.proxy.inject(Rule::new("lambda:PutFunctionConcurrency", &name, 1, NO_ROOM));
    let patch = json!({"reservedConcurrency": 9, "memoryMegabytes": 256, "tracing": "ACTIVE"});
    let failed = world.patch(&name, patch).await;
    assert_eq!(
        (failed.status, failed.rollback),
        (OperationStatus::Failed.into(), Rollback::Complete.into())
    );
    assert!(failed.error.unwrap().message.contains(reason));
    assert_eq!(world.live(&name).await.facts(), facts);
}

pub async fn what_others_reserve_is_drift_and_a_repair_takes_it_back(world: &World) {
    let name = world.name("reserved-by-hand");
    world.create(&name, json!({})).await;
    let put = world.lambda.put_function_concurrency().function_name(&name);
    put.reserved_concurrent_executions(1).send().await.unwrap();
    let drift = world.api(Method::GET, &format!("{}/drift", path(&name)), None).await;
    let report: DriftReport = drift.read();
    let expected =
        Difference::between(Facet::Concurrency, "reservedConcurrency", Value::Null, 1).unwrap();
    assert_eq!(report.drift.differences, std::slice::from_ref(&expected));
    let repair = format!("{}/repair", path(&name));
    let (_, plan) = dry_run(world, Method::POST, &repair, None).await;
    assert_eq!(actions(&plan), [Action::None, Action::None, Action::Change, Action::None]);
    let function = plan.parts.iter().find(|it| it.part == Part::Function).unwrap();
    assert_eq!(function.differences, [expected]);
    let before = world.proxy.calls(&name).len();
    let repaired = world.api(Method::POST, &format!("{repair}?wait=25"), None).await;
    assert_eq!(repaired.status, 200, "{}", repaired.json());
    world.assert_changed_once(&name, before, &["lambda:DeleteFunctionConcurrency"]);
    assert_eq!(reserved(world, &name).await, None);
}

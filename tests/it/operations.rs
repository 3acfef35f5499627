//! Operations as the API shows them.

use formation_model::operation::StepStatus;
use formation_model::{FunctionName, Operation, OperationKind, ProblemCode};
use formation_tests::{Fault, Rule, World};
use futures_util::TryStreamExt;
use http::Method;
use serde_json::json;

use crate::requests::{FUNCTIONS, hello, path, send, throttle};

pub async fn operations_are_listed_newest_first_page_by_page(world: &World) {
    let name = world.name("history");
    world.create(&name, json!({})).await;
    for megabytes in [256, 512] {
        world.patch(&name, json!({"memoryMegabytes": megabytes})).await;
    }
    world.delete(&name).await;
    let (client, id) = (&world.client, &name.parse::<FunctionName>().unwrap());
    let operations: Vec<_> = client.operations(id.clone()).try_collect().await.unwrap();
    let kinds: Vec<_> = operations.iter().map(|it| *it.kind.known().unwrap()).collect();
    let expected = [
        OperationKind::Delete,
        OperationKind::Update,
        OperationKind::Update,
        OperationKind::Create,
    ];
    assert_eq!(kinds, expected, "also of what was deleted");
    let first = client.operations_page(id, Some(3), None).await.unwrap();
    assert_eq!(first.items, operations[..3]);
    let rest = client.operations_page(id, Some(3), first.next_token.as_deref()).await.unwrap();
    assert_eq!((rest.items.as_slice(), rest.next_token), (&operations[3..], None));
    // A token is bound to its list.
    let other = world.name("other");
    world.create(&other, json!({})).await;
    let next = first.next_token.as_deref();
    let stolen = client.operations_page(&other.parse().unwrap(), None, next).await;
    assert_eq!(stolen.unwrap_err().code(), Some(ProblemCode::InvalidNextToken));
    let nobody = client.operations_page(&"nobody-was-ever-here".parse().unwrap(), None, None).await;
    assert_eq!(nobody.unwrap_err().code(), Some(ProblemCode::FunctionNotFound));
}

pub async fn steps_tell_what_happened_and_what_is_waited_for(world: &World) {
    let name = world.name("steps");
    // What the SDK does not try again by itself.
    world.proxy.inject(Rule {
        fault: Fault::Refuse(400, "OperationAbortedException", "try again"),
        ..throttle("logs:CreateLogGroup", &name, 4)
    });
    let accepted = world.ask_for(&name, json!({})).await;
    let operation: Operation = accepted.read();
    let waiting = world
        .until("a step has failed once", async || {
            let step = world.with_steps(&operation).await.steps?.pop()?;
            step.last_error.is_some().then_some(step)
        })
        .await;
    assert_eq!(waiting.name, "Ensure log group");
    let error = waiting.last_error.unwrap();
    assert_eq!(error.code, "TRANSIENT");
    assert_eq!(error.aws_error_code.as_deref(), Some("OperationAbortedException"));
    assert_eq!(error.aws_request_id.as_deref(), Some("injected"));

    world.ended(&accepted).await;
    let steps = world.with_steps(&operation).await.steps.unwrap();
    let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Ensure role",
            "Ensure log group",
            "Ensure function",
            "Go live",
            "Record success",
            "Announce success"
        ]
    );
    for step in &steps {
        assert_eq!(step.status, StepStatus::Succeeded, "{step:?}");
        assert!(step.ended_at.is_some_and(|end| end >= step.started_at), "{step:?}");
    }
    assert!(steps[1].attempts > 1, "{:?}", steps[1]);
    let without = world.api(Method::GET, accepted.header("operation-location"), None).await;
    assert!(without.json()["steps"].is_null());
    // Times have milliseconds, whatever the records have.
    let started = without.json()["startedAt"].as_str().unwrap().to_owned();
    assert!(
        started.len() == "2026-11-25T17:00:00.123Z".len() && started.ends_with('Z'),
        "{started}"
    );
}

pub async fn a_request_makes_few_calls(world: &World) {
    let name = world.name("frugal");
    let key = format!("key-{name}");
    let count = |from: usize| {
        let calls = world.proxy.calls(&name).split_off(from);
        let of = |service: &str| calls.iter().filter(|call| call.service == service).count();
        (of("dynamodb"), of("states"))
    };
    // Held in its first step, so that only the api Lambda's calls are counted.
    let hold = throttle("iam:CreateRole", &name, 4);
    world.proxy.inject(hold);
    let keyed = [("idempotency-key", key.as_str())];
    let accepted = send(world, Method::POST, FUNCTIONS, &keyed, &hello(&name)).await;
    let calls = world.proxy.calls(&name);
    let start = calls.iter().position(|call| call.operation == "StartExecution").unwrap();
    let before: Vec<_> = calls[..=start].iter().map(|call| call.name()).collect();
    assert_eq!(
        before,
        [
            "dynamodb:BatchGetItem",
            "lambda:GetFunction",
            "s3:PutObject",
            "dynamodb:TransactWriteItems",
            "states:StartExecution"
        ]
    );
    world.ended(&accepted).await;

    let from = world.proxy.calls(&name).len();
    world.api(Method::GET, &path(&name), None).await;
    assert_eq!(count(from), (1, 0), "a read");
    let from = world.proxy.calls(&name).len();
    world.api(Method::GET, &format!("{FUNCTIONS}?prefix={name}"), None).await;
    assert_eq!(count(from), (1, 0), "a page of a list");
}

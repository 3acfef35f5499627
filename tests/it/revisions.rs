//! Revisions: what a function has been, for as long as the stack keeps it. The tests' stack keeps 3.

use formation_client::ClientError;
use formation_model::{OperationKind, ProblemCode, Revision};
use formation_tests::world::EXAMPLE_CODE;
use formation_tests::{Fault, Rule, World};
use futures_util::TryStreamExt;
use http::Method;
use serde_json::json;

const OTHER_CODE: &str = "export const handler = async () => 'other';";

pub async fn what_a_function_has_been_is_listed_and_told(world: &World) {
    let name = world.name("revised");
    let client = &world.client;
    let created = world.create(&name, json!({"environment": {"KEY": "first"}})).await;
    let updated =
        world.patch(&name, json!({"code": OTHER_CODE, "environment": {"KEY": "2"}})).await;
    let function = name.parse().unwrap();
    let listed: Vec<Revision> = client.revisions(function).try_collect().await.unwrap();
    let shown: Vec<_> =
        listed.iter().map(|it| (it.revision, it.kind.clone(), it.operation_id)).collect();
    let expected = [
        (2, OperationKind::Update.into(), updated.operation_id),
        (1, OperationKind::Create.into(), created.operation_id),
    ];
    assert_eq!(shown, expected);
    assert!(listed.iter().all(|it| it.created_by == created.requested_by));
    assert_ne!(listed[0].sha256, listed[1].sha256);

    let function = name.parse().unwrap();
    let first = client.revision(&function, 1).await.unwrap();
    let specification = first.specification.unwrap();
    assert_eq!(specification.configuration.environment.0["KEY"], "first");
    // What a revision was can be asked for again.
    let mut wanted = serde_json::to_value(&specification).unwrap();
    wanted["code"] = json!(EXAMPLE_CODE);
    let back = world.patch(&name, wanted).await;
    assert_eq!(back.kind, OperationKind::Update);
    assert_eq!(world.function(&name).await.spec, specification);

    for missing in ["0", "4", "01", "+1", "1.0", "first", "99999999999999999999"] {
        let path = format!("/v1/functions/{name}/revisions/{missing}");
        let told = world.api(Method::GET, &path, None).await;
        assert_eq!(told.status, 404, "{missing}: {}", told.json());
        assert_eq!(told.json()["code"], "REVISION_NOT_FOUND", "{missing}");
    }
    let told = world.api(Method::GET, &format!("/v1/functions/{name}/code?revision=x"), None).await;
    assert_eq!(told.status, 400);
    assert_eq!(told.json()["code"], "INVALID_PARAMETER");
}

pub async fn as_many_as_the_stack_keeps_stay_with_their_code(world: &World) {
    let name = world.name("kept");
    let client = &world.client;
    world.create(&name, json!({})).await;
    world.patch(&name, json!({"memoryMegabytes": 256})).await;
    let function = name.parse().unwrap();
    let first = client.code_link(&function, Some(1)).await.unwrap();
    assert_eq!(first.sha256, world.function(&name).await.spec.code.sha256);
    world.patch(&name, json!({"code": OTHER_CODE})).await;
    let second = client.code_link(&function, Some(2)).await.unwrap();
    assert_eq!(second.sha256, first.sha256, "their code is the same");
    assert_ne!(client.code_link(&function, None).await.unwrap().sha256, first.sha256);
    assert_eq!(world.bundle_states(&name).await, ["kept", "kept"]);

    world.patch(&name, json!({"memoryMegabytes": 128})).await;
    world.patch(&name, json!({"memoryMegabytes": 256})).await;
    let listed: Vec<Revision> = client.revisions(function.clone()).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|it| it.revision).collect::<Vec<_>>(), [5, 4, 3]);
    let mut states = world.bundle_states(&name).await;
    states.sort();
    assert_eq!(states, ["expired", "kept"]);
    let told: Result<_, ClientError> = client.revision(&function, 2).await;
    assert_eq!(told.unwrap_err().code(), Some(ProblemCode::RevisionNotFound));

    world.delete(&name).await;
    assert_eq!(world.bundle_states(&name).await, ["expired", "expired"]);
    let told: Result<Vec<Revision>, _> = client.revisions(function.clone()).try_collect().await;
    assert_eq!(told.unwrap_err().code(), Some(ProblemCode::FunctionNotFound));
    world.create(&name, json!({})).await;
    let listed: Vec<Revision> = client.revisions(function).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|it| it.revision).collect::<Vec<_>>(), [1]);
}

pub async fn an_update_that_fails_is_no_revision(world: &World) {
    let name = world.name("unrevised");
    world.create(&name, json!({})).await;
    world.proxy.inject(Rule::new(
        "lambda:UpdateFunctionCode",
        &name,
        1,
        Fault::Refuse(400, "InvalidParameterValueException", "injected"),
    ));
    world.patch(&name, json!({"code": OTHER_CODE})).await;
    let revisions = world.client.revisions(name.parse().unwrap());
    let listed: Vec<Revision> = revisions.try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|it| it.revision).collect::<Vec<_>>(), [1]);
}

//! Deleting versions, and never a function.

use super::*;

async fn pruned(world: &World, number: u64) -> Result<Pruned, ErrorName> {
    let pruned = prune(&world.lambda, &stack(), &world.spec.function_name, version(number)).await;
    pruned.map_err(|error| error.name())
}

#[tokio::test(start_paused = true)]
async fn a_version_goes_and_one_that_is_gone_already_is_no_error() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    world.go_live(&it).await.unwrap();
    world.aws.changes();
    assert_eq!(pruned(&world, 1).await, Ok(Pruned::Gone));
    assert_eq!((world.calls(), world.aws.versions()), (vec!["DeleteFunction"], vec![2]));
    // As AWS answers it, and as others do.
    assert_eq!(pruned(&world, 1).await, Ok(Pruned::Gone));
    world.aws.refuse(("DeleteFunction", 404, "ResourceNotFoundException", "none", false));
    assert_eq!(pruned(&world, 1).await, Ok(Pruned::Gone));
    assert_ne!(world.aws.configuration(), Value::Null, "the function stays");
}

#[tokio::test(start_paused = true)]
async fn what_an_alias_leads_to_stays_whoever_made_that() {
    let world = World::new().await;
    assert_eq!(pruned(&world, 1).await, Ok(Pruned::InUse));
    assert_eq!(world.calls(), [""; 0]);
    let wanted = other();
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    world.go_live(&it).await.unwrap();
    let used = "Version 1 cannot be deleted because the following aliases reference it: [blue]";
    world.aws.refuse(("DeleteFunction", 409, "ResourceConflictException", used, false));
    assert_eq!(pruned(&world, 1).await, Ok(Pruned::InUse));
    let updating = "An update is in progress for resource: arn";
    world.aws.refuse(("DeleteFunction", 409, "ResourceConflictException", updating, false));
    assert_eq!(pruned(&world, 1).await, Err(ErrorName::NotReady));
}

#[tokio::test(start_paused = true)]
async fn of_a_function_that_is_not_ours_or_gone_nothing_is_deleted() {
    let world = World::new().await;
    world.aws.change(|function| function["Tags"] = json!({"owner": "finance-team"}));
    assert_eq!(pruned(&world, 7).await, Ok(Pruned::Gone));
    world.aws.change(|function| *function = Value::Null);
    assert_eq!(pruned(&world, 7).await, Ok(Pruned::Gone));
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_an_operation_has_published_is_found_by_its_mark() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    world.go_live(&it).await.unwrap();
    let name = &world.spec.function_name;
    let found = published_by(&world.lambda, name, it.operation).await.unwrap();
    assert_eq!(found, [version(2)]);
    let found = published_by(&world.lambda, name, OperationId::generate()).await.unwrap();
    assert_eq!(found, []);
}

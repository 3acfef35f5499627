//! Putting callers back, and where they stay.

use super::*;

#[tokio::test(start_paused = true)]
async fn callers_are_put_back_and_a_late_move_is_refused() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    let seen = world.look().await;
    let before = (Before::Version(version(1)), None);
    // Nothing differs, and it is written all the same.
    let back = world.restore(it.operation, before, seen.as_ref()).await.unwrap();
    assert!(matches!(back, Restored::Back(Some(Live { version: at, .. })) if at == version(1)));
    assert_eq!(world.calls(), ["UpdateAlias"]);
    assert_eq!(world.go_live(&it).await, Ok(Moved::Unseen), "it comes too late");
    assert_eq!(world.at(), json!("1"));
    // What was seen before that is not to be relied on either.
    assert_eq!(world.restore(it.operation, before, seen.as_ref()).await, Ok(Restored::Unseen));
}

#[tokio::test(start_paused = true)]
async fn callers_that_have_moved_wholly_stay() {
    let world = World::new().await;
    let wanted = other();
    world.prepare(&wanted).await;
    let it = Move { seen: world.recorded(), ..a_move(&wanted, Some(&world.spec)) };
    // Applied, and the answer is lost.
    world.aws.refuse(("UpdateAlias", 500, "ServiceException", "lost", true));
    world.aws.refuse(("UpdateAlias", 500, "ServiceException", "lost", true));
    world.aws.refuse(("UpdateAlias", 500, "ServiceException", "lost", true));
    assert!(world.go_live(&it).await.is_err());
    world.aws.changes();
    let before = (Before::Version(version(1)), None);
    let seen = world.look().await;
    let moved = world.restore(it.operation, before, seen.as_ref()).await.unwrap();
    assert!(matches!(moved, Restored::Moved(Live { version: at, .. }) if at == version(2)));
    assert_eq!(world.calls(), [""; 0]);
    // To another operation that is no move of its own, nor is half of one.
    world.aws.change_alias(|alias| {
        alias["RoutingConfig"]["AdditionalVersionWeights"] = json!({"1": 0.5});
    });
    let seen = world.look().await;
    let back = world.restore(it.operation, before, seen.as_ref()).await.unwrap();
    assert!(matches!(back, Restored::Back(_)), "{back:?}");
    assert_eq!(world.aws.alias()["FunctionVersion"], "1");
    assert_eq!(world.aws.alias()["RoutingConfig"], Value::Null);
    world.aws.change_alias(|alias| alias["FunctionVersion"] = json!("2"));
    let seen = world.look().await;
    let other = OperationId::generate();
    let back = world.restore(other, before, seen.as_ref()).await.unwrap();
    assert!(matches!(back, Restored::Back(_)), "{back:?}");
    // A rollback that has moved to a version of an earlier operation.
    world.aws.change_alias(|alias| alias["FunctionVersion"] = json!("2"));
    let seen = world.look().await;
    let kept = (Before::Version(version(1)), Some(version(2)));
    let moved = world.restore(other, kept, seen.as_ref()).await.unwrap();
    assert!(matches!(moved, Restored::Moved(_)), "{moved:?}");
    // One that was to stay where it is has moved nobody.
    let stays = (Before::Version(version(2)), Some(version(2)));
    let back = world.restore(other, stays, seen.as_ref()).await.unwrap();
    assert!(matches!(back, Restored::Back(_)), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_stays_and_what_is_gone_leads_nobody_back() {
    let world = World::new().await;
    let operation = OperationId::generate();
    let before = (Before::Version(version(1)), None);
    world.aws.change(|function| function["Tags"] = json!({"owner": "finance-team"}));
    let foreign = Alias { version: Some(version(1)), weights: [].into(), revision_id: None };
    let back = world.restore(operation, before, Some(&foreign)).await;
    assert_eq!(back, Err(ErrorName::NotOwned));
    let it = a_move(&world.spec, None);
    assert_eq!(world.go_live(&it).await, Err(ErrorName::NotOwned));
    world.aws.change(|function| *function = Value::Null);
    assert_eq!(world.restore(operation, before, None).await, Err(ErrorName::Rejected));
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_somebody_removed_is_made_anew_while_its_version_is_there() {
    let world = World::new().await;
    world.aws.change_alias(|alias| *alias = Value::Null);
    let operation = OperationId::generate();
    let before = (Before::Version(version(1)), None);
    let back = world.restore(operation, before, None).await.unwrap();
    assert!(matches!(back, Restored::Back(Some(_))), "{back:?}");
    assert_eq!((world.calls(), world.at()), (vec!["CreateAlias"], json!("1")));
    world.aws.change_alias(|alias| *alias = Value::Null);
    world.aws.delete_version(1);
    assert_eq!(world.restore(operation, before, None).await, Err(ErrorName::Rejected));
    let found = compare(&world.lambda, &stack(), &world.spec, Some(version(1)), false).await;
    assert_eq!(found.unwrap(), [Difference::missing(Part::Live)]);
}

#[tokio::test(start_paused = true)]
async fn a_repair_is_fenced_and_puts_nothing_back() {
    let world = World::new().await;
    world.aws.change_alias(|alias| {
        alias["RoutingConfig"]["AdditionalVersionWeights"] = json!({"7": 0.1});
    });
    let seen = world.look().await;
    let as_found = (Before::AsFound, None);
    let back = world.restore(OperationId::generate(), as_found, seen.as_ref()).await.unwrap();
    assert!(matches!(back, Restored::Back(Some(_))), "{back:?}");
    assert_eq!(world.calls(), ["UpdateAlias"]);
    let weights = &world.aws.alias()["RoutingConfig"]["AdditionalVersionWeights"];
    assert_eq!(weights, &json!({"7": 0.1}));
    assert_ne!(world.look().await.unwrap().revision_id, seen.unwrap().revision_id);
}

#[tokio::test(start_paused = true)]
async fn a_workbench_that_lambda_does_not_bring_back_any_more_is_told_and_left() {
    const BLOCKED: &str = "The runtime parameter of nodejs18.x is no longer supported for creating or \
                           updating AWS Lambda functions.";
    const NO_LAYER: &str =
        "Layer version arn:aws:lambda:eu-west-1:111122223333:layer:a:1 does not exist.";
    let code = "InvalidParameterValueException";
    for words in [BLOCKED, NO_LAYER] {
        let world = World::new().await;
        let wanted = other();
        world.prepare(&wanted).await;
        let update = "UpdateFunctionConfiguration";
        // Where callers have nothing else to run, it is a failure.
        let back = Target { restores: true, ..target(&world.spec, Some(&wanted)) };
        world.aws.refuse((update, 400, code, words, false));
        let refused = function::ensure(&world.lambda, &settings(), &back, false).await;
        assert_eq!(refused.unwrap_err().name(), ErrorName::Rejected);
        let back = Target { may_be_refused: true, ..back };
        world.aws.refuse((update, 400, code, words, false));
        let left = function::ensure(&world.lambda, &settings(), &back, false).await.unwrap();
        let told: Vec<_> = left.unnamed.iter().map(|it| it.property.as_str()).collect();
        assert_eq!(told, ["handler", "refused"]);
        assert_eq!(left.unnamed[1].actual, words);
        assert!(left.unnamed.iter().all(|it| it.part == Part::Function));
        // Anything else is a failure all the same.
        world.aws.refuse((update, 400, code, "The handler is too long", false));
        let refused = function::ensure(&world.lambda, &settings(), &back, false).await;
        assert_eq!(refused.unwrap_err().name(), ErrorName::Rejected);
        assert_eq!(world.at(), json!("1"), "callers run what they ran");
    }
}

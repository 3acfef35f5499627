//! Creates that fail midway: everything that they made goes again.

use formation_model::{FunctionStatus, OperationStatus, Part, Rollback};
use formation_tests::{Fault, Rule, World};
use serde_json::json;

pub async fn a_create_that_lambda_refuses_is_undone_and_the_name_is_free(world: &World) {
    let name = world.name("refused");
    let refusal = Fault::Refuse(
        400,
        "InvalidParameterValueException",
        "Unzipped size of TOPSECRET must be smaller than 262144000 bytes",
    );
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refusal));
    let operation = world.create(&name, json!({"environment": {"KEY": "TOPSECRET"}})).await;
    assert_eq!(operation.status, OperationStatus::Failed, "{operation:#?}");
    assert_eq!(operation.rollback, Rollback::Complete);
    let error = operation.error.as_ref().unwrap();
    assert_eq!(error.code, "REJECTED");
    assert_eq!(error.step, "Ensure function");
    assert_eq!(error.aws_error_code.as_deref(), Some("InvalidParameterValueException"));
    assert_eq!(error.aws_request_id.as_deref(), Some("injected"));
    let message = &error.message;
    assert!(message.contains("must be smaller than 262144000"), "{message}");
    assert!(!message.contains("TOPSECRET"), "{message}");

    assert!(world.live(&name).await.parts().is_empty());
    assert!(!world.is_known(&name).await);

    // Red in the console, with the reason.
    let execution = world
        .sfn
        .describe_execution()
        .execution_arn(&operation.execution_arn)
        .send()
        .await
        .unwrap();
    assert_eq!(execution.status, aws_sdk_sfn::types::ExecutionStatus::Failed);
    assert_eq!(execution.error.as_deref(), Some("REJECTED"));
    assert_eq!(execution.cause.as_deref(), Some(message.as_str()));

    let again = world.create(&name, json!({})).await;
    assert_eq!(again.status, OperationStatus::Succeeded, "{again:#?}");
}

pub async fn a_create_waits_for_its_role_with_few_refused_calls(world: &World) {
    let name = world.name("slow-role");
    let refusal = Fault::Refuse(
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    );
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 2, refusal));
    let operation = world.create(&name, json!({})).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    let calls = world.proxy.calls(&name);
    let creates = calls.iter().filter(|call| call.operation == "CreateFunction").count();
    assert_eq!(creates, 3);
    // The step waited by itself: no state was entered again.
    assert_eq!(world.states_entered(&operation).await.len(), 8);
}

pub async fn an_undo_that_fails_leaves_a_record_of_what_is_left(world: &World) {
    let name = world.name("stuck");
    let refuse = Fault::Refuse(403, "AccessDeniedException", "explicit deny");
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refuse));
    let refuse = Fault::Refuse(400, "UnmodifiableEntity", "told");
    world.proxy.inject(Rule::new("iam:DeleteRole", &name, 1, refuse));
    let operation = world.create(&name, json!({})).await;
    assert_eq!(operation.status, OperationStatus::Failed, "{operation:#?}");
    assert_eq!(operation.rollback, Rollback::Incomplete);
    assert_eq!(operation.error.as_ref().unwrap().code, "ACCESS_DENIED");
    assert_eq!(operation.error.as_ref().unwrap().step, "Ensure function");
    assert_eq!(operation.leftovers, [Part::Role, Part::LogGroup]);
    assert_eq!(world.function(&name).await.status, FunctionStatus::Failed);
    assert_eq!(world.live(&name).await.parts(), ["role", "log group"]);

    // No person is needed to unlock it: DELETE works from here.
    let deleted = world.delete(&name).await;
    assert_eq!(deleted.status, OperationStatus::Succeeded, "{deleted:#?}");
    assert!(world.live(&name).await.parts().is_empty());
    assert!(!world.is_known(&name).await);
}

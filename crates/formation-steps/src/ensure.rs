//! The steps that bring a part of a function to what the operation is to make of it.

use formation_control::{OperationRecord, Records};
use formation_model::{ErrorName, Goal, OperationKind, PublishedVersion, StackIdentity, StepInput};
use formation_resources::function::FunctionSettings;
use formation_resources::role::RoleSettings;
use formation_resources::{Target, function, log_group, role};

use crate::{Ensured, StepError, current_operation};

/// Makes the function's execution role as the operation is to have it. It is the first that is made
/// for a function, so before that for a new one it looks whether somebody else's has its name.
///
/// # Errors
/// Those of [`function::refuse_foreign`] and [`role::ensure`], or that the attempt is superseded.
pub async fn ensure_role(
    iam: &aws_sdk_iam::Client,
    lambda: &aws_sdk_lambda::Client,
    records: &Records,
    settings: &RoleSettings,
    input: StepInput,
) -> Result<Ensured, StepError> {
    let operation = current_operation(records, &input).await?;
    let target = target(&input, &operation)?;
    if operation.previous.is_none() {
        let function = &target.spec.function_name;
        function::refuse_foreign(lambda, &settings.stack, function, target.since).await?;
    }
    // Narrowing: callers are about to meet what nothing gives back to them.
    if let (Goal::Target, Some(version), Some(_)) = (input.goal, input.version, &operation.previous)
    {
        point_of_no_return(records, &input, &operation, version).await?;
    }
    let role::Ensured { arn, id, has_more } = role::ensure(iam, settings, &target).await?;
    Ok(Ensured { arn, role_id: Some(id), narrows: has_more, unnamed: None, published: None })
}

/// Notes that nothing leads back from here, unless what callers run by now tells it already: `version`, which is not
/// the one that they ran before.
pub(crate) async fn point_of_no_return(
    records: &Records,
    input: &StepInput,
    operation: &OperationRecord,
    version: PublishedVersion,
) -> Result<(), StepError> {
    let is_told = operation.only_forward || before(input, operation) != Some(version);
    if is_told { Ok(()) } else { pass(records, input, operation).await }
}

/// Notes that nothing leads back from here, while the attempt is the current one.
pub(crate) async fn pass(
    records: &Records,
    input: &StepInput,
    operation: &OperationRecord,
) -> Result<(), StepError> {
    let passed = records.pass_the_point_of_no_return(operation).await?;
    passed.then_some(()).ok_or_else(|| StepError::superseded(&input.execution))
}

/// The version that callers ran before the operation, where that is known.
pub(crate) fn before(input: &StepInput, operation: &OperationRecord) -> Option<PublishedVersion> {
    operation.live.version.or(input.kept_version)
}

/// Makes the function's log group as the operation is to have it.
///
/// # Errors
/// Those of [`log_group::ensure`], or that the attempt is superseded.
pub async fn ensure_log_group(
    logs: &aws_sdk_cloudwatchlogs::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Ensured, StepError> {
    let operation = current_operation(records, &input).await?;
    let arn = log_group::ensure(logs, stack, &target(&input, &operation)?).await?;
    Ok(Ensured { arn, role_id: None, narrows: false, unnamed: None, published: None })
}

/// Makes the Lambda function as the operation is to have it, invocable.
///
/// # Errors
/// Those of [`function::ensure`], or that the attempt is superseded.
pub async fn ensure_function(
    lambda: &aws_sdk_lambda::Client,
    records: &Records,
    settings: &FunctionSettings,
    input: StepInput,
) -> Result<Ensured, StepError> {
    let operation = current_operation(records, &input).await?;
    let target = target(&input, &operation)?;
    let role_was_replaced = role_was_replaced(&input, &operation);
    let ensured = function::ensure(lambda, settings, &target, role_was_replaced).await?;
    let function::Ensured { arn, unnamed, published } = ensured;
    Ok(Ensured { arn, role_id: None, narrows: false, unnamed: Some(unnamed), published })
}

/// Whether the function's role is not the one that is recorded, although it has its name.
pub(crate) fn role_was_replaced(input: &StepInput, operation: &OperationRecord) -> bool {
    let known = operation.role_id.as_ref().zip(input.role_id.as_ref());
    known.is_some_and(|(then, now)| then != now)
}

/// The state to reach, and the one that may be in place.
pub(crate) fn target<'a>(
    input: &StepInput,
    operation: &'a OperationRecord,
) -> Result<Target<'a>, StepError> {
    let (wanted, other) = match input.goal {
        Goal::Target | Goal::Both | Goal::Kept => (&operation.target, &operation.previous),
        Goal::LastGood => (&operation.previous, &operation.target),
    };
    let Some(spec) = wanted else {
        return Err(StepError::new(
            ErrorName::Rejected,
            format!("the operation {} has no such state to reach", operation.operation_id),
        ));
    };
    // Restoring after a change that failed leaves it as it was, and so does finishing that later, which
    // nobody asked for: then operations before this one have failed.
    let restores = input.goal == Goal::LastGood;
    let callers_are_there = match operation.kind {
        OperationKind::Rollback => input.version.is_some(),
        // Whether they are `go-live` will see: it publishes nothing that is not as recorded.
        OperationKind::Repair => operation.live.version.is_some(),
        OperationKind::Create | OperationKind::Update | OperationKind::Delete => false,
    };
    let is_restored =
        restores && (operation.live.version.is_some() || input.kept_version.is_some());
    Ok(Target {
        spec,
        formerly: other.as_ref(),
        since: operation.started_at,
        resets_unnamed: !restores && operation.resets_unnamed(),
        restores,
        // Of a function that is being made nobody is a caller.
        only_adds: input.goal == Goal::Both && other.is_some(),
        may_be_refused: is_restored || (!restores && callers_are_there),
    })
}

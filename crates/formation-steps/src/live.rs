//! The steps that move callers, and that put them back.

use formation_control::{OperationRecord, Records};
use formation_model::{
    ErrorName, FunctionSpec, Goal, OperationKind, PublishedVersion, Recovery, StackIdentity,
    StepInput,
};
use formation_resources::live::{self, Before, Live, Move, Moved, Restored, Seen};

use crate::ensure::{before, pass, point_of_no_return, role_was_replaced, target};
use crate::{Callers, StepError, current_operation};

/// How often the alias is looked at anew that somebody else changes meanwhile.
const LOOKS: u32 = 3;

/// Brings callers to what the operation has made; see [`Goal`] for the states that ask for less: `Return live`
/// moves them to a version that is kept, if it is, and `Keep live` makes a version of what they run.
///
/// # Errors
/// Those of [`live::ensure`] and [`live::keep`], or that the attempt is superseded.
pub async fn go_live(
    lambda: &aws_sdk_lambda::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Callers, StepError> {
    let function = &input.execution.function_name;
    let mut operation = current_operation(records, &input).await?;
    if input.goal == Goal::LastGood {
        let aim = target(&input, &operation)?;
        let id = operation.operation_id;
        let kept = live::keep(lambda, stack, aim.spec, id, aim.since).await?;
        let otherwise = kept.as_ref().is_some_and(|kept| !kept.is_like);
        return Ok(Callers { otherwise, ..callers(kept.map(|kept| kept.live), false) });
    }
    let mut looked = None;
    // What is made with a function has the description of that, and of a create nobody asks whether it has moved.
    let mut takes_unmarked = operation.only_forward || operation.kind == OperationKind::Create;
    // Only where what is there is not what was recorded last, a share of the calls may be another version's.
    if operation.kind == OperationKind::Repair {
        looked = Some(live::alias(lambda, function).await.map_err(refused)?);
        operation = current_operation(records, &input).await?;
    }
    for _ in 0..LOOKS {
        let seen = match &looked {
            Some(alias) => Seen::Looked(alias.as_ref()),
            // What an earlier state of this execution has left, or the last commit.
            None => {
                let left = input.alias_revision_id.as_ref();
                let recorded = operation.live.alias_revision_id.as_ref();
                let version = input.version.or(input.kept_version).or(operation.live.version);
                Seen::Recorded(version, left.or(recorded).map(String::as_str))
            }
        };
        let it = Move {
            target: target(&input, &operation)?,
            operation: operation.operation_id,
            kept: kept(&input, &operation),
            only_kept: input.goal == Goal::Kept,
            takes_unmarked,
            role_was_replaced: role_was_replaced(&input, &operation),
            seen,
        };
        match live::ensure(lambda, stack, &it).await? {
            Moved::Done { live, keeps_too_much, alias_is_new } => {
                if keeps_too_much {
                    point_of_no_return(records, &input, &operation, live.version).await?;
                    live::take_away(lambda, stack, &it.target).await?;
                }
                let remade = alias_is_new && operation.live.version.is_some();
                return Ok(Callers { remade, ..callers(Some(live), false) });
            }
            Moved::Unmarked => {
                pass(records, &input, &operation).await?;
                takes_unmarked = true;
            }
            Moved::KeptIsGone => return Ok(callers(None, false)),
            // The alias first: what it was then, nobody has changed whom the operation does not show.
            Moved::Unseen => {
                looked = Some(live::alias(lambda, function).await.map_err(refused)?);
                operation = current_operation(records, &input).await?;
            }
        }
    }
    Err(is_contended())
}

/// Puts callers back to where they were before the operation, unless they run what it has made: then the answer
/// says so, and nothing is done.
///
/// # Errors
/// Those of [`live::restore`], or that the attempt is superseded.
pub async fn restore_live(
    lambda: &aws_sdk_lambda::Client,
    records: &Records,
    stack: &StackIdentity,
    input: StepInput,
) -> Result<Callers, StepError> {
    let function = &input.execution.function_name;
    if input.execution.recovery == Recovery::Undo {
        // Everything of it goes, and that is soon enough: nobody is a caller of what is being made.
        current_operation(records, &input).await?;
        return Ok(callers(None, false));
    }
    for _ in 0..LOOKS {
        let alias = live::alias(lambda, function).await.map_err(refused)?;
        let operation = current_operation(records, &input).await?;
        if let (true, Some(alias)) = (operation.only_forward, &alias) {
            return Ok(callers(Live::at(alias), true));
        }
        let restored = live::restore(
            lambda,
            stack,
            function,
            (operation.operation_id, operation.started_at),
            (leads_back_to(&input, &operation), operation.target_version),
            alias.as_ref(),
        );
        match restored.await? {
            Restored::Back(live) => return Ok(callers(live, false)),
            Restored::Moved(live) => return Ok(callers(Some(live), true)),
            Restored::Unseen => {}
        }
    }
    Err(is_contended())
}

/// A version that was published of the target before.
fn kept(input: &StepInput, operation: &OperationRecord) -> Option<PublishedVersion> {
    match operation.kind {
        OperationKind::Create => input.published,
        OperationKind::Rollback => {
            operation.target_version.filter(|_| !is_of_another_role(input, operation))
        }
        OperationKind::Repair => operation.live.version,
        OperationKind::Update | OperationKind::Delete => None,
    }
}

/// Whether the version that is kept of a rollback's target was published when the function had another role of the
/// same name, for which its environment was encrypted: nothing can make that role anew, and each call would fail.
fn is_of_another_role(input: &StepInput, operation: &OperationRecord) -> bool {
    let has_environment = |it: &FunctionSpec| !it.configuration.environment.0.is_empty();
    let known = operation.target_role_id.as_ref().zip(input.role_id.as_ref());
    operation.target.as_ref().is_some_and(has_environment)
        && known.is_some_and(|(it, now)| it != now)
}

/// Where callers were before the operation.
fn leads_back_to(input: &StepInput, operation: &OperationRecord) -> Before {
    match operation.kind {
        OperationKind::Update | OperationKind::Rollback => {
            before(input, operation).map_or(Before::AsFound, Before::Version)
        }
        OperationKind::Create | OperationKind::Repair | OperationKind::Delete => Before::AsFound,
    }
}

fn callers(live: Option<Live>, moved: bool) -> Callers {
    let (version, alias_revision_id) =
        live.map(|live| (Some(live.version), live.alias_revision_id)).unwrap_or_default();
    Callers { version, alias_revision_id, moved, otherwise: false, remade: false }
}

fn refused(error: formation_aws::AwsError) -> StepError {
    formation_resources::ResourceError::from(error).into()
}

fn is_contended() -> StepError {
    StepError::new(ErrorName::NotReady, "somebody else changes the alias all the time")
}

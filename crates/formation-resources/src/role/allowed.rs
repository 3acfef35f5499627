//! What a role is allowed: the inline policies of a function's role, and in which order they are written and
//! taken away.

use std::time::Duration;

use aws_sdk_iam::Client;
use formation_aws::ErrorKind;
use formation_model::FunctionSpec;
use formation_model::function::Tracing;
use jiff::{SignedDuration, Timestamp};

use super::policies::{self, Others, Policy};
use super::{Bounded, RoleSettings, described, does_not_exist};
use crate::Target;
use crate::error::ResourceError;
use crate::ownership::{is_denied, not_spread, once_spread_after};

/// Pauses between tries of a write that asks for the boundary that a role has just been given. IAM
/// publishes no number; 10 to 15 s were seen for a policy.
pub(super) const BOUNDARY_PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// For how long after an operation began a denial may mean that IAM does not act by a boundary yet which an
/// attempt of it has put: the next one finds it in its place.
pub(super) const BOUNDARY_SPREADS_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The inline policies of a function's role, and no others: where callers still run what was there before, what
/// they need, too.
pub(super) fn wanted(settings: &RoleSettings, target: &Target<'_>) -> Vec<Policy> {
    let former = target.formerly.filter(|_| target.only_adds);
    let traces = |it: &FunctionSpec| it.configuration.tracing == Tracing::Active;
    let tracing = [target.spec].into_iter().chain(former).any(traces);
    let tracing = if tracing { Tracing::Active } else { Tracing::PassThrough };
    let mut wanted = vec![Policy::logging_of(&settings.stack, target.spec, tracing)];
    // What callers run first: somebody may have written into it, so that both do not fit.
    for spec in former.into_iter().chain([target.spec]) {
        let permissions = Policy::permissions(settings, spec);
        wanted.extend(permissions.filter(|it| wanted.iter().all(|other| other.name != it.name)));
    }
    wanted
}

/// What the function is allowed is added before anything of it is taken away: its callers must not meet
/// a moment without. What others have given the role goes first, so that it takes no room; where nothing is to be
/// taken away it stays for as long as there is room. Answers whether the role has more than it is to have.
pub(super) async fn converge_policies(
    iam: &Client,
    settings: &RoleSettings,
    target: &Target<'_>,
    name: &str,
    bounded: Bounded,
) -> Result<bool, ResourceError> {
    let put = async |policy: &Policy| {
        let put = async || policies::put(iam, name, policy).await;
        // Our policies allow it by the boundary that the role has, and IAM may not act by it yet.
        if bounded == Bounded::Anew {
            return once_spread_after(&BOUNDARY_PAUSES, put, does_not_exist, described(name)).await;
        }
        let is_recent = target.since.duration_until(Timestamp::now()) < BOUNDARY_SPREADS_WITHIN;
        match put().await {
            Err(error) if bounded == Bounded::Already && is_recent && is_denied(&error) => {
                Err(not_spread(error, described(name)))
            }
            other => Ok(other?),
        }
    };
    let wanted = wanted(settings, target);
    let Some(logging) = wanted.first() else { return Ok(false) };
    let found = policies::find(iam, name, &logging.name).await?;
    // What is narrowed already stays so, by another execution of this attempt: callers have moved.
    let narrowed = Policy::logging(&settings.stack, target.spec);
    let logs_otherwise =
        ![logging, &narrowed].iter().any(|it| found.as_ref() == Some(&it.document));
    let Others { inline, attached } = policies::others(iam, name).await?;
    let permissions = Policy::permissions(settings, target.spec);
    let former = target.formerly.and_then(|former| Policy::permissions(settings, former));
    let is = |policy: &Option<Policy>, name: &String| {
        policy.as_ref().is_some_and(|policy| policy.name == *name)
    };
    let mut goes: Vec<_> = inline.iter().filter(|name| !is(&permissions, name)).collect();
    // What the function was allowed before this operation.
    let last = goes.iter().position(|name| is(&former, name));
    let mut last = last.map(|at| goes.remove(at));
    let mut others = !goes.is_empty() || !attached.is_empty();
    let remove_others = async || {
        for policy in &goes {
            policies::delete(iam, name, policy).await?;
        }
        for policy in &attached {
            policies::detach(iam, name, policy).await?;
        }
        Ok::<(), ResourceError>(())
    };
    if others && !target.only_adds {
        remove_others().await?;
        others = false;
    }
    if logs_otherwise {
        put(logging).await?;
    }
    if let Some(wanted) = &permissions {
        let found = match inline.contains(&wanted.name) {
            true => policies::find(iam, name, &wanted.name).await?,
            false => None,
        };
        // Under another boundary our policies allow no write, and what is there allows the same.
        let stays = bounded == Bounded::ByAnother && found.is_some();
        if found.as_ref() != Some(&wanted.document) && !stays {
            let mut tried = put(wanted).await;
            if others && is_too_much(&tried) {
                remove_others().await?;
                others = false;
                tried = put(wanted).await;
            }
            match tried {
                // Both fit a role, but for what others have written into the one before.
                tried if is_too_much(&tried) && last.is_some() => {
                    match (last.take(), &former) {
                        (Some(_), Some(former)) if target.only_adds => put(former).await?,
                        (Some(policy), _) => policies::delete(iam, name, policy).await?,
                        (None, _) => {}
                    }
                    put(wanted).await?;
                }
                other => other?,
            }
        }
    }
    // Callers may need it still. Where it is gone it is not given back: then they have moved.
    if let Some(policy) = last.filter(|_| !target.only_adds) {
        policies::delete(iam, name, policy).await?;
    }
    Ok(target.only_adds && (others || last.is_some() || logging.document != narrowed.document))
}

fn is_too_much(tried: &Result<(), ResourceError>) -> bool {
    matches!(tried, Err(ResourceError::Aws(error)) if error.kind == ErrorKind::QuotaExceeded)
}

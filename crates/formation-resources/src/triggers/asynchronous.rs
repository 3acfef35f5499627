//! What becomes of asynchronous calls that fail: one configuration at the alias.

use aws_sdk_lambda::operation::get_function_event_invoke_config::GetFunctionEventInvokeConfigOutput;
use aws_sdk_lambda::types::{DestinationConfig, OnFailure};
use formation_aws::AwsError;
use formation_model::names::LIVE;
use formation_model::triggers::AsyncInvoke;
use formation_model::{FunctionSpec, Trigger, TriggerKey, TriggerKind};
use jiff::Timestamp;

use super::{Scope, Work, each, once_allowed, take_away_untagged, unless_absent};
use crate::error::ResourceError;

/// Lambda's defaults: it may show them where nothing was set.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>.
const RETRIES: i32 = 2;
const MAXIMUM_AGE_SECONDS: i32 = 21_600;

/// Sets what is asked, where it differs. Before callers have moved only whom Lambda tells of what failed, since it may
/// refuse that; calls that wait lose neither tries nor time, nor anybody who is told.
pub(super) async fn ensure(scope: &Scope<'_>, work: &Work) -> Result<(), ResourceError> {
    for (key, wanted) in each!(work.ensured, AsyncInvoke) {
        let ensured = async || {
            let found = get(scope).await?;
            if let Some(found) = &found {
                scope.prove_made(&key, made(found))?;
            }
            let is_plain = scope.only_adds || found.as_ref().is_none_or(is_plain);
            let found = found.map(|found| shown(&found, wanted)).unwrap_or_default();
            let mut becomes = wanted.clone();
            if scope.only_adds {
                let told = wanted.on_failure_arn.clone().or(found.on_failure_arn.clone());
                becomes = AsyncInvoke { on_failure_arn: told, ..found.clone() };
            }
            if found != becomes || !is_plain {
                put(scope, &becomes).await?;
            }
            Ok::<_, ResourceError>(())
        };
        ensured().await.map_err(scope.about(&key))?;
    }
    Ok(())
}

/// Takes it away where nothing is asked any more, and it is ours.
pub(super) async fn take_away(
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    removed: &[Trigger],
) -> Result<(), ResourceError> {
    let key = TriggerKey::new(TriggerKind::AsyncInvoke, "");
    let may_be_there = scope.may_be_left(&key) || each!(removed, AsyncInvoke).next().is_some();
    if !spec.triggers.async_invoke.is_default() || !may_be_there {
        return Ok(());
    }
    let made = async || Ok(get(scope).await?.as_ref().map(made));
    take_away_untagged(scope, &key, made, async || delete(scope).await).await
}

async fn delete(scope: &Scope<'_>) -> Result<(), AwsError> {
    let delete = scope.clients.lambda.delete_function_event_invoke_config();
    let deleted = delete.function_name(scope.function.as_str()).qualifier(LIVE).send().await;
    let refused = |error| AwsError::new("lambda:DeleteFunctionEventInvokeConfig", error);
    unless_absent(deleted.map_err(refused)).map(|_| ())
}

/// When it was last set, by anybody: Lambda tells nothing else of its age.
fn made(found: &GetFunctionEventInvokeConfigOutput) -> Option<Timestamp> {
    found.last_modified.and_then(|it| Timestamp::from_second(it.secs()).ok())
}

async fn get(scope: &Scope<'_>) -> Result<Option<GetFunctionEventInvokeConfigOutput>, AwsError> {
    let get = scope.clients.lambda.get_function_event_invoke_config();
    let got = get.function_name(scope.function.as_str()).qualifier(LIVE).send().await;
    unless_absent(got.map_err(|error| AwsError::new("lambda:GetFunctionEventInvokeConfig", error)))
}

/// What Lambda does, and whether that is all; its own defaults are no difference from what `wanted` leaves to it.
pub(super) async fn find(
    scope: &Scope<'_>,
    wanted: &AsyncInvoke,
) -> Result<(AsyncInvoke, bool), AwsError> {
    let found = get(scope).await?;
    let is_plain = found.as_ref().is_none_or(is_plain);
    Ok((found.map(|found| shown(&found, wanted)).unwrap_or_default(), is_plain))
}

/// Whether nobody is told of what succeeds, which we give to nobody.
fn is_plain(found: &GetFunctionEventInvokeConfigOutput) -> bool {
    let succeeded = found.destination_config.as_ref().and_then(|it| it.on_success.as_ref());
    succeeded.and_then(|it| it.destination.as_ref()).is_none_or(String::is_empty)
}

fn shown(found: &GetFunctionEventInvokeConfigOutput, wanted: &AsyncInvoke) -> AsyncInvoke {
    let number = |found: Option<i32>, default: i32, wanted: Option<u32>| {
        let found = found.filter(|it| wanted.is_some() || *it != default);
        found.and_then(|it| u32::try_from(it).ok())
    };
    let failed = found.destination_config.as_ref().and_then(|it| it.on_failure.as_ref());
    let failed = failed.and_then(|it| it.destination.clone()).filter(|it| !it.is_empty());
    AsyncInvoke {
        async_retries: number(found.maximum_retry_attempts, RETRIES, wanted.async_retries),
        async_maximum_age_seconds: number(
            found.maximum_event_age_in_seconds,
            MAXIMUM_AGE_SECONDS,
            wanted.async_maximum_age_seconds,
        ),
        on_failure_arn: failed,
    }
}

/// Replaces the configuration, whole. Lambda looks whether the role may tell of what failed, which IAM may not have
/// spread yet.
async fn put(scope: &Scope<'_>, wanted: &AsyncInvoke) -> Result<(), ResourceError> {
    let failed = wanted.on_failure_arn.as_ref();
    let failed = failed.map(|arn| OnFailure::builder().destination(arn).build());
    let destinations = failed.map(|it| DestinationConfig::builder().on_failure(it).build());
    let number = |it: Option<u32>| it.and_then(|it| i32::try_from(it).ok());
    let put = scope.clients.lambda.put_function_event_invoke_config();
    let put = put
        .function_name(scope.function.as_str())
        .qualifier(LIVE)
        .set_maximum_retry_attempts(number(wanted.async_retries))
        .set_maximum_event_age_in_seconds(number(wanted.async_maximum_age_seconds))
        .set_destination_config(destinations);
    let refused = |error| AwsError::new("lambda:PutFunctionEventInvokeConfig", error);
    once_allowed(async || put.clone().send().await.map(|_| ()).map_err(refused)).await
}

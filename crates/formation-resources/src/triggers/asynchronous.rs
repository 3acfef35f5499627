//! What becomes of asynchronous calls that fail: one configuration at the alias.

use aws_sdk_lambda::operation::get_function_event_invoke_config::GetFunctionEventInvokeConfigOutput;
use aws_sdk_lambda::types::{DestinationConfig, OnFailure};
use formation_aws::AwsError;
use formation_model::Trigger;
use formation_model::names::LIVE;
use formation_model::triggers::AsyncInvoke;

use super::{Scope, Work, about, each, unless_absent, unless_busy};
use crate::error::ResourceError;
use crate::function::settle::when_role_is_ready;

/// Lambda's defaults: it may show them where nothing was set.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>.
const RETRIES: i32 = 2;
const MAXIMUM_AGE_SECONDS: i32 = 21_600;

/// Sets what is asked, where it differs.
pub(super) async fn ensure(scope: &Scope<'_>, work: &Work) -> Result<(), ResourceError> {
    for (key, wanted) in each!(work.ensured, AsyncInvoke) {
        let ensured = async || {
            if find(scope, wanted).await? != *wanted {
                put(scope, wanted).await?;
            }
            Ok::<_, ResourceError>(())
        };
        ensured().await.map_err(about(&key))?;
    }
    Ok(())
}

/// Takes it away where nothing is asked any more.
pub(super) async fn take_away(scope: &Scope<'_>, removed: &[Trigger]) -> Result<(), ResourceError> {
    for (key, _) in each!(removed, AsyncInvoke) {
        let delete = scope.clients.lambda.delete_function_event_invoke_config();
        let deleted = delete.function_name(scope.function.as_str()).qualifier(LIVE).send().await;
        let refused = |error| AwsError::new("lambda:DeleteFunctionEventInvokeConfig", error);
        let gone = unless_absent(deleted.map_err(refused)).map_err(unless_busy);
        gone.map_err(about(&key))?;
    }
    Ok(())
}

/// What Lambda does; its own defaults are no difference from what `wanted` leaves to it.
pub(super) async fn find(scope: &Scope<'_>, wanted: &AsyncInvoke) -> Result<AsyncInvoke, AwsError> {
    let get = scope.clients.lambda.get_function_event_invoke_config();
    let got = get.function_name(scope.function.as_str()).qualifier(LIVE).send().await;
    let refused = |error| AwsError::new("lambda:GetFunctionEventInvokeConfig", error);
    let found = unless_absent(got.map_err(refused))?;
    Ok(found.map(|found| shown(&found, wanted)).unwrap_or_default())
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
    when_role_is_ready(async || put.clone().send().await.map_err(refused)).await.map(|_| ())
}

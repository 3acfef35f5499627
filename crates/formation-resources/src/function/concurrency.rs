//! The concurrency that is reserved for a function. It is no part of the configuration: it has calls of
//! its own, which Lambda carries out at once, and a function that has none shows none.

use aws_sdk_lambda::Client;
use formation_aws::AwsError;
use formation_model::{Difference, Facet, FunctionName, FunctionSpec};
use serde_json::json;

use super::errors::{busy, does_not_exist, is_busy, unless_busy};
use super::{Found, described};
use crate::error::ResourceError;
use crate::ownership::once_spread;

/// Reserves what is asked for a function that was just made and has none.
pub(crate) async fn give(lambda: &Client, spec: &FunctionSpec) -> Result<(), ResourceError> {
    let function = &spec.function_name;
    let Some(wanted) = wanted(spec) else { return Ok(()) };
    let put = async || put(lambda, function, wanted).await;
    match once_spread(put, does_not_exist, described(function)).await {
        Err(ResourceError::Aws(error)) if is_busy(&error) => Err(busy(error)),
        other => other,
    }
}

/// Brings what is reserved for a function to what is asked, where it differs. Both calls can be repeated.
pub(crate) async fn change(
    lambda: &Client,
    spec: &FunctionSpec,
    reserved: Option<i32>,
) -> Result<(), ResourceError> {
    let function = &spec.function_name;
    match wanted(spec) {
        wanted if wanted == reserved => Ok(()),
        Some(wanted) => unless_busy(put(lambda, function, wanted).await),
        None => {
            let deleted = lambda.delete_function_concurrency().function_name(function.as_str());
            let refused = |error| AwsError::new("lambda:DeleteFunctionConcurrency", error);
            unless_busy(deleted.send().await.map_err(refused))
        }
    }
}

/// Brings it to what is asked where that gives callers more room, or needs room that there may not be: before
/// they move.
pub(crate) async fn raise(
    lambda: &Client,
    spec: &FunctionSpec,
    reserved: Option<i32>,
) -> Result<(), ResourceError> {
    if takes_away(wanted(spec), reserved) { Ok(()) } else { change(lambda, spec, reserved).await }
}

/// Whether what is asked takes away of what is reserved: see [`lower`].
pub(crate) fn is_lowered(spec: &FunctionSpec, reserved: Option<i32>) -> bool {
    let wanted = wanted(spec);
    wanted != reserved && takes_away(wanted, reserved)
}

/// Brings it to what is asked where that only takes away, which cannot fail for want of room: once callers have
/// moved.
pub(crate) async fn lower(
    lambda: &Client,
    spec: &FunctionSpec,
    reserved: Option<i32>,
) -> Result<(), ResourceError> {
    if takes_away(wanted(spec), reserved) { change(lambda, spec, reserved).await } else { Ok(()) }
}

/// Whether less is set apart for the function, or it is stopped.
fn takes_away(wanted: Option<i32>, reserved: Option<i32>) -> bool {
    match (wanted, reserved) {
        (Some(0), reserved) => reserved != Some(0),
        (wanted, Some(reserved)) => wanted.is_none_or(|wanted| wanted < reserved),
        (_, None) => false,
    }
}

/// How it differs from what is asked.
pub(crate) fn difference(found: &Found, spec: &FunctionSpec) -> Option<Difference> {
    let (expected, actual) = (json!(spec.reserved_concurrency), json!(found.reserved_concurrency));
    Difference::between(Facet::Concurrency, "reservedConcurrency", expected, actual)
}

fn wanted(spec: &FunctionSpec) -> Option<i32> {
    spec.reserved_concurrency.and_then(|number| i32::try_from(number).ok())
}

async fn put(lambda: &Client, function: &FunctionName, number: i32) -> Result<(), AwsError> {
    let put = lambda.put_function_concurrency().function_name(function.as_str());
    let put = put.reserved_concurrent_executions(number).send().await;
    put.map(|_| ()).map_err(|error| AwsError::new("lambda:PutFunctionConcurrency", error))
}

#[cfg(test)]
mod tests;

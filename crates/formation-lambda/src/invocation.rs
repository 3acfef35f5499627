//! An invocation, and the time that it has.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Runs `handle` for every invocation, with its payload and the time until Lambda ends it.
///
/// # Errors
/// Those of the Lambda runtime itself; those of `handle` go to whoever invoked.
pub async fn run<Payload, Answer, Failure>(
    handle: impl AsyncFn(Payload, Duration) -> Result<Answer, Failure>,
) -> Result<(), Error>
where
    Payload: DeserializeOwned,
    Answer: Serialize,
    Failure: Into<Diagnostic> + std::fmt::Debug,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Payload>| {
        let left = time_left(&event.context);
        handle(event.payload, left).await
    }))
    .await
}

fn time_left(context: &Context) -> Duration {
    context.deadline().duration_since(SystemTime::now()).unwrap_or_default()
}

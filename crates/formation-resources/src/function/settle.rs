//! Waiting: for a role that Lambda can use, and for a function that is becoming what it shall be.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, State};
use formation_aws::AwsError;
use tokio::time::sleep;

use super::errors::{name_is_taken, role_is_not_ready, unless_busy};
use super::{Found, FunctionSettings, described, find};
use crate::Target;
use crate::error::ResourceError;

/// Pauses between tries while Lambda cannot assume a role that was just made. Five tries span 9 s,
/// which nearly every role needs less than; whoever needs longer waits in the state machine. AWS
/// publishes no number: Terraform allows minutes, most roles take seconds.
pub(crate) const ROLE_PAUSES: [Duration; 4] = [
    Duration::from_millis(2000),
    Duration::from_millis(2500),
    Duration::from_millis(2500),
    Duration::from_millis(2000),
];

/// Pauses between looks at a function that is becoming what it shall be: short at first, since
/// most are done in a second. GetFunction has a rate of its own, 100/s for each account and Region.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub(crate) const SETTLE_PAUSES: [Duration; 8] = [
    Duration::from_millis(200),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(2000),
    Duration::from_millis(3000),
];

/// Repeats `call` while Lambda cannot use the role yet. A role that never becomes usable gives the
/// same refusal, so the patience has an end, here and in the state machine.
pub(crate) async fn when_role_is_ready<T>(
    call: impl AsyncFn() -> Result<T, AwsError>,
) -> Result<Option<T>, ResourceError> {
    let mut pauses = ROLE_PAUSES.iter();
    loop {
        match call().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) if role_is_not_ready(&error) => match pauses.next() {
                Some(pause) => sleep(*pause).await,
                None => {
                    return Err(ResourceError::NotReady {
                        what: "Lambda cannot use the function's role yet".to_owned(),
                        source: Some(error),
                    });
                }
            },
            Err(error) if name_is_taken(&error) => return Err(error.into()),
            refused => return unless_busy(refused).map(|()| None),
        }
    }
}

/// Waits until the function is active and its last update has succeeded.
pub(crate) async fn settled(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
) -> Result<FunctionConfiguration, ResourceError> {
    let (configuration, last_update) = at_rest(lambda, settings, target, None).await?;
    last_update.map(|()| configuration)
}

/// Waits until the function is active and no update of it is in progress, and answers how the last
/// one ended. `found` is a look that was just taken.
pub(crate) async fn at_rest(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
    mut found: Option<Found>,
) -> Result<(FunctionConfiguration, Result<(), ResourceError>), ResourceError> {
    let function = &target.spec.function_name;
    let mut pauses = SETTLE_PAUSES.iter();
    loop {
        let look = match found.take() {
            Some(found) => Ok(Some(found)),
            None => find(lambda, &settings.stack, function, target.since).await,
        };
        let why = match look {
            Ok(Some(Found { configuration, .. })) => match last_update(&configuration)? {
                Some(last_update) => return Ok((configuration, last_update)),
                None => {
                    ResourceError::not_ready(format!("{} is not active yet", described(function)))
                }
            },
            Ok(None) => {
                ResourceError::not_ready(format!("Lambda does not show {}", described(function)))
            }
            // Its tags are not to be seen yet.
            Err(error @ ResourceError::NotReady { .. }) => error,
            Err(error) => return Err(error),
        };
        let Some(pause) = pauses.next() else { return Err(why) };
        sleep(*pause).await;
    }
}

/// How the last update ended; none while the function or an update is on its way.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>. A fresh function
/// has no `LastUpdateStatus` yet.
pub(crate) fn last_update(
    configuration: &FunctionConfiguration,
) -> Result<Option<Result<(), ResourceError>>, ResourceError> {
    match configuration.state() {
        Some(State::Failed) => {
            return Err(failed(configuration.state_reason(), "could not be made"));
        }
        // An idle function is Inactive: the next invocation wakes it.
        Some(State::Active | State::Inactive) => {}
        _ => return Ok(None),
    }
    Ok(match configuration.last_update_status() {
        Some(LastUpdateStatus::Successful) => Some(Ok(())),
        Some(LastUpdateStatus::Failed) => {
            let reason = configuration.last_update_status_reason();
            Some(Err(failed(reason, "could not be updated")))
        }
        _ => None,
    })
}

pub(crate) fn failed(reason: Option<&str>, what: &str) -> ResourceError {
    let reason = reason.unwrap_or("Lambda gave no reason");
    ResourceError::Rejected { reason: format!("the function {what}: {reason}") }
}

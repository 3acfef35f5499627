//! What every step Lambda does around its step.

use std::time::Duration;

use formation_model::step::CONTRACT_VERSION;
use formation_model::{ErrorName, StepInput};
use serde::Serialize;
use tokio::time::timeout;
use tracing::Instrument;

use crate::error::StepError;

/// How long before Lambda would end the process a step gives up by itself, so that its failure has
/// a name and nothing is cut off in the middle of a call.
const BEFORE_DEADLINE: Duration = Duration::from_secs(2);

/// Runs `step` for every invocation, within the invocation's time and with the operation's id on
/// every line of the log.
///
/// # Errors
/// Those of the Lambda runtime itself; a step's own go to Step Functions.
pub async fn run_step<Output: Serialize>(
    step: impl AsyncFn(StepInput) -> Result<Output, StepError>,
) -> Result<(), formation_lambda::Error> {
    formation_lambda::run(async |input: StepInput, left| {
        let span = tracing::info_span!(
            "step",
            operationId = %input.execution.operation_id,
            functionName = %input.execution.function_name,
            attempt = input.execution.attempt,
        );
        // Boxed: the futures of some steps are too large for rustc's layout query otherwise.
        let result = Box::pin(within(left, step(check_version(input)?)));
        let result = result.instrument(span.clone()).await;
        let _entered = span.enter();
        match &result {
            Ok(_) => tracing::info!("done"),
            Err(error) => tracing::warn!(error.name = %error.name, "{}", error.message),
        }
        result
    })
    .await
}

/// This release's version and the previous one are understood; a later one comes from a release
/// that is being deployed, and its own step Lambda will be here soon.
fn check_version(input: StepInput) -> Result<StepInput, StepError> {
    if input.execution.v > CONTRACT_VERSION {
        let text = format!(
            "the execution speaks version {} of the steps' contract, this Lambda {CONTRACT_VERSION}",
            input.execution.v
        );
        return Err(StepError::new(ErrorName::NotReady, text));
    }
    Ok(input)
}

/// What `step` answers, if that is before `left`, the time until Lambda ends the process, is over.
async fn within<Output>(
    left: Duration,
    step: impl Future<Output = Result<Output, StepError>>,
) -> Result<Output, StepError> {
    match timeout(left.saturating_sub(BEFORE_DEADLINE), step).await {
        Ok(result) => result,
        // Most likely AWS throttles one call after the other, which takes minutes to pass.
        Err(_) => Err(StepError::new(
            ErrorName::NotReady,
            "the step did not end within its Lambda's time",
        )),
    }
}

#[cfg(test)]
mod tests {
    use formation_model::{ExecutionInput, Goal, OperationId, OperationKind};

    use super::*;

    fn input(v: u32) -> StepInput {
        let execution = ExecutionInput::new(
            OperationKind::Create,
            true,
            "hello".parse().unwrap(),
            OperationId::generate(),
            1,
        );
        StepInput {
            execution: ExecutionInput { v, ..execution },
            goal: Goal::Target,
            failure: None,
            role_id: None,
            version: None,
            function_url: None,
            alias_revision_id: None,
            kept_version: None,
            kept_otherwise: false,
            published: None,
            remade: false,
            moved: false,
            unnamed: Vec::new(),
            leftovers: Vec::new(),
        }
    }

    #[test]
    fn a_later_releases_execution_waits_for_the_later_release() {
        assert!(check_version(input(CONTRACT_VERSION)).is_ok());
        let error = check_version(input(CONTRACT_VERSION + 1)).unwrap_err();
        assert_eq!(error.name, ErrorName::NotReady);
    }

    /// See `formation-model/tests/records/README.md`.
    #[test]
    fn executions_of_every_release_that_is_kept_go_on() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../formation-model/tests/records");
        let mut inputs = 0;
        for release in std::fs::read_dir(folder).unwrap() {
            let Ok(files) = std::fs::read_dir(release.unwrap().path()) else { continue };
            for file in files.map(|file| file.unwrap().path()) {
                if !file.file_name().unwrap().to_str().unwrap().starts_with("input-") {
                    continue;
                }
                let text = std::fs::read_to_string(&file).unwrap();
                let input = serde_json::from_str(&text).unwrap();
                assert!(check_version(input).is_ok(), "{}", file.display());
                inputs += 1;
            }
        }
        assert!(inputs >= 8, "{inputs} inputs are kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_hangs_fails_by_name_before_lambda_ends_it() {
        let started = tokio::time::Instant::now();
        let hanging = std::future::pending::<Result<(), StepError>>();
        let error = within(Duration::from_secs(30), hanging).await.unwrap_err();
        assert_eq!(error.name, ErrorName::NotReady);
        assert!(started.elapsed() <= Duration::from_secs(28));
    }
}

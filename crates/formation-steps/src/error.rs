//! What a failing step tells the state machine.

use formation_aws::{AwsError, ErrorKind};
use formation_control::Refusal;
use formation_model::step::StepMessage;
use formation_model::{ErrorName, ExecutionInput};
use formation_resources::ResourceError;
use lambda_runtime::Diagnostic;

/// A step that failed: a name that `statemachine.asl.json` matches, and one text, since only these
/// two leave a Lambda.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct StepError {
    /// What the state machine acts on.
    pub name: ErrorName,
    /// What happened.
    pub message: StepMessage,
}

impl StepError {
    pub(crate) fn new(name: ErrorName, text: impl Into<String>) -> Self {
        let message = StepMessage { text: text.into(), aws_error_code: None, aws_request_id: None };
        Self { name, message }
    }

    pub(crate) fn superseded(execution: &ExecutionInput) -> Self {
        let ExecutionInput { operation_id, attempt, .. } = execution;
        let text = format!(
            "attempt {attempt} of the operation {operation_id} is not current any more; nothing was done"
        );
        Self::new(ErrorName::Superseded, text)
    }

    fn because_of(name: ErrorName, text: String, aws: Option<&AwsError>) -> Self {
        let message = StepMessage {
            text,
            aws_error_code: aws.and_then(|aws| aws.code.clone()),
            aws_request_id: aws.and_then(|aws| aws.request_id.clone()),
        };
        Self { name, message }
    }
}

impl From<ResourceError> for StepError {
    fn from(error: ResourceError) -> Self {
        let text = match (&error, error.aws()) {
            (ResourceError::NotReady { what, .. }, Some(aws)) => format!("{what}: {aws}"),
            _ => error.to_string(),
        };
        Self::because_of(error.name(), text, error.aws())
    }
}

impl From<Refusal> for StepError {
    fn from(error: Refusal) -> Self {
        match &error {
            Refusal::Aws(aws) => {
                let name = match aws.kind {
                    ErrorKind::Throttled => ErrorName::Throttled,
                    ErrorKind::AccessDenied => ErrorName::AccessDenied,
                    // Nothing about a record is the user's to mend.
                    ErrorKind::Transient | ErrorKind::Refused | ErrorKind::QuotaExceeded => {
                        ErrorName::Transient
                    }
                };
                Self::because_of(name, aws.to_string(), Some(aws))
            }
            _ => Self::new(ErrorName::Transient, error.to_string()),
        }
    }
}

impl From<StepError> for Diagnostic {
    fn from(error: StepError) -> Self {
        Self {
            error_type: error.name.as_str().to_owned(),
            error_message: error.message.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_machine_gets_the_name_and_aws_own_words() {
        let aws = AwsError {
            call: "lambda:CreateFunction",
            kind: ErrorKind::Refused,
            code: Some("InvalidParameterValueException".into()),
            message: "Could not unzip uploaded file.".into(),
            request_id: Some("r-1".into()),
        };
        let diagnostic = Diagnostic::from(StepError::from(ResourceError::from(aws)));
        assert_eq!(diagnostic.error_type, "Formation.Rejected");
        assert_eq!(
            diagnostic.error_message,
            "lambda:CreateFunction: Could not unzip uploaded file. [AWS error InvalidParameterValueException, request r-1]"
        );
    }
}

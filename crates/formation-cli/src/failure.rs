//! Why a command ends without doing what it was asked, and what to do about it.

use std::error::Error;
use std::fmt;

use formation_client::{BuildError, ClientError};
use formation_model::{Problem, ProblemCode};
use http::StatusCode;

use crate::manifest::Problems;
use crate::outcome::Outcome;
use crate::remedy::help;

/// Why a command ends early.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for what there is not.
    Usage(String),
    /// What it was given cannot be used; nothing was started.
    Refused(String),
    /// The manifest is wrong, or what it asks for was refused.
    Manifest(Box<Problems>),
    /// The API has no other answer.
    Client(Box<ClientError>),
    /// AWS refuses the caller.
    Denied(String),
    /// What runs has not ended; it was told already.
    Running,
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The exit code that it leads to.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Usage(_) => Outcome::Usage,
            Self::Refused(_) | Self::Manifest(_) => Outcome::Refused,
            Self::Denied(_) => Outcome::Denied,
            Self::Client(error) => of_client(error),
            Self::Running => Outcome::Running,
            Self::Other(_) => Outcome::Failed,
        }
    }

    /// What is told of it to somebody who uses this profile.
    pub fn told(&self, profile: Option<&str>) -> String {
        match self {
            Self::Usage(text) | Self::Refused(text) | Self::Denied(text) | Self::Other(text) => {
                format!("error: {text}")
            }
            Self::Running => String::new(),
            Self::Manifest(problems) => problems.to_string(),
            Self::Client(error) => of_api(error, profile),
        }
    }

    /// What was not done, with its cause: of an error of some library.
    pub fn other(what: impl Into<String>, error: &dyn Error) -> Self {
        Self::Other(chain(what.into(), error))
    }
}

fn of_client(error: &ClientError) -> Outcome {
    let status = match error {
        ClientError::Problem { problem, .. } => {
            // An operation that has failed has been started.
            if let Some(rollback) = &problem.rollback {
                return match rollback.known() {
                    Some(formation_model::Rollback::Incomplete) => Outcome::Incomplete,
                    _ => Outcome::Failed,
                };
            }
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY)
        }
        ClientError::Gateway { status, .. } => *status,
        ClientError::Credentials(_) => return Outcome::Denied,
        ClientError::InvalidRequest(_) => return Outcome::Refused,
        ClientError::StillRunning(_) => return Outcome::Running,
        _ => return Outcome::Failed,
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Denied,
        status if status.is_client_error() => Outcome::Refused,
        _ => Outcome::Failed,
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Manifest(Box::new(problems))
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::InvalidUrl => Self::Usage(error.to_string()),
            BuildError::UntrustedUrl(_) => Self::Refused(error.to_string()),
            error => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(None))
    }
}

/// What the API, or what stands before it, says.
pub(crate) fn of_api(error: &ClientError, profile: Option<&str>) -> String {
    match error {
        ClientError::Problem { problem, .. } => of_problem(problem),
        ClientError::Gateway { status, .. } if *status == StatusCode::NOT_FOUND => {
            format!("error: the API has no such route{OLDER}")
        }
        ClientError::Gateway { status, message, .. } if *status == StatusCode::FORBIDDEN => {
            let help = help(message, profile).unwrap_or_else(|| {
                "\nhelp: `formation doctor` tells whose credentials are used and what they may do; the stack's managed \
                 policies give the permission"
                    .to_owned()
            });
            format!("error: AWS does not let you do this ({message}){help}")
        }
        error => {
            let told = chain_of(error);
            let help = help(&told, profile).unwrap_or_default();
            format!("error: {told}{help}")
        }
    }
}

/// What helps where the API does not know what it is asked for.
const OLDER: &str = "\nhelp: the stack is of an older release than this command, which `make deploy` upgrades; or the \
                     URL is that of another API";

fn of_problem(problem: &Problem) -> String {
    let mut text = format!("error: {} ({})", problem.detail, problem.code);
    for field in &problem.errors {
        let pointer = if field.pointer.is_empty() { "/" } else { &field.pointer };
        text += &format!("\n  {pointer}: {} ({})", field.detail, field.code);
    }
    let shown = problem.errors.len();
    if let Some(more) =
        problem.error_count.and_then(|all| all.checked_sub(shown)).filter(|it| *it > 0)
    {
        text += &format!("\n  and {more} more");
    }
    if problem.code == ProblemCode::RouteNotFound {
        text += OLDER;
    }
    if problem.status >= 500
        && let Some(id) = &problem.request_id
    {
        text += &format!("\n  request id {id}");
    }
    text
}

/// An error with its causes.
pub(crate) fn chain_of(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => chain(error.to_string(), cause),
        None => error.to_string(),
    }
}

fn chain(mut text: String, error: &dyn Error) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let message = error.to_string();
        // Libraries often repeat the cause in the error's own text.
        if !text.ends_with(&message) {
            text += &format!(": {message}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(more: serde_json::Value) -> Failure {
        let mut body = json!({
            "type": "about:blank", "title": "T", "status": 422, "detail": "D", "code": "INVALID_FUNCTION",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = Box::new(serde_json::from_value(body).unwrap());
        ClientError::Problem { problem, retry_after: None }.into()
    }

    #[test]
    fn the_exit_code_tells_who_has_to_do_something() {
        for (failure, expected) in [
            (problem(json!({})), 4),
            (problem(json!({"status": 403})), 77),
            (problem(json!({"status": 401})), 77),
            (problem(json!({"status": 409, "operationId": "01JDJ3M6Q5X8Z7W2V4T9R0N1KB"})), 4),
            (problem(json!({"status": 503})), 1),
            (problem(json!({"status": 403, "rollback": "COMPLETE"})), 1),
            (problem(json!({"rollback": "INCOMPLETE"})), 5),
            (Failure::Usage(String::new()), 64),
            (Failure::Denied(String::new()), 77),
            (Failure::Other(String::new()), 1),
            (BuildError::UntrustedUrl("x".to_owned()).into(), 4),
        ] {
            assert_eq!(failure.outcome().code(), expected, "{failure:?}");
        }
    }

    #[test]
    fn a_problem_is_told_with_every_field() {
        let failure = problem(json!({
            "errors": [{"pointer": "/handler", "code": "INVALID_FORMAT", "detail": "must be X"}],
            "errorCount": 3, "requestId": "id",
        }));
        let expected =
            "error: D (INVALID_FUNCTION)\n  /handler: must be X (INVALID_FORMAT)\n  and 2 more";
        assert_eq!(failure.to_string(), expected);
        let expected = "error: D (INVALID_FUNCTION)\n  request id id";
        assert_eq!(problem(json!({"status": 500, "requestId": "id"})).to_string(), expected);
    }
}

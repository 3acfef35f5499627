//! The contract between the state machine and its step Lambdas: the JSON that they exchange and the
//! names of errors that `statemachine.asl.json` matches.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::drift::Difference;
use crate::name::FunctionName;
use crate::open::Open;
use crate::operation::{OperationError, OperationId, OperationKind, OperationStatus, Rollback};
use crate::part::Part;
use crate::version::PublishedVersion;

/// The version of [`ExecutionInput`] that this release writes. Steps accept this one and the
/// previous one, so that executions run well through an upgrade of the stack.
pub const CONTRACT_VERSION: u32 = 1;

/// The lane that an execution takes through the state machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Lane {
    /// Bring every part to the target.
    Ensure,
    /// Move callers to a version that is kept, then bring every part to the target behind it.
    Rollback,
    /// Remove every part.
    Delete,
    /// Go on after an attempt that was stopped or died: back to what was before, or forward where callers
    /// have moved.
    Recover,
}

/// What is done about the changes of an operation whose Ensure steps failed for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Recovery {
    /// There was nothing before: remove every part.
    Undo,
    /// There is a last good state: bring every part back to it.
    Restore,
    /// Nothing: restoring would repeat what just failed, and a delete only goes forward.
    None,
}

/// Which state of the function an ensure step brings its part to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Goal {
    /// What the operation is to make of it.
    #[default]
    Target,
    /// The same, and what callers run now loses nothing that it has: what is added before the alias moves.
    Both,
    /// The version that is kept of what the operation is to make of it. Where it is gone nothing is done.
    Kept,
    /// What it was before the operation.
    LastGood,
}

/// The input of an execution. It is built from the stored operation alone, so that starting the
/// same attempt again is the same request, byte for byte. No specification, environment or code.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionInput {
    /// [`CONTRACT_VERSION`] of the release that started it.
    pub v: u32,
    /// The function that is changed.
    pub function_name: FunctionName,
    /// The operation that changes it.
    pub operation_id: OperationId,
    /// The attempt that this execution is; a superseded one can do nothing more.
    pub attempt: u32,
    /// The lane to take.
    pub lane: Lane,
    /// What to do if an Ensure step fails for good, or in the lane [`Lane::Recover`].
    pub recovery: Recovery,
    /// Whether the role is given something that callers may need at once, so that the alias moves only once IAM
    /// has spread it. Of a repair nobody knows before it has looked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub widens: bool,
    /// Whether what callers run has no version yet: it gets one before anything is changed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unversioned: bool,
    /// Whether the function has triggers, or had some: see [`FunctionSpec::has_triggers`].
    ///
    /// [`FunctionSpec::has_triggers`]: crate::FunctionSpec::has_triggers
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_triggers: bool,
    /// Whether one of them has to be made, changed, looked at or taken away: see
    /// [`FunctionSpec::changes_triggers`].
    ///
    /// [`FunctionSpec::changes_triggers`]: crate::FunctionSpec::changes_triggers
    #[serde(default, skip_serializing_if = "is_false")]
    pub changes_triggers: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl ExecutionInput {
    /// The input of an attempt of an operation that adds no permissions to a function with a version;
    /// `has_target` tells whether it is to make anything.
    pub fn new(
        kind: OperationKind,
        has_target: bool,
        function_name: FunctionName,
        operation_id: OperationId,
        attempt: u32,
    ) -> Self {
        // It is not known how far an attempt came that was taken over: the next one looks, and goes back unless
        // callers have moved.
        let forward = if attempt == 1 { Lane::Ensure } else { Lane::Recover };
        let (lane, recovery) = match kind {
            OperationKind::Create => (forward, Recovery::Undo),
            OperationKind::Update => (forward, Recovery::Restore),
            OperationKind::Rollback if attempt == 1 => (Lane::Rollback, Recovery::Restore),
            OperationKind::Rollback => (forward, Recovery::Restore),
            OperationKind::Repair if has_target => (forward, Recovery::None),
            // To repair a create that could not be undone is to finish undoing it. A delete only
            // goes forward.
            OperationKind::Repair | OperationKind::Delete => (Lane::Delete, Recovery::None),
        };
        Self {
            v: CONTRACT_VERSION,
            function_name,
            operation_id,
            attempt,
            lane,
            recovery,
            widens: false,
            unversioned: false,
            has_triggers: false,
            changes_triggers: false,
        }
    }

    /// The Task or Wait state that the execution enters first: the step that it is at where nothing
    /// else is known.
    pub fn first_step(&self) -> &'static str {
        match self.lane {
            Lane::Delete if self.attempt > 1 => "Let AWS settle",
            _ if self.attempt > 1 => "Restore live",
            Lane::Delete if self.has_triggers => "Remove triggers",
            Lane::Delete => "Remove function",
            _ if self.unversioned => "Keep live",
            Lane::Rollback => "Return role",
            Lane::Ensure if self.changes_triggers && self.recovery == Recovery::Restore => {
                "Equip role"
            }
            Lane::Ensure | Lane::Recover if self.widens => "Widen role",
            Lane::Ensure | Lane::Recover => "Ensure role",
        }
    }
}

/// What a step Lambda is given: the execution's input and what its states added on the way.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepInput {
    /// What the execution was started with.
    #[serde(flatten)]
    pub execution: ExecutionInput,
    /// The state that an ensure step is to reach.
    #[serde(default)]
    pub goal: Goal,
    /// The step that failed for good first, if one did.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// The RoleId of the function's role, once `ensure-role` has answered it: a role that was made
    /// anew under its old name has another.
    #[serde(default)]
    pub role_id: Option<String>,
    /// The version that the alias leads to, once `go-live` or `restore-live` has answered it.
    #[serde(default)]
    pub version: Option<PublishedVersion>,
    /// The alias's RevisionId, once one of them has answered it.
    #[serde(default)]
    pub alias_revision_id: Option<String>,
    /// The version of what was there before, where this operation has published it: see [`Goal::LastGood`].
    #[serde(default)]
    pub kept_version: Option<PublishedVersion>,
    /// Whether that was not as the last good state is recorded: somebody has changed it, or it was left half made.
    #[serde(default)]
    pub kept_otherwise: bool,
    /// The version that `ensure-function` has published with a function that it made.
    #[serde(default)]
    pub published: Option<PublishedVersion>,
    /// The function's address, once `ensure-triggers` has answered it; absent where it has none.
    #[serde(default)]
    pub function_url: Option<String>,
    /// Whether `go-live` had to make the alias anew that is recorded.
    #[serde(default)]
    pub remade: bool,
    /// Whether callers run what the operation has made: from then on it only goes forward.
    #[serde(default)]
    pub moved: bool,
    /// What the Lambda function has and Formation does not name, once `ensure-function` has answered it.
    #[serde(default)]
    pub unnamed: Vec<Difference>,
    /// What is not as it should be because a Remove, Undo or Restore step, or a repair, failed for
    /// good.
    #[serde(default)]
    pub leftovers: Vec<Part>,
}

/// A step that failed for good, as the state machine's Catch hands it on.
#[derive(Clone, Debug, Deserialize)]
pub struct Failure {
    /// The state that failed.
    pub step: String,
    /// The name of the error.
    #[serde(default)]
    pub error: String,
    /// For a Lambda's error: JSON text with `errorMessage`. Of others it is any text or none; an
    /// object is kept as its text.
    #[serde(default, deserialize_with = "text_of_any_value")]
    pub cause: String,
}

/// A failure must be recorded whatever its cause looks like.
fn text_of_any_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    })
}

/// The first state of `statemachine.asl.json`.
pub const FIRST_STATE: &str = "Choose lane";

/// Whether this state of `statemachine.asl.json` is on the way forward, where a step that fails for
/// good leads to recovery. Those of the way back, or of an outcome, cannot be left for it, nor those behind the move.
///
/// In the lane of a rollback only what comes before the move does: see [`Lane::moves_first`].
pub fn goes_forward(state: &str) -> bool {
    const OTHERS: [&str; 8] = [
        FIRST_STATE,
        "Keep live",
        "Equip role",
        "Widen role",
        "Let permissions spread",
        "Return role",
        "Return live",
        "Go live",
    ];
    OTHERS.contains(&state) || state.starts_with("Ensure ")
}

impl Lane {
    /// Whether in this lane callers have moved by the time that `state` is entered.
    pub fn moves_first(self, state: &str) -> bool {
        self == Self::Rollback && ![FIRST_STATE, "Return role", "Return live"].contains(&state)
    }
}

/// The part that a state on the way forward of `statemachine.asl.json` makes; none for other states.
pub fn part_made_by(state: &str) -> Option<Part> {
    match state {
        "Ensure role" | "Equip role" | "Widen role" | "Return role" => Some(Part::Role),
        "Ensure log group" => Some(Part::LogGroup),
        "Ensure function" => Some(Part::Function),
        "Keep live" | "Return live" | "Go live" => Some(Part::Live),
        "Ensure triggers" | "Settle triggers" | "Release triggers" => Some(Part::Triggers),
        _ => None,
    }
}

/// The names of errors that are acted on: the retriers and catchers of
/// `statemachine.asl.json`, and whoever reads `error.code` of an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorName {
    /// AWS is still at it: a role spreads, a function is Pending or being updated.
    NotReady,
    /// AWS limits the rate of calls.
    Throttled,
    /// Transport, an answer of 5xx, a deadline: a few quick tries.
    Transient,
    /// The resource of that name is somebody else's.
    NotOwned,
    /// AWS refused the specification.
    Rejected,
    /// A quota of the account is used up.
    QuotaExceeded,
    /// The stack's own permissions do not allow the call.
    AccessDenied,
    /// The operation has ended or a later attempt has taken over: do nothing more.
    Superseded,
}

impl ErrorName {
    /// Every name.
    pub const ALL: [Self; 8] = [
        Self::NotReady,
        Self::Throttled,
        Self::Transient,
        Self::NotOwned,
        Self::Rejected,
        Self::QuotaExceeded,
        Self::AccessDenied,
        Self::Superseded,
    ];

    /// The spelling in `statemachine.asl.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "Formation.NotReady",
            Self::Throttled => "Formation.Throttled",
            Self::Transient => "Formation.Transient",
            Self::NotOwned => "Formation.NotOwned",
            Self::Rejected => "Formation.Rejected",
            Self::QuotaExceeded => "Formation.QuotaExceeded",
            Self::AccessDenied => "Formation.AccessDenied",
            Self::Superseded => "Formation.Superseded",
        }
    }

    /// The spelling in an operation's `error.code`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotReady => "NOT_READY",
            Self::Throttled => "THROTTLED",
            Self::Transient => "TRANSIENT",
            Self::NotOwned => "NOT_OWNED",
            Self::Rejected => "REJECTED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::Superseded => "SUPERSEDED",
        }
    }

    /// Whether trying again cannot help.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::NotReady | Self::Throttled | Self::Transient => false,
            Self::NotOwned
            | Self::Rejected
            | Self::QuotaExceeded
            | Self::AccessDenied
            | Self::Superseded => true,
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What `record-success` and `record-failure` answer, and the state machine announces on the event
/// bus: the detail of a `Formation Operation Status Change`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    /// The operation that ended.
    pub operation_id: OperationId,
    /// The function that it changed.
    pub function_name: FunctionName,
    /// What it did.
    pub kind: Open<OperationKind>,
    /// How it ended.
    pub status: Open<OperationStatus>,
    /// What became of its changes if it failed.
    pub rollback: Open<Rollback>,
    /// The revision that the function has, or would have had.
    pub revision: u64,
    /// The version that callers run; absent where none is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PublishedVersion>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<OperationError>,
    /// The key that the request came with: the `Idempotency-Key` header, or the id of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// What a failing step tells in its `errorMessage`, the only text that leaves a Lambda with an
/// error's name. Readable in the console, and read back by `record-failure`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepMessage {
    /// What happened. Holds no secret.
    pub text: String,
    /// AWS's error code, where AWS refused a call.
    pub aws_error_code: Option<String>,
    /// The request id of that call.
    pub aws_request_id: Option<String>,
}

const MESSAGE_CODE: &str = " [AWS error ";
const MESSAGE_REQUEST: &str = ", request ";

impl fmt::Display for StepMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let Some(code) = &self.aws_error_code else { return Ok(()) };
        let request = self.aws_request_id.as_deref().unwrap_or_default();
        write!(f, "{MESSAGE_CODE}{code}{MESSAGE_REQUEST}{request}]")
    }
}

impl From<&str> for StepMessage {
    /// Reads what [`StepMessage`]'s `Display` wrote; any other text is all `text`.
    fn from(message: &str) -> Self {
        let plain =
            || Self { text: message.to_owned(), aws_error_code: None, aws_request_id: None };
        let Some((text, aws)) =
            message.strip_suffix(']').and_then(|rest| rest.rsplit_once(MESSAGE_CODE))
        else {
            return plain();
        };
        let Some((code, request)) = aws.split_once(MESSAGE_REQUEST) else { return plain() };
        Self {
            text: text.to_owned(),
            aws_error_code: Some(code.to_owned()),
            aws_request_id: Some(request.to_owned()).filter(|id| !id.is_empty()),
        }
    }
}

impl Failure {
    /// The failure as an operation records it.
    pub fn to_operation_error(&self) -> OperationError {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct LambdaCause {
            error_message: String,
        }

        let name = self.error.as_str();
        let known = ErrorName::ALL.into_iter().find(|known| known.as_str() == name);
        // Only our own errors are known to hold no secret: of others their name is told.
        let (code, message) = match (known, serde_json::from_str::<LambdaCause>(&self.cause)) {
            (Some(known), Ok(cause)) => {
                (known.code(), StepMessage::from(cause.error_message.as_str()))
            }
            (Some(known), Err(_)) => {
                let text = format!("the step ended with {name} and gave no reason");
                (known.code(), StepMessage::from(text.as_str()))
            }
            (None, _) => {
                let (code, told) = foreign_error(name);
                (code, StepMessage::from(format!("{told} ({name})").as_str()))
            }
        };
        OperationError {
            code: code.to_owned(),
            message: message.text,
            step: self.step.clone(),
            aws_error_code: message.aws_error_code,
            aws_request_id: message.aws_request_id,
        }
    }
}

/// How Lambda names that it runs no more invocations of the account, or of the step's Lambda, at
/// once. Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>.
pub const INVOCATION_THROTTLED: &str = "Lambda.TooManyRequestsException";

/// How Step Functions names that Lambda itself failed to invoke a step.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html>.
pub const INVOCATION_FAILED: [&str; 4] = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
];

/// How Step Functions names a task or a Lambda that ran out of time.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>.
const TIMEOUTS: [&str; 3] = ["States.Timeout", "States.HeartbeatTimeout", "Sandbox.Timedout"];

/// How Step Functions and Lambda name that the state machine may not do what it must.
const DENIALS: [&str; 2] = ["States.Permissions", "Lambda.AccessDeniedException"];

/// The code in `error.code`, and what happened, of an error that no step named.
fn foreign_error(name: &str) -> (&'static str, &'static str) {
    if name == INVOCATION_THROTTLED {
        let told = "Lambda runs as many invocations as it may, and did not get to the step in time";
        (ErrorName::Throttled.code(), told)
    } else if INVOCATION_FAILED.contains(&name) {
        (ErrorName::Transient.code(), "Lambda failed, and did not run the step")
    } else if TIMEOUTS.contains(&name) {
        ("TIMED_OUT", "the step ran out of time")
    } else if DENIALS.contains(&name) {
        (ErrorName::AccessDenied.code(), "the state machine may not invoke the step")
    } else {
        ("UNEXPECTED", "the step ended unexpectedly; the log of its Lambda may tell why")
    }
}

#[cfg(test)]
mod tests;

//! Invoking a function, by a command and by a page: what Lambda takes, and why it does not run one.

use std::time::Duration;

use formation_client::{Answer, ClientError};
use formation_model::{Function, FunctionStatus};
use http::Method;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::aws::{AwsError, read};
use crate::connect::Connected;
use crate::failure::{Failure, chain_of};

/// The most that an invocation takes, in bytes: 6 MB.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const LARGEST: u64 = 6 * 1024 * 1024;
/// The same where nobody waits for it: 1 MB.
pub const LARGEST_ASYNCHRONOUS: u64 = 1024 * 1024;
/// What an invocation may take besides the function's own time: an execution environment begins, for up to
/// 10 s, and begins again where that was too long.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>.
const BEGINNING: Duration = Duration::from_secs(30);

/// The path of an invocation of what callers run.
fn path(function: &Function) -> String {
    let resources = &function.resources;
    let path =
        format!("/2015-03-31/functions/{}/invocations", resources.function_arn.replace(':', "%3A"));
    let alias = resources.invoke_arn.strip_prefix(&resources.function_arn);
    match alias.and_then(|alias| alias.strip_prefix(':')) {
        Some(alias) => format!("{path}?Qualifier={alias}"),
        None => path,
    }
}

/// A payload, if Lambda would take it. Nothing of it is ever told.
///
/// # Errors
/// Why it would not.
pub fn checked(bytes: Vec<u8>, largest: u64) -> Result<Vec<u8>, Failure> {
    let refused = |text: String| Failure::Refused(text);
    if bytes.len() as u64 > largest {
        let text = format!("the payload is larger than {largest} bytes, which is Lambda's limit");
        let help = if largest < LARGEST { " with --async" } else { "" };
        return Err(refused(text + help));
    }
    let valid = std::str::from_utf8(&bytes).map_err(|error| {
        refused(format!("the payload is not UTF-8 at byte {}", error.valid_up_to() + 1))
    });
    serde_json::from_str::<IgnoredAny>(valid?)
        .map_err(|error| refused(format!("the payload is not JSON: {error}")))?;
    Ok(bytes)
}

/// Invokes the function, once: what has no answer may have run.
///
/// # Errors
/// It could not be asked for, or nobody knows what came of it.
pub async fn send(
    connected: &Connected,
    function: &Function,
    payload: Option<Vec<u8>>,
    asynchronous: bool,
) -> Result<Answer, Failure> {
    let name = &function.spec.function_name;
    let runs_for = u64::from(function.spec.configuration.timeout_seconds);
    let timeout = Duration::from_secs(runs_for) + BEGINNING;
    let unsent =
        |error: &AwsError| connected.aws.failure(&format!("{name} cannot be invoked"), error);
    let client = connected.aws.client("lambda", timeout).map_err(|error| unsent(&error))?;
    let kind = if asynchronous { "Event" } else { "RequestResponse" };
    let mut request = client
        .request(Method::POST, path(function))
        .header("content-type", "application/json")
        .header("x-amz-invocation-type", kind)
        .body(payload.unwrap_or_default());
    if !asynchronous {
        request = request.header("x-amz-log-type", "Tail");
    }
    request.send().await.map_err(|error| match error {
        ClientError::Timeout(_) | ClientError::Transport(_) => {
            let why = match &error {
                ClientError::Timeout(time) => format!("within {} s", time.as_secs()),
                error => {
                    let cause = std::error::Error::source(error).map(chain_of);
                    format!("({})", cause.unwrap_or_default())
                }
            };
            Failure::Other(format!(
                "Lambda has not answered {why}; {name} may have run: `formation logs {name}` tells"
            ))
        }
        error => unsent(&error.into()),
    })
}

/// Why Lambda has not run the function, and what helps.
pub fn refusal(connected: &Connected, function: &Function, answer: &Answer) -> Failure {
    let name = &function.spec.function_name;
    let error = match read("lambda", answer) {
        Err(error) => error,
        // A status that Lambda has not for invocations.
        Ok(_) => AwsError::Unreadable("lambda"),
    };
    let what = format!("{name} was not invoked");
    let told = chain_of(&error);
    let refused = |why: String| Failure::Refused(format!("{what}: {why}"));
    match error.code() {
        "TooManyRequestsException" => refused(throttled(function, answer)),
        // Lambda repeats what it cannot read.
        "InvalidRequestContentException" => {
            refused("Lambda does not take the payload for JSON".to_owned())
        }
        "ResourceNotFoundException" => refused(match function.status.known() {
            Some(FunctionStatus::Creating) => {
                format!("it is being made: `formation wait {name}` follows that")
            }
            Some(FunctionStatus::Deleting) => "it is being deleted".to_owned(),
            _ => format!(
                "AWS does not have it any more: `formation drift {name}` compares it with AWS, and `formation repair \
                 {name}` brings it back"
            ),
        }),
        "ResourceConflictException" => refused(format!(
            "it is not ready ({told}): `formation wait {name}` follows its operation"
        )),
        _ if error.is_denied() => Failure::Denied(format!(
            "AWS does not let you invoke {name} ({told})\nhelp: the managed policy {} allows it while the function \
             carries the stack's tag; `formation drift {name}` tells whether it does",
            connected.policy("FullAccess")
        )),
        _ if error.is_of_credentials() => connected.aws.failure(&what, &error),
        _ if answer.status.is_client_error() => refused(told),
        _ => Failure::Other(format!(
            "Lambda has failed: {told}; {name} may have run: `formation logs {name}` tells"
        )),
    }
}

/// Why Lambda runs no more of a function.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>, `TooManyRequestsException`.
fn throttled(function: &Function, answer: &Answer) -> String {
    let name = &function.spec.function_name;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let reason = body["Reason"].as_str().unwrap_or_default();
    match function.spec.reserved_concurrency {
        Some(0) => "it is stopped, its reservedConcurrency is 0: null, or as many as may run at once, lets it run \
                    again"
            .to_owned(),
        Some(reserved) if reason.starts_with("Reserved") => {
            format!("as many of it run as its reservedConcurrency allows, {reserved}: try again later")
        }
        None if reason.starts_with("Reserved") => format!(
            "somebody has reserved its concurrency by hand: `formation drift {name}` shows it, and `formation repair \
             {name}` takes it back"
        ),
        _ => format!("Lambda has no room for it now ({reason}): try again later"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Fate, Stub, answer, connected, function, refusal as refused_with, reply};

    fn invoked(more: Value) -> Function {
        let mut document = function("hello");
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(document).unwrap()
    }

    /// What becomes of an invocation that Lambda answers so.
    async fn refused(function: &Function, fate: Fate) -> (u8, String) {
        let stub = Stub::start_with(move |_, _| fate.clone());
        let connected = stub.connected();
        let payload = Some(b"{\"password\":\"s3cr3t\"}".to_vec());
        let failure = match send(&connected, function, payload, false).await {
            Ok(answer) => refusal(&connected, function, &answer),
            Err(failure) => failure,
        };
        assert_eq!(stub.asked().len(), 1, "it may have run, so it is not tried again");
        assert!(!failure.to_string().contains("s3cr3t"), "{failure}");
        (failure.outcome().code(), failure.to_string())
    }

    #[tokio::test]
    async fn a_refusal_tells_what_helps() {
        let coded = |status: u16, code: &str, mut body: Value| {
            body["Type"] = "User".into();
            let headers = vec![("x-amzn-errortype", code.to_owned())];
            Fate::Answered((status, headers, body.to_string().into_bytes()))
        };
        let throttled = |reason: &str| {
            let body = json!({"Reason": reason, "message": "Rate Exceeded."});
            coded(429, "TooManyRequestsException", body)
        };
        let said = |status: u16, code: &str, message: &str| {
            coded(status, code, json!({"message": message}))
        };
        let reserved = "ReservedFunctionConcurrentInvocationLimitExceeded";
        let usual = || json!({});
        for (more, fate, code, told) in [
            (json!({"reservedConcurrency": 0}), throttled(reserved), 4, "it is stopped"),
            (json!({"reservedConcurrency": 2}), throttled(reserved), 4, "allows, 2"),
            (usual(), throttled(reserved), 4, "`formation repair hello`"),
            (
                usual(),
                throttled("ConcurrentInvocationLimitExceeded"),
                4,
                "ConcurrentInvocationLimitExceeded",
            ),
            (
                usual(),
                said(403, "AccessDeniedException", "User: ann is not authorized"),
                77,
                "shop-eu-west-1-FullAccess",
            ),
            (usual(), said(403, "ExpiredTokenException", "expired"), 77, "aws sso login"),
            (
                usual(),
                said(404, "ResourceNotFoundException", "Function not found"),
                4,
                "`formation drift hello`",
            ),
            (
                json!({"status": "CREATING"}),
                said(404, "ResourceNotFoundException", "x"),
                4,
                "`formation wait hello`",
            ),
            (
                json!({"status": "DELETING"}),
                said(404, "ResourceNotFoundException", "x"),
                4,
                "being deleted",
            ),
            (
                usual(),
                said(409, "ResourceConflictException", "state: Pending"),
                4,
                "Pending): `formation wait hello`",
            ),
            // Lambda quotes the token that it does not understand.
            (
                usual(),
                said(400, "InvalidRequestContentException", "Unrecognized token 's3cr3t'"),
                4,
                "JSON",
            ),
            (
                usual(),
                said(413, "RequestTooLargeException", "smaller than 6291456 bytes"),
                4,
                "6291456",
            ),
            (usual(), said(502, "KMSAccessDeniedException", "KMS"), 1, "may have run"),
            (usual(), refused_with(500, "ServiceException"), 1, "`formation logs hello`"),
            (usual(), Fate::Answered(reply(502, "<html>")), 1, "may have run"),
            (usual(), Fate::Lost, 1, "may have run"),
        ] {
            let (found, text) = refused(&invoked(more), fate.clone()).await;
            assert_eq!(found, code, "{fate:?}: {text}");
            assert!(text.contains(told), "{fate:?}: {text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_waited_for_as_long_as_the_function_may_run() {
        // One that takes requests and never answers, on the clock of the test.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connected = connected(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move {
            let _stream = listener.accept().await;
            std::future::pending::<()>().await;
        });
        let function = invoked(json!({"timeoutSeconds": 900}));
        let began = tokio::time::Instant::now();
        let failure = send(&connected, &function, None, false).await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), 930);
        let (code, text) = (failure.outcome().code(), failure.to_string());
        assert!(
            code == 1 && text.contains("within 930 s") && text.contains("may have run"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn an_invocation_asks_for_its_log_or_for_no_answer() {
        let stub = Stub::start_with(|_, _| answer(200, &json!(null)));
        let (connected, function) = (stub.connected(), invoked(json!({})));
        for asynchronous in [false, true] {
            let payload = Some(b"{\"a\":1}".to_vec());
            send(&connected, &function, payload, asynchronous).await.unwrap();
        }
        let seen = stub.asked();
        let arn = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Ahello";
        for (seen, kind) in seen.iter().zip(["RequestResponse", "Event"]) {
            assert_eq!(
                seen.line,
                format!("POST /2015-03-31/functions/{arn}/invocations?Qualifier=live")
            );
            assert!(seen.head.contains(&format!("x-amz-invocation-type: {kind}")), "{seen:?}");
            assert_eq!(seen.head.contains("x-amz-log-type: Tail"), kind == "RequestResponse");
            assert_eq!(seen.json(), json!({"a": 1}));
        }
    }

    #[test]
    fn callers_of_a_function_without_a_version_run_the_function_itself() {
        let mut function = invoked(json!({}));
        assert!(path(&function).ends_with("Ahello/invocations?Qualifier=live"));
        function.resources.invoke_arn = function.resources.function_arn.clone();
        assert!(path(&function).ends_with("Ahello/invocations"));
    }
}

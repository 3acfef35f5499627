//! What is repeated, and how.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::future::ProvideCredentials as Providing;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use formation_client::{Changed, ClientError, Retries};
use formation_model::{FunctionName, ProblemCode};
use serde_json::json;

use crate::stub::{ID, Reply, Stub, answer, function, operation, problem, raw};

fn name() -> FunctionName {
    "hello".parse().unwrap()
}

/// A stand-in that fails as `fails` says until the third try.
async fn third_time(fails: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(move |before, seen| match (before, seen.method.as_str()) {
        (0 | 1, _) => fails(before),
        (_, "GET") => answer(200, &[("etag", "\"1\"")], &function("hello")),
        _ => answer(202, &[], &operation("RUNNING")),
    })
    .await
}

#[tokio::test]
async fn a_change_is_repeated_under_one_key_until_it_is_answered() {
    let stub = third_time(|_| Reply::Lost).await;
    let client = stub.client();
    let changed = client.create(&json!({"functionName": "hello"})).await.unwrap();
    assert!(matches!(changed, Changed::Accepted(_)));
    client.delete(&name()).await.unwrap();
    client.delete(&name()).dry_run().await.unwrap();

    let seen = stub.seen();
    let key = |line: usize| seen[line].header("idempotency-key");
    assert!(key(0).len() == 26 && key(0) == key(1) && key(0) == key(2));
    assert!(!seen[0].body.is_empty() && seen[..3].iter().all(|again| again.body == seen[0].body));
    assert!(key(3).len() == 26 && key(3) != key(0), "another change has another key");
    assert!(key(4).is_empty(), "a dry run is no change");
}

#[tokio::test]
async fn what_passes_is_waited_out() {
    let gateway = |status| raw(status, &[], r#"{"message":"Too Many Requests"}"#);
    let unavailable = || answer(503, &[("retry-after", "0")], &problem(503, "SERVICE_UNAVAILABLE"));
    for case in 0..5 {
        let stub = third_time(move |_| match case {
            0 => gateway(429),
            1 => gateway(500),
            2 => raw(504, &[], "<html>"),
            3 => unavailable(),
            _ => Reply::Lost,
        })
        .await;
        assert!(stub.client().describe(&name()).await.is_ok(), "{case}");
        assert_eq!(stub.seen().len(), 3, "{case}");
    }
}

#[tokio::test]
async fn retry_after_is_kept_to() {
    let stub = Stub::start(|before, _| match before {
        0 => answer(503, &[("retry-after", "1")], &problem(503, "SERVICE_UNAVAILABLE")),
        _ => answer(200, &[("etag", "\"1\"")], &function("hello")),
    })
    .await;
    let began = Instant::now();
    stub.client().describe(&name()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn what_was_decided_is_not_repeated() {
    for (status, code) in [
        (409, "OPERATION_IN_PROGRESS"),
        (412, "PRECONDITION_FAILED"),
        (500, "INTERNAL_ERROR"),
        (503, "THROTTLED"),
        (504, "TIMED_OUT"),
        (500, "A_CODE_OF_A_LATER_RELEASE"),
    ] {
        let stub = Stub::start(move |_, _| {
            let mut body = problem(status, code);
            body["operationId"] = json!(ID);
            body["rollback"] = json!("COMPLETE");
            answer(status, &[("retry-after", "0")], &body)
        })
        .await;
        let error = stub.client().delete(&name()).await.unwrap_err();
        let ClientError::Problem { problem, .. } = error else { panic!("{error:?}") };
        assert_eq!(problem.code.to_string(), code);
        assert_eq!(problem.operation_id, Some(ID.parse().unwrap()));
        assert_eq!(stub.seen().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stub = Stub::start(|_, seen| {
        let location = format!("http://{}/elsewhere", seen.header("host"));
        raw(307, &[("location", &location)], "")
    })
    .await;
    let error = stub.client().delete(&name()).await.unwrap_err();
    assert!(matches!(error, ClientError::Gateway { status, .. } if status == 307), "{error:?}");
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn silence_has_an_end() {
    let stub = Stub::start(|_, _| Reply::Silence).await;
    let pause = Duration::from_millis(1);
    let retries =
        Retries { tries: 3, first_pause: pause, longest_pause: pause, ..Retries::default() };
    let client = stub.builder().timeout(Duration::from_millis(50)).retries(retries);
    let error = client.build().unwrap().describe(&name()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout(_)) && error.is_transient(), "{error:?}");
    assert_eq!(stub.seen().len(), 3);
}

#[tokio::test]
async fn waiting_for_an_outcome_is_not_silence() {
    let late = Duration::from_millis(300);
    let stub = Stub::start(move |_, _| match answer(202, &[], &operation("RUNNING")) {
        Reply::Answer(response) => Reply::Late(late, response),
        other => other,
    })
    .await;
    let client = stub.builder().timeout(Duration::from_millis(50)).build().unwrap();
    assert!(client.delete(&name()).wait(Duration::from_secs(5)).await.is_ok());
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn a_cancel_whose_answer_was_lost_is_told_as_it_went() {
    let cancelled = |code: &'static str| {
        Stub::start(move |before, seen| match (before, seen.method.as_str()) {
            (0, _) => Reply::Lost,
            (_, "POST") => answer(409, &[], &problem(409, "NOT_CANCELLABLE")),
            _ => {
                let mut ended = operation("FAILED");
                ended["error"] = json!({"code": code, "message": "m", "step": "s"});
                answer(200, &[], &ended)
            }
        })
    };
    let id = ID.parse().unwrap();
    let stub = cancelled("CANCELLED").await;
    assert!(stub.client().cancel(&name(), id).await.unwrap().operation.is_cancelled());
    let stub = cancelled("REJECTED").await;
    let error = stub.client().cancel(&name(), id).await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::NotCancellable));
}

/// Credentials with a new key each time.
#[derive(Debug)]
struct Rotated(Arc<AtomicUsize>);

impl ProvideCredentials for Rotated {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        let key = format!("AKID{}", self.0.fetch_add(1, Ordering::SeqCst));
        Providing::ready(Ok(Credentials::new(key, "s3cr3t", None, None, "a test")))
    }
}

#[tokio::test]
async fn credentials_are_asked_for_once_and_again_when_they_were_refused() {
    let stub = Stub::start(|before, _| match before {
        2 => raw(403, &[], r#"{"message":"Forbidden"}"#),
        _ => answer(200, &[("etag", "\"1\"")], &function("hello")),
    })
    .await;
    let asked = Arc::new(AtomicUsize::new(0));
    let provider = SharedCredentialsProvider::new(Rotated(Arc::clone(&asked)));
    let client = stub.client().with_credentials(provider);
    for _ in 0..4 {
        let _refused_once = client.describe(&name()).await;
    }
    let seen = stub.seen();
    let keys: BTreeSet<_> = seen
        .iter()
        .map(|seen| seen.header("authorization").split(['=', '/']).nth(1).unwrap())
        .collect();
    assert_eq!((seen.len(), asked.load(Ordering::SeqCst)), (4, 2));
    assert_eq!(keys, BTreeSet::from(["AKID0", "AKID1"]));
}

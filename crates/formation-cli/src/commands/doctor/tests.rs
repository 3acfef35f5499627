//! Every check as it may go, on the wire.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::testing::{Asked, Reply, Stub, reply};

/// Answers as AWS and a stack do where nothing is wrong; `ahead` is by how many seconds this machine's
/// clock is.
fn healthy(asked: &Asked, ahead: i64) -> Reply {
    let then = Timestamp::now() - SignedDuration::from_secs(ahead);
    let date = then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let (status, body) = match asked.call().as_str() {
        "GetCallerIdentity" => (200, "<R><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/ann</Arn></GetCallerIdentityResult></R>".to_owned()),
        "GetParameter" => (200, json!({"Parameter": {"Value": "https://a1b2.execute-api.eu-west-1.amazonaws.com"}}).to_string()),
        "GET /v1" => (200, about(env!("CARGO_PKG_VERSION")).to_string()),
        "GET /v1/functions" => (200, json!({"functions": []}).to_string()),
        "POST /v1/plan" | "POST /v1/functions" => (422, json!({
            "type": "about:blank", "title": "T", "status": 422, "detail": "D", "code": "INVALID_FUNCTION"
        }).to_string()),
        call => panic!("{call}"),
    };
    (status, vec![("date", date)], body.into_bytes())
}

fn about(version: &str) -> Value {
    json!({
        "version": version, "stackName": "formation", "region": "eu-west-1", "layerArns": [],
        "functionBoundaryArn": "arn:aws:iam::111122223333:policy/boundary", "codeBuckets": [],
        "limits": {"planFunctions": 100, "zipFileBytes": 1, "uploadBytes": 1, "waitSeconds": 25, "maxReservedConcurrency": 10},
    })
}

/// The checks of a stack whose API is at the stub, or that SSM tells of.
async fn checked(stub: &Stub, by_url: bool) -> Vec<Check> {
    let aws = stub.aws();
    let connection =
        Connection { api_url: by_url.then(|| stub.url.clone()), ..Connection::default() };
    let place = Place {
        region: Some(aws.region),
        region_from: "a test",
        endpoint_url: aws.endpoint_url,
        credentials: Some(aws.credentials),
    };
    checks(&connection, place).await
}

/// The same, where one call is answered otherwise: the checks that are not ok, and the exit code.
async fn with(call: &'static str, by_url: bool, answer: Reply) -> (Vec<Check>, u8) {
    let stub = Stub::start(
        move |asked| {
            if asked.call() == call { answer.clone() } else { healthy(asked, 0) }
        },
    );
    let checks = checked(&stub, by_url).await;
    let code = outcome(&checks).code();
    let told = screen(&checks);
    assert!(!told.contains("s3cr3t") && !told.contains("t0ken"), "{told}");
    (checks.into_iter().filter(|check| check.status != Status::Ok).collect(), code)
}

#[tokio::test]
async fn where_nothing_is_wrong_everything_is_ok_and_nothing_was_changed() {
    let stub = Stub::start(|asked| healthy(asked, 0));
    let checks = checked(&stub, true).await;
    let names: Vec<_> = checks.iter().map(|check| check.check).collect();
    let expected = [
        "credentials",
        "clock",
        "region",
        "network",
        "stack",
        "version",
        "permissions",
        "boundary",
    ];
    assert_eq!(names, expected);
    assert!(checks.iter().all(|check| check.status == Status::Ok), "{checks:?}");
    assert_eq!(outcome(&checks).code(), 0);
    let shown = screen(&checks);
    for told in [
        "arn:aws:iam::111122223333:user/ann (AKIDEXAM..., from a test)",
        "eu-west-1, from a test",
        "FullAccess",
        "policy/boundary",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    assert!(!shown.contains("s3cr3t") && !shown.contains("t0ken"), "{shown}");
    for asked in stub.asked() {
        let changes_nothing = ["POST /", "POST /v1/plan", "POST /v1/functions?dryRun=true"];
        assert!(
            asked.line.starts_with("GET ") || changes_nothing.contains(&asked.line.as_str()),
            "{asked:?}"
        );
        // No function comes of it, whoever takes it.
        assert!(!asked.body.contains("functionName") && !asked.body.contains("code"), "{asked:?}");
    }
}

#[tokio::test]
async fn credentials_that_aws_does_not_take_are_told_with_what_renews_them() {
    let refusal = |code: &str, message: &str| {
        let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let body = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        (403, vec![("date", date)], body.into_bytes())
    };
    for (code, told) in [
        ("ExpiredToken", "aws sso login"),
        ("InvalidClientTokenId", "is not enabled for the account"),
        ("SignatureDoesNotMatch", "aws sso login"),
    ] {
        let (found, exit) =
            with("GetCallerIdentity", true, refusal(code, "no&#xA;x-amz-security-token:t0ken"))
                .await;
        assert_eq!(
            (found[0].check, found[0].status, exit),
            ("credentials", Status::Failed, 77),
            "{found:?}"
        );
        assert!(
            found[0].detail.contains(code) && found[0].remedy.as_ref().unwrap().contains(told),
            "{found:?}"
        );
        assert!(found[1..].iter().all(|check| check.status == Status::Skipped), "{found:?}");
        assert_eq!(found.len(), 5);
    }
    let (found, exit) = with("GetCallerIdentity", true, reply(500, "<html>")).await;
    assert_eq!(
        (found[0].check, found[0].status, exit),
        ("credentials", Status::Warning, 0),
        "{found:?}"
    );
}

#[tokio::test]
async fn what_is_no_answer_of_aws_has_failed_though_it_says_200() {
    for page in ["<html><body>Sign in</body></html>", "<!DOCTYPE html><html><br>", "{}", ""] {
        let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let answer = (200, vec![("date", date)], page.as_bytes().to_vec());
        let (found, exit) = with("GetCallerIdentity", true, answer).await;
        let first = &found[0];
        assert_eq!(
            (first.check, first.status, exit),
            ("credentials", Status::Failed, 1),
            "{page}: {found:?}"
        );
        assert!(first.detail.contains("sts cannot be read"), "{page}: {found:?}");
        assert!(first.remedy.as_ref().unwrap().contains("HTTPS_PROXY"), "{page}: {found:?}");
        assert!(found[1..].iter().all(|check| check.status == Status::Skipped), "{found:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_and_not_taken_for_wrong_credentials() {
    let stub = Stub::start(|asked| match asked.call().as_str() {
        "GetCallerIdentity" => {
            let (_, headers, _) = healthy(asked, 900);
            (403, headers, b"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></ErrorResponse>".to_vec())
        }
        call => panic!("{call}"),
    });
    let checks = checked(&stub, true).await;
    assert_eq!(
        (checks[0].status, checks[1].status),
        (Status::Skipped, Status::Failed),
        "{checks:?}"
    );
    assert!(checks[1].detail.starts_with("15 min ahead of AWS's"), "{checks:?}");
    assert_eq!(outcome(&checks).code(), 77);
    let late = Stub::start(|asked| healthy(asked, -120));
    let checks = checked(&late, true).await;
    assert_eq!((checks[1].status, outcome(&checks).code()), (Status::Warning, 0), "{checks:?}");
}

#[tokio::test]
async fn what_is_in_the_way_of_a_stack_is_told() {
    let json = |status, body: Value| reply(status, body.to_string());
    let refused = |status, code: &str| json(status, json!({"__type": code, "message": "no"}));
    for (call, by_url, answer, check, status, exit, told) in [
        (
            "GetParameter",
            false,
            refused(400, "ParameterNotFound"),
            "stack",
            Status::Failed,
            4,
            "there is no stack formation in eu-west-1",
        ),
        (
            "GetParameter",
            false,
            refused(400, "AccessDeniedException"),
            "stack",
            Status::Failed,
            77,
            "does not let you read the SSM parameter",
        ),
        (
            "GetParameter",
            false,
            json(200, json!({"Parameter": {"Value": "https://example.org"}})),
            "stack",
            Status::Failed,
            4,
            "example.org",
        ),
        (
            "GET /v1",
            true,
            json(403, json!({"message": "Forbidden"})),
            "permissions",
            Status::Failed,
            77,
            "Forbidden",
        ),
        (
            "GET /v1",
            true,
            json(
                404,
                json!({"type": "a", "title": "T", "status": 404, "detail": "D", "code": "ROUTE_NOT_FOUND"}),
            ),
            "version",
            Status::Failed,
            4,
            "older than 0.3.0",
        ),
        ("GET /v1", true, json(200, about("0.99.0")), "version", Status::Warning, 0, "newer"),
        ("GET /v1", true, json(200, json!({"hello": 1})), "version", Status::Failed, 1, ""),
        (
            "POST /v1/functions",
            true,
            json(403, json!({"message": "Forbidden"})),
            "",
            Status::Ok,
            0,
            "",
        ),
        (
            "POST /v1/plan",
            true,
            json(403, json!({"message": "Forbidden"})),
            "permissions",
            Status::Warning,
            0,
            "not plan",
        ),
    ] {
        let (found, code) = with(call, by_url, answer).await;
        assert_eq!(code, exit, "{call}: {found:?}");
        let first = found.iter().find(|check| check.status != Status::Skipped);
        let Some(first) = first else {
            assert_eq!(status, Status::Ok, "{call}: {found:?}");
            continue;
        };
        assert_eq!((first.check, first.status), (check, status), "{call}: {found:?}");
        assert!(first.detail.contains(told) && first.remedy.is_some(), "{call}: {found:?}");
    }
}

#[tokio::test]
async fn without_a_region_or_a_network_only_that_has_failed() {
    let stub = Stub::start(|asked| healthy(asked, 0));
    let place = |region: Option<&str>, endpoint: &str| Place {
        region: region.map(str::to_owned),
        region_from: "a test",
        endpoint_url: Some(endpoint.to_owned()),
        credentials: Some(stub.aws().credentials),
    };
    let over = SystemTime::now() - Duration::from_secs(60);
    let over = Credentials::new("AKIDEXAMPLE", "s3cr3t", None, Some(over), "a test");
    let over = Place {
        credentials: Some(SharedCredentialsProvider::new(over)),
        ..place(Some("eu-west-1"), &stub.url)
    };
    // Nobody listens there.
    let nobody = "http://127.0.0.1:1";
    for (place, check, exit) in [
        (over, "credentials", 77),
        (place(None, &stub.url), "region", 64),
        (place(Some("europe"), &stub.url), "region", 64),
        (place(Some("eu-west-1"), nobody), "network", 1),
        (Place { credentials: None, ..place(Some("eu-west-1"), &stub.url) }, "credentials", 77),
    ] {
        let checks = checks(&Connection::default(), place).await;
        let failed: Vec<_> = checks.iter().filter(|check| check.status == Status::Failed).collect();
        assert_eq!(failed.iter().map(|it| it.check).collect::<Vec<_>>(), [check], "{checks:?}");
        assert_eq!(outcome(&checks).code(), exit);
        assert_eq!(checks.len(), 8);
    }
    assert!(stub.asked().is_empty());
}

#[test]
fn it_is_told_in_json_as_in_the_table() {
    let checks = [
        Check::ok("clock", "as AWS's"),
        Check::failed("stack", Outcome::Refused, "none\u{1b}[31m", "make one"),
    ];
    let expected = json!([
        {"check": "clock", "status": "ok", "detail": "as AWS's"},
        {"check": "stack", "status": "FAILED", "detail": "none [31m", "remedy": "make one"},
    ]);
    assert_eq!(json!(checks), expected);
    let shown = anstream::adapter::strip_str(&screen(&checks)).to_string();
    let expected = "CHECK  STATUS  DETAIL\nclock  ok      as AWS's\nstack  FAILED  none [31m\n\nstack: make one";
    assert_eq!(shown, expected);
}

//! What boundaries allow, and how they are read, against a stand-in for IAM at the wire.

use aws_sdk_iam::operation::get_policy::GetPolicyOutput;
use aws_sdk_iam::operation::get_policy_version::GetPolicyVersionOutput;
use aws_sdk_iam::types::{Policy, PolicyVersion};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use formation_model::ErrorName;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::*;
use crate::testing::{iam_error, stack};

const ARN: &str = "arn:aws:iam::111122223333:policy/platform/boundary";

fn reader(rules: &[&Rule], has_platforms_boundary: bool) -> BoundaryReader {
    let settings = RoleSettings {
        stack: stack(),
        boundary_arn: ARN.into(),
        has_platforms_boundary,
        guarded: Vec::new(),
    };
    BoundaryReader::new(mock_client!(aws_sdk_iam, RuleMode::Sequential, rules), &settings)
}

fn policy() -> Rule {
    mock!(Client::get_policy)
        .match_requests(|request| request.policy_arn() == Some(ARN))
        .then_output(|| {
            let policy = Policy::builder().default_version_id("v7").build();
            GetPolicyOutput::builder().policy(policy).build()
        })
}

fn version(document: &Value) -> Rule {
    let document = utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string();
    mock!(Client::get_policy_version)
        .match_requests(|request| {
            request.policy_arn() == Some(ARN) && request.version_id() == Some("v7")
        })
        .then_output(move || {
            let version = PolicyVersion::builder().document(document.clone()).build();
            GetPolicyVersionOutput::builder().policy_version(version).build()
        })
}

fn allows(action: &str) -> Value {
    json!({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})
}

#[test]
fn what_an_allow_can_match_can_be_allowed_whatever_else_is_said() {
    let boundary = Boundary::of(&json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["logs:*", "s3:Get*"], "Resource": "arn:aws:s3:::x"},
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Deny", "NotAction": "sqs:*", "Resource": "*"}
    ]}));
    for (action, expected) in [
        ("s3:GetObject", true),
        ("s3:*", true),
        ("*", true),
        ("S3:getobject", true),
        ("s3:PutObject", false),
        ("dynamodb:*Item", true),
        ("dynamodb:GetItem", false),
        ("sqs:SendMessage", false),
    ] {
        assert_eq!(boundary.can_allow(action), expected, "{action}");
    }
    assert!(boundary.can_log());
    let actions: Vec<_> = boundary.actions().into_iter().collect();
    assert_eq!(actions, ["dynamodb:PutItem", "logs:*", "s3:Get*"]);
}

#[test]
fn all_but_some_overlaps_with_every_pattern_and_lacks_those() {
    let statement =
        json!({"Effect": "Allow", "NotAction": ["iam:*", "logs:Put*"], "Resource": "*"});
    let boundary = Boundary::of(&json!({"Statement": [statement]}));
    for (action, expected) in [("s3:GetObject", true), ("iam:*", true), ("iam:CreateUser", false)] {
        assert_eq!(boundary.can_allow(action), expected, "{action}");
    }
    assert!(!boundary.can_log());
    assert_eq!(boundary.actions().into_iter().collect::<Vec<_>>(), ["*"]);
    assert!(!Boundary::of(&json!({})).can_log());
}

#[tokio::test(start_paused = true)]
async fn a_boundary_is_read_once_a_minute() {
    let (first, again) = (policy(), policy());
    let (before, after) = (version(&allows("s3:*")), version(&allows("sqs:*")));
    let reader = reader(&[&first, &before, &again, &after], true);
    assert!(reader.read().await.unwrap().unwrap().can_allow("s3:GetObject"));
    tokio::time::advance(KEPT - Duration::from_millis(1)).await;
    // One that is handed on shares it.
    assert!(reader.clone().read().await.unwrap().unwrap().can_allow("s3:GetObject"));
    assert_eq!(again.num_calls(), 0);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!reader.read().await.unwrap().unwrap().can_allow("s3:GetObject"));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_told_apart_from_one_that_cannot_be_read() {
    let error = |status, code| {
        mock!(Client::get_policy).then_http_response(move || iam_error(status, code))
    };
    let (gone, denied, back) = (error(404, "NoSuchEntity"), error(403, "AccessDenied"), policy());
    let read = version(&allows("s3:*"));
    let reader = reader(&[&gone, &denied, &back, &read], true);
    // Each is kept for some seconds, so that many who ask at once ask IAM once.
    for _ in 0..100 {
        assert_eq!(reader.read().await.unwrap(), None);
    }
    tokio::time::advance(NOTHING_KEPT).await;
    for _ in 0..100 {
        assert_eq!(reader.read().await.unwrap_err().name(), ErrorName::AccessDenied);
    }
    assert_eq!((gone.num_calls(), denied.num_calls()), (1, 1));
    tokio::time::advance(NOTHING_KEPT).await;
    assert!(reader.read().await.unwrap().is_some());
}

#[tokio::test]
async fn formations_own_is_known() {
    let reader = reader(&[], false);
    assert_eq!(reader.arn(), None);
    let own = reader.read().await.unwrap().unwrap();
    assert!(own.can_log() && own.can_allow("xray:PutTraceSegments"));
    assert!(!own.can_allow("s3:*"));
}

//! What the tests of this crate share.

use aws_smithy_mocks::Rule;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use formation_model::{Bundle, FunctionName, FunctionSpec, StackIdentity};
use jiff::{SignedDuration, Timestamp};

use crate::{Foreign, Removal, Target};

pub(crate) fn stack() -> StackIdentity {
    StackIdentity {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account_id: "111122223333".into(),
        stack_key: "0a1b2c3d".into(),
    }
}

pub(crate) fn spec() -> FunctionSpec {
    let code = Bundle {
        sha256: "c2hh".into(),
        size_bytes: 7,
        key: "bundles/hello/1.zip".into(),
        version: "v1".into(),
        inline: false,
    };
    let mut spec = FunctionSpec::new("hello".parse().unwrap(), code);
    spec.tags.insert("team".into(), "a".into());
    spec
}

/// When the operations of these tests began.
pub(crate) fn since() -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(10)
}

/// What an operation of these tests is to make.
pub(crate) fn target<'a>(spec: &'a FunctionSpec, formerly: Option<&'a FunctionSpec>) -> Target<'a> {
    Target {
        spec,
        formerly,
        since: since(),
        resets_unnamed: false,
        restores: false,
        only_adds: false,
        may_be_refused: false,
    }
}

/// What an undo of these tests takes away.
pub(crate) fn undo(function: &FunctionName) -> Removal<'_> {
    Removal { function, spec: None, foreign: Foreign::IsLeft, since: since() }
}

/// What a delete of these tests takes away.
pub(crate) fn delete(function: &FunctionName) -> Removal<'_> {
    Removal { foreign: Foreign::IsAnError, ..undo(function) }
}

/// Each of `rules` was called, and once.
pub(crate) fn assert_all_called(rules: &[&Rule]) {
    for (index, rule) in rules.iter().enumerate() {
        assert_eq!(rule.num_calls(), 1, "call {index}");
    }
}

/// An error of a JSON service (Lambda, CloudWatch Logs) as it comes over the wire.
pub(crate) fn json_error(status: u16, code: &str, message: &str) -> HttpResponse {
    let body = serde_json::json!({"__type": code, "message": message}).to_string();
    let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into());
    response.headers_mut().insert("x-amzn-errortype", code.to_owned());
    response.headers_mut().insert("x-amzn-requestid", "r-1");
    response
}

/// An error of IAM as it comes over the wire.
pub(crate) fn iam_error(status: u16, code: &str) -> HttpResponse {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>told</Message>\
         </Error><RequestId>r-1</RequestId></ErrorResponse>"
    );
    HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into())
}

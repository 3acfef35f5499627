//! Revisions: what a function has been, commit by commit.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::CodeSummary;
use crate::fields::{Fields, whole};
use crate::function::FunctionSpec;
use crate::open::Open;
use crate::operation::{OperationId, OperationKind};
use crate::problem::{FieldProblem, FieldProblemCode as Code};
use crate::version::PublishedVersion;

/// One revision of a function, as its users see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// 1 by the create, one more by each committed change.
    pub revision: u64,
    /// The operation that committed it.
    pub operation_id: OperationId,
    /// What that operation did.
    pub kind: Open<OperationKind>,
    /// When it was committed.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// The verified caller that asked for it; of a revision that an earlier release committed, the one
    /// that created the function.
    pub created_by: String,
    /// The base64-encoded SHA-256 of its archive.
    pub sha256: String,
    /// The version of the Lambda function that it is published as; absent where a release published none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PublishedVersion>,
    /// What the function was, where one revision is asked for; of the code only digest and size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<FunctionSpec<CodeSummary>>,
}

/// What a request to go back may say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, JsonSchema)]
pub struct RollbackRequest {
    /// The revision to go back to; the one before the current if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub revision: Option<u64>,
}

impl RollbackRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(body: &Value) -> Result<Self, Vec<FieldProblem>> {
        let Value::Object(body) = body else {
            return Err(vec![FieldProblem::new("", Code::WrongType, "must be a JSON object")]);
        };
        let mut fields = Fields::of(body);
        let revision = match fields.take("revision") {
            None | Some(Value::Null) => Some(None),
            Some(Value::Number(number)) => match whole(number).map(u64::try_from) {
                Some(Ok(number)) if number > 0 => Some(Some(number)),
                Some(_) => fields.refuse("/revision", Code::OutOfRange, "must be 1 or more"),
                None => fields.refuse("/revision", Code::WrongType, "must be a whole number"),
            },
            Some(_) => fields.refuse("/revision", Code::WrongType, "must be a whole number"),
        };
        fields.refuse_unknown();
        match revision {
            Some(revision) if fields.problems.is_empty() => Ok(Self { revision }),
            _ => Err(fields.problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_to_go_back_names_a_revision_or_none() {
        let read = |body: Value| RollbackRequest::read(&body).map(|it| it.revision);
        assert_eq!(read(json!({})).unwrap(), None);
        assert_eq!(read(json!({"revision": null})).unwrap(), None);
        assert_eq!(read(json!({"revision": 3})).unwrap(), Some(3));
        for (body, code) in [
            (json!([]), Code::WrongType),
            (json!({"revision": "3"}), Code::WrongType),
            (json!({"revision": 1.5}), Code::WrongType),
            (json!({"revision": 0}), Code::OutOfRange),
            (json!({"revision": -1}), Code::OutOfRange),
            (json!({"version": 3}), Code::UnknownField),
        ] {
            let problems = read(body.clone()).unwrap_err();
            let codes: Vec<_> = problems.iter().map(|it| it.code.clone()).collect();
            assert!(codes.len() == 1 && codes[0] == code, "{body}: {problems:?}");
        }
    }
}

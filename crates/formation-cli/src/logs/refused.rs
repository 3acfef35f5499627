//! Why a log cannot be read.

use formation_model::{FunctionName, FunctionStatus, ProblemCode};

use crate::aws::AwsError;
use crate::connect::Connected;
use crate::failure::{Failure, chain_of};

/// Why a log cannot be read; nothing where its function is no more.
pub async fn refused(
    connected: &Connected,
    name: &FunctionName,
    group: &str,
    error: &AwsError,
) -> Option<Failure> {
    let gone = error.code() == "ResourceNotFoundException";
    let denied = error.is_denied();
    // Of a log group that is gone, IAM sees no tag that would allow to read it.
    if gone || denied {
        match connected.client.describe(name).await {
            Err(error) if error.code() == Some(ProblemCode::FunctionNotFound) => return None,
            Ok(described) if described.function.status == FunctionStatus::Deleting => return None,
            Ok(described) if described.function.status == FunctionStatus::Creating => {
                return Some(Failure::Refused(format!(
                    "{name} is being made and has no log yet: `formation wait {name}` follows that"
                )));
            }
            // What else there is to say is said of the log.
            _ => {}
        }
    }
    if gone {
        return Some(Failure::Other(format!(
            "the log group {group} is gone: `formation drift {name}` compares the function with AWS, and \
             `formation repair {name}` brings the group back, empty"
        )));
    }
    if denied {
        let told = chain_of(error);
        return Some(Failure::Denied(format!(
            "AWS does not let you read the log group {group} ({told})\nhelp: the managed policies {} and {} allow it \
             while the group carries the stack's tag; `formation drift {name}` tells whether it does",
            connected.policy("ReadOnly"),
            connected.policy("FullAccess"),
        )));
    }
    Some(connected.aws.failure(&format!("the log group {group} cannot be read"), error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Fate, Stub, answer, function};

    #[tokio::test]
    async fn why_a_log_cannot_be_read_is_told_with_what_helps() {
        let (gone, denied) = ("ResourceNotFoundException", "AccessDeniedException");
        for (code, status, expected) in [
            (gone, "AVAILABLE", Some((1, "`formation repair hello`"))),
            (gone, "CREATING", Some((4, "`formation wait hello`"))),
            (gone, "DELETING", None),
            (gone, "", None),
            (denied, "AVAILABLE", Some((77, "shop-eu-west-1-ReadOnly"))),
            (denied, "DELETING", None),
            ("ExpiredTokenException", "", Some((77, "aws sso login"))),
            ("InvalidParameterException", "AVAILABLE", Some((1, "/aws/lambda/hello"))),
        ] {
            let stub = Stub::start_with(move |_, _| {
                let mut function = function("hello");
                function["status"] = json!(status);
                let problem = json!({
                    "type": "about:blank", "title": "T", "status": 404, "detail": "D",
                    "code": "FUNCTION_NOT_FOUND",
                });
                let etag = vec![("etag", "\"1-x\"".to_owned())];
                let found = Fate::Answered((200, etag, function.to_string().into_bytes()));
                if status.is_empty() { answer(404, &problem) } else { found }
            });
            let error = AwsError::Refused {
                service: "logs",
                status: http::StatusCode::BAD_REQUEST,
                code: code.to_owned(),
                message: "M".to_owned(),
            };
            let name = "hello".parse().unwrap();
            let group = "/aws/lambda/hello";
            let found = refused(&stub.connected(), &name, group, &error).await;
            let told = found.as_ref().map(|it| (it.outcome().code(), it.to_string()));
            assert_eq!(found.is_some(), expected.is_some(), "{code} {status}: {told:?}");
            if let (Some((found, told)), Some((code, text))) = (told, expected) {
                assert!(found == code && told.contains(text), "{status}: {found} {told}");
            }
        }
    }
}

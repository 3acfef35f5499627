//! `formation logs`

use formation_model::{FunctionName, FunctionStatus, ProblemCode};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::args::Logs;
use crate::aws::AwsError;
use crate::connect::Connected;
use crate::failure::{Failure, chain_of};
use crate::interrupt::Interrupt;
use crate::logs::{Filter, Heard, Shown, Source, Tail};
use crate::outcome::Outcome;
use crate::output::table::at;
use crate::output::{Format, Output};

pub(super) async fn run(
    connected: &Connected,
    asked: &Logs,
    output: &Output,
) -> Result<Outcome, Failure> {
    if output.format == Format::Name {
        let text = "events have no names: use -o table, json or yaml";
        return Err(Failure::Usage(text.to_owned()));
    }
    let since = asked.since.before(Timestamp::now());
    let since = since.map_err(|why| Failure::Usage(format!("--since {why}")))?;
    let interrupt = asked.follow.then(Interrupt::listen);
    let shown = show(connected, asked, since, output);
    let Some(interrupt) = interrupt else { return shown.await };
    tokio::select! {
        ended = shown => ended,
        // So far it has been followed, as was asked for.
        () = interrupt.pressed() => Ok(Outcome::Done),
    }
}

async fn show(
    connected: &Connected,
    asked: &Logs,
    since: Timestamp,
    output: &Output,
) -> Result<Outcome, Failure> {
    let mut names: Vec<FunctionName> = Vec::new();
    for name in &asked.names {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let functions = names.iter().map(async |name| connected.client.describe(name).await);
    let functions = try_join_all(functions).await?;
    // The record tells which log group is Formation's.
    let sources = functions.into_iter().map(|described| Source {
        name: described.function.spec.function_name,
        log_group: described.function.resources.log_group_name,
    });
    let sources: Vec<_> = sources.collect();
    let filter = Filter { text: asked.grep.clone(), request_id: asked.request_id.clone() };
    let logs = connected
        .aws
        .service("logs")
        .map_err(|error| connected.aws.failure("CloudWatch Logs cannot be asked", &error))?;
    let mut tail = Tail::new(logs, sources.clone(), since, filter);

    let (mut outcome, mut found) = (Outcome::Done, false);
    let show = |event: Shown| {
        found = true;
        output.event(&event.document(), || event.line(&names))
    };
    let hear = async |name: &FunctionName, heard: Heard<'_>| {
        let group = sources.iter().find(|source| source.name == *name);
        let group = group.map_or("", |source| &source.log_group);
        match heard {
            Heard::Trouble(error) => {
                let told = chain_of(error);
                output.progress(&format!("{name}: CloudWatch Logs is tried again: {told}"));
                true
            }
            Heard::Refused(error) => {
                let refused = refused(connected, name, group, error).await;
                match refused {
                    None if asked.follow => output.progress(&format!("{name} has been deleted")),
                    None => {
                        let text = format!("error: {name} has been deleted, and its log with it");
                        output.progress(&text);
                        outcome = outcome.and(Outcome::Refused);
                    }
                    Some(failure) => {
                        output.progress(&failure.to_string());
                        outcome = outcome.and(failure.outcome());
                    }
                }
                false
            }
        }
    };
    if asked.follow {
        let all: Vec<_> = names.iter().map(FunctionName::as_str).collect();
        output.progress(&format!("following {} since {}; ^C ends it", all.join(", "), at(since)));
        tail.follow(show, hear).await?;
    } else {
        tail.read(show, hear).await?;
        if !found && outcome == Outcome::Done {
            let which =
                if asked.grep.is_some() || asked.request_id.is_some() { " of these" } else { "" };
            let text =
                format!("no events{which} since {}; --since 1d looks further back", at(since));
            output.progress(&text);
        }
    }
    Ok(outcome)
}

/// Why a log cannot be read; nothing where its function is no more.
async fn refused(
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
    async fn a_moment_that_is_to_come_is_refused_before_anything_is_asked() {
        let stub = Stub::start_with(|_, _| panic!("nothing is asked"));
        let asked = Logs {
            names: vec!["hello".parse().unwrap()],
            follow: true,
            since: "9000-01-01T00:00:00Z".parse().unwrap(),
            grep: None,
            request_id: None,
        };
        let failure = run(&stub.connected(), &asked, &Output::new(Format::Table)).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.outcome().code(), 64);
        let told = failure.to_string();
        assert!(told.contains("--since 9000-01-01T00:00:00Z is in the future"), "{told}");
        assert!(stub.asked().is_empty());
    }

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

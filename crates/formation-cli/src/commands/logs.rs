//! `formation logs`

use formation_model::FunctionName;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::args::Logs;
use crate::connect::Connected;
use crate::failure::{Failure, chain_of};
use crate::interrupt::Interrupt;
use crate::logs::{Filter, Heard, Shown, Source, Tail, refused};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Stub;

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
}

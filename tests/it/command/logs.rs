//! `formation logs`

use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use formation_tests::World;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use super::{Project, Said, command, command_as, interrupt};
use crate::permissions::holder;

/// Prints a line with what only a terminal would notice.
const PRINTS: &str = "export const handler = async (event) => { console.log('said', event.word, '\\x1b[2J'); return 1; };";
const ID: &str = "8f507cfc-0000-4697-b07a-ac58fc914c95";

fn group(name: &str) -> String {
    format!("/aws/lambda/{name}")
}

/// Puts events into a log as an execution environment that runs the function would: so many milliseconds ago.
async fn put(world: &World, name: &str, stream: &str, events: &[(i64, &str)]) {
    let create = world.logs.create_log_stream().log_group_name(group(name));
    // One that is there already is as good.
    let _ = create.log_stream_name(stream).send().await;
    let now = Timestamp::now().as_millisecond();
    let put = world.logs.put_log_events().log_group_name(group(name)).log_stream_name(stream);
    let events = events.iter().map(|(ago, message)| {
        InputLogEvent::builder().timestamp(now - ago).message(*message).build().unwrap()
    });
    put.set_log_events(Some(events.collect())).send().await.unwrap();
}

async fn function(world: &World, name: &str, code: &str) {
    world.create(name, json!({"code": code})).await;
}

/// Nobody's manifest.
fn project(world: &World) -> Project {
    Project::new(world, "functions: {}\n")
}

/// The messages of events in JSON, one a line.
fn messages(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub async fn what_was_logged_is_shown_folded_and_filtered(world: &World) {
    let name = world.name("logs");
    function(world, &name, PRINTS).await;
    let project = project(world);
    let nothing = project.run(&format!("logs {name}")).await.with(0);
    assert!(nothing.out.is_empty() && nothing.err.contains("no events since"), "{nothing:?}");

    world.invoke(&name, &json!({"word": "one"})).await.unwrap();
    world.invoke(&name, &json!({"word": "two"})).await.unwrap();
    let shown = project.run(&format!("logs {name}")).await.with(0);
    let lines: Vec<_> = shown.out.lines().collect();
    // Two lines of each invocation: what it printed, and its report.
    assert_eq!(lines.len(), 4, "{shown:?}");
    assert!(lines[0].ends_with("said one"), "{shown:?}");
    assert!(lines[1].contains(" ms, ") && lines[1].contains(" MB"), "{shown:?}");
    assert!(!shown.out.contains("REPORT") && !shown.out.contains('\u{1b}'), "{shown:?}");

    let raw = project.run(&format!("logs {name} -o json")).await.with(0);
    let events = messages(&raw);
    let message = |event: &Value| event["message"].as_str().unwrap().to_owned();
    assert!(events.iter().any(|event| message(event).contains("said one \u{1b}[2J")), "{raw:?}");
    let reports: Vec<_> = events.iter().filter(|event| event.get("report").is_some()).collect();
    assert_eq!(reports.len(), 2, "{raw:?}");
    assert_eq!(reports[0]["report"]["memorySizeMB"], 128);
    assert!(message(reports[0]).starts_with("REPORT RequestId: "));
    assert!(events.iter().all(|event| event["functionName"] == name.as_str()));

    let id = reports[1]["requestId"].as_str().unwrap();
    let of_second = project.run(&format!("logs {name} --request-id {id}")).await.with(0);
    assert_eq!(of_second.out.lines().count(), 2, "{of_second:?}");
    assert!(of_second.out.contains("said two") && !of_second.out.contains("one"), "{of_second:?}");
    let found = project.run(&format!("logs {name} --since 1h --grep one")).await.with(0);
    assert_eq!(found.out.lines().count(), 1, "{found:?}");
    let found = project.run(&format!("logs {name} --grep s.id")).await.with(0);
    assert!(found.out.is_empty() && found.err.contains("no events of these"), "{found:?}");

    let yaml = project.run(&format!("logs {name} -o yaml")).await.with(0);
    assert_eq!(yaml.out.matches("---\n").count(), events.len(), "{yaml:?}");
    for wrong in ["-o name", "--since yesterday", "--since 2999-01-01T00:00:00Z"] {
        let refused = project.run(&format!("logs {name} {wrong}")).await.with(64);
        assert_eq!(refused.out, "");
    }
    project.run("logs no-such-function").await.with(4);
}

pub async fn logs_in_json_are_shown_as_those_in_text(world: &World) {
    let name = world.name("json-logs");
    world.create(&name, json!({"logFormat": "JSON"})).await;
    let platform = |kind: &str, record: Value| {
        json!({"time": "2026-11-26T09:30:00.000Z", "type": format!("platform.{kind}"), "record": record})
            .to_string()
    };
    let metrics = json!({
        "durationMs": 312.4, "billedDurationMs": 458, "memorySizeMB": 128, "maxMemoryUsedMB": 88,
        "initDurationMs": 145.1,
    });
    let report = json!({"requestId": ID, "metrics": metrics, "status": "success"});
    let line = json!({"timestamp": "x", "level": "WARN", "requestId": ID, "message": "careful"});
    put(
        world,
        &name,
        "one",
        &[
            (3000, &platform("start", json!({"requestId": ID, "version": "1"}))),
            (2900, &line.to_string()),
            (2800, "printed"),
            (2700, &platform("report", report)),
        ],
    )
    .await;
    let project = project(world);
    let shown = project.run(&format!("logs {name} --request-id {ID}")).await.with(0);
    let lines: Vec<_> = shown.out.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let folded = format!("312 ms, 88 MB, cold (145 ms)  {ID}");
    assert_eq!(lines, ["WARN careful", "printed", &folded], "{shown:?}");
    let raw = messages(&project.run(&format!("logs {name} -o json")).await.with(0));
    assert_eq!(
        (&raw[3]["report"]["initDurationMs"], &raw[2]["requestId"]),
        (&json!(145.1), &json!(ID))
    );
    assert_eq!(raw[1]["message"], line.to_string());
}

/// The next line that a running command writes.
async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    timeout(Duration::from_secs(60), lines.next_line()).await.unwrap().unwrap()
}

pub async fn logs_are_followed_until_they_are_interrupted_or_the_function_is_deleted(
    world: &World,
) {
    let name = world.name("followed");
    function(world, &name, PRINTS).await;
    put(world, &name, "one", &[(2000, "before")]).await;
    let project = project(world);
    let follow = || {
        let mut running: Command =
            command(project.0.path(), ["--local", "logs", &name, "-f", "-o", "json"]);
        let mut running = running.spawn().unwrap();
        let lines = BufReader::new(running.stdout.take().unwrap()).lines();
        (running, lines)
    };
    let (running, mut lines) = follow();
    let mut message = async || {
        let line = next(&mut lines).await.unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(message().await, "before");
    put(world, &name, "one", &[(0, "after")]).await;
    assert_eq!(message().await, "after");
    // Of another environment, whose log was on its way for longer.
    put(world, &name, "two", &[(4000, "late")]).await;
    assert_eq!(message().await, "late");
    put(world, &name, "two", &[(0, "last")]).await;
    assert_eq!(message().await, "last");
    interrupt(&running);
    let said: Said = running.wait_with_output().await.unwrap().into();
    assert!(said.with(0).err.starts_with(&format!("following {name} since ")));

    let (running, mut lines) = follow();
    while !next(&mut lines).await.unwrap().contains("last") {}
    project.run(&format!("delete {name} --yes")).await.with(0);
    while next(&mut lines).await.is_some() {}
    let said: Said = running.wait_with_output().await.unwrap().into();
    let said = said.with(0);
    assert!(said.err.contains(&format!("{name} has been deleted")), "{said:?}");
}

pub async fn the_logs_of_several_functions_are_one(world: &World) {
    let [first, second] = ["left", "right"].map(|what| world.name(what));
    for name in [&first, &second] {
        function(world, name, PRINTS).await;
    }
    put(world, &first, "s", &[(4000, "1"), (2000, "3")]).await;
    put(world, &second, "s", &[(3000, "2"), (1000, "4")]).await;
    let project = project(world);
    let shown = project.run(&format!("logs {first} {second} {first}")).await.with(0);
    let widest = first.len().max(second.len());
    let expected = [(&first, 1), (&second, 2), (&first, 3), (&second, 4)];
    let expected = expected.map(|(name, number)| format!("{name:widest$} {number}"));
    let lines: Vec<_> = shown.out.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines, expected, "{shown:?}");
    // One that is not there keeps nothing of the others back once they are known.
    let deleted = world.logs.delete_log_group().log_group_name(group(&second));
    deleted.send().await.unwrap();
    let shown = project.run(&format!("logs {first} {second}")).await.with(1);
    assert_eq!(shown.out.lines().count(), 2, "{shown:?}");
    assert!(shown.err.contains(&format!("the log group {} is gone", group(&second))), "{shown:?}");
    assert!(shown.err.contains(&format!("`formation repair {second}`")), "{shown:?}");
}

pub async fn a_log_that_cannot_be_read_is_told_with_what_helps(world: &World) {
    let name = world.name("unread");
    function(world, &name, PRINTS).await;
    put(world, &name, "s", &[(1000, "secret")]).await;
    let folder = TempDir::with_prefix("formation-").unwrap();
    let logs = async |identity, flags: &[&str]| {
        let arguments = ["logs", &name].into_iter().chain(flags.iter().copied());
        let output = command_as(world, identity, folder.path(), arguments).output().await;
        Said::from(output.unwrap())
    };
    let (_, reader) = holder(world, "reader", &["ReadOnly"]).await;
    assert!(logs(&reader, &[]).await.with(0).out.contains("secret"));
    // Without its tag it is nobody's, and IAM does not let a reader of this stack read it.
    let arn = format!(
        "arn:aws:logs:{}:{}:log-group:{}",
        world.stack.region,
        world.stack.account_id,
        group(&name)
    );
    let untag = world.logs.untag_resource().resource_arn(arn).tag_keys("formation:stack");
    untag.send().await.unwrap();
    let policy = format!("{}-{}-ReadOnly", world.stack.stack_name, world.stack.region);
    for flags in [&[][..], &["--follow"]] {
        let denied = logs(&reader, flags).await.with(77);
        assert!(denied.out.is_empty() && denied.err.contains(&policy), "{denied:?}");
        assert!(denied.err.contains(&format!("`formation drift {name}`")), "{denied:?}");
    }
}

pub async fn readers_read_the_logs_of_the_stacks_functions_and_no_others(world: &World) {
    let name = world.name("own-log");
    function(world, &name, PRINTS).await;
    put(world, &name, "s", &[(1000, "ours")]).await;
    let foreign = world.name("foreign-log");
    world.logs.create_log_group().log_group_name(group(&foreign)).send().await.unwrap();
    let folder = TempDir::with_prefix("formation-").unwrap();
    for (policy, reads) in [("ReadOnly", true), ("FullAccess", true), ("Plan", false)] {
        let (_, identity) = holder(world, "reads-logs", &[policy]).await;
        let read = async |group: String| {
            let config = world.logs.config().to_builder();
            let logs = config.credentials_provider(identity.clone()).build();
            let logs = aws_sdk_cloudwatchlogs::Client::from_conf(logs);
            let read = logs.filter_log_events().log_group_name(group).send().await;
            read.map_err(|error| error.into_service_error().meta().code().unwrap().to_owned())
        };
        assert_eq!(read(group(&name)).await.is_ok(), reads, "{policy}");
        let denied = read(group(&foreign)).await.unwrap_err();
        assert_eq!(denied, "AccessDeniedException", "{policy}");
        let own = format!("/formation/{}/formation-api", world.stack.stack_name);
        assert_eq!(read(own).await.unwrap_err(), "AccessDeniedException", "{policy}");
        let output = command_as(world, &identity, folder.path(), ["logs", &name]).output().await;
        let said = Said::from(output.unwrap()).with(if reads { 0 } else { 77 });
        assert_eq!(said.out.contains("ours"), reads, "{said:?}");
    }
}

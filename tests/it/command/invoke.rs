//! `formation invoke`

use std::process::Stdio;

use formation_tests::World;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::{Project, Said, command, command_as};
use crate::permissions::holder;

const CODE: &str = "export const handler = async (event) => {
    console.log('called');
    if (event?.fail) throw new TypeError('no \\x1b[2J');
    return {got: event};
};";

async fn invocable(world: &World, what: &str) -> (String, Project) {
    let name = world.name(what);
    world.create(&name, json!({"code": CODE})).await;
    (name, Project::new(world, "functions: {}\n"))
}

/// What a document says, which ends as lines do.
fn answer(said: &Said) -> Value {
    assert!(said.out.ends_with('\n'), "{said:?}");
    said.json()
}

pub async fn a_payload_comes_from_the_command_line_a_file_or_standard_input(world: &World) {
    let (name, project) = invocable(world, "invoked").await;
    let event = json!({"word": "a b", "large": 12_345_678_901_234_567_890_u64});
    project.write("event.json", &event.to_string());
    let run = async |arguments: &[&str], stdin: Option<&str>| {
        let arguments = ["--local", "invoke", &name].into_iter().chain(arguments.iter().copied());
        let mut command = command(project.0.path(), arguments);
        let mut running = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = running.stdin.take().unwrap();
        // Who is not asked to read does not have to.
        let _ = input.write_all(stdin.unwrap_or_default().as_bytes()).await;
        drop(input);
        Said::from(running.wait_with_output().await.unwrap())
    };
    let word = json!({"word": "a b"}).to_string();
    for (arguments, stdin) in [
        (&["-d", &word][..], None),
        (&["--payload", &word], None),
        (&["--data", "-"], Some(&*word)),
    ] {
        let said = run(arguments, stdin).await.with(0);
        assert_eq!(answer(&said), json!({"got": {"word": "a b"}}), "{said:?}");
        assert!(said.err.contains("called"), "{said:?}");
    }
    let said = run(&["-d", "@event.json"], None).await.with(0);
    assert_eq!(answer(&said)["got"]["word"], "a b");
    // Without a payload there is none, whatever is on standard input.
    let said = run(&[], Some(&word)).await.with(0);
    assert_ne!(answer(&said)["got"]["word"], "a b", "{said:?}");

    let whole = run(&["-d", &word, "-o", "json"], None).await.with(0);
    let document = answer(&whole);
    assert_eq!(document["payload"], json!({"got": {"word": "a b"}}));
    assert_eq!((&document["statusCode"], &document["executedVersion"]), (&json!(200), &json!("1")));
    assert!(
        document["logTail"].as_str().unwrap().contains("called")
            && document.get("functionError").is_none()
    );
    assert!(!whole.err.contains("called"), "{whole:?}");
    let yaml = run(&["-d", &word, "-o", "yaml"], None).await.with(0);
    assert!(yaml.out.contains("statusCode: 200") && yaml.out.contains("word: a b"), "{yaml:?}");

    for (arguments, stdin, code) in [
        (&["-d", "{\"a\": s3cr3t}"][..], None, 4),
        (&["-d", "@missing.json"], None, 4),
        (&["-d", "-"], None, 4),
        (&["-o", "name"], None, 64),
        (&["-d"], None, 64),
    ] {
        let said = run(arguments, stdin).await.with(code);
        assert!(said.out.is_empty() && !said.err.contains("s3cr3t"), "{said:?}");
    }
    let said = run(&["-d", "{\"a\": s3cr3t}"], None).await.with(4);
    assert!(said.err.contains("line 1 column 7"), "{said:?}");
}

pub async fn a_function_that_fails_is_told_beside_its_answer(world: &World) {
    let (name, project) = invocable(world, "fails-itself").await;
    let failed = project.run(&format!("invoke {name} -d {{\"fail\":true}}")).await.with(1);
    let error = answer(&failed);
    assert_eq!(error["errorMessage"], "no \u{1b}[2J", "{failed:?}");
    // Local AWS has names of its own for errors of Node.js.
    let kind = error["errorType"].as_str().unwrap();
    let told = format!("error: {name} failed: {kind}: no");
    assert!(failed.err.contains(&told) && !failed.err.contains('\u{1b}'), "{failed:?}");
    let failed = project.run(&format!("invoke {name} -d {{\"fail\":true}} -o json")).await.with(1);
    let document = answer(&failed);
    assert_eq!((&document["functionError"], &document["payload"]), (&json!("Unhandled"), &error));
    assert!(failed.err.contains(&format!("failed: {kind}")), "{failed:?}");
}

pub async fn nobody_waits_for_an_asynchronous_invocation(world: &World) {
    let (name, project) = invocable(world, "asynchronous").await;
    let said = project.run(&format!("invoke {name} --async -d {{\"word\":1}}")).await.with(0);
    assert!(said.out.is_empty() && said.err.contains(&format!("logs {name} --follow")), "{said:?}");
    let logged = async || {
        let shown = project.run(&format!("logs {name} --grep called")).await.with(0);
        (!shown.out.is_empty()).then_some(())
    };
    world.until("the function has run", logged).await;
    let said = project.run(&format!("invoke {name} --async -o json")).await.with(0);
    assert_eq!(answer(&said), json!({"statusCode": 202}));
    // Its limit is another one.
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    project.write("large.json", &large);
    let refused = project.run(&format!("invoke {name} --async -d @large.json")).await.with(4);
    assert!(refused.err.contains("1048576 bytes"), "{refused:?}");
    let taken = project.run(&format!("invoke {name} -d @large.json")).await.with(0);
    assert_eq!(answer(&taken)["got"].as_str().unwrap().len(), 1024 * 1024);
}

// That a function without concurrency is stopped, local AWS does not know of an alias: what is told then is a
// test beside the command.
pub async fn what_cannot_be_invoked_is_refused_with_what_helps(world: &World) {
    let (name, project) = invocable(world, "not-there").await;

    world.lambda.delete_function().function_name(&name).send().await.unwrap();
    let gone = project.run(&format!("invoke {name}")).await.with(4);
    assert!(gone.err.contains(&format!("`formation repair {name}`")), "{gone:?}");
    project.run("invoke no-such-function").await.with(4);
}

pub async fn only_who_has_full_access_invokes_and_only_what_is_the_stacks(world: &World) {
    let (name, _) = invocable(world, "own-function").await;
    let version = world.lambda.publish_version().function_name(&name).send().await.unwrap();
    let version = version.version.unwrap();
    // As if somebody else had made it.
    let foreign = world.name("not-tagged");
    world.create(&foreign, json!({"code": CODE})).await;
    let arn = |name: &str| {
        format!("arn:aws:lambda:{}:{}:function:{name}", world.stack.region, world.stack.account_id)
    };
    let untag = world.lambda.untag_resource().resource(arn(&foreign)).tag_keys("formation:stack");
    untag.send().await.unwrap();
    let folder = TempDir::with_prefix("formation-").unwrap();
    for (policy, invokes) in [("FullAccess", true), ("ReadOnly", false), ("Plan", false)] {
        let (_, identity) = holder(world, "invokes", &[policy]).await;
        let run = async |name: &str| {
            let output =
                command_as(world, &identity, folder.path(), ["invoke", name]).output().await;
            Said::from(output.unwrap())
        };
        let said = run(&name).await.with(if invokes { 0 } else { 77 });
        assert_eq!(said.out.contains("got"), invokes, "{said:?}");
        let denied = run(&foreign).await.with(77);
        assert!(denied.out.is_empty(), "{denied:?}");
        if policy != "Plan" {
            let needed = format!("{}-{}-FullAccess", world.stack.stack_name, world.stack.region);
            assert!(denied.err.contains(&needed), "{denied:?}");
        }
        // A version is its function's. Local AWS knows no tags by the ARN of one, so it is named apart.
        let config = world.lambda.config().to_builder();
        let lambda = config.credentials_provider(identity.clone()).build();
        let lambda = aws_sdk_lambda::Client::from_conf(lambda);
        let qualified = lambda.invoke().function_name(arn(&name)).qualifier(&version);
        assert_eq!(qualified.send().await.is_ok(), invokes, "{policy}");
    }
}

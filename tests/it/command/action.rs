//! The GitHub Action on a pull request, with the real command and local AWS.

use std::fs;

use formation_tests::World;
use formation_tests::action::{BOT, Workflow};
use serde_json::json;

use super::{CODE, binary};

pub async fn a_pull_request_has_one_comment_with_the_plan(world: &World) {
    let name = world.name("action");
    let stack = &world.stack;
    let variables = [
        ("AWS_ACCESS_KEY_ID", stack.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", stack.secret_access_key.as_str()),
        ("FORMATION_API_URL", stack.api_url.as_str()),
    ];
    let region = [("REGION", stack.region.as_str())];
    let pull = Workflow::new(&binary(), &variables);
    let write = |more: &str| {
        let manifest = format!(
            "functions:\n  {name}:\n    code: |\n      {CODE}\n    environment: {{GREETING: s3cr3t}}\n{more}"
        );
        fs::write(pull.path().join("formation.yaml"), manifest).unwrap();
    };
    let overlay = "overlays: {prod: {defaults: {memoryMegabytes: 512}}}\n";

    write(overlay);
    let planned = pull.run("plan", &region);
    assert_eq!((planned.code, planned.output("exit-code")), (0, "2"), "{planned:?}");
    assert_eq!(planned.output("changes"), "true");
    assert!(pull.summary().contains(&format!("| `{name}` | create |")), "{}", pull.summary());
    assert_eq!(pull.tell(&planned, "one", &[]).code, 0);
    let comments = pull.comments();
    let [(author, body)] = comments.as_slice() else { panic!("{comments:?}") };
    assert_eq!(author, BOT);
    assert!(body.contains(&format!("| `{name}` | create |")), "{body}");

    // The same again changes that comment, and what others have written stays theirs.
    let marker = body.lines().next().unwrap();
    let theirs =
        json!({"id": 1, "user": {"login": "mallory"}, "body": format!("{marker}\nall is well")});
    let ours = json!({"id": 2, "user": {"login": BOT}, "body": body});
    pull.comment_on(&json!([theirs, ours]));
    let applied = pull.run("apply", &region);
    assert_eq!((applied.code, applied.output("changes")), (0, "true"), "{applied:?}");
    assert_eq!(pull.run("apply", &region).output("changes"), "false");
    let planned = pull.run("plan", &region);
    assert_eq!((planned.code, planned.output("exit-code")), (0, "0"), "{planned:?}");
    assert_eq!(planned.output("changes"), "false");
    assert_eq!(pull.tell(&planned, "one", &[]).code, 0);
    let comments = pull.comments();
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[0].1.ends_with("all is well"), "{comments:?}");
    assert!(comments[1].1.contains("0 to create, 0 to update"), "{comments:?}");

    // What is planned in another way has a comment of its own.
    let other = pull.run("plan", &[region[0], ("OVERLAY", "prod")]);
    assert_eq!(other.output("exit-code"), "2", "{other:?}");
    pull.tell(&other, "other", &[]);
    let comments = pull.comments();
    assert_eq!(comments.len(), 3, "{comments:?}");
    // In Markdown, punctuation may be escaped.
    let told = comments[2].1.replace('\\', "");
    assert!(told.contains("memoryMegabytes: 128 -> 512"), "{told}");

    // A manifest that is wrong is no plan, and says so.
    write("    memoryMegabytes: 1\n");
    let refused = pull.run("plan", &region);
    assert_eq!((refused.code, refused.output("exit-code")), (4, "4"), "{refused:?}");
    assert_eq!(refused.output("changes"), "");
    pull.tell(&refused, "one", &[]);
    let comments = pull.comments();
    assert!(comments[1].1.contains("ended with 4"), "{comments:?}");
    assert!(comments.iter().all(|(_, body)| !body.contains("s3cr3t")), "{comments:?}");
    assert!(!pull.summary().contains("s3cr3t"));
}

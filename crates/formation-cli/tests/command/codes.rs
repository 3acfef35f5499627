//! Exit codes: each is reached, and of several functions the worst counts.

use super::*;

/// Answers by the function's name: what becomes of it is what it is called.
fn reply(_: usize, seen: &Seen) -> Reply {
    let name = seen.path().split('/').nth(3).unwrap_or_default();
    let mut operation = match name {
        "failed" | "left" => with_steps(operation("FAILED"), &[]),
        "running" => with_steps(operation("RUNNING"), &[]),
        _ => with_steps(operation("SUCCEEDED"), &[]),
    };
    operation["functionName"] = json!(name);
    if operation["status"] == "FAILED" {
        let error = json!({"code": "REJECTED", "message": "no", "step": "Ensure function"});
        operation["error"] = error;
        operation["rollback"] = json!(if name == "left" { "INCOMPLETE" } else { "COMPLETE" });
        operation["leftovers"] = json!(if name == "left" { vec!["ROLE"] } else { vec![] });
    }
    match seen.path() {
        PLAN => plan(seen),
        path if path.ends_with("/drift") => {
            let drift = json!({"status": "DRIFTED", "differences": []});
            let mut report = json!({"functionName": name, "revision": 1});
            report.as_object_mut().unwrap().extend(drift.as_object().unwrap().clone());
            answer(200, &[], &report)
        }
        _ if name == "refused" => answer(409, &[], &problem(409, "DELETION_PROTECTED")),
        _ if name == "denied" => answer(403, &[], &json!({"message": "Forbidden"})),
        _ if changes(seen) => answer(202, &[("etag", "\"1-x\"")], &operation),
        path if path.contains("/operations/") => answer(200, &[], &operation),
        _ => answer(200, &[("etag", "\"1-x\"")], &stub::function(name)),
    }
}

#[tokio::test]
async fn each_tells_how_a_command_ended() {
    let stub = Stub::start(reply).await;
    let project = Project::new(&stub.url, "functions:\n  done: {code: x}\n");
    for (command, expected) in [
        ("apply --yes", 0),
        ("get done", 0),
        ("--help", 0),
        ("--version", 0),
        ("plan", 0),
        ("wait failed", 1),
        ("delete failed --yes", 1),
        ("plan --exit-code", 2),
        ("drift done --exit-code", 2),
        ("drift done", 0),
        ("wait running --timeout 0", 3),
        ("delete running --yes --timeout 0", 3),
        ("repair refused --yes", 4),
        ("apply --yes --file missing.yaml", 4),
        ("wait left", 5),
        ("repair left --yes", 5),
        ("", 64),
        ("aply", 64),
        ("apply", 64),
        ("get", 64),
        ("get no/name", 64),
        ("get denied", 77),
        ("delete denied --yes", 77),
    ] {
        let said = project.run(command).await.with(expected);
        // What went wrong is told.
        assert_eq!(
            said.err.is_empty(),
            said.code == 0 && !command.contains("apply") || said.code == 2,
            "{said:#?}"
        );
    }
}

#[tokio::test]
async fn of_several_functions_the_worst_counts() {
    let stub = Stub::start(reply).await;
    for (names, expected) in [
        (vec!["done", "also"], 0),
        (vec!["done", "refused"], 4),
        (vec!["done", "refused", "running"], 3),
        (vec!["running", "failed", "refused", "done"], 1),
        (vec!["failed", "left", "running", "refused"], 5),
        (vec!["denied", "left"], 5),
        (vec!["denied", "refused", "done"], 77),
    ] {
        let manifest = names.iter().map(|name| format!("  {name}: {{code: x}}\n"));
        let manifest = format!("functions:\n{}", manifest.collect::<String>());
        let project = Project::new(&stub.url, &manifest);
        project.run("apply --yes --timeout 0").await.with(expected);
        // One after the other, until one goes on.
        let asked = names.iter().filter(|name| **name != "running").copied();
        let asked = asked.collect::<Vec<_>>().join(" ");
        let expected = if expected == 3 { 4 } else { expected };
        project.run(&format!("delete {asked} --yes")).await.with(expected);
    }
}

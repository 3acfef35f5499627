//! What GitHub shows of a job: the plan and what became of it, as Markdown.

use super::*;

/// Would end its cell, its row and the table, and be a picture.
const EVIL: &str = "a | b |\n\n# Title <img src=x> ![x](https://e/x) `c` @everybody";

#[tokio::test]
async fn plan_and_outcome_are_told_and_no_value_leaves_its_cell() {
    let stub = Stub::start(|_, seen| match seen.path() {
        PLAN => {
            let difference = json!({
                "part": "FUNCTION", "facet": "CONFIGURATION", "property": "description",
                "expected": "y", "actual": EVIL,
            });
            let part = json!({"part": "FUNCTION", "action": "CHANGE", "differences": [difference]});
            let warning = json!({"pointer": "/x", "code": "C", "detail": EVIL});
            let each = json!({"kind": "UPDATE", "etag": "\"1-x\"", "parts": [part], "warnings": [warning]});
            answer(200, &[], &plans(seen, &each))
        }
        _ if changes(seen) => answer(202, &[], &operation("RUNNING")),
        _ => {
            let mut failed = with_steps(operation("FAILED"), &[]);
            failed["rollback"] = json!("COMPLETE");
            failed["error"] = json!({"code": "REJECTED", "message": EVIL, "step": "Ensure role"});
            answer(200, &[], &failed)
        }
    })
    .await;
    let project = Project::new(&stub.url, ONE);
    let file = project.path("summary.md");
    project.write("summary.md", "before\n");
    let project = project.with("GITHUB_STEP_SUMMARY", file.to_str().unwrap());
    project.run("apply --yes").await.with(1);
    let summary = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = summary.lines().filter(|line| !line.is_empty()).collect();
    let begins = [
        "before",
        "### Formation plan",
        "0 to create, 1 to update, 0 to delete, 0 unchanged",
        "| function | action | what changes |",
        "|---|---|---|",
        "| `hello` | update | description",
        "> **hello**: a \\| b",
        "### Formation apply",
        "| function | outcome |",
        "|---|---|",
        "| `hello` | create failed in 3\\.2 s",
    ];
    assert_eq!(lines.len(), begins.len(), "{summary}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
        let active = line.replace("\\|", "").replace("\\<", "").replace("\\]", "");
        assert!(!active.contains("<img") && !active.contains("](https://e"), "{line}");
        let bars = active.matches('|').count();
        assert!([0, 3, 4].contains(&bars), "{line}");
    }
    assert!(summary.contains("[execution](https://c)"), "{summary}");
}

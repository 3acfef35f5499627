//! The question before something is done, and what is answered to it.

use super::*;

async fn stub() -> Stub {
    Stub::start(|_, seen| match seen.path() {
        PLAN => plan(seen),
        _ if changes(seen) => answer(202, &[("etag", "\"1-x\"")], &operation("RUNNING")),
        _ => answer(200, &[], &with_steps(operation("SUCCEEDED"), &[])),
    })
    .await
}

#[tokio::test]
async fn anything_but_a_yes_does_nothing() {
    for (command, question) in
        [("apply", "Do this? [y/N]"), ("delete hello", "with code, role and logs? [y/N]")]
    {
        // Enter alone, no, the end of what is typed, ^C, and what is no answer.
        for keys in ["\r", "n\r", "\u{4}", "\u{3}", "yess\r", "\u{1b}[A\r"] {
            let stub = stub().await;
            let project = Project::new(&stub.url, ONE);
            let mut terminal = project.at_terminal(command, 24, 80);
            terminal.until(question).await;
            terminal.types(keys).await;
            let left = terminal.ends().await.with(4);
            assert!(left.text().contains("nothing was done"), "{keys:?}: {left:#?}");
            assert!(left.ready, "{keys:?}: {left:#?}");
            assert!(!stub.seen().iter().any(changes), "{keys:?}: {left:#?}");
        }
    }
}

#[tokio::test]
async fn a_yes_goes_on_and_the_flag_asks_nothing() {
    for (command, keys) in [("apply", Some("y\r")), ("apply", Some("YES\r")), ("apply --yes", None)]
    {
        let stub = stub().await;
        let project = Project::new(&stub.url, ONE);
        let mut terminal = project.at_terminal(command, 24, 80);
        if let Some(keys) = keys {
            terminal.until("Do this? [y/N]").await;
            terminal.types(keys).await;
        }
        let left = terminal.ends().await.with(0);
        assert_eq!(left.text().contains("Do this?"), keys.is_some(), "{left:#?}");
        assert!(left.text().contains("hello: create succeeded in 3.2 s  https://c"), "{left:#?}");
        assert_eq!(stub.seen().iter().filter(|seen| changes(seen)).count(), 1);
    }
}

#[tokio::test]
async fn where_nobody_can_be_asked_nothing_is_done() {
    for in_ci in [false, true] {
        for command in ["apply", "delete hello", "repair hello"] {
            let stub = stub().await;
            let project = Project::new(&stub.url, ONE);
            // A terminal in CI is one that nobody looks at.
            let (code, told) = if in_ci {
                let project = project.with("CI", "true");
                let left = project.at_terminal(command, 24, 200).ends().await;
                (left.code, left.text())
            } else {
                let said = project.run(command).await;
                (said.code, said.err)
            };
            assert_eq!(code, 64, "{told}");
            assert!(told.contains("say --yes"), "{told}");
            assert!(!stub.seen().iter().any(changes), "{told}");
        }
    }
}

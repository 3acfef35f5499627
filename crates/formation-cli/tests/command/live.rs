//! What is shown while operations run, and what stays when they have ended.

use rustix::process::{Pid, Signal, kill_process};

use super::*;

const WAITS: &str = "waits for the role";
const STEPS: [(&str, &str, u32, &str); 2] =
    [("Ensure role", "SUCCEEDED", 1, ""), ("Ensure function", "WAITING", 3, "the role")];

/// Runs operations that wait until the file is there.
async fn stub(until: &Path) -> Stub {
    let until = until.to_owned();
    Stub::start(move |_, seen| match seen.path() {
        PLAN => plan(seen),
        _ if changes(seen) => {
            let mut running = operation("RUNNING");
            running["functionName"] = json!(seen.path().rsplit('/').next().unwrap());
            answer(202, &[("etag", "\"1-x\"")], &running)
        }
        path => {
            let mut now = match told(&until) {
                false => with_steps(operation("RUNNING"), &STEPS),
                true => with_steps(operation("SUCCEEDED"), &[("Ensure role", "SUCCEEDED", 1, "")]),
            };
            now["functionName"] = json!(path.split('/').nth(3).unwrap());
            answer(200, &[], &now)
        }
    })
    .await
}

#[tokio::test]
async fn a_line_moves_while_an_operation_runs_and_one_stays() {
    let go = TempDir::with_prefix("formation-").unwrap();
    let stub = stub(&go.path().join("go")).await;
    for command in ["apply --yes", "wait hello 01JDJ3M6Q5X8Z7W2V4T9R0N1KB"] {
        let _ = fs::remove_file(go.path().join("go"));
        let project = Project::new(&stub.url, ONE);
        let terminal = project.at_terminal(command, 24, 80);
        let line = "hello \u{2713} Ensure function, attempt 3, waits for the role";
        terminal.until(line).await;
        // It goes on counting.
        terminal.until(&format!("{line}, 1 s")).await;
        let shown = terminal.lines();
        assert_eq!(
            shown.iter().filter(|shown| shown.contains("hello \u{2713}")).count(),
            1,
            "{shown:#?}"
        );
        fs::write(go.path().join("go"), "").unwrap();
        let left = terminal.ends().await.with(0);
        assert_eq!(
            left.lines.last().unwrap(),
            "hello: create succeeded in 3.2 s  https://c",
            "{left:#?}"
        );
        assert!(!left.text().contains(WAITS) && left.ready, "{left:#?}");
    }
}

#[tokio::test]
async fn an_upload_is_shown_while_it_takes_its_time() {
    let stub = Stub::start(|_, seen| match seen.path() {
        PLAN => plan(seen),
        "/v1/uploads" => offer(seen),
        "/upload" => {
            assert_eq!(seen.body.len(), 4_200_000);
            stored_late()
        }
        _ if changes(seen) => {
            let document: Value = serde_json::from_slice(&seen.body).unwrap();
            assert_eq!(document["code"], json!({"uploadId": ID}));
            answer(202, &[], &with_steps(operation("SUCCEEDED"), &[]))
        }
        _ => answer(200, &[], &with_steps(operation("SUCCEEDED"), &[])),
    })
    .await;
    let project = Project::new(&stub.url, "functions:\n  hello: {code: {zip: app.zip}}\n");
    project.write("app.zip", vec![b'x'; 4_200_000]);
    let terminal = project.at_terminal("apply --yes", 24, 80);
    terminal.until("hello uploads 4.2 MB").await;
    let left = terminal.ends().await.with(0);
    assert!(!left.text().contains("uploads") && left.ready, "{left:#?}");
    let said = project.run("apply --yes").await.with(0);
    assert!(said.err.contains("hello: uploads 4.2 MB\n"), "{said:#?}");
}

#[tokio::test]
async fn a_long_name_is_cut_and_resizing_does_no_harm() {
    let go = TempDir::with_prefix("formation-").unwrap();
    let stub = stub(&go.path().join("go")).await;
    let names = ["a", "b", "c"].map(|name| name.repeat(60));
    let manifest = names.iter().map(|name| format!("  {name}: {{code: x}}\n"));
    let manifest = format!("functions:\n{}", manifest.collect::<String>());
    let project = Project::new(&stub.url, &manifest);
    let terminal = project.at_terminal("apply --yes", 20, 50);
    for name in &names {
        // Of the name as much as leaves room for what is done.
        terminal
            .until(&format!(" {}\u{2026} \u{2713} Ensure function, attempt", &name[..13]))
            .await;
    }
    let lives = |lines: &[String]| lines.iter().filter(|line| line.contains('\u{2713}')).count();
    terminal.until("\u{2026}, ").await;
    assert_eq!(lives(&terminal.lines()), 3, "{:#?}", terminal.lines());
    for columns in [30, 120, 10, 64] {
        terminal.resize(20, columns);
        // So often that what piles up would be seen.
        terminal.until_more("\u{1b}[J", 4).await;
    }
    fs::write(go.path().join("go"), "").unwrap();
    let left = terminal.ends().await.with(0);
    // A line each stays, which may take several rows.
    for name in &names {
        assert_eq!(left.raw.matches(&format!("{name}: create")).count(), 2, "{left:#?}");
        assert!(left.text().replace('\n', "").contains(&format!("{name}: create")), "{left:#?}");
    }
    assert!(left.ready && left.lines.last().unwrap().ends_with("https://c"), "{left:#?}");
}

#[tokio::test]
async fn more_lines_than_a_terminal_has_are_counted() {
    let go = TempDir::with_prefix("formation-").unwrap();
    let stub = stub(&go.path().join("go")).await;
    let manifest = (0..9).map(|number| format!("  f{number}: {{code: x}}\n"));
    let manifest = format!("functions:\n{}", manifest.collect::<String>());
    let project = Project::new(&stub.url, &manifest);
    let terminal = project.at_terminal("apply --yes --parallel 9", 6, 80);
    terminal.until("\u{2026} and 5 more").await;
    // All of them are where the next draw finds them.
    terminal.until_more("\u{1b}[J", 4).await;
    let lines = terminal.lines();
    let moving = lines.iter().filter(|line| line.contains(" f") && line.contains('\u{2713}'));
    assert_eq!((lines.len(), moving.count()), (5, 4), "{lines:#?}");
    fs::write(go.path().join("go"), "").unwrap();
    let left = terminal.ends().await.with(0);
    for number in 0..9 {
        let line = format!("f{number}: create succeeded in 3.2 s");
        assert_eq!(
            left.raw.replace("\u{1b}[32m", "").replace("\u{1b}[0m", "").matches(&line).count(),
            1,
            "{left:#?}"
        );
    }
    assert!(left.ready && !left.text().contains(" more"), "{left:#?}");
}

#[tokio::test]
async fn interrupted_it_tells_how_to_follow_and_leaves_the_terminal_as_it_was() {
    let stub = stub(Path::new("/no/such/file")).await;
    let manifest = "functions:\n  one: {code: x}\n  two: {code: x}\n";
    for by_key in [true, false] {
        let project = Project::new(&stub.url, manifest);
        let mut terminal = project.at_terminal("apply --yes", 24, 80);
        terminal.until("one \u{2713}").await;
        terminal.until("two \u{2713}").await;
        if by_key {
            terminal.types("\u{3}").await;
        } else {
            // What a job that is cancelled is sent.
            let process = Pid::from_raw(i32::try_from(terminal.id()).unwrap()).unwrap();
            kill_process(process, Signal::TERM).unwrap();
        }
        let left = terminal.ends().await.with(3);
        for name in ["one", "two"] {
            let follow = format!("`formation wait {name} {ID}`");
            assert!(left.text().replace('\n', "").contains(&follow), "{left:#?}");
        }
        assert!(!left.text().contains(WAITS) && left.ready, "{left:#?}");
    }
}

#[tokio::test]
async fn what_comes_one_after_the_other_ends_with_the_interrupted() {
    let stub = stub(Path::new("/no/such/file")).await;
    let project = Project::new(&stub.url, ONE);
    let mut terminal = project.at_terminal("delete one two three --yes", 24, 80);
    terminal.until("one \u{2713}").await;
    terminal.types("\u{3}").await;
    let left = terminal.ends().await.with(3);
    assert!(left.text().ends_with("two: not begun\nthree: not begun") && left.ready, "{left:#?}");
    assert_eq!(stub.seen().iter().filter(|seen| changes(seen)).count(), 1);
}

#[tokio::test]
async fn interrupted_twice_it_waits_for_no_answer() {
    let stub = Stub::start(|_, seen| match seen.path() {
        PLAN => plan(seen),
        _ => Reply::Silence,
    })
    .await;
    let project = Project::new(&stub.url, ONE);
    let mut terminal = project.at_terminal("apply --yes", 24, 80);
    terminal.until("hello: create").await;
    until("it has asked", || stub.seen().iter().any(changes)).await;
    // What was asked for may be accepted yet.
    terminal.types("\u{3}").await;
    terminal.until_begun_after("^C").await;
    terminal.types("\u{3}").await;
    let left = terminal.ends().await.with(3);
    assert!(left.text().contains("what was asked for may go on") && left.ready, "{left:#?}");
}

#[tokio::test]
async fn where_nobody_watches_each_step_is_a_line_and_nothing_moves() {
    let go = TempDir::with_prefix("formation-").unwrap();
    fs::write(go.path().join("go"), "").unwrap();
    let stub = stub(&go.path().join("go")).await;
    for variable in ["CI", "TERM"] {
        let value = if variable == "TERM" { "dumb" } else { "true" };
        let project = Project::new(&stub.url, ONE).with(variable, value);
        let left = project.at_terminal("apply --yes", 24, 80).ends().await.with(0);
        let lines: Vec<_> = left.raw.lines().collect();
        let ends =
            ["hello: Ensure role done in 1.0 s", "hello: create succeeded in 3.2 s  https://c"];
        assert!(lines.ends_with(&ends), "{left:#?}");
        let moves = left.raw.trim_end().chars().any(|it| it.is_control() && !"\r\n".contains(it));
        assert!(!moves, "{left:#?}");
    }
}

#[tokio::test]
async fn colours_are_for_those_who_want_them() {
    let stub =
        Stub::start(|_, _| answer(200, &[], &json!({"functions": [stub::function("hello")]})))
            .await;
    for (variable, arguments, terminal, expected) in [
        ("", "list", true, true),
        ("", "list", false, false),
        ("NO_COLOR", "list", true, false),
        ("NO_COLOR", "list --color always", true, true),
        ("", "list --color=never", true, false),
        ("", "list --color always", false, true),
        ("CLICOLOR_FORCE", "list", false, true),
        ("CI", "list", true, false),
        ("CI", "list --color always", true, true),
        ("", "--help --color never", true, false),
    ] {
        let mut project = Project::new(&stub.url, ONE);
        if !variable.is_empty() {
            project = project.with(variable, "1");
        }
        let shown = if terminal {
            project.at_terminal(arguments, 60, 100).ends().await.with(0).raw
        } else {
            project.run(arguments).await.with(0).out
        };
        assert_eq!(shown.contains("\u{1b}["), expected, "{variable} {arguments}: {shown:?}");
    }
}

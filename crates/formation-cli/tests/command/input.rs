//! Manifests and folders that are wrong: one clear message with the remedy, and nothing is asked of AWS.

use std::fs::{self, File};

use tokio::io::AsyncWriteExt;

use super::*;

async fn nobody() -> Stub {
    Stub::start(|_, seen| panic!("{seen:?}")).await
}

#[tokio::test]
async fn a_wrong_manifest_is_told_at_its_place() {
    let stub = nobody().await;
    let mut bomb = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..30 {
        let before = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
    }
    let of = |fields: &str| format!("functions:\n  hello:\n    code: x\n{fields}");
    for (manifest, place, told) in [
        ("functions:\n\thello: {code: x}\n".to_owned(), "2:2", "tabs disallowed"),
        (of("    code: y\n"), "4:5", "`code` stands here twice: first at 3:5"),
        (of("  hello: {}\n"), "4:3", "`hello` stands here twice"),
        (bomb, "", "holds too much"),
        ("functions: [hello]\n".to_owned(), "1:12", "`functions` must be an object"),
        ("functions: {hello: x}\n".to_owned(), "1:20", "must be an object"),
        ("hello: {code: x}\n".to_owned(), "1:1", "`functions` is missing"),
        (of("    memory_megabytes: 128\n"), "4:5", "is `memoryMegabytes` meant?"),
        (of("    timeout: 128\n"), "4:5", "is `timeoutSeconds` meant?"),
        ("functons: {}\nfunctions: {}\n".to_owned(), "1:1", "there is name, stack"),
        (of("    environment: {PORT: 8080}\n"), "4:19", "put that of PORT in quotes"),
        (of("    environment: {ON: yes}\n"), "4:19", "put that of ON in quotes"),
        (of("    description: ${UNSET_HERE}\n"), "4:18", "export it, or write ${UNSET_HERE:-text}"),
        (of("    <<: {}\n"), "4:5", "`defaults`"),
        ("functions: {'a b': {code: x}}\n".to_owned(), "1:13", "cannot be a function's name"),
        ("functions: {hello: {}}\n".to_owned(), "1:13", "`code` is missing"),
        ("functions: {hello: {code: {folder: 1}}}\n".to_owned(), "1:36", "must be a text"),
        (of("---\nfunctions: {}\n"), "4:1", "one document"),
        ("functions: {hello: {code: x}".to_owned(), "", "error: "),
    ] {
        let said = Project::new(&stub.url, &manifest).run("apply --yes").await.with(4);
        let at = format!("formation.yaml:{place}");
        assert!(said.err.contains(&at) && said.err.contains(told), "{manifest}: {}", said.err);
        assert_eq!(said.out, "");
        assert!(!said.err.contains("8080"), "a value of an environment is shown: {}", said.err);
    }
    let said = Project::new(&stub.url, ONE).run("plan --overlay prod").await.with(4);
    assert!(said.err.contains("there is no overlay prod"), "{said:?}");
    let said = Project::new(&stub.url, ONE).run("plan helo").await.with(4);
    assert!(said.err.contains("there is no function helo; there is hello"), "{said:?}");
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn what_is_no_manifest_is_told_apart() {
    let stub = nobody().await;
    let project = Project::new(&stub.url, ONE);
    project.write("latin-1.yaml", b"functions:\n  hello: {code: '\xe4'}\n");
    project.write("folder/formation.yaml", ONE);
    File::create(project.path("large.yaml")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    for (file, told) in [
        ("missing.yaml", "there is no manifest missing.yaml: name one by --file"),
        ("folder", "folder is a folder: name the manifest in it by --file"),
        ("latin-1.yaml", "latin-1.yaml is not in UTF-8, from line 2 on"),
        ("large.yaml", "large.yaml is larger than 8388608 bytes"),
        ("/dev/zero", "/dev/zero is larger than"),
        ("/dev/null", "`functions` is missing"),
    ] {
        let said = project.run(&format!("apply --yes --file {file}")).await.with(4);
        assert!(said.err.contains(told), "{said:?}");
    }
}

#[tokio::test]
async fn a_manifest_may_be_what_another_program_writes() {
    let stub = Stub::start(|_, seen| plan(seen)).await;
    let project = Project::new(&stub.url, ONE);
    let mut command = project.command("plan --file /dev/stdin -o name");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(ONE.as_bytes()).await.unwrap();
    let said = Said::from(child.wait_with_output().await.unwrap()).with(0);
    assert_eq!(said.out, "hello\n");
}

#[tokio::test]
async fn a_folder_that_cannot_be_deployed_is_told_at_its_place() {
    let stub = nobody().await;
    for (code, told) in [
        ("{folder: missing}", "there is no folder ./missing"),
        ("{folder: formation.yaml}", "is not a folder; an archive is named by `zip`"),
        ("{folder: empty}", "has no file to deploy"),
        ("{zip: missing.zip}", "there is no archive ./missing.zip"),
        ("{zip: app}", "a folder is named by `folder`"),
        ("{folder: app, build: 'echo broken; exit 3'}", "the command failed (exit status: 3)"),
        ("{folder: app, build: no-such-command}", "the command failed (exit status: 127)"),
    ] {
        let manifest = format!("functions:\n  hello:\n    code: {code}\n");
        let project = Project::new(&stub.url, &manifest);
        project.write("app/index.mjs", "x");
        fs::create_dir(project.path("empty")).unwrap();
        let said = project.run("apply --yes").await.with(4);
        assert!(said.err.contains(told) && said.err.contains("formation.yaml:3:"), "{said:?}");
        if code.contains("broken") {
            assert!(said.err.contains("hello | broken"), "{said:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_lambda_does_not_take_is_refused_before_it_is_read() {
    let stub = nobody().await;
    let project = Project::new(&stub.url, "functions:\n  hello: {code: {folder: app}}\n");
    project.write("app/small", "x");
    let large = File::create(project.path("app/large")).unwrap();
    large.set_len(300 * 1024 * 1024).unwrap();
    // With less memory than the folder holds.
    let mut command = tokio::process::Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v 250000; exec {BINARY} apply --yes"));
    command.current_dir(project.folder.path()).env_clear();
    command.envs(project.variables.iter().map(pair));
    let said = Said::from(command.output().await.unwrap()).with(4);
    let told =
        "app holds more than the 262144000 bytes that Lambda takes. Its largest file is large.";
    assert!(said.err.contains(told) && said.err.contains(".formationignore"), "{said:?}");
}

#[tokio::test]
async fn what_a_command_line_lacks_is_told_with_how_to_say_it() {
    let stub = nobody().await;
    let project = Project::new(&stub.url, ONE);
    for (arguments, told) in [
        ("aply", "'apply'"),
        ("apply --prun", "'--prune'"),
        ("get", "<NAME>"),
        ("plan --prune", "give it a `name`"),
        ("list --status gone", "must be one of"),
        ("list --tag team", "must be KEY:VALUE"),
        ("get hello -o xml", "table, json, yaml, name"),
    ] {
        let said = project.run(arguments).await.with(64);
        assert!(said.err.contains(told), "{said:?}");
    }
    assert!(stub.seen().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_pipe_that_nobody_writes_to_can_be_interrupted() {
    let stub = nobody().await;
    let project = Project::new(&stub.url, ONE);
    let made = std::process::Command::new("mkfifo").arg(project.path("pipe")).status().unwrap();
    assert!(made.success());
    let mut terminal = project.at_terminal("apply --file pipe", 24, 80);
    // The signals that a process listens to: SIGINT is the second bit.
    let listens = || {
        let status = fs::read_to_string(format!("/proc/{}/status", terminal.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 2 > 0
    };
    until("it listens", listens).await;
    terminal.types("\u{3}").await;
    let left = terminal.ends().await.with(4);
    assert!(left.text().contains("interrupted: nothing was started"), "{left:#?}");
}

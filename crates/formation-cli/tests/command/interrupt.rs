//! ^C and SIGTERM while a build command runs: all that it has started ends, and nothing is started.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::timeout;

use super::*;

/// The processes whose ids are in the file.
fn processes(file: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok().and_then(Pid::from_raw)).collect()
}

#[tokio::test]
async fn all_of_a_build_ends_and_nothing_is_started() {
    let stub = Stub::start(|_, seen| panic!("{seen:?}")).await;
    // The second one does not hear.
    for build in [
        "sleep 600 & echo $! >> ids; echo $$ >> ids; wait",
        "trap '' TERM INT; (trap '' TERM; sleep 600) & echo $! >> ids; echo $$ >> ids; sleep 600; sleep 600",
    ] {
        for command in ["apply --yes", "plan"] {
            for signal in [Signal::INT, Signal::TERM] {
                let manifest =
                    format!("functions:\n  hello: {{code: {{folder: app, build: \"{build}\"}}}}\n");
                let project = Project::new(&stub.url, &manifest);
                project.write("app/index.mjs", "x");
                let running = project.command(command).spawn().unwrap();
                let ids = project.path("app/ids");
                until("it builds", || processes(&ids).len() == 2).await;
                let started = processes(&ids);
                let id = i32::try_from(running.id().unwrap()).unwrap();
                kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
                let said = Said::from(running.wait_with_output().await.unwrap()).with(4);
                assert!(said.err.contains("interrupted: nothing was started"), "{said:?}");
                for process in started {
                    assert!(has_ended(process), "{build} {said:?}");
                }
            }
        }
    }
    assert!(stub.seen().is_empty());
}

/// How long a command may take that nobody interrupts.
const LONGEST: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_a_build_leaves_running_ends_with_it() {
    let stub = Stub::start(|_, seen| panic!("{seen:?}")).await;
    for (build, told) in [
        // The third lets go of the output, as what is to go on does.
        ("sleep 600 & echo $! >> ids; echo left; exit 3", true),
        ("(trap '' TERM; sleep 600) & echo $! >> ids; echo left; exit 3", true),
        ("sleep 600 > out 2>&1 & echo $! >> ids; echo left; exit 3", false),
    ] {
        let project = Project::new(
            &stub.url,
            &format!("functions:\n  hello: {{code: {{folder: app, build: \"{build}\"}}}}\n"),
        );
        project.write("app/index.mjs", "x");
        let running = project.command("plan").output();
        let said = Said::from(timeout(LONGEST, running).await.unwrap().unwrap()).with(4);
        assert!(said.err.contains("hello | left") && said.err.contains("status: 3"), "{said:?}");
        assert_eq!(said.err.contains("what it has left running is ended, too"), told, "{said:?}");
        for process in processes(&project.path("app/ids")) {
            assert_eq!(has_ended(process), told, "{build} {said:?}");
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

#[tokio::test]
async fn however_much_a_build_prints_it_is_told_in_little_memory_and_can_be_interrupted() {
    let stub = Stub::start(|_, seen| panic!("{seen:?}")).await;
    let build = "yes xxxxxxxxx | head -c 50000000 | tr -d '[:space:]'; echo $$ >> ids; while :; do echo y; done";
    let manifest = format!("functions:\n  hello: {{code: {{folder: app, build: \"{build}\"}}}}\n");
    let project = Project::new(&stub.url, &manifest);
    project.write("app/index.mjs", "x");
    let running = project.command("plan").spawn().unwrap();
    let id = i32::try_from(running.id().unwrap()).unwrap();
    let told = tokio::spawn(running.wait_with_output());
    until("it has printed much", || processes(&project.path("app/ids")).len() == 1).await;
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 80_000, "{most} kB");
    kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
    let said = Said::from(timeout(LONGEST, told).await.unwrap().unwrap().unwrap()).with(4);
    assert!(said.err.contains("interrupted: nothing was started"));
    assert!(said.err.contains("x [...]\n"));
}

/// Whether a process is gone, or has ended and nobody has looked.
fn has_ended(process: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    test_kill_process(process).is_err() || state.is_ok_and(|state| state.contains(") Z "))
}

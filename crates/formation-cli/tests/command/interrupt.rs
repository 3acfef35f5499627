//! ^C and SIGTERM while a build command runs: all that it has started ends, and nothing is started.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

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

/// Whether a process is gone, or has ended and nobody has looked.
fn has_ended(process: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    test_kill_process(process).is_err() || state.is_ok_and(|state| state.contains(") Z "))
}

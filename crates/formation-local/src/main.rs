//! `formation-local run` starts local AWS, deploys Formation to it and shows what it does, `down`
//! ends it: `make run` and `make down` are these.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use formation_local::ministack::{MiniStack, Options, free_port, stop_in};
use formation_local::{LocalError, Project, deploy, tour};

/// Where tools look for a local AWS first.
const USUAL_PORT: u16 = 4566;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("run") => run().await,
        Some("down") => down().await,
        _ => {
            eprintln!("usage: formation-local run|down");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// What takes an hour on AWS shall be seen here.
const PARAMETERS: &[&str] = &["DriftCheckMinutes=1"];

async fn run() -> Result<(), LocalError> {
    let project = Project::find()?;
    let folder = project.local();
    require_node()?;
    let command = tour::command()?;
    let began = Instant::now();
    let progress = |what: &str| println!("[{:5.1} s] {what}", began.elapsed().as_secs_f64());

    if stop_in(&folder).await? {
        progress("ended the local AWS of an earlier run");
    }
    let port = free_port(Some(USUAL_PORT))?;
    progress(&format!("starting local AWS on 127.0.0.1:{port}"));
    let options = Options {
        port,
        lambda_endpoint_url: format!("http://127.0.0.1:{port}"),
        folder: folder.clone(),
        wait_scale: 1.0,
    };
    let ministack = MiniStack::start(&project, &options).await?;

    progress("deploying infra/template.yaml");
    let stack = deploy::deploy(&project, &ministack.url(), &folder, PARAMETERS).await?;
    let stack_file = folder.join("stack.json");
    stack.write(&stack_file)?;

    progress("a function's life, as you would type it:");
    tour::show(&project, &command)?;

    progress("done; local AWS stays up until `make down`");
    println!("  command: {}", command.display());
    println!("  API:     {}", stack.api_url);
    println!("  all:     {}", stack_file.display());
    if let Some(folder) = command.parent() {
        println!("Go on by yourself; anywhere below this folder `--local` finds it:");
        println!("  export PATH=\"{}:$PATH\"", folder.display());
        println!(
            "  formation ui --local    # a web page that shows functions, and what happens to them"
        );
    }
    Ok(())
}

async fn down() -> Result<(), LocalError> {
    let folder = Project::find()?.local();
    let stack_file = folder.join("stack.json");
    if stop_in(&folder).await? {
        println!("local AWS has ended");
    } else {
        println!("no local AWS of `make run` is up");
    }
    match std::fs::remove_file(&stack_file) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(LocalError::File { path: stack_file, source })
        }
        _ => Ok(()),
    }
}

/// Local AWS runs Node.js functions with the machine's own Node.js.
fn require_node() -> Result<(), LocalError> {
    let version = std::process::Command::new("node").arg("--version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(LocalError::Missing {
        what: "node".to_owned(),
        remedy: "install Node.js 20 or newer; local AWS runs the example's function with it",
    })
}

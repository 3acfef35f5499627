//! What each command says of itself, as `tests/help` has it. `FORMATION_WRITE_HELP=1` writes it anew.

use std::collections::BTreeMap;

use clap::CommandFactory;
use formation_cli::args::Cli;

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help");

/// The arguments that lead to each command, the whole one first.
fn commands() -> Vec<String> {
    fn add(command: &clap::Command, before: &str, all: &mut Vec<String>) {
        all.push(before.to_owned());
        let visible = command.get_subcommands().filter(|it| !it.is_hide_set());
        for one in visible {
            add(one, format!("{before} {}", one.get_name()).trim_start(), all);
        }
    }
    let mut all = Vec::new();
    add(&Cli::command(), "", &mut all);
    all
}

#[tokio::test]
async fn every_command_has_a_help_that_somebody_has_read() {
    let project = Project::new("", ONE);
    let mut said = BTreeMap::new();
    for command in commands() {
        let help = project.run(&format!("{command} --help")).await.with(0);
        let file = format!("{} {command}", "formation").trim_end().replace(' ', "-") + ".txt";
        assert_eq!(help.err, "");
        said.insert(file, help.out);
    }
    if std::env::var_os("FORMATION_WRITE_HELP").is_some() {
        fs::remove_dir_all(FOLDER).unwrap();
        fs::create_dir(FOLDER).unwrap();
        for (file, help) in &said {
            fs::write(format!("{FOLDER}/{file}"), help).unwrap();
        }
    }
    let kept = fs::read_dir(FOLDER).unwrap().map(|file| {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        (name, fs::read_to_string(file.path()).unwrap())
    });
    let kept: BTreeMap<_, _> = kept.collect();
    let names = |all: &BTreeMap<String, String>| all.keys().cloned().collect::<Vec<_>>();
    let how = "FORMATION_WRITE_HELP=1 cargo test --workspace --test command help";
    assert_eq!(names(&kept), names(&said), "{how}");
    for (file, help) in said {
        assert_eq!(kept[&file], help, "{file} is another: {how}");
    }
}

#[tokio::test]
async fn every_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let project = Project::new("", ONE);
        let script = project.run(&format!("completions {shell}")).await.with(0);
        for command in commands() {
            let name = command.rsplit(' ').next().unwrap();
            assert!(script.out.contains(name), "{shell}: {command}");
        }
    }
}

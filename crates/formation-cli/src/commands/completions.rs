//! `formation completions`

use clap::CommandFactory;
use clap_complete::{Shell as Target, generate};

use crate::args::{Cli, Shell};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Output;

pub(super) fn run(shell: Shell, output: &Output) -> Result<Outcome, Failure> {
    let target = match shell {
        Shell::Bash => Target::Bash,
        Shell::Zsh => Target::Zsh,
        Shell::Fish => Target::Fish,
    };
    let mut script = Vec::new();
    generate(target, &mut Cli::command(), "formation", &mut script);
    output.verbatim(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Outcome::Done)
}

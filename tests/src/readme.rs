//! README as somebody reads it who types what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// README of the project.
pub const README: &str = include_str!("../../README.md");
/// Begins the comment, which readers do not see, in the line before commands that no test runs.
const NOT_RUN: &str = "<!-- not run: ";

/// Commands that README shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// The heading that they stand under.
    pub heading: String,
    /// The commands.
    pub commands: String,
    /// Why no test runs them, where none does.
    pub not_run: Option<String>,
}

/// All blocks of commands on a page in Markdown, from top to bottom.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut heading, mut before) = (Vec::new(), "", "");
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            if language == "sh" {
                let reason = before.strip_prefix(NOT_RUN).and_then(|it| it.strip_suffix(" -->"));
                blocks.push(Block {
                    heading: heading.to_owned(),
                    commands: text.join("\n") + "\n",
                    not_run: reason.map(str::to_owned),
                });
            }
        } else if let Some((level, text)) = line.split_once("# ")
            && level.chars().all(|it| it == '#')
        {
            heading = text;
        }
        before = line;
    }
    blocks
}

/// Runs commands in a folder as a person does, with the programs of the folders `tools` first on the path.
/// They see nothing of what the machine is set up for: no AWS, no stack, no CI.
///
/// # Panics
/// There is no bash.
pub fn type_in(folder: &Path, tools: &[PathBuf], commands: &str) -> Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(tools.iter().cloned().chain(std::env::split_paths(&path)));
    let mut shell = Command::new("bash");
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if ["AWS_", "FORMATION_", "GITHUB_"].iter().any(|start| name.starts_with(start)) {
            shell.env_remove(&*variable);
        }
    }
    shell
        .env_remove("CI")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(folder)
        .env("PATH", path.expect("folders without colons"))
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .stdin(Stdio::null())
        .output()
        .expect("bash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_block_by_block() {
        let page = "# Page\n```sh\none # two\n```\n\n## Part\n```json\n# {}\n```\n<!-- not run: far -->\n```sh\n# three\nfour\n```\n";
        let block = |heading: &str, commands: &str, not_run: Option<&str>| Block {
            heading: heading.to_owned(),
            commands: commands.to_owned(),
            not_run: not_run.map(str::to_owned),
        };
        let expected =
            [block("Page", "one # two\n", None), block("Part", "# three\nfour\n", Some("far"))];
        assert_eq!(blocks(page), expected);
    }
}

//! From what a manifest says of code to what the API takes: build commands are run, folders zipped,
//! archives read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::build;
use crate::failure::{Failure, chain_of};
use crate::folder::{self, Archive, MOST_BYTES};
use crate::interrupt::off_thread;
use crate::manifest::{Code, Local, Manifest, Misplaced, Wanted};
use crate::output::Output;

/// The code of a function, ready to be sent.
#[derive(Clone, Debug)]
pub enum Source {
    /// As the manifest has it.
    AsItIs(Value),
    /// An archive.
    Archive(Archive),
}

impl Source {
    /// The code as a plan takes it: of an archive the digest alone.
    pub fn named(&self) -> Value {
        match self {
            Self::AsItIs(code) => code.clone(),
            Self::Archive(archive) => json!({"sha256": archive.sha256}),
        }
    }
}

/// Builds and reads the code of each function, in their order. A command that several functions name
/// for the same folder runs once.
///
/// # Errors
/// What cannot be built or read, at its place in the manifest.
pub async fn sources(
    manifest: &Manifest,
    folder: &Path,
    wanted: &[Wanted],
    build: bool,
    output: &Output,
) -> Result<Vec<Source>, Failure> {
    if build {
        let mut built = Vec::new();
        for function in wanted {
            let Some((local, within)) = local(&function.code, folder) else { continue };
            let Some(command) = &local.build else { continue };
            if built.contains(&(within.clone(), command.clone())) {
                continue;
            }
            output.progress(&format!("{}: {command}", function.name));
            build::run(command, &within, function.name.as_str(), output).await.map_err(
                |message| {
                    let at = function.place_of("/code/build");
                    Failure::from(manifest.problems(vec![Misplaced::new(at, message)]))
                },
            )?;
            built.push((within, command.clone()));
        }
    }
    let mut found = Vec::new();
    let mut sources = Vec::new();
    // A folder that several functions name is zipped once.
    let mut read: BTreeMap<(bool, PathBuf), Archive> = BTreeMap::new();
    for function in wanted {
        let (is_folder, path) = match &function.code {
            Code::AsItIs(code) => {
                sources.push(Source::AsItIs(code.clone()));
                continue;
            }
            Code::Folder(local) => (true, folder.join(&local.path)),
            Code::Zip(local) => (false, folder.join(&local.path)),
        };
        let key = (is_folder, path);
        let archive = match read.get(&key) {
            Some(archive) => Ok(archive.clone()),
            None => {
                let verb = if is_folder { "zipping" } else { "reading" };
                let _busy = output.busy(&format!("{}: {verb} {}", function.name, key.1.display()));
                let path = key.1.clone();
                off_thread(move || {
                    Ok(match is_folder {
                        true => folder::zip(&path).map_err(|error| chain_of(&error)),
                        false => archive(&path),
                    })
                })
                .await?
            }
        };
        match archive {
            Ok(archive) => {
                read.insert(key, archive.clone());
                sources.push(Source::Archive(archive));
            }
            Err(message) => {
                let pointer = if is_folder { "/code/folder" } else { "/code/zip" };
                found.push(Misplaced::new(function.place_of(pointer), message));
            }
        }
    }
    if found.is_empty() { Ok(sources) } else { Err(manifest.problems(found).into()) }
}

/// What is beside the manifest, and the folder in which its command runs: its own, or that of the
/// manifest for an archive, which the command is to make.
fn local<'a>(code: &'a Code, folder: &Path) -> Option<(&'a Local, PathBuf)> {
    match code {
        Code::AsItIs(_) => None,
        Code::Folder(local) => Some((local, folder.join(&local.path))),
        Code::Zip(local) => Some((local, folder.to_owned())),
    }
}

fn archive(path: &Path) -> Result<Archive, String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|_| format!("there is no archive {shown}"))?;
    if !metadata.is_file() {
        return Err(format!("{shown} is not an archive; a folder is named by `folder`"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(format!("{shown} has {} bytes, and Lambda takes {MOST_BYTES}", metadata.len()));
    }
    let bytes = fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    Ok(Archive::new(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::output::Format;

    async fn sources_of(text: &str, folder: &Path, build: bool) -> Result<Vec<Source>, Failure> {
        let manifest = Manifest::read("formation.yaml", text, None).unwrap();
        let wanted = manifest.functions(&[], &|_| None).unwrap();
        sources(&manifest, folder, &wanted, build, &Output::new(Format::Table)).await
    }

    #[tokio::test]
    async fn commands_run_once_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        let text = "functions:\n  a: {code: {folder: app, build: 'echo x >> runs'}}\n  \
                    b: {code: {folder: app, build: 'echo x >> runs'}}\n  \
                    c: {code: {zip: c.zip, build: 'printf PK > c.zip'}}\n  d: {code: inline}\n";
        let sources = sources_of(text, folder.path(), true).await.unwrap();
        let runs = fs::read_to_string(folder.path().join("app/runs")).unwrap();
        assert_eq!(runs, "x\n");
        let digests: BTreeSet<_> = sources.iter().map(|it| it.named().to_string()).collect();
        assert_eq!((sources.len(), digests.len()), (4, 3));
        let Source::Archive(c) = &sources[2] else { panic!("{sources:?}") };
        assert_eq!(&c.bytes[..], b"PK");
        assert_eq!(sources[3].named(), json!("inline"));
    }

    #[tokio::test]
    async fn what_cannot_be_built_or_read_is_told_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        for (code, build, expected) in [
            ("{folder: missing}", true, "2:22: there is no folder"),
            ("{folder: empty}", true, "2:22: "),
            ("{zip: missing.zip}", true, "2:19: there is no archive"),
            ("{zip: empty}", true, "is not an archive; a folder is named by `folder`"),
            ("{folder: empty, build: exit 3}", true, "2:36: the command failed (exit status: 3)"),
            ("{folder: empty, build: exit 3}", false, "has no file to deploy"),
            ("{folder: missing, build: exit 0}", true, "there is no folder"),
        ] {
            let text = format!("functions:\n  a: {{code: {code}}}");
            let failure = sources_of(&text, folder.path(), build).await.unwrap_err();
            let Failure::Manifest(problems) = failure else { panic!("{code}: {failure:?}") };
            let found = problems.found[0].to_string();
            assert!(found.contains(expected), "{code}: {found}");
        }
    }
}

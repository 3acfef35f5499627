//! `formation init`

mod existing;
mod new;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::args::{Connection, Init};
use crate::failure::Failure;
use crate::manifest::schema::schema;
use crate::outcome::Outcome;
use crate::output::Output;

/// The schema beside a manifest, which its first line names, so that editors know it.
const SCHEMA: &str = "formation.schema.json";

pub(super) async fn run(
    connection: &Connection,
    asked: &Init,
    output: &Output,
) -> Result<Outcome, Failure> {
    match (&asked.from, &asked.new_name) {
        (Some(from), Some(new)) => existing::run(connection, asked, from, new, output).await,
        _ => new::run(asked, output),
    }
}

/// A file to be written.
struct File {
    path: PathBuf,
    text: String,
}

/// That none of these is there, so that nothing is overwritten, and that the folders that they are in are
/// there or can be made.
fn refuse_what_is_in_the_way<'a>(
    paths: impl Iterator<Item = &'a Path> + Clone,
) -> Result<(), Failure> {
    let is_there = |path: &&Path| fs::symlink_metadata(path).is_ok();
    let there: Vec<_> = paths.clone().filter(is_there).map(|it| it.display().to_string()).collect();
    if there.is_empty() {
        // Of the folders, the innermost that is there: those within are made.
        let innermost = |path: &'a Path| path.ancestors().skip(1).find(is_there);
        let Some(file) = paths.filter_map(innermost).find(|it| !it.is_dir()) else {
            return Ok(());
        };
        let text = format!("{} is there and is no folder: nothing was written", file.display());
        return Err(Failure::Refused(text));
    }
    let text =
        format!("{} there already: nothing is overwritten, and nothing was written", is(&there));
    Err(Failure::Refused(text))
}

fn is(names: &[String]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// Writes files that are not there, and the folders that they are in.
fn write(files: &[File]) -> Result<(), Failure> {
    for File { path, text } in files {
        let failed =
            |error| Failure::other(format!("{} cannot be written", path.display()), &error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    }
    Ok(())
}

/// The schema beside a manifest; none where one is there, of this release or another.
fn schema_beside(manifest: &Path) -> Option<File> {
    let path = manifest.with_file_name(SCHEMA);
    let is_there = fs::symlink_metadata(&path).is_ok();
    (!is_there).then(|| File { path, text: format!("{:#}\n", schema()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Language;
    use crate::output::Format;

    #[test]
    fn a_file_where_a_folder_is_to_be_is_refused_and_nothing_is_written() {
        for (file, folder) in [("src", ""), ("a", "a"), ("a", "a/b/c")] {
            let parent = tempfile::tempdir().unwrap();
            let file = parent.path().join(file);
            fs::write(&file, "mine").unwrap();
            let asked = Init {
                folder: Some(parent.path().join(folder)),
                runtime: Language::Nodejs,
                from: None,
                new_name: None,
                download: false,
                file: PathBuf::from("formation.yaml"),
            };
            let failure = new::run(&asked, &Output::new(Format::Name)).unwrap_err();
            let told = failure.to_string();
            assert_eq!(failure.outcome().code(), 4, "{told}");
            let expected = format!("{} is there and is no folder", file.display());
            assert!(told.contains(&expected), "{folder}: {told}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
            assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "{folder}");
        }
    }
}

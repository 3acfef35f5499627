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

/// That none of these is there, so that nothing is overwritten.
fn refuse_what_is_there<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    let is_there = |path: &&Path| fs::symlink_metadata(path).is_ok();
    let there: Vec<_> =
        paths.into_iter().filter(is_there).map(|it| it.display().to_string()).collect();
    if there.is_empty() {
        return Ok(());
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

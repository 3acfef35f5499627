//! Which files of a folder are in its archive.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{FolderError, MOST_BYTES};

/// The most files and folders that are looked at: more than what Lambda takes has, and few enough that links
/// which stand in each other's folders, and multiply what is in those, end soon.
pub(super) const MOST_ENTRIES: usize = 100_000;

/// The most files that an archive holds without an extension of the format.
pub(super) const MOST_FILES: usize = 65_535;
/// The most that is read of what names what is not to be deployed, in bytes.
const LONGEST_IGNORE_FILE: u64 = 1024 * 1024;

/// The file in a folder that names what is not to be deployed.
pub const IGNORE_FILE: &str = ".formationignore";

/// What is left out of every archive, unless the folder's own file says `!`.
const ALWAYS: [&str; 4] = [".git/", "__pycache__/", "*.pyc", ".DS_Store"];

/// A file to be zipped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Its name in the archive, with slashes.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it may be executed.
    pub executable: bool,
    /// How large it is, in bytes.
    pub size: u64,
}

/// The files of a folder, by the bytes of their names.
///
/// # Errors
/// Why the folder cannot be an archive.
pub fn files(folder: &Path) -> Result<Vec<File>, FolderError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FolderError::Missing(folder.to_owned()),
        _ => FolderError::Unreadable { path: folder.to_owned(), source },
    };
    let root = folder.canonicalize().map_err(unreadable)?;
    if !root.is_dir() {
        return Err(FolderError::NoFolder(folder.to_owned()));
    }
    let ignored = patterns(&root)?;
    let mut walk = Walk {
        root: &root,
        shown: folder,
        ignored: &ignored,
        files: Vec::new(),
        entries: 0,
        bytes: 0,
    };
    walk.enter(&root, "", &mut vec![root.clone()])?;
    let mut files = walk.files;
    files.sort_by(|one, other| one.name.as_bytes().cmp(other.name.as_bytes()));
    if files.is_empty() { Err(FolderError::Empty(folder.to_owned())) } else { Ok(files) }
}

fn patterns(root: &Path) -> Result<Gitignore, FolderError> {
    let path = root.join(IGNORE_FILE);
    let refused = |error: ignore::Error| FolderError::Pattern {
        path: path.clone(),
        message: error.to_string(),
    };
    let mut builder = GitignoreBuilder::new(root);
    for pattern in ALWAYS {
        builder.add_line(None, pattern).map_err(refused)?;
    }
    let text = ignore_file(root, &path)?;
    // Some editors begin a file with a byte order mark.
    for line in text.trim_start_matches('\u{feff}').lines() {
        builder.add_line(Some(path.clone()), line).map_err(refused)?;
    }
    builder.build().map_err(refused)
}

/// What the folder's own file says; nothing where there is none. Nothing else is opened: what is no file
/// may never end, and what is elsewhere is not the folder's.
fn ignore_file(root: &Path, path: &Path) -> Result<String, FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: path.to_owned(), source };
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(source) => return Err(unreadable(source)),
    };
    if !real.starts_with(root) {
        return Err(FolderError::Link { path: path.to_owned(), whither: "out of the folder" });
    }
    let metadata = fs::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LONGEST_IGNORE_FILE {
        let message = format!("must be a file of at most {LONGEST_IGNORE_FILE} bytes");
        return Err(FolderError::Pattern { path: path.to_owned(), message });
    }
    fs::read_to_string(real).map_err(unreadable)
}

struct Walk<'a> {
    /// The folder, without links in its path.
    root: &'a Path,
    /// The folder as the user names it.
    shown: &'a Path,
    ignored: &'a Gitignore,
    files: Vec<File>,
    /// The files and folders so far that are not ignored.
    entries: usize,
    /// What the files so far hold.
    bytes: u64,
}

impl Walk<'_> {
    /// Notes the files below `path`, which is named `name` in the archive. `within` are the folders
    /// that it stands in, itself included, without links in their paths.
    fn enter(
        &mut self,
        path: &Path,
        name: &str,
        within: &mut Vec<PathBuf>,
    ) -> Result<(), FolderError> {
        let unreadable = |source| FolderError::Unreadable { path: self.shown.join(name), source };
        let entries = fs::read_dir(path).map_err(unreadable)?;
        for entry in entries {
            let entry = entry.map_err(|source| FolderError::Unreadable {
                path: self.shown.join(name),
                source,
            })?;
            let own = entry.file_name().into_string();
            let own = own.map_err(|own| FolderError::Name(self.shown.join(name).join(own)))?;
            let name = if name.is_empty() { own } else { format!("{name}/{own}") };
            self.take(&entry.path(), name, within)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        path: &Path,
        name: String,
        within: &mut Vec<PathBuf>,
    ) -> Result<(), FolderError> {
        let shown = self.shown.join(&name);
        let unreadable = |source| FolderError::Unreadable { path: shown.clone(), source };
        let link = fs::symlink_metadata(path).map_err(unreadable)?.is_symlink();
        // What is ignored may be a link to nowhere.
        let metadata = fs::metadata(path);
        let is_folder = metadata.as_ref().is_ok_and(Metadata::is_dir);
        if matches!(self.ignored.matched(self.root.join(&name), is_folder), Match::Ignore(_)) {
            return Ok(());
        }
        let led = |whither| FolderError::Link { path: shown.clone(), whither };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(_) if link => return Err(led("to nothing")),
            Err(source) => return Err(unreadable(source)),
        };
        self.entries += 1;
        self.bytes += if metadata.is_file() { metadata.len() } else { 0 };
        if self.bytes > MOST_BYTES
            || self.entries > MOST_ENTRIES
            || (metadata.is_file() && self.files.len() == MOST_FILES)
        {
            return Err(self.too_large(&name, metadata.len()));
        }
        let real = path.canonicalize().map_err(unreadable)?;
        if link && !real.starts_with(self.root) {
            return Err(led("out of the folder"));
        }
        if is_folder {
            if within.contains(&real) {
                return Err(led("into a folder that it stands in"));
            }
            within.push(real);
            let entered = self.enter(path, &name, within);
            within.pop();
            return entered;
        }
        if !metadata.is_file() {
            return Err(FolderError::Special(shown));
        }
        let executable = is_executable(path, &metadata).map_err(unreadable)?;
        self.files.push(File { name, path: path.to_owned(), executable, size: metadata.len() });
        Ok(())
    }
}

impl Walk<'_> {
    /// That it holds too much, now that a file of this name and size has come.
    fn too_large(&self, name: &str, size: u64) -> FolderError {
        let path = self.shown.to_owned();
        let files = self.files.iter().map(|file| (file.name.as_str(), file.size));
        let files: Vec<_> = files.chain([(name, size)]).collect();
        let largest = files.iter().max_by_key(|(_, size)| size);
        let largest_file = largest.map_or(name, |(name, _)| name).to_owned();
        // By number and size of the files in them, of those with the same files the innermost.
        let mut folders: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for (name, size) in files {
            for (end, _) in name.match_indices('/') {
                let (number, bytes) = folders.entry(&name[..end]).or_default();
                (*number, *bytes) = (*number + 1, *bytes + size);
            }
        }
        let too_many = self.bytes <= MOST_BYTES;
        let fullest = folders.into_iter().max_by_key(|(name, (number, bytes))| {
            (if too_many { *number as u64 } else { *bytes }, name.len())
        });
        let largest_folder = fullest.map(|(name, _)| name.to_owned());
        match too_many {
            true => FolderError::TooMany { path, largest_folder },
            false => FolderError::TooLarge { path, largest_file, largest_folder },
        }
    }
}

#[cfg(unix)]
fn is_executable(_: &Path, metadata: &Metadata) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    Ok(metadata.permissions().mode() & 0o111 != 0)
}

/// Where files have no such bit, what they begin with tells.
#[cfg(not(unix))]
fn is_executable(path: &Path, _: &Metadata) -> io::Result<bool> {
    begins_as_executable(fs::File::open(path)?)
}

/// Whether a file begins as a script or as Linux's programs do.
#[cfg(any(test, not(unix)))]
fn begins_as_executable(file: impl io::Read) -> io::Result<bool> {
    use std::io::Read;

    let mut start = Vec::new();
    file.take(4).read_to_end(&mut start)?;
    Ok(start.starts_with(b"#!") || start == b"\x7fELF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_linux_programs_are_known_by_their_first_bytes() {
        for (start, expected) in [
            ("#!/bin/sh", true),
            ("\x7fELF\x02", true),
            ("\x7fEL", false),
            ("#", false),
            ("", false),
        ] {
            assert_eq!(begins_as_executable(start.as_bytes()).unwrap(), expected, "{start:?}");
        }
    }
}

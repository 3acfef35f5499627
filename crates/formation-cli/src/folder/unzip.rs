//! An archive as a folder: the other way round, for code that comes from elsewhere.
//!
//! Nothing leaves the folder, whatever an archive says: names that lead out are refused, links are made
//! last, of targets within, and no file is written over another one. What it holds is counted while it is
//! unzipped, so that no archive is dearer than what Lambda itself would take.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::MOST_BYTES;

/// How many entries an archive may have: what a zip directory counts without its 64-bit extension.
const MOST_ENTRIES: usize = 65_535;
/// The longest that the target of a link may be, in bytes: Linux's `PATH_MAX`.
const LONGEST_TARGET: u64 = 4096;
/// The bits of a Unix mode that say what is at a path, and those of what may be there.
const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// Why an archive cannot be a folder.
#[derive(Debug, thiserror::Error)]
pub enum UnzipError {
    /// It is no archive, or damaged.
    #[error("the archive cannot be read")]
    Archive(#[from] ZipError),
    /// It has more entries than any archive of code.
    #[error("the archive has {0} entries, and {MOST_ENTRIES} are the most")]
    Entries(usize),
    /// It unzips to more than Lambda takes.
    #[error("the archive unzips to more than the {MOST_BYTES} bytes that Lambda takes")]
    TooLarge,
    /// An entry leads out of the folder, or is no file.
    #[error("the archive's entry {name:?} {why}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The folder or a file in it cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Unzips an archive into a folder, which is made by this: there must be nothing of its name.
///
/// # Errors
/// Why it cannot be. What has been written by then stays.
pub fn unzip(archive: Bytes, folder: &Path) -> Result<(), UnzipError> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    if archive.len() > MOST_ENTRIES {
        return Err(UnzipError::Entries(archive.len()));
    }
    create_folder(folder)?;
    let mut left = MOST_BYTES;
    let mut links = Vec::new();
    let mut folders = BTreeSet::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let refused = |why| UnzipError::Entry { name: name.clone(), why };
        let path = inside(&name).ok_or_else(|| refused("leads out of the folder"))?;
        let kind = entry.unix_mode().unwrap_or_default() & KIND;
        if ![0, FILE, FOLDER, LINK].contains(&kind) {
            return Err(refused("is neither a file nor a folder nor a link"));
        }
        if kind == FOLDER || entry.is_dir() {
            make_folders(folder, &path, &mut folders)?;
            continue;
        }
        if path.as_os_str().is_empty() {
            return Err(refused("has no name"));
        }
        make_folders(folder, path.parent().unwrap_or(Path::new("")), &mut folders)?;
        if kind == LINK {
            let target = target(&mut entry).map_err(|_| refused("is a link to nothing"))?;
            left = left.checked_sub(target.len() as u64).ok_or(UnzipError::TooLarge)?;
            let depth = path.components().count() - 1;
            if !stays_inside(&target, depth) {
                return Err(refused("is a link that leads out of the folder"));
            }
            links.push((folder.join(&path), target));
            continue;
        }
        left = write(&mut entry, &folder.join(&path), left)?;
    }
    for (path, target) in links {
        link(&target, &path).map_err(|source| UnzipError::Write { path, source })?;
    }
    Ok(())
}

/// Where in the folder an entry is; none where it leads out of it, for whoever unzips it. Backslashes
/// separate folders for some.
fn inside(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains(['\\', '\0', ':']) || name.starts_with('/') {
        return None;
    }
    let steps = name.split('/').filter(|step| !["", "."].contains(step));
    let path: PathBuf = steps.clone().collect();
    (!steps.clone().any(|step| step == "..")).then_some(path)
}

/// Whether a link that stands so deep in the folder leads to something in it. A step up behind another
/// step may lead out by way of another link, wherever it seems to lead.
fn stays_inside(target: &str, depth: usize) -> bool {
    if target.is_empty() || target.contains(['\\', '\0', ':']) || target.starts_with('/') {
        return false;
    }
    let steps = || target.split('/').filter(|step| !["", "."].contains(step));
    let up = steps().take_while(|step| *step == "..").count();
    up <= depth && !steps().skip(up).any(|step| step == "..")
}

/// What a link leads to.
fn target(entry: &mut ZipFile<'_, Cursor<Bytes>>) -> io::Result<String> {
    let mut target = String::new();
    entry.take(LONGEST_TARGET).read_to_string(&mut target)?;
    Ok(target)
}

fn create_folder(path: &Path) -> Result<(), UnzipError> {
    fs::create_dir(path).map_err(|source| UnzipError::Write { path: path.to_owned(), source })
}

/// Makes the folders that a path goes through. Links are made after all of them, so that none of them is
/// one.
fn make_folders(root: &Path, path: &Path, made: &mut BTreeSet<PathBuf>) -> Result<(), UnzipError> {
    let mut whole = root.to_owned();
    for step in path.components() {
        whole.push(step);
        if made.insert(whole.clone()) {
            create_folder(&whole)?;
        }
    }
    Ok(())
}

/// Writes a file, and tells how much may still be written.
fn write(
    entry: &mut ZipFile<'_, Cursor<Bytes>>,
    path: &Path,
    left: u64,
) -> Result<u64, UnzipError> {
    let failed = |source| UnzipError::Write { path: path.to_owned(), source };
    let executable = entry.unix_mode().unwrap_or_default() & 0o111 != 0;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    mode(&mut options, executable);
    let mut file = options.open(path).map_err(failed)?;
    let mut left = left;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = entry.read(&mut buffer).map_err(ZipError::from)?;
        if read == 0 {
            return Ok(left);
        }
        left = left.checked_sub(read as u64).ok_or(UnzipError::TooLarge)?;
        file.write_all(&buffer[..read]).map_err(failed)?;
    }
}

#[cfg(unix)]
fn mode(options: &mut OpenOptions, executable: bool) {
    use std::os::unix::fs::OpenOptionsExt;

    options.mode(if executable { 0o755 } else { 0o644 });
}

#[cfg(not(unix))]
fn mode(_: &mut OpenOptions, _: bool) {}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(_: &str, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "links cannot be made here"))
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// An archive of names, Unix modes and contents; a link's content is its target.
    fn archive(entries: &[(&str, u32, &[u8])]) -> Bytes {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in entries {
            let options = SimpleFileOptions::default().unix_permissions(mode & 0o777);
            match mode & KIND {
                LINK => {
                    let target = std::str::from_utf8(content).unwrap();
                    archive.add_symlink(*name, target, options).unwrap();
                }
                FOLDER => archive.add_directory(*name, options).unwrap(),
                _ => {
                    archive.start_file(*name, options).unwrap();
                    archive.write_all(content).unwrap();
                }
            }
        }
        archive.finish().unwrap().into_inner().into()
    }

    fn unzipped(entries: &[(&str, u32, &[u8])]) -> (tempfile::TempDir, Result<(), UnzipError>) {
        let folder = tempfile::tempdir().unwrap();
        let unzipped = unzip(archive(entries), &folder.path().join("code"));
        (folder, unzipped)
    }

    #[test]
    #[cfg(unix)]
    fn files_folders_and_links_within_come_as_they_were() {
        use std::os::unix::fs::PermissionsExt;

        let (folder, done) = unzipped(&[
            ("index.mjs", FILE | 0o644, b"code"),
            ("bin/run", FILE | 0o755, b"#!"),
            ("empty/", FOLDER | 0o755, b""),
            ("./a//b", FILE | 0o600, b"x"),
            ("bin/link", LINK | 0o777, b"../index.mjs"),
            ("first", LINK | 0o777, b"bin/link"),
        ]);
        done.unwrap();
        let code = folder.path().join("code");
        let mode = |name: &str| fs::metadata(code.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("index.mjs"), mode("bin/run"), mode("a/b")), (0o644, 0o755, 0o644));
        assert!(code.join("empty").is_dir());
        for link in ["bin/link", "first"] {
            assert!(code.join(link).is_symlink());
            assert_eq!(fs::read(code.join(link)).unwrap(), b"code");
        }
        // It is the archive of a folder again.
        let again = super::super::zip(&code).unwrap();
        assert!(!again.bytes.is_empty());
    }

    #[test]
    fn nothing_leaves_the_folder() {
        for (entries, told) in [
            (vec![("../x", FILE | 0o644, &b"x"[..])], "leads out"),
            (vec![("a/../../x", FILE | 0o644, b"x")], "leads out"),
            (vec![("/x", FILE | 0o644, b"x")], "leads out"),
            (vec![("a\\..\\x", FILE | 0o644, b"x")], "leads out"),
            (vec![("c:/x", FILE | 0o644, b"x")], "leads out"),
            (vec![("l", LINK | 0o777, b"/etc/passwd")], "link that leads out"),
            (vec![("l", LINK | 0o777, b"..")], "link that leads out"),
            (vec![("a/l", LINK | 0o777, b"../../x")], "link that leads out"),
            // By way of another link.
            (
                vec![("p/q/l", LINK | 0o777, b"../../s"), ("m", LINK | 0o777, b"p/q/l/../../x")],
                "link that leads out",
            ),
            (vec![("l", LINK | 0o777, b"")], "link that leads out"),
        ] {
            let (folder, done) = unzipped(&entries);
            let error = done.unwrap_err().to_string();
            assert!(error.contains(told), "{entries:?}: {error}");
            let there: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
            assert_eq!(there.len(), 1, "{there:?}");
        }
    }

    #[test]
    fn nothing_is_written_through_a_link_or_over_a_file() {
        for entries in [
            vec![("d", LINK | 0o777, &b"e"[..]), ("d/x", FILE | 0o644, b"x")],
            vec![("a", FILE | 0o644, b"1"), ("./a", FILE | 0o644, b"2")],
            vec![("a", FILE | 0o644, b"1"), ("a/b", FILE | 0o644, b"2")],
        ] {
            let (_folder, done) = unzipped(&entries);
            assert!(matches!(done, Err(UnzipError::Write { .. })), "{entries:?}: {done:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = archive(&[("a", FILE | 0o644, b"1")]);
        assert!(matches!(unzip(file, folder.path()), Err(UnzipError::Write { .. })));
    }

    #[test]
    fn an_archive_is_no_dearer_than_lambda_allows() {
        let large = vec![0; 100 * 1024 * 1024];
        let names = ["a", "b", "c"].map(|name| (name, FILE | 0o644, &large[..]));
        let (_folder, done) = unzipped(&names);
        assert!(matches!(done, Err(UnzipError::TooLarge)), "{done:?}");
        let folder = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"PK", b"no archive at all"] {
            let done = unzip(Bytes::from_static(bytes), &folder.path().join("code"));
            assert!(matches!(done, Err(UnzipError::Archive(_))), "{done:?}");
        }
    }
}

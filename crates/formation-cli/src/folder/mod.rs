//! A folder as a code archive: the same files are the same bytes, on every machine and at any time, so
//! that what has not changed is recognised by its digest and not uploaded.
//!
//! All files are in, hidden ones too, but for what `.formationignore` names (in the syntax of
//! `.gitignore`) and a short list of what no function needs. No other ignore file counts, or another
//! machine's settings would make another archive. They are sorted by the bytes of their paths, carry
//! one fixed time, and the mode 0644 or 0755. Links are followed within the folder.

mod files;
mod unzip;

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

pub use self::files::{File, IGNORE_FILE, files};
use self::files::{MOST_ENTRIES, MOST_FILES};
pub use self::unzip::{UnzipError, unzip};

/// What Lambda takes, unzipped.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MOST_BYTES: u64 = 262_144_000;

/// How hard to compress: for code this level is as quick as `zip -1` and smaller by a tenth, and the
/// best level is hardly smaller. Another one would make another archive of every folder.
const LEVEL: i64 = 6;

/// A code archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    /// Its bytes, of which clones are no copies: there may be 250 MB of them.
    pub bytes: Bytes,
    /// Their SHA-256 in base64, as Lambda's CodeSha256.
    pub sha256: String,
}

impl Archive {
    /// The archive with these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        let sha256 = sha256(&bytes);
        Self { bytes: bytes.into(), sha256 }
    }
}

/// The SHA-256 of code in base64, as Lambda's CodeSha256.
pub fn sha256(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(bytes))
}

/// Why a folder cannot be an archive.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no such folder.
    #[error("there is no folder {}", .0.display())]
    Missing(PathBuf),
    /// It is a file.
    #[error("{} is not a folder; an archive is named by `zip`", .0.display())]
    NoFolder(PathBuf),
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link leads out of the folder, to nothing, or into a folder that it stands in.
    #[error("the link {} leads {whither}; put what it names into the folder, or the link into {IGNORE_FILE}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// Where to.
        whither: &'static str,
    },
    /// It is neither a file nor a folder nor a link.
    #[error("{} is neither a file nor a folder: put it into {IGNORE_FILE}", .0.display())]
    Special(PathBuf),
    /// A zip has names in Unicode.
    #[error("the name of {} is not in UTF-8: rename it", .0.display())]
    Name(PathBuf),
    /// A pattern that means nothing.
    #[error("{}: {message}", path.display())]
    Pattern {
        /// The file of patterns.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// There is nothing in it.
    #[error("{} has no file to deploy", .0.display())]
    Empty(PathBuf),
    /// It is larger than Lambda takes.
    #[error(
        "{} holds more than the {MOST_BYTES} bytes that Lambda takes. Its largest file is {largest_file}{}. What \
         the function does not need goes into {IGNORE_FILE}", path.display(), and_folder(largest_folder.as_deref())
    )]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The largest file so far.
        largest_file: String,
        /// The folder in it that holds the most so far.
        largest_folder: Option<String>,
    },
    /// It holds more files than anything that Lambda takes.
    #[error(
        "{} has more than {MOST_FILES} files, or {MOST_ENTRIES} files and folders, links followed{}. What the \
         function does not need goes into {IGNORE_FILE}", path.display(), and_folder(largest_folder.as_deref())
    )]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The folder in it that has the most so far.
        largest_folder: Option<String>,
    },
    /// The archive cannot be written.
    #[error("{} cannot be zipped", path.display())]
    Zip {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn and_folder(folder: Option<&str>) -> String {
    folder.map_or_else(String::new, |folder| format!(", and the largest folder is {folder}"))
}

/// Zips a folder.
///
/// # Errors
/// Why it cannot be an archive that Lambda takes.
pub fn zip(folder: &Path) -> Result<Archive, FolderError> {
    let files = files(folder)?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for file in &files {
        let unreadable = |source| FolderError::Unreadable { path: folder.join(&file.name), source };
        let content = fs::read(&file.path).map_err(unreadable)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            // The first moment that a zip can tell, without a time zone.
            .last_modified_time(DateTime::default())
            .unix_permissions(if file.executable { 0o755 } else { 0o644 });
        let written = archive.start_file(file.name.as_str(), options).map_err(io::Error::from);
        written
            .and_then(|()| archive.write_all(&content))
            .map_err(|source| FolderError::Zip { path: folder.to_owned(), source })?;
    }
    let archive = archive.finish().map_err(io::Error::from);
    let archive = archive.map_err(|source| FolderError::Zip { path: folder.to_owned(), source })?;
    Ok(Archive::new(archive.into_inner()))
}

#[cfg(test)]
mod tests;

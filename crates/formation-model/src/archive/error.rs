//! Why an archive is refused.

use std::fmt;

use super::entry::{MAX_NAME_BYTES, MAX_PATH_BYTES};
use super::{MAX_ENTRIES, MAX_UNZIPPED_BYTES};
use crate::problem::FieldProblemCode;

/// Why bytes cannot be a code bundle.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The directory cannot be read.
    #[error("the archive cannot be read as a zip file ({0}); zip the files anew")]
    NotAZip(zip::result::ZipError),
    /// There is no file in it.
    #[error("the archive holds no file; add the function's code to it")]
    Empty,
    /// It has more entries than are judged.
    #[error("the archive has {0} entries; at most {MAX_ENTRIES} are accepted, so leave some out")]
    TooManyEntries(usize),
    /// Which of the two would be unzipped is anybody's guess.
    #[error("the archive has two entries of the same name; leave one of them out")]
    DuplicateName,
    /// Whoever reads the archive from its end would see other entries.
    #[error(
        "the archive's end tells another number, length or place of the entries in its directory \
         than they have; zip the files anew"
    )]
    MistoldDirectory,
    /// Lambda would refuse it.
    #[error(
        "the archive holds more than {MAX_UNZIPPED_BYTES} bytes (250 MB) unzipped, which is the \
         most that Lambda allows; leave out what the function does not need"
    )]
    TooLargeUnzipped,
    /// Something is wrong with one of its entries.
    #[error("the archive's entry `{name}` {flaw}")]
    Entry {
        /// The entry's name, cut where it is long.
        name: String,
        /// What is wrong with it.
        flaw: Flaw,
    },
}

impl ArchiveError {
    /// What it is, for programs.
    pub const fn code(&self) -> FieldProblemCode {
        match self {
            Self::TooLargeUnzipped | Self::TooManyEntries(_) => FieldProblemCode::OutOfRange,
            Self::NotAZip(_)
            | Self::Empty
            | Self::DuplicateName
            | Self::MistoldDirectory
            | Self::Entry { .. } => FieldProblemCode::InvalidFormat,
        }
    }
}

/// What is wrong with an entry of an archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// It would be written outside of the function's folder, or nowhere.
    #[error("has a name that leads out of the archive; names must be relative, without `..`")]
    BadName,
    /// Linux has no room for it.
    #[error(
        "has a path of more than {MAX_PATH_BYTES} bytes, which is too long for Linux; shorten it"
    )]
    LongPath,
    /// Linux has no room for it.
    #[error(
        "has a file's or folder's name of more than {MAX_NAME_BYTES} bytes in its path, which is too \
         long for Linux; shorten it"
    )]
    LongName,
    /// Which of the two it would be unzipped to is anybody's guess.
    #[error(
        "has another name in an extra field (0x7075) than in its header; zip the files anew, with \
         names in ASCII or UTF-8"
    )]
    SecondName,
    /// Only one of the two can be at a path.
    #[error("is a file, and another entry needs a folder of the same name; rename one of the two")]
    FileAndFolder,
    /// Nobody could write it.
    #[error("is a folder, but holds data; rename it if it is a file, or leave out the data")]
    FolderWithData,
    /// It is nothing that Lambda could run or read.
    #[error(
        "is marked as a device, a socket or a pipe; leave it out, or zip a regular file in its place"
    )]
    Irregular,
    /// It cannot be read without a password.
    #[error("is encrypted, and Lambda knows no password; zip it without one")]
    Encrypted,
    /// Lambda does not know how it is compressed.
    #[error("is compressed by {0}; only stored and deflated entries can be unzipped")]
    Method(Method),
    /// Whoever reads the archive from its start would see another entry.
    #[error(
        "is described otherwise in its own header than in the archive's directory; zip the files anew"
    )]
    Contradicted,
    /// Its bytes belong to something else, too.
    #[error("overlaps another entry or the archive's directory; zip the files anew")]
    Overlapping,
    /// Its data is not what its size and checksum say.
    #[error("is damaged: its data does not match its size and checksum; zip the files anew")]
    Damaged,
}

/// A compression method, by its number in zip.
/// Source: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, section 4.4.5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Method(pub(super) u16);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "Shrink",
            2..=5 => "Reduce",
            6 => "Implode",
            9 => "Deflate64",
            12 => "bzip2",
            14 => "LZMA",
            20 | 93 => "Zstandard",
            95 => "XZ",
            98 => "PPMd",
            other => return write!(f, "method {other}"),
        };
        f.write_str(name)
    }
}

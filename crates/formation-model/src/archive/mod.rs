//! Judging a zip archive before Lambda does: what Lambda could not unzip is refused while the caller
//! still listens, rather than by an operation that fails later.
//!
//! The directory of an archive is only a claim. So every entry is held against its own header, and
//! unzipped for its true size and checksum. It is unzipped into nothing and no further than to what
//! Lambda allows, so that a zip bomb costs bounded time and no memory.

mod entry;
mod error;
#[cfg(test)]
pub(crate) mod tests;
mod unzip;
mod warnings;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::ops::Bound::{Included, Unbounded};
use std::ops::Range;

use zip::ZipArchive;

use self::entry::{ELSEWHERE, Entry, mode, u16_at, u32_at, u64_at};
pub use self::error::{ArchiveError, Flaw, Method};
use self::unzip::Unzipper;

/// Lambda's limit on unzipped code, in bytes.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_UNZIPPED_BYTES: u64 = 262_144_000;

/// How many entries an archive may have: what a zip directory counts without its 64-bit extension.
/// An archive that fits into a request has room for fewer.
const MAX_ENTRIES: usize = 65_535;

/// Characters of an entry's name that a problem shows.
const SHOWN_NAME: usize = 80;

const DIRECTORY_END: [u8; 4] = *b"PK\x05\x06";
const DIRECTORY_END_64: [u8; 4] = *b"PK\x06\x06";

/// What an archive holds, as far as it tells whether a function can run from it.
#[derive(Debug, Default)]
pub struct Contents {
    /// The names of its files.
    pub(crate) files: BTreeSet<String>,
    /// Whether the file `bootstrap`, if there is one, is marked as executable.
    pub(crate) bootstrap_is_executable: bool,
}

/// Judges an archive whole: its directory, and of every entry the header, method, checksum and true
/// size.
///
/// # Errors
/// The first reason to refuse it.
pub fn judge(archive: &[u8]) -> Result<Contents, ArchiveError> {
    let directory = ZipArchive::new(Cursor::new(archive)).map_err(ArchiveError::NotAZip)?;
    if directory.len() > MAX_ENTRIES {
        return Err(ArchiveError::TooManyEntries(directory.len()));
    }
    if directory.has_duplicate_names() {
        return Err(ArchiveError::DuplicateName);
    }
    let mut contents = Contents::default();
    let mut folders = BTreeSet::new();
    let mut entries = Vec::with_capacity(directory.len());
    let directory_start = usize::try_from(directory.central_directory_start()).unwrap_or_default();
    let mut directory_end = directory_start;
    for index in 0..directory.len() {
        let listed = directory.by_index_data(index).map_err(ArchiveError::NotAZip)?;
        let entry = Entry::read(archive, &listed)?;
        let path = normal(&entry.name);
        if entry.is_folder {
            folders.insert(path + "/");
        } else {
            if path == "bootstrap" {
                contents.bootstrap_is_executable = mode(&listed) & 0o111 != 0;
            }
            if !contents.files.insert(path) {
                return Err(ArchiveError::DuplicateName);
            }
        }
        directory_end = entry.listed_until;
        entries.push(entry);
    }
    if contents.files.is_empty() {
        return Err(ArchiveError::Empty);
    }
    if is_told_truly(archive, &directory, directory_start..directory_end) != Some(true) {
        return Err(ArchiveError::MistoldDirectory);
    }
    let has_below = |names: &BTreeSet<String>, folder: &str| {
        let mut behind = names.range::<str, _>((Included(folder), Unbounded));
        behind.next().is_some_and(|name| name.starts_with(folder))
    };
    for file in &contents.files {
        let folder = format!("{file}/");
        if has_below(&contents.files, &folder) || has_below(&folders, &folder) {
            return Err(refused(file, Flaw::FileAndFolder));
        }
    }
    entries.sort_unstable_by_key(|entry| entry.start);
    let next_starts = entries.iter().skip(1).map(|entry| entry.start);
    for (entry, next) in entries.iter().zip(next_starts.chain([directory_start])) {
        if entry.end > next {
            return Err(refused(&entry.name, Flaw::Overlapping));
        }
    }
    let mut unzipper = Unzipper::new();
    for entry in &entries {
        if !unzipper.unzip(entry)? {
            return Err(refused(&entry.name, Flaw::Damaged));
        }
    }
    Ok(contents)
}

fn refused(name: &str, flaw: Flaw) -> ArchiveError {
    ArchiveError::Entry { name: shown(name), flaw }
}

/// A name as a text may show it: cut where it is long.
pub(crate) fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN_NAME) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}...", &name[..end]),
    }
}

/// Whether the archive's end says of its directory what was found: nothing else lies in it, and
/// whoever looks for it finds the same one. None where the end is cut.
fn is_told_truly(
    archive: &[u8],
    directory: &ZipArchive<Cursor<&[u8]>>,
    found: Range<usize>,
) -> Option<bool> {
    let entries = u64::try_from(directory.len()).ok()?;
    let length = u64::try_from(found.len()).ok()?;
    let start = directory.central_directory_start().checked_sub(directory.offset())?;

    let behind = archive.get(found.end..)?;
    // Readers take the last record, and search for it from the end.
    let at = behind.windows(4).rposition(|it| it == DIRECTORY_END)?;
    let (extension, record) = behind.split_at(at);
    let is_extended = !extension.is_empty();
    let is_right =
        |told: u64, truth: u64, elsewhere: u64| told == truth || is_extended && told == elsewhere;
    let is_record_right = is_right(u16_at(record, 8)?.into(), entries, u16::MAX.into())
        && is_right(u16_at(record, 10)?.into(), entries, u16::MAX.into())
        && is_right(u32_at(record, 12)?.into(), length, ELSEWHERE.into())
        && is_right(u32_at(record, 16)?.into(), start, ELSEWHERE.into());
    if !is_extended {
        return Some(is_record_right);
    }
    // What its length leaves out: 12 bytes before it and the 20 that say where it begins.
    let extension_length = u64_at(extension, 4)?.checked_add(12 + 20)?;
    Some(
        is_record_right
            && extension.starts_with(&DIRECTORY_END_64)
            && u64::try_from(extension.len()) == Ok(extension_length)
            && u64_at(extension, 24)? == entries
            && u64_at(extension, 32)? == entries
            && u64_at(extension, 40)? == length
            && u64_at(extension, 48)? == start,
    )
}

/// The path that an entry of this name is unzipped to.
fn normal(name: &str) -> String {
    let mut path = String::with_capacity(name.len() + 1);
    for step in name.split('/').filter(|step| !["", "."].contains(step)) {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(step);
    }
    path
}

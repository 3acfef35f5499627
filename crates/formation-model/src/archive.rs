//! Judging a zip archive before Lambda does: what Lambda could not unzip is refused while the caller
//! still listens, rather than by an operation that fails later.
//!
//! The directory of an archive is only a claim. So every entry is held against its own header, and
//! unzipped for its true size and checksum. It is unzipped into nothing and no further than to what
//! Lambda allows, so that a zip bomb costs bounded time and no memory.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Cursor;
use std::iter;
use std::ops::Bound::{Included, Unbounded};
use std::ops::Range;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zip::ZipArchive;
use zip::read::ZipFileEntry;

use crate::problem::FieldProblemCode;

/// Lambda's limit on unzipped code, in bytes.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_UNZIPPED_BYTES: u64 = 262_144_000;

/// How many entries an archive may have: what a zip directory counts without its 64-bit extension.
/// An archive that fits into a request has room for fewer.
const MAX_ENTRIES: usize = 65_535;

/// How long a path may be, in bytes, so that Linux can open it in the folder of a function's code:
/// `PATH_MAX` is 4096, with the zero at the end.
/// Source: <https://man7.org/linux/man-pages/man7/path_resolution.7.html>.
const MAX_PATH_BYTES: usize = 4096 - "/var/task/".len() - 1;

/// How long each name in a path may be, in bytes: Linux's `NAME_MAX`.
const MAX_NAME_BYTES: usize = 255;

/// Characters of an entry's name that a problem shows.
const SHOWN_NAME: usize = 80;

const LOCAL_HEADER: Layout = Layout { signature: *b"PK\x03\x04", flags: 6, lengths: 2, name: 30 };
const CENTRAL_HEADER: Layout = Layout { signature: *b"PK\x01\x02", flags: 8, lengths: 3, name: 46 };
const DIRECTORY_END: [u8; 4] = *b"PK\x05\x06";
const DIRECTORY_END_64: [u8; 4] = *b"PK\x06\x06";

/// The bit of an entry's flags that says that its sizes and checksum follow its data.
const STREAMED: u16 = 1 << 3;
/// Encrypted, by whichever of zip's ways.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// What stands for a size that is elsewhere, in zip's 64-bit extension.
const ELSEWHERE: u32 = u32::MAX;

/// The extra field with the sizes that are elsewhere.
/// Source: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, section 4.5.3.
const SIZES_64: u16 = 0x0001;
/// The extra field with the name in UTF-8, section 4.6.9 of the same.
const UNICODE_PATH: u16 = 0x7075;

/// The bits of a Unix mode that say what is at a path.
const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

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
pub struct Method(u16);

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

/// The number at an offset.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number at an offset.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number at an offset.
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
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

/// An entry's Unix mode; 0 where its writer knew of none.
fn mode(listed: &ZipFileEntry<'_>) -> u32 {
    listed.external_attributes() >> 16
}

/// An entry whose header and directory agree.
struct Entry<'a> {
    name: String,
    is_folder: bool,
    /// Where the directory goes on behind it.
    listed_until: usize,
    /// Where its header begins.
    start: usize,
    /// Where its data ends.
    end: usize,
    data: &'a [u8],
    is_deflated: bool,
    /// As declared.
    size: u64,
    /// As declared.
    crc32: u32,
}

impl<'a> Entry<'a> {
    /// Holds what the directory says of an entry against the entry's own header.
    fn read(archive: &'a [u8], listed: &ZipFileEntry<'_>) -> Result<Self, ArchiveError> {
        let name = listed.name().map_err(ArchiveError::NotAZip)?;
        Self::found(archive, listed, &name).map_err(|flaw| refused(&name, flaw))
    }

    fn found(archive: &'a [u8], listed: &ZipFileEntry<'_>, name: &str) -> Result<Self, Flaw> {
        let header = |layout: &Layout, at: u64| layout.read(archive, usize::try_from(at).ok()?);
        let central = header(&CENTRAL_HEADER, listed.central_header_start());
        let local = header(&LOCAL_HEADER, listed.header_start());
        let (Some(central), Some(local)) = (central, local) else { return Err(Flaw::Contradicted) };
        if central.has_second_name() || local.has_second_name() {
            return Err(Flaw::SecondName);
        }
        if !is_inside(name) {
            return Err(Flaw::BadName);
        }
        if name.len() > MAX_PATH_BYTES {
            return Err(Flaw::LongPath);
        }
        if name.split('/').any(|step| step.len() > MAX_NAME_BYTES) {
            return Err(Flaw::LongName);
        }
        let kind = mode(listed) & KIND;
        if ![0, FILE, FOLDER, LINK].contains(&kind) {
            return Err(Flaw::Irregular);
        }
        if (central.flags | local.flags) & ENCRYPTED != 0 {
            return Err(Flaw::Encrypted);
        }
        let sizes = central.sizes().filter(|sizes| local.agrees_with(&central, sizes));
        let Some(Sizes { size, compressed_size }) = sizes else { return Err(Flaw::Contradicted) };
        let is_folder = kind == FOLDER || matches!(name.rsplit('/').next(), Some("" | "."));
        if is_folder && size != 0 {
            return Err(Flaw::FolderWithData);
        }
        if ![STORED, DEFLATED].contains(&local.method) {
            return Err(Flaw::Method(Method(local.method)));
        }
        let length = usize::try_from(compressed_size).ok();
        let end = length.and_then(|length| local.end.checked_add(length));
        let data = end.and_then(|end| Some((end, archive.get(local.end..end)?)));
        let Some((end, data)) = data else { return Err(Flaw::Overlapping) };
        Ok(Self {
            name: name.to_owned(),
            is_folder,
            listed_until: central.end,
            start: local.start,
            end,
            data,
            is_deflated: local.method == DEFLATED,
            size,
            crc32: central.crc32,
        })
    }
}

/// Whether a file of this name lies in the folder that the archive is unzipped into. Backslashes
/// separate folders for some who unzip.
fn is_inside(name: &str) -> bool {
    let mut steps = name.split(['/', '\\']);
    !name.is_empty()
        && !name.starts_with(['/', '\\'])
        && !name.contains('\0')
        && steps.all(|step| step != "..")
}

/// Where the fields of a header lie: both kinds have the same ones in the same order.
struct Layout {
    signature: [u8; 4],
    flags: usize,
    /// How many lengths it gives: of the name, of the extra fields, and in the directory of a comment.
    lengths: usize,
    name: usize,
}

impl Layout {
    fn read<'a>(&self, archive: &'a [u8], start: usize) -> Option<Header<'a>> {
        let header = archive.get(start..)?;
        if header.first_chunk() != Some(&self.signature) {
            return None;
        }
        let mut end = self.name;
        let mut parts = [&header[..0]; 3];
        for (index, part) in parts.iter_mut().take(self.lengths).enumerate() {
            let length = usize::from(u16_at(header, self.flags + 20 + 2 * index)?);
            *part = header.get(end..end + length)?;
            end += length;
        }
        let [name, extra, _comment] = parts;
        Some(Header {
            flags: u16_at(header, self.flags)?,
            method: u16_at(header, self.flags + 2)?,
            crc32: u32_at(header, self.flags + 8)?,
            compressed_size: u32_at(header, self.flags + 12)?,
            size: u32_at(header, self.flags + 16)?,
            name,
            extra,
            start,
            end: start + end,
        })
    }
}

/// What a header says of its entry.
struct Header<'a> {
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_size: u32,
    size: u32,
    name: &'a [u8],
    extra: &'a [u8],
    start: usize,
    /// Where the header ends; a local one's data begins there.
    end: usize,
}

/// How long an entry is, in bytes.
struct Sizes {
    size: u64,
    compressed_size: u64,
}

impl<'a> Header<'a> {
    /// Whether a local header says the same as the directory, which is written last and knows all.
    fn agrees_with(&self, central: &Header<'_>, sizes: &Sizes) -> bool {
        let is_streamed = self.flags & STREAMED != 0;
        let same = |local: u64, central: u64| local == central || is_streamed && local == 0;
        self.name == central.name
            && self.method == central.method
            && same(self.crc32.into(), central.crc32.into())
            && self.sizes().is_some_and(|own| {
                same(own.compressed_size, sizes.compressed_size) && same(own.size, sizes.size)
            })
    }

    /// Its sizes, wherever they are; none where that is nowhere, or in either of two places.
    fn sizes(&self) -> Option<Sizes> {
        let mut fields = self.extra_fields(SIZES_64);
        let mut elsewhere = fields.next().unwrap_or_default();
        if fields.next().is_some() {
            return None;
        }
        let mut size = |size: u32| {
            if size != ELSEWHERE {
                return Some(u64::from(size));
            }
            let (size, rest) = elsewhere.split_first_chunk()?;
            elsewhere = rest;
            Some(u64::from_le_bytes(*size))
        };
        Some(Sizes { size: size(self.size)?, compressed_size: size(self.compressed_size)? })
    }

    /// Whether an extra field gives it another name.
    fn has_second_name(&self) -> bool {
        // Before the name are a version and the checksum of the header's name. Not everybody looks
        // whether that is right.
        self.extra_fields(UNICODE_PATH).any(|field| field.get(5..) != Some(self.name))
    }

    /// What its extra fields of one kind hold. Behind the last whole one there may be padding.
    fn extra_fields(&self, wanted: u16) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.extra;
        let fields = iter::from_fn(move || {
            let kind = u16_at(rest, 0)?;
            let end = 4 + usize::from(u16_at(rest, 2)?);
            let field = rest.get(4..end)?;
            rest = &rest[end..];
            Some((kind, field))
        });
        fields.filter(move |(kind, _)| *kind == wanted).map(|(_, field)| field)
    }
}

/// Unzips entries into nothing.
struct Unzipper {
    inflate: Decompress,
    buffer: Vec<u8>,
    /// Bytes that the archive may still unzip to.
    left: u64,
}

impl Unzipper {
    fn new() -> Self {
        let (inflate, buffer) = (Decompress::new(false), vec![0; 64 * 1024]);
        Self { inflate, buffer, left: MAX_UNZIPPED_BYTES }
    }

    /// Whether the entry unzips to what it declares.
    ///
    /// # Errors
    /// [`ArchiveError::TooLargeUnzipped`] as soon as the archive is.
    fn unzip(&mut self, entry: &Entry<'_>) -> Result<bool, ArchiveError> {
        let (size, crc32) = if entry.is_deflated {
            match self.inflate(entry.data)? {
                Some(found) => found,
                None => return Ok(false),
            }
        } else {
            let mut crc = Crc::new();
            crc.update(entry.data);
            (entry.data.len() as u64, crc.sum())
        };
        let left = self.left.checked_sub(size);
        self.left = left.ok_or(ArchiveError::TooLargeUnzipped)?;
        Ok(size == entry.size && crc32 == entry.crc32)
    }

    /// The true size and checksum of deflated data; none where it is not one whole stream.
    fn inflate(&mut self, data: &[u8]) -> Result<Option<(u64, u32)>, ArchiveError> {
        let Self { inflate, buffer, left } = self;
        inflate.reset(false);
        let mut crc = Crc::new();
        let mut rest = data;
        loop {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let Ok(status) = inflate.decompress(rest, buffer, FlushDecompress::None) else {
                return Ok(None);
            };
            let read = usize::try_from(inflate.total_in() - read).unwrap_or_default();
            let written = usize::try_from(inflate.total_out() - written).unwrap_or_default();
            crc.update(&buffer[..written]);
            rest = &rest[read..];
            if inflate.total_out() > *left {
                return Err(ArchiveError::TooLargeUnzipped);
            }
            match status {
                Status::StreamEnd if rest.is_empty() => break,
                // The stream ends before its data does, or its data before the stream.
                Status::StreamEnd => return Ok(None),
                Status::Ok | Status::BufError if read == 0 && written == 0 => return Ok(None),
                Status::Ok | Status::BufError => {}
            }
        }
        Ok(Some((inflate.total_out(), crc.sum())))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    /// What a header says of an entry.
    #[derive(Clone, Copy)]
    struct Claim {
        flags: u16,
        method: u16,
        crc32: u32,
        compressed_size: u32,
        size: u32,
    }

    /// An entry as anybody might write it.
    #[derive(Clone)]
    pub(crate) struct Written {
        local_name: Vec<u8>,
        name: Vec<u8>,
        local_extra: Vec<u8>,
        extra: Vec<u8>,
        local: Claim,
        central: Claim,
        mode: u32,
        data: Vec<u8>,
        /// Bytes between the data and the next entry.
        behind: Vec<u8>,
        /// Where the directory says that it begins, if not where it does.
        start: Option<u32>,
    }

    impl Written {
        fn new(name: &str, method: u16, content: &[u8], data: Vec<u8>) -> Self {
            let mut crc = Crc::new();
            crc.update(content);
            let claim = Claim {
                flags: 0,
                method,
                crc32: crc.sum(),
                compressed_size: data.len().try_into().unwrap(),
                size: content.len().try_into().unwrap(),
            };
            let name = name.as_bytes().to_vec();
            Self {
                local_name: name.clone(),
                name,
                local_extra: Vec::new(),
                extra: Vec::new(),
                local: claim,
                central: claim,
                mode: 0o644,
                data,
                behind: Vec::new(),
                start: None,
            }
        }

        pub(crate) fn stored(name: &str, content: &[u8]) -> Self {
            Self::new(name, STORED, content, content.to_vec())
        }

        fn deflated(name: &str, content: &[u8]) -> Self {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).unwrap();
            Self::new(name, DEFLATED, content, encoder.finish().unwrap())
        }

        /// As a writer that cannot seek puts it: sizes and checksum behind the data.
        fn streamed(mut self) -> Self {
            let Claim { crc32, compressed_size, size, .. } = self.central;
            self.behind = b"PK\x07\x08".to_vec();
            for number in [crc32, compressed_size, size] {
                self.behind.extend(number.to_le_bytes());
            }
            self.central.flags |= STREAMED;
            self.local = Claim { crc32: 0, compressed_size: 0, size: 0, ..self.central };
            self
        }

        pub(crate) fn with_mode(self, mode: u32) -> Self {
            Self { mode, ..self }
        }

        fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
            change(&mut self);
            self
        }

        /// With an extra field in both headers.
        fn with_extra(mut self, kind: u16, content: &[u8]) -> Self {
            self.local_extra.extend(extra(kind, content));
            self.extra.extend(extra(kind, content));
            self
        }

        /// With the same claim in both headers.
        fn claiming(mut self, change: impl Fn(&mut Claim)) -> Self {
            change(&mut self.local);
            change(&mut self.central);
            self
        }
    }

    fn claim(bytes: &mut Vec<u8>, claim: &Claim) {
        bytes.extend(claim.flags.to_le_bytes());
        bytes.extend(claim.method.to_le_bytes());
        bytes.extend([0, 0, 0x21, 0]);
        for number in [claim.crc32, claim.compressed_size, claim.size] {
            bytes.extend(number.to_le_bytes());
        }
    }

    pub(crate) fn zip(entries: &[Written]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        for entry in entries {
            let start = u32::try_from(bytes.len()).unwrap();
            bytes.extend(b"PK\x03\x04\x14\0");
            claim(&mut bytes, &entry.local);
            bytes.extend(u16::try_from(entry.local_name.len()).unwrap().to_le_bytes());
            bytes.extend(u16::try_from(entry.local_extra.len()).unwrap().to_le_bytes());
            bytes.extend(&entry.local_name);
            bytes.extend(&entry.local_extra);
            bytes.extend(&entry.data);
            bytes.extend(&entry.behind);

            directory.extend(b"PK\x01\x02\x14\x03\x14\0");
            claim(&mut directory, &entry.central);
            directory.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
            directory.extend(u16::try_from(entry.extra.len()).unwrap().to_le_bytes());
            directory.extend([0; 6]);
            directory.extend((entry.mode << 16).to_le_bytes());
            directory.extend(entry.start.unwrap_or(start).to_le_bytes());
            directory.extend(&entry.name);
            directory.extend(&entry.extra);
        }
        let start = u32::try_from(bytes.len()).unwrap();
        let length = u32::try_from(directory.len()).unwrap();
        let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
        bytes.extend(directory);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend(count);
        bytes.extend(count);
        bytes.extend(length.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    /// With the sizes of the local header in its 64-bit extension.
    fn extended(mut entry: Written, sizes: &[u64]) -> Written {
        let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
        entry.local_extra.extend(extra(SIZES_64, &sizes));
        entry.local.size = ELSEWHERE;
        entry.local.compressed_size = ELSEWHERE;
        entry
    }

    /// With what the archive's end tells of its directory in zip's 64-bit extension.
    fn with_extended_end(mut bytes: Vec<u8>, entries: u64) -> Vec<u8> {
        let mut record = bytes.split_off(bytes.len() - 22);
        let [length, start] = [12, 16].map(|at| u64::from(u32_at(&record, at).unwrap()));
        let at = bytes.len() as u64;
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [entries, entries, length, start] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(at.to_le_bytes());
        bytes.extend([1, 0, 0, 0]);
        record[8..20].fill(0xff);
        bytes.extend(record);
        bytes
    }

    fn extra(kind: u16, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        [&kind.to_le_bytes()[..], &length.to_le_bytes(), content].concat()
    }

    /// What the extra field for names in UTF-8 holds beside the header's name `name`.
    fn unicode(name: &str) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(name.as_bytes());
        [&[1][..], &crc.sum().to_le_bytes(), name.as_bytes()].concat()
    }

    fn good() -> Written {
        Written::deflated("index.mjs", b"export const handler = () => 1;")
    }

    #[track_caller]
    fn flaw(entries: &[Written]) -> Flaw {
        match judge(&zip(entries)) {
            Err(ArchiveError::Entry { flaw, .. }) => flaw,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn archives_of_every_honest_writer_are_accepted() {
        for entries in [
            vec![good()],
            vec![good().streamed()],
            vec![Written::stored("a", b""), Written::stored("b", b"x").streamed(), good()],
            vec![Written::stored("lib/", b""), Written::deflated("lib/a.js", b"x")],
            vec![good(), Written::stored("link", b"index.mjs").with_mode(0o120_777)],
            vec![Written::stored("./grüße.mjs", b"x").claiming(|it| it.flags |= 1 << 11)],
            vec![Written::stored("./", b""), Written::stored("./a", b"x")],
            // Folders as Java writes them, and as their mode marks them.
            vec![good(), Written::deflated("lib/", b"").streamed()],
            vec![good(), Written::stored("lib", b"").with_mode(0o040_755)],
            vec![Written::stored("grüße", b"x").with_extra(UNICODE_PATH, &unicode("grüße"))],
            // Padding, as Android's tools write it.
            vec![good().with(|it| it.local_extra = vec![0; 3])],
            vec![extended(good(), &[0, 0]).with(|it| {
                it.central.flags |= STREAMED;
                it.local.flags |= STREAMED;
                it.local.crc32 = 0;
            })],
        ] {
            judge(&zip(&entries)).unwrap();
        }
        // Something before the first entry, as in archives that start themselves, and a comment.
        let mut bytes = b"#!/bin/sh\n".to_vec();
        bytes.extend(zip(&[good()]));
        let comment = bytes.len() - 2;
        bytes[comment] = 4;
        bytes.extend(b"made");
        judge(&bytes).unwrap();
        // Sizes in zip's 64-bit extension, and what is told of the directory.
        judge(&zip(&[extended(good(), &[31, good().data.len() as u64])])).unwrap();
        judge(&with_extended_end(zip(&[good()]), 1)).unwrap();
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file("index.py", options.large_file(true)).unwrap();
        writer.write_all(b"x").unwrap();
        judge(writer.finish().unwrap().get_ref()).unwrap();
    }

    #[test]
    fn what_is_no_archive_or_an_empty_one_is_refused() {
        for bytes in [&b""[..], b"not a zip", b"PK\x03\x04", b"PK\x05\x06"] {
            assert!(matches!(judge(bytes), Err(ArchiveError::NotAZip(_))), "{bytes:?}");
        }
        assert!(matches!(judge(&zip(&[])), Err(ArchiveError::Empty)));
        let folder = Written::stored("lib/", b"");
        assert!(matches!(judge(&zip(&[folder])), Err(ArchiveError::Empty)));
        for names in [&["./"][..], &["."], &["./", "."], &["./."], &[".//", "a/."]] {
            let folders: Vec<_> = names.iter().map(|name| Written::stored(name, b"")).collect();
            assert!(matches!(judge(&zip(&folders)), Err(ArchiveError::Empty)), "{names:?}");
        }
    }

    #[test]
    fn an_archive_that_was_cut_or_changed_anywhere_is_refused_or_unchanged_in_content() {
        let whole = zip(&[good(), Written::stored("data", &[7; 100])]);
        for length in 0..whole.len() {
            assert!(judge(&whole[..length]).is_err(), "cut at {length}");
        }
        // In the data of the second entry, in the first's name, and in a method.
        let data = whole.windows(3).position(|it| it == [7, 7, 7]).unwrap();
        for at in [data, 30, 8] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(judge(&changed).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn methods_that_lambda_cannot_unzip_are_named() {
        for (method, name) in
            [(12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (9, "Deflate64"), (77, "method 77")]
        {
            let entry = good().claiming(|it| it.method = method);
            let error = judge(&zip(&[entry])).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("index.mjs"), "{error}");
        }
    }

    #[test]
    fn encrypted_entries_are_refused_whichever_header_says_so() {
        for bit in [1, 1 << 6, 1 << 13] {
            assert_eq!(flaw(&[good().claiming(|it| it.flags |= bit)]), Flaw::Encrypted);
        }
        assert_eq!(flaw(&[good().with(|it| it.local.flags |= 1)]), Flaw::Encrypted);
        assert_eq!(flaw(&[good().with(|it| it.central.flags |= 1)]), Flaw::Encrypted);
    }

    #[test]
    fn headers_that_contradict_the_directory_are_refused() {
        let changes: [fn(&mut Written); 8] = [
            |it| it.local.method = STORED,
            |it| it.local.crc32 ^= 1,
            |it| it.local.size += 1,
            |it| it.local.compressed_size -= 1,
            |it| it.local.size = 0,
            |it| it.local_name = b"other.mjs".to_vec(),
            |it| it.start = Some(1),
            |it| it.start = Some(u32::MAX - 1),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert_eq!(flaw(&[good().with(change)]), Flaw::Contradicted, "change {index}");
        }
        let streamed = good().streamed().with(|it| it.local.size = 1);
        assert_eq!(flaw(&[streamed]), Flaw::Contradicted);
    }

    #[test]
    fn sizes_and_checksums_that_lie_are_refused() {
        let changes: [fn(&mut Claim); 3] =
            [|it| it.crc32 ^= 1, |it| it.size += 1, |it| it.size -= 1];
        for change in changes {
            assert_eq!(flaw(&[good().claiming(change)]), Flaw::Damaged);
            assert_eq!(flaw(&[Written::stored("a", b"xy").claiming(change)]), Flaw::Damaged);
            let streamed = good().streamed().with(|it| change(&mut it.central));
            assert_eq!(flaw(&[streamed]), Flaw::Damaged);
        }
        // Data beyond the end of the deflated stream, and a stream without an end.
        let longer = good().claiming(|it| it.compressed_size += 1);
        assert_eq!(flaw(&[longer.with(|it| it.data.push(0))]), Flaw::Damaged);
        let shorter = good().claiming(|it| it.compressed_size -= 1);
        assert_eq!(flaw(&[shorter.with(|it| it.data.truncate(it.data.len() - 1))]), Flaw::Damaged);
        let garbage = good().with(|it| it.data.fill(0xff));
        assert_eq!(flaw(&[garbage]), Flaw::Damaged);
    }

    #[test]
    fn entries_that_overlap_are_refused() {
        // The same bytes under two names: each header is right.
        let inner = zip(&[Written::stored("b", b"x")]);
        let outer = Written::stored("a", &inner);
        let second = Written { start: Some(31), data: Vec::new(), ..Written::stored("b", b"x") };
        // Its own header is behind the first's data, where nobody looks.
        assert_eq!(flaw(&[outer, second]), Flaw::Overlapping);
        // Data that reaches into the directory, and past the end.
        for length in [40, 1 << 20] {
            let longer = Written::stored("a", b"x").claiming(|it| it.compressed_size = length);
            assert_eq!(flaw(&[longer]), Flaw::Overlapping);
        }
    }

    #[test]
    fn names_that_lead_out_of_the_archive_are_refused() {
        for name in ["../x", "/etc/passwd", "a/../../x", "a/..", "..\\x", "\\x", "a\0.js", ""] {
            assert_eq!(flaw(&[good(), Written::stored(name, b"x")]), Flaw::BadName, "{name:?}");
        }
        judge(&zip(&[Written::stored("a..b/...", b"x")])).unwrap();
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        let twice = zip(&[Written::stored("a", b"x"), Written::stored("a", b"y")]);
        assert!(matches!(judge(&twice), Err(ArchiveError::DuplicateName)));
        for (one, other) in [
            ("a", "./a"),
            ("a/b", "a//b"),
            ("a/b", "a/./b"),
            ("a/././/b", ".//a/b"),
            ("index.mjs", ".//index.mjs"),
        ] {
            let twice = zip(&[Written::stored(one, b"x"), Written::stored(other, b"y")]);
            assert!(matches!(judge(&twice), Err(ArchiveError::DuplicateName)), "{one} {other}");
        }
        let alike = ["a.b", "a/b", "a/b.", "a/.b", "...", "a/..."];
        let contents = judge(&zip(&alike.map(|name| Written::stored(name, b"x")))).unwrap();
        assert!(contents.files.iter().eq(["...", "a.b", "a/...", "a/.b", "a/b", "a/b."]));
    }

    #[test]
    fn a_file_that_is_a_folder_of_another_entry_is_refused() {
        for (file, other) in
            [("a", "a/b.js"), ("a", "a/"), ("a", "./a/."), ("a/b", "a//b/c/d"), ("./a", "a/b/")]
        {
            // What sorts between them does not hide it.
            let mut entries = [file, "a-b", "a.b", other].map(|name| {
                Written::stored(name, if name.ends_with(['/', '.']) { b"" } else { b"x" })
            });
            assert_eq!(flaw(&entries), Flaw::FileAndFolder, "{file} {other}");
            entries.reverse();
            assert_eq!(flaw(&entries), Flaw::FileAndFolder, "{other} {file}");
        }
        let link = Written::stored("a", b"/tmp").with_mode(0o120_777);
        assert_eq!(flaw(&[link, Written::stored("a/b.js", b"x")]), Flaw::FileAndFolder);
        judge(&zip(&["a", "a-/b", "ab/a"].map(|name| Written::stored(name, b"x")))).unwrap();
    }

    #[test]
    fn a_folder_that_holds_data_is_refused() {
        for folder in ["a/", "a/.", ".", "./"] {
            assert_eq!(flaw(&[good(), Written::stored(folder, b"x")]), Flaw::FolderWithData);
            assert_eq!(flaw(&[good(), Written::deflated(folder, b"x")]), Flaw::FolderWithData);
        }
        let marked = Written::stored("a", b"x").with_mode(0o040_755);
        assert_eq!(flaw(&[good(), marked]), Flaw::FolderWithData);
        // However little of it is declared.
        let hidden = Written::deflated("a/", b"x").claiming(|it| it.size = 0);
        assert_eq!(flaw(&[good(), hidden]), Flaw::Damaged);
    }

    #[test]
    fn names_that_linux_has_no_room_for_are_refused() {
        let step = "ä".repeat(127) + "x";
        judge(&zip(&[Written::stored(&format!("{step}/{step}"), b"x")])).unwrap();
        for name in [format!("{step}x"), format!("a/{step}x/b"), format!("{step}x/")] {
            assert_eq!(flaw(&[good(), Written::stored(&name, b"")]), Flaw::LongName);
        }
        let path = format!("{step}/").repeat(16);
        let path = &path[path.len() - MAX_PATH_BYTES + 1..];
        judge(&zip(&[Written::stored(&format!("{path}x"), b"x")])).unwrap();
        let error = judge(&zip(&[Written::stored(&format!("{path}xy"), b"x")])).unwrap_err();
        assert!(matches!(error, ArchiveError::Entry { flaw: Flaw::LongPath, .. }));
        assert!(error.to_string().contains("more than 4085 bytes"), "{error}");
    }

    #[test]
    fn what_is_marked_as_neither_file_nor_folder_nor_link_is_refused() {
        // Pipe, character device, block device, socket, and what has no meaning.
        for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000, 0o170_000] {
            assert_eq!(flaw(&[good().with_mode(kind | 0o644)]), Flaw::Irregular, "{kind:o}");
        }
        for kind in [0, FILE, LINK] {
            judge(&zip(&[good().with_mode(kind | 0o644)])).unwrap();
        }
    }

    #[test]
    fn a_directory_whose_end_tells_of_another_one_is_refused() {
        let whole = zip(&[good(), Written::stored("a", b"x"), Written::stored("b", b"x")]);
        let end = whole.len() - 22;
        let changed = |at: usize, bytes: &[u8]| {
            let mut changed = whole.clone();
            changed[end + at..][..bytes.len()].copy_from_slice(bytes);
            changed
        };
        let length = u32_at(&whole, end + 12).unwrap();
        // The last entry behind a record of its own that ends the directory before it.
        let mut hidden = changed(8, &[2, 0, 2, 0]);
        let last = whole.windows(4).rposition(|it| it == CENTRAL_HEADER.signature).unwrap();
        hidden.splice(last..last, hidden[end..].to_vec());
        let mut signed = whole.clone();
        signed.splice(end..end, *b"PK\x05\x05\0\0");
        for (index, bytes) in [
            changed(8, &[2, 0, 2, 0]),
            changed(8, &[1, 0, 1, 0]),
            changed(12, &(length - 1).to_le_bytes()),
            changed(12, &(length + 1).to_le_bytes()),
            changed(12, &ELSEWHERE.to_le_bytes()),
            hidden,
            signed,
            with_extended_end(whole.clone(), 2),
        ]
        .iter()
        .enumerate()
        {
            let error = judge(bytes).unwrap_err();
            assert!(matches!(error, ArchiveError::MistoldDirectory), "{index}: {error}");
        }
        judge(&with_extended_end(whole.clone(), 3)).unwrap();
        // A second record, in the comment, which a reader may take for the first.
        let mut commented = whole.clone();
        commented[end + 20] = 22;
        commented.extend(&changed(8, &[2, 0, 2, 0])[end..]);
        assert!(judge(&commented).is_err());
    }

    #[test]
    fn sizes_in_an_extra_field_that_lie_are_refused() {
        let length = good().data.len() as u64;
        for sizes in [
            &[32, length][..],
            &[31, length + 1],
            &[length, 31],
            &[0, 0],
            &[u64::MAX, u64::MAX],
            &[31],
            &[],
        ] {
            assert_eq!(flaw(&[extended(good(), sizes)]), Flaw::Contradicted, "{sizes:?}");
        }
        let nowhere = good().with(|it| it.local.size = ELSEWHERE);
        assert_eq!(flaw(&[nowhere]), Flaw::Contradicted);
        // Two such fields: which one counts?
        let twice = extended(extended(good(), &[31, length]), &[32, length]);
        assert_eq!(flaw(&[twice]), Flaw::Contradicted);
        let sizes = [31_u64.to_le_bytes(), length.to_le_bytes()].concat();
        let twice = good().with(|it| {
            it.central.size = ELSEWHERE;
            it.extra = [extra(SIZES_64, &sizes), extra(SIZES_64, &sizes)].concat();
        });
        assert_eq!(flaw(&[twice]), Flaw::Contradicted);
    }

    #[test]
    fn an_extra_field_with_another_name_is_refused_in_either_header() {
        let other = |name: &str| {
            let mut field = unicode("index.mjs");
            field.truncate(5);
            extra(UNICODE_PATH, &[&field, name.as_bytes()].concat())
        };
        for name in ["other.mjs", "../index.mjs", "index.mj", ""] {
            let local = good().with(|it| it.local_extra = other(name));
            assert_eq!(flaw(&[local]), Flaw::SecondName, "{name}");
            let central = good().with(|it| it.extra = other(name));
            assert_eq!(flaw(&[central]), Flaw::SecondName, "{name}");
            // Not everybody looks at the checksum.
            let unsure =
                good().with_extra(UNICODE_PATH, &[&[1, 0, 0, 0, 0], name.as_bytes()].concat());
            assert_eq!(flaw(&[unsure]), Flaw::SecondName, "{name}");
        }
        let behind_another = good().with(|it| {
            it.local_extra = [extra(0x5455, &[1, 0, 0, 0, 0]), other("other.mjs")].concat();
        });
        assert_eq!(flaw(&[behind_another]), Flaw::SecondName);
        judge(&zip(&[good().with_extra(UNICODE_PATH, &unicode("index.mjs"))])).unwrap();
    }

    #[test]
    fn an_archive_of_too_many_entries_is_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for index in 0..=MAX_ENTRIES {
            writer.start_file(index.to_string(), options).unwrap();
        }
        let bytes = writer.finish().unwrap().into_inner();
        assert!(matches!(judge(&bytes), Err(ArchiveError::TooManyEntries(65_536))));
    }

    #[test]
    fn what_unzips_to_more_than_250_mb_is_refused_however_it_is_written_down() {
        let content = vec![0; usize::try_from(MAX_UNZIPPED_BYTES / 2).unwrap()];
        let entry = Written::deflated("x", &content);
        drop(content);
        let named =
            |name: &str| Written { name: name.into(), local_name: name.into(), ..entry.clone() };
        judge(&zip(&[named("a"), named("b")])).unwrap();
        let one_more = Written::stored("c", b"x");
        for entries in [
            vec![named("a"), named("b"), one_more.clone()],
            vec![named("a"), named("b").streamed(), one_more.streamed()],
            vec![named("a"), named("b"), named("c").claiming(|it| it.size = 1)],
        ] {
            assert!(matches!(judge(&zip(&entries)), Err(ArchiveError::TooLargeUnzipped)));
        }
    }

    #[test]
    fn long_names_are_cut_where_they_are_told() {
        let name = format!("../{}", "ä".repeat(500));
        let error = judge(&zip(&[Written::stored(&name, b"")])).unwrap_err().to_string();
        assert!(error.len() < 400, "{error}");
    }
}

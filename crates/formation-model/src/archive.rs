//! Judging a zip archive before Lambda does: what Lambda could not unzip is refused while the caller
//! still listens, rather than by an operation that fails later.
//!
//! The directory of an archive is only a claim. So every entry is held against its own header, and
//! unzipped for its true size and checksum. It is unzipped into nothing and no further than to what
//! Lambda allows, so that a zip bomb costs bounded time and no memory.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Cursor;

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

/// Characters of an entry's name that a problem shows.
const SHOWN_NAME: usize = 80;

const LOCAL_HEADER: Layout = Layout { signature: *b"PK\x03\x04", flags: 6, name: 30 };
const CENTRAL_HEADER: Layout = Layout { signature: *b"PK\x01\x02", flags: 8, name: 46 };

/// The bit of an entry's flags that says that its sizes and checksum follow its data.
const STREAMED: u16 = 1 << 3;
/// Encrypted, by whichever of zip's ways.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// What stands for a size that is elsewhere, in zip's 64-bit extension.
const ELSEWHERE: u32 = u32::MAX;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Why bytes cannot be a code bundle.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The directory cannot be read.
    #[error("the archive cannot be read as a zip file ({0})")]
    NotAZip(zip::result::ZipError),
    /// There is no file in it.
    #[error("the archive holds no file")]
    Empty,
    /// It has more entries than are judged.
    #[error("the archive has {0} entries; at most {MAX_ENTRIES} are accepted")]
    TooManyEntries(usize),
    /// Which of the two would be unzipped is anybody's guess.
    #[error("the archive has two entries of the same name; leave one of them out")]
    DuplicateName,
    /// Lambda would refuse it.
    #[error(
        "the archive holds more than {MAX_UNZIPPED_BYTES} bytes (250 MB) unzipped, which is the \
         most that Lambda allows"
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
            Self::NotAZip(_) | Self::Empty | Self::DuplicateName | Self::Entry { .. } => {
                FieldProblemCode::InvalidFormat
            }
        }
    }
}

/// What is wrong with an entry of an archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// It would be written outside of the function's folder, or nowhere.
    #[error("has a name that leads out of the archive; names must be relative, without `..`")]
    BadName,
    /// It cannot be read without a password.
    #[error("is encrypted, and Lambda knows no password")]
    Encrypted,
    /// Lambda does not know how it is compressed.
    #[error("is compressed by {0}; only stored and deflated entries can be unzipped")]
    Method(Method),
    /// Whoever reads the archive from its start would see another entry.
    #[error("is described otherwise in its own header than in the archive's directory")]
    Contradicted,
    /// Its bytes belong to something else, too.
    #[error("overlaps another entry or the archive's directory")]
    Overlapping,
    /// Its data is not what its size and checksum say.
    #[error("is damaged: its data does not match its size and checksum")]
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
    let mut entries = Vec::with_capacity(directory.len());
    for index in 0..directory.len() {
        let listed = directory.by_index_data(index).map_err(ArchiveError::NotAZip)?;
        let entry = Entry::read(archive, &listed)?;
        let file = entry.name.trim_start_matches("./");
        if !file.ends_with('/') {
            if file == "bootstrap" {
                let mode = listed.external_attributes() >> 16;
                contents.bootstrap_is_executable = mode & 0o111 != 0;
            }
            if !contents.files.insert(file.to_owned()) {
                return Err(ArchiveError::DuplicateName);
            }
        }
        entries.push(entry);
    }
    if contents.files.is_empty() {
        return Err(ArchiveError::Empty);
    }
    entries.sort_unstable_by_key(|entry| entry.start);
    let directory_start = usize::try_from(directory.central_directory_start()).unwrap_or_default();
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

/// An entry whose header and directory agree.
struct Entry<'a> {
    name: String,
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
        // An extra field may hold another name than the header.
        if !is_inside(name) || !is_inside(&String::from_utf8_lossy(central.name)) {
            return Err(Flaw::BadName);
        }
        if (central.flags | local.flags) & ENCRYPTED != 0 {
            return Err(Flaw::Encrypted);
        }
        if !local.agrees_with(&central) {
            return Err(Flaw::Contradicted);
        }
        if ![STORED, DEFLATED].contains(&local.method) {
            return Err(Flaw::Method(Method(local.method)));
        }
        let length = usize::try_from(listed.compressed_size()).ok();
        let end = length.and_then(|length| local.end.checked_add(length));
        let data = end.and_then(|end| Some((end, archive.get(local.end..end)?)));
        let Some((end, data)) = data else { return Err(Flaw::Overlapping) };
        Ok(Self {
            name: name.to_owned(),
            start: local.start,
            end,
            data,
            is_deflated: local.method == DEFLATED,
            size: listed.size(),
            crc32: listed.crc32(),
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
    name: usize,
}

impl Layout {
    fn read<'a>(&self, archive: &'a [u8], start: usize) -> Option<Header<'a>> {
        let header = archive.get(start..)?;
        let u16_at = |at: usize| Some(u16::from_le_bytes(*header.get(at..)?.first_chunk()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(*header.get(at..)?.first_chunk()?));
        if header.first_chunk() != Some(&self.signature) {
            return None;
        }
        let name_length = usize::from(u16_at(self.flags + 20)?);
        let extra_length = usize::from(u16_at(self.flags + 22)?);
        Some(Header {
            flags: u16_at(self.flags)?,
            method: u16_at(self.flags + 2)?,
            crc32: u32_at(self.flags + 8)?,
            compressed_size: u32_at(self.flags + 12)?,
            size: u32_at(self.flags + 16)?,
            name: header.get(self.name..self.name + name_length)?,
            start,
            end: start + self.name + name_length + extra_length,
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
    start: usize,
    /// Where the header ends; a local one's data begins there.
    end: usize,
}

impl Header<'_> {
    /// Whether a local header says the same as the directory, which is written last and knows all.
    fn agrees_with(&self, central: &Header<'_>) -> bool {
        let is_streamed = self.flags & STREAMED != 0;
        let same = |local: u32, central: u32| local == central || is_streamed && local == 0;
        let same_size = |local, central| same(local, central) || local == ELSEWHERE;
        self.name == central.name
            && self.method == central.method
            && same(self.crc32, central.crc32)
            && same_size(self.compressed_size, central.compressed_size)
            && same_size(self.size, central.size)
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
            bytes.extend([0, 0]);
            bytes.extend(&entry.local_name);
            bytes.extend(&entry.data);
            bytes.extend(&entry.behind);

            directory.extend(b"PK\x01\x02\x14\x03\x14\0");
            claim(&mut directory, &entry.central);
            directory.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
            directory.extend([0; 8]);
            directory.extend((entry.mode << 16).to_le_bytes());
            directory.extend(entry.start.unwrap_or(start).to_le_bytes());
            directory.extend(&entry.name);
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
        // Sizes in zip's 64-bit extension.
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
        let twice = zip(&[Written::stored("a", b"x"), Written::stored("./a", b"y")]);
        assert!(matches!(judge(&twice), Err(ArchiveError::DuplicateName)));
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

//! An entry of an archive: what the directory says of it, held against its own header.

use std::iter;

use zip::read::ZipFileEntry;

use super::error::{ArchiveError, Flaw, Method};
use super::refused;

pub(super) const LOCAL_HEADER: Layout =
    Layout { signature: *b"PK\x03\x04", flags: 6, lengths: 2, name: 30 };
pub(super) const CENTRAL_HEADER: Layout =
    Layout { signature: *b"PK\x01\x02", flags: 8, lengths: 3, name: 46 };

/// The bit of an entry's flags that says that its sizes and checksum follow its data.
pub(super) const STREAMED: u16 = 1 << 3;
/// Encrypted, by whichever of zip's ways.
pub(super) const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// What stands for a size that is elsewhere, in zip's 64-bit extension.
pub(super) const ELSEWHERE: u32 = u32::MAX;

/// The extra field with the sizes that are elsewhere.
/// Source: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, section 4.5.3.
pub(super) const SIZES_64: u16 = 0x0001;
/// The extra field with the name in UTF-8, section 4.6.9 of the same.
pub(super) const UNICODE_PATH: u16 = 0x7075;

/// The bits of a Unix mode that say what is at a path.
pub(super) const KIND: u32 = 0o170_000;
pub(super) const FILE: u32 = 0o100_000;
pub(super) const FOLDER: u32 = 0o040_000;
pub(super) const LINK: u32 = 0o120_000;

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;

/// How long a path may be, in bytes, so that Linux can open it in the folder of a function's code:
/// `PATH_MAX` is 4096, with the zero at the end.
/// Source: <https://man7.org/linux/man-pages/man7/path_resolution.7.html>.
pub(super) const MAX_PATH_BYTES: usize = 4096 - "/var/task/".len() - 1;

/// How long each name in a path may be, in bytes: Linux's `NAME_MAX`.
pub(super) const MAX_NAME_BYTES: usize = 255;

/// An entry's Unix mode; 0 where its writer knew of none.
pub(super) fn mode(listed: &ZipFileEntry<'_>) -> u32 {
    listed.external_attributes() >> 16
}

/// An entry whose header and directory agree.
pub(super) struct Entry<'a> {
    pub(super) name: String,
    pub(super) is_folder: bool,
    /// Where the directory goes on behind it.
    pub(super) listed_until: usize,
    /// Where its header begins.
    pub(super) start: usize,
    /// Where its data ends.
    pub(super) end: usize,
    pub(super) data: &'a [u8],
    pub(super) is_deflated: bool,
    /// As declared.
    pub(super) size: u64,
    /// As declared.
    pub(super) crc32: u32,
}

impl<'a> Entry<'a> {
    /// Holds what the directory says of an entry against the entry's own header.
    pub(super) fn read(archive: &'a [u8], listed: &ZipFileEntry<'_>) -> Result<Self, ArchiveError> {
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
pub(super) fn is_inside(name: &str) -> bool {
    let mut steps = name.split(['/', '\\']);
    !name.is_empty()
        && !name.starts_with(['/', '\\'])
        && !name.contains('\0')
        && steps.all(|step| step != "..")
}

/// Where the fields of a header lie: both kinds have the same ones in the same order.
pub(super) struct Layout {
    pub(super) signature: [u8; 4],
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
pub(super) struct Header<'a> {
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
pub(super) struct Sizes {
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

/// The number at an offset.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number at an offset.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number at an offset.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

//! Unzipping for the sake of the size and the checksum alone.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::MAX_UNZIPPED_BYTES;
use super::entry::Entry;
use super::error::ArchiveError;

/// Unzips entries into nothing.
pub(super) struct Unzipper {
    inflate: Decompress,
    buffer: Vec<u8>,
    /// Bytes that the archive may still unzip to.
    left: u64,
}

impl Unzipper {
    pub(super) fn new() -> Self {
        let (inflate, buffer) = (Decompress::new(false), vec![0; 64 * 1024]);
        Self { inflate, buffer, left: MAX_UNZIPPED_BYTES }
    }

    /// Whether the entry unzips to what it declares.
    ///
    /// # Errors
    /// [`ArchiveError::TooLargeUnzipped`] as soon as the archive is.
    pub(super) fn unzip(&mut self, entry: &Entry<'_>) -> Result<bool, ArchiveError> {
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

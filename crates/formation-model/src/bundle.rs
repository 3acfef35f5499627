//! Code bundles: the zip archive that Lambda runs, made from what the user sent.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Largest zip archive that is accepted in a request's body: 4 MB, so that the body, in base64,
/// fits into the 6 MB of a Lambda invocation.
pub const MAX_ZIP_BYTES: usize = 4 * 1024 * 1024;
/// Lambda's limit on unzipped code.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_UNZIPPED_BYTES: u64 = 262_144_000;

/// A stored code bundle.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// SHA-256 of the archive in base64, as Lambda's `CodeSha256` has it.
    pub sha256: String,
    /// Bytes of the archive.
    pub size_bytes: u64,
    /// Key in the stack's artefact bucket.
    pub key: String,
    /// Version of that object, so that nothing written later under the key can be deployed.
    pub version: String,
}

/// What a caller sees of a function's code.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeSummary {
    /// SHA-256 of the archive in base64.
    pub sha256: String,
    /// Bytes of the archive.
    pub size_bytes: u64,
}

impl From<&Bundle> for CodeSummary {
    fn from(bundle: &Bundle) -> Self {
        Self { sha256: bundle.sha256.clone(), size_bytes: bundle.size_bytes }
    }
}

/// SHA-256 of `archive` in base64, as Lambda's `CodeSha256` has it.
pub fn sha256(archive: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(archive))
}

/// A zip archive with `source` as its only file.
///
/// Deterministic: the same file name and source always give the same bytes. Nothing is compressed,
/// so that not even a newer compressor changes them.
///
/// # Errors
/// The archive writer's, for a source past zip's limits.
pub fn from_source(file_name: &str, source: &str) -> Result<Vec<u8>, zip::result::ZipError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        // Lambda's sandbox user must be able to read the file.
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(file_name, options)?;
    archive.write_all(source.as_bytes())?;
    Ok(archive.finish()?.into_inner())
}

/// Why bytes cannot be a code bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The central directory cannot be read.
    #[error("the archive cannot be read as a zip file")]
    NotAZip(#[source] zip::result::ZipError),
    /// There is no file in it.
    #[error("the archive holds no file")]
    Empty,
    /// Lambda would refuse it.
    #[error(
        "the archive holds {0} bytes unzipped; Lambda allows {MAX_UNZIPPED_BYTES} (250 MB) with its layers"
    )]
    TooLargeUnzipped(u128),
}

/// Checks what Lambda would refuse later, and by then asynchronously: an archive that cannot be
/// read, is empty, or is too large once unzipped. Reads the directory only.
///
/// # Errors
/// The reason to refuse it.
pub fn check(archive: &[u8]) -> Result<(), BundleError> {
    let archive = ZipArchive::new(Cursor::new(archive)).map_err(BundleError::NotAZip)?;
    if archive.file_names().all(|name| name.is_ok_and(|name| name.ends_with('/'))) {
        return Err(BundleError::Empty);
    }
    match archive.decompressed_size() {
        Some(size) if size > u128::from(MAX_UNZIPPED_BYTES) => {
            Err(BundleError::TooLargeUnzipped(size))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const SOURCE: &str = "export const handler = async () => 'Hello!';";

    #[test]
    fn the_same_source_gives_the_same_bundle_for_ever() {
        let bundle = from_source("index.mjs", SOURCE).unwrap();
        assert_eq!(bundle, from_source("index.mjs", SOURCE).unwrap());
        // Fixed on purpose: a change here would redeploy every function whose source did not change.
        assert_eq!(sha256(&bundle), "u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c=");
    }

    #[test]
    fn a_bundle_holds_the_source_as_a_readable_file() {
        let bundle = from_source("index.mjs", SOURCE).unwrap();
        check(&bundle).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(bundle)).unwrap();
        let mut file = archive.by_name("index.mjs").unwrap();
        assert_eq!(file.unix_mode().unwrap() & 0o777, 0o644);
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, SOURCE);
    }

    #[test]
    fn what_lambda_cannot_unzip_is_refused() {
        assert!(matches!(check(b"not a zip"), Err(BundleError::NotAZip(_))));
        let empty = ZipWriter::new(Cursor::new(Vec::new())).finish().unwrap().into_inner();
        assert!(matches!(check(&empty), Err(BundleError::Empty)));
    }
}

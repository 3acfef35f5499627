//! Code bundles: the zip archive that Lambda runs, made from what the user sent.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Largest zip archive that is accepted in a request's body, in bytes: 3 MB. It travels as base64 in
/// JSON, and some bodies are made base64 once more on their way (API Gateway does so with
/// `application/merge-patch+json`): 3 MB become 5.6 MB of the 6 MB of a Lambda invocation.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_ZIP_BYTES: usize = 3 * 1024 * 1024;

/// Whether a text is a SHA-256 in base64, as Lambda spells it.
pub(crate) fn is_sha256(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|digest| digest.len() == 32)
}

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
    /// Whether it was made from inline source: then the handler stays in the one file that the
    /// runtime's family calls it. Records of earlier releases do not tell.
    #[serde(default)]
    pub inline: bool,
}

impl Bundle {
    /// Whether both are the same object in the bucket, whatever is remembered of it: what becomes of
    /// the object goes by this.
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.key == other.key && self.version == other.version
    }
}

/// What a caller sees of a function's code.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeSummary {
    /// SHA-256 of the archive in base64.
    pub sha256: String,
    /// Bytes of the archive.
    pub size_bytes: u64,
    /// Whether it was given as inline source.
    #[serde(default)]
    pub inline: bool,
}

impl From<&Bundle> for CodeSummary {
    fn from(bundle: &Bundle) -> Self {
        Self { sha256: bundle.sha256.clone(), size_bytes: bundle.size_bytes, inline: bundle.inline }
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use zip::ZipArchive;

    use super::*;
    use crate::archive;

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
        archive::judge(&bundle).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(bundle)).unwrap();
        let mut file = archive.by_name("index.mjs").unwrap();
        assert_eq!(file.unix_mode().unwrap() & 0o777, 0o644);
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, SOURCE);
    }
}

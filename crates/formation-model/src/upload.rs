//! Code on its way: how an archive that is too large for a request gets into the stack's bucket, and
//! the code of a function out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use crate::archive::MAX_UNZIPPED_BYTES;
use crate::bundle;
use crate::fields::{Fields, whole};
use crate::id;
use crate::problem::{FieldProblem, FieldProblemCode as Code};

/// The largest archive that is taken: what Lambda allows unzipped.
pub const MAX_UPLOAD_BYTES: u64 = MAX_UNZIPPED_BYTES;

/// How long code can be asked for by the id of its upload.
pub const ID_GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The id of an upload: a ULID, so that it tells how old it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UploadId(Ulid);

/// A text that is no upload's id.
#[derive(Debug, thiserror::Error)]
#[error("an upload's id has 26 characters, 0-9 and A-Z without I, L, O and U, the first 0-7")]
pub struct InvalidUploadId;

impl UploadId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }

    /// Whether the id still is good for code at that time. S3 removes what was uploaded later than its
    /// rule says, so its age is judged by this.
    pub fn is_good_at(self, time: Timestamp) -> bool {
        let made = u128::from(self.0.timestamp_ms());
        u128::try_from(time.as_millisecond()).is_ok_and(|now| now < made + ID_GOOD_FOR.as_millis())
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UploadId {
    type Err = InvalidUploadId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        id::read(text).map(Self).ok_or(InvalidUploadId)
    }
}

impl TryFrom<String> for UploadId {
    type Error = InvalidUploadId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What is going to be uploaded: the body of `POST /v1/uploads`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = false))]
pub struct UploadRequest {
    /// Bytes of the archive.
    #[schemars(range(min = 1, max = MAX_UPLOAD_BYTES))]
    pub size_bytes: u64,
    /// SHA-256 of the archive in base64, as Lambda's `CodeSha256` has it.
    #[schemars(length(equal = 44), regex(pattern = "^[A-Za-z0-9+/]{43}=$"))]
    pub sha256: String,
}

impl UploadRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(body: &Value) -> Result<Self, Vec<FieldProblem>> {
        let Value::Object(body) = body else {
            return Err(vec![FieldProblem::new("", Code::WrongType, "must be a JSON object")]);
        };
        let mut fields = Fields::of(body);
        let size_bytes = size_bytes(&mut fields);
        let sha256 = sha256(&mut fields);
        fields.refuse_unknown();
        match (size_bytes, sha256) {
            (Some(size_bytes), Some(sha256)) if fields.problems.is_empty() => {
                Ok(Self { size_bytes, sha256 })
            }
            _ => Err(fields.problems),
        }
    }
}

fn size_bytes(fields: &mut Fields<'_>) -> Option<u64> {
    let at = "/sizeBytes";
    let size = match fields.take("sizeBytes") {
        None => return fields.refuse(at, Code::Required, "must be given"),
        Some(Value::Number(number)) => whole(number),
        Some(_) => None,
    };
    let Some(size) = size else {
        return fields.refuse(at, Code::WrongType, "must be a whole number of bytes");
    };
    let size = u64::try_from(size).ok().filter(|size| (1..=MAX_UPLOAD_BYTES).contains(size));
    if size.is_none() {
        let detail = format!("must be 1 to {MAX_UPLOAD_BYTES} bytes (250 MB)");
        fields.note(at, Code::OutOfRange, detail);
    }
    size
}

fn sha256(fields: &mut Fields<'_>) -> Option<String> {
    let digest = fields.required_text("sha256")?;
    if bundle::is_sha256(digest) {
        return Some(digest.to_owned());
    }
    let detail = "must be the SHA-256 of the archive, its 32 bytes in base64 \
                  (`openssl dgst -sha256 -binary FILE | base64`)";
    fields.refuse("/sha256", Code::InvalidFormat, detail)
}

/// Where an archive is to be put, once, by whoever has this.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// What the code is asked for by, `"code": {"uploadId"}`, within 24 h and by the same caller.
    pub upload_id: UploadId,
    /// The method of the request that puts it.
    pub method: String,
    /// Its URL. Whoever has it may put the archive: it is a secret.
    pub url: String,
    /// Its headers, each to be sent as it is: names in small letters, `host` left out.
    pub headers: BTreeMap<String, String>,
    /// Until when the request can begin.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

impl fmt::Debug for Upload {
    /// Shows everything but the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upload_id, method, headers, expires_at, url: _ } = self;
        f.debug_struct("Upload")
            .field("upload_id", upload_id)
            .field("method", method)
            .field("headers", headers)
            .field("expires_at", expires_at)
            .finish_non_exhaustive()
    }
}

/// Where the code of a function can be fetched from.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeLink {
    /// The URL of the archive. Whoever has it may read the code: it is a secret.
    pub url: String,
    /// Until when it can be fetched.
    #[serde(with = "crate::time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
    /// SHA-256 of the archive in base64.
    pub sha256: String,
    /// Bytes of the archive.
    pub size_bytes: u64,
}

impl fmt::Debug for CodeLink {
    /// Shows everything but the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expires_at, sha256, size_bytes, url: _ } = self;
        f.debug_struct("CodeLink")
            .field("expires_at", expires_at)
            .field("sha256", sha256)
            .field("size_bytes", size_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHA256: &str = "u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c=";

    fn problems(body: Value) -> Vec<(String, Code)> {
        let found = UploadRequest::read(&body).unwrap_err().into_iter();
        found.map(|it| (it.pointer, *it.code.known().unwrap())).collect()
    }

    #[test]
    fn an_upload_says_how_much_comes_and_what() {
        for size in [1, MAX_UPLOAD_BYTES] {
            let body = json!({"sizeBytes": size, "sha256": SHA256});
            let read = UploadRequest::read(&body).unwrap();
            assert_eq!(read, UploadRequest { size_bytes: size, sha256: SHA256.to_owned() });
            assert_eq!(serde_json::to_value(read).unwrap(), body);
        }
        for (size, code) in [
            (json!(0), Code::OutOfRange),
            (json!(-1), Code::OutOfRange),
            (json!(MAX_UPLOAD_BYTES + 1), Code::OutOfRange),
            (json!(1e300), Code::OutOfRange),
            (json!(1.5), Code::WrongType),
            (json!("1"), Code::WrongType),
            (Value::Null, Code::WrongType),
        ] {
            let found = problems(json!({"sizeBytes": size, "sha256": SHA256}));
            assert_eq!(found, [("/sizeBytes".to_owned(), code)], "{size}");
        }
        let hex = "bb6b9256e593a6851a593e7041233a79aed20b1e94677df827e6fccccf1fb357";
        for digest in ["", "AAAA", hex, &SHA256[..43], &SHA256.replace('+', "-"), "x\n"] {
            let found = problems(json!({"sizeBytes": 1, "sha256": digest}));
            assert_eq!(found, [("/sha256".to_owned(), Code::InvalidFormat)], "{digest}");
        }
        let all = ["/sizeBytes", "/sha256", "/sha512"].map(str::to_owned);
        let found = problems(json!({"sha512": "x"})).into_iter().map(|(at, _)| at);
        assert_eq!(found.collect::<Vec<_>>(), all);
        assert_eq!(problems(json!([]))[0].1, Code::WrongType);
    }

    #[test]
    fn an_id_is_good_for_a_day_from_its_own_time() {
        let made = Timestamp::now();
        let ms = u64::try_from(made.as_millisecond()).unwrap();
        let id = UploadId(Ulid::from_parts(ms, 7));
        assert!(id.is_good_at(made));
        assert!(id.is_good_at(made + ID_GOOD_FOR - Duration::from_millis(1)));
        assert!(!id.is_good_at(made + ID_GOOD_FOR));
        // Beyond what clocks can tell.
        assert!(UploadId(Ulid::from_parts((1 << 48) - 1, 0)).is_good_at(made));
        assert!(!UploadId(Ulid::from_parts(0, 0)).is_good_at(made));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = UploadId::generate();
        assert_eq!(id.to_string().parse::<UploadId>().unwrap(), id);
        let small = id.to_string().to_lowercase();
        for bad in ["", "../x", &id.to_string()[1..], &small, "81ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            assert!(bad.parse::<UploadId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_output_shows_no_url() {
        let url = "https://s3cr3t".to_owned();
        let link = CodeLink {
            url: url.clone(),
            expires_at: Timestamp::UNIX_EPOCH,
            sha256: SHA256.to_owned(),
            size_bytes: 1,
        };
        let upload = Upload {
            upload_id: UploadId::generate(),
            method: "PUT".to_owned(),
            url,
            headers: BTreeMap::new(),
            expires_at: Timestamp::UNIX_EPOCH,
        };
        let shown = format!("{link:?} {upload:?}");
        assert!(!shown.contains("s3cr3t") && shown.contains("size_bytes: 1"), "{shown}");
    }
}

//! Code that a request refers to in S3: an object of its user's, or what its caller has uploaded.

use std::time::Duration;

use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, TaggingDirective};
use formation_aws::{AwsError, ErrorKind};
use formation_model::archive::{self, MAX_UNZIPPED_BYTES};
use formation_model::bundle;
use formation_model::function::code::S3Object;
use formation_model::names::{upload_key, uploaded_bundle_key};
use formation_model::{
    Bundle, CodeSource, FieldProblem, FieldProblemCode, FunctionRequest, Warning,
};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{BundleState, Bundles, invalid};
use crate::caller::Caller;
use crate::records::RequestKey;
use crate::refusal::Refusal;

/// What CopySource needs escaped: everything but what RFC 3986 leaves alone, and the slashes.
const COPY_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Objects up to this size are read and checked like an archive in the request; larger ones are
/// copied within S3, unseen.
pub(super) const READ_UP_TO_BYTES: i64 = 8 * 1024 * 1024;

/// A copy of the largest object that is accepted takes longer than other calls, and must still end
/// before the caller's request does.
pub(super) const COPY_TIMEOUT: Duration = Duration::from_secs(20);

/// An object that holds code, and how its request names it.
pub(super) struct Origin {
    object: S3Object,
    named_by: NamedBy,
}

#[derive(Clone, Copy)]
enum NamedBy {
    /// `{"s3Bucket", "s3Key"}`: the user's own, who may replace it.
    Reference,
    /// `{"uploadId"}`: S3 has taken it under the digest that its upload was asked for with.
    Upload,
}

impl Origin {
    /// Where a request names it: a JSON pointer.
    fn at(&self) -> &'static str {
        match self.named_by {
            NamedBy::Reference => "/code/s3Key",
            NamedBy::Upload => "/code/uploadId",
        }
    }
}

/// What the object holds.
pub(super) enum Source {
    /// What the function has already.
    Same(Bundle),
    /// Its bytes, which are a code bundle, and what its function will miss in it.
    Read(Vec<u8>, Vec<Warning>),
    /// It is too large to be read.
    Large {
        /// Its bytes.
        size_bytes: u64,
        /// SHA-256 in base64, where it is known that this is of all its bytes.
        sha256: Option<String>,
        /// The entity tag of what was measured.
        e_tag: Option<String>,
    },
}

impl Bundles {
    /// Takes over the code that `request` refers to: its bytes as they are now, whatever becomes of
    /// the object later. They are stored as `own`, but for the copy of an upload by a request that has a key.
    pub(super) async fn fetch(
        &self,
        own: String,
        request: &FunctionRequest,
        current: Option<&Bundle>,
        caller: &Caller,
        key: Option<&RequestKey>,
    ) -> Result<(Bundle, Vec<Warning>), Refusal> {
        let origin = self.origin(&request.code, caller)?;
        match self.check_source(&origin, request, current).await? {
            Source::Same(same) => Ok((same, Vec::new())),
            Source::Read(archive, warnings) => {
                let sha256 = bundle::sha256(&archive);
                match same(current, &sha256) {
                    Some(same) => Ok((same, warnings)),
                    None => Ok((self.put(own, archive, sha256).await?, warnings)),
                }
            }
            Source::Large { size_bytes, sha256: Some(sha256), e_tag } => {
                let repeated = repeated_key(request, key);
                let once = repeated.is_some().then_some(sha256.as_str());
                let key = repeated.unwrap_or(own);
                let version = self.copy(&key, &origin, e_tag, once).await?;
                Ok((Bundle { sha256, size_bytes, key, version, inline: false }, Vec::new()))
            }
            Source::Large { sha256: None, e_tag, .. } => {
                let version = self.copy(&own, &origin, e_tag, None).await?;
                let stored = self.measure(own, version).await?;
                let Some(same) = same(current, &stored.sha256) else {
                    return Ok((stored, Vec::new()));
                };
                self.remove(&stored).await;
                Ok((same, Vec::new()))
            }
        }
    }

    /// The object that code is in, if it may be asked for.
    pub(super) fn origin(&self, code: &CodeSource, caller: &Caller) -> Result<Origin, Refusal> {
        match code {
            CodeSource::Upload(upload) => {
                if !caller.is_verified() {
                    let detail = "an upload belongs to the caller that asked for it, and nobody has \
                                  verified who asks now; name an object in S3 by s3Bucket and s3Key";
                    let code = FieldProblemCode::NotSupported;
                    return Err(invalid("/code/uploadId", code, detail.to_owned()));
                }
                if !upload.is_good_at(Timestamp::now()) {
                    return Err(no_such_upload());
                }
                let (bucket, key) = (self.bucket.clone(), upload_key(caller.identity(), *upload));
                let object = S3Object { bucket, key, version: None };
                Ok(Origin { object, named_by: NamedBy::Upload })
            }
            CodeSource::S3(object) if self.code_buckets.contains(&object.bucket) => {
                Ok(Origin { object: object.clone(), named_by: NamedBy::Reference })
            }
            _ => {
                let detail = match self.code_buckets.as_slice() {
                    [] => "this stack takes no code from S3: its parameter CodeBuckets is empty"
                        .into(),
                    buckets => format!("this stack takes code from {} only", buckets.join(", ")),
                };
                Err(invalid("/code/s3Bucket", FieldProblemCode::NotSupported, detail))
            }
        }
    }

    /// Checks the object as far as it can be read.
    pub(super) async fn check_source(
        &self,
        origin: &Origin,
        request: &FunctionRequest,
        current: Option<&Bundle>,
    ) -> Result<Source, Refusal> {
        let head = self.head_source(origin).await?;
        let size = head.content_length().unwrap_or_default();
        let size_bytes = u64::try_from(size).unwrap_or_default();
        if size_bytes > MAX_UNZIPPED_BYTES {
            let detail = format!("has {size} bytes; Lambda allows {MAX_UNZIPPED_BYTES} unzipped");
            return Err(invalid(origin.at(), FieldProblemCode::OutOfRange, detail));
        }
        let sha256 = match origin.named_by {
            NamedBy::Reference => None,
            // It was signed with the request that has put it.
            NamedBy::Upload => {
                Some(head.checksum_sha256.clone().ok_or(AwsError::incomplete("s3:GetObject"))?)
            }
        };
        if let Some(same) = sha256.as_deref().and_then(|sha256| same(current, sha256)) {
            // It is not read only to be warned of once more, as code is not that its digest names.
            return Ok(Source::Same(same));
        }
        if size > READ_UP_TO_BYTES {
            return Ok(Source::Large { size_bytes, sha256, e_tag: head.e_tag });
        }
        let archive = self.read_source(origin, &head).await?;
        let contents = archive::judge(&archive)
            .map_err(|error| invalid(origin.at(), error.code(), error.to_string()))?;
        let start = &request.configuration;
        let warnings = contents.warnings(&start.runtime, &start.handler, origin.at());
        Ok(Source::Read(archive, warnings))
    }

    async fn head_source(&self, origin: &Origin) -> Result<HeadObjectOutput, Refusal> {
        let Origin { object, named_by } = origin;
        let checksum = match named_by {
            NamedBy::Reference => None,
            NamedBy::Upload => Some(ChecksumMode::Enabled),
        };
        self.client
            .head_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version.clone())
            .set_checksum_mode(checksum)
            .expected_bucket_owner(&self.account_id)
            .send()
            .await
            .map_err(|error| match named_by {
                // Without s3:ListBucket what is missing reads as forbidden, here and nowhere behind: what
                // has been measured is there.
                NamedBy::Upload if status(&error) == Some(403) => no_such_upload(),
                _ => source_problem("s3:GetObject", origin, error),
            })
    }

    async fn read_source(
        &self,
        origin: &Origin,
        head: &HeadObjectOutput,
    ) -> Result<Vec<u8>, Refusal> {
        let object = &origin.object;
        let read = self
            .client
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version.clone())
            .expected_bucket_owner(&self.account_id)
            // What was measured is what is read.
            .set_if_match(head.e_tag.clone())
            .send()
            .await
            .map_err(|error| source_problem("s3:GetObject", origin, error))?;
        let body = read.body.collect().await;
        Ok(body.map_err(|_| AwsError::incomplete("s3:GetObject"))?.to_vec())
    }

    /// Copies within S3, which also computes the SHA-256 that Lambda will show, and answers the copy's
    /// version.
    ///
    /// `once` is for a key of the request's own, and what digest the copy has: an earlier try may have run
    /// out of time and its copy ended later, and then that is the one. S3 takes no second, which would make
    /// the version that a record refers to an older one, and those the lifecycle removes whatever their tag.
    async fn copy(
        &self,
        key: &str,
        origin: &Origin,
        e_tag: Option<String>,
        once: Option<&str>,
    ) -> Result<String, Refusal> {
        let copy_timeout = TimeoutConfig::builder()
            .operation_attempt_timeout(COPY_TIMEOUT)
            .operation_timeout(COPY_TIMEOUT)
            .build();
        let copied = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .key(key)
            .copy_source(copy_source(&origin.object))
            .set_copy_source_if_match(e_tag)
            .set_if_none_match(once.map(|_| "*".to_owned()))
            .expected_source_bucket_owner(&self.account_id)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .tagging_directive(TaggingDirective::Replace)
            .tagging(BundleState::Pending.as_query())
            .customize()
            .config_override(Config::builder().timeout_config(copy_timeout))
            .send()
            .await;
        let copied = match (copied, once) {
            (Err(error), Some(sha256)) if status(&error) == Some(412) => {
                return self.copied_before(key, sha256).await;
            }
            (copied, _) => {
                copied.map_err(|error| source_problem("s3:CopyObject", origin, error))?
            }
        };
        Ok(copied.version_id.ok_or(AwsError::incomplete("s3:CopyObject"))?)
    }

    /// The version of the copy that is there already.
    async fn copied_before(&self, key: &str, sha256: &str) -> Result<String, Refusal> {
        let there = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .expected_bucket_owner(&self.account_id)
            .send()
            .await;
        let there = match there {
            Ok(there) => there,
            // It was the upload that is another, or gone.
            Err(error) if status(&error) == Some(404) => return Err(no_such_upload()),
            Err(error) => return Err(AwsError::new("s3:GetObject", error).into()),
        };
        let version = there.version_id.filter(|_| there.checksum_sha256.as_deref() == Some(sha256));
        Ok(version.ok_or(AwsError::incomplete("s3:GetObject"))?)
    }

    /// What was copied there of a user's object, if it can be told from its digest.
    async fn measure(&self, key: String, version: String) -> Result<Bundle, Refusal> {
        let stored = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(&key)
            .version_id(&version)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| AwsError::new("s3:GetObject", error))?;
        let is_composite = stored.checksum_type == Some(ChecksumType::Composite);
        let sha256 = stored.checksum_sha256.ok_or(AwsError::incomplete("s3:CopyObject"))?;
        let size_bytes = u64::try_from(stored.content_length.unwrap_or_default());
        let size_bytes = size_bytes.unwrap_or_default();
        let bundle = Bundle { sha256, size_bytes, key, version, inline: false };
        // That of parts has their number behind it, as in `...=-3`, and no part of a plain one.
        if is_composite || bundle.sha256.contains('-') {
            self.remove(&bundle).await;
            let detail = "was stored in parts, and S3 keeps its checksum by part, which never equals \
                          the one that Lambda shows; upload it again as one object (`aws s3api \
                          put-object`)";
            let code = FieldProblemCode::CodeNotAvailable;
            return Err(invalid("/code/s3Key", code, detail.to_owned()));
        }
        Ok(bundle)
    }
}

/// The function's bundle, where it is of these very bytes: not given inline this time.
fn same(current: Option<&Bundle>, sha256: &str) -> Option<Bundle> {
    let same = current.filter(|current| current.sha256 == sha256)?;
    Some(Bundle { inline: false, ..same.clone() })
}

pub(super) fn copy_source(object: &S3Object) -> String {
    let path = format!("{}/{}", object.bucket, object.key);
    let path = utf8_percent_encode(&path, COPY_SOURCE);
    match &object.version {
        Some(version) => {
            format!("{path}?versionId={}", utf8_percent_encode(version, NON_ALPHANUMERIC))
        }
        None => path.to_string(),
    }
}

fn no_such_upload() -> Refusal {
    let detail = "nothing was uploaded under this id by this caller within the last 24 hours";
    let code = FieldProblemCode::UploadNotFound;
    Refusal::UploadNotFound(FieldProblem::new("/code/uploadId", code, detail).into())
}

/// Where the copy of an upload is kept for further tries of the request that names it; none if that has no
/// key and so cannot be repeated.
///
/// A key is remembered for longer than an upload is good, and from the very write on by which its request is
/// accepted. So no other operation ever comes to refer to this copy, and nobody expires what another one
/// keeps.
fn repeated_key(request: &FunctionRequest, key: Option<&RequestKey>) -> Option<String> {
    match (&request.code, key) {
        (CodeSource::Upload(upload), Some(key)) => {
            Some(uploaded_bundle_key(&request.function_name, *upload, key.id()))
        }
        _ => None,
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// An object that cannot be read is the user's to mend; a throttled or broken call is not.
fn source_problem<E>(call: &'static str, origin: &Origin, error: SdkError<E>) -> Refusal
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = status(&error);
    let error = AwsError::new(call, error);
    let code = FieldProblemCode::CodeNotAvailable;
    match (error.kind, status) {
        (ErrorKind::Throttled | ErrorKind::Transient, _) => error.into(),
        (_, Some(404 | 412)) if matches!(origin.named_by, NamedBy::Upload) => no_such_upload(),
        // That is the stack's own bucket: nothing that its caller could mend.
        _ if matches!(origin.named_by, NamedBy::Upload) => error.into(),
        (_, Some(404)) => {
            invalid("/code/s3Key", code, "there is no such object, or no such version of it".into())
        }
        (_, Some(412)) => {
            invalid("/code/s3Key", code, "the object was replaced meanwhile; try again".into())
        }
        (_, Some(400)) if origin.object.version.is_some() => {
            invalid("/code/s3ObjectVersion", code, "S3 does not take this version id".into())
        }
        // So it answers whoever does not send the key of an object that is encrypted with one (SSE-C).
        // Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>.
        (_, Some(400)) => {
            let detail = "S3 does not hand this object out (400); is it encrypted with a key of its \
                          own?";
            invalid("/code/s3Key", code, detail.into())
        }
        // Without s3:ListBucket a missing object reads as forbidden.
        (_, Some(403)) => invalid(
            "/code/s3Key",
            code,
            "there is no such object, or this stack may not read it".into(),
        ),
        _ => error.into(),
    }
}

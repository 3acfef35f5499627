//! Code that a request refers to in S3: the object that is its user's.

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
use formation_model::{Bundle, FieldProblemCode, FunctionRequest, Warning};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{BundleState, Bundles, invalid};
use crate::refusal::Refusal;

/// What CopySource needs escaped: everything but what RFC 3986 leaves alone, and the slashes.
const COPY_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Objects up to this size are read and checked like an archive in the request; larger ones are
/// copied within S3, unseen.
pub(super) const READ_UP_TO_BYTES: i64 = 8 * 1024 * 1024;

/// A copy of the largest object that is accepted takes longer than other calls, and must still end
/// before the caller's request does.
const COPY_TIMEOUT: Duration = Duration::from_secs(20);

/// The user's object.
pub(super) enum Source {
    /// Its bytes, which are a code bundle, and what its function will miss in it.
    Read(Vec<u8>, Vec<Warning>),
    /// It is too large to be read.
    Large(Box<HeadObjectOutput>),
}

impl Bundles {
    /// Takes over the user's object: its bytes as they are now, whatever becomes of it later.
    pub(super) async fn fetch(
        &self,
        key: String,
        object: &S3Object,
        request: &FunctionRequest,
    ) -> Result<(Bundle, Vec<Warning>), Refusal> {
        match self.check_source(object, request).await? {
            Source::Read(archive, warnings) => {
                let sha256 = bundle::sha256(&archive);
                Ok((self.put(key, archive, sha256).await?, warnings))
            }
            Source::Large(head) => Ok((self.copy(key, object, &head).await?, Vec::new())),
        }
    }

    /// Checks the user's object as far as it can be read.
    pub(super) async fn check_source(
        &self,
        object: &S3Object,
        request: &FunctionRequest,
    ) -> Result<Source, Refusal> {
        if !self.code_buckets.contains(&object.bucket) {
            let detail = match self.code_buckets.as_slice() {
                [] => "this stack takes no code from S3: its parameter CodeBuckets is empty".into(),
                buckets => format!("this stack takes code from {} only", buckets.join(", ")),
            };
            return Err(invalid("/code/s3Bucket", FieldProblemCode::NotSupported, detail));
        }
        let head = self.head_source(object).await?;
        let size = head.content_length().unwrap_or_default();
        if u64::try_from(size).unwrap_or_default() > MAX_UNZIPPED_BYTES {
            let detail = format!("has {size} bytes; Lambda allows {MAX_UNZIPPED_BYTES} unzipped");
            return Err(invalid("/code/s3Key", FieldProblemCode::OutOfRange, detail));
        }
        if size <= READ_UP_TO_BYTES {
            let archive = self.read_source(object, &head).await?;
            let at = "/code/s3Key";
            let contents = archive::judge(&archive)
                .map_err(|error| invalid(at, error.code(), error.to_string()))?;
            let start = &request.configuration;
            let warnings = contents.warnings(&start.runtime, &start.handler, at);
            return Ok(Source::Read(archive, warnings));
        }
        Ok(Source::Large(Box::new(head)))
    }

    async fn head_source(&self, object: &S3Object) -> Result<HeadObjectOutput, Refusal> {
        self.client
            .head_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version.clone())
            .expected_bucket_owner(&self.account_id)
            .send()
            .await
            .map_err(|error| source_problem("s3:GetObject", object, error))
    }

    async fn read_source(
        &self,
        object: &S3Object,
        head: &HeadObjectOutput,
    ) -> Result<Vec<u8>, Refusal> {
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
            .map_err(|error| source_problem("s3:GetObject", object, error))?;
        let body = read.body.collect().await;
        Ok(body.map_err(|_| AwsError::incomplete("s3:GetObject"))?.to_vec())
    }

    /// Copies within S3, which also computes the SHA-256 that Lambda will show.
    async fn copy(
        &self,
        key: String,
        object: &S3Object,
        head: &HeadObjectOutput,
    ) -> Result<Bundle, Refusal> {
        let copy_timeout = TimeoutConfig::builder()
            .operation_attempt_timeout(COPY_TIMEOUT)
            .operation_timeout(COPY_TIMEOUT)
            .build();
        let copied = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .key(&key)
            .copy_source(copy_source(object))
            .set_copy_source_if_match(head.e_tag.clone())
            .expected_source_bucket_owner(&self.account_id)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .tagging_directive(TaggingDirective::Replace)
            .tagging(BundleState::Pending.as_query())
            .customize()
            .config_override(Config::builder().timeout_config(copy_timeout))
            .send()
            .await
            .map_err(|error| source_problem("s3:CopyObject", object, error))?;
        let version = copied.version_id.ok_or(AwsError::incomplete("s3:CopyObject"))?;
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
            self.discard(&bundle).await;
            let detail = "was stored in parts, and S3 keeps its checksum by part, which never equals \
                          the one that Lambda shows; upload it again as one object (`aws s3api \
                          put-object`)";
            let code = FieldProblemCode::CodeNotAvailable;
            return Err(invalid("/code/s3Key", code, detail.to_owned()));
        }
        Ok(bundle)
    }
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

/// An object that cannot be read is the user's to mend; a throttled or broken call is not.
fn source_problem<E>(call: &'static str, object: &S3Object, error: SdkError<E>) -> Refusal
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let error = AwsError::new(call, error);
    let code = FieldProblemCode::CodeNotAvailable;
    match (error.kind, status) {
        (ErrorKind::Throttled | ErrorKind::Transient, _) => error.into(),
        (_, Some(404)) => {
            invalid("/code/s3Key", code, "there is no such object, or no such version of it".into())
        }
        (_, Some(412)) => {
            invalid("/code/s3Key", code, "the object was replaced meanwhile; try again".into())
        }
        (_, Some(400)) if object.version.is_some() => {
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

//! Code bundles in the stack's artefact bucket.
//!
//! A bundle is tagged `state=pending` when it is stored, `kept` once a commit refers to it and
//! `expired` once none does; the bucket's lifecycle removes pending and expired ones after 7 days.
//! So a rollback never finds its code gone, and nothing that was refused stays.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, Tag, Tagging, TaggingDirective,
};
use formation_aws::{AwsError, Chain, ErrorKind};
use formation_model::archive::{self, MAX_UNZIPPED_BYTES};
use formation_model::bundle::{self, CodeSummary};
use formation_model::names::bundle_key;
use formation_model::request::S3Object;
use formation_model::{
    Bundle, CodeSource, FieldProblem, FieldProblemCode, FunctionRequest, OperationId, Warning,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::refusal::Refusal;

/// What CopySource needs escaped: everything but what RFC 3986 leaves alone, and the slashes.
const COPY_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Objects up to this size are read and checked like an archive in the request; larger ones are
/// copied within S3, unseen.
const READ_UP_TO_BYTES: i64 = 8 * 1024 * 1024;

/// A copy of the largest object that is accepted takes longer than other calls, and must still end
/// before the caller's request does.
const COPY_TIMEOUT: Duration = Duration::from_secs(20);

/// Which state a stored bundle is in, for the bucket's lifecycle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum BundleState {
    /// Stored, and not referred to by any commit yet.
    Pending,
    /// A function's record refers to it.
    Kept,
    /// No record refers to it any more.
    Expired,
}

impl BundleState {
    const TAG: &str = "state";

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Kept => "kept",
            Self::Expired => "expired",
        }
    }

    fn as_query(self) -> String {
        format!("{}={}", Self::TAG, self.as_str())
    }
}

/// The bundles of a stack.
#[derive(Clone, Debug)]
pub struct Bundles {
    client: Client,
    bucket: String,
    account_id: String,
    code_buckets: Vec<String>,
}

impl Bundles {
    /// The bundles in `bucket` of `account_id`. Code may be referred to in `code_buckets` of the
    /// same account and nowhere else, or callers could deploy code that they may not read.
    pub fn new(
        client: Client,
        bucket: impl Into<String>,
        account_id: impl Into<String>,
        code_buckets: Vec<String>,
    ) -> Self {
        Self { client, bucket: bucket.into(), account_id: account_id.into(), code_buckets }
    }

    /// Stores the code of an operation, as pending, and tells what its function will miss in it.
    /// Code that is the same as `current`, to the byte, is not stored again; whether it was given
    /// inline is what it is this time.
    ///
    /// # Errors
    /// [`Refusal::InvalidFunction`] if the code cannot be used, otherwise what S3 answered.
    pub async fn store(
        &self,
        operation: OperationId,
        request: &FunctionRequest,
        current: Option<&Bundle>,
    ) -> Result<(Bundle, Vec<Warning>), Refusal> {
        let key = bundle_key(&request.function_name, operation);
        let same = |sha256: &str| current.filter(|current| current.sha256 == sha256).cloned();
        match &request.code {
            CodeSource::Unchanged => Ok((unchanged(current)?.clone(), Vec::new())),
            CodeSource::Archive(archive) => {
                let sha256 = bundle::sha256(&archive.bytes);
                let bundle = match same(&sha256) {
                    Some(same) => same,
                    None => self.put(key, archive.bytes.clone(), sha256).await?,
                };
                Ok((Bundle { inline: archive.inline, ..bundle }, archive.warnings.clone()))
            }
            CodeSource::S3(object) => {
                let (stored, warnings) = self.fetch(key, object, request).await?;
                let Some(same) = same(&stored.sha256) else { return Ok((stored, warnings)) };
                self.discard(&stored).await;
                Ok((Bundle { inline: false, ..same }, warnings))
            }
        }
    }

    /// What [`Bundles::store`] would store, with every check and without storing it. The digest of
    /// an object that is too large to be read is not known before S3 has copied it: it is empty.
    ///
    /// # Errors
    /// As for [`Bundles::store`].
    pub async fn preview(
        &self,
        request: &FunctionRequest,
        current: Option<&Bundle>,
    ) -> Result<(CodeSummary, Vec<Warning>), Refusal> {
        let summary = |archive: &[u8], inline| {
            let (sha256, size_bytes) = (bundle::sha256(archive), archive.len() as u64);
            CodeSummary { sha256, size_bytes, inline }
        };
        match &request.code {
            CodeSource::Unchanged => Ok((unchanged(current)?.into(), Vec::new())),
            CodeSource::Archive(archive) => {
                Ok((summary(&archive.bytes, archive.inline), archive.warnings.clone()))
            }
            CodeSource::S3(object) => match self.check_source(object, request).await? {
                Source::Read(archive, warnings) => Ok((summary(&archive, false), warnings)),
                Source::Large(head) => {
                    let size_bytes = u64::try_from(head.content_length().unwrap_or_default());
                    let size_bytes = size_bytes.unwrap_or_default();
                    let sha256 = String::new();
                    Ok((CodeSummary { sha256, size_bytes, inline: false }, Vec::new()))
                }
            },
        }
    }

    /// Removes a bundle that no operation refers to. Best effort: the lifecycle does it otherwise.
    pub async fn discard(&self, bundle: &Bundle) {
        let deleted = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(&bundle.key)
            .version_id(&bundle.version)
            .send()
            .await;
        if let Err(error) = deleted {
            let error = AwsError::new("s3:DeleteObjectVersion", error);
            tracing::warn!(bundle.key, error = %Chain(&error), "a bundle that was not needed stays until it expires");
        }
    }

    /// Tags a bundle as kept, so that it does not expire.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what S3 answered. Also that the bundle is gone: a record must not refer to
    /// code that nobody could restore.
    pub async fn keep(&self, bundle: &Bundle) -> Result<(), Refusal> {
        self.mark(bundle, BundleState::Kept).await
    }

    /// Tags a bundle as expired, since no record refers to it any more. One that is gone is no
    /// error: there is nothing to expire.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what S3 answered.
    pub async fn release(&self, bundle: &Bundle) -> Result<(), Refusal> {
        match self.mark(bundle, BundleState::Expired).await {
            Err(Refusal::Aws(error)) if is_missing(&error) => Ok(()),
            // What is gone looks like what is forbidden to whoever may not list the bucket.
            Err(Refusal::Aws(error)) if error.kind == ErrorKind::AccessDenied => {
                tracing::warn!(bundle.key, error = %Chain(&error), "a released bundle is taken for gone");
                Ok(())
            }
            marked => marked,
        }
    }

    async fn mark(&self, bundle: &Bundle, state: BundleState) -> Result<(), Refusal> {
        let tag = Tag::builder().key(BundleState::TAG).value(state.as_str()).build();
        let tagging = tag.and_then(|tag| Tagging::builder().tag_set(tag).build());
        let tagging = tagging.map_err(|error| Refusal::Record(error.to_string()))?;
        self.client
            .put_object_tagging()
            .bucket(&self.bucket)
            .key(&bundle.key)
            .version_id(&bundle.version)
            .tagging(tagging)
            .send()
            .await
            .map_err(|error| AwsError::new("s3:PutObjectVersionTagging", error))?;
        Ok(())
    }

    async fn put(&self, key: String, archive: Vec<u8>, sha256: String) -> Result<Bundle, Refusal> {
        let size_bytes = archive.len() as u64;
        let stored = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .tagging(BundleState::Pending.as_query())
            .checksum_sha256(&sha256)
            .body(ByteStream::from(archive))
            .send()
            .await
            .map_err(|error| AwsError::new("s3:PutObject", error))?;
        let version = stored.version_id.ok_or(AwsError::incomplete("s3:PutObject"))?;
        Ok(Bundle { sha256, size_bytes, key, version, inline: false })
    }

    /// Takes over the user's object: its bytes as they are now, whatever becomes of it later.
    async fn fetch(
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
    async fn check_source(
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
            let warnings = contents.warnings(&request.runtime, &request.handler, at);
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

/// The user's object.
enum Source {
    /// Its bytes, which are a code bundle, and what its function will miss in it.
    Read(Vec<u8>, Vec<Warning>),
    /// It is too large to be read.
    Large(Box<HeadObjectOutput>),
}

fn unchanged(current: Option<&Bundle>) -> Result<&Bundle, Refusal> {
    current.ok_or_else(|| {
        let detail = "there is no code yet; send it".to_owned();
        invalid("/code", FieldProblemCode::Required, detail)
    })
}

fn copy_source(object: &S3Object) -> String {
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

fn is_missing(error: &AwsError) -> bool {
    ["NoSuchKey", "NoSuchVersion"].into_iter().any(|code| error.has_code(code))
}

fn invalid(pointer: &str, code: FieldProblemCode, detail: String) -> Refusal {
    Refusal::InvalidFunction(FieldProblem::new(pointer, code, detail).into())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::copy_object::CopyObjectOutput;
    use aws_sdk_s3::operation::delete_object::DeleteObjectOutput;
    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;
    use formation_model::function::Architecture;
    use formation_model::{Defaults, WarningCode, request};

    use super::*;

    /// The bundles of a bucket where S3 answers so when one is tagged.
    fn answered(status: u16, code: &'static str) -> Bundles {
        let put = mock!(Client::put_object_tagging).then_http_response(move || {
            let body = format!("<Error><Code>{code}</Code><Message>told</Message></Error>");
            HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into())
        });
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&put]);
        Bundles::new(client, "bundles", "111122223333", Vec::new())
    }

    #[tokio::test]
    async fn code_that_is_gone_can_be_released_and_not_kept() {
        let bundle = Bundle {
            sha256: "c2hh".into(),
            size_bytes: 7,
            inline: false,
            key: "bundles/hello/1.zip".into(),
            version: "v1".into(),
        };
        for (status, code) in [(404, "NoSuchKey"), (404, "NoSuchVersion"), (403, "AccessDenied")] {
            let bundles = answered(status, code);
            assert!(bundles.release(&bundle).await.is_ok(), "{code}");
            assert!(bundles.keep(&bundle).await.is_err(), "{code}");
        }
        // The credentials are at fault, and nothing is known of the bundle.
        assert!(answered(403, "InvalidAccessKeyId").release(&bundle).await.is_err());
    }

    #[test]
    fn copy_sources_keep_slashes_and_escape_the_rest() {
        let object = S3Object {
            bucket: "builds".into(),
            key: "a b/ü?+.zip".into(),
            version: Some("v.1".into()),
        };
        assert_eq!(copy_source(&object), "builds/a%20b/%C3%BC%3F%2B.zip?versionId=v%2E1");
    }

    fn request(code: CodeSource) -> FunctionRequest {
        let defaults = Defaults { architecture: Architecture::Arm64, code_buckets: true };
        let body = serde_json::json!({"functionName": "hello", "code": "x"});
        request::read(&body, &defaults, None).unwrap().with_code(code)
    }

    fn object() -> CodeSource {
        let (bucket, key) = ("builds".into(), "a.zip".into());
        CodeSource::S3(S3Object { bucket, key, version: None })
    }

    fn bundles(rules: &[&Rule]) -> Bundles {
        let client = mock_client!(aws_sdk_s3, RuleMode::Sequential, rules);
        Bundles::new(client, "artifacts", "111122223333", vec!["builds".into()])
    }

    fn measured(bytes: i64) -> Rule {
        mock!(Client::head_object)
            .then_output(move || HeadObjectOutput::builder().content_length(bytes).build())
    }

    fn read(archive: Vec<u8>) -> [Rule; 2] {
        let size = archive.len().try_into().unwrap();
        let get = mock!(Client::get_object).then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from(archive.clone())).build()
        });
        [measured(size), get]
    }

    fn problem<T: std::fmt::Debug>(result: Result<T, Refusal>) -> FieldProblem {
        match result {
            Err(Refusal::InvalidFunction(problems)) => problems.first()[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_copy_whose_checksum_is_that_of_parts_is_refused_and_removed() {
        for (checksum, kind) in [
            ("8f5DR6rSfEAM4iI4xMbjFA==-3", None),
            ("8f5DR6rSfEAM4iI4xMbjFA==", Some(ChecksumType::Composite)),
        ] {
            let head = measured(READ_UP_TO_BYTES + 1);
            let copy = mock!(Client::copy_object)
                .then_output(|| CopyObjectOutput::builder().version_id("v1").build());
            let stored = mock!(Client::head_object).then_output(move || {
                HeadObjectOutput::builder()
                    .checksum_sha256(checksum)
                    .set_checksum_type(kind.clone())
                    .content_length(READ_UP_TO_BYTES + 1)
                    .build()
            });
            let delete = mock!(Client::delete_object)
                .match_requests(|request| request.version_id() == Some("v1"))
                .then_output(|| DeleteObjectOutput::builder().build());
            let bundles = bundles(&[&head, &copy, &stored, &delete]);
            let id = OperationId::generate();
            let problem = problem(bundles.store(id, &request(object()), None).await);
            assert_eq!(problem.pointer, "/code/s3Key");
            assert_eq!(problem.code, FieldProblemCode::CodeNotAvailable);
            assert!(problem.detail.contains("upload it again"), "{}", problem.detail);
            assert_eq!(delete.num_calls(), 1);
        }
    }

    #[tokio::test]
    async fn a_version_is_at_fault_only_where_one_was_sent() {
        for (version, pointer) in [(Some("x"), "/code/s3ObjectVersion"), (None, "/code/s3Key")] {
            let refused = mock!(Client::head_object).then_http_response(|| {
                HttpResponse::new(StatusCode::try_from(400).unwrap(), "".into())
            });
            let (bucket, key) = ("builds".into(), "a.zip".into());
            let code =
                CodeSource::S3(S3Object { bucket, key, version: version.map(str::to_owned) });
            let problem = problem(bundles(&[&refused]).preview(&request(code), None).await);
            assert_eq!(problem.pointer, pointer);
            assert_eq!(problem.code, FieldProblemCode::CodeNotAvailable);
        }
    }

    #[tokio::test]
    async fn code_in_s3_is_judged_as_if_it_were_in_the_request() {
        let good = bundle::from_source("index.mjs", "x").unwrap();
        let mut damaged = good.clone();
        // The file's only byte, behind a header of 30 bytes and its name.
        damaged[39] ^= 1;
        let [head, get] = read(damaged);
        let problem = problem(bundles(&[&head, &get]).preview(&request(object()), None).await);
        assert_eq!(problem.pointer, "/code/s3Key");
        assert!(problem.detail.contains("is damaged"), "{}", problem.detail);

        let [head, get] = read(bundle::from_source("main.mjs", "x").unwrap());
        let (_, warnings) =
            bundles(&[&head, &get]).preview(&request(object()), None).await.unwrap();
        assert_eq!(warnings[0].code, WarningCode::HandlerNotFound);

        let [head, get] = read(good);
        let (code, warnings) =
            bundles(&[&head, &get]).preview(&request(object()), None).await.unwrap();
        assert!(warnings.is_empty() && !code.inline, "{warnings:?}");
    }

    #[tokio::test]
    async fn inline_source_is_remembered_as_such() {
        let put = mock!(Client::put_object)
            .then_output(|| PutObjectOutput::builder().version_id("v1").build());
        let defaults = Defaults { architecture: Architecture::Arm64, code_buckets: false };
        let body = serde_json::json!({"functionName": "hello", "code": "exports.handler = 1"});
        let request = request::read(&body, &defaults, None).unwrap();
        let id = OperationId::generate();
        let (bundle, warnings) = bundles(&[&put]).store(id, &request, None).await.unwrap();
        assert!(bundle.inline);
        assert_eq!(warnings[0].code, WarningCode::CommonjsInModule);

        let (same, _) = bundles(&[]).preview(&request, Some(&bundle)).await.unwrap();
        assert_eq!(same, CodeSummary::from(&bundle));

        // The previous release did not: the next time that the same comes inline it is learnt, and
        // nothing is stored.
        let unknown = Bundle { inline: false, ..bundle.clone() };
        let (learnt, _) = bundles(&[]).store(id, &request, Some(&unknown)).await.unwrap();
        assert_eq!(learnt, bundle);
        let (learnt, _) = bundles(&[]).preview(&request, Some(&unknown)).await.unwrap();
        assert!(learnt.inline);
    }
}

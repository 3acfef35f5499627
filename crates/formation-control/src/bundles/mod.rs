//! Code bundles in the stack's artefact bucket.
//!
//! A bundle is tagged `state=pending` when it is stored, `kept` once a commit refers to it and
//! `expired` once none does; the bucket's lifecycle removes pending and expired ones after 7 days.
//! So a rollback never finds its code gone, and nothing that was refused stays.

mod links;
mod source;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Tag, Tagging};
use formation_aws::{AwsError, Chain, ErrorKind};
use formation_model::bundle::{self, CodeSummary};
use formation_model::names::bundle_key;
use formation_model::{
    Bundle, CodeSource, FieldProblem, FieldProblemCode, FunctionName, FunctionRequest, OperationId,
    Warning,
};

use self::source::Source;
use crate::caller::Caller;
use crate::records::RequestKey;
use crate::refusal::Refusal;

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

    /// The buckets that code may be referred to in.
    pub(crate) fn code_buckets(&self) -> &[String] {
        &self.code_buckets
    }

    /// Stores the code of an operation, as pending, and tells what its function will miss in it.
    /// Code that is the same as `current`, to the byte, is not stored again; whether it was given
    /// inline is what it is this time. An upload has to be `caller`'s; a copy of one that an earlier
    /// try of the request under its `key` has left is taken as it is.
    ///
    /// # Errors
    /// [`Refusal::InvalidFunction`] and [`Refusal::UploadNotFound`] if the code cannot be used, otherwise
    /// what S3 answered.
    pub(crate) async fn store(
        &self,
        operation: OperationId,
        request: &FunctionRequest,
        current: Option<&Bundle>,
        caller: &Caller,
        key: Option<&RequestKey>,
    ) -> Result<(Bundle, Vec<Warning>), Refusal> {
        let own = bundle_key(&request.function_name, operation);
        let same = |sha256: &str| current.filter(|current| current.sha256 == sha256).cloned();
        match &request.code {
            CodeSource::Unchanged => Ok((unchanged(current)?.clone(), Vec::new())),
            // Requests that are to be carried out are not read so.
            CodeSource::Digest(_) => Err(digest_alone()),
            CodeSource::Archive(archive) => {
                let sha256 = bundle::sha256(&archive.bytes);
                let bundle = match same(&sha256) {
                    Some(same) => same,
                    None => self.put(own, archive.bytes.clone(), sha256).await?,
                };
                Ok((Bundle { inline: archive.inline, ..bundle }, archive.warnings.clone()))
            }
            CodeSource::S3(_) | CodeSource::Upload(_) => {
                self.fetch(own, request, current, caller, key).await
            }
        }
    }

    /// What [`Bundles::store`] would store, with every check and without storing it. The digest of
    /// a user's object that is too large to be read is not known before S3 has copied it: it is empty.
    ///
    /// # Errors
    /// As for [`Bundles::store`].
    pub(crate) async fn preview(
        &self,
        request: &FunctionRequest,
        current: Option<&Bundle>,
        caller: &Caller,
    ) -> Result<(CodeSummary, Vec<Warning>), Refusal> {
        let summary = |archive: &[u8], inline| {
            let (sha256, size_bytes) = (bundle::sha256(archive), archive.len() as u64);
            CodeSummary { sha256, size_bytes, inline }
        };
        match &request.code {
            CodeSource::Unchanged => Ok((unchanged(current)?.into(), Vec::new())),
            CodeSource::Digest(other) => Ok((other.clone(), Vec::new())),
            CodeSource::Archive(archive) => {
                Ok((summary(&archive.bytes, archive.inline), archive.warnings.clone()))
            }
            CodeSource::S3(_) | CodeSource::Upload(_) => {
                let origin = self.origin(&request.code, caller)?;
                match self.check_source(&origin, request, current).await? {
                    Source::Same(same) => Ok((CodeSummary::from(&same), Vec::new())),
                    Source::Read(archive, warnings) => Ok((summary(&archive, false), warnings)),
                    Source::Large { size_bytes, sha256, .. } => {
                        let sha256 = sha256.unwrap_or_default();
                        Ok((CodeSummary { sha256, size_bytes, inline: false }, Vec::new()))
                    }
                }
            }
        }
    }

    /// Removes what was stored for an operation that was not accepted after all. What it shares is left: the
    /// bundle that the function had, or the copy of an upload that another try of its request may have
    /// taken, or will.
    pub(crate) async fn discard(
        &self,
        function: &FunctionName,
        operation: OperationId,
        bundle: &Bundle,
    ) {
        if bundle.key == bundle_key(function, operation) {
            self.remove(bundle).await;
        }
    }

    /// Removes a bundle that no operation refers to. Best effort: the lifecycle does it otherwise.
    async fn remove(&self, bundle: &Bundle) {
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
}

fn unchanged(current: Option<&Bundle>) -> Result<&Bundle, Refusal> {
    current.ok_or_else(|| {
        let detail = "there is no code yet; send it".to_owned();
        invalid("/code", FieldProblemCode::Required, detail)
    })
}

fn digest_alone() -> Refusal {
    let detail = "a digest names only code that the function has; send the code itself";
    invalid("/code", FieldProblemCode::Required, detail.to_owned())
}

fn is_missing(error: &AwsError) -> bool {
    ["NoSuchKey", "NoSuchVersion"].into_iter().any(|code| error.has_code(code))
}

fn invalid(pointer: &str, code: FieldProblemCode, detail: String) -> Refusal {
    Refusal::InvalidFunction(FieldProblem::new(pointer, code, detail).into())
}

#[cfg(test)]
mod tests;

//! Code past the API: where an archive is put that is too large for a request, and where the code of a
//! function is fetched from.

use formation_model::{CodeLink, FunctionName, Upload, UploadRequest};

use super::Control;
use crate::caller::Caller;
use crate::refusal::Refusal;

impl Control {
    /// Where `caller`, and nobody else, can put an archive that changes can then name. Nothing is
    /// stored for it.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: it cannot be signed.
    pub async fn offer_upload(
        &self,
        request: &UploadRequest,
        caller: &Caller,
    ) -> Result<Upload, Refusal> {
        self.bundles.offer(request, caller).await
    }

    /// Where the code of a function can be fetched from, as its record has it, or one of its revisions.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`], [`Refusal::RevisionNotFound`], or why it cannot be read.
    pub async fn code_link(
        &self,
        name: &FunctionName,
        revision: Option<u64>,
    ) -> Result<CodeLink, Refusal> {
        let spec = match revision {
            Some(revision) => self.revision_record(name, revision).await?.spec,
            None => self.function_record(name).await?.spec,
        };
        self.bundles.link(&spec.code).await
    }
}

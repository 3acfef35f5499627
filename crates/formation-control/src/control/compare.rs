//! Comparing a function with what AWS holds.

use formation_model::Difference;

use super::Control;
use crate::records::FunctionRecord;
use crate::refusal::Refusal;

impl Control {
    /// Everything in which AWS differs from the function's record, in the order of the parts.
    ///
    /// # Errors
    /// [`Refusal::Resource`]: what AWS answered.
    pub async fn compare(&self, function: &FunctionRecord) -> Result<Vec<Difference>, Refusal> {
        let (role_id, version) = (function.role_id.as_deref(), function.live.version);
        Ok(self.comparer.compare(&function.spec, role_id, version).await?)
    }
}

//! Comparing a function with what AWS holds.

use formation_model::{Difference, Part};

use super::Control;
use crate::records::FunctionRecord;
use crate::refusal::Refusal;

/// Of so many comparisons on a schedule one looks for shares of the calls that somebody gave other versions: two functions
/// a second, looked at always, would use up an eighth of the calls that Lambda allows for all tools, for ever.
const LOOKS_FOR_SHARES: u8 = 10;

impl Control {
    /// Everything in which AWS differs from the function's record, in the order of the parts: for somebody who asks.
    ///
    /// # Errors
    /// [`Refusal::Resource`]: what AWS answered.
    pub async fn compare(&self, function: &FunctionRecord) -> Result<Vec<Difference>, Refusal> {
        self.compare_with(function, true).await
    }

    /// The same on a schedule. What takes calls that others need is looked at now and then, and always where it was
    /// found to differ: until it is as recorded it is told so.
    ///
    /// # Errors
    /// [`Refusal::Resource`]: what AWS answered.
    pub async fn compare_on_schedule(
        &self,
        function: &FunctionRecord,
    ) -> Result<Vec<Difference>, Refusal> {
        let found = &function.drift.differences;
        let differed = found.iter().any(|it| it.part == Part::Live);
        let looks = differed || fastrand::u8(..LOOKS_FOR_SHARES) == 0;
        self.compare_with(function, looks).await
    }

    async fn compare_with(
        &self,
        function: &FunctionRecord,
        weights: bool,
    ) -> Result<Vec<Difference>, Refusal> {
        let (role_id, version) = (function.role_id.as_deref(), function.live.version);
        Ok(self.comparer.compare(&function.spec, role_id, version, weights).await?)
    }
}

//! Comparing a function with what AWS holds.

use formation_model::{Difference, Part};
use formation_resources::Recorded;

use super::Control;
use crate::records::FunctionRecord;
use crate::refusal::Refusal;

/// Of so many comparisons on a schedule one looks for shares of the calls that somebody gave other versions, and at what
/// calls a function: two functions a second, looked at always, would use up an eighth of the calls that Lambda allows
/// for all tools, for ever, and with triggers half of them.
const LOOKS_CLOSELY: u8 = 10;

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
        let differed = found.iter().any(|it| it.part == Part::Live || it.part == Part::Triggers);
        let closely = differed || fastrand::u8(..LOOKS_CLOSELY) == 0;
        self.compare_with(function, closely).await
    }

    async fn compare_with(
        &self,
        function: &FunctionRecord,
        closely: bool,
    ) -> Result<Vec<Difference>, Refusal> {
        let recorded = Recorded {
            role_id: function.role_id.as_deref(),
            version: function.live.version,
            function_url: function.live.function_url.as_deref(),
        };
        let found = self.comparer.compare(&function.spec, recorded, closely).await?;
        Ok(with_refusal(found, &function.drift.differences))
    }
}

/// What AWS said when it refused to bring the function back was said once, and explains what differs for as long as
/// that does.
fn with_refusal(mut found: Vec<Difference>, before: &[Difference]) -> Vec<Difference> {
    let is_there =
        |it: &Difference| it.part == Part::Function && !it.is_missing() && !it.is_not_owned();
    if let Some(last) = found.iter().rposition(is_there) {
        let refusal = before.iter().find(|it| it.is_refusal()).cloned();
        found.splice(last + 1..last + 1, refusal);
    }
    found
}

#[cfg(test)]
mod tests {
    use formation_model::Facet;
    use serde_json::json;

    use super::*;

    #[test]
    fn why_aws_refused_is_told_while_the_function_differs() {
        let difference = |facet, property: &str| {
            Difference::between(facet, property, json!("wanted"), json!("found")).unwrap()
        };
        let runtime = difference(Facet::Configuration, "runtime");
        let retention = difference(Facet::LogGroup, "logRetentionDays");
        let refusal = Difference::refused("nodejs14.x is no longer supported".to_owned());
        let before = [runtime.clone(), refusal.clone()];
        let found = vec![runtime.clone(), retention.clone()];
        let told = with_refusal(found.clone(), &before);
        assert_eq!(told, [runtime, refusal, retention.clone()]);
        assert_eq!(with_refusal(vec![retention.clone()], &before), [retention]);
        let gone = Difference::missing(Part::Function);
        assert_eq!(with_refusal(vec![gone.clone()], &before), [gone]);
        assert_eq!(with_refusal(found.clone(), &found), found);
    }
}

//! Planning what a PUT would do, which creates or replaces.

use formation_model::{FieldProblems, FunctionName, FunctionRequest, FunctionSpec, Plan};

use super::update::updatable;
use crate::caller::Caller;
use crate::control::Control;
use crate::refusal::Refusal;
use crate::version_tag::VersionTag;

/// What a PUT makes of a function's current specification, if there is one.
pub type Put<'a> =
    Box<dyn FnOnce(Option<&FunctionSpec>) -> Result<FunctionRequest, FieldProblems> + Send + 'a>;

impl Control {
    /// What a PUT of the function `name` that `caller` asks for would lead to: its create if there is
    /// none, else its update; and the version of the one that is there. Every check is made, and nothing
    /// is written.
    ///
    /// # Errors
    /// Why it would not be accepted.
    pub async fn plan_put(
        &self,
        name: &FunctionName,
        put: Put<'_>,
        caller: &Caller,
    ) -> Result<(Plan, Option<VersionTag>), Refusal> {
        let found = self.records.function(name).await?;
        let Some(function) = found else {
            let request = put(None).map_err(Refusal::InvalidFunction)?;
            return Ok((self.planned_create(request, None, caller).await?, None));
        };
        let function = updatable(Some(function), name, None)?;
        let version_tag = function.version_tag();
        let edit = Box::new(|current: &_| put(Some(current)));
        let plan = self.planned_update(&function, edit, caller).await?;
        Ok((plan, Some(version_tag)))
    }
}

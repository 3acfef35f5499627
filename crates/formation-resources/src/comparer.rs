//! All parts of a function, compared with its specification.

use formation_model::{Difference, FunctionSpec};

use crate::error::ResourceError;
use crate::role::RoleSettings;
use crate::{function, log_group, role};

/// Compares functions with what AWS holds.
#[derive(Clone, Debug)]
pub struct Comparer {
    /// IAM, for the role.
    pub iam: aws_sdk_iam::Client,
    /// CloudWatch Logs, for the log group.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Lambda, for configuration and code.
    pub lambda: aws_sdk_lambda::Client,
    /// What the roles of the stack have in common.
    pub settings: RoleSettings,
}

impl Comparer {
    /// Everything that differs from `spec`, in the order of the parts. Only what is declared is
    /// compared, and of the tags only our own and the user's: see the parts' `compare`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn compare(&self, spec: &FunctionSpec) -> Result<Vec<Difference>, ResourceError> {
        let stack = &self.settings.stack;
        let mut differences = role::compare(&self.iam, &self.settings, spec).await?;
        differences.extend(log_group::compare(&self.logs, stack, spec).await?);
        differences.extend(function::compare(&self.lambda, stack, spec).await?);
        Ok(differences)
    }
}

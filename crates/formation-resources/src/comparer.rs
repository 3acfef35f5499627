//! All parts of a function, compared with its specification.

use aws_config::SdkConfig;
use formation_model::{Difference, FunctionName, FunctionSpec, Part, PublishedVersion};
use jiff::Timestamp;

use crate::boundary::BoundaryReader;
use crate::error::ResourceError;
use crate::role::RoleSettings;
use crate::{function, live, log_group, role};

/// Compares functions with what AWS holds.
#[derive(Clone, Debug)]
pub struct Comparer {
    iam: aws_sdk_iam::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    lambda: aws_sdk_lambda::Client,
    settings: RoleSettings,
    boundary: BoundaryReader,
}

impl Comparer {
    /// Compares functions of the stack that `settings` tell of.
    pub fn new(config: &SdkConfig, settings: RoleSettings) -> Self {
        let iam = aws_sdk_iam::Client::new(config);
        Self {
            boundary: BoundaryReader::new(iam.clone(), &settings),
            iam,
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            settings,
        }
    }

    /// What all roles of the stack have in common.
    pub fn role_settings(&self) -> &RoleSettings {
        &self.settings
    }

    /// The most that the role of a function can be allowed.
    pub fn boundary(&self) -> &BoundaryReader {
        &self.boundary
    }

    /// The version that callers of a function run; none where no alias tells.
    ///
    /// # Errors
    /// What Lambda answered.
    pub async fn live_version(
        &self,
        function: &FunctionName,
    ) -> Result<Option<PublishedVersion>, ResourceError> {
        let alias = live::alias(&self.lambda, function).await?;
        Ok(alias.and_then(|alias| alias.version))
    }

    /// Everything that differs from `spec`, in the order of the parts. Only what is declared is
    /// compared, and of the tags only our own and the user's: see the parts' `compare`. `role_id` and
    /// `version` are the recorded ones; where none is recorded it is not compared. `weights` asks whether others have
    /// a share of the calls, too, which takes one of the 15 calls a second that Lambda allows for all tools.
    ///
    /// # Errors
    /// [`ResourceError::NotReady`], or what AWS answered, if a part cannot be compared now.
    pub async fn compare(
        &self,
        spec: &FunctionSpec,
        role_id: Option<&str>,
        version: Option<PublishedVersion>,
        weights: bool,
    ) -> Result<Vec<Difference>, ResourceError> {
        let stack = &self.settings.stack;
        let mut differences = role::compare(&self.iam, &self.settings, spec, role_id).await?;
        differences.extend(log_group::compare(&self.logs, stack, spec).await?);
        let of_function = function::compare(&self.lambda, stack, spec).await?;
        let is_gone = of_function.iter().any(Difference::is_missing);
        let is_foreign = of_function.iter().any(Difference::is_not_owned);
        differences.extend(of_function);
        if is_gone {
            // With the function its versions and aliases are gone.
            differences.extend(version.map(|_| Difference::missing(Part::Live)));
        } else if !is_foreign {
            // Its tags have just proved whose the function is.
            differences.extend(live::compare(&self.lambda, stack, spec, version, weights).await?);
        }
        Ok(differences)
    }

    /// Looks whether a Lambda function that is not ours has the name, before anything is made for it.
    ///
    /// # Errors
    /// [`ResourceError::NotOwned`] if one has; [`ResourceError::NotReady`], or what AWS answered, if it
    /// cannot be told now.
    pub async fn refuse_foreign(&self, function: &FunctionName) -> Result<(), ResourceError> {
        // Nothing of an operation that is yet to be accepted is there.
        let since = Timestamp::MAX;
        function::refuse_foreign(&self.lambda, &self.settings.stack, function, since).await
    }
}

//! All parts of a function, compared with its specification.

use aws_config::SdkConfig;
use formation_model::{Difference, FunctionName, FunctionSpec, Part, PublishedVersion};
use jiff::Timestamp;

use crate::boundary::BoundaryReader;
use crate::error::ResourceError;
use crate::role::RoleSettings;
use crate::triggers::{Clients, TriggerSettings};
use crate::{function, live, log_group, role, triggers};

/// Compares functions with what AWS holds.
#[derive(Clone, Debug)]
pub struct Comparer {
    iam: aws_sdk_iam::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    clients: Clients,
    settings: RoleSettings,
    triggers: TriggerSettings,
    boundary: BoundaryReader,
}

/// What is recorded of a function besides its specification, where it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded<'a> {
    /// The RoleId of its role.
    pub role_id: Option<&'a str>,
    /// The version that callers run.
    pub version: Option<PublishedVersion>,
    /// Its address.
    pub function_url: Option<&'a str>,
}

impl Comparer {
    /// Compares functions of the stack that `settings` tell of, whose schedules act in the name of
    /// `scheduler_role_arn`.
    pub fn new(config: &SdkConfig, settings: RoleSettings, scheduler_role_arn: String) -> Self {
        let iam = aws_sdk_iam::Client::new(config);
        Self {
            boundary: BoundaryReader::new(iam.clone(), &settings),
            iam,
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            clients: Clients {
                lambda: aws_sdk_lambda::Client::new(config),
                events: aws_sdk_eventbridge::Client::new(config),
                scheduler: aws_sdk_scheduler::Client::new(config),
            },
            triggers: TriggerSettings { stack: settings.stack.clone(), scheduler_role_arn },
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
        let alias = live::alias(&self.clients.lambda, function).await?;
        Ok(alias.and_then(|alias| alias.version))
    }

    /// Everything that differs from `spec`, in the order of the parts. Only what is declared is
    /// compared, and of the tags only our own and the user's: see the parts' `compare`. What of `recorded` is
    /// none is not compared. `closely` asks whether others have
    /// a share of the calls, too, and for what calls the function: that takes some of the 15 calls a second that Lambda
    /// allows for all tools.
    ///
    /// # Errors
    /// [`ResourceError::NotReady`], or what AWS answered, if a part cannot be compared now.
    pub async fn compare(
        &self,
        spec: &FunctionSpec,
        recorded: Recorded<'_>,
        closely: bool,
    ) -> Result<Vec<Difference>, ResourceError> {
        let Recorded { role_id, version, function_url } = recorded;
        let (stack, lambda) = (&self.settings.stack, &self.clients.lambda);
        let mut differences = role::compare(&self.iam, &self.settings, spec, role_id).await?;
        differences.extend(log_group::compare(&self.logs, stack, spec).await?);
        let of_function = function::compare(lambda, stack, spec).await?;
        let is_gone = of_function.iter().any(Difference::is_missing);
        let is_foreign = of_function.iter().any(Difference::is_not_owned);
        differences.extend(of_function);
        if is_gone {
            // With the function its versions and aliases are gone. What called it may be there still, and calls nobody.
            differences.extend(version.map(|_| Difference::missing(Part::Live)));
        } else if !is_foreign {
            // Its tags have just proved whose the function is.
            differences.extend(live::compare(lambda, stack, spec, version, closely).await?);
            if closely {
                let found = triggers::compare(&self.clients, &self.triggers, spec, function_url);
                differences.extend(found.await?);
            }
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
        function::refuse_foreign(&self.clients.lambda, &self.settings.stack, function, since).await
    }
}

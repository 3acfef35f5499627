//! What a door, or `reconcile`, starts with.

use aws_config::SdkConfig;
use formation_control::{Bundles, Control, Executions, Records};
use formation_model::Defaults;
use formation_model::function::TriggerLimits;
use formation_resources::Comparer;

use crate::config::sdk_config;
use crate::environment::{
    BadVariable, flag, listed, number, required_var, role_settings, stack_identity,
};
use crate::log::init_log;

/// The Lambda of a door as it starts.
#[derive(Debug)]
pub struct Door {
    config: SdkConfig,
}

impl Door {
    /// Begins the log, and configures the clients from the environment.
    pub fn start() -> Self {
        init_log();
        Self { config: sdk_config() }
    }

    /// What all doors share, as `infra/template.yaml` describes it.
    ///
    /// # Errors
    /// [`BadVariable`] if a part of it is not set.
    pub fn control(&self) -> Result<Control, BadVariable> {
        let config = &self.config;
        let stack = stack_identity()?;
        let architecture = required_var("DEFAULT_ARCHITECTURE")?;
        let code_buckets = listed("CODE_BUCKETS")?;
        let roles = role_settings()?;
        let defaults = Defaults {
            architecture: architecture.parse().map_err(|()| BadVariable("DEFAULT_ARCHITECTURE"))?,
            code_buckets: !code_buckets.is_empty(),
            layer_arns: listed("LAYER_ARNS")?,
            max_reserved_concurrency: number("MAX_RESERVED_CONCURRENCY")?,
            policy_characters: roles.policy_characters(),
            triggers: TriggerLimits {
                account_id: stack.account_id.clone(),
                region: stack.region.clone(),
                public_urls: flag("ALLOW_PUBLIC_URLS")?,
                invoker_accounts: listed("INVOKER_ACCOUNTS")?,
                event_bus_names: listed("EVENT_BUS_NAMES")?,
                own_event_bus: required_var("EVENT_BUS_NAME")?,
                event_source_arns: listed("EVENT_SOURCE_ARNS")?,
                failure_destination_arns: listed("FAILURE_DESTINATION_ARNS")?,
            },
        };
        let table = required_var("TABLE_NAME")?;
        let records = Records::new(aws_sdk_dynamodb::Client::new(config), table);
        let bucket = required_var("ARTIFACT_BUCKET")?;
        let s3 = aws_sdk_s3::Client::new(config);
        let bundles = Bundles::new(s3, bucket, &stack.account_id, code_buckets);
        let state_machine = required_var("STATE_MACHINE_ARN")?;
        let executions = Executions::new(aws_sdk_sfn::Client::new(config), state_machine);
        let comparer = Comparer::new(config, roles, required_var("SCHEDULER_ROLE_ARN")?);
        Ok(Control::new(stack, defaults, records, bundles, executions, comparer))
    }

    /// For doors that announce.
    pub fn events(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.config)
    }

    /// For the door that takes its requests from a queue.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }
}

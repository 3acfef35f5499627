//! The configuration of a function, in Lambda's terms.

use aws_sdk_lambda::types::{Environment, FunctionConfiguration, LoggingConfig, Runtime};
use formation_model::drift::between_maps;
use formation_model::names::log_group_name;
use formation_model::{Difference, Facet, FunctionSpec, StackIdentity};

pub(super) fn has_configuration(
    found: &FunctionConfiguration,
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> bool {
    configuration_differences(found, stack, spec).is_empty()
}

pub(super) fn configuration_differences(
    found: &FunctionConfiguration,
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> Vec<Difference> {
    let part = Facet::Configuration;
    let variables = found.environment().and_then(|environment| environment.variables());
    let variables = variables.into_iter().flatten();
    let variables = variables.map(|(key, value)| (key.clone(), value.clone())).collect();
    let group = found.logging_config().and_then(LoggingConfig::log_group);
    let name = &spec.function_name;
    [
        Difference::between(
            part,
            "runtime",
            spec.configuration.runtime.as_str(),
            found.runtime().map(Runtime::as_str),
        ),
        Difference::between(part, "handler", spec.configuration.handler.as_str(), found.handler()),
        Difference::between(part, "role", stack.role_arn(name), found.role()),
        // Lambda shows no description where none was given.
        Difference::between(
            part,
            "description",
            spec.configuration.description.as_str(),
            found.description().unwrap_or_default(),
        ),
        Difference::between(
            part,
            "memoryMegabytes",
            spec.configuration.memory_megabytes,
            found.memory_size(),
        ),
        Difference::between(
            part,
            "timeoutSeconds",
            spec.configuration.timeout_seconds,
            found.timeout(),
        ),
        Difference::between(part, "logGroup", log_group_name(name), group),
    ]
    .into_iter()
    .flatten()
    .chain(between_maps(part, "environment", &spec.configuration.environment.0, &variables, true))
    .collect()
}

pub(super) fn environment(spec: &FunctionSpec) -> Environment {
    let variables = spec.configuration.environment.0.clone().into_iter().collect();
    Environment::builder().set_variables(Some(variables)).build()
}

pub(super) fn logging(spec: &FunctionSpec) -> LoggingConfig {
    LoggingConfig::builder().log_group(log_group_name(&spec.function_name)).build()
}

//! The configuration of a function: one row for each setting of Lambda's, from which follow what is
//! sent when a function is created or updated, and what is compared.

use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder as Create;
use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder as Update;
use aws_sdk_lambda::types::{
    Environment, EphemeralStorage, FunctionConfiguration, LogFormat, LoggingConfig, Runtime,
    TracingConfig, TracingMode,
};
use formation_model::function::{LogFormat as Format, Tracing, property};
use formation_model::names::log_group_name;
use formation_model::{Difference, Facet, FunctionSpec, StackIdentity};
use serde_json::{Value, json};

/// What a function's configuration is to be.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub stack: &'a StackIdentity,
    pub spec: &'a FunctionSpec,
}

/// One setting of Lambda's: what is read of it, and how it is put into a request.
struct Setting {
    /// What it is read into: nearly always one field, and several where Lambda takes them together.
    fields: &'static [Field],
    sent: Sent,
    create: fn(Create, &Wanted<'_>) -> Create,
    update: fn(Update, &Wanted<'_>) -> Update,
}

/// A value that is compared.
struct Field {
    /// The API's name of it, or what stands for it where it is no field of the API.
    name: &'static str,
    /// As Lambda has it, in the API's terms: what Lambda does not show is its default.
    read: fn(&FunctionConfiguration) -> Value,
}

/// When an update sends a setting.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    /// In every update.
    Always,
    /// Where it differs: Lambda may refuse what a function has already, as a runtime that it has
    /// deprecated since or a layer that is gone.
    WhereItDiffers,
}

/// The same call of both builders, which have no type in common.
macro_rules! put {
    (|$builder:ident, $wanted:ident| $call:expr) => {
        Setting {
            fields: &[],
            sent: Sent::Always,
            create: |$builder, $wanted| $call,
            update: |$builder, $wanted| $call,
        }
    };
}

/// Every setting that Formation declares. What it does not name is in [`super::unnamed`].
const SETTINGS: &[Setting] = &[
    Setting {
        fields: &[Field { name: "runtime", read: |it| json!(it.runtime().map(Runtime::as_str)) }],
        sent: Sent::WhereItDiffers,
        ..put!(|to, it| to.runtime(Runtime::from(it.spec.configuration.runtime.as_str())))
    },
    Setting {
        fields: &[Field { name: "handler", read: |it| json!(it.handler()) }],
        ..put!(|to, it| to.handler(&it.spec.configuration.handler))
    },
    Setting {
        fields: &[Field { name: "role", read: |it| json!(it.role()) }],
        ..put!(|to, it| to.role(it.stack.role_arn(&it.spec.function_name)))
    },
    Setting {
        fields: &[Field {
            name: "layers",
            read: |it| it.layers().iter().map(|it| json!(it.arn())).collect(),
        }],
        sent: Sent::WhereItDiffers,
        ..put!(|to, it| to.set_layers(Some(it.spec.configuration.layers.clone())))
    },
    Setting {
        // Lambda shows no description where none was given.
        fields: &[Field {
            name: "description",
            read: |it| json!(it.description().unwrap_or_default()),
        }],
        ..put!(|to, it| to.description(&it.spec.configuration.description))
    },
    Setting {
        fields: &[Field { name: "memoryMegabytes", read: |it| json!(it.memory_size()) }],
        ..put!(|to, it| to.set_memory_size(number(it.spec.configuration.memory_megabytes)))
    },
    Setting {
        fields: &[Field { name: "timeoutSeconds", read: |it| json!(it.timeout()) }],
        ..put!(|to, it| to.set_timeout(number(it.spec.configuration.timeout_seconds)))
    },
    Setting {
        fields: &[Field {
            name: "ephemeralStorageMegabytes",
            read: |it| json!(it.ephemeral_storage().map_or(512, EphemeralStorage::size)),
        }],
        ..put!(|to, it| to.set_ephemeral_storage(storage(it.spec)))
    },
    Setting {
        fields: &[Field { name: "tracing", read: |it| json!(tracing(it)) }],
        ..put!(|to, it| to.tracing_config(tracing_config(it.spec)))
    },
    Setting {
        fields: &[
            Field {
                name: "logGroup",
                read: |it| json!(it.logging_config().and_then(LoggingConfig::log_group)),
            },
            Field { name: "logFormat", read: |it| json!(format(it)) },
            Field {
                name: "applicationLogLevel",
                read: |it| level(it, |it| it.application_log_level().map(|it| it.as_str())),
            },
            Field {
                name: "systemLogLevel",
                read: |it| level(it, |it| it.system_log_level().map(|it| it.as_str())),
            },
        ],
        ..put!(|to, it| to.logging_config(logging(it.spec)))
    },
    Setting {
        fields: &[Field {
            name: "environment",
            read: |it| json!(it.environment().and_then(|it| it.variables())),
        }],
        ..put!(|to, it| to.environment(environment(it.spec)))
    },
];

impl Wanted<'_> {
    /// The value that the field of that name is to have.
    fn value(&self, values: &Value, name: &str) -> Value {
        match name {
            "role" => json!(self.stack.role_arn(&self.spec.function_name)),
            "logGroup" => json!(log_group_name(&self.spec.function_name)),
            name => values[name].clone(),
        }
    }

    /// What differs of one setting; `values` are those of the specification.
    fn differences(
        &self,
        setting: &Setting,
        values: &Value,
        found: &FunctionConfiguration,
    ) -> Vec<Difference> {
        let facet = Facet::Configuration;
        let of_field = |field: &Field| {
            let (expected, actual) = (self.value(values, field.name), (field.read)(found));
            match property(field.name) {
                Some(property) => property.differences(facet, &expected, &actual),
                None => {
                    Difference::between(facet, field.name, expected, actual).into_iter().collect()
                }
            }
        };
        setting.fields.iter().flat_map(of_field).collect()
    }
}

/// Puts every setting into the request that creates the function.
pub(crate) fn create(request: Create, wanted: &Wanted<'_>) -> Create {
    SETTINGS.iter().fold(request, |request, setting| (setting.create)(request, wanted))
}

/// Puts into a request what leads from `found` to what is wanted.
pub(crate) fn update(
    request: Update,
    wanted: &Wanted<'_>,
    found: &FunctionConfiguration,
) -> Update {
    let values = wanted.spec.values();
    let is_sent = |setting: &&Setting| {
        setting.sent == Sent::Always || !wanted.differences(setting, &values, found).is_empty()
    };
    let sent = SETTINGS.iter().filter(is_sent);
    sent.fold(request, |request, setting| (setting.update)(request, wanted))
}

/// How the configuration differs from what is wanted.
pub(crate) fn differences(wanted: &Wanted<'_>, found: &FunctionConfiguration) -> Vec<Difference> {
    let values = wanted.spec.values();
    SETTINGS.iter().flat_map(|setting| wanted.differences(setting, &values, found)).collect()
}

fn number(number: u32) -> Option<i32> {
    i32::try_from(number).ok()
}

fn storage(spec: &FunctionSpec) -> Option<EphemeralStorage> {
    let size = number(spec.configuration.ephemeral_storage_megabytes);
    EphemeralStorage::builder().set_size(size).build().ok()
}

fn tracing_config(spec: &FunctionSpec) -> TracingConfig {
    let mode = match spec.configuration.tracing {
        Tracing::Active => TracingMode::Active,
        Tracing::PassThrough => TracingMode::PassThrough,
    };
    TracingConfig::builder().mode(mode).build()
}

fn tracing(found: &FunctionConfiguration) -> Tracing {
    match found.tracing_config().and_then(|it| it.mode()) {
        Some(TracingMode::Active) => Tracing::Active,
        _ => Tracing::PassThrough,
    }
}

fn environment(spec: &FunctionSpec) -> Environment {
    let variables = spec.configuration.environment.0.clone().into_iter().collect();
    Environment::builder().set_variables(Some(variables)).build()
}

fn logging(spec: &FunctionSpec) -> LoggingConfig {
    let logs = &spec.logs;
    let format = match logs.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    let name = |level: Value| level.as_str().map(str::to_owned);
    let application = name(json!(logs.application_log_level));
    let system = name(json!(logs.system_log_level));
    LoggingConfig::builder()
        .log_group(log_group_name(&spec.function_name))
        .log_format(format)
        .set_application_log_level(application.map(|it| it.as_str().into()))
        .set_system_log_level(system.map(|it| it.as_str().into()))
        .build()
}

/// The format in the API's spelling, which is in capitals.
fn format(found: &FunctionConfiguration) -> String {
    let format = found.logging_config().and_then(LoggingConfig::log_format);
    format.unwrap_or(&LogFormat::Text).as_str().to_uppercase()
}

/// A level of logging: none in plain text, where Lambda has none, and otherwise Lambda's default where
/// it shows none.
fn level(found: &FunctionConfiguration, read: fn(&LoggingConfig) -> Option<&str>) -> Value {
    match found.logging_config() {
        Some(logging) if format(found) == "JSON" => json!(read(logging).unwrap_or("INFO")),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests;

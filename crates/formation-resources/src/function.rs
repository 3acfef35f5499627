//! The Lambda function: configuration, code and tags.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus,
    LoggingConfig, PackageType, Runtime, State,
};
use formation_aws::AwsError;
use formation_model::names::log_group_name;
use formation_model::{FunctionName, FunctionSpec, StackIdentity};
use tokio::time::sleep;

use crate::error::{ResourceError, may_be_gone};
use crate::tags::{self, TagChanges};

/// What the functions of a stack have in common.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// The stack.
    pub stack: StackIdentity,
    /// The stack's artefact bucket, where the bundles are.
    pub bucket: String,
}

/// Pauses between tries while Lambda cannot assume a role that was just made. Four refused calls
/// span 11 s, which nearly every role needs less than; whoever needs longer waits in the state
/// machine. AWS publishes no number: Terraform allows minutes, most roles take seconds.
const ROLE_PAUSES: [Duration; 4] = [
    Duration::from_millis(1500),
    Duration::from_millis(2500),
    Duration::from_millis(3500),
    Duration::from_millis(3500),
];

/// Pauses between looks at a function that is becoming what it shall be: short at first, since
/// most are done in a second. GetFunction has a rate of its own, 100/s for each account and Region.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const SETTLE_PAUSES: [Duration; 8] = [
    Duration::from_millis(200),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(2000),
    Duration::from_millis(3000),
];

/// Brings the function of `spec` to its target, waits until it is invocable, and answers its ARN.
/// `formerly` is what the record says was there before.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the function is somebody else's, [`ResourceError::NotReady`] if
/// it is not invocable after some seconds, otherwise what Lambda answered.
pub async fn ensure(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
) -> Result<String, ResourceError> {
    let result = match formerly {
        // Where the record knows of a function, a read is cheaper than a call that Lambda refuses.
        Some(_) => match find(lambda, &spec.function_name).await? {
            Some(found) => converge(lambda, settings, spec, formerly, found).await,
            None => create_or_converge(lambda, settings, spec, formerly).await,
        },
        None => create_or_converge(lambda, settings, spec, formerly).await,
    };
    match result {
        Ok(()) => Ok(settings.stack.function_arn(&spec.function_name)),
        Err(error) => Err(redacted(error, spec)),
    }
}

/// Removes the function and waits until Lambda no longer knows it.
///
/// # Errors
/// [`ResourceError::NotReady`] if Lambda is still removing or changing it after some seconds,
/// otherwise what Lambda answered. A function that is gone, or is not ours, is none.
pub async fn remove(
    lambda: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
) -> Result<(), ResourceError> {
    match find(lambda, function).await? {
        Some(found) if stack.owns(function, &tags_of(&found)) => {}
        _ => return Ok(()),
    }
    let deleted = lambda.delete_function().function_name(function.as_str()).send().await;
    match deleted.map_err(|error| AwsError::new("lambda:DeleteFunction", error)) {
        Err(error) if does_not_exist(&error) => return Ok(()),
        Err(error) if may_be_gone(&error) && find(lambda, function).await?.is_none() => {
            return Ok(());
        }
        Err(error) if is_busy(&error) => {
            let what = format!("the function {function} is being changed");
            return Err(ResourceError::NotReady { what, source: Some(error) });
        }
        other => other?,
    };
    // Deleting may go on after Lambda's answer; the role must outlive the function.
    let mut pauses = SETTLE_PAUSES.iter();
    while find(lambda, function).await?.is_some() {
        let Some(pause) = pauses.next() else {
            let what = format!("Lambda is still deleting the function {function}");
            return Err(ResourceError::not_ready(what));
        };
        sleep(*pause).await;
    }
    Ok(())
}

async fn create_or_converge(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
) -> Result<(), ResourceError> {
    match create(lambda, settings, spec).await {
        Ok(()) => settled(lambda, &spec.function_name).await.map(|_| ()),
        // Made by somebody else, or by an attempt of ours whose answer was lost.
        Err(ResourceError::Aws(error)) if name_is_taken(&error) => {
            match find(lambda, &spec.function_name).await? {
                Some(found) => converge(lambda, settings, spec, formerly, found).await,
                None => Err(ResourceError::NotReady {
                    what: format!("Lambda does not show the function {} yet", spec.function_name),
                    source: Some(error),
                }),
            }
        }
        Err(error) => Err(error),
    }
}

/// Creates the function, as soon as Lambda can assume its role.
async fn create(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
) -> Result<(), ResourceError> {
    let code = FunctionCode::builder()
        .s3_bucket(&settings.bucket)
        .s3_key(&spec.code.key)
        .s3_object_version(&spec.code.version)
        .build();
    let create = lambda
        .create_function()
        .function_name(spec.function_name.as_str())
        .package_type(PackageType::Zip)
        .code(code)
        .runtime(Runtime::from(spec.runtime.as_str()))
        .handler(&spec.handler)
        .architectures(architecture(spec))
        .role(settings.stack.role_arn(&spec.function_name))
        .description(&spec.description)
        .set_memory_size(i32::try_from(spec.memory_megabytes).ok())
        .set_timeout(i32::try_from(spec.timeout_seconds).ok())
        .environment(environment(spec))
        .logging_config(logging(spec))
        .set_tags(Some(wanted_tags(settings, spec)));
    let refused = |error| AwsError::new("lambda:CreateFunction", error);
    when_role_is_ready(async || create.clone().send().await.map(|_| ()).map_err(refused)).await
}

/// Brings every facet of a function that is ours to its target, and changes only what differs.
async fn converge(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
    found: GetFunctionOutput,
) -> Result<(), ResourceError> {
    let function = &spec.function_name;
    let current = tags_of(&found);
    if !settings.stack.owns(function, &current) {
        return Err(ResourceError::NotOwned { what: format!("the function {function}") });
    }
    // Lambda takes no change while another is in progress.
    let mut configuration = settled(lambda, function).await?;
    if !has_configuration(&configuration, settings, spec) {
        update_configuration(lambda, settings, spec).await?;
        configuration = settled(lambda, function).await?;
    }
    if !has_code(&configuration, spec) {
        update_code(lambda, settings, spec).await?;
        settled(lambda, function).await?;
    }
    change_tags(
        lambda,
        &settings.stack.function_arn(function),
        tags::changes(&current, &settings.stack, spec, formerly),
    )
    .await
}

async fn update_configuration(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
) -> Result<(), ResourceError> {
    let update = lambda
        .update_function_configuration()
        .function_name(spec.function_name.as_str())
        .runtime(Runtime::from(spec.runtime.as_str()))
        .handler(&spec.handler)
        .role(settings.stack.role_arn(&spec.function_name))
        .description(&spec.description)
        .set_memory_size(i32::try_from(spec.memory_megabytes).ok())
        .set_timeout(i32::try_from(spec.timeout_seconds).ok())
        .environment(environment(spec))
        .logging_config(logging(spec));
    let refused = |error| AwsError::new("lambda:UpdateFunctionConfiguration", error);
    when_role_is_ready(async || update.clone().send().await.map(|_| ()).map_err(refused)).await
}

async fn update_code(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
) -> Result<(), ResourceError> {
    let updated = lambda
        .update_function_code()
        .function_name(spec.function_name.as_str())
        .s3_bucket(&settings.bucket)
        .s3_key(&spec.code.key)
        .s3_object_version(&spec.code.version)
        .architectures(architecture(spec))
        .send()
        .await;
    match updated.map_err(|error| AwsError::new("lambda:UpdateFunctionCode", error)) {
        Ok(_) => Ok(()),
        Err(error) if is_busy(&error) => Err(busy(error)),
        Err(error) => Err(error.into()),
    }
}

async fn change_tags(lambda: &Client, arn: &str, changes: TagChanges) -> Result<(), ResourceError> {
    if !changes.set.is_empty() {
        lambda
            .tag_resource()
            .resource(arn)
            .set_tags(Some(changes.set.into_iter().collect()))
            .send()
            .await
            .map_err(|error| AwsError::new("lambda:TagResource", error))?;
    }
    if !changes.remove.is_empty() {
        lambda
            .untag_resource()
            .resource(arn)
            .set_tag_keys(Some(changes.remove))
            .send()
            .await
            .map_err(|error| AwsError::new("lambda:UntagResource", error))?;
    }
    Ok(())
}

/// Repeats `call` while Lambda cannot use the role yet. A role that never becomes usable gives the
/// same refusal, so the patience has an end, here and in the state machine.
async fn when_role_is_ready(
    call: impl AsyncFn() -> Result<(), AwsError>,
) -> Result<(), ResourceError> {
    let mut pauses = ROLE_PAUSES.iter();
    loop {
        match call().await {
            Ok(()) => return Ok(()),
            Err(error) if role_is_not_ready(&error) => match pauses.next() {
                Some(pause) => sleep(*pause).await,
                None => {
                    return Err(ResourceError::NotReady {
                        what: "Lambda cannot use the function's role yet".to_owned(),
                        source: Some(error),
                    });
                }
            },
            Err(error) if is_busy(&error) => return Err(busy(error)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until the function is active and no update of it is in progress.
async fn settled(
    lambda: &Client,
    function: &FunctionName,
) -> Result<FunctionConfiguration, ResourceError> {
    let mut pauses = SETTLE_PAUSES.iter();
    loop {
        let found = find(lambda, function).await?;
        if let Some(configuration) = found.and_then(|found| found.configuration)
            && is_settled(&configuration)?
        {
            return Ok(configuration);
        }
        let Some(pause) = pauses.next() else {
            let what = format!("the function {function} is not active yet");
            return Err(ResourceError::not_ready(what));
        };
        sleep(*pause).await;
    }
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>. A fresh function
/// has no `LastUpdateStatus` yet.
fn is_settled(configuration: &FunctionConfiguration) -> Result<bool, ResourceError> {
    if configuration.state() == Some(&State::Failed) {
        return Err(failed(configuration.state_reason(), "could not be made"));
    }
    if configuration.last_update_status() == Some(&LastUpdateStatus::Failed) {
        return Err(failed(configuration.last_update_status_reason(), "could not be updated"));
    }
    // An idle function is Inactive: the next invocation wakes it.
    let alive = matches!(configuration.state(), Some(State::Active | State::Inactive));
    let updated = configuration.last_update_status() == Some(&LastUpdateStatus::Successful);
    Ok(alive && updated)
}

fn failed(reason: Option<&str>, what: &str) -> ResourceError {
    let reason = reason.unwrap_or("Lambda gave no reason");
    ResourceError::Rejected { reason: format!("the function {what}: {reason}") }
}

async fn find(
    lambda: &Client,
    function: &FunctionName,
) -> Result<Option<GetFunctionOutput>, AwsError> {
    match lambda.get_function().function_name(function.as_str()).send().await {
        Ok(output) => Ok(Some(output)),
        Err(error) => match AwsError::new("lambda:GetFunction", error) {
            error if does_not_exist(&error) => Ok(None),
            error => Err(error),
        },
    }
}

fn has_configuration(
    found: &FunctionConfiguration,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
) -> bool {
    let environment = found.environment().and_then(|environment| environment.variables());
    let environment: BTreeMap<_, _> = environment.into_iter().flatten().collect();
    let logging = found.logging_config();
    found.runtime().map(Runtime::as_str) == Some(spec.runtime.as_str())
        && found.handler() == Some(spec.handler.as_str())
        && found.role() == Some(settings.stack.role_arn(&spec.function_name).as_str())
        && found.description().unwrap_or_default() == spec.description
        && found.memory_size() == i32::try_from(spec.memory_megabytes).ok()
        && found.timeout() == i32::try_from(spec.timeout_seconds).ok()
        && environment.into_iter().eq(&spec.environment.0)
        && logging.and_then(LoggingConfig::log_group)
            == Some(log_group_name(&spec.function_name).as_str())
}

/// The architecture belongs to the code: only UpdateFunctionCode changes it.
fn has_code(found: &FunctionConfiguration, spec: &FunctionSpec) -> bool {
    found.code_sha256() == Some(spec.code.sha256.as_str())
        && found.architectures() == [architecture(spec)]
}

fn architecture(spec: &FunctionSpec) -> Architecture {
    Architecture::from(spec.architecture.as_str())
}

fn environment(spec: &FunctionSpec) -> Environment {
    let variables = spec.environment.0.clone().into_iter().collect();
    Environment::builder().set_variables(Some(variables)).build()
}

fn logging(spec: &FunctionSpec) -> LoggingConfig {
    LoggingConfig::builder().log_group(log_group_name(&spec.function_name)).build()
}

fn wanted_tags(settings: &FunctionSettings, spec: &FunctionSpec) -> HashMap<String, String> {
    settings.stack.tags(&spec.function_name, &spec.tags).into_iter().collect()
}

fn tags_of(found: &GetFunctionOutput) -> BTreeMap<String, String> {
    found.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Lambda's messages may quote the environment. Values too short to be a secret stay, or no
/// message could be read any more.
fn redacted(error: ResourceError, spec: &FunctionSpec) -> ResourceError {
    const SHORTEST_SECRET: usize = 4;
    let hide = |text: String| {
        let values = spec.environment.0.values();
        let secrets = values.filter(|value| value.len() >= SHORTEST_SECRET);
        secrets.fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    };
    let hide_aws = |error: AwsError| AwsError { message: hide(error.message.clone()), ..error };
    match error {
        ResourceError::Aws(error) => ResourceError::Aws(hide_aws(error)),
        ResourceError::NotReady { what, source } => {
            ResourceError::NotReady { what, source: source.map(hide_aws) }
        }
        ResourceError::Rejected { reason } => ResourceError::Rejected { reason: hide(reason) },
        error @ ResourceError::NotOwned { .. } => error,
    }
}

fn busy(error: AwsError) -> ResourceError {
    ResourceError::NotReady {
        what: "the function is being changed".to_owned(),
        source: Some(error),
    }
}

/// Lambda has no code of its own for these; the texts are those that Terraform's AWS provider
/// matches (`internal/service/lambda/function.go`).
fn role_is_not_ready(error: &AwsError) -> bool {
    const TEXTS: [&str; 3] = [
        "role defined for the function cannot be assumed by lambda",
        "provided execution role does not have permissions",
        "kms key is invalid for creategrant",
    ];
    error.has_code("InvalidParameterValueException") && says_one_of(error, &TEXTS)
}

/// A conflict about the function's state. A taken name is a conflict too, and is none of these.
fn is_busy(error: &AwsError) -> bool {
    const TEXTS: [&str; 2] = ["update is in progress", "currently in the following state"];
    error.has_code("ResourceConflictException") && says_one_of(error, &TEXTS)
}

/// Any other conflict: CreateFunction knows only one more.
fn name_is_taken(error: &AwsError) -> bool {
    error.has_code("ResourceConflictException") && !is_busy(error)
}

fn says_one_of(error: &AwsError, texts: &[&str]) -> bool {
    let message = error.message.to_lowercase();
    texts.iter().any(|text| message.contains(text))
}

fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("ResourceNotFoundException")
}

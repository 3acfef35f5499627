//! The Lambda function: configuration, code and tags.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus,
    LoggingConfig, PackageType, Runtime, State,
};
use formation_aws::{AwsError, ErrorKind};
use formation_model::drift::between_maps;
use formation_model::names::log_group_name;
use formation_model::{Difference, Facet, FunctionName, FunctionSpec, Part, StackIdentity};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::error::{ResourceError, may_be_gone};
use crate::ownership::{Age, a_moment_ago, not_spread};
use crate::redaction::Secrets;
use crate::tags::{self, Keys, TagChanges};
use crate::{Removal, Target};

/// What the functions of a stack have in common.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// The stack.
    pub stack: StackIdentity,
    /// The stack's artefact bucket, where the bundles are.
    pub bucket: String,
    /// The role of the stack that Lambda may assume and that may do nothing: see [`ensure`].
    pub idle_role_arn: String,
}

/// Pauses between tries while Lambda cannot assume a role that was just made. Five tries span 9 s,
/// which nearly every role needs less than; whoever needs longer waits in the state machine. AWS
/// publishes no number: Terraform allows minutes, most roles take seconds.
const ROLE_PAUSES: [Duration; 4] = [
    Duration::from_millis(2000),
    Duration::from_millis(2500),
    Duration::from_millis(2500),
    Duration::from_millis(2000),
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

/// Brings a function to its target, waits until it is invocable, and answers its ARN.
///
/// `role_was_replaced` tells that the role is not the one that the function was last known to work
/// with, although it has its name. Lambda decrypts the environment by a grant that belongs to the
/// role which the function had when it was given, by the role's unique id and not by its name, so
/// that such a function fails with KMSAccessDenied. The grant is given anew when the function gets
/// another role: first one of the stack that may do nothing, then its own. Not tried on AWS; it is
/// AWS's own advice:
/// <https://repost.aws/knowledge-center/lambda-kmsaccessdeniedexception-errors>.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the function is somebody else's, [`ResourceError::NotReady`] if
/// it is not invocable after some seconds or Lambda does not show its tags, otherwise what Lambda
/// answered.
pub async fn ensure(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
    role_was_replaced: bool,
) -> Result<String, ResourceError> {
    let function = &target.spec.function_name;
    let specs = [target.spec].into_iter().chain(target.formerly);
    let secrets = Secrets::of(specs);
    let ensured = async || {
        // Lambda may strip the tags of a function that CreateFunction finds under its name, so it is
        // looked first: <https://github.com/aws/aws-sdk-js/issues/2860>.
        let mut found = find(lambda, &settings.stack, function, target.since).await?;
        if found.is_none() {
            match create(lambda, settings, target.spec).await {
                Ok(()) => return settled(lambda, settings, target).await.map(|_| ()),
                // Made by somebody else, or by an attempt of ours whose answer was lost.
                Err(ResourceError::Aws(error)) if name_is_taken(&error) => {
                    found = find(lambda, &settings.stack, function, target.since).await?;
                }
                Err(error) => return Err(error),
            }
        }
        let Some(found) = found else {
            let what = format!("Lambda does not show {} yet", described(function));
            return Err(ResourceError::not_ready(what));
        };
        let age = found.age;
        let converged = converge(lambda, settings, target, role_was_replaced, found).await;
        converged.map_err(|error| match error {
            // It was there a moment ago.
            ResourceError::Aws(error) if does_not_exist(&error) => {
                not_spread(error, described(function))
            }
            ResourceError::Aws(error) => age.judge(error, described(function)),
            error => error,
        })
    };
    match ensured().await {
        Ok(()) => Ok(settings.stack.function_arn(function)),
        Err(error) => Err(redacted(error, &secrets)),
    }
}

/// Removes a function and waits until Lambda no longer knows it.
///
/// # Errors
/// [`ResourceError::NotOwned`] if what is there is not ours and [`Foreign::IsAnError`],
/// [`ResourceError::NotReady`] if Lambda is still removing or changing it after some seconds or does
/// not show, or act by, the tags of what was just made; otherwise what Lambda answered. That the
/// function is gone is not an error.
///
/// [`Foreign::IsAnError`]: crate::Foreign::IsAnError
pub async fn remove(
    lambda: &Client,
    stack: &StackIdentity,
    removal: &Removal<'_>,
) -> Result<(), ResourceError> {
    let Removal { function, since, .. } = *removal;
    let age = match find(lambda, stack, function, since).await {
        Ok(Some(found)) => found.age,
        Ok(None) => return Ok(()),
        Err(error) => return removal.refused(error),
    };
    let deleted = lambda.delete_function().function_name(function.as_str()).send().await;
    match deleted.map_err(|error| AwsError::new("lambda:DeleteFunction", error)) {
        Err(error) if does_not_exist(&error) => return Ok(()),
        Err(error) if may_be_gone(&error) && get(lambda, function).await?.is_none() => {
            return Ok(());
        }
        Err(error) if is_busy(&error) => return Err(busy(error)),
        Err(error) => return Err(age.judge(error, described(function))),
        Ok(_) => {}
    }
    // Deleting may go on after Lambda's answer; the role must outlive the function.
    let mut pauses = SETTLE_PAUSES.iter();
    while get(lambda, function).await?.is_some() {
        let Some(pause) = pauses.next() else {
            let what = format!("Lambda is still deleting {}", described(function));
            return Err(ResourceError::not_ready(what));
        };
        sleep(*pause).await;
    }
    Ok(())
}

/// Compares the function with `spec`: what differs of its configuration, code and tags. A function
/// that is idle (`Inactive`) is as it should be. Of a function that is not ours only that is told.
///
/// # Errors
/// [`ResourceError::NotReady`] while Lambda may not show the tags of what was just made; otherwise
/// what Lambda answered.
pub async fn compare(
    lambda: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> Result<Vec<Difference>, ResourceError> {
    let found = match find(lambda, stack, &spec.function_name, a_moment_ago()).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(vec![Difference::missing(Part::Function)]),
        Err(ResourceError::NotOwned { .. }) => {
            return Ok(vec![Difference::not_owned(Part::Function)]);
        }
        Err(error) => return Err(error),
    };
    let Found { configuration, tags, .. } = found;
    let failed = match configuration.state() {
        Some(State::Failed) => {
            Difference::between(Facet::Configuration, "state", "Active", "Failed")
        }
        _ => None,
    };
    let mut differences = configuration_differences(&configuration, stack, spec);
    differences.extend(failed);
    differences.extend(tags::differences(Facet::Configuration, &tags, stack, spec));
    differences.extend(code_differences(&configuration, spec));
    Ok(differences)
}

/// Looks whether a Lambda function that is not ours has the name. `since` is when the operation
/// began that is to make it ours.
///
/// # Errors
/// [`ResourceError::NotOwned`] if one has; [`ResourceError::NotReady`], or what Lambda answered, if it
/// cannot be told now.
pub async fn refuse_foreign(
    lambda: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
    since: Timestamp,
) -> Result<(), ResourceError> {
    find(lambda, stack, function, since).await.map(|_| ())
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
    target: &Target<'_>,
    role_was_replaced: bool,
    found: Found,
) -> Result<(), ResourceError> {
    let Target { spec, formerly, .. } = *target;
    let stack = &settings.stack;
    let current = found.tags.clone();
    // Lambda takes no change while another is in progress.
    let (mut configuration, last_update) = at_rest(lambda, settings, target, Some(found)).await?;
    // Without an environment there is nothing to decrypt.
    if role_was_replaced && !spec.environment.0.is_empty() {
        assign_idle_role(lambda, settings, spec).await?;
        configuration = settled(lambda, settings, target).await?;
    }
    // After an update that failed it is not sure what the function runs with.
    if last_update.is_err() || !has_configuration(&configuration, stack, spec) {
        update_configuration(lambda, settings, spec).await?;
        configuration = settled(lambda, settings, target).await?;
    }
    if !has_code(&configuration, spec) {
        update_code(lambda, settings, spec).await?;
        settled(lambda, settings, target).await?;
    }
    let changes = tags::changes(&current, Keys::Exact, stack, spec, formerly);
    change_tags(lambda, &stack.function_arn(&spec.function_name), changes).await
}

/// Gives the function a role that may do nothing, for a moment: see [`ensure`].
async fn assign_idle_role(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
) -> Result<(), ResourceError> {
    let update = lambda
        .update_function_configuration()
        .function_name(spec.function_name.as_str())
        .role(&settings.idle_role_arn);
    reconfigure(update).await
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
    reconfigure(update).await
}

async fn reconfigure(
    update: UpdateFunctionConfigurationFluentBuilder,
) -> Result<(), ResourceError> {
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
    unless_busy(updated.map_err(|error| AwsError::new("lambda:UpdateFunctionCode", error)))
}

async fn change_tags(lambda: &Client, arn: &str, changes: TagChanges) -> Result<(), ResourceError> {
    if !changes.remove.is_empty() {
        let untagged =
            lambda.untag_resource().resource(arn).set_tag_keys(Some(changes.remove)).send().await;
        unless_busy(untagged.map_err(|error| AwsError::new("lambda:UntagResource", error)))?;
    }
    if !changes.set.is_empty() {
        let tagged = lambda
            .tag_resource()
            .resource(arn)
            .set_tags(Some(changes.set.into_iter().collect()))
            .send()
            .await;
        unless_busy(tagged.map_err(|error| AwsError::new("lambda:TagResource", error)))?;
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
            Err(error) if name_is_taken(&error) => return Err(error.into()),
            refused => return unless_busy(refused),
        }
    }
}

/// Waits until the function is active and its last update has succeeded.
async fn settled(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
) -> Result<FunctionConfiguration, ResourceError> {
    let (configuration, last_update) = at_rest(lambda, settings, target, None).await?;
    last_update.map(|()| configuration)
}

/// Waits until the function is active and no update of it is in progress, and answers how the last
/// one ended. `found` is a look that was just taken.
async fn at_rest(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
    mut found: Option<Found>,
) -> Result<(FunctionConfiguration, Result<(), ResourceError>), ResourceError> {
    let function = &target.spec.function_name;
    let mut pauses = SETTLE_PAUSES.iter();
    loop {
        let look = match found.take() {
            Some(found) => Ok(Some(found)),
            None => find(lambda, &settings.stack, function, target.since).await,
        };
        let why = match look {
            Ok(Some(Found { configuration, .. })) => match last_update(&configuration)? {
                Some(last_update) => return Ok((configuration, last_update)),
                None => {
                    ResourceError::not_ready(format!("{} is not active yet", described(function)))
                }
            },
            Ok(None) => {
                ResourceError::not_ready(format!("Lambda does not show {}", described(function)))
            }
            // Its tags are not to be seen yet.
            Err(error @ ResourceError::NotReady { .. }) => error,
            Err(error) => return Err(error),
        };
        let Some(pause) = pauses.next() else { return Err(why) };
        sleep(*pause).await;
    }
}

/// How the last update ended; none while the function or an update is on its way.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>. A fresh function
/// has no `LastUpdateStatus` yet.
fn last_update(
    configuration: &FunctionConfiguration,
) -> Result<Option<Result<(), ResourceError>>, ResourceError> {
    match configuration.state() {
        Some(State::Failed) => {
            return Err(failed(configuration.state_reason(), "could not be made"));
        }
        // An idle function is Inactive: the next invocation wakes it.
        Some(State::Active | State::Inactive) => {}
        _ => return Ok(None),
    }
    Ok(match configuration.last_update_status() {
        Some(LastUpdateStatus::Successful) => Some(Ok(())),
        Some(LastUpdateStatus::Failed) => {
            let reason = configuration.last_update_status_reason();
            Some(Err(failed(reason, "could not be updated")))
        }
        _ => None,
    })
}

fn failed(reason: Option<&str>, what: &str) -> ResourceError {
    let reason = reason.unwrap_or("Lambda gave no reason");
    ResourceError::Rejected { reason: format!("the function {what}: {reason}") }
}

/// A function that is proved ours.
struct Found {
    configuration: FunctionConfiguration,
    tags: BTreeMap<String, String>,
    age: Age,
}

/// The function of that name, if there is one: what is not ours is not looked at any further.
///
/// # Errors
/// [`ResourceError::NotOwned`] if it is not ours; [`ResourceError::NotReady`], or what Lambda
/// answered, if that cannot be told.
async fn find(
    lambda: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
    since: Timestamp,
) -> Result<Option<Found>, ResourceError> {
    let Some(found) = get(lambda, function).await? else { return Ok(None) };
    let configuration =
        found.configuration.ok_or_else(|| AwsError::incomplete("lambda:GetFunction"))?;
    let age = Age::of(made(&configuration), since);
    // Without the tags, but not because there are none.
    if let Some(error) = found.tags_error {
        let error = AwsError::told("lambda:ListTags", error.error_code(), error.message());
        return Err(match error.kind {
            ErrorKind::Throttled | ErrorKind::Transient => error.into(),
            ErrorKind::AccessDenied => age.judge(error, described(function)),
            ErrorKind::Refused | ErrorKind::QuotaExceeded => ResourceError::NotReady {
                what: format!("Lambda cannot tell the tags of {} now", described(function)),
                source: Some(error),
            },
        });
    }
    let tags = found.tags.unwrap_or_default().into_iter().collect();
    age.prove(stack, function, &tags, described(function))?;
    Ok(Some(Found { configuration, tags, age }))
}

async fn get(
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
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> bool {
    configuration_differences(found, stack, spec).is_empty()
}

fn configuration_differences(
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
            spec.runtime.as_str(),
            found.runtime().map(Runtime::as_str),
        ),
        Difference::between(part, "handler", spec.handler.as_str(), found.handler()),
        Difference::between(part, "role", stack.role_arn(name), found.role()),
        // Lambda shows no description where none was given.
        Difference::between(
            part,
            "description",
            spec.description.as_str(),
            found.description().unwrap_or_default(),
        ),
        Difference::between(part, "memoryMegabytes", spec.memory_megabytes, found.memory_size()),
        Difference::between(part, "timeoutSeconds", spec.timeout_seconds, found.timeout()),
        Difference::between(part, "logGroup", log_group_name(name), group),
    ]
    .into_iter()
    .flatten()
    .chain(between_maps(part, "environment", &spec.environment.0, &variables, true))
    .collect()
}

fn code_differences(found: &FunctionConfiguration, spec: &FunctionSpec) -> Vec<Difference> {
    let architectures = found.architectures().iter().map(Architecture::as_str);
    let sha256 =
        Difference::between(Facet::Code, "sha256", spec.code.sha256.as_str(), found.code_sha256());
    let architecture = Difference::between(
        Facet::Code,
        "architecture",
        spec.architecture.as_str(),
        architectures.collect::<Vec<_>>().join(","),
    );
    sha256.into_iter().chain(architecture).collect()
}

/// The architecture belongs to the code: only UpdateFunctionCode changes it.
fn has_code(found: &FunctionConfiguration, spec: &FunctionSpec) -> bool {
    code_differences(found, spec).is_empty()
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

/// When the function was last made or changed: Lambda tells nothing else of its age.
fn made(configuration: &FunctionConfiguration) -> Option<Timestamp> {
    // For example 2026-11-25T12:00:00.000+0000.
    configuration.last_modified().and_then(|time| time.parse().ok())
}

fn described(function: &FunctionName) -> String {
    format!("the function {function}")
}

/// Lambda's messages may quote the environment.
fn redacted(error: ResourceError, secrets: &Secrets) -> ResourceError {
    let hide = |error: AwsError| AwsError { message: secrets.hide(&error.message), ..error };
    match error {
        ResourceError::Aws(error) => ResourceError::Aws(hide(error)),
        ResourceError::NotReady { what, source } => {
            ResourceError::NotReady { what, source: source.map(hide) }
        }
        ResourceError::Rejected { reason } => {
            ResourceError::Rejected { reason: secrets.hide(&reason) }
        }
        error @ ResourceError::NotOwned { .. } => error,
    }
}

fn busy(error: AwsError) -> ResourceError {
    let what = "the function is being made or changed".to_owned();
    ResourceError::NotReady { what, source: Some(error) }
}

/// What came of a call that Lambda does not take while the function is being changed.
fn unless_busy<T>(result: Result<T, AwsError>) -> Result<(), ResourceError> {
    match result {
        Err(error) if is_busy(&error) => Err(busy(error)),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
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

/// Lambda has one code for conflicts and several texts ("An update is in progress", "currently in the
/// following state: Pending", "due to a concurrent update operation"): all but one mean that it is
/// still at it.
fn is_busy(error: &AwsError) -> bool {
    error.has_code("ResourceConflictException") && !name_is_taken(error)
}

/// The one other conflict, which only CreateFunction has.
fn name_is_taken(error: &AwsError) -> bool {
    error.has_code("ResourceConflictException") && says_one_of(error, &["already exist"])
}

fn says_one_of(error: &AwsError, texts: &[&str]) -> bool {
    let message = error.message.to_lowercase();
    texts.iter().any(|text| message.contains(text))
}

fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("ResourceNotFoundException")
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::create_function::CreateFunctionOutput;
    use aws_sdk_lambda::operation::delete_function::DeleteFunctionOutput;
    use aws_sdk_lambda::operation::update_function_code::UpdateFunctionCodeOutput;
    use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
    use aws_sdk_lambda::types::{
        EnvironmentResponse, LastUpdateStatusReasonCode, StateReasonCode, TagsError,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use formation_model::ErrorName;
    use jiff::SignedDuration;
    use tokio::time::Instant;

    use super::*;
    use crate::testing::{assert_all_called, delete, json_error, spec, stack, target, undo};

    const IDLE_ROLE: &str = "arn:aws:iam::111122223333:role/formation-IdleRole";
    const NO_ROLE: &str = "The role defined for the function cannot be assumed by Lambda.";
    const TAKEN: &str = "Function already exist: hello";
    const UPDATING: &str = "The operation cannot be performed at this time. An update is in \
                            progress for resource: arn:aws:lambda:eu-west-1:111122223333:function:hello";
    const PENDING: &str = "The operation cannot be performed at this time. The function is \
                           currently in the following state: Pending";
    const CONCURRENT: &str =
        "The function could not be updated due to a concurrent update operation.";

    fn settings() -> FunctionSettings {
        FunctionSettings {
            stack: stack(),
            bucket: "artifacts".into(),
            idle_role_arn: IDLE_ROLE.into(),
        }
    }

    fn client(rules: &[&Rule]) -> Client {
        mock_client!(aws_sdk_lambda, RuleMode::Sequential, rules)
    }

    /// The function as Lambda shows it once it is settled.
    fn configuration(spec: &FunctionSpec) -> FunctionConfiguration {
        let variables = spec.environment.0.clone().into_iter().collect();
        FunctionConfiguration::builder()
            .state(State::Active)
            .last_update_status(LastUpdateStatus::Successful)
            .runtime(Runtime::from(spec.runtime.as_str()))
            .handler(&spec.handler)
            .role(stack().role_arn(&spec.function_name))
            .description(&spec.description)
            .set_memory_size(i32::try_from(spec.memory_megabytes).ok())
            .set_timeout(i32::try_from(spec.timeout_seconds).ok())
            .environment(EnvironmentResponse::builder().set_variables(Some(variables)).build())
            .logging_config(logging(spec))
            .architectures(architecture(spec))
            .code_sha256(&spec.code.sha256)
            .build()
    }

    fn shown(configuration: FunctionConfiguration, tags: BTreeMap<String, String>) -> Rule {
        mock!(Client::get_function).then_output(move || {
            GetFunctionOutput::builder()
                .configuration(configuration.clone())
                .set_tags(Some(tags.clone().into_iter().collect()))
                .build()
        })
    }

    fn ours(configuration: FunctionConfiguration) -> Rule {
        shown(configuration, stack().tags(&spec().function_name, &spec().tags))
    }

    fn missing() -> Rule {
        mock!(Client::get_function).then_http_response(|| {
            json_error(404, "ResourceNotFoundException", "Function not found: arn")
        })
    }

    fn missing_while(condition: impl Fn() -> bool + Send + Sync + 'static) -> Rule {
        mock!(Client::get_function).match_requests(move |_| condition()).then_http_response(|| {
            json_error(404, "ResourceNotFoundException", "Function not found: arn")
        })
    }

    fn created() -> Rule {
        mock!(Client::create_function).then_output(|| CreateFunctionOutput::builder().build())
    }

    fn create_refused(status: u16, code: &'static str, message: &'static str) -> Rule {
        mock!(Client::create_function).then_http_response(move || json_error(status, code, message))
    }

    fn no_role() -> Rule {
        create_refused(400, "InvalidParameterValueException", NO_ROLE)
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_function_takes_one_write_and_is_waited_for() {
        let create = mock!(Client::create_function)
            .match_requests(|request| {
                let tags = request.tags().cloned().unwrap_or_default().into_iter().collect();
                let code = request.code().unwrap();
                stack().owns(&spec().function_name, &tags)
                    && code.s3_bucket() == Some("artifacts")
                    && code.s3_object_version() == Some("v1")
                    && request.logging_config().unwrap().log_group() == Some("/aws/lambda/hello")
            })
            .then_output(|| CreateFunctionOutput::builder().build());
        // Not to be seen yet, then Pending, and then Active without a word on updates.
        let pending = FunctionConfiguration::builder()
            .state(State::Pending)
            .state_reason_code(StateReasonCode::Creating)
            .build();
        let active = FunctionConfiguration::builder().state(State::Active).build();
        // A value that the SDK's enum does not list for this field.
        let odd = FunctionConfiguration::builder()
            .state(State::Active)
            .last_update_status(LastUpdateStatus::InProgress)
            .last_update_status_reason_code(LastUpdateStatusReasonCode::from("Creating"))
            .build();
        let rules = [
            &missing(),
            &create,
            &missing(),
            &ours(pending),
            &ours(active),
            &ours(odd),
            &ours(configuration(&spec())),
        ];
        ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_is_usable_after_8_s_costs_4_refused_calls_and_at_most_4_s_more() {
        let began = Instant::now();
        let refused = mock!(Client::create_function)
            .match_requests(move |_| began.elapsed() < Duration::from_secs(8))
            .then_http_response(|| json_error(400, "InvalidParameterValueException", NO_ROLE));
        let accepted = created();
        let made = accepted.clone();
        let look = missing_while(move || made.num_calls() == 0);
        let get = ours(configuration(&spec()));
        let rules = [&look, &refused, &accepted, &get];
        let lambda = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, &rules);
        ensure(&lambda, &settings(), &target(&spec(), None), false).await.unwrap();
        assert!(refused.num_calls() <= 4, "{} refused calls", refused.num_calls());
        assert!(began.elapsed() <= Duration::from_secs(12), "took {:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_stays_unusable_is_left_to_the_state_machine() {
        let rules = [&missing(), &no_role(), &no_role(), &no_role(), &no_role(), &no_role()];
        let error =
            ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady);
        assert_eq!(error.aws().unwrap().request_id.as_deref(), Some("r-1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_made_by_a_lost_attempt_is_recognised() {
        // It was not to be seen at first, or another execution of the attempt was faster.
        let rules = [
            &missing(),
            &create_refused(409, "ResourceConflictException", TAKEN),
            &ours(configuration(&spec())),
        ];
        ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap();
        assert_all_called(&rules);
    }

    fn foreign() -> Rule {
        let mut configuration = configuration(&spec());
        configuration.handler = Some("theirs.handler".into());
        shown(configuration, [("owner".to_owned(), "finance-team".to_owned())].into())
    }

    #[tokio::test]
    async fn a_foreign_function_is_left_alone_and_nothing_is_created_over_it() {
        // CreateFunction may strip the tags of a function that is there: it is not even tried.
        let rules = [&foreign()];
        let wanted = spec();
        let error =
            ensure(&client(&rules), &settings(), &target(&wanted, None), false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotOwned);
        assert_all_called(&rules);

        // One that appeared in between.
        let taken = create_refused(409, "ResourceConflictException", TAKEN);
        let rules = [&missing(), &taken, &foreign()];
        let error =
            ensure(&client(&rules), &settings(), &target(&wanted, None), false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotOwned);
        assert_all_called(&rules);

        let rules = [&foreign()];
        remove(&client(&rules), &stack(), &undo(&wanted.function_name)).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_delete_does_not_pass_over_a_function_that_was_taken_from_us() {
        let error = remove(&client(&[&foreign()]), &stack(), &delete(&spec().function_name)).await;
        assert_eq!(error.unwrap_err().name(), ErrorName::NotOwned);
        remove(&client(&[&missing()]), &stack(), &delete(&spec().function_name)).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_told_of_a_foreign_function_but_that_it_is_there() {
        let found = compare(&client(&[&foreign()]), &stack(), &spec()).await.unwrap();
        assert_eq!(found, [Difference::not_owned(Part::Function)]);
        // Nor why it failed.
        let failed = FunctionConfiguration::builder()
            .state(State::Failed)
            .state_reason("cannot reach payroll-db")
            .build();
        let failed = shown(failed, [("owner".to_owned(), "finance-team".to_owned())].into());
        let rules = [&missing(), &created(), &failed];
        let error = ensure(&client(&rules), &settings(), &target(&spec(), None), false).await;
        let error = error.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotOwned);
        assert!(!error.to_string().contains("payroll"), "{error}");
    }

    /// A function that was made `seconds` ago and shows no tags.
    fn untagged(seconds: i64) -> Rule {
        let made = Timestamp::now() - SignedDuration::from_secs(seconds);
        // As Lambda spells it.
        let made = made.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string();
        let mut configuration = configuration(&spec());
        configuration.last_modified = Some(made);
        shown(configuration, BTreeMap::new())
    }

    /// Our function, without its tags but with the reason.
    fn tags_error(seconds: i64, code: &'static str) -> Rule {
        let made = Timestamp::now() - SignedDuration::from_secs(seconds);
        let mut configuration = configuration(&spec());
        configuration.last_modified = Some(made.to_string());
        mock!(Client::get_function).then_output(move || {
            let error = TagsError::builder().error_code(code).message("told").build().unwrap();
            GetFunctionOutput::builder()
                .configuration(configuration.clone())
                .tags_error(error)
                .build()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_does_not_show_its_tags_yet_is_not_foreign() {
        for (seconds, name) in [(1, ErrorName::NotReady), (300, ErrorName::NotOwned)] {
            let function = spec().function_name;
            let undone = remove(&client(&[&untagged(seconds)]), &stack(), &delete(&function)).await;
            assert_eq!(undone.unwrap_err().name(), name);
            let rules = [&untagged(seconds)];
            let made = ensure(&client(&rules), &settings(), &target(&spec(), None), false).await;
            assert_eq!(made.unwrap_err().name(), name);
        }
        let undone = remove(&client(&[&untagged(1)]), &stack(), &undo(&spec().function_name)).await;
        assert_eq!(undone.unwrap_err().name(), ErrorName::NotReady);
        remove(&client(&[&untagged(300)]), &stack(), &undo(&spec().function_name)).await.unwrap();

        let compared = compare(&client(&[&untagged(1)]), &stack(), &spec()).await;
        assert_eq!(compared.unwrap_err().name(), ErrorName::NotReady);
        let compared = compare(&client(&[&untagged(300)]), &stack(), &spec()).await.unwrap();
        assert_eq!(compared, [Difference::not_owned(Part::Function)]);

        // Right after its own create a step waits for them.
        let rules = [&missing(), &created(), &untagged(0), &ours(configuration(&spec()))];
        ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn tags_that_lambda_cannot_tell_are_not_missing() {
        for (seconds, code, name) in [
            (1, "ServiceException", ErrorName::NotReady),
            (300, "ServiceException", ErrorName::NotReady),
            (300, "TooManyRequestsException", ErrorName::Throttled),
            (1, "AccessDeniedException", ErrorName::NotReady),
            (300, "AccessDeniedException", ErrorName::AccessDenied),
        ] {
            let rule = || tags_error(seconds, code);
            let made =
                ensure(&client(&[&rule()]), &settings(), &target(&spec(), None), false).await;
            assert_eq!(made.unwrap_err().name(), name, "{code}");
            let undone = remove(&client(&[&rule()]), &stack(), &undo(&spec().function_name)).await;
            assert_eq!(undone.unwrap_err().name(), name, "{code}");
            let compared = compare(&client(&[&rule()]), &stack(), &spec()).await;
            assert_eq!(compared.unwrap_err().name(), name, "{code}");
        }
    }

    #[tokio::test]
    async fn a_function_that_lambda_cannot_make_is_rejected_with_its_reason() {
        let failed = FunctionConfiguration::builder()
            .state(State::Failed)
            .state_reason("The zip file cannot be read")
            .build();
        let rules = [&missing(), &created(), &ours(failed)];
        let error =
            ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::Rejected);
        assert!(error.to_string().contains("The zip file cannot be read"), "{error}");
    }

    #[tokio::test]
    async fn lambdas_refusals_get_their_names_and_keep_secrets() {
        let mut spec = spec();
        spec.environment.0.insert("TOKEN".into(), "s3cr3t".into());
        for (status, code, message, name) in [
            (400, "InvalidParameterValueException", "bad s3cr3t", ErrorName::Rejected),
            (400, "CodeStorageExceededException", "full", ErrorName::QuotaExceeded),
            (403, "AccessDeniedException", "no", ErrorName::AccessDenied),
            (413, "RequestEntityTooLargeException", "too large", ErrorName::Rejected),
        ] {
            let refused = create_refused(status, code, message);
            let rules = [&missing(), &refused];
            let error = ensure(&client(&rules), &settings(), &target(&spec, None), false).await;
            let error = error.unwrap_err();
            assert_eq!(error.name(), name, "{code}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_function_that_matches_is_read_and_not_written() {
        let rules = [&ours(configuration(&spec()))];
        ensure(&client(&rules), &settings(), &target(&spec(), Some(&spec())), false).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test(start_paused = true)]
    async fn configuration_comes_before_code_and_each_is_waited_for() {
        let mut wanted = spec();
        wanted.memory_megabytes = 512;
        wanted.code.sha256 = "bmV3".into();
        let mut half_way = wanted.clone();
        half_way.code = spec().code;
        let updating = FunctionConfiguration::builder()
            .state(State::Active)
            .last_update_status(LastUpdateStatus::InProgress)
            .build();
        let update = mock!(Client::update_function_configuration)
            .match_requests(|request| request.memory_size() == Some(512))
            .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
        let code = mock!(Client::update_function_code)
            .then_output(|| UpdateFunctionCodeOutput::builder().build());
        let rules = [
            &ours(configuration(&spec())),
            &update,
            &ours(updating.clone()),
            &ours(configuration(&half_way)),
            &code,
            &ours(updating),
            &ours(configuration(&wanted)),
        ];
        ensure(&client(&rules), &settings(), &target(&wanted, Some(&spec())), false).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn another_architecture_is_a_matter_of_code() {
        let mut wanted = spec();
        wanted.architecture = formation_model::function::Architecture::X86_64;
        let code = mock!(Client::update_function_code)
            .match_requests(|request| request.architectures() == [Architecture::X8664])
            .then_output(|| UpdateFunctionCodeOutput::builder().build());
        let rules = [&ours(configuration(&spec())), &code, &ours(configuration(&wanted))];
        ensure(&client(&rules), &settings(), &target(&wanted, Some(&spec())), false).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn every_conflict_but_a_taken_name_is_waited_for() {
        let conflict = |text| move || json_error(409, "ResourceConflictException", text);
        for text in [UPDATING, PENDING, CONCURRENT, "something new"] {
            let (name, former) = (spec().function_name, spec());
            let mut wanted = spec();
            wanted.memory_megabytes = 512;
            let update =
                mock!(Client::update_function_configuration).then_http_response(conflict(text));
            let rules = [&ours(configuration(&spec())), &update];
            let aim = target(&wanted, None);
            let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
            assert_eq!(error.name(), ErrorName::NotReady, "{text}");

            let mut wanted = spec();
            wanted.code.sha256 = "bmV3".into();
            let code = mock!(Client::update_function_code).then_http_response(conflict(text));
            let rules = [&ours(configuration(&spec())), &code];
            let aim = target(&wanted, None);
            let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
            assert_eq!(error.name(), ErrorName::NotReady, "{text}");

            let mut wanted = spec();
            wanted.tags.insert("team".into(), "b".into());
            let tag = mock!(Client::tag_resource).then_http_response(conflict(text));
            let rules = [&ours(configuration(&spec())), &tag];
            let aim = target(&wanted, None);
            let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
            assert_eq!(error.name(), ErrorName::NotReady, "{text}");

            let wanted = FunctionSpec { tags: BTreeMap::new(), ..spec() };
            let untag = mock!(Client::untag_resource).then_http_response(conflict(text));
            let rules = [&ours(configuration(&spec())), &untag];
            let aim = target(&wanted, Some(&former));
            let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
            assert_eq!(error.name(), ErrorName::NotReady, "{text}");

            let deleted = mock!(Client::delete_function).then_http_response(conflict(text));
            let rules = [&ours(configuration(&spec())), &deleted];
            let error = remove(&client(&rules), &stack(), &undo(&name)).await.unwrap_err();
            assert_eq!(error.name(), ErrorName::NotReady, "{text}");

            let create = mock!(Client::create_function).then_http_response(conflict(text));
            let rules = [&missing(), &create];
            let aim = target(&former, None);
            let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
            assert_eq!(error.name(), ErrorName::NotReady, "{text}");
        }
    }

    /// The function as it is a moment after it was made: our tags are shown and not yet acted by.
    fn new_and_ours() -> Rule {
        let mut configuration = configuration(&spec());
        configuration.last_modified = Some(Timestamp::now().to_string());
        ours(configuration)
    }

    #[tokio::test]
    async fn a_denial_because_of_tags_is_not_final_while_a_function_is_new() {
        let denied = || json_error(403, "AccessDeniedException", "no tag allows it");
        for (found, name) in [
            (new_and_ours as fn() -> Rule, ErrorName::NotReady),
            (|| ours(configuration(&spec())), ErrorName::AccessDenied),
        ] {
            let mut wanted = spec();
            wanted.memory_megabytes = 512;
            let update = mock!(Client::update_function_configuration).then_http_response(denied);
            let rules = [&found(), &update];
            let aim = target(&wanted, None);
            let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
            assert_eq!(error.name(), name);

            let deleted = mock!(Client::delete_function).then_http_response(denied);
            let rules = [&found(), &deleted, &found()];
            let function = spec().function_name;
            let error = remove(&client(&rules), &stack(), &undo(&function)).await.unwrap_err();
            assert_eq!(error.name(), name);
        }
    }

    #[tokio::test]
    async fn a_role_that_was_replaced_is_assigned_anew() {
        let mut spec = spec();
        spec.environment.0.insert("KEY".into(), "value".into());
        let mut idle = configuration(&spec);
        idle.role = Some(IDLE_ROLE.into());
        let away = mock!(Client::update_function_configuration)
            .match_requests(|request| {
                request.role() == Some(IDLE_ROLE) && request.environment().is_none()
            })
            .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
        let back = mock!(Client::update_function_configuration)
            .match_requests(|request| {
                let role = stack().role_arn(&"hello".parse().unwrap());
                request.role() == Some(role.as_str()) && request.environment().is_some()
            })
            .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
        let rules =
            [&ours(configuration(&spec)), &away, &ours(idle), &back, &ours(configuration(&spec))];
        let former = spec.clone();
        let aim = target(&spec, Some(&former));
        ensure(&client(&rules), &settings(), &aim, true).await.unwrap();
        assert_all_called(&rules);

        // Without an environment there is no grant; and a new function got its own.
        let bare = FunctionSpec { environment: Default::default(), ..spec.clone() };
        let rules = [&ours(configuration(&bare))];
        ensure(&client(&rules), &settings(), &target(&bare, None), true).await.unwrap();
        assert_all_called(&rules);
        let rules = [&missing(), &created(), &ours(configuration(&spec))];
        ensure(&client(&rules), &settings(), &aim, true).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn an_update_that_fails_later_is_rejected_with_its_reason() {
        let mut wanted = spec();
        wanted.code.sha256 = "bmV3".into();
        let failed = FunctionConfiguration::builder()
            .state(State::Active)
            .last_update_status(LastUpdateStatus::Failed)
            .last_update_status_reason("The zip file cannot be read")
            .build();
        let code = mock!(Client::update_function_code)
            .then_output(|| UpdateFunctionCodeOutput::builder().build());
        let rules = [&ours(configuration(&spec())), &code, &ours(failed)];
        let error = ensure(&client(&rules), &settings(), &target(&wanted, Some(&spec())), false)
            .await
            .unwrap_err();
        assert_eq!(error.name(), ErrorName::Rejected);
        assert!(error.to_string().contains("The zip file cannot be read"), "{error}");
    }

    #[tokio::test]
    async fn what_a_failed_update_left_is_set_anew_though_it_looks_right() {
        let mut left = configuration(&spec());
        left.last_update_status = Some(LastUpdateStatus::Failed);
        let update = mock!(Client::update_function_configuration)
            .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
        let rules = [&ours(left), &update, &ours(configuration(&spec()))];
        ensure(&client(&rules), &settings(), &target(&spec(), Some(&spec())), false).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_counts_as_removed_when_lambda_no_longer_knows_it() {
        let deleted =
            mock!(Client::delete_function).then_output(|| DeleteFunctionOutput::builder().build());
        let deleting = FunctionConfiguration::builder().state(State::Deleting).build();
        let rules = [&ours(configuration(&spec())), &deleted, &ours(deleting), &missing()];
        remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap();
        assert_all_called(&rules);

        remove(&client(&[&missing()]), &stack(), &undo(&spec().function_name)).await.unwrap();
    }
}

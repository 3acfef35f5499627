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
use formation_model::drift::between_maps;
use formation_model::names::log_group_name;
use formation_model::{Difference, Facet, FunctionName, FunctionSpec, Part, StackIdentity};
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

/// Compares the function with `spec`: what differs of its configuration, code and tags. A function
/// that is idle (`Inactive`) is as it should be.
///
/// # Errors
/// What Lambda answered.
pub async fn compare(
    lambda: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> Result<Vec<Difference>, ResourceError> {
    let gone = || vec![Difference::missing(Part::Function)];
    let Some(found) = find(lambda, &spec.function_name).await? else { return Ok(gone()) };
    let tags = tags::differences(Facet::Configuration, &tags_of(&found), stack, spec);
    let Some(configuration) = found.configuration else { return Ok(gone()) };
    let failed = match configuration.state() {
        Some(State::Failed) => {
            Difference::between(Facet::Configuration, "state", "Active", "Failed")
        }
        _ => None,
    };
    let mut differences = configuration_differences(&configuration, stack, spec);
    differences.extend(failed);
    differences.extend(tags);
    differences.extend(code_differences(&configuration, spec));
    Ok(differences)
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
    let (mut configuration, last_update) = at_rest(lambda, function, Some(found)).await?;
    // After an update that failed it is not sure what the function runs with.
    if last_update.is_err() || !has_configuration(&configuration, settings, spec) {
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

/// Waits until the function is active and its last update has succeeded.
async fn settled(
    lambda: &Client,
    function: &FunctionName,
) -> Result<FunctionConfiguration, ResourceError> {
    let (configuration, last_update) = at_rest(lambda, function, None).await?;
    last_update.map(|()| configuration)
}

/// Waits until the function is active and no update of it is in progress, and answers how the last
/// one ended. `found` is a look that was just taken.
async fn at_rest(
    lambda: &Client,
    function: &FunctionName,
    found: Option<GetFunctionOutput>,
) -> Result<(FunctionConfiguration, Result<(), ResourceError>), ResourceError> {
    let mut found = found;
    let mut pauses = SETTLE_PAUSES.iter();
    loop {
        let look = match found.take() {
            Some(found) => Some(found),
            None => find(lambda, function).await?,
        };
        if let Some(configuration) = look.and_then(|look| look.configuration)
            && let Some(last_update) = last_update(&configuration)?
        {
            return Ok((configuration, last_update));
        }
        let Some(pause) = pauses.next() else {
            let what = format!("the function {function} is not active yet");
            return Err(ResourceError::not_ready(what));
        };
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
    configuration_differences(found, &settings.stack, spec).is_empty()
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

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::create_function::CreateFunctionOutput;
    use aws_sdk_lambda::operation::delete_function::DeleteFunctionOutput;
    use aws_sdk_lambda::operation::update_function_code::UpdateFunctionCodeOutput;
    use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
    use aws_sdk_lambda::types::{EnvironmentResponse, LastUpdateStatusReasonCode, StateReasonCode};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use formation_model::ErrorName;
    use tokio::time::Instant;

    use super::*;
    use crate::testing::{assert_all_called, json_error, spec, stack};

    const NO_ROLE: &str = "The role defined for the function cannot be assumed by Lambda.";
    const TAKEN: &str = "Function already exist: hello";
    const UPDATING: &str = "The operation cannot be performed at this time. An update is in \
                            progress for resource: arn:aws:lambda:eu-west-1:111122223333:function:hello";
    const PENDING: &str = "The operation cannot be performed at this time. The function is \
                           currently in the following state: Pending";

    fn settings() -> FunctionSettings {
        FunctionSettings { stack: stack(), bucket: "artifacts".into() }
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
            &create,
            &missing(),
            &ours(pending),
            &ours(active),
            &ours(odd),
            &ours(configuration(&spec())),
        ];
        ensure(&client(&rules), &settings(), &spec(), None).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_is_usable_after_8_s_costs_4_refused_calls_and_at_most_4_s_more() {
        let began = Instant::now();
        let refused = mock!(Client::create_function)
            .match_requests(move |_| began.elapsed() < Duration::from_secs(8))
            .then_http_response(|| json_error(400, "InvalidParameterValueException", NO_ROLE));
        let accepted = created();
        let get = ours(configuration(&spec()));
        let lambda = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, &[&refused, &accepted, &get]);
        ensure(&lambda, &settings(), &spec(), None).await.unwrap();
        assert!(refused.num_calls() <= 4, "{} refused calls", refused.num_calls());
        assert!(began.elapsed() <= Duration::from_secs(12), "took {:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_stays_unusable_is_left_to_the_state_machine() {
        let rules = [&no_role(), &no_role(), &no_role(), &no_role(), &no_role()];
        let error = ensure(&client(&rules), &settings(), &spec(), None).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady);
        assert_eq!(error.aws().unwrap().request_id.as_deref(), Some("r-1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_made_by_a_lost_attempt_is_recognised() {
        let rules = [
            &create_refused(409, "ResourceConflictException", TAKEN),
            &ours(configuration(&spec())),
        ];
        ensure(&client(&rules), &settings(), &spec(), None).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_foreign_function_is_left_alone() {
        let foreign = || shown(configuration(&spec()), BTreeMap::new());
        let rules = [&create_refused(409, "ResourceConflictException", TAKEN), &foreign()];
        let error = ensure(&client(&rules), &settings(), &spec(), None).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotOwned);

        let rules = [&foreign()];
        remove(&client(&rules), &stack(), &spec().function_name).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_function_that_lambda_cannot_make_is_rejected_with_its_reason() {
        let failed = FunctionConfiguration::builder()
            .state(State::Failed)
            .state_reason("The zip file cannot be read")
            .build();
        let rules = [&created(), &ours(failed)];
        let error = ensure(&client(&rules), &settings(), &spec(), None).await.unwrap_err();
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
            let error = ensure(&client(&[&refused]), &settings(), &spec, None).await.unwrap_err();
            assert_eq!(error.name(), name, "{code}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_function_that_matches_is_read_and_not_written() {
        let rules = [&ours(configuration(&spec()))];
        ensure(&client(&rules), &settings(), &spec(), Some(&spec())).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test(start_paused = true)]
    async fn configuration_comes_before_code_and_each_is_waited_for() {
        let mut target = spec();
        target.memory_megabytes = 512;
        target.code.sha256 = "bmV3".into();
        let mut half_way = target.clone();
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
            &ours(configuration(&target)),
        ];
        ensure(&client(&rules), &settings(), &target, Some(&spec())).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn another_architecture_is_a_matter_of_code() {
        let mut target = spec();
        target.architecture = formation_model::function::Architecture::X86_64;
        let code = mock!(Client::update_function_code)
            .match_requests(|request| request.architectures() == [Architecture::X8664])
            .then_output(|| UpdateFunctionCodeOutput::builder().build());
        let rules = [&ours(configuration(&spec())), &code, &ours(configuration(&target))];
        ensure(&client(&rules), &settings(), &target, Some(&spec())).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_change_of_somebody_else_is_waited_for() {
        let mut target = spec();
        target.memory_megabytes = 512;
        let update = mock!(Client::update_function_configuration)
            .then_http_response(|| json_error(409, "ResourceConflictException", UPDATING));
        let rules = [&ours(configuration(&spec())), &update];
        let error = ensure(&client(&rules), &settings(), &target, Some(&spec())).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady);
    }

    #[tokio::test]
    async fn an_update_that_fails_later_is_rejected_with_its_reason() {
        let mut target = spec();
        target.code.sha256 = "bmV3".into();
        let failed = FunctionConfiguration::builder()
            .state(State::Active)
            .last_update_status(LastUpdateStatus::Failed)
            .last_update_status_reason("The zip file cannot be read")
            .build();
        let code = mock!(Client::update_function_code)
            .then_output(|| UpdateFunctionCodeOutput::builder().build());
        let rules = [&ours(configuration(&spec())), &code, &ours(failed)];
        let error = ensure(&client(&rules), &settings(), &target, Some(&spec())).await.unwrap_err();
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
        ensure(&client(&rules), &settings(), &spec(), Some(&spec())).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_counts_as_removed_when_lambda_no_longer_knows_it() {
        let delete =
            mock!(Client::delete_function).then_output(|| DeleteFunctionOutput::builder().build());
        let deleting = FunctionConfiguration::builder().state(State::Deleting).build();
        let rules = [&ours(configuration(&spec())), &delete, &ours(deleting), &missing()];
        remove(&client(&rules), &stack(), &spec().function_name).await.unwrap();
        assert_all_called(&rules);

        remove(&client(&[&missing()]), &stack(), &spec().function_name).await.unwrap();
    }

    #[tokio::test]
    async fn a_pending_function_is_removed_later() {
        let busy = mock!(Client::delete_function)
            .then_http_response(|| json_error(409, "ResourceConflictException", PENDING));
        let rules = [&ours(configuration(&spec())), &busy];
        let error = remove(&client(&rules), &stack(), &spec().function_name).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady);
    }
}

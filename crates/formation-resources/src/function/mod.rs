//! The Lambda function: configuration, code, tags and reserved concurrency.

pub(crate) mod code;
pub(crate) mod concurrency;
pub(crate) mod errors;
#[cfg(test)]
pub(crate) mod lambda;
pub(crate) mod properties;
pub(crate) mod settle;
#[cfg(test)]
mod tests;
pub(crate) mod unnamed;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder;
use aws_sdk_lambda::types::{FunctionCode, FunctionConfiguration, PackageType, State};
use formation_aws::{AwsError, ErrorKind};
use formation_model::{
    Difference, Facet, FunctionName, FunctionSpec, Part, PublishedVersion, StackIdentity,
};
use jiff::Timestamp;
use tokio::time::sleep;

use self::code::{architecture, code_differences, has_code, update_code};
use self::errors::{
    busy, does_not_exist, is_busy, is_gone_for_good, name_is_taken, redacted, unless_busy,
};
use self::properties::Wanted;
use self::settle::{SETTLE_PAUSES, at_rest, settled, when_role_is_ready};
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

/// A function that is as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ensured {
    /// Its ARN.
    pub arn: String,
    /// What it has besides and Formation does not name, and what AWS refused to bring back, with long values cut.
    pub unnamed: Vec<Difference>,
    /// The version that was published with it, where it was made just now and for the first time.
    pub published: Option<PublishedVersion>,
}

/// Brings a function to its target, and waits until it is invocable.
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
) -> Result<Ensured, ResourceError> {
    let function = &target.spec.function_name;
    let specs = [target.spec].into_iter().chain(target.formerly);
    let secrets = Secrets::of(specs);
    let ensured = async || {
        // Lambda may strip the tags of a function that CreateFunction finds under its name, so it is
        // looked first: <https://github.com/aws/aws-sdk-js/issues/2860>.
        let mut found = find(lambda, &settings.stack, function, target.since).await?;
        if found.is_none() {
            match create(lambda, settings, target).await {
                Ok(published) => {
                    settled(lambda, settings, target).await?;
                    concurrency::give(lambda, target.spec).await?;
                    return Ok((Vec::new(), published));
                }
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
        let mut left = unnamed::differences(&found.configuration);
        left.retain(|it| !(target.resets_unnamed && it.is_repairable()));
        let converged = converge(lambda, settings, target, role_was_replaced, found).await;
        let left =
            |refused: Vec<Difference>| left.iter().chain(&refused).map(Difference::cut).collect();
        converged.map(|refused| (left(refused), None)).map_err(|error| match error {
            // It was there a moment ago.
            ResourceError::Aws(error) if does_not_exist(&error) => {
                not_spread(error, described(function))
            }
            ResourceError::Aws(error) => age.judge(error, described(function)),
            error => error,
        })
    };
    match ensured().await {
        Ok((unnamed, published)) => {
            Ok(Ensured { arn: settings.stack.function_arn(function), unnamed, published })
        }
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

/// Compares the function with `spec`: its configuration, code, tags and reserved concurrency, and what
/// Formation does not name of its configuration with Lambda's default. A function that is idle
/// (`Inactive`) is as it should be. Of a function that is not ours only that is told.
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
    let unnamed = unnamed::differences(&found.configuration);
    let concurrency = concurrency::difference(&found, spec);
    let Found { configuration, tags, .. } = found;
    let failed = match configuration.state() {
        Some(State::Failed) => {
            Difference::between(Facet::Configuration, "state", "Active", "Failed")
        }
        _ => None,
    };
    let mut differences = properties::differences(&Wanted { stack, spec }, &configuration);
    differences.extend(unnamed);
    differences.extend(failed);
    differences.extend(tags::differences(Facet::Configuration, &tags, stack, spec));
    differences.extend(code_differences(&configuration, spec));
    differences.extend(concurrency);
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

/// Creates the function, as soon as Lambda can assume its role, and with it its first version: answers which. Of
/// a function that was there before, the version is published when callers are to move to it.
async fn create(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
) -> Result<Option<PublishedVersion>, ResourceError> {
    let spec = target.spec;
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
        .architectures(architecture(spec))
        .publish(target.formerly.is_none())
        .set_tags(Some(wanted_tags(settings, spec)));
    let create = properties::create(create, &Wanted { stack: &settings.stack, spec });
    let refused = |error| AwsError::new("lambda:CreateFunction", error);
    let created = when_role_is_ready(async || create.clone().send().await.map_err(refused)).await?;
    Ok(created.and_then(|it| it.version().and_then(|it| it.parse().ok())))
}

/// Brings every facet of a function that is ours to its target, and changes only what differs. Answers what AWS
/// refused to change, where that is no failure.
async fn converge(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
    role_was_replaced: bool,
    found: Found,
) -> Result<Vec<Difference>, ResourceError> {
    let Target { spec, formerly, .. } = *target;
    let stack = &settings.stack;
    let (current, reserved) = (found.tags.clone(), found.reserved_concurrency);
    // Lambda takes no change while another is in progress.
    let (mut configuration, last_update) = at_rest(lambda, settings, target, Some(found)).await?;
    // Without an environment there is nothing to decrypt.
    if role_was_replaced && !spec.configuration.environment.0.is_empty() {
        assign_idle_role(lambda, settings, spec).await?;
        configuration = settled(lambda, settings, target).await?;
    }
    let refused = change(lambda, settings, target, configuration, last_update.is_err()).await;
    let refused = match refused {
        Ok(()) => Vec::new(),
        Err(ResourceError::Aws(error)) if target.may_be_refused && is_gone_for_good(&error) => {
            let found = at_rest(lambda, settings, target, None).await?.0;
            let mut differs = properties::differences(&Wanted { stack, spec }, &found);
            differs.extend(code_differences(&found, spec));
            let words = Secrets::of([spec].into_iter().chain(formerly)).hide(&error.message);
            differs.push(Difference::refused(words));
            differs
        }
        Err(error) => return Err(error),
    };
    let changes = tags::changes(&current, Keys::Exact, stack, spec, formerly);
    change_tags(lambda, &stack.function_arn(&spec.function_name), changes).await?;
    if target.only_adds {
        concurrency::raise(lambda, spec, reserved).await?;
    } else {
        // Last of all: what is given up may be another's by the time that it is to be had back.
        concurrency::change(lambda, spec, reserved).await?;
    }
    Ok(refused)
}

/// Brings configuration and code to the target where they differ; `is_unsure` tells that an update has failed, so
/// that nobody knows what the function runs with.
async fn change(
    lambda: &Client,
    settings: &FunctionSettings,
    target: &Target<'_>,
    mut configuration: FunctionConfiguration,
    is_unsure: bool,
) -> Result<(), ResourceError> {
    let Target { spec, resets_unnamed, .. } = *target;
    let wanted = Wanted { stack: &settings.stack, spec };
    let resets = if resets_unnamed { unnamed::resets(&configuration) } else { Vec::new() };
    let differs = !properties::differences(&wanted, &configuration).is_empty();
    if is_unsure || differs || !resets.is_empty() {
        let update = lambda.update_function_configuration();
        let update = update.function_name(spec.function_name.as_str());
        let update = properties::update(update, &wanted, &configuration);
        reconfigure(resets.iter().fold(update, |update, reset| reset(update))).await?;
        configuration = settled(lambda, settings, target).await?;
    }
    if !has_code(&configuration, spec) {
        update_code(lambda, settings, spec).await?;
        settled(lambda, settings, target).await?;
    }
    Ok(())
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

async fn reconfigure(
    update: UpdateFunctionConfigurationFluentBuilder,
) -> Result<(), ResourceError> {
    let refused = |error| AwsError::new("lambda:UpdateFunctionConfiguration", error);
    when_role_is_ready(async || update.clone().send().await.map_err(refused)).await.map(|_| ())
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

/// A function that is proved ours.
pub(crate) struct Found {
    pub configuration: FunctionConfiguration,
    pub reserved_concurrency: Option<i32>,
    tags: BTreeMap<String, String>,
    pub age: Age,
}

/// The function of that name, if there is one: what is not ours is not looked at any further.
///
/// # Errors
/// [`ResourceError::NotOwned`] if it is not ours; [`ResourceError::NotReady`], or what Lambda
/// answered, if that cannot be told.
pub(crate) async fn find(
    lambda: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
    since: Timestamp,
) -> Result<Option<Found>, ResourceError> {
    let Some(found) = get(lambda, function).await? else { return Ok(None) };
    let configuration =
        found.configuration.ok_or_else(|| AwsError::incomplete("lambda:GetFunction"))?;
    // Lambda tells when it was last changed, by anybody: only a function of our role may be new.
    let has_our_role = configuration.role() == Some(stack.role_arn(function).as_str());
    let age = if has_our_role { Age::of(made(&configuration), since) } else { Age::Settled };
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
    let reserved_concurrency =
        found.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions);
    Ok(Some(Found { configuration, reserved_concurrency, tags, age }))
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

fn wanted_tags(settings: &FunctionSettings, spec: &FunctionSpec) -> HashMap<String, String> {
    settings.stack.tags(&spec.function_name, &spec.tags).into_iter().collect()
}

/// When the function was last made or changed: Lambda tells nothing else of its age.
fn made(configuration: &FunctionConfiguration) -> Option<Timestamp> {
    // For example 2026-11-25T12:00:00.000+0000.
    configuration.last_modified().and_then(|time| time.parse().ok())
}

pub(crate) fn described(function: &FunctionName) -> String {
    format!("the function {function}")
}

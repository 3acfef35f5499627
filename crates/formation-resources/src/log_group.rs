//! The log group of a function, with its retention.

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use formation_aws::AwsError;
use formation_model::names::log_group_name;
use formation_model::{Difference, Facet, FunctionSpec, Part, StackIdentity};
use jiff::Timestamp;

use crate::error::{ResourceError, may_be_gone};
use crate::ownership::{Age, a_moment_ago, not_spread, once_spread};
use crate::tags::{self, Keys, TagChanges};
use crate::{Removal, Target};

/// Brings the log group of a function to its target and answers its ARN.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the log group is somebody else's, [`ResourceError::NotReady`] while
/// CloudWatch Logs does not show, or act by, the tags of what was just made; otherwise what it
/// answered.
pub async fn ensure(
    logs: &Client,
    stack: &StackIdentity,
    target: &Target<'_>,
) -> Result<String, ResourceError> {
    let Target { spec, formerly, since, .. } = *target;
    let name = log_group_name(&spec.function_name);
    let arn = stack.log_group_arn(&spec.function_name);
    let mut found = match formerly {
        Some(_) => find(logs, &name).await?,
        None => None,
    };
    if found.is_none() {
        match create(logs, stack, spec, &name).await {
            Ok(()) => {
                let put = async || put_retention(logs, &name, spec.logs.log_retention_days).await;
                once_spread(put, does_not_exist, described(&name)).await?;
                return Ok(arn);
            }
            Err(error) if log_group_exists(&error) => {
                // Made by somebody else, or by an attempt of ours whose answer was lost.
                found = find(logs, &name).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let Some(group) = found else {
        let what = format!("CloudWatch Logs does not show {} yet", described(&name));
        return Err(ResourceError::not_ready(what));
    };
    let Some(current) = tags_of(logs, &arn).await? else {
        return Err(ResourceError::not_ready(format!("{} is being deleted", described(&name))));
    };
    let age = Age::of(made(&group), since);
    age.prove(stack, &spec.function_name, &current, described(&name))?;
    let converge = async || {
        if group.retention_in_days() != i32::try_from(spec.logs.log_retention_days).ok() {
            put_retention(logs, &name, spec.logs.log_retention_days).await?;
        }
        let changes = tags::changes(&current, Keys::Exact, stack, spec, formerly);
        change_tags(logs, &arn, changes).await
    };
    match converge().await {
        Ok(()) => Ok(arn),
        // It was there a moment ago.
        Err(error) if does_not_exist(&error) => Err(not_spread(error, described(&name))),
        Err(error) => Err(age.judge(error, described(&name))),
    }
}

/// Removes the log group of a function and what was logged.
///
/// # Errors
/// [`ResourceError::NotOwned`] if what is there is not ours and [`Foreign::IsAnError`],
/// [`ResourceError::NotReady`] while CloudWatch Logs does not show, or act by, the tags of what was
/// just made; otherwise what it answered. That the log group is gone is not an error.
///
/// [`Foreign::IsAnError`]: crate::Foreign::IsAnError
pub async fn remove(
    logs: &Client,
    stack: &StackIdentity,
    removal: &Removal<'_>,
) -> Result<(), ResourceError> {
    match find_ours(logs, stack, removal).await {
        Ok(Some(_)) => delete(logs, stack, removal).await,
        Ok(None) => Ok(()),
        Err(error) => removal.refused(error),
    }
}

/// Removes the log group of a function that never was ours, because somebody else's has its name: if
/// anything was logged, that function has logged it, so that the log group is left to its owner,
/// without our retention, our tags and those that `spec` declares.
///
/// # Errors
/// As for [`remove`].
pub async fn give_up(
    logs: &Client,
    stack: &StackIdentity,
    spec: Option<&FunctionSpec>,
    removal: &Removal<'_>,
) -> Result<(), ResourceError> {
    let tags = match find_ours(logs, stack, removal).await {
        Ok(Some(tags)) => tags,
        Ok(None) => return Ok(()),
        Err(error) => return removal.refused(error),
    };
    let name = log_group_name(removal.function);
    if !was_written(logs, &name).await? {
        return delete(logs, stack, removal).await;
    }
    // While our tags are on it, since they allow the call.
    match logs.delete_retention_policy().log_group_name(&name).send().await {
        Ok(_) => {}
        Err(error) => match AwsError::new("logs:DeleteRetentionPolicy", error) {
            error if does_not_exist(&error) => return Ok(()),
            error if may_be_gone(&error) && !is_ours(logs, stack, removal).await? => return Ok(()),
            error => return Err(denied_or_not_ready(logs, removal, error).await?),
        },
    }
    let declared = spec.map(|spec| spec.tags.clone()).unwrap_or_default();
    let ours = stack.tags(removal.function, &declared).into_keys();
    let keys = ours.filter(|key| tags.contains_key(key)).collect();
    let arn = stack.log_group_arn(removal.function);
    match logs.untag_resource().resource_arn(&arn).set_tag_keys(Some(keys)).send().await {
        Ok(_) => Ok(()),
        Err(error) => match AwsError::new("logs:UntagResource", error) {
            error if does_not_exist(&error) => Ok(()),
            // The second try of a call whose answer was lost: no tag is there that would allow it.
            error if may_be_gone(&error) && !is_ours(logs, stack, removal).await? => Ok(()),
            error => Err(denied_or_not_ready(logs, removal, error).await?),
        },
    }
}

/// Compares the log group with `spec`: what differs of its retention and tags. Of a log group that is
/// not ours only that is told.
///
/// # Errors
/// [`ResourceError::NotReady`] while CloudWatch Logs may not show the tags of what was just made;
/// otherwise what it answered.
pub async fn compare(
    logs: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> Result<Vec<Difference>, ResourceError> {
    let name = log_group_name(&spec.function_name);
    let gone = || vec![Difference::missing(Part::LogGroup)];
    let Some(group) = find(logs, &name).await? else {
        return Ok(gone());
    };
    let Some(current) = tags_of(logs, &stack.log_group_arn(&spec.function_name)).await? else {
        return Ok(gone());
    };
    let age = Age::of(made(&group), a_moment_ago());
    match age.prove(stack, &spec.function_name, &current, described(&name)) {
        Err(ResourceError::NotOwned { .. }) => {
            return Ok(vec![Difference::not_owned(Part::LogGroup)]);
        }
        proved => proved?,
    }
    let retention = Difference::between(
        Facet::LogGroup,
        "logRetentionDays",
        spec.logs.log_retention_days,
        group.retention_in_days(),
    );
    let tags = tags::differences(Facet::LogGroup, &current, stack, spec);
    Ok(retention.into_iter().chain(tags).collect())
}

/// The tags of the log group that is to be removed; none if it is gone.
async fn find_ours(
    logs: &Client,
    stack: &StackIdentity,
    removal: &Removal<'_>,
) -> Result<Option<BTreeMap<String, String>>, ResourceError> {
    let name = log_group_name(removal.function);
    let Some(tags) = tags_of(logs, &stack.log_group_arn(removal.function)).await? else {
        return Ok(None);
    };
    // How old it is matters, and is asked, only where the tags do not tell.
    let age = if tags.is_empty() { age(logs, removal).await? } else { Age::Settled };
    age.prove(stack, removal.function, &tags, described(&name))?;
    Ok(Some(tags))
}

async fn is_ours(
    logs: &Client,
    stack: &StackIdentity,
    removal: &Removal<'_>,
) -> Result<bool, AwsError> {
    let tags = tags_of(logs, &stack.log_group_arn(removal.function)).await?;
    Ok(tags.is_some_and(|tags| stack.owns(removal.function, &tags)))
}

async fn delete(
    logs: &Client,
    stack: &StackIdentity,
    removal: &Removal<'_>,
) -> Result<(), ResourceError> {
    let arn = stack.log_group_arn(removal.function);
    match logs.delete_log_group().log_group_name(log_group_name(removal.function)).send().await {
        Ok(_) => Ok(()),
        Err(error) => match AwsError::new("logs:DeleteLogGroup", error) {
            error if does_not_exist(&error) => Ok(()),
            error if may_be_gone(&error) && tags_of(logs, &arn).await?.is_none() => Ok(()),
            error => Err(denied_or_not_ready(logs, removal, error).await?),
        },
    }
}

/// What the refusal to change the log group that is to be removed means.
async fn denied_or_not_ready(
    logs: &Client,
    removal: &Removal<'_>,
    error: AwsError,
) -> Result<ResourceError, ResourceError> {
    let name = log_group_name(removal.function);
    Ok(age(logs, removal).await?.judge(error, described(&name)))
}

/// How old the log group is that is to be removed. One that is there and not listed yet is new.
async fn age(logs: &Client, removal: &Removal<'_>) -> Result<Age, AwsError> {
    let group = find(logs, &log_group_name(removal.function)).await?;
    Ok(group.map_or(Age::New, |group| Age::of(made(&group), removal.since)))
}

/// Whether anything has been written into the log group: it has a stream.
async fn was_written(logs: &Client, name: &str) -> Result<bool, AwsError> {
    let described = logs.describe_log_streams().log_group_name(name).limit(1).send().await;
    match described.map_err(|error| AwsError::new("logs:DescribeLogStreams", error)) {
        Err(error) if does_not_exist(&error) => Ok(false),
        other => Ok(!other?.log_streams().is_empty()),
    }
}

async fn create(
    logs: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
    name: &str,
) -> Result<(), AwsError> {
    logs.create_log_group()
        .log_group_name(name)
        .set_tags(Some(stack.tags(&spec.function_name, &spec.tags).into_iter().collect()))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| AwsError::new("logs:CreateLogGroup", error))
}

async fn put_retention(logs: &Client, name: &str, days: u32) -> Result<(), AwsError> {
    logs.put_retention_policy()
        .log_group_name(name)
        .set_retention_in_days(i32::try_from(days).ok())
        .send()
        .await
        .map(|_| ())
        .map_err(|error| AwsError::new("logs:PutRetentionPolicy", error))
}

async fn change_tags(logs: &Client, arn: &str, changes: TagChanges) -> Result<(), AwsError> {
    if !changes.remove.is_empty() {
        logs.untag_resource()
            .resource_arn(arn)
            .set_tag_keys(Some(changes.remove))
            .send()
            .await
            .map_err(|error| AwsError::new("logs:UntagResource", error))?;
    }
    if !changes.set.is_empty() {
        logs.tag_resource()
            .resource_arn(arn)
            .set_tags(Some(changes.set.into_iter().collect()))
            .send()
            .await
            .map_err(|error| AwsError::new("logs:TagResource", error))?;
    }
    Ok(())
}

/// There is no call that gets one log group; those with longer names sort behind this one.
async fn find(logs: &Client, name: &str) -> Result<Option<LogGroup>, AwsError> {
    let output = logs
        .describe_log_groups()
        .log_group_name_prefix(name)
        .limit(1)
        .send()
        .await
        .map_err(|error| AwsError::new("logs:DescribeLogGroups", error))?;
    let groups = output.log_groups.unwrap_or_default();
    Ok(groups.into_iter().find(|group| group.log_group_name() == Some(name)))
}

/// The tags of a log group; none if it does not exist.
async fn tags_of(logs: &Client, arn: &str) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    match logs.list_tags_for_resource().resource_arn(arn).send().await {
        Ok(output) => Ok(Some(output.tags.unwrap_or_default().into_iter().collect())),
        Err(error) => match AwsError::new("logs:ListTagsForResource", error) {
            error if does_not_exist(&error) => Ok(None),
            error => Err(error),
        },
    }
}

fn made(group: &LogGroup) -> Option<Timestamp> {
    group.creation_time().and_then(|time| Timestamp::from_millisecond(time).ok())
}

fn described(name: &str) -> String {
    format!("the log group {name}")
}

fn log_group_exists(error: &AwsError) -> bool {
    error.has_code("ResourceAlreadyExistsException")
}

fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("ResourceNotFoundException")
}

#[cfg(test)]
mod tests;

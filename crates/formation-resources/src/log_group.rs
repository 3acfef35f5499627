//! The log group of a function, with its retention.

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use formation_aws::AwsError;
use formation_model::names::log_group_name;
use formation_model::{FunctionName, FunctionSpec, StackIdentity};

use crate::error::{ResourceError, may_be_gone};
use crate::tags::{self, TagChanges};

/// Brings the log group of `spec` to its target and answers its ARN. `formerly` is what the record
/// says was there before.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the log group is somebody else's; otherwise what CloudWatch Logs
/// answered.
pub async fn ensure(
    logs: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
) -> Result<String, ResourceError> {
    let name = log_group_name(&spec.function_name);
    let arn = stack.log_group_arn(&spec.function_name);
    let mut found = match formerly {
        Some(_) => find(logs, &name).await?,
        None => None,
    };
    if found.is_none() {
        match create(logs, stack, spec, &name).await {
            Ok(()) => {
                put_retention(logs, &name, spec.log_retention_days).await?;
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
        let what = format!("CloudWatch Logs does not show the log group {name} yet");
        return Err(ResourceError::not_ready(what));
    };
    let Some(current) = tags_of(logs, &arn).await? else {
        return Err(ResourceError::not_ready(format!("the log group {name} is being deleted")));
    };
    if !stack.owns(&spec.function_name, &current) {
        return Err(ResourceError::NotOwned { what: format!("the log group {name}") });
    }
    if group.retention_in_days() != i32::try_from(spec.log_retention_days).ok() {
        put_retention(logs, &name, spec.log_retention_days).await?;
    }
    change_tags(logs, &arn, tags::changes(&current, stack, spec, formerly)).await?;
    Ok(arn)
}

/// Removes the log group of `function` and what was logged.
///
/// # Errors
/// What CloudWatch Logs answered. A log group that is gone, or is not ours, is none.
pub async fn remove(
    logs: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
) -> Result<(), ResourceError> {
    let arn = stack.log_group_arn(function);
    match tags_of(logs, &arn).await? {
        Some(tags) if stack.owns(function, &tags) => {}
        _ => return Ok(()),
    }
    match logs.delete_log_group().log_group_name(log_group_name(function)).send().await {
        Ok(_) => Ok(()),
        Err(error) => match AwsError::new("logs:DeleteLogGroup", error) {
            error if does_not_exist(&error) => Ok(()),
            error if may_be_gone(&error) && tags_of(logs, &arn).await?.is_none() => Ok(()),
            error => Err(error.into()),
        },
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
    if !changes.set.is_empty() {
        logs.tag_resource()
            .resource_arn(arn)
            .set_tags(Some(changes.set.into_iter().collect()))
            .send()
            .await
            .map_err(|error| AwsError::new("logs:TagResource", error))?;
    }
    if !changes.remove.is_empty() {
        logs.untag_resource()
            .resource_arn(arn)
            .set_tag_keys(Some(changes.remove))
            .send()
            .await
            .map_err(|error| AwsError::new("logs:UntagResource", error))?;
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

fn log_group_exists(error: &AwsError) -> bool {
    error.has_code("ResourceAlreadyExistsException")
}

fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("ResourceNotFoundException")
}

//! The log group of a function, with its retention.

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use formation_aws::AwsError;
use formation_model::names::log_group_name;
use formation_model::{Difference, Facet, FunctionName, FunctionSpec, Part, StackIdentity};

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

/// Compares the log group with `spec`: what differs of its retention and tags.
///
/// # Errors
/// What CloudWatch Logs answered.
pub async fn compare(
    logs: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
) -> Result<Vec<Difference>, ResourceError> {
    let gone = || vec![Difference::missing(Part::LogGroup)];
    let Some(group) = find(logs, &log_group_name(&spec.function_name)).await? else {
        return Ok(gone());
    };
    let Some(current) = tags_of(logs, &stack.log_group_arn(&spec.function_name)).await? else {
        return Ok(gone());
    };
    let retention = Difference::between(
        Facet::LogGroup,
        "logRetentionDays",
        spec.log_retention_days,
        group.retention_in_days(),
    );
    let tags = tags::differences(Facet::LogGroup, &current, stack, spec);
    Ok(retention.into_iter().chain(tags).collect())
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

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupOutput;
    use aws_sdk_cloudwatchlogs::operation::delete_log_group::DeleteLogGroupOutput;
    use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput;
    use aws_sdk_cloudwatchlogs::operation::list_tags_for_resource::ListTagsForResourceOutput;
    use aws_sdk_cloudwatchlogs::operation::put_retention_policy::PutRetentionPolicyOutput;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use formation_model::ErrorName;

    use super::*;
    use crate::testing::{assert_all_called, json_error, spec, stack};

    const GROUP: &str = "/aws/lambda/hello";

    fn client(rules: &[&Rule]) -> Client {
        mock_client!(aws_sdk_cloudwatchlogs, RuleMode::Sequential, rules)
    }

    fn described(name: &'static str, days: Option<i32>) -> Rule {
        mock!(Client::describe_log_groups).then_output(move || {
            let group =
                LogGroup::builder().log_group_name(name).set_retention_in_days(days).build();
            DescribeLogGroupsOutput::builder().log_groups(group).build()
        })
    }

    fn tagged(ours: bool) -> Rule {
        mock!(Client::list_tags_for_resource).then_output(move || {
            let tags = stack().tags(&spec().function_name, &spec().tags);
            let tags = ours.then(|| tags.into_iter().collect());
            ListTagsForResourceOutput::builder().set_tags(tags).build()
        })
    }

    fn exists() -> Rule {
        mock!(Client::create_log_group).then_http_response(|| {
            let text = "The specified log group already exists";
            json_error(400, "ResourceAlreadyExistsException", text)
        })
    }

    fn retention_put() -> Rule {
        mock!(Client::put_retention_policy)
            .match_requests(|request| request.retention_in_days() == Some(30))
            .then_output(|| PutRetentionPolicyOutput::builder().build())
    }

    #[tokio::test]
    async fn a_new_log_group_takes_two_writes() {
        let create = mock!(Client::create_log_group)
            .match_requests(|request| {
                let tags = request.tags().cloned().unwrap_or_default().into_iter().collect();
                request.log_group_name() == Some(GROUP)
                    && stack().owns(&spec().function_name, &tags)
            })
            .then_output(|| CreateLogGroupOutput::builder().build());
        let rules = [&create, &retention_put()];
        ensure(&client(&rules), &stack(), &spec(), None).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_log_group_made_by_a_lost_attempt_gets_its_retention() {
        let rules = [&exists(), &described(GROUP, None), &tagged(true), &retention_put()];
        ensure(&client(&rules), &stack(), &spec(), None).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_log_group_that_matches_is_read_and_not_written() {
        let rules = [&described(GROUP, Some(30)), &tagged(true)];
        ensure(&client(&rules), &stack(), &spec(), Some(&spec())).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_foreign_log_group_is_left_alone() {
        let rules = [&exists(), &described(GROUP, None), &tagged(false)];
        let error = ensure(&client(&rules), &stack(), &spec(), None).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotOwned);

        let rules = [&tagged(false)];
        remove(&client(&rules), &stack(), &spec().function_name).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn a_longer_name_is_another_log_group() {
        let create =
            mock!(Client::create_log_group).then_output(|| CreateLogGroupOutput::builder().build());
        let rules = [&described("/aws/lambda/hello-2", Some(1)), &create, &retention_put()];
        ensure(&client(&rules), &stack(), &spec(), Some(&spec())).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn refusals_get_their_names() {
        for (code, name) in [
            ("OperationAbortedException", ErrorName::Transient),
            ("InvalidParameterException", ErrorName::Rejected),
            ("AccessDeniedException", ErrorName::AccessDenied),
        ] {
            let create = mock!(Client::create_log_group)
                .then_http_response(move || json_error(400, code, "told"));
            let error = ensure(&client(&[&create]), &stack(), &spec(), None).await.unwrap_err();
            assert_eq!(error.name(), name, "{code}");
        }
    }

    #[tokio::test]
    async fn a_log_group_that_is_gone_is_removed() {
        let missing = || json_error(400, "ResourceNotFoundException", "no such group");
        let gone = mock!(Client::list_tags_for_resource).then_http_response(missing);
        remove(&client(&[&gone]), &stack(), &spec().function_name).await.unwrap();

        let deleted = mock!(Client::delete_log_group).then_http_response(missing);
        remove(&client(&[&tagged(true), &deleted]), &stack(), &spec().function_name).await.unwrap();

        // The second try of a delete whose answer was lost: denied, since no tag is there any more.
        let denied = mock!(Client::delete_log_group)
            .then_http_response(|| json_error(400, "AccessDeniedException", "denied"));
        let gone = mock!(Client::list_tags_for_resource).then_http_response(missing);
        let rules = [&tagged(true), &denied, &gone];
        remove(&client(&rules), &stack(), &spec().function_name).await.unwrap();
        assert_all_called(&rules);
    }

    #[tokio::test]
    async fn our_log_group_is_removed_with_two_calls() {
        let delete = mock!(Client::delete_log_group)
            .match_requests(|request| request.log_group_name() == Some(GROUP))
            .then_output(|| DeleteLogGroupOutput::builder().build());
        let rules = [&tagged(true), &delete];
        remove(&client(&rules), &stack(), &spec().function_name).await.unwrap();
        assert_all_called(&rules);
    }
}

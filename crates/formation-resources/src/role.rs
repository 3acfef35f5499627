//! The execution role of a function: trusted by Lambda for this account alone, within the stack's
//! permissions boundary, and allowed to write to the function's own log group and nothing else.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Role, Tag};
use formation_aws::AwsError;
use formation_model::names::LOGGING_POLICY;
use formation_model::{FunctionName, FunctionSpec, StackIdentity};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::error::{ResourceError, may_be_gone};
use crate::tags::{self, TagChanges};

/// What the roles of a stack have in common.
#[derive(Clone, Debug)]
pub struct RoleSettings {
    /// The stack.
    pub stack: StackIdentity,
    /// The managed policy that bounds every role that the stack makes.
    pub boundary_arn: String,
}

/// Brings the role of `spec` to its target and answers its ARN. `formerly` is what the record says
/// was there before.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the role is somebody else's; otherwise what IAM answered.
pub async fn ensure(
    iam: &Client,
    settings: &RoleSettings,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
) -> Result<String, ResourceError> {
    let name = settings.stack.role_name(&spec.function_name);
    // Where the record knows of a role, a read is cheaper than a write that IAM refuses.
    let mut found = match formerly {
        Some(_) => find(iam, &name).await?,
        None => None,
    };
    if found.is_none() {
        match create(iam, settings, spec, &name).await {
            Ok(()) => {
                put_logging_policy(iam, settings, &spec.function_name, &name).await?;
                return Ok(settings.stack.role_arn(&spec.function_name));
            }
            Err(error) if role_exists(&error) => {
                // Made by somebody else, or by an attempt of ours whose answer was lost.
                found = find(iam, &name).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let Some(role) = found else {
        // IAM answers reads from replicas that lag behind its writes.
        return Err(ResourceError::not_ready(format!("IAM does not show the role {name} yet")));
    };
    if !settings.stack.owns(&spec.function_name, &tags_of(&role)) {
        return Err(ResourceError::NotOwned { what: format!("the role {name}") });
    }
    converge(iam, settings, spec, formerly, &name, &role).await?;
    Ok(settings.stack.role_arn(&spec.function_name))
}

/// Removes the role of `function` with all its policies.
///
/// # Errors
/// What IAM answered. A role that is gone, or is not ours, is none.
pub async fn remove(
    iam: &Client,
    stack: &StackIdentity,
    function: &FunctionName,
) -> Result<(), ResourceError> {
    let name = stack.role_name(function);
    match find(iam, &name).await? {
        Some(role) if stack.owns(function, &tags_of(&role)) => {}
        _ => return Ok(()),
    }
    match take_apart(iam, &name).await {
        // Of a role that is gone, IAM knows no tag that would allow the call: see `may_be_gone`.
        Err(error) if may_be_gone(&error) && find(iam, &name).await?.is_none() => Ok(()),
        other => Ok(other?),
    }
}

async fn take_apart(iam: &Client, name: &str) -> Result<(), AwsError> {
    delete_policy(iam, name, LOGGING_POLICY).await?;
    match delete_role(iam, name).await {
        Err(error) if still_has_policies(&error) => {
            remove_other_policies(iam, name, |_| true).await?;
            delete_role(iam, name).await
        }
        other => other,
    }
}

async fn create(
    iam: &Client,
    settings: &RoleSettings,
    spec: &FunctionSpec,
    name: &str,
) -> Result<(), AwsError> {
    let description = format!("Execution role of the function {}", spec.function_name);
    let wanted = settings.stack.tags(&spec.function_name, &spec.tags);
    iam.create_role()
        .role_name(name)
        .description(description)
        .assume_role_policy_document(trust_policy(&settings.stack).to_string())
        .permissions_boundary(&settings.boundary_arn)
        .set_tags(Some(to_iam(&wanted)?))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| AwsError::new("iam:CreateRole", error))
}

/// Brings every facet of a role that is ours to its target, whoever made it and however far.
async fn converge(
    iam: &Client,
    settings: &RoleSettings,
    spec: &FunctionSpec,
    formerly: Option<&FunctionSpec>,
    name: &str,
    role: &Role,
) -> Result<(), ResourceError> {
    let function = &spec.function_name;
    let trust = trust_policy(&settings.stack);
    if role.assume_role_policy_document().and_then(decode_policy) != Some(trust.clone()) {
        iam.update_assume_role_policy()
            .role_name(name)
            .policy_document(trust.to_string())
            .send()
            .await
            .map_err(|error| AwsError::new("iam:UpdateAssumeRolePolicy", error))?;
    }
    let boundary = role.permissions_boundary().and_then(|at| at.permissions_boundary_arn());
    if boundary != Some(settings.boundary_arn.as_str()) {
        iam.put_role_permissions_boundary()
            .role_name(name)
            .permissions_boundary(&settings.boundary_arn)
            .send()
            .await
            .map_err(|error| AwsError::new("iam:PutRolePermissionsBoundary", error))?;
    }
    if find_logging_policy(iam, name).await? != Some(logging_policy(&settings.stack, function)) {
        put_logging_policy(iam, settings, function, name).await?;
    }
    remove_other_policies(iam, name, |policy| policy != LOGGING_POLICY).await?;
    change_tags(iam, name, tags::changes(&tags_of(role), &settings.stack, spec, formerly)).await
}

async fn change_tags(iam: &Client, name: &str, changes: TagChanges) -> Result<(), ResourceError> {
    if !changes.set.is_empty() {
        iam.tag_role()
            .role_name(name)
            .set_tags(Some(to_iam(&changes.set)?))
            .send()
            .await
            .map_err(|error| AwsError::new("iam:TagRole", error))?;
    }
    if !changes.remove.is_empty() {
        iam.untag_role()
            .role_name(name)
            .set_tag_keys(Some(changes.remove))
            .send()
            .await
            .map_err(|error| AwsError::new("iam:UntagRole", error))?;
    }
    Ok(())
}

async fn find(iam: &Client, name: &str) -> Result<Option<Role>, AwsError> {
    match iam.get_role().role_name(name).send().await {
        Ok(output) => output.role.map(Some).ok_or(AwsError::incomplete("iam:GetRole")),
        Err(error) => match AwsError::new("iam:GetRole", error) {
            error if does_not_exist(&error) => Ok(None),
            error => Err(error),
        },
    }
}

async fn put_logging_policy(
    iam: &Client,
    settings: &RoleSettings,
    function: &FunctionName,
    name: &str,
) -> Result<(), ResourceError> {
    let policy = logging_policy(&settings.stack, function).to_string();
    let put = iam
        .put_role_policy()
        .role_name(name)
        .policy_name(LOGGING_POLICY)
        .policy_document(policy)
        .send()
        .await;
    match put {
        Ok(_) => Ok(()),
        Err(error) => match AwsError::new("iam:PutRolePolicy", error) {
            // The role was there a moment ago: IAM has not spread it yet.
            error if does_not_exist(&error) => Err(ResourceError::NotReady {
                what: format!("IAM does not know the role {name} yet"),
                source: Some(error),
            }),
            error => Err(error.into()),
        },
    }
}

async fn find_logging_policy(iam: &Client, name: &str) -> Result<Option<Value>, AwsError> {
    let get = iam.get_role_policy().role_name(name).policy_name(LOGGING_POLICY).send().await;
    match get {
        Ok(output) => Ok(decode_policy(output.policy_document())),
        Err(error) => match AwsError::new("iam:GetRolePolicy", error) {
            error if does_not_exist(&error) => Ok(None),
            error => Err(error),
        },
    }
}

/// Deletes the inline policies that `unwanted` picks, and detaches every managed one: the role is
/// never to have any.
async fn remove_other_policies(
    iam: &Client,
    name: &str,
    unwanted: impl Fn(&str) -> bool,
) -> Result<(), AwsError> {
    let mut inline = iam.list_role_policies().role_name(name).into_paginator().items().send();
    while let Some(policy) = inline.next().await {
        let policy = match policy.map_err(|error| AwsError::new("iam:ListRolePolicies", error)) {
            Err(error) if does_not_exist(&error) => return Ok(()),
            other => other?,
        };
        if unwanted(&policy) {
            delete_policy(iam, name, &policy).await?;
        }
    }
    let mut managed =
        iam.list_attached_role_policies().role_name(name).into_paginator().items().send();
    while let Some(policy) = managed.next().await {
        let policy =
            match policy.map_err(|error| AwsError::new("iam:ListAttachedRolePolicies", error)) {
                Err(error) if does_not_exist(&error) => return Ok(()),
                other => other?,
            };
        let detach =
            iam.detach_role_policy().role_name(name).set_policy_arn(policy.policy_arn).send().await;
        unless_gone(detach.map_err(|error| AwsError::new("iam:DetachRolePolicy", error)))?;
    }
    Ok(())
}

async fn delete_policy(iam: &Client, name: &str, policy: &str) -> Result<(), AwsError> {
    let deleted = iam.delete_role_policy().role_name(name).policy_name(policy).send().await;
    unless_gone(deleted.map_err(|error| AwsError::new("iam:DeleteRolePolicy", error)))
}

async fn delete_role(iam: &Client, name: &str) -> Result<(), AwsError> {
    let deleted = iam.delete_role().role_name(name).send().await;
    unless_gone(deleted.map_err(|error| AwsError::new("iam:DeleteRole", error)))
}

/// What is gone needs no removing.
fn unless_gone<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    match result {
        Err(error) if !does_not_exist(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Lambda may assume the role, and only for functions of this account.
fn trust_policy(stack: &StackIdentity) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": stack.account_id}}
        }]
    })
}

/// The function may write to its own log group. It may not create it: a late flush would bring back
/// a group that was deleted, without retention and without tags.
fn logging_policy(stack: &StackIdentity, function: &FunctionName) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": format!("{}:*", stack.log_group_arn(function))
        }]
    })
}

/// IAM returns policies as URL-encoded JSON (RFC 3986).
fn decode_policy(encoded: &str) -> Option<Value> {
    let text = percent_decode_str(encoded).decode_utf8().ok()?;
    serde_json::from_str(&text).ok()
}

fn tags_of(role: &Role) -> BTreeMap<String, String> {
    role.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

fn to_iam(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|_| AwsError::incomplete("iam:Tag"))
}

fn role_exists(error: &AwsError) -> bool {
    error.has_code("EntityAlreadyExists")
}

fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("NoSuchEntity")
}

fn still_has_policies(error: &AwsError) -> bool {
    error.has_code("DeleteConflict")
}

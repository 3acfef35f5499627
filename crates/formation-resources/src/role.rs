//! The execution role of a function: trusted by Lambda for this account alone, within the stack's
//! permissions boundary, and allowed to write to the function's own log group, and to X-Ray where the
//! function is traced, and nothing else.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Role, Tag};
use formation_aws::AwsError;
use formation_model::function::Tracing;
use formation_model::names::LOGGING_POLICY;
use formation_model::{Difference, Facet, FunctionSpec, Part, StackIdentity};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::error::{ResourceError, may_be_gone};
use crate::ownership::{Age, a_moment_ago, not_spread, once_spread};
use crate::tags::{self, Keys, TagChanges};
use crate::{Removal, Target};

/// What the roles of a stack have in common.
#[derive(Clone, Debug)]
pub struct RoleSettings {
    /// The stack.
    pub stack: StackIdentity,
    /// The managed policy that bounds every role that the stack makes.
    pub boundary_arn: String,
}

/// A role that is as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ensured {
    /// Its ARN.
    pub arn: String,
    /// What tells it from a role of the same name that was there before, or will be: IAM's unique id.
    pub id: String,
}

/// Brings the role of a function to its target.
///
/// # Errors
/// [`ResourceError::NotOwned`] if the role is somebody else's, [`ResourceError::NotReady`] while IAM
/// has not spread what was just made; otherwise what IAM answered.
pub async fn ensure(
    iam: &Client,
    settings: &RoleSettings,
    target: &Target<'_>,
) -> Result<Ensured, ResourceError> {
    let RoleSettings { stack, .. } = settings;
    let function = &target.spec.function_name;
    let name = stack.role_name(function);
    let ensured = |role: Role| Ensured { arn: stack.role_arn(function), id: role.role_id };
    // Where the record knows of a role, a read is cheaper than a write that IAM refuses.
    let mut found = match target.formerly {
        Some(_) => find(iam, &name).await?,
        None => None,
    };
    if found.is_none() {
        match create(iam, settings, target.spec, &name).await {
            Ok(role) => {
                let put = async || put_logging_policy(iam, stack, target.spec, &name).await;
                once_spread(put, does_not_exist, described(&name)).await?;
                return Ok(ensured(role));
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
    let age = Age::of(made(&role), target.since);
    age.prove(stack, function, &tags_of(&role), described(&name))?;
    match converge(iam, settings, target, &name, &role).await {
        Ok(()) => Ok(ensured(role)),
        // It was there a moment ago.
        Err(error) if does_not_exist(&error) => Err(not_spread(error, described(&name))),
        Err(error) => Err(age.judge(error, described(&name))),
    }
}

/// Removes the role of a function with all its policies.
///
/// # Errors
/// [`ResourceError::NotOwned`] if what is there is not ours and [`Foreign::IsAnError`],
/// [`ResourceError::NotReady`] while IAM has not spread what was just made; otherwise what IAM
/// answered. That the role is gone is not an error.
///
/// [`Foreign::IsAnError`]: crate::Foreign::IsAnError
pub async fn remove(
    iam: &Client,
    stack: &StackIdentity,
    removal: &Removal<'_>,
) -> Result<(), ResourceError> {
    let name = stack.role_name(removal.function);
    let Some(role) = find(iam, &name).await? else { return Ok(()) };
    let age = Age::of(made(&role), removal.since);
    if let Err(error) = age.prove(stack, removal.function, &tags_of(&role), described(&name)) {
        return removal.refused(error);
    }
    match take_apart(iam, &name).await {
        // Of a role that is gone, IAM knows no tag that would allow the call: see `may_be_gone`.
        Err(error) if may_be_gone(&error) && find(iam, &name).await?.is_none() => Ok(()),
        other => other.map_err(|error| age.judge(error, described(&name))),
    }
}

/// Compares the role with `spec`: what differs of its trust, boundary, policies and tags, and that it
/// is not the role of the id `recorded`. Policies are compared as JSON values, and every one besides
/// ours is a difference. Of a role that is not ours only that is told.
///
/// # Errors
/// [`ResourceError::NotReady`] while IAM may not show the tags of a role that was just made;
/// otherwise what IAM answered.
pub async fn compare(
    iam: &Client,
    settings: &RoleSettings,
    spec: &FunctionSpec,
    recorded: Option<&str>,
) -> Result<Vec<Difference>, ResourceError> {
    let function = &spec.function_name;
    let name = settings.stack.role_name(function);
    let Some(role) = find(iam, &name).await? else {
        return Ok(vec![Difference::missing(Part::Role)]);
    };
    let tags = tags_of(&role);
    let age = Age::of(made(&role), a_moment_ago());
    match age.prove(&settings.stack, function, &tags, described(&name)) {
        Err(ResourceError::NotOwned { .. }) => return Ok(vec![Difference::not_owned(Part::Role)]),
        proved => proved?,
    }
    let boundary = role.permissions_boundary().and_then(|at| at.permissions_boundary_arn());
    let trust = role.assume_role_policy_document().and_then(decode_policy);
    let logging = find_logging_policy(iam, &name).await?;
    let (inline, attached) = other_policies(iam, &name).await?;
    let difference = |property: &str, expected: Value, actual: Value| {
        Difference::between(Facet::Role, property, expected, actual)
    };
    // A role that was made anew under its old name is not what the function's environment is
    // encrypted for. Records of the first release do not know the id.
    let id = recorded.and_then(|id| difference("roleId", json!(id), json!(role.role_id())));
    let mut differences: Vec<_> = [
        id,
        difference("trustPolicy", trust_policy(&settings.stack), json!(trust)),
        difference("permissionsBoundary", json!(settings.boundary_arn), json!(boundary)),
        difference(LOGGING_POLICY, logging_policy(&settings.stack, spec), json!(logging)),
        difference("otherInlinePolicies", json!([]), json!(inline)),
        difference("attachedPolicies", json!([]), json!(attached)),
    ]
    .into_iter()
    .flatten()
    .collect();
    differences.extend(tags::differences(Facet::Role, &tags, &settings.stack, spec));
    Ok(differences)
}

async fn take_apart(iam: &Client, name: &str) -> Result<(), AwsError> {
    delete_policy(iam, name, LOGGING_POLICY).await?;
    match delete_role(iam, name).await {
        Err(error) if still_has_policies(&error) => {
            remove_other_policies(iam, name).await?;
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
) -> Result<Role, AwsError> {
    let description = format!("Execution role of the function {}", spec.function_name);
    let wanted = settings.stack.tags(&spec.function_name, &spec.tags);
    let created = iam
        .create_role()
        .role_name(name)
        .description(description)
        .assume_role_policy_document(trust_policy(&settings.stack).to_string())
        .permissions_boundary(&settings.boundary_arn)
        .set_tags(Some(to_iam(&wanted)?))
        .send()
        .await;
    let created = created.map_err(|error| AwsError::new("iam:CreateRole", error))?;
    created.role.ok_or(AwsError::incomplete("iam:CreateRole"))
}

/// Brings every facet of a role that is ours to its target, whoever made it and however far.
async fn converge(
    iam: &Client,
    settings: &RoleSettings,
    target: &Target<'_>,
    name: &str,
    role: &Role,
) -> Result<(), AwsError> {
    let (RoleSettings { stack, .. }, Target { spec, formerly, .. }) = (settings, *target);
    let trust = trust_policy(stack);
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
    if find_logging_policy(iam, name).await? != Some(logging_policy(stack, spec)) {
        put_logging_policy(iam, stack, spec, name).await?;
    }
    remove_other_policies(iam, name).await?;
    let changes = tags::changes(&tags_of(role), Keys::AnyCase, stack, spec, formerly);
    change_tags(iam, name, changes).await
}

async fn change_tags(iam: &Client, name: &str, changes: TagChanges) -> Result<(), AwsError> {
    if !changes.remove.is_empty() {
        iam.untag_role()
            .role_name(name)
            .set_tag_keys(Some(changes.remove))
            .send()
            .await
            .map_err(|error| AwsError::new("iam:UntagRole", error))?;
    }
    if !changes.set.is_empty() {
        iam.tag_role()
            .role_name(name)
            .set_tags(Some(to_iam(&changes.set)?))
            .send()
            .await
            .map_err(|error| AwsError::new("iam:TagRole", error))?;
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
    stack: &StackIdentity,
    spec: &FunctionSpec,
    name: &str,
) -> Result<(), AwsError> {
    iam.put_role_policy()
        .role_name(name)
        .policy_name(LOGGING_POLICY)
        .policy_document(logging_policy(stack, spec).to_string())
        .send()
        .await
        .map(|_| ())
        .map_err(|error| AwsError::new("iam:PutRolePolicy", error))
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

/// Deletes every inline policy but ours, and detaches every managed one: the role is never to have
/// any.
async fn remove_other_policies(iam: &Client, name: &str) -> Result<(), AwsError> {
    let (inline, attached) = other_policies(iam, name).await?;
    for policy in inline {
        delete_policy(iam, name, &policy).await?;
    }
    for policy in attached {
        let detach = iam.detach_role_policy().role_name(name).policy_arn(policy).send().await;
        unless_gone(detach.map_err(|error| AwsError::new("iam:DetachRolePolicy", error)))?;
    }
    Ok(())
}

/// The names of the inline policies besides ours, and the ARNs of the managed ones. Of a role that
/// is gone, none.
async fn other_policies(iam: &Client, name: &str) -> Result<(Vec<String>, Vec<String>), AwsError> {
    let inline = iam.list_role_policies().role_name(name).into_paginator().items().send();
    let inline = inline.collect::<Result<Vec<_>, _>>().await;
    let inline = match inline.map_err(|error| AwsError::new("iam:ListRolePolicies", error)) {
        Err(error) if does_not_exist(&error) => Vec::new(),
        other => other?,
    };
    let managed = iam.list_attached_role_policies().role_name(name).into_paginator().items().send();
    let managed = managed.collect::<Result<Vec<_>, _>>().await;
    let managed =
        match managed.map_err(|error| AwsError::new("iam:ListAttachedRolePolicies", error)) {
            Err(error) if does_not_exist(&error) => Vec::new(),
            other => other?,
        };
    let others = inline.into_iter().filter(|policy| policy != LOGGING_POLICY).collect();
    Ok((others, managed.into_iter().filter_map(|policy| policy.policy_arn).collect()))
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

/// The function may write to its own log group, and what it traces where it does. It may not create
/// the group: a late flush would bring back one that was deleted, without retention and without tags.
fn logging_policy(stack: &StackIdentity, spec: &FunctionSpec) -> Value {
    let log = json!({
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": format!("{}:*", stack.log_group_arn(&spec.function_name))
    });
    // X-Ray has no resource that a segment could be limited to:
    // <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html>.
    let trace = json!({
        "Effect": "Allow",
        "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        "Resource": "*"
    });
    let statements = match spec.configuration.tracing {
        Tracing::Active => vec![log, trace],
        Tracing::PassThrough => vec![log],
    };
    json!({"Version": "2012-10-17", "Statement": statements})
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

fn made(role: &Role) -> Option<Timestamp> {
    Timestamp::from_second(role.create_date().secs()).ok()
}

fn described(name: &str) -> String {
    format!("the role {name}")
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

#[cfg(test)]
mod tests;

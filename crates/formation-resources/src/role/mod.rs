//! The execution role of a function: trusted by Lambda for this account alone, within the stack's
//! permissions boundary, and allowed to write to the function's own log group, to X-Ray where the
//! function is traced, and what else the function asks for: never without the guard.

mod allowed;
mod guard;
pub(crate) mod policies;

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Role, Tag};
use formation_aws::AwsError;
use formation_model::names::LOGGING_POLICY;
use formation_model::{Difference, Facet, FunctionSpec, Part, StackIdentity};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::allowed::{converge_policies, wanted};
use self::policies::{Others, Policy};
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
    /// Whether that policy is the platform team's, and not Formation's own, within which a function
    /// can have no permissions of its own.
    pub has_platforms_boundary: bool,
    /// Patterns of the ARNs of what the stack is made of, which no function may use or change.
    pub guarded: Vec<String>,
}

impl RoleSettings {
    /// How many characters the statements of a function's permissions can have; none where it can have
    /// none.
    pub fn policy_characters(&self) -> Option<usize> {
        self.has_platforms_boundary.then(|| policies::most_characters(self))
    }

    /// The statements that stand beside whatever a function is allowed.
    pub fn guard(&self) -> Vec<Value> {
        guard::statements(self)
    }
}

/// A role that is as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ensured {
    /// Its ARN.
    pub arn: String,
    /// What tells it from a role of the same name that was there before, or will be: IAM's unique id.
    pub id: String,
    /// Whether it has more than the target asks for: see [`Target::only_adds`].
    pub has_more: bool,
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
    let ensured = |role: Role, has_more| Ensured {
        arn: stack.role_arn(function),
        id: role.role_id,
        has_more,
    };
    // Where the record knows of a role, a read is cheaper than a write that IAM refuses.
    let mut found = match target.formerly {
        Some(_) => find(iam, &name).await?,
        None => None,
    };
    if found.is_none() {
        match create(iam, settings, target.spec, &name).await {
            Ok(role) => {
                for policy in wanted(settings, target) {
                    let put = async || policies::put(iam, &name, &policy).await;
                    once_spread(put, does_not_exist, described(&name)).await?;
                }
                // With what callers need still.
                let alone = Target { only_adds: false, ..*target };
                return Ok(ensured(role, wanted(settings, target) != wanted(settings, &alone)));
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
        Ok(has_more) => Ok(ensured(role, has_more)),
        // It was there a moment ago.
        Err(ResourceError::Aws(error)) if does_not_exist(&error) => {
            Err(not_spread(error, described(&name)))
        }
        Err(ResourceError::Aws(error)) => Err(age.judge(error, described(&name))),
        Err(error) => Err(error),
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
    match take_apart(iam, &name, removal.spec).await {
        // Of a role that is gone, IAM knows no tag that would allow the call: see `may_be_gone`.
        Err(error) if may_be_gone(&error) && find(iam, &name).await?.is_none() => Ok(()),
        other => other.map_err(|error| age.judge(error, described(&name))),
    }
}

/// Compares the role with `spec`: what differs of its trust, boundary, policies and tags, and that it
/// is not the role of the id `recorded`. Policies are compared as JSON values, what the function is
/// allowed statement by statement, and every one besides ours is a difference. Of a role that is not ours
/// only that is told.
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
    let trust = role.assume_role_policy_document().and_then(policies::decode);
    let logging = Policy::logging(&settings.stack, spec);
    let found = policies::find(iam, &name, &logging.name).await?;
    let Others { mut inline, attached } = policies::others(iam, &name).await?;
    let permissions = Policy::permissions(settings, spec);
    let mut allowed = Vec::new();
    if let Some(wanted) = &permissions {
        let at = inline.iter().position(|policy| *policy == wanted.name);
        let actual = match at.map(|at| inline.remove(at)) {
            Some(policy) => policies::find(iam, &name, &policy).await?,
            None => None,
        };
        allowed = policies::differences(settings, spec, wanted, actual.as_ref());
    }
    let difference = |property: &str, expected: Value, actual: Value| {
        Difference::between(Facet::Role, property, expected, actual)
    };
    // A role that was made anew under its old name is not what the function's environment is
    // encrypted for. Records of the first release do not know the id.
    let id = recorded.and_then(|id| difference("roleId", json!(id), json!(role.role_id())));
    let mut differences: Vec<_> = [
        id,
        difference("trustPolicy", policies::trust(&settings.stack), json!(trust)),
        difference("permissionsBoundary", json!(settings.boundary_arn), json!(boundary)),
        difference(LOGGING_POLICY, logging.document, json!(found)),
        difference("otherInlinePolicies", json!([]), json!(inline)),
        difference("attachedPolicies", json!([]), json!(attached)),
    ]
    .into_iter()
    .flatten()
    .collect();
    differences.extend(allowed);
    differences.extend(tags::differences(Facet::Role, &tags, &settings.stack, spec));
    Ok(differences)
}

async fn take_apart(iam: &Client, name: &str, spec: Option<&FunctionSpec>) -> Result<(), AwsError> {
    policies::delete(iam, name, LOGGING_POLICY).await?;
    if let Some(permissions) = spec.and_then(Policy::permissions_name) {
        policies::delete(iam, name, &permissions).await?;
    }
    match delete_role(iam, name).await {
        Err(error) if still_has_policies(&error) => {
            let Others { inline, attached } = policies::others(iam, name).await?;
            for policy in inline {
                policies::delete(iam, name, &policy).await?;
            }
            for policy in attached {
                policies::detach(iam, name, &policy).await?;
            }
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
        .assume_role_policy_document(policies::trust(&settings.stack).to_string())
        .permissions_boundary(&settings.boundary_arn)
        .set_tags(Some(to_iam(&wanted)?))
        .send()
        .await;
    let created = created.map_err(|error| AwsError::new("iam:CreateRole", error))?;
    created.role.ok_or(AwsError::incomplete("iam:CreateRole"))
}

/// Brings every facet of a role that is ours to its target, whoever made it and however far. Answers whether it
/// still has more than that.
async fn converge(
    iam: &Client,
    settings: &RoleSettings,
    target: &Target<'_>,
    name: &str,
    role: &Role,
) -> Result<bool, ResourceError> {
    let (RoleSettings { stack, .. }, Target { spec, formerly, .. }) = (settings, *target);
    let trust = policies::trust(stack);
    if role.assume_role_policy_document().and_then(policies::decode) != Some(trust.clone()) {
        iam.update_assume_role_policy()
            .role_name(name)
            .policy_document(trust.to_string())
            .send()
            .await
            .map_err(|error| AwsError::new("iam:UpdateAssumeRolePolicy", error))?;
    }
    let bounded = bound(iam, settings, target, name, role).await?;
    let has_more = converge_policies(iam, settings, target, name, bounded).await?;
    let changes = tags::changes(&tags_of(role), Keys::AnyCase, stack, spec, formerly);
    change_tags(iam, name, changes).await?;
    Ok(has_more)
}

/// What became of a role's boundary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Bounded {
    /// It is the stack's, as it was.
    Already,
    /// It has just been made the stack's.
    Anew,
    /// The stack's is gone, so that the role keeps the one that it has.
    ByAnother,
}

async fn bound(
    iam: &Client,
    settings: &RoleSettings,
    target: &Target<'_>,
    name: &str,
    role: &Role,
) -> Result<Bounded, ResourceError> {
    let arn = &settings.boundary_arn;
    let boundary = role.permissions_boundary().and_then(|at| at.permissions_boundary_arn());
    if boundary == Some(arn) {
        return Ok(Bounded::Already);
    }
    let put = iam.put_role_permissions_boundary().role_name(name).permissions_boundary(arn);
    match put.send().await.map_err(|e| AwsError::new("iam:PutRolePermissionsBoundary", e)) {
        // Of a role that is there, it tells so of the policy.
        Err(error) if does_not_exist(&error) && find(iam, name).await?.is_some() => {
            if target.restores && boundary.is_some() {
                return Ok(Bounded::ByAnother);
            }
            let reason = format!(
                "the policy {arn}, which is to bound the roles of the stack's functions, is gone; \
                 whoever deploys the stack has to bring it back, or to name another in \
                 FunctionBoundaryArn"
            );
            Err(ResourceError::Rejected { reason })
        }
        other => Ok(other.map(|_| Bounded::Anew)?),
    }
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

pub(crate) fn does_not_exist(error: &AwsError) -> bool {
    error.has_code("NoSuchEntity")
}

fn still_has_policies(error: &AwsError) -> bool {
    error.has_code("DeleteConflict")
}

#[cfg(test)]
mod tests;

//! The policies of a role: whom it trusts, what it allows, and how they are read and written.

use aws_sdk_iam::Client;
use formation_aws::AwsError;
use formation_model::function::Tracing;
use formation_model::function::permissions::MOST_CHARACTERS;
use formation_model::names::{LOGGING_POLICY, permissions_policy_name};
use formation_model::{Difference, Facet, FunctionSpec, PolicyStatement, StackIdentity};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{RoleSettings, does_not_exist, guard, unless_gone};

/// Characters that all inline policies of a role may have together, as IAM counts them.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
const MOST_OF_A_ROLE: usize = 10_240;
/// What of these the policy for logging has at the most.
const MOST_FOR_LOGGING: usize = 400;
const VERSION: &str = "2012-10-17";

/// An inline policy as it is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Policy {
    pub name: String,
    pub document: Value,
}

impl Policy {
    /// That a function may write to its own log group, and what it traces where it does. It may not
    /// create the group: a late flush would bring back one that was deleted, without retention and
    /// without tags.
    pub fn logging(stack: &StackIdentity, spec: &FunctionSpec) -> Self {
        Self::logging_of(stack, spec, spec.configuration.tracing)
    }

    /// The same, and that it may trace where `tracing` is active.
    pub fn logging_of(stack: &StackIdentity, spec: &FunctionSpec, tracing: Tracing) -> Self {
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
        let statements = match tracing {
            Tracing::Active => vec![log, trace],
            Tracing::PassThrough => vec![log],
        };
        let document = json!({"Version": VERSION, "Statement": statements});
        Self { name: LOGGING_POLICY.to_owned(), document }
    }

    /// What a function is allowed besides, with the guard; none where that is nothing. The name tells
    /// what is allowed, so that the next one stands beside it before it goes, and so that another guard
    /// takes this one's place at once.
    pub fn permissions(settings: &RoleSettings, spec: &FunctionSpec) -> Option<Self> {
        let name = Self::permissions_name(spec)?;
        Some(Self { name, document: with_guard(settings, &spec.all_statements()) })
    }

    /// The name of that.
    pub fn permissions_name(spec: &FunctionSpec) -> Option<String> {
        let statements = spec.all_statements();
        let allowed = || statements.iter().map(PolicyStatement::to_iam).collect();
        (!statements.is_empty()).then(|| permissions_policy_name(&allowed()))
    }
}

fn with_guard(settings: &RoleSettings, statements: &[PolicyStatement]) -> Value {
    let allowed = statements.iter().map(PolicyStatement::to_iam);
    let statements: Vec<_> = allowed.chain(guard::statements(settings)).collect();
    json!({"Version": VERSION, "Statement": statements})
}

/// How many characters the statements of a function can have, so that two documents, the old and the new
/// one, stand beside the logging policy, each with the guard.
pub(super) fn most_characters(settings: &RoleSettings) -> usize {
    // And a comma between what is allowed and the guard.
    let guard = characters(&with_guard(settings, &[])) + 1;
    ((MOST_OF_A_ROLE - MOST_FOR_LOGGING) / 2).saturating_sub(guard).min(MOST_CHARACTERS)
}

/// As IAM counts them: without white space, of which it is written with none but what strings hold.
pub(super) fn characters(document: &Value) -> usize {
    document.to_string().chars().count()
}

/// How what a role allows besides logging differs from what it is to allow: statement by statement, the
/// guard as a whole. `actual` is what is there in its place.
pub(super) fn differences(
    settings: &RoleSettings,
    spec: &FunctionSpec,
    wanted: &Policy,
    actual: Option<&Value>,
) -> Vec<Difference> {
    if actual == Some(&wanted.document) {
        return Vec::new();
    }
    let found = actual.map(|document| listed(&document["Statement"]));
    let (denials, allowed): (Vec<_>, Vec<_>) =
        found.into_iter().flatten().partition(|statement| statement["Effect"] == "Deny");
    let shown: Vec<_> = allowed.into_iter().map(PolicyStatement::from_iam).collect();
    let mut differences = spec.statement_differences(&shown);
    // Where all of it is gone, the statements tell so.
    if actual.is_some() {
        let guard = guard::statements(settings);
        differences.extend(Difference::between(Facet::Role, "guard", guard, json!(denials)));
    }
    if differences.is_empty() {
        let document = wanted.document.clone();
        differences.extend(Difference::between(Facet::Role, &wanted.name, document, json!(actual)));
    }
    differences
}

/// Lambda may assume the role, and only for functions of this account.
pub(super) fn trust(stack: &StackIdentity) -> Value {
    json!({
        "Version": VERSION,
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": stack.account_id}}
        }]
    })
}

/// The items of an array, or the one that stands in its place.
pub(crate) fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.iter(),
        Value::Null => [].iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

/// IAM returns policies as URL-encoded JSON (RFC 3986).
pub(crate) fn decode(encoded: &str) -> Option<Value> {
    let text = percent_decode_str(encoded).decode_utf8().ok()?;
    serde_json::from_str(&text).ok()
}

pub(super) async fn put(iam: &Client, role: &str, policy: &Policy) -> Result<(), AwsError> {
    iam.put_role_policy()
        .role_name(role)
        .policy_name(&policy.name)
        .policy_document(policy.document.to_string())
        .send()
        .await
        .map(|_| ())
        .map_err(|error| AwsError::new("iam:PutRolePolicy", error))
}

pub(super) async fn find(
    iam: &Client,
    role: &str,
    policy: &str,
) -> Result<Option<Value>, AwsError> {
    let get = iam.get_role_policy().role_name(role).policy_name(policy).send().await;
    match get {
        Ok(output) => Ok(decode(output.policy_document())),
        Err(error) => match AwsError::new("iam:GetRolePolicy", error) {
            error if does_not_exist(&error) => Ok(None),
            error => Err(error),
        },
    }
}

pub(super) async fn delete(iam: &Client, role: &str, policy: &str) -> Result<(), AwsError> {
    let deleted = iam.delete_role_policy().role_name(role).policy_name(policy).send().await;
    unless_gone(deleted.map_err(|error| AwsError::new("iam:DeleteRolePolicy", error)))
}

pub(super) async fn detach(iam: &Client, role: &str, policy: &str) -> Result<(), AwsError> {
    let detach = iam.detach_role_policy().role_name(role).policy_arn(policy).send().await;
    unless_gone(detach.map_err(|error| AwsError::new("iam:DetachRolePolicy", error)))
}

/// What a role has besides the policy for logging.
pub(super) struct Others {
    /// The names of the inline policies.
    pub inline: Vec<String>,
    /// The ARNs of the managed ones.
    pub attached: Vec<String>,
}

/// What a role has besides the policy for logging. Of a role that is gone, nothing.
pub(super) async fn others(iam: &Client, role: &str) -> Result<Others, AwsError> {
    let inline = iam.list_role_policies().role_name(role).into_paginator().items().send();
    let inline = inline.collect::<Result<Vec<_>, _>>().await;
    let inline = match inline.map_err(|error| AwsError::new("iam:ListRolePolicies", error)) {
        Err(error) if does_not_exist(&error) => Vec::new(),
        other => other?,
    };
    let managed = iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
    let managed = managed.collect::<Result<Vec<_>, _>>().await;
    let managed =
        match managed.map_err(|error| AwsError::new("iam:ListAttachedRolePolicies", error)) {
            Err(error) if does_not_exist(&error) => Vec::new(),
            other => other?,
        };
    Ok(Others {
        inline: inline.into_iter().filter(|policy| policy != LOGGING_POLICY).collect(),
        attached: managed.into_iter().filter_map(|policy| policy.policy_arn).collect(),
    })
}

//! The policies of a function's role, as far as IAM tells.

use super::Reading;
use crate::aws::{AwsError, Xml};
use crate::failure::Failure;

/// A policy of a role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Policy {
    /// Its name.
    pub name: String,
    /// Its document, as IAM spells it.
    pub document: String,
}

/// How many pages of a list are read: a role has few policies.
const MOST_PAGES: usize = 20;

/// AWS's own policy for what every function of Formation's may do anyway.
const LOGGING: &str = ":aws:policy/service-role/AWSLambdaBasicExecutionRole";
/// AWS's own policy for functions in a VPC, which Formation's are not.
const IN_VPC: &str = ":aws:policy/service-role/AWSLambdaVPCAccessExecutionRole";

/// Reads them. What cannot be read is noted.
pub(super) async fn policies(
    reading: &mut Reading<'_>,
    role_arn: &str,
) -> Result<Vec<Policy>, Failure> {
    // Roles may have paths.
    let role = role_arn.rsplit('/').next().unwrap_or_default();
    let mut policies = Vec::new();
    if role.is_empty() {
        return Ok(policies);
    }
    let own = pages(reading, "ListRolePolicies", role, &["PolicyNames", "member"]).await;
    for name in reading
        .optional("iam:ListRolePolicies", "the role's own policies", own)?
        .unwrap_or_default()
    {
        let parameters = [("RoleName", role), ("PolicyName", name.as_str())];
        let read = reading.aws.query("iam", "GetRolePolicy", &parameters).await;
        let read = read.and_then(|xml| xml.text(&["GetRolePolicyResult", "PolicyDocument"]));
        let what = format!("the role's policy {name}");
        if let Some(document) = reading.optional("iam:GetRolePolicy", &what, read)? {
            policies.push(Policy { name, document });
        }
    }
    let attached = pages(
        reading,
        "ListAttachedRolePolicies",
        role,
        &["AttachedPolicies", "member", "PolicyArn"],
    )
    .await;
    let what = "the role's managed policies";
    for arn in reading.optional("iam:ListAttachedRolePolicies", what, attached)?.unwrap_or_default()
    {
        if arn.ends_with(LOGGING) || arn.ends_with(IN_VPC) {
            continue;
        }
        let what = format!("the managed policy {arn}");
        let version = reading.aws.query("iam", "GetPolicy", &[("PolicyArn", arn.as_str())]).await;
        let version =
            version.and_then(|xml| xml.text(&["GetPolicyResult", "Policy", "DefaultVersionId"]));
        let Some(version) = reading.optional("iam:GetPolicy", &what, version)? else { continue };
        let parameters = [("PolicyArn", arn.as_str()), ("VersionId", version.as_str())];
        let read = reading.aws.query("iam", "GetPolicyVersion", &parameters).await;
        let read =
            read.and_then(|xml| xml.text(&["GetPolicyVersionResult", "PolicyVersion", "Document"]));
        if let Some(document) = reading.optional("iam:GetPolicyVersion", &what, read)? {
            policies
                .push(Policy { name: arn.rsplit('/').next().unwrap_or(&arn).to_owned(), document });
        }
    }
    let whole = reading.aws.query("iam", "GetRole", &[("RoleName", role)]).await;
    let boundary = ["GetRoleResult", "Role", "PermissionsBoundary", "PermissionsBoundaryArn"];
    let boundary = whole.and_then(|xml| xml.text(&boundary));
    let boundary = reading.optional("iam:GetRole", "the role's permissions boundary", boundary)?;
    if let Some(arn) = boundary.filter(|arn| !arn.is_empty()) {
        let told = "the new role has the stack's, which may allow more or less";
        reading.notes.push(format!("permissions boundary {arn}: {told}"));
    }
    Ok(policies)
}

/// A whole list, page by page.
async fn pages(
    reading: &Reading<'_>,
    action: &str,
    role: &str,
    items: &[&str],
) -> Result<Vec<String>, AwsError> {
    let result = format!("{action}Result");
    let mut all = Vec::new();
    let mut marker = String::new();
    for _ in 0..MOST_PAGES {
        let mut parameters = vec![("RoleName", role)];
        if !marker.is_empty() {
            parameters.push(("Marker", &marker));
        }
        let page: Xml = reading.aws.query("iam", action, &parameters).await?;
        all.extend(page.texts(&[&[result.as_str()], items].concat())?);
        if page.text(&[&result, "IsTruncated"])? != "true" {
            break;
        }
        marker = page.text(&[&result, "Marker"])?;
    }
    Ok(all)
}

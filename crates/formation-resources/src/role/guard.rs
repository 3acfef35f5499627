//! The guard: four denials that stand in one document with whatever a function is allowed, so that no
//! grant is ever without them. They keep functions from what Formation itself is made of.

use formation_model::names::{FUNCTION_TAG, STACK_TAG};
use serde_json::{Value, json};

use super::RoleSettings;

/// What concerns a resource of Formation's, of any stack, and does not change it: reading, invoking it
/// and writing logs.
const HARMLESS: [&str; 12] = [
    "iam:Get*",
    "iam:List*",
    "lambda:Get*",
    "lambda:Invoke*",
    "lambda:List*",
    "logs:CreateLogStream",
    "logs:Describe*",
    "logs:Filter*",
    "logs:Get*",
    "logs:List*",
    "logs:PutLogEvents",
    "logs:Start*",
];

/// What changes Formation's rules or Lambdas and for which IAM knows no resource, so that no pattern is met:
/// permissions on the default event bus, and what calls a Lambda for what a queue or a stream holds. Source:
/// the resource types of <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>
/// and of `list_awslambda.html` beside it.
const WITHOUT_RESOURCE: [&str; 2] = ["events:*Permission", "lambda:CreateEventSourceMapping"];

/// Characters that are taken to be left of a stack's name where CloudFormation cuts the names that it makes
/// to the 64 that roles, Lambdas and rules may have. It publishes no number. Our longest logical id has 24, and 13
/// are for what CloudFormation makes up, so names up to this are not cut at all.
const LEFT_OF_STACK_NAME: usize = 24;

/// The statements of the guard.
///
/// - Nothing of the stack may be used or changed: its resources, by the patterns of `settings`, and the
///   boundary.
/// - What carries the tag of a Formation stack may not be changed, whichever stack's it is.
/// - No tag may be set or taken away by which Formation knows what is its own.
/// - What IAM knows no resource of may not be called at all where it could reach what is Formation's.
pub fn statements(settings: &RoleSettings) -> Vec<Value> {
    vec![
        json!({"Effect": "Deny", "Action": "*", "Resource": resources(settings)}),
        json!({
            "Effect": "Deny", "NotAction": HARMLESS, "Resource": "*",
            "Condition": {"Null": {format!("aws:ResourceTag/{STACK_TAG}"): "false"}}
        }),
        json!({
            "Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"ForAnyValue:StringEqualsIgnoreCase": {
                "aws:TagKeys": [STACK_TAG, FUNCTION_TAG]
            }}
        }),
        json!({"Effect": "Deny", "Action": WITHOUT_RESOURCE, "Resource": "*"}),
    ]
}

/// The patterns of what the stack is made of, and the boundary.
fn resources(settings: &RoleSettings) -> Vec<String> {
    let listed = settings.guarded.iter().map(|pattern| as_cut(pattern));
    listed.chain([settings.boundary_arn.clone()]).collect()
}

/// The pattern, so that it matches the names of roles, Lambdas and rules of a stack with a long name, too.
fn as_cut(pattern: &str) -> String {
    for kind in [":role/", ":function:", ":*/"] {
        let Some((before, name)) = pattern.split_once(kind) else { continue };
        let fixed = name.find('*').unwrap_or(name.len());
        if fixed > LEFT_OF_STACK_NAME && name.is_char_boundary(LEFT_OF_STACK_NAME) {
            return format!("{before}{kind}{}*", &name[..LEFT_OF_STACK_NAME]);
        }
    }
    pattern.to_owned()
}

#[cfg(test)]
mod tests {
    use formation_model::StackIdentity;

    use super::*;

    /// What changes something of the services that a stack is made of, and for which IAM knows no resource:
    /// the rows without a resource type, of the access level Write or Permissions management, of
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.
    /// True where it could reach what is Formation's, so that the guard has to deny it.
    const CHANGES_WITHOUT_RESOURCE: [(&str, bool); 12] = [
        ("events:PutPermission", true),
        ("events:RemovePermission", true),
        ("lambda:CreateEventSourceMapping", true),
        // It makes something new, which nothing of Formation's names.
        ("lambda:CreateCodeSigningConfig", false),
        ("cloudwatch:DeleteAnomalyDetector", false),
        ("cloudwatch:PutAnomalyDetector", false),
        // Of the whole account: README tells that a boundary should not have them.
        ("logs:DeleteAccountPolicy", false),
        ("logs:DeleteResourcePolicy", false),
        ("logs:PutAccountPolicy", false),
        ("logs:PutResourcePolicy", false),
        ("xray:PutEncryptionConfig", false),
        ("xray:PutResourcePolicy", false),
    ];

    #[test]
    fn what_has_no_resource_and_could_reach_the_stack_is_denied() {
        let settings = RoleSettings {
            stack: StackIdentity {
                partition: "aws".into(),
                region: "eu-west-1".into(),
                account_id: "111122223333".into(),
                stack_key: "0a1b2c3d".into(),
            },
            boundary_arn: "arn:aws:iam::111122223333:policy/boundary".into(),
            has_platforms_boundary: true,
            guarded: Vec::new(),
        };
        // What is denied everywhere and always.
        let denied: Vec<_> = statements(&settings)
            .into_iter()
            .filter(|it| it["Resource"] == "*" && it["Condition"].is_null())
            .flat_map(|it| it["Action"].as_array().unwrap().clone())
            .collect();
        let is_denied = |action: &str| {
            denied.iter().any(|pattern| match pattern.as_str().unwrap().split_once('*') {
                Some((start, end)) => action.starts_with(start) && action.ends_with(end),
                None => pattern == action,
            })
        };
        for (action, expected) in CHANGES_WITHOUT_RESOURCE {
            assert_eq!(is_denied(action), expected, "{action}");
        }
        // It denies nothing that has a resource.
        assert!(!is_denied("events:PutEvents") && !is_denied("lambda:InvokeFunction"));
    }

    #[test]
    fn names_that_cloudformation_cuts_are_guarded_too() {
        let of = |name: &str| format!("arn:aws:lambda:*:111122223333:function:{name}-*Function-*");
        assert_eq!(as_cut(&of("formation")), of("formation"));
        let long = of("the-functions-of-team-blue-in-production");
        let cut = "arn:aws:lambda:*:111122223333:function:the-functions-of-team-bl*";
        assert_eq!(as_cut(&long), cut);
        let role = "arn:aws:iam::111122223333:role/formation_0a1b2c3d_*";
        assert_eq!(as_cut(role), role);
        let rule = |name: &str| format!("arn:aws:events:*:111122223333:*/{name}*");
        assert_eq!(as_cut(&rule("formation")), rule("formation"));
        assert_eq!(as_cut(&rule(&"x".repeat(40))), rule(&"x".repeat(24)));
        let other = format!("arn:aws:sqs:*:111122223333:{}-*Queue-*", "x".repeat(40));
        assert_eq!(as_cut(&other), other);
    }
}

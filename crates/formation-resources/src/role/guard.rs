//! The guard: three denials that stand in one document with whatever a function is allowed, so that no
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

/// Characters that are taken to be left of a stack's name where CloudFormation cuts the names that it makes
/// to the 64 that roles and Lambdas may have. It publishes no number. Our longest logical id has 24, and 13
/// are for what CloudFormation makes up, so names up to this are not cut at all.
const LEFT_OF_STACK_NAME: usize = 24;

/// The statements of the guard.
///
/// - Nothing of the stack may be used or changed: its resources, by the patterns of `settings`, and the
///   boundary.
/// - What carries the tag of a Formation stack may not be changed, whichever stack's it is.
/// - No tag may be set or taken away by which Formation knows what is its own.
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
    ]
}

/// The patterns of what the stack is made of, and the boundary.
fn resources(settings: &RoleSettings) -> Vec<String> {
    let listed = settings.guarded.iter().map(|pattern| as_cut(pattern));
    listed.chain([settings.boundary_arn.clone()]).collect()
}

/// The pattern, so that it matches the names of roles and Lambdas of a stack with a long name, too.
fn as_cut(pattern: &str) -> String {
    for kind in [":role/", ":function:"] {
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
    use super::*;

    #[test]
    fn names_that_cloudformation_cuts_are_guarded_too() {
        let of = |name: &str| format!("arn:aws:lambda:*:111122223333:function:{name}-*Function-*");
        assert_eq!(as_cut(&of("formation")), of("formation"));
        let long = of("the-functions-of-team-blue-in-production");
        let cut = "arn:aws:lambda:*:111122223333:function:the-functions-of-team-bl*";
        assert_eq!(as_cut(&long), cut);
        let role = "arn:aws:iam::111122223333:role/formation_0a1b2c3d_*";
        assert_eq!(as_cut(role), role);
        let other = format!("arn:aws:sqs:*:111122223333:{}-*Queue-*", "x".repeat(40));
        assert_eq!(as_cut(&other), other);
    }
}

//! Names of what Formation makes in AWS. Every name derives from the function's, so that a replayed
//! step finds what an earlier attempt made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::name::FunctionName;
use crate::operation::{OperationId, OperationKind};
use crate::triggers::TriggerKey;
use crate::upload::UploadId;

/// Tag key whose value is the stack key of the Formation stack that owns the resource.
pub const STACK_TAG: &str = "formation:stack";
/// Tag key whose value is the name of the function that the resource belongs to.
pub const FUNCTION_TAG: &str = "formation:function";
/// Name of the inline policy by which a function writes its log.
pub const LOGGING_POLICY: &str = "write-own-logs";

/// The alias that callers invoke.
pub const LIVE: &str = "live";

/// What the names of inline policies begin with that hold what a function is allowed besides.
pub const PERMISSIONS_POLICY: &str = "permissions-";

/// Step Functions allows 80 characters for the name of an execution.
const EXECUTION_NAME_LENGTH: usize = 80;
/// IAM allows 64 characters for the name of a role; EventBridge for that of a rule, a schedule, or a group of
/// schedules.
const NAME_LENGTH: usize = 64;
const HASH_LENGTH: usize = 12;
/// Hex digits by which the statements of a function's policy are told apart.
const STATEMENT_HASH_LENGTH: usize = 24;

/// Where a Formation stack lives and how its resources are told from others.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct StackIdentity {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// For example `eu-west-1`.
    pub region: String,
    /// Twelve digits.
    pub account_id: String,
    /// The first 8 hex digits of the GUID in the stack's id.
    pub stack_key: String,
}

impl StackIdentity {
    /// `formation_<stackKey>_<functionName, cut>_<hash>`, at most 64 characters.
    ///
    /// The hash tells apart names that are equal once cut, or but for case: IAM compares role names
    /// without case.
    pub fn role_name(&self, function: &FunctionName) -> String {
        self.hashed(function.as_str(), function.as_str())
    }

    /// What the names of everything begin with that the stack makes for functions and AWS does not name after
    /// them: `formation_<stackKey>_`. The names of stacks have no `_`, so CloudFormation names nothing so.
    pub fn prefix(&self) -> String {
        format!("formation_{}_", self.stack_key)
    }

    /// `formation_<stackKey>_<told, cut>_<hash of told_apart>`, at most 64 characters.
    fn hashed(&self, told: &str, told_apart: &str) -> String {
        let (prefix, hash) = (self.prefix(), hash(told_apart, HASH_LENGTH));
        let room = NAME_LENGTH - prefix.len() - 1 - hash.len();
        format!("{prefix}{}_{hash}", cut(told, room))
    }

    /// The group that all schedules of the stack are in, which has tags in their stead: `formation_<stackKey>`.
    pub fn schedule_group(&self) -> String {
        format!("formation_{}", self.stack_key)
    }

    /// The name of a schedule or a rule of a function: `formation_<stackKey>_<functionName_name, cut>_<hash>`, at
    /// most 64 characters of `[A-Za-z0-9_.-]`.
    pub fn trigger_name(&self, function: &FunctionName, key: &TriggerKey) -> String {
        self.hashed(&format!("{function}_{}", key.name), &told_apart(function, key))
    }

    /// What the names of all schedules and rules of a function begin with; those of others may, too, since names are
    /// cut.
    pub fn trigger_prefix(&self, function: &FunctionName) -> String {
        let prefix = self.prefix();
        let room = NAME_LENGTH - prefix.len() - 1 - HASH_LENGTH;
        format!("{prefix}{}", cut(&format!("{function}_"), room))
    }

    /// The id of a statement of the function's policy that is there for a trigger: `formation_<stackKey>_<hash>`.
    /// `what` tells several of one trigger apart.
    pub fn statement_id(&self, function: &FunctionName, key: &TriggerKey, what: &str) -> String {
        let told_apart = format!("{}\n{what}", told_apart(function, key));
        format!("{}{}", self.prefix(), hash(&told_apart, STATEMENT_HASH_LENGTH))
    }

    /// The ARN of the function's execution role. Roles have no path: see `infra/template.yaml`.
    pub fn role_arn(&self, function: &FunctionName) -> String {
        format!("arn:{}:iam::{}:role/{}", self.partition, self.account_id, self.role_name(function))
    }

    /// The ARN of the Lambda function, unqualified.
    pub fn function_arn(&self, function: &FunctionName) -> String {
        format!(
            "arn:{}:lambda:{}:{}:function:{function}",
            self.partition, self.region, self.account_id
        )
    }

    /// The ARN of the alias that callers invoke.
    pub fn live_arn(&self, function: &FunctionName) -> String {
        format!("{}:{LIVE}", self.function_arn(function))
    }

    /// The ARN of the log group without the trailing `:*`, as the tagging calls of CloudWatch Logs
    /// ask for it.
    pub fn log_group_arn(&self, function: &FunctionName) -> String {
        format!(
            "arn:{}:logs:{}:{}:log-group:{}",
            self.partition,
            self.region,
            self.account_id,
            log_group_name(function)
        )
    }

    /// The tags of everything made for a function: the owner's, then the user's own.
    pub fn tags(
        &self,
        function: &FunctionName,
        users: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut tags = users.clone();
        tags.insert(STACK_TAG.to_owned(), self.stack_key.clone());
        tags.insert(FUNCTION_TAG.to_owned(), function.to_string());
        tags
    }

    /// Whether `tags` prove that this stack made the resource for this function.
    pub fn owns(&self, function: &FunctionName, tags: &BTreeMap<String, String>) -> bool {
        tags.get(STACK_TAG) == Some(&self.stack_key)
            && tags.get(FUNCTION_TAG).map(String::as_str) == Some(function.as_str())
    }
}

/// The Description of a version that an operation publishes. Versions carry no tags: it proves that the version is
/// ours, and by it a repeated step knows its own.
pub fn version_mark(operation: OperationId) -> String {
    format!("formation:{operation}")
}

/// The Description of a version that keeps for callers what was there before `operation`, where a release had
/// published none.
pub fn kept_version_mark(operation: OperationId) -> String {
    format!("formation:before:{operation}")
}

/// Whether a version's Description is one of these, of whichever operation.
pub fn is_version_mark(description: &str) -> bool {
    let id = description.strip_prefix("formation:");
    id.map(|id| id.strip_prefix("before:").unwrap_or(id))
        .is_some_and(|id| id.parse::<OperationId>().is_ok())
}

/// The name of the inline policy that holds what a function is allowed besides: `permissions-<8 hex digits
/// of the digest of what it allows>`, so that one can be put beside another before that is taken away. The
/// denials beside it are not digested: the same with others is one policy that is replaced.
pub fn permissions_policy_name(allowed: &Value) -> String {
    let digest = Sha256::digest(allowed.to_string());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{PERMISSIONS_POLICY}{hash}")
}

/// The log group of a function: the one that Lambda writes to by default.
pub fn log_group_name(function: &FunctionName) -> String {
    format!("/aws/lambda/{function}")
}

/// The key of an operation's code bundle in the artefact bucket.
pub fn bundle_key(function: &FunctionName, operation: OperationId) -> String {
    format!("bundles/{function}/{operation}.zip")
}

/// The key of the bundle that an upload is copied to by a request that may be repeated. `request` tells
/// that request from all others, so that what is there is its own copy.
pub fn uploaded_bundle_key(function: &FunctionName, upload: UploadId, request: &str) -> String {
    format!("bundles/{function}/{upload}-{request}.zip")
}

/// The key of an upload in the artefact bucket. `owner` is who may use it; a digest of that is part of
/// the key, so that the id leads nobody else there.
pub fn upload_key(owner: &str, upload: UploadId) -> String {
    let owner: String = Sha256::digest(owner).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("uploads/{owner}/{upload}.zip")
}

/// `<functionName, cut to fit 80>-<kind>-<ulid>-<attempt>`: unique for each attempt, so that
/// starting the same attempt twice starts it once.
pub fn execution_name(
    function: &FunctionName,
    kind: OperationKind,
    operation: OperationId,
    attempt: u32,
) -> String {
    let suffix = format!("-{}-{operation}-{attempt}", kind.as_str());
    format!("{}{suffix}", cut(function.as_str(), EXECUTION_NAME_LENGTH - suffix.len()))
}

/// The ARN that an execution of this name has.
///
/// Step Functions derives it from the state machine's ARN, so it need not be stored.
pub fn execution_arn(state_machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", state_machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

/// What no two triggers have in common. No name holds a line break.
fn told_apart(function: &FunctionName, key: &TriggerKey) -> String {
    format!("{function}\n{}\n{}", key.kind, key.name)
}

/// The first hex digits of the text's digest.
fn hash(text: &str, length: usize) -> String {
    let digest = Sha256::digest(text);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..length].to_owned()
}

/// Names of functions and of what has a derived name are ASCII, so bytes are characters.
fn cut(name: &str, length: usize) -> &str {
    &name[..name.len().min(length)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> StackIdentity {
        StackIdentity {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account_id: "111122223333".into(),
            stack_key: "0a1b2c3d".into(),
        }
    }

    fn name(text: &str) -> FunctionName {
        text.parse().unwrap()
    }

    #[test]
    fn role_names_keep_the_stacks_prefix_and_fit_into_64_characters() {
        let short = stack().role_name(&name("hello"));
        assert!(short.starts_with("formation_0a1b2c3d_hello_"), "{short}");

        let long = stack().role_name(&name(&"x".repeat(64)));
        assert_eq!(long.len(), 64);
    }

    #[test]
    fn role_names_differ_where_function_names_differ_in_case_or_past_the_cut() {
        let lower = stack().role_name(&name("hello")).to_lowercase();
        let upper = stack().role_name(&name("Hello")).to_lowercase();
        assert_ne!(lower, upper);

        let one = stack().role_name(&name(&format!("{}1", "x".repeat(63))));
        let two = stack().role_name(&name(&format!("{}2", "x".repeat(63))));
        assert_ne!(one, two);
    }

    #[test]
    fn execution_names_fit_into_80_characters() {
        let operation = OperationId::generate();
        let long = name(&"x".repeat(64));
        let execution = execution_name(&long, OperationKind::Create, operation, 4_294_967_295);
        assert_eq!(execution.len(), 80);
        assert!(execution.ends_with(&format!("-CREATE-{operation}-4294967295")));
    }

    #[test]
    fn only_both_tags_prove_ownership() {
        let hello = name("hello");
        let tags = stack().tags(&hello, &BTreeMap::from([("team".into(), "a".into())]));
        assert!(stack().owns(&hello, &tags));
        assert!(!stack().owns(&name("other"), &tags));
        for key in [STACK_TAG, FUNCTION_TAG] {
            let mut lacking = tags.clone();
            lacking.remove(key);
            assert!(!stack().owns(&hello, &lacking), "owned without {key}");
        }
    }

    #[test]
    fn an_upload_has_a_key_of_its_owner() {
        let id: UploadId = "01JDJ3M6Q5X8Z7W2V4T9R0N1KB".parse().unwrap();
        let key = upload_key("arn:aws:iam::111122223333:user/ann", id);
        let [folder, owner, file] = key.split('/').collect::<Vec<_>>()[..] else { panic!("{key}") };
        assert_eq!((folder, file), ("uploads", "01JDJ3M6Q5X8Z7W2V4T9R0N1KB.zip"));
        assert!(owner.len() == 64 && owner.bytes().all(|b| b.is_ascii_hexdigit()), "{owner}");
        assert_ne!(key, upload_key("arn:aws:iam::111122223333:user/bob", id));
    }
}

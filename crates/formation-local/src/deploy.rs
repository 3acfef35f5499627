//! Deploys `infra/template.yaml` with CloudFormation, as `make deploy` does on AWS, but for a short
//! list of what local AWS cannot evaluate.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::error::LocalError;
use crate::project::Project;
use crate::stack::Stack;
use crate::{REGION, STACK_NAME};

/// The account of the root user of local AWS, whose access key is `test`.
const ACCOUNT_ID: &str = "000000000000";
const ROOT_KEY: &str = "test";
/// Where CloudFormation finds code, definitions, and the template, which is too large for a request.
const DEPLOYMENT_BUCKET: &str = "formation-deployment";

/// The packaged template, as AWS would get it.
pub const PACKAGED: &str = "packaged.json";
/// The packaged template, as local AWS gets it.
const ADAPTED: &str = "adapted.json";

/// Deploys the template to the local AWS at `endpoint_url`, within the boundary of
/// `examples/boundary.yaml`. `folder` gets the packaged template, `parameters` are parameters of the stack,
/// each `Name=value`: the last of a name counts.
///
/// # Errors
/// What is missing, or what CloudFormation refused.
pub async fn deploy(
    project: &Project,
    endpoint_url: &str,
    folder: &Path,
    parameters: &[&str],
) -> Result<Stack, LocalError> {
    let aws = Aws { project, endpoint_url };
    require_lambdas(project)?;

    aws.run(&["s3", "mb", &format!("s3://{DEPLOYMENT_BUCKET}")]).await?;
    let packaged = folder.join(PACKAGED);
    let adapted = folder.join(ADAPTED);
    let template = project.path("infra/template.yaml");
    aws.run(&[
        "cloudformation",
        "package",
        "--use-json",
        "--template-file",
        &template.display().to_string(),
        "--s3-bucket",
        DEPLOYMENT_BUCKET,
        "--output-template-file",
        &packaged.display().to_string(),
    ])
    .await?;

    let text = std::fs::read(&packaged).map_err(LocalError::file(&packaged))?;
    let template = adapt(serde_json::from_slice(&text)?);
    std::fs::write(&adapted, template.to_string()).map_err(LocalError::file(&adapted))?;

    let boundary = format!("FunctionBoundaryArn={}", aws.deploy_boundary().await?);

    // Local AWS runs Lambdas as processes of this machine.
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let deploy = [
        "cloudformation",
        "deploy",
        "--template-file",
        &adapted.display().to_string(),
        "--s3-bucket",
        DEPLOYMENT_BUCKET,
        "--stack-name",
        STACK_NAME,
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
        "--parameter-overrides",
        &format!("Architecture={architecture}"),
        &format!("DefaultArchitecture={architecture}"),
        "TableDeletionProtection=false",
        &boundary,
    ];
    aws.run(&[&deploy, parameters].concat()).await?;

    let described = aws.describe(STACK_NAME).await?;
    let output = |key: &str| output(&described, key);
    Ok(Stack {
        endpoint_url: endpoint_url.to_owned(),
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
        access_key_id: ROOT_KEY.to_owned(),
        secret_access_key: ROOT_KEY.to_owned(),
        api_url: output("ApiUrl")?,
        state_machine_arn: output("StateMachineArn")?,
        table_name: output("TableName")?,
        event_bus_name: output("EventBusName")?,
        artifact_bucket: output("ArtifactBucket")?,
        stack_name: STACK_NAME.to_owned(),
    })
}

/// Keys of conditions that local AWS never fills, so that an Allow with one of them always denies.
const UNKNOWN_KEYS: [&str; 4] =
    ["events:TargetArn", "events:detail-type", "events:source", "iam:PermissionsBoundary"];

/// Takes out of the packaged template what local AWS cannot evaluate. The template keeps it for
/// AWS, and a test says so.
///
/// - Conditions on keys that local AWS never fills, in statements that allow.
/// - The bucket policy that asks for TLS: local AWS has none.
///
/// And it puts in what local AWS judges by other names than AWS does:
///
/// - Every call of an alias but CreateAlias is one of `lambda:ListAliases` there.
/// - A version is deleted by the ARN of its function there.
/// - Every call that changes a function's URL is one of `lambda:CreateFunctionUrlConfig` there, and those about what
///   becomes of asynchronous calls are `lambda:GetFunction`, `lambda:UpdateFunctionCode` and `lambda:DeleteFunction`.
/// - Calls about rules have another ARN there, that of the event bus or none, and so no tags of the rule.
/// - Schedules are of the group `default` there, whatever their own.
///
/// And what it cannot derive: a condition that joins a list is always true there, so
/// that the default of `LayerArns`, an empty list, would not be taken for this account's own layers.
pub fn adapt(mut template: Value) -> Value {
    if let Some(resources) = template["Resources"].as_object_mut() {
        resources.remove("ArtifactBucketPolicy");
        resources.values_mut().for_each(remove_unknown_conditions);
        resources.values_mut().for_each(rename);
    }
    if let Some(default) = template.pointer_mut("/Parameters/LayerArns/Default") {
        *default = format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:layer:*").into();
    }
    template
}

/// Actions, and what each is called there.
const OTHER_NAMES: [(&str, &str); 7] = [
    ("lambda:GetAlias", "lambda:ListAliases"),
    ("lambda:UpdateAlias", "lambda:ListAliases"),
    ("lambda:DeleteFunctionUrlConfig", "lambda:CreateFunctionUrlConfig"),
    ("lambda:UpdateFunctionUrlConfig", "lambda:CreateFunctionUrlConfig"),
    ("lambda:GetFunctionEventInvokeConfig", "lambda:GetFunction"),
    ("lambda:PutFunctionEventInvokeConfig", "lambda:UpdateFunctionCode"),
    ("lambda:DeleteFunctionEventInvokeConfig", "lambda:DeleteFunction"),
];

fn remove_unknown_conditions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let allows = object.get("Effect").is_some_and(|effect| effect == "Allow");
            let condition = object.get_mut("Condition").and_then(Value::as_object_mut);
            if let Some(condition) = condition.filter(|_| allows) {
                for keys in condition.values_mut().filter_map(Value::as_object_mut) {
                    keys.retain(|key, _| !UNKNOWN_KEYS.contains(&key.as_str()));
                }
                condition.retain(|_, keys| keys.as_object().is_none_or(|keys| !keys.is_empty()));
            }
            object.values_mut().for_each(remove_unknown_conditions);
        }
        Value::Array(array) => array.iter_mut().for_each(remove_unknown_conditions),
        _ => {}
    }
}

/// What local AWS calls otherwise than AWS.
fn rename(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (action, other) in OTHER_NAMES {
                match object.get_mut("Action") {
                    Some(Value::Array(actions)) => {
                        let has = |it: &str| actions.iter().any(|action| action == it);
                        if has(action) && !has(other) {
                            actions.push(other.into());
                        }
                    }
                    Some(one) if *one == action => *one = json!([action, other]),
                    _ => {}
                }
            }
            if allows_about_rules(object) {
                object.insert("Resource".to_owned(), "*".into());
                let conditions = object.get_mut("Condition").and_then(Value::as_object_mut);
                for keys in conditions.into_iter().flat_map(|it| it.values_mut()) {
                    let keys = keys.as_object_mut();
                    keys.into_iter()
                        .for_each(|it| it.retain(|key, _| !key.contains("ResourceTag")));
                }
            }
            object.values_mut().for_each(rename);
        }
        Value::Array(array) => array.iter_mut().for_each(rename),
        Value::String(text) => {
            if let Some(function) = text.strip_suffix(":function:*:*") {
                *text = format!("{function}:function:*");
            }
            if let Some((before, _)) = text.split_once(":schedule/") {
                *text = format!("{before}:schedule/default/*");
            }
        }
        _ => {}
    }
}

/// Whether a statement allows something about rules of event buses.
fn allows_about_rules(statement: &Map<String, Value>) -> bool {
    if statement.get("Effect").is_none_or(|effect| effect != "Allow") {
        return false;
    }
    let resources = match statement.get("Resource") {
        Some(Value::Array(resources)) => resources.iter().collect(),
        one => Vec::from_iter(one),
    };
    let of_rules = |it: &&Value| it["Fn::Sub"].as_str().is_some_and(|it| it.contains(":rule/"));
    resources.iter().any(of_rules)
}

/// An output of a stack that was described.
fn output(described: &Value, key: &str) -> Result<String, LocalError> {
    let outputs = described["Stacks"][0]["Outputs"].as_array();
    let found = outputs.into_iter().flatten().find(|output| output["OutputKey"] == key);
    let value = found.and_then(|output| output["OutputValue"].as_str());
    value
        .map(str::to_owned)
        .ok_or_else(|| LocalError::Answer(format!("the stack has no output {key}")))
}

fn require_lambdas(project: &Project) -> Result<(), LocalError> {
    let lambdas = project.path("target/lambda");
    if lambdas.join("formation-api/bootstrap").is_file() {
        return Ok(());
    }
    Err(LocalError::Missing {
        what: lambdas.display().to_string(),
        remedy: "run `make build`, which builds the Lambdas",
    })
}

/// The AWS CLI, pointed at local AWS and blind to the user's own configuration.
struct Aws<'a> {
    project: &'a Project,
    endpoint_url: &'a str,
}

impl Aws<'_> {
    /// Deploys the example of a boundary, as a platform team would, and answers its policy's ARN.
    async fn deploy_boundary(&self) -> Result<String, LocalError> {
        let template = self.project.path("examples/boundary.yaml");
        let stack = "function-boundary";
        self.run(&[
            "cloudformation",
            "deploy",
            "--template-file",
            &template.display().to_string(),
            "--stack-name",
            stack,
            "--no-fail-on-empty-changeset",
            "--capabilities",
            "CAPABILITY_IAM",
        ])
        .await?;
        output(&self.describe(stack).await?, "FunctionBoundaryArn")
    }

    async fn describe(&self, stack: &str) -> Result<Value, LocalError> {
        let arguments = ["cloudformation", "describe-stacks", "--stack-name", stack];
        Ok(serde_json::from_slice(&self.run(&arguments).await?)?)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, LocalError> {
        let program = self.project.tool("aws")?;
        let output = Command::new(&program)
            .args(arguments)
            .env("AWS_ENDPOINT_URL", self.endpoint_url)
            .env("AWS_ACCESS_KEY_ID", ROOT_KEY)
            .env("AWS_SECRET_ACCESS_KEY", ROOT_KEY)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_REGION", REGION)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_PAGER", "")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(LocalError::file(&program))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let printed = [output.stdout, output.stderr].concat();
        Err(LocalError::Command {
            command: format!("aws {}", arguments.join(" ")),
            output: String::from_utf8_lossy(&printed).trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_local_aws_cannot_evaluate_is_taken_out_or_put_in() {
        let layers = |default: &str| json!({"LayerArns": {"Type": "T", "Default": default}});
        let template = json!({"Parameters": layers(""), "Resources": {
            "ArtifactBucketPolicy": {"Type": "AWS::S3::BucketPolicy"},
            "Role": {"Policies": [
                {"Effect": "Allow", "Condition": {"StringEquals": {
                    "iam:PermissionsBoundary": {"Ref": "B"}, "aws:RequestTag/formation:stack": "k"
                }}},
                {"Effect": "Allow", "Condition": {"Null": {"events:source": "false"}}},
                {"Effect": "Deny", "Condition": {"StringEquals": {"events:source": "formation"}}},
                {"Effect": "Allow", "Action": ["lambda:GetAlias"]},
                {"Effect": "Allow", "Action": "lambda:DeleteFunctionUrlConfig"},
                {"Effect": "Allow", "Resource": {"Fn::Sub": "arn:function:*:*"}},
                {"Effect": "Allow", "Resource": [{"Fn::Sub": "arn:rule/a*"}], "Condition": {
                    "StringEquals": {"aws:ResourceTag/t": "k", "aws:RequestTag/t": "k"}
                }},
                {"Effect": "Deny", "Resource": {"Fn::Sub": "arn:rule/b/*"}},
                {"Effect": "Allow", "Resource": {"Fn::Sub": "arn:schedule/a/*"}}
            ]}
        }});
        let own = "arn:aws:lambda:us-east-1:000000000000:layer:*";
        let expected = json!({"Parameters": layers(own), "Resources": {
            "Role": {"Policies": [
                {"Effect": "Allow", "Condition": {"StringEquals": {
                    "aws:RequestTag/formation:stack": "k"
                }}},
                {"Effect": "Allow", "Condition": {}},
                {"Effect": "Deny", "Condition": {"StringEquals": {"events:source": "formation"}}},
                {"Effect": "Allow", "Action": ["lambda:GetAlias", "lambda:ListAliases"]},
                {"Effect": "Allow", "Action": [
                    "lambda:DeleteFunctionUrlConfig", "lambda:CreateFunctionUrlConfig"
                ]},
                {"Effect": "Allow", "Resource": {"Fn::Sub": "arn:function:*"}},
                {"Effect": "Allow", "Resource": "*", "Condition": {
                    "StringEquals": {"aws:RequestTag/t": "k"}
                }},
                {"Effect": "Deny", "Resource": {"Fn::Sub": "arn:rule/b/*"}},
                {"Effect": "Allow", "Resource": {"Fn::Sub": "arn:schedule/default/*"}}
            ]}
        }});
        assert_eq!(adapt(template), expected);
    }
}

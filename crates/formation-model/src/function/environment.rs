//! Reading the environment of a function.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::function::{Environment, FunctionSpec};
use crate::names::log_group_name;
use crate::problem::{FieldProblemCode as Code, pointer};

/// Lambda counts the environment in its JSON form.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const ENVIRONMENT_BYTES: usize = 4096;

/// What a request of UpdateFunctionConfiguration may hold. AWS does not document it; Lambda says so
/// when it refuses one: <https://github.com/motdotla/node-lambda/issues/212>.
const CONFIGURATION_BYTES: usize = 5120;
/// The longest ARN of a role: `arn:aws-us-gov:iam::<12 digits>:role/` and 64 characters.
const ROLE_ARN_BYTES: usize = 103;

/// Environment variables that Lambda sets itself.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
const RESERVED_VARIABLES: [&str; 19] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Environment> {
    let before = fields.problems.len();
    let variables = fields.texts("environment")?;
    for (name, value) in &variables {
        let at = pointer("/environment", name);
        let mut characters = name.chars();
        let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic());
        let rest = characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if RESERVED_VARIABLES.contains(&name.as_str()) || name.starts_with('_') {
            fields.note(&at, Code::Reserved, "is set by Lambda itself; choose another name");
        } else if !(first && rest && name.len() >= 2) {
            let detail = "a variable's name has at least two letters, digits or `_` and begins \
                          with a letter";
            fields.note(&at, Code::InvalidFormat, detail);
        }
        if value.contains('\0') {
            let detail = "must not hold a NUL character: with it, no process can be started";
            fields.note(&at, Code::InvalidFormat, detail);
        }
    }
    let environment = Environment(variables);
    let bytes = serde_json::to_vec(&environment).map_or(0, |json| json.len());
    if bytes > ENVIRONMENT_BYTES {
        let detail = format!("has {bytes} bytes as JSON; Lambda allows {ENVIRONMENT_BYTES}");
        fields.note("/environment", Code::OutOfRange, detail);
    }
    (fields.problems.len() == before).then_some(environment)
}

/// Notes a problem if Lambda would take the configuration when the function is created, and refuse
/// it in every later change.
pub(crate) fn refuse_if_too_large_with_the_rest<Source>(
    fields: &mut Fields<'_>,
    request: &FunctionSpec<Source>,
) {
    let bytes = configuration(request).to_string().len();
    if bytes > CONFIGURATION_BYTES {
        let detail = format!(
            "environment and description make a configuration of {bytes} bytes; Lambda changes none \
             of more than {CONFIGURATION_BYTES}: shorten one of them"
        );
        fields.note("/environment", Code::OutOfRange, detail);
    }
}

/// The request that would set the whole configuration, with a role whose ARN is as long as can be.
fn configuration<Source>(request: &FunctionSpec<Source>) -> Value {
    json!({
        "Role": "x".repeat(ROLE_ARN_BYTES),
        "Handler": request.handler,
        "Description": request.description,
        "Timeout": request.timeout_seconds,
        "MemorySize": request.memory_megabytes,
        "Environment": {"Variables": request.environment},
        "Runtime": request.runtime,
        "LoggingConfig": {"LogGroup": log_group_name(&request.function_name)},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::read;
    use crate::request::tests::{DEFAULTS, hello_with, problems};

    #[test]
    fn reserved_and_malformed_variables_are_refused_without_their_values() {
        let body = hello_with(
            "environment",
            json!({"AWS_REGION": "s3cr3t", "_X": "s3cr3t", "A": "s3cr3t", "1A": "s3cr3t", "NUL": "s3cr3t\0"}),
        );
        let found = read(&body, &DEFAULTS, None).unwrap_err();
        let at: Vec<_> = found.iter().map(|problem| problem.pointer.as_str()).collect();
        let names =
            ["1A", "A", "AWS_REGION", "NUL", "_X"].map(|name| format!("/environment/{name}"));
        assert_eq!(at, names);
        assert!(found.iter().all(|problem| !problem.detail.contains("s3cr3t")));
    }

    #[test]
    fn names_that_only_newer_runtimes_set_are_reserved_too() {
        for name in
            ["AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN"]
        {
            let found = problems(hello_with("environment", json!({name: "x"})));
            assert_eq!(found, [(format!("/environment/{name}"), Code::Reserved)]);
        }
    }

    #[test]
    fn the_environment_is_limited_to_4096_bytes_of_json() {
        // {"KEY":""} has 10 bytes.
        let body = |length| hello_with("environment", json!({"KEY": "x".repeat(length)}));
        assert!(read(&body(4086), &DEFAULTS, None).is_ok());
        assert_eq!(problems(body(4087)), [("/environment".to_owned(), Code::OutOfRange)]);
    }

    #[test]
    fn an_environment_that_no_later_change_could_set_beside_its_description_is_refused() {
        let body = |description: &str| {
            let mut body = hello_with("environment", json!({"KEY": "x".repeat(4086)}));
            body["description"] = json!(description);
            body
        };
        assert!(read(&body(&"x".repeat(256)), &DEFAULTS, None).is_ok());
        // 256 characters, and 1,024 bytes.
        let found = read(&body(&"😀".repeat(256)), &DEFAULTS, None).unwrap_err();
        assert_eq!(
            (found[0].pointer.as_str(), &found[0].code),
            ("/environment", &Code::OutOfRange.into())
        );
        assert!(found[0].detail.contains("description"), "{}", found[0].detail);
        assert!(!found[0].detail.contains("xxx"), "{}", found[0].detail);
    }
}

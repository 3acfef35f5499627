//! The environment of a function and its description, which share a limit of Lambda's.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::configuration::{Configuration, ROW};
use super::logs::Logs;
use super::property::{Compared, Property};
use super::reader::Reader;
use crate::fields::Fields;
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

/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
const DESCRIPTION_LENGTH: usize = 256;

/// The environment of a function. Its values are secrets: they never show in `Debug` output.
#[derive(Clone, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

pub(super) const PROPERTIES: &[Property] = &[
    Property {
        name: "environment",
        compared: Compared::ByKeyHidden,
        schema: || {
            json!({
                "type": "object",
                "propertyNames": {"pattern": "^[a-zA-Z][a-zA-Z0-9_]+$"},
                "additionalProperties": {"type": "string"},
                "description": "At most 4 KB as JSON; none of the names that Lambda sets itself."
            })
        },
        example: || json!({"GREETING": "hello"}),
        read: |it| {
            if let Some(environment) = read(&mut it.fields) {
                it.draft.configuration.environment = environment;
            }
        },
        ..ROW
    },
    Property {
        name: "description",
        // A version has a description of its own, by which it is told whose it is.
        in_version: false,
        schema: || json!({"type": "string", "maxLength": DESCRIPTION_LENGTH, "default": ""}),
        example: || json!("Says hello."),
        read: read_description,
        ..ROW
    },
];

fn read(fields: &mut Fields<'_>) -> Option<Environment> {
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

fn read_description(it: &mut Reader<'_>) {
    let Some(description) = it.fields.text(it.name, "") else { return };
    if description.chars().count() > DESCRIPTION_LENGTH {
        let detail = format!("must not be longer than {DESCRIPTION_LENGTH} characters");
        return it.fields.note(it.at(), Code::OutOfRange, detail);
    }
    it.draft.configuration.description = description;
}

/// Notes a problem if Lambda would take the configuration when the function is created, and refuse
/// it in every later change.
pub(super) fn refuse_if_too_large_with_the_rest(it: &mut Reader<'_>) {
    let bytes = configuration_bytes(it);
    if bytes > CONFIGURATION_BYTES {
        let detail = format!(
            "{} make a configuration of {bytes} bytes; Lambda changes none of more than \
             {CONFIGURATION_BYTES}: shorten one of them",
            if it.draft.configuration.layers.is_empty() {
                "environment and description"
            } else {
                "environment, description and layers"
            },
        );
        it.fields.note("/environment", Code::OutOfRange, detail);
    }
}

/// Properties that other requests set.
const SENT_ELSEWHERE: [&str; 2] = ["architecture", "logRetentionDays"];
/// Properties that count only where they are not the default: a function that names none of them may be
/// changed as freely as before there were these.
const COUNTED_WHERE_NAMED: [&str; 4] =
    ["ephemeralStorageMegabytes", "layers", "logFormat", "tracing"];

/// The size of the request that would set the whole configuration, with a role whose ARN is as long as
/// can be. It is counted in the API's words, which are some bytes longer than Lambda's in all.
fn configuration_bytes(it: &Reader<'_>) -> usize {
    let draft = &it.draft;
    let role = json!({
        "Role": "x".repeat(ROLE_ARN_BYTES),
        "LoggingConfig": {"LogGroup": draft.function_name.as_ref().map(log_group_name)},
    });
    let size = |mut facet: Value, default: Value| {
        if let Some(values) = facet.as_object_mut() {
            values.retain(|name, value| {
                let is_unnamed = default.get(name) == Some(value)
                    && COUNTED_WHERE_NAMED.contains(&name.as_str());
                !SENT_ELSEWHERE.contains(&name.as_str()) && !is_unnamed
            });
        }
        facet.to_string().len()
    };
    size(json!(draft.configuration), json!(Configuration::default()))
        + size(json!(draft.logs), json!(Logs::default()))
        + role.to_string().len()
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

    #[test]
    fn what_the_first_release_took_beside_its_description_is_taken() {
        let mut body = hello_with("environment", json!({"KEY": "x".repeat(4080)}));
        body["description"] = json!("\u{6F22}".repeat(230));
        body["functionName"] = json!("hello");
        assert!(read(&body, &DEFAULTS, None).is_ok());
    }

    #[test]
    fn debug_output_of_an_environment_shows_no_value() {
        let environment = Environment(BTreeMap::from([("TOKEN".into(), "s3cr3t".into())]));
        let shown = format!("{environment:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("s3cr3t"), "{shown}");
    }
}

//! What GetFunction shows, in the fields of the API.

use std::collections::BTreeMap;

use formation_model::FunctionName;
use formation_model::function::property;
use serde_json::{Map, Value, json};

/// How a field is read from GetFunction's answer; null where it has none.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html>.
struct Row {
    name: &'static str,
    read: fn(&Value) -> Value,
}

const ROWS: &[Row] = &[
    Row { name: "runtime", read: |it| it["Configuration"]["Runtime"].clone() },
    Row { name: "handler", read: |it| it["Configuration"]["Handler"].clone() },
    Row { name: "architecture", read: architecture },
    Row { name: "memoryMegabytes", read: |it| it["Configuration"]["MemorySize"].clone() },
    Row { name: "timeoutSeconds", read: |it| it["Configuration"]["Timeout"].clone() },
    Row {
        name: "ephemeralStorageMegabytes",
        read: |it| it["Configuration"]["EphemeralStorage"]["Size"].clone(),
    },
    Row {
        name: "tracing",
        read: |it| match it["Configuration"]["TracingConfig"]["Mode"].as_str() {
            Some("Active") => json!("ACTIVE"),
            _ => Value::Null,
        },
    },
    Row { name: "layers", read: layers },
    Row {
        name: "reservedConcurrency",
        read: |it| it["Concurrency"]["ReservedConcurrentExecutions"].clone(),
    },
    Row { name: "logFormat", read: |it| upper(&it["Configuration"]["LoggingConfig"]["LogFormat"]) },
    Row { name: "applicationLogLevel", read: |it| level(it, "ApplicationLogLevel") },
    Row { name: "systemLogLevel", read: |it| level(it, "SystemLogLevel") },
    Row { name: "description", read: |it| it["Configuration"]["Description"].clone() },
    Row { name: "tags", read: tags },
];

/// Told even where they are as they would be anyway: whoever reads a manifest looks for them.
const ALWAYS: [&str; 5] =
    ["runtime", "handler", "architecture", "memoryMegabytes", "timeoutSeconds"];

/// The fields that a function has otherwise than by default, but for its environment.
pub(super) fn fields(function: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    for row in ROWS {
        let value = (row.read)(function);
        let default = property(row.name).map(|property| (property.schema)()["default"].clone());
        let is_default = default.as_ref() == Some(&value) && !ALWAYS.contains(&row.name);
        if !is_empty(&value) && !is_default {
            fields.insert(row.name.to_owned(), value);
        }
    }
    fields
}

/// By which variables a manifest takes the environment's values, and what is to be said of it. Lambda's own
/// names of variables are names of a shell's, too.
pub(super) fn variables(
    function: &Value,
    new: &FunctionName,
    taken: &dyn Fn(&str) -> bool,
) -> (BTreeMap<String, String>, Option<String>) {
    let environment = &function["Configuration"]["Environment"];
    let names = environment["Variables"].as_object().map(|it| it.keys().cloned().collect());
    let names: Vec<String> = names.unwrap_or_default();
    let prefix: String = new.as_str().to_ascii_uppercase().replace('-', "_");
    let prefix = match prefix.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("_{prefix}"),
        false => prefix,
    };
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for name in &names {
        let mut variable = name.clone();
        // Another's name, the function's own included, would be another's value.
        while taken(&variable)
            || (variable != *name && names.contains(&variable))
            || variables.values().any(|other| *other == variable)
        {
            variable = format!("{prefix}_{variable}");
        }
        variables.insert(name.clone(), variable);
    }
    let error = environment["Error"]["ErrorCode"].as_str();
    let unread =
        error.map(|code| format!("environment: Lambda cannot decrypt it for you ({code})"));
    (variables, unread)
}

/// What is not told by a field, and not worth telling: what Lambda derives, or says of the moment.
const DERIVED: [&str; 22] = [
    "CodeSha256",
    "CodeSize",
    "ConfigSha256",
    "Environment",
    "FunctionArn",
    "FunctionName",
    "LastModified",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "LoggingConfig",
    "MasterArn",
    "PackageType",
    "RevisionId",
    "Role",
    "RuntimeVersionConfig",
    "SigningJobArn",
    "SigningProfileVersionArn",
    "State",
    "StateReason",
    "StateReasonCode",
    "Version",
];

/// What is told by fields.
const TOLD: [&str; 9] = [
    "Architectures",
    "Description",
    "EphemeralStorage",
    "Handler",
    "Layers",
    "MemorySize",
    "Runtime",
    "Timeout",
    "TracingConfig",
];

/// What of a configuration no manifest can hold, and what to do about it.
pub(super) fn beyond(function: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, value) in function["Configuration"].as_object().into_iter().flatten() {
        if DERIVED.contains(&name.as_str()) || TOLD.contains(&name.as_str()) || is_empty(value) {
            continue;
        }
        let told =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        notes.extend(match name.as_str() {
            "VpcConfig" if is_empty(&value["SubnetIds"]) && told("/VpcId").is_empty() => None,
            "VpcConfig" => Some(format!(
                "VPC {}: Formation's functions are not in a VPC, so the new one cannot reach what is reached only from there",
                told("/VpcId")
            )),
            "KMSKeyArn" => Some(format!("KMS key {value} of the environment: Lambda's own key encrypts that of the new function")),
            "DeadLetterConfig" => Some(format!("dead-letter target {}: the new function has no dead-letter target", told("/TargetArn"))),
            "FileSystemConfigs" => Some("file systems: the new function mounts no file system".to_owned()),
            "SnapStart" if told("/ApplyOn") == "None" => None,
            "SnapStart" => Some("SnapStart: it is off for the new function".to_owned()),
            "DurableConfig" => Some("durable execution: the new function is not durable".to_owned()),
            name => Some(format!("{name}: Formation has no field for it ({value})")),
        });
    }
    let group = function["Configuration"]["LoggingConfig"]["LogGroup"].as_str().unwrap_or_default();
    let name = function["Configuration"]["FunctionName"].as_str().unwrap_or_default();
    if !group.is_empty() && group != format!("/aws/lambda/{name}") {
        notes.push(format!(
            "log group {group}: a function has one of its own, /aws/lambda/ and its name"
        ));
    }
    let runtime = function["Configuration"]["RuntimeVersionConfig"]["RuntimeVersionArn"].as_str();
    if function["Configuration"]["Runtime"].is_null() && runtime.is_none() {
        notes.push("runtime: Lambda does not tell which".to_owned());
    }
    notes
}

/// Whether a value is what AWS and its imitations show for none.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(set) => !set,
        Value::Number(_) => false,
    }
}

/// Where Lambda shows none, it is the one that there was first.
fn architecture(function: &Value) -> Value {
    match &function["Configuration"]["Architectures"][0] {
        Value::Null => json!("x86_64"),
        shown => shown.clone(),
    }
}

fn layers(function: &Value) -> Value {
    let layers = function["Configuration"]["Layers"].as_array().into_iter().flatten();
    layers.map(|layer| layer["Arn"].clone()).collect()
}

fn upper(text: &Value) -> Value {
    text.as_str().map_or(Value::Null, |text| Value::from(text.to_ascii_uppercase()))
}

/// Levels are kept with the format JSON alone.
fn level(function: &Value, name: &str) -> Value {
    let logging = &function["Configuration"]["LoggingConfig"];
    match upper(&logging["LogFormat"]) == "JSON" {
        true => logging[name].clone(),
        false => Value::Null,
    }
}

/// The user's own.
fn tags(function: &Value) -> Value {
    let tags = function["Tags"].as_object().into_iter().flatten();
    let own = tags.filter(|(key, _)| {
        let key = key.to_ascii_lowercase();
        !key.starts_with("aws:") && !key.starts_with("formation:")
    });
    Value::Object(own.map(|(key, value)| (key.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use formation_model::function::properties;

    use super::*;

    #[test]
    fn no_two_variables_are_one() {
        let names = json!({"HOME": "", "NEW_HOME": "", "NEW_NEW_HOME": "", "A": ""});
        let function = json!({"Configuration": {"Environment": {"Variables": names}}});
        let taken = |name: &str| name == "HOME";
        let (variables, _) = variables(&function, &"new".parse().unwrap(), &taken);
        let different: std::collections::BTreeSet<_> = variables.values().collect();
        assert_eq!((variables.len(), different.len()), (4, 4), "{variables:?}");
        assert_eq!(variables["A"], "A");
        assert_ne!(variables["HOME"], "HOME");
    }

    #[test]
    fn every_property_that_aws_has_is_read() {
        // By rows, by a call or by more than one value. Schedules and rules name what they call, and no call tells
        // of a function which do.
        let elsewhere = [
            "code",
            "environment",
            "functionName",
            "logRetentionDays",
            "policyStatements",
            "functionUrl",
            "invokers",
            "schedules",
            "eventRules",
            "eventSources",
            "asyncRetries",
            "asyncMaximumAgeSeconds",
            "onFailureArn",
        ];
        let in_aws = properties().filter(|property| property.in_aws).map(|property| property.name);
        for name in in_aws.filter(|name| !elsewhere.contains(name)) {
            assert!(ROWS.iter().any(|row| row.name == name), "{name}");
        }
    }
}

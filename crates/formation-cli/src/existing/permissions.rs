//! A role's policies as `policyStatements`.

use formation_model::PolicyStatement;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::role::Policy;

/// What every function of Formation's may do anyway, with its own log group.
const LOG_WRITING: [&str; 3] = ["logs:createloggroup", "logs:createlogstream", "logs:putlogevents"];
/// What a function that is traced may do anyway.
const TRACING: [&str; 2] = ["xray:puttelemetryrecords", "xray:puttracesegments"];

/// What a function has, so that it need not be asked for.
pub(super) struct Kept {
    is_traced: bool,
    log_group: String,
}

impl Kept {
    pub fn of(function: &Value) -> Self {
        let configuration = &function["Configuration"];
        let group =
            configuration["LoggingConfig"]["LogGroup"].as_str().filter(|group| !group.is_empty());
        let name = configuration["FunctionName"].as_str().unwrap_or_default();
        Self {
            is_traced: configuration["TracingConfig"]["Mode"] == "Active",
            log_group: group.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned),
        }
    }
}

/// What of policies can be asked for, and what cannot.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub statements: Vec<PolicyStatement>,
    pub notes: Vec<String>,
}

/// Reads policies in their order.
pub(super) fn of(policies: &[Policy], kept: &Kept) -> Read {
    let mut read = Read::default();
    for Policy { name, document } in policies {
        let Some(document) = parsed(document) else {
            read.notes.push(format!("policy {name}: its document cannot be read"));
            continue;
        };
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.as_slice(),
            one => std::slice::from_ref(one),
        };
        for statement in statements {
            match statement_of(statement, kept) {
                Ok(Some(statement)) if read.statements.contains(&statement) => {}
                Ok(statement) => read.statements.extend(statement),
                Err(why) => {
                    let sid = statement["Sid"].as_str().filter(|sid| !sid.is_empty());
                    let which = sid.map_or_else(
                        || "a statement".to_owned(),
                        |sid| format!("the statement {sid}"),
                    );
                    read.notes.push(format!("policy {name}: {which} is left out, {why}"));
                }
            }
        }
    }
    read
}

/// IAM answers documents percent-encoded.
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>.
fn parsed(document: &str) -> Option<Value> {
    let text = match document.trim_start().starts_with('{') {
        true => document.to_owned(),
        false => percent_decode_str(document).decode_utf8().ok()?.into_owned(),
    };
    serde_json::from_str(&text).ok().filter(Value::is_object)
}

/// The statement in a function's words; none where it allows nothing that the function does not have
/// anyway.
///
/// # Errors
/// Why a function cannot have it.
fn statement_of(statement: &Value, kept: &Kept) -> Result<Option<PolicyStatement>, String> {
    if !statement.is_object() {
        return Err("since it is not an object".to_owned());
    }
    if statement["Effect"] != "Allow" {
        let why = "since it denies, and a function's statements always allow: the new function may do more than the \
                   old one";
        return Err(why.to_owned());
    }
    for (name, instead) in [("NotAction", "actions"), ("NotResource", "resources")] {
        if !statement[name].is_null() {
            return Err(format!("since it has {name}: name in {instead} what is to be allowed"));
        }
    }
    let (actions, resources) = (texts(&statement["Action"]), texts(&statement["Resource"]));
    let (Some(mut actions), Some(resources)) = (actions, resources) else {
        return Err("since it has no Action or no Resource".to_owned());
    };
    let conditions = match &statement["Condition"] {
        Value::Null => Default::default(),
        conditions => serde_json::from_value(conditions.clone())
            .map_err(|_| "since its Condition is not {operator: {key: value}}".to_owned())?,
    };
    actions.retain(|action| {
        let action = action.to_ascii_lowercase();
        let is_logging = LOG_WRITING.contains(&action.as_str())
            && resources.iter().all(|resource| is_of_own_log(resource, &kept.log_group));
        let is_tracing = kept.is_traced && TRACING.contains(&action.as_str());
        !is_logging && !is_tracing
    });
    Ok((!actions.is_empty()).then_some(PolicyStatement { actions, resources, conditions }))
}

/// Whether a resource is the function's own log group, or all that there are.
fn is_of_own_log(resource: &str, log_group: &str) -> bool {
    let Some(name) = resource.splitn(6, ':').nth(5) else { return resource == "*" };
    let Some(group) = name.strip_prefix("log-group:") else { return name == "*" };
    let group = group.strip_suffix(":log-stream:*").or(group.strip_suffix(":*")).unwrap_or(group);
    group == log_group || group == "/aws/lambda/*" || group == "*"
}

/// A text or a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    let texts: Option<Vec<String>> = match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    texts.filter(|texts| !texts.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(statements: Value, is_traced: bool) -> (Value, Vec<String>) {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let encoded: String = document.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let kept = Kept { is_traced, log_group: "/aws/lambda/old".to_owned() };
        let read = |document| of(&[Policy { name: "p".to_owned(), document }], &kept);
        let (one, other) = (read(document), read(encoded));
        assert_eq!((&one.statements, &one.notes), (&other.statements, &other.notes));
        (json!(one.statements), one.notes)
    }

    #[test]
    fn what_is_allowed_is_taken_over_in_the_words_of_a_function() {
        let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/t";
        let (statements, notes) = read(
            json!([
                {"Sid": "A", "Effect": "Allow", "Action": "dynamodb:*", "Resource": [table, format!("{table}/index/*")]},
                {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::b/${aws:username}",
                 "Condition": {"Bool": {"aws:SecureTransport": true}, "StringLike": {"s3:prefix": ["a", "b"]}}},
                {"Effect": "Allow", "Action": "dynamodb:*", "Resource": [table, format!("{table}/index/*")]},
            ]),
            false,
        );
        assert_eq!(notes, Vec::<String>::new());
        let expected = json!([
            {"actions": ["dynamodb:*"], "resources": [table, format!("{table}/index/*")]},
            {"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::b/${aws:username}"],
             "conditions": {"Bool": {"aws:SecureTransport": true}, "StringLike": {"s3:prefix": ["a", "b"]}}},
        ]);
        assert_eq!(statements, expected);
        let one = read(json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}), false).0;
        assert_eq!(one, json!([{"actions": ["sqs:*"], "resources": ["*"]}]));
    }

    #[test]
    fn what_every_function_has_is_dropped_and_no_more() {
        let logs = |actions: Value, resource: &str| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
        let writing = json!(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]);
        let all = "arn:aws:logs:eu-west-1:111122223333:*";
        let own = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/old:*";
        let other = "arn:aws:logs:eu-west-1:111122223333:log-group:/shop/audit:*";
        for resource in ["*", all, own, "arn:aws:logs:*:*:log-group:/aws/lambda/*:*"] {
            assert_eq!(
                read(json!([logs(writing.clone(), resource)]), false).0,
                json!([]),
                "{resource}"
            );
        }
        let kept = read(json!([logs(writing, other)]), false).0;
        assert_eq!(kept[0]["resources"], json!([other]));
        let mixed =
            read(json!([logs(json!(["logs:PutLogEvents", "logs:GetLogEvents"]), "*")]), false).0;
        assert_eq!(mixed, json!([{"actions": ["logs:GetLogEvents"], "resources": ["*"]}]));
        assert_eq!(
            read(json!([logs(json!("logs:*"), "*")]), false).0[0]["actions"],
            json!(["logs:*"])
        );
        let traces =
            json!([logs(json!(["xray:PutTraceSegments", "xray:PutTelemetryRecords"]), "*")]);
        assert_eq!(read(traces.clone(), true).0, json!([]));
        assert_eq!(read(traces, false).0.as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_no_function_can_have_is_told() {
        let (statements, notes) = read(
            json!([
                {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
                {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::b"},
                {"Effect": "Allow", "Action": [], "Resource": "*"},
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": "x"},
                "nonsense",
            ]),
            false,
        );
        assert_eq!(statements, json!([]));
        let all = notes.join("\n");
        for told in [
            "the statement No is left out, since it denies",
            "the new function may do more than the old one",
            "NotAction",
            "NotResource",
            "no Action",
            "Condition",
            "since it is not an object",
        ] {
            assert!(all.contains(told), "{told}: {all}");
        }
        assert_eq!(notes.len(), 6);
        let kept = Kept { is_traced: false, log_group: String::new() };
        for document in ["", "{", "%7B", "[]", "%ff", "null"] {
            let broken =
                of(&[Policy { name: "p".to_owned(), document: document.to_owned() }], &kept);
            assert_eq!(broken.notes, ["policy p: its document cannot be read"], "{document}");
        }
    }
}

//! What a function may do besides writing its log: statements of a policy of its role.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::configuration::ROW;
use super::property::{Compared, Property};
use super::reader::Reader;
use crate::fields::kept;
use crate::part::Facet;
use crate::problem::{FieldProblem, FieldProblemCode as Code, pointer};

/// What a function may do besides writing its log.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Permissions {
    /// What its role allows, within the stack's permissions boundary.
    pub policy_statements: Vec<PolicyStatement>,
}

/// A statement of a policy, which always allows.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyStatement {
    /// `service:Action`, with `*` and `?`.
    pub actions: Vec<String>,
    /// ARNs, with `*` and `?`, or `*` for all.
    pub resources: Vec<String>,
    /// When it holds, in IAM's shape: `{operator: {key: value or [values]}}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, BTreeMap<String, Value>>,
}

impl PolicyStatement {
    /// The statement as IAM spells it.
    pub fn to_iam(&self) -> Value {
        let Self { actions, resources, conditions } = self;
        let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        if !conditions.is_empty() {
            statement["Condition"] = json!(conditions);
        }
        statement
    }

    /// What IAM shows, in the words of a function; as it is where Formation would not have written it.
    pub fn from_iam(statement: &Value) -> Value {
        let texts = |name: &str| serde_json::from_value(statement[name].clone()).ok();
        let conditions = match &statement["Condition"] {
            Value::Null => Some(BTreeMap::new()),
            conditions => serde_json::from_value(conditions.clone()).ok(),
        };
        match (texts("Action"), texts("Resource"), conditions) {
            (Some(actions), Some(resources), Some(conditions)) => {
                let read = Self { actions, resources, conditions };
                if read.to_iam() == *statement { json!(read) } else { statement.clone() }
            }
            _ => statement.clone(),
        }
    }
}

/// Characters of statements as IAM counts them: without white space between what they are made of.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
pub fn characters(statements: &[PolicyStatement]) -> usize {
    let texts = statements.iter().map(|statement| statement.to_iam().to_string());
    let counted = texts.map(|text| 1 + text.chars().count());
    counted.sum::<usize>().saturating_sub(1)
}

/// What `policyStatements` can have at the most: see [`super::Defaults::policy_characters`].
pub const MOST_CHARACTERS: usize = 3000;

/// An action: `*`, or `service:Action` with `*` and `?` behind the colon.
const ACTION: &str = r"^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$";
/// A resource: `*`, or an ARN of six parts.
const RESOURCE: &str =
    r"^(\*|arn:[A-Za-z0-9*?-]+:[A-Za-z0-9-]+:[A-Za-z0-9*?-]*:[A-Za-z0-9*?-]*:[ -\u00ff]+)$";

/// Operators of conditions, but for `Null`.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.
const OPERATORS: [&str; 26] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
];

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "policyStatements",
    facets: &[Facet::Role],
    compared: Compared::ByItem,
    schema: || {
        let texts = |pattern: &str| json!({"type": "array", "minItems": 1, "items": {"type": "string", "pattern": pattern}});
        let value = json!({"type": ["string", "boolean", "number"]});
        let values = json!({"type": "array", "minItems": 1, "items": value});
        let keys = json!({"type": "object", "minProperties": 1, "additionalProperties": {
            "anyOf": [value, values]
        }});
        json!({
            "type": "array", "default": [],
            "items": {
                "type": "object",
                "properties": {
                    "actions": texts(ACTION),
                    "resources": texts(RESOURCE),
                    "conditions": {
                        "type": "object", "additionalProperties": keys,
                        "description": "In IAM's shape: {operator: {key: value or [values]}}."
                    }
                },
                "required": ["actions", "resources"],
                "additionalProperties": false
            },
            "description": "What the function may do besides writing its log: statements that allow, \
                            within the policy that the stack's parameter FunctionBoundaryArn names. \
                            3,000 characters in all as IAM counts them, fewer where the stack's names \
                            are long."
        })
    },
    example: || {
        json!([{
            "actions": ["dynamodb:PutItem"],
            "resources": ["arn:aws:dynamodb:us-east-1:123456789012:table/example"]
        }])
    },
    read: |it| {
        if let Some(statements) = read(it) {
            it.draft.permissions.policy_statements = statements;
        }
    },
    ..ROW
}];

fn read(it: &mut Reader<'_>) -> Option<Vec<PolicyStatement>> {
    let value = match it.fields.take(it.name) {
        None => return Some(Vec::new()),
        Some(value @ Value::Array(_)) => value,
        Some(_) => {
            let detail = "must be a list of statements; leave it out for none";
            return it.fields.refuse(it.at(), Code::WrongType, detail);
        }
    };
    let most = it.defaults.policy_characters.unwrap_or(MOST_CHARACTERS);
    // What is far too long is not looked at: its problems alone would be long.
    if value.to_string().len() > 10 * MOST_CHARACTERS {
        return it.fields.refuse(it.at(), Code::OutOfRange, too_long(most));
    }
    let mut statements = Vec::new();
    let mut problems = Vec::new();
    for (index, statement) in value.as_array().into_iter().flatten().enumerate() {
        let at = format!("{}/{index}", it.at());
        statements.push(Checked { at, problems: &mut problems }.statement(statement));
    }
    let valid = problems.is_empty();
    problems.into_iter().for_each(|problem| it.fields.problems.push(problem));
    if !valid {
        return None;
    }
    // What a function has, it keeps, whatever has become of the stack since.
    let has = it.current.map(|current| &current.permissions.policy_statements);
    if has == Some(&statements) {
        return Some(statements);
    }
    let is_new = |statement| has.is_none_or(|has| !has.contains(statement));
    if it.defaults.policy_characters.is_none() && statements.iter().any(is_new) {
        let detail = "the stack has no FunctionBoundaryArn, so its functions may write their logs and \
                      no more; whoever deploys the stack can name a policy there";
        return it.fields.refuse(it.at(), Code::NotSupported, detail);
    }
    if characters(&statements) > most {
        return it.fields.refuse(it.at(), Code::OutOfRange, too_long(most));
    }
    Some(statements)
}

fn too_long(most: usize) -> String {
    format!("must not be more than {most} characters in all, as IAM counts them, with their keys")
}

/// What IAM calls a member, and what to do about it.
const NOT_TAKEN: [(&str, &str); 8] = [
    ("sid", "is not taken: statements are known by their place; leave it out"),
    ("effect", "is not taken: a statement always allows; leave it out"),
    ("notaction", "is not taken: name in actions what is to be allowed"),
    ("notresource", "is not taken: name in resources what is to be allowed"),
    ("principal", "is not taken: the statement is the function's own role's; leave it out"),
    ("notprincipal", "is not taken: the statement is the function's own role's; leave it out"),
    ("action", "is called actions here, a list of strings"),
    ("resource", "is called resources here, a list of strings"),
];

/// Reads a statement, and notes what is wrong with it.
struct Checked<'a> {
    /// Where it is: a JSON pointer.
    at: String,
    problems: &'a mut Vec<FieldProblem>,
}

impl Checked<'_> {
    fn note(&mut self, at: impl Into<String>, code: Code, detail: impl Into<String>) {
        self.problems.push(FieldProblem::new(at, code, detail));
    }

    fn statement(mut self, statement: &Value) -> PolicyStatement {
        let Value::Object(members) = statement else {
            self.note(self.at.clone(), Code::WrongType, "must be an object: actions, resources");
            return PolicyStatement::default();
        };
        for name in members.keys() {
            if ["actions", "resources", "conditions"].contains(&name.as_str()) {
                continue;
            }
            let lower = name.to_ascii_lowercase();
            let known = NOT_TAKEN.iter().find(|(known, _)| *known == lower);
            match known {
                Some((_, told)) => {
                    self.note(pointer(&self.at, name), Code::UnknownField, *told);
                }
                None => self.problems.push(FieldProblem::unknown_field(&self.at, name)),
            }
        }
        PolicyStatement {
            actions: self.texts(members, "actions", action),
            resources: self.texts(members, "resources", resource),
            conditions: self.conditions(members),
        }
    }

    fn texts(
        &mut self,
        members: &Map<String, Value>,
        name: &str,
        check: fn(&str) -> Result<(), String>,
    ) -> Vec<String> {
        let at = format!("{}/{name}", self.at);
        let values = match members.get(name) {
            Some(Value::Array(values)) if !values.is_empty() => values,
            Some(Value::Array(_)) => {
                self.note(at, Code::OutOfRange, "must not be empty");
                return Vec::new();
            }
            Some(_) => {
                self.note(at, Code::WrongType, "must be a list of strings");
                return Vec::new();
            }
            None => {
                self.note(at, Code::Required, "must be given");
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let at = format!("{at}/{index}");
            match value.as_str().map(|text| (text, check(text))) {
                Some((text, Ok(()))) => texts.push(text.to_owned()),
                Some((_, Err(detail))) => self.note(at, Code::InvalidFormat, detail),
                None => self.note(at, Code::WrongType, "must be a string"),
            }
        }
        texts
    }

    fn conditions(
        &mut self,
        members: &Map<String, Value>,
    ) -> BTreeMap<String, BTreeMap<String, Value>> {
        const SHAPE: &str = "must be an object: {operator: {key: value or [values]}}";
        let at = format!("{}/conditions", self.at);
        let mut conditions = BTreeMap::new();
        let operators = match members.get("conditions") {
            None => return conditions,
            Some(Value::Object(operators)) => operators,
            Some(_) => {
                self.note(at, Code::WrongType, SHAPE);
                return conditions;
            }
        };
        for (operator, keys) in operators {
            let at = pointer(&at, operator);
            if !is_operator(operator) {
                let detail = "is not an operator of IAM's conditions, such as StringEquals, \
                              ForAnyValue:StringLike, ArnLikeIfExists; check its spelling and case";
                self.note(at, Code::NotSupported, detail);
                continue;
            }
            let Value::Object(keys) = keys else {
                self.note(at, Code::WrongType, "must be an object: {key: value or [values]}");
                continue;
            };
            if keys.is_empty() {
                self.note(at, Code::OutOfRange, "must not be empty");
                continue;
            }
            let keys = keys.iter().map(|(key, value)| (key.clone(), self.key(&at, key, value)));
            conditions.insert(operator.clone(), keys.collect());
        }
        conditions
    }

    /// What a key of a condition is to have.
    fn key(&mut self, at: &str, key: &str, value: &Value) -> Value {
        let at = pointer(at, key);
        let named = key.split_once(':').is_some_and(|(prefix, name)| {
            !prefix.is_empty() && !name.is_empty() && key.chars().all(is_of_policies)
        });
        if !named {
            let detail = "is not a key of IAM's conditions, such as aws:SourceAccount or s3:prefix";
            self.note(at.clone(), Code::InvalidFormat, detail);
        }
        match value {
            Value::Array(values) if values.is_empty() => {
                self.note(at, Code::OutOfRange, "must not be empty");
                Value::Null
            }
            Value::Array(values) => {
                let values = values.iter().enumerate();
                values.map(|(index, value)| self.value(format!("{at}/{index}"), value)).collect()
            }
            value => self.value(at, value),
        }
    }

    fn value(&mut self, at: String, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                if let Err(detail) = text_of_policy(text) {
                    self.note(at, Code::InvalidFormat, detail);
                }
                value.clone()
            }
            Value::Bool(_) => value.clone(),
            Value::Number(number) => kept(number).unwrap_or_else(|| {
                let detail = "cannot be kept as this number; give it as a string";
                self.note(at, Code::OutOfRange, detail);
                Value::Null
            }),
            _ => {
                self.note(at, Code::WrongType, "must be a string, true, false or a number");
                Value::Null
            }
        }
    }
}

fn is_operator(name: &str) -> bool {
    let set = ["ForAllValues:", "ForAnyValue:"];
    let name = set.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    name == "Null" || OPERATORS.contains(&name.strip_suffix("IfExists").unwrap_or(name))
}

/// Whether a policy may hold it.
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>.
fn is_of_policies(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{ff}')
}

fn action(text: &str) -> Result<(), String> {
    let fits = text == "*"
        || text.split_once(':').is_some_and(|(service, action)| {
            let of = |text: &str, more: &str| {
                let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
                !text.is_empty() && text.chars().all(fits)
            };
            of(service, "-") && of(action, "*?")
        });
    let told =
        "must be service:Action, such as dynamodb:PutItem, with * and ? behind the colon; or *";
    if fits { Ok(()) } else { Err(told.to_owned()) }
}

fn resource(text: &str) -> Result<(), String> {
    if text == "*" {
        return Ok(());
    }
    let of = |text: &str, more: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let fits = match parts[..] {
        ["arn", partition, service, region, account, resource] => {
            !(partition.is_empty() || service.is_empty() || resource.is_empty())
                && of(service, "-")
                && [partition, region, account].iter().all(|part| of(part, "-*?"))
        }
        _ => false,
    };
    if !fits {
        let told = "must be *, or an ARN: arn:<partition>:<service>:<region>:<account>:<resource>, \
                    with * and ? anywhere but in the service";
        return Err(told.to_owned());
    }
    text_of_policy(text)
}

/// What a policy can hold. Of variables those that AWS fills for every request.
fn text_of_policy(text: &str) -> Result<(), String> {
    if !text.chars().all(is_of_policies) {
        return Err("has characters that IAM does not take in policies".to_owned());
    }
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("${") {
        match behind.split_once('}') {
            Some((name, behind)) if name.starts_with("aws:") => rest = behind,
            _ => {
                let told = "has a variable that is not one of ${aws:...}, or does not end in }";
                return Err(told.to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

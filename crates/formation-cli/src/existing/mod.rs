//! A function that exists in AWS and that Formation did not make, as a manifest would have it, and what of
//! it no manifest can hold.

mod around;
mod configuration;
mod permissions;
mod role;
mod triggers;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use formation_model::function::TriggerLimits;
use formation_model::function::permissions::MOST_CHARACTERS;
use formation_model::names::STACK_TAG;
use formation_model::{Defaults, FieldProblem, FunctionName, request};
use serde_json::{Map, Value, json};

use crate::aws::{Aws, AwsError};
use crate::failure::Failure;
use crate::manifest::write::escaped;
use crate::output::bare;

/// The SHA-256 of nothing.
const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// What of a function that exists was found out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Existing {
    /// Its ARN.
    pub arn: String,
    /// The API's fields but name and code, as they stand in a manifest: no value of an environment variable
    /// is among them.
    pub fields: Map<String, Value>,
    /// The variables that a manifest takes the values of its environment from, by the names that the function
    /// knows them by.
    pub variables: BTreeMap<String, String>,
    /// What a manifest cannot hold, or has otherwise.
    pub notes: Vec<String>,
}

/// A function that exists, and where its code is.
pub struct Found {
    /// The function.
    pub existing: Existing,
    /// A link to its code for some minutes, which is a secret.
    pub code_location: Option<String>,
    /// The SHA-256 of its code in base64.
    pub code_sha256: Option<String>,
}

/// Finds out what a function has, by calls that change nothing. Its variables are taken from others where
/// `taken` says that the command's own environment has one of that name, for another purpose.
///
/// # Errors
/// That there is no such function, that it is Formation's or none that Formation can have, or that AWS does
/// not tell. That a part is not told is a note.
pub async fn find(
    aws: &Aws,
    name: &FunctionName,
    new: &FunctionName,
    taken: &dyn Fn(&str) -> bool,
) -> Result<Found, Failure> {
    let function = aws.get("lambda", &format!("/2015-03-31/functions/{name}")).await;
    let function = function.map_err(|error| refused(aws, name, &error))?;
    if let Some(why) = not_to_be_had(name, &function) {
        return Err(Failure::Refused(why));
    }
    let mut notes = configuration::beyond(&function);
    // Whose tags cannot be read may be Formation's own.
    if let Some(code) = function["TagsError"]["ErrorCode"].as_str() {
        notes.push(format!(
            "tags: not known ({code}: is lambda:ListTags allowed to you?), and so not whether Formation made the \
             function: `formation get {name}` tells"
        ));
    }
    let role = function["Configuration"]["Role"].as_str().unwrap_or_default();
    let mut reading = Reading { aws, notes: Vec::new(), fields: Map::new() };
    let retention = around::log_retention(&mut reading, name, &function).await?;
    let policies = role::policies(&mut reading, role).await?;
    around::attached(&mut reading, name).await?;
    notes.append(&mut reading.notes);
    let text = |pointer: &str| function.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut existing = existing(&function, retention, &policies, reading.fields, new, taken);
    existing.arn = text("/Configuration/FunctionArn").unwrap_or_default();
    notes.append(&mut existing.notes);
    existing.notes = notes;
    Ok(Found {
        existing: with_problems(existing, new),
        code_location: text("/Code/Location"),
        code_sha256: text("/Configuration/CodeSha256"),
    })
}

/// What a manifest can hold of it.
fn existing(
    function: &Value,
    retention: Option<Value>,
    policies: &[role::Policy],
    around: Map<String, Value>,
    new: &FunctionName,
    taken: &dyn Fn(&str) -> bool,
) -> Existing {
    let mut fields = configuration::fields(function);
    if let Some(days) = retention {
        fields.insert("logRetentionDays".to_owned(), days);
    }
    let kept = permissions::of(policies, &permissions::Kept::of(function));
    let mut notes = kept.notes;
    if !kept.statements.is_empty() {
        fields.insert("policyStatements".to_owned(), json!(kept.statements));
    }
    fields.extend(around);
    // What AWS has stands there as it is, and is not read as variables.
    fields.values_mut().for_each(escape);
    let (variables, unread) = configuration::variables(function, new, taken);
    notes.extend(unread);
    if !variables.is_empty() {
        let values = variables
            .iter()
            .map(|(name, variable)| (name.clone(), Value::from(format!("${{{variable}}}"))));
        fields.insert("environment".to_owned(), Value::Object(values.collect()));
    }
    Existing { arn: String::new(), fields, variables, notes }
}

/// The same with notes of what the API will refuse; a statement that it could not read is left out.
fn with_problems(mut existing: Existing, new: &FunctionName) -> Existing {
    let of_statement = |problem: &FieldProblem| {
        let index = problem.pointer.strip_prefix("/policyStatements/")?;
        index.split('/').next()?.parse::<usize>().ok()
    };
    let unreadable: BTreeMap<usize, String> = problems(&existing, new)
        .into_iter()
        .filter_map(|problem| Some((of_statement(&problem)?, problem.detail)))
        .collect();
    if let Some(Value::Array(statements)) = existing.fields.remove("policyStatements") {
        let mut kept = Vec::new();
        for (index, statement) in statements.into_iter().enumerate() {
            match unreadable.get(&index) {
                Some(why) => {
                    existing.notes.push(format!(
                        "a statement is left out, something in it {why}: {statement}"
                    ));
                }
                None => kept.push(statement),
            }
        }
        if !kept.is_empty() {
            existing.fields.insert("policyStatements".to_owned(), Value::Array(kept));
        }
    }
    for FieldProblem { pointer, detail, .. } in problems(&existing, new) {
        let field = pointer.trim_start_matches('/');
        existing.notes.push(format!("{field}: {detail}; the API will refuse it as it is"));
    }
    // They come from elsewhere, and stand in comments and on terminals.
    existing.notes.iter_mut().for_each(|note| *note = bare(note));
    existing
}

/// What the API will say of it that a client can tell.
fn problems(existing: &Existing, new: &FunctionName) -> Vec<FieldProblem> {
    let mut arn = existing.arn.split(':').skip(3);
    let (region, account) = (arn.next().unwrap_or_default(), arn.next().unwrap_or_default());
    let invokers = existing.fields.get("invokers").and_then(Value::as_array).into_iter().flatten();
    // Which other accounts there may be, the stack says.
    let texts = invokers.flat_map(|it| it.as_object().into_iter().flatten());
    let accounts = texts.filter_map(|(_, text)| text.as_str()).flat_map(|text| text.split(':'));
    let triggers = TriggerLimits {
        invoker_accounts: accounts.map(str::to_owned).collect(),
        ..TriggerLimits::widest(account, region)
    };
    let defaults = Defaults {
        layer_arns: vec!["*".to_owned()],
        max_reserved_concurrency: u32::MAX,
        policy_characters: Some(MOST_CHARACTERS),
        triggers,
        ..Defaults::default()
    };
    let mut body = Value::Object(existing.fields.clone());
    body["functionName"] = json!(new);
    // Any code will do: what is wrong with it, the API says.
    body["code"] = json!({"sha256": EMPTY});
    request::planned(&body, &defaults, None).err().unwrap_or_default()
}

/// Why a function cannot be had, if so.
fn not_to_be_had(name: &FunctionName, function: &Value) -> Option<String> {
    if function["Tags"][STACK_TAG].is_string() {
        return Some(format!(
            "{name} is Formation's own already: `formation get {name}` shows what it has"
        ));
    }
    if function["Configuration"]["PackageType"] == "Image" {
        return Some(format!(
            "{name} is made of a container image, and Formation's functions are of zip archives"
        ));
    }
    None
}

fn refused(aws: &Aws, name: &FunctionName, error: &AwsError) -> Failure {
    match error.code() {
        "ResourceNotFoundException" => Failure::Refused(format!(
            "there is no Lambda function {name} in {}: --region and --profile say where to look",
            aws.region
        )),
        _ if error.is_denied() => {
            Failure::Denied(format!("lambda:GetFunction is needed and not allowed: {error}"))
        }
        _ => aws.failure("the function cannot be read", error),
    }
}

/// Writes every text so that it is read as it is.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = escaped(text),
        Value::Array(items) => items.iter_mut().for_each(escape),
        Value::Object(members) => members.values_mut().for_each(escape),
        _ => {}
    }
}

/// Reads of what may be denied or not be there, and what was not told.
struct Reading<'a> {
    aws: &'a Aws,
    notes: Vec<String>,
    /// Fields of what was read.
    fields: Map<String, Value>,
}

impl Reading<'_> {
    /// What was read; none where there is nothing, or AWS does not tell, which is noted. `action` is IAM's
    /// name of the call, `what` is what it would tell.
    fn optional<T>(
        &mut self,
        action: &str,
        what: &str,
        read: Result<T, AwsError>,
    ) -> Result<Option<T>, Failure> {
        let error = match read {
            Ok(read) => return Ok(Some(read)),
            Err(error) => error,
        };
        if error.is_not_found() {
            return Ok(None);
        }
        if error.is_denied() {
            self.notes.push(format!("{what}: not known, since {action} is not allowed to you"));
            return Ok(None);
        }
        match &error {
            AwsError::Refused { status, .. }
                if !error.is_of_credentials() && !status.is_server_error() =>
            {
                self.notes.push(format!("{what}: not known ({action}: {error})"));
                Ok(None)
            }
            _ => Err(self.aws.failure(&format!("{what} cannot be read ({action})"), &error)),
        }
    }
}

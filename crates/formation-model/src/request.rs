//! Reading a function from a request: every problem at once, each with its JSON pointer.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::bundle::CodeSummary;
use crate::fields::{Fields, Limits};
use crate::function::code::{self, CodeSource};
use crate::function::{Architecture, FunctionSpec, environment, tags};
use crate::name::FunctionName;
use crate::problem::{FieldProblem, FieldProblemCode as Code};
use crate::runtime::{self, DEFAULT_HANDLER, DEFAULT_RUNTIME, Runtime, RuntimeStatus};
use crate::view::OUTPUT_ONLY;

/// MB. Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub(crate) const MEMORY: Limits = Limits { least: 128, most: 10_240, default: 128, unit: "MB" };
/// Seconds. Source: as for [`MEMORY`].
pub(crate) const TIMEOUT: Limits = Limits { least: 1, most: 900, default: 3, unit: "seconds" };
/// What PutRetentionPolicy takes.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
pub const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
pub(crate) const DEFAULT_RETENTION_DAYS: u32 = 30;

pub(crate) const DESCRIPTION_LENGTH: usize = 256;
pub(crate) const HANDLER_LENGTH: usize = 128;
/// IAM and Lambda allow 50 tags; two are Formation's.
pub(crate) const USER_TAGS: usize = 48;
pub(crate) const TAG_KEY_LENGTH: usize = 128;
pub(crate) const TAG_VALUE_LENGTH: usize = 256;

/// What the stack chooses where a request does not.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The architecture of functions that name none.
    pub architecture: Architecture,
    /// Whether the stack takes code from S3.
    pub code_buckets: bool,
}

/// A valid request for a function: the specification, with the code still where it comes from.
pub type FunctionRequest = FunctionSpec<CodeSource>;

/// Reads the function that `body` asks for. `current` is what the function is now, if there is one:
/// its name cannot change, its code can be referred to by its digest, and its runtime may have been
/// deprecated since.
///
/// # Errors
/// Everything that is wrong with it, in the order of the fields.
pub fn read(
    body: &Value,
    defaults: &Defaults,
    current: Option<&FunctionSpec>,
) -> Result<FunctionRequest, Vec<FieldProblem>> {
    let Value::Object(body) = body else {
        return Err(vec![FieldProblem::new("", Code::WrongType, "must be a JSON object")]);
    };
    let mut fields = Fields { body, known: BTreeSet::from(OUTPUT_ONLY), problems: Vec::new() };
    let request = read_fields(&mut fields, defaults, current);
    fields.refuse_unknown();
    match request {
        Some(request) if fields.problems.is_empty() => Ok(request),
        _ => Err(fields.problems),
    }
}

/// What `current` becomes by `patch`, a JSON merge patch (RFC 7396): members are merged, null takes
/// one away and leaves its default. The code alone is replaced as a whole.
///
/// # Errors
/// As for [`read`].
pub fn patched(
    patch: &Value,
    defaults: &Defaults,
    current: &FunctionSpec,
) -> Result<FunctionRequest, Vec<FieldProblem>> {
    let Value::Object(patch) = patch else {
        return Err(vec![FieldProblem::new("", Code::WrongType, "must be a JSON object")]);
    };
    let digest = CodeSummary::from(&current.code);
    let mut body = serde_json::to_value(current.clone().with_code(digest)).unwrap_or_default();
    if let (Some(body), true) = (body.as_object_mut(), patch.contains_key("code")) {
        body.remove("code");
    }
    for (field, value) in patch {
        merge(&mut body[field], value);
    }
    if let Some(body) = body.as_object_mut() {
        body.retain(|_, value| !value.is_null());
    }
    read(&body, defaults, Some(current))
}

/// MergePatch of RFC 7396, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(target) = target.as_object_mut() {
        for (field, value) in patch {
            if value.is_null() {
                target.remove(field);
            } else {
                merge(target.entry(field.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// None only where a problem was noted.
fn read_fields(
    fields: &mut Fields<'_>,
    defaults: &Defaults,
    current: Option<&FunctionSpec>,
) -> Option<FunctionRequest> {
    let function_name = function_name(fields, current);
    let runtime = usable_runtime(fields, current);
    let handler = handler(fields);
    let start = code::Start { runtime: runtime.as_deref(), handler: handler.as_deref() };
    let code = code::read(fields, start, defaults, current);
    let architecture = architecture(fields, defaults);
    let memory_megabytes = fields.number("memoryMegabytes", &MEMORY);
    let timeout_seconds = fields.number("timeoutSeconds", &TIMEOUT);
    let log_retention_days = log_retention_days(fields);
    let environment = environment::read(fields);
    let description = description(fields);
    let tags = tags::read(fields, current);
    let deletion_protection = deletion_protection(fields);
    let request = FunctionSpec {
        function_name: function_name?,
        code: code?,
        runtime: runtime?,
        handler: handler?,
        architecture: architecture?,
        memory_megabytes: memory_megabytes?,
        timeout_seconds: timeout_seconds?,
        log_retention_days: log_retention_days?,
        environment: environment?,
        description: description?,
        tags: tags?,
        deletion_protection: deletion_protection?,
    };
    environment::refuse_if_too_large_with_the_rest(fields, &request);
    Some(request)
}

fn function_name(fields: &mut Fields<'_>, current: Option<&FunctionSpec>) -> Option<FunctionName> {
    let text = fields.required_text("functionName")?;
    let name: FunctionName = match text.parse() {
        Ok(name) => name,
        Err(error) => {
            return fields.refuse("/functionName", Code::InvalidFormat, format!("{error}"));
        }
    };
    match current {
        Some(current) if current.function_name != name => {
            let detail = format!("is {} and cannot be changed", current.function_name);
            fields.refuse("/functionName", Code::Conflict, detail)
        }
        _ => Some(name),
    }
}

/// A runtime that functions may be created with, or that the function has already.
fn usable_runtime(fields: &mut Fields<'_>, current: Option<&FunctionSpec>) -> Option<String> {
    let name = fields.text("runtime", DEFAULT_RUNTIME)?;
    if current.is_some_and(|current| current.runtime == name) {
        return Some(name);
    }
    let reason = match runtime::find(&name) {
        Some(runtime) if runtime.status == RuntimeStatus::Supported => return Some(name),
        Some(Runtime { status: RuntimeStatus::Deprecated, deprecation, successor, .. }) => format!(
            "AWS ended its support of {name} on {}; use {}",
            deprecation.as_deref().unwrap_or("an earlier day"),
            successor.as_deref().unwrap_or("a newer one"),
        ),
        Some(_) => format!("AWS offers {name} as a preview only; use {}", runtime::supported()),
        None => format!("is no runtime of Lambda's; use {}", runtime::supported()),
    };
    fields.refuse("/runtime", Code::NotSupported, reason)
}

fn handler(fields: &mut Fields<'_>) -> Option<String> {
    let handler = fields.text("handler", DEFAULT_HANDLER)?;
    let length = handler.chars().count();
    // Lambda hands it over in an environment variable, which no NUL can be in.
    let fits = |c: char| !c.is_whitespace() && c != '\0';
    if !(1..=HANDLER_LENGTH).contains(&length) || !handler.chars().all(fits) {
        let detail = format!("must have 1 to {HANDLER_LENGTH} characters, no white space or NUL");
        return fields.refuse("/handler", Code::InvalidFormat, detail);
    }
    Some(handler)
}

fn architecture(fields: &mut Fields<'_>, defaults: &Defaults) -> Option<Architecture> {
    let text = fields.text("architecture", defaults.architecture.as_str())?;
    match text.parse() {
        Ok(architecture) => Some(architecture),
        Err(()) => {
            fields.refuse("/architecture", Code::NotSupported, "must be \"arm64\" or \"x86_64\"")
        }
    }
}

fn log_retention_days(fields: &mut Fields<'_>) -> Option<u32> {
    let days = fields.whole_number("logRetentionDays", DEFAULT_RETENTION_DAYS)?;
    if let Some(offered) = RETENTION_DAYS.iter().find(|offered| i64::from(**offered) == days) {
        return Some(*offered);
    }
    let offered = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
    let detail = format!("CloudWatch Logs offers {offered} days");
    fields.refuse("/logRetentionDays", Code::NotSupported, detail)
}

fn description(fields: &mut Fields<'_>) -> Option<String> {
    let description = fields.text("description", "")?;
    if description.chars().count() > DESCRIPTION_LENGTH {
        let detail = format!("must not be longer than {DESCRIPTION_LENGTH} characters");
        return fields.refuse("/description", Code::OutOfRange, detail);
    }
    Some(description)
}

fn deletion_protection(fields: &mut Fields<'_>) -> Option<bool> {
    match fields.take("deletionProtection") {
        None => Some(false),
        Some(Value::Bool(protected)) => Some(*protected),
        Some(_) => fields.refuse("/deletionProtection", Code::WrongType, "must be true or false"),
    }
}

#[cfg(test)]
pub(crate) mod tests;

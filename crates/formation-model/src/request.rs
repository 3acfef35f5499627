//! Reading a function from a request: every problem at once, each with its JSON pointer.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::bundle::{self, BundleError, CodeSummary, MAX_ZIP_BYTES};
use crate::function::{Architecture, Environment, FunctionName, FunctionSpec, OUTPUT_ONLY};
use crate::json::whole;
use crate::problem::{FieldProblem, FieldProblemCode as Code, pointer};
use crate::runtime::{self, DEFAULT_HANDLER, DEFAULT_RUNTIME, Runtime, RuntimeStatus};

/// MB. Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub(crate) const MEMORY: Limits = Limits { least: 128, most: 10_240, default: 128, unit: "MB" };
/// Seconds. Source: as for [`MEMORY`].
pub(crate) const TIMEOUT: Limits = Limits { least: 1, most: 900, default: 3, unit: "seconds" };
/// What PutRetentionPolicy takes.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
pub(crate) const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
pub(crate) const DEFAULT_RETENTION_DAYS: u32 = 30;

pub(crate) const DESCRIPTION_LENGTH: usize = 256;
pub(crate) const HANDLER_LENGTH: usize = 128;
/// Lambda counts the environment in its JSON form.
const ENVIRONMENT_BYTES: usize = 4096;
/// IAM and Lambda allow 50 tags; two are Formation's.
pub(crate) const USER_TAGS: usize = 48;
pub(crate) const TAG_KEY_LENGTH: usize = 128;
pub(crate) const TAG_VALUE_LENGTH: usize = 256;

/// Environment variables that Lambda sets itself.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
const RESERVED_VARIABLES: [&str; 16] = [
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
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

pub(crate) struct Limits {
    pub least: u32,
    pub most: u32,
    pub default: u32,
    unit: &'static str,
}

/// What the stack chooses where a request does not.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The architecture of functions that name none.
    pub architecture: Architecture,
}

/// Where a function's code is to come from.
#[derive(Clone, Eq, PartialEq)]
pub enum CodeSource {
    /// What the function has already.
    Unchanged,
    /// A zip archive from the request, or made from the source in it.
    Archive(Vec<u8>),
    /// An object in S3, to be copied when the request is accepted.
    S3(S3Object),
}

impl std::fmt::Debug for CodeSource {
    /// Shows where the code comes from and never the code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unchanged => f.write_str("Unchanged"),
            Self::Archive(bytes) => write!(f, "Archive({} bytes)", bytes.len()),
            Self::S3(object) => object.fmt(f),
        }
    }
}

/// A zip archive in the user's own bucket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct S3Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version; the newest if none is given.
    pub version: Option<String>,
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
    let code = code(fields, runtime.as_deref(), handler.as_deref(), current);
    let architecture = architecture(fields, defaults);
    let memory_megabytes = fields.number("memoryMegabytes", &MEMORY);
    let timeout_seconds = fields.number("timeoutSeconds", &TIMEOUT);
    let log_retention_days = log_retention_days(fields);
    let environment = environment(fields);
    let description = description(fields);
    let tags = tags(fields);
    let deletion_protection = deletion_protection(fields);
    Some(FunctionSpec {
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
    })
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
        None => format!("is not a runtime that Formation knows; use {}", runtime::supported()),
    };
    fields.refuse("/runtime", Code::NotSupported, reason)
}

fn handler(fields: &mut Fields<'_>) -> Option<String> {
    let handler = fields.text("handler", DEFAULT_HANDLER)?;
    let length = handler.chars().count();
    if !(1..=HANDLER_LENGTH).contains(&length) || handler.contains(char::is_whitespace) {
        let detail = format!("must have 1 to {HANDLER_LENGTH} characters and no white space");
        return fields.refuse("/handler", Code::InvalidFormat, detail);
    }
    Some(handler)
}

fn code(
    fields: &mut Fields<'_>,
    runtime: Option<&str>,
    handler: Option<&str>,
    current: Option<&FunctionSpec>,
) -> Option<CodeSource> {
    match fields.take("code") {
        None => fields.refuse(
            "/code",
            Code::Required,
            "must be given: inline source (a string), {\"zipFile\"} or {\"s3Bucket\", \"s3Key\"}",
        ),
        Some(Value::String(source)) => inline_code(fields, source, runtime, handler),
        Some(Value::Object(object)) => code_object(fields, object, current),
        Some(_) => fields.refuse(
            "/code",
            Code::WrongType,
            "must be inline source (a string), {\"zipFile\"} or {\"s3Bucket\", \"s3Key\"}",
        ),
    }
}

fn inline_code(
    fields: &mut Fields<'_>,
    source: &str,
    runtime: Option<&str>,
    handler: Option<&str>,
) -> Option<CodeSource> {
    if source.is_empty() {
        return fields.refuse("/code", Code::OutOfRange, "must not be empty");
    }
    // What is wrong with the runtime has been said already.
    let runtime = runtime?;
    let Some(file_name) = runtime::find(runtime).and_then(|found| found.inline_file.as_deref())
    else {
        let detail = format!(
            "source can be given inline for Node.js and Python only, not for {runtime}; send a zip archive"
        );
        return fields.refuse("/code", Code::NotSupported, detail);
    };
    if let Some(handler) = handler
        && !handler.starts_with("index.")
    {
        let detail = format!(
            "inline source becomes {file_name}, so its handler must be \"index.\" and the name of an exported function"
        );
        return fields.refuse("/handler", Code::Conflict, detail);
    }
    match bundle::from_source(file_name, source) {
        Ok(archive) if archive.len() <= MAX_ZIP_BYTES => Some(CodeSource::Archive(archive)),
        _ => fields.refuse("/code", Code::OutOfRange, too_large()),
    }
}

fn code_object(
    fields: &mut Fields<'_>,
    object: &Map<String, Value>,
    current: Option<&FunctionSpec>,
) -> Option<CodeSource> {
    let mut inner = Fields { body: object, known: BTreeSet::new(), problems: Vec::new() };
    let code = if object.contains_key("zipFile") {
        zip_file(&mut inner)
    } else if object.keys().any(|key| key.starts_with("s3")) {
        s3_object(&mut inner)
    } else if object.contains_key("sha256") {
        unchanged(&mut inner, current)
    } else {
        inner.refuse("", Code::Required, "must hold \"zipFile\" or \"s3Bucket\" and \"s3Key\"")
    };
    inner.refuse_unknown();
    let nested = inner.problems.into_iter();
    fields.problems.extend(
        nested.map(|problem| FieldProblem {
            pointer: format!("/code{}", problem.pointer),
            ..problem
        }),
    );
    code
}

/// The code as GET shows it.
fn unchanged(fields: &mut Fields<'_>, current: Option<&FunctionSpec>) -> Option<CodeSource> {
    fields.known.insert("sizeBytes");
    let digest = fields.required_text("sha256")?;
    match current {
        Some(current) if current.code.sha256 == digest => Some(CodeSource::Unchanged),
        Some(_) => {
            let detail = "is not the digest of the function's code; send the code itself";
            fields.refuse("/sha256", Code::Conflict, detail)
        }
        None => {
            let detail = "a digest names only code that a function has; send the code itself";
            fields.refuse("", Code::Required, detail)
        }
    }
}

fn zip_file(fields: &mut Fields<'_>) -> Option<CodeSource> {
    let text = fields.required_text("zipFile")?;
    let Ok(archive) = STANDARD.decode(text) else {
        return fields.refuse("/zipFile", Code::InvalidFormat, "must be base64 (RFC 4648)");
    };
    if archive.len() > MAX_ZIP_BYTES {
        return fields.refuse("/zipFile", Code::OutOfRange, too_large());
    }
    match bundle::check(&archive) {
        Ok(()) => Some(CodeSource::Archive(archive)),
        Err(error @ BundleError::TooLargeUnzipped(_)) => {
            fields.refuse("/zipFile", Code::OutOfRange, error.to_string())
        }
        Err(error) => fields.refuse("/zipFile", Code::InvalidFormat, error.to_string()),
    }
}

fn s3_object(fields: &mut Fields<'_>) -> Option<CodeSource> {
    let bucket = fields.required_text("s3Bucket");
    let key = fields.required_text("s3Key");
    let version = match fields.take("s3ObjectVersion") {
        None => Some(None),
        Some(Value::String(version)) if (1..=1024).contains(&version.len()) => {
            Some(Some(version.clone()))
        }
        Some(_) => fields.refuse(
            "/s3ObjectVersion",
            Code::WrongType,
            "must be a string of 1 to 1024 characters",
        ),
    };
    let (bucket, key) = (bucket?, key?);
    if !(3..=63).contains(&bucket.len()) {
        return fields.refuse("/s3Bucket", Code::InvalidFormat, "must have 3 to 63 characters");
    }
    if !(1..=1024).contains(&key.len()) {
        return fields.refuse("/s3Key", Code::InvalidFormat, "must have 1 to 1024 characters");
    }
    Some(CodeSource::S3(S3Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: version?,
    }))
}

fn too_large() -> String {
    format!(
        "the zip archive must not be larger than {MAX_ZIP_BYTES} bytes (4 MB); put larger ones into S3"
    )
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

fn environment(fields: &mut Fields<'_>) -> Option<Environment> {
    let before = fields.problems.len();
    let variables = fields.texts("environment")?;
    for name in variables.keys() {
        let at = pointer("/environment", name);
        let mut characters = name.chars();
        let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic());
        let rest = characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if RESERVED_VARIABLES.contains(&name.as_str()) || name.starts_with('_') {
            fields.note(at, Code::Reserved, "is set by Lambda itself; choose another name");
        } else if !(first && rest && name.len() >= 2) {
            fields.note(
                at,
                Code::InvalidFormat,
                "a variable's name has at least two letters, digits or `_` and begins with a letter",
            );
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

fn description(fields: &mut Fields<'_>) -> Option<String> {
    let description = fields.text("description", "")?;
    if description.chars().count() > DESCRIPTION_LENGTH {
        let detail = format!("must not be longer than {DESCRIPTION_LENGTH} characters");
        return fields.refuse("/description", Code::OutOfRange, detail);
    }
    Some(description)
}

fn tags(fields: &mut Fields<'_>) -> Option<BTreeMap<String, String>> {
    let before = fields.problems.len();
    let tags = fields.texts("tags")?;
    if tags.len() > USER_TAGS {
        let detail =
            format!("must not be more than {USER_TAGS}: AWS allows 50, two are Formation's");
        fields.note("/tags", Code::OutOfRange, detail);
    }
    let mut seen = BTreeSet::new();
    for (key, value) in &tags {
        let at = pointer("/tags", key);
        let lower = key.to_lowercase();
        if lower.starts_with("aws:") || lower.starts_with("formation:") {
            fields.note(&at, Code::Reserved, "must not begin with `aws:` or `formation:`");
        }
        if !seen.insert(lower) {
            fields.note(
                &at,
                Code::Conflict,
                "differs from another key in case only, which IAM refuses",
            );
        }
        if key.trim().is_empty() || key.chars().count() > TAG_KEY_LENGTH || !key.chars().all(in_tag)
        {
            let detail = format!(
                "a tag's key has 1 to {TAG_KEY_LENGTH} letters, digits, spaces or any of _.:/=+-@"
            );
            fields.note(&at, Code::InvalidFormat, detail);
        }
        if value.chars().count() > TAG_VALUE_LENGTH || !value.chars().all(in_tag) {
            let detail = format!(
                "a tag's value has at most {TAG_VALUE_LENGTH} letters, digits, spaces or any of _.:/=+-@"
            );
            fields.note(&at, Code::InvalidFormat, detail);
        }
    }
    (fields.problems.len() == before).then_some(tags)
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`: what IAM, Lambda and CloudWatch Logs all take.
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html>.
fn in_tag(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

fn deletion_protection(fields: &mut Fields<'_>) -> Option<bool> {
    match fields.take("deletionProtection") {
        None => Some(false),
        Some(Value::Bool(protected)) => Some(*protected),
        Some(_) => fields.refuse("/deletionProtection", Code::WrongType, "must be true or false"),
    }
}

/// The fields of one JSON object, and what was found wrong with them so far.
struct Fields<'a> {
    body: &'a Map<String, Value>,
    known: BTreeSet<&'static str>,
    problems: Vec<FieldProblem>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.body.get(name)
    }

    fn note(&mut self, at: impl Into<String>, code: Code, detail: impl Into<String>) {
        self.problems.push(FieldProblem::new(at, code, detail));
    }

    /// Notes a problem where a value was to be returned.
    fn refuse<T>(
        &mut self,
        at: impl Into<String>,
        code: Code,
        detail: impl Into<String>,
    ) -> Option<T> {
        self.note(at, code, detail);
        None
    }

    fn required_text(&mut self, name: &'static str) -> Option<&'a str> {
        match self.take(name) {
            Some(Value::String(text)) => Some(text),
            Some(_) => self.refuse(format!("/{name}"), Code::WrongType, "must be a string"),
            None => self.refuse(format!("/{name}"), Code::Required, "must be given"),
        }
    }

    fn text(&mut self, name: &'static str, default: &str) -> Option<String> {
        match self.take(name) {
            None => Some(default.to_owned()),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => self.refuse(
                format!("/{name}"),
                Code::WrongType,
                "must be a string; leave it out for the default",
            ),
        }
    }

    fn whole_number(&mut self, name: &'static str, default: u32) -> Option<i64> {
        match self.take(name) {
            None => Some(i64::from(default)),
            Some(Value::Number(number)) if whole(number).is_some() => whole(number),
            Some(_) => self.refuse(
                format!("/{name}"),
                Code::WrongType,
                "must be a whole number; leave it out for the default",
            ),
        }
    }

    fn number(&mut self, name: &'static str, limits: &Limits) -> Option<u32> {
        let number = self.whole_number(name, limits.default)?;
        match u32::try_from(number) {
            Ok(number) if (limits.least..=limits.most).contains(&number) => Some(number),
            _ => {
                let Limits { least, most, unit, .. } = limits;
                let detail = format!("must be {least} to {most} {unit}");
                self.refuse(format!("/{name}"), Code::OutOfRange, detail)
            }
        }
    }

    /// The strings of an object, and a problem for every value that is none; empty if it is not
    /// given.
    fn texts(&mut self, name: &'static str) -> Option<BTreeMap<String, String>> {
        let object = match self.take(name) {
            None => return Some(BTreeMap::new()),
            Some(Value::Object(object)) => object,
            Some(_) => {
                let detail = "must be an object whose values are strings";
                return self.refuse(format!("/{name}"), Code::WrongType, detail);
            }
        };
        let mut texts = BTreeMap::new();
        for (key, value) in object {
            match value {
                Value::String(text) => {
                    texts.insert(key.clone(), text.clone());
                }
                _ => self.note(
                    pointer(&format!("/{name}"), key),
                    Code::WrongType,
                    "must be a string",
                ),
            }
        }
        Some(texts)
    }

    fn refuse_unknown(&mut self) {
        let known = &self.known;
        let unknown: Vec<_> =
            self.body.keys().filter(|key| !known.contains(key.as_str())).collect();
        self.problems.extend(unknown.iter().map(|key| FieldProblem::unknown_field("", key)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bundle::Bundle;
    use crate::function::FIELDS;
    use crate::schema;

    const DEFAULTS: Defaults = Defaults { architecture: Architecture::Arm64 };

    fn problems(body: Value) -> Vec<(String, Code)> {
        let problems = read(&body, &DEFAULTS, None).unwrap_err();
        problems.into_iter().map(|problem| (problem.pointer, problem.code)).collect()
    }

    fn hello_with(field: &str, value: Value) -> Value {
        let mut body = json!({"functionName": "hello", "code": "x"});
        body[field] = value;
        body
    }

    #[test]
    fn the_original_examples_function_gets_the_documented_defaults() {
        let body = json!({"functionName": "hello", "code": "export const handler = () => 1;"});
        let function = read(&body, &DEFAULTS, None).unwrap();
        assert_eq!(function.runtime, "nodejs24.x");
        assert_eq!(function.handler, "index.handler");
        assert_eq!(function.architecture, Architecture::Arm64);
        assert_eq!(function.memory_megabytes, 128);
        assert_eq!(function.timeout_seconds, 3);
        assert_eq!(function.log_retention_days, 30);
        assert!(!function.deletion_protection);
        let CodeSource::Archive(archive) = function.code else { panic!("no archive") };
        assert_eq!(
            archive,
            bundle::from_source("index.mjs", "export const handler = () => 1;").unwrap()
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let found = problems(json!({
            "functionName": "no spaces",
            "runtime": "nodejs18.x",
            "handler": "a b",
            "code": 7,
            "architecture": "sparc",
            "memoryMegabytes": 127,
            "timeoutSeconds": "3",
            "logRetentionDays": 2,
            "environment": {"A": "x", "AWS_REGION": "x", "GOOD": 1},
            "description": "x".repeat(257),
            "tags": {"formation:stack": "x"},
            "deletionProtection": "yes",
            "memoryMegabyte": 128,
        }));
        let expected = [
            ("/functionName", Code::InvalidFormat),
            ("/runtime", Code::NotSupported),
            ("/handler", Code::InvalidFormat),
            ("/code", Code::WrongType),
            ("/architecture", Code::NotSupported),
            ("/memoryMegabytes", Code::OutOfRange),
            ("/timeoutSeconds", Code::WrongType),
            ("/logRetentionDays", Code::NotSupported),
            ("/environment/GOOD", Code::WrongType),
            ("/environment/A", Code::InvalidFormat),
            ("/environment/AWS_REGION", Code::Reserved),
            ("/description", Code::OutOfRange),
            ("/tags/formation:stack", Code::Reserved),
            ("/deletionProtection", Code::WrongType),
            ("/memoryMegabyte", Code::UnknownField),
        ];
        assert_eq!(found, expected.map(|(at, code)| (at.to_owned(), code)));
    }

    /// Names that an object schema has, of its own or in one of the objects that it offers.
    fn offered(schema: &Value) -> Vec<BTreeSet<String>> {
        let variants = schema["anyOf"].as_array().into_iter().flatten().chain([schema]);
        let objects = variants.filter_map(|variant| variant["properties"].as_object());
        objects.map(|properties| properties.keys().cloned().collect()).collect()
    }

    #[test]
    fn the_schema_has_every_field_that_is_read_and_no_other() {
        let body = Map::new();
        let mut fields =
            Fields { body: &body, known: BTreeSet::from(OUTPUT_ONLY), problems: vec![] };
        read_fields(&mut fields, &DEFAULTS, None);
        let read: BTreeSet<_> = fields.known.into_iter().map(str::to_owned).collect();
        for schema in [schema::function_request(), schema::function_patch()] {
            assert_eq!(offered(&schema), std::slice::from_ref(&read));
        }
        // What a reader keeps of a request, too.
        let kept = FIELDS.into_iter().chain(OUTPUT_ONLY).map(str::to_owned);
        assert_eq!(kept.collect::<BTreeSet<_>>(), read);
        let written = serde_json::to_value(current()).unwrap();
        let written = written.as_object().unwrap().keys().map(String::as_str);
        assert_eq!(written.collect::<BTreeSet<_>>(), BTreeSet::from(FIELDS));
    }

    #[test]
    fn the_schema_has_every_field_of_every_kind_of_code_and_no_other() {
        let kinds = offered(&schema::function_request()["properties"]["code"]);
        assert!(kinds.len() > 2, "{kinds:?}");
        let all: BTreeSet<_> = kinds.iter().flatten().cloned().collect();
        for kind in kinds {
            let read = |field: &String| {
                let fields = kind.iter().chain([field]);
                let code: Map<_, _> = fields.map(|name| (name.clone(), json!("x"))).collect();
                let unknown = (format!("/code/{field}"), Code::UnknownField);
                !problems(hello_with("code", code.into())).contains(&unknown)
            };
            // What another kind has is of another kind, so it is not asked for beside this one.
            let mixed = |field: &&String| field.starts_with("s3") || *field == "zipFile";
            assert!(kind.iter().all(read), "{kind:?}");
            for field in all.difference(&kind).filter(|field| !mixed(field)) {
                assert!(!read(field), "{kind:?} reads {field}");
            }
        }
    }

    #[test]
    fn limits_are_inclusive() {
        for (field, good, bad) in [
            ("memoryMegabytes", vec![json!(128), json!(10_240)], vec![json!(127), json!(10_241)]),
            ("timeoutSeconds", vec![json!(1), json!(900)], vec![json!(0), json!(901), json!(-1)]),
            ("logRetentionDays", vec![json!(1), json!(3653)], vec![json!(0), json!(4)]),
            ("memoryMegabytes", vec![json!(256.0)], vec![json!(1e300), json!(128.5), json!(null)]),
            ("memoryMegabytes", vec![], vec![json!(18_446_744_073_709_551_615_u64)]),
            ("description", vec![json!("ä".repeat(256))], vec![json!("ä".repeat(257))]),
            ("handler", vec![json!("index.x")], vec![json!(""), json!("x".repeat(129))]),
            ("architecture", vec![json!("x86_64")], vec![json!("X86_64"), json!(1)]),
        ] {
            for value in good {
                let body = hello_with(field, value.clone());
                assert!(read(&body, &DEFAULTS, None).is_ok(), "{field} {value}");
            }
            for value in bad {
                let found = problems(hello_with(field, value.clone()));
                assert_eq!(found.len(), 1, "{field} {value}: {found:?}");
                assert_eq!(found[0].0, format!("/{field}"));
            }
        }
    }

    #[test]
    fn a_deprecated_runtime_is_refused_with_the_reason() {
        let body = hello_with("runtime", json!("nodejs20.x"));
        let found = read(&body, &DEFAULTS, None).unwrap_err();
        assert_eq!(found[0].pointer, "/runtime");
        assert!(found[0].detail.contains("2026-04-30"), "{}", found[0].detail);
        assert!(found[0].detail.contains("nodejs24.x"), "{}", found[0].detail);
    }

    #[test]
    fn inline_source_needs_a_runtime_with_source_files_and_a_handler_in_its_file() {
        let mut body = hello_with("runtime", json!("java21"));
        assert_eq!(problems(body.clone()), [("/code".to_owned(), Code::NotSupported)]);

        body["runtime"] = json!("python3.14");
        let CodeSource::Archive(archive) = read(&body, &DEFAULTS, None).unwrap().code else {
            panic!("no archive")
        };
        assert_eq!(archive, bundle::from_source("index.py", "x").unwrap());

        body["handler"] = json!("main.handler");
        assert_eq!(problems(body), [("/handler".to_owned(), Code::Conflict)]);
    }

    #[test]
    fn zip_files_are_checked_before_anything_is_made() {
        let archive = bundle::from_source("main.js", "x").unwrap();
        let body = hello_with("code", json!({"zipFile": STANDARD.encode(&archive)}));
        assert_eq!(read(&body, &DEFAULTS, None).unwrap().code, CodeSource::Archive(archive));

        let at_zip_file = |code| [("/code/zipFile".to_owned(), code)];
        for (value, code) in [
            (json!("%%%"), Code::InvalidFormat),
            (json!("bm90IGEgemlw"), Code::InvalidFormat),
            (json!(STANDARD.encode(vec![0; MAX_ZIP_BYTES + 1])), Code::OutOfRange),
            (json!(7), Code::WrongType),
        ] {
            assert_eq!(problems(hello_with("code", json!({"zipFile": value}))), at_zip_file(code));
        }
    }

    #[test]
    fn s3_references_need_bucket_and_key_and_nothing_else() {
        let code = json!({"s3Bucket": "builds", "s3Key": "a.zip", "s3ObjectVersion": "v1"});
        let function = read(&hello_with("code", code), &DEFAULTS, None).unwrap();
        let object =
            S3Object { bucket: "builds".into(), key: "a.zip".into(), version: Some("v1".into()) };
        assert_eq!(function.code, CodeSource::S3(object));

        let code = json!({"s3Bucket": "b", "s3Etag": "x"});
        assert_eq!(
            problems(hello_with("code", code)),
            [
                ("/code/s3Key".to_owned(), Code::Required),
                ("/code/s3Etag".to_owned(), Code::UnknownField)
            ]
        );
        assert_eq!(
            problems(hello_with("code", json!({"sha256": "x"}))),
            [("/code".to_owned(), Code::Required)]
        );
    }

    #[test]
    fn reserved_and_malformed_variables_are_refused_without_their_values() {
        let body = hello_with(
            "environment",
            json!({"AWS_REGION": "s3cr3t", "_X": "s3cr3t", "A": "s3cr3t", "1A": "s3cr3t"}),
        );
        let found = read(&body, &DEFAULTS, None).unwrap_err();
        let at: Vec<_> = found.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(
            at,
            ["/environment/1A", "/environment/A", "/environment/AWS_REGION", "/environment/_X"]
        );
        assert!(found.iter().all(|problem| !problem.detail.contains("s3cr3t")));
    }

    #[test]
    fn the_environment_is_measured_as_lambda_measures_it() {
        // {"KEY":"…"} adds ten bytes.
        let fits = json!({"KEY": "x".repeat(ENVIRONMENT_BYTES - 10)});
        assert!(read(&hello_with("environment", fits), &DEFAULTS, None).is_ok());
        let over = json!({"KEY": "x".repeat(ENVIRONMENT_BYTES - 9)});
        assert_eq!(
            problems(hello_with("environment", over)),
            [("/environment".to_owned(), Code::OutOfRange)]
        );
    }

    #[test]
    fn tags_must_be_what_iam_takes() {
        for (tags, code) in [
            (json!({"Team": "a", "team": "b"}), Code::Conflict),
            (json!({"AWS:x": "a"}), Code::Reserved),
            (json!({"a#b": "a"}), Code::InvalidFormat),
            (json!({"a": "x".repeat(257)}), Code::InvalidFormat),
            (json!({"a/b~c": 1}), Code::WrongType),
        ] {
            let found = problems(hello_with("tags", tags.clone()));
            assert_eq!(found.len(), 1, "{tags}");
            assert_eq!(found[0].1, code, "{tags}");
        }
        let many: BTreeMap<_, _> = (0..49).map(|n| (format!("k{n}"), "v")).collect();
        assert_eq!(
            problems(hello_with("tags", json!(many))),
            [("/tags".to_owned(), Code::OutOfRange)]
        );
        assert_eq!(
            problems(hello_with("tags", json!({"a/b~c": 1})))[0].0,
            "/tags/a~1b~0c",
            "pointers are escaped"
        );
    }

    #[test]
    fn what_get_returned_can_be_sent_but_for_the_code() {
        let mut body = hello_with("status", json!("AVAILABLE"));
        body["revision"] = json!(3);
        body["resources"] = json!({});
        assert!(read(&body, &DEFAULTS, None).is_ok());
    }

    #[test]
    fn a_body_that_is_no_object_is_refused_at_the_root() {
        assert_eq!(problems(json!([])), [(String::new(), Code::WrongType)]);
    }

    fn current() -> FunctionSpec {
        let body = json!({
            "functionName": "hello", "code": "x", "memoryMegabytes": 256,
            "environment": {"KEEP": "1", "DROP": "2"}, "tags": {"team": "a"},
        });
        let request = read(&body, &DEFAULTS, None).unwrap();
        let code = Bundle {
            sha256: "c2hh".into(),
            size_bytes: 7,
            key: "bundles/hello/1.zip".into(),
            version: "v1".into(),
        };
        request.with_code(code)
    }

    #[test]
    fn a_merge_patch_changes_what_it_names_and_null_gives_the_default_back() {
        let patch = json!({
            "memoryMegabytes": null, "timeoutSeconds": 9,
            "environment": {"DROP": null, "NEW": "3"}, "tags": null,
        });
        let patched = patched(&patch, &DEFAULTS, &current()).unwrap();
        let mut expected = current();
        expected.memory_megabytes = 128;
        expected.timeout_seconds = 9;
        expected.environment.0.remove("DROP");
        expected.environment.0.insert("NEW".into(), "3".into());
        expected.tags.clear();
        assert_eq!(patched, expected.with_code(CodeSource::Unchanged));
    }

    #[test]
    fn code_is_patched_as_a_whole() {
        let code = json!({"s3Bucket": "builds", "s3Key": "a.zip"});
        let patched = |code| patched(&json!({"code": code}), &DEFAULTS, &current());
        assert!(matches!(patched(code).unwrap().code, CodeSource::S3(_)));
        assert!(matches!(patched(json!("y")).unwrap().code, CodeSource::Archive(_)));
        assert_eq!(patched(Value::Null).unwrap_err()[0].code, Code::Required);
    }

    #[test]
    fn what_get_returned_can_be_put() {
        let summary = CodeSummary::from(&current().code);
        let mut body = serde_json::to_value(current().with_code(summary)).unwrap();
        body["status"] = json!("AVAILABLE");
        let request = read(&body, &DEFAULTS, Some(&current())).unwrap();
        assert_eq!(request, current().with_code(CodeSource::Unchanged));

        body["code"]["sha256"] = json!("b3RoZXI=");
        let problem = &read(&body, &DEFAULTS, Some(&current())).unwrap_err()[0];
        assert_eq!((problem.pointer.as_str(), problem.code), ("/code/sha256", Code::Conflict));
    }

    #[test]
    fn a_runtime_that_was_deprecated_since_can_stay_but_not_come_back() {
        let mut old = current();
        old.runtime = "nodejs18.x".into();
        assert!(patched(&json!({"timeoutSeconds": 9}), &DEFAULTS, &old).is_ok());
        assert!(patched(&json!({"runtime": "nodejs18.x"}), &DEFAULTS, &current()).is_err());
    }

    #[test]
    fn the_name_cannot_be_changed() {
        let problem =
            &patched(&json!({"functionName": "b"}), &DEFAULTS, &current()).unwrap_err()[0];
        assert_eq!((problem.pointer.as_str(), problem.code), ("/functionName", Code::Conflict));
    }
}

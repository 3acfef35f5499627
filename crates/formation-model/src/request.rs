//! Reading a function from a request: every problem at once, each with its JSON pointer.

mod code;
mod environment;
mod tags;

pub use code::{Archive, CodeSource, S3Object};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::bundle::CodeSummary;
use crate::function::{Architecture, FunctionSpec};
use crate::json::whole;
use crate::name::FunctionName;
use crate::problem::{FieldProblem, FieldProblemCode as Code, pointer};
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
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::bundle::{self, Bundle};
    use crate::function::FIELDS;
    use crate::schema;

    pub(crate) const DEFAULTS: Defaults =
        Defaults { architecture: Architecture::Arm64, code_buckets: true };

    pub(crate) fn problems(body: Value) -> Vec<(String, Code)> {
        let problems = read(&body, &DEFAULTS, None).unwrap_err();
        problems
            .into_iter()
            .map(|problem| (problem.pointer, *problem.code.known().unwrap()))
            .collect()
    }

    pub(crate) fn hello_with(field: &str, value: Value) -> Value {
        let mut body = json!({"functionName": "hello", "code": "x"});
        body[field] = value;
        body
    }

    #[test]
    fn the_examples_function_gets_the_documented_defaults() {
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
            archive.bytes,
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
    fn a_runtime_that_lambda_once_had_is_told_from_one_that_never_was() {
        let detail = |runtime: &str| {
            let found = read(&hello_with("runtime", json!(runtime)), &DEFAULTS, None).unwrap_err();
            found[0].detail.clone()
        };
        for old in ["nodejs14.x", "python2.7", "dotnetcore3.1", "ruby2.5", "nodejs"] {
            assert!(detail(old).contains("ended its support"), "{}", detail(old));
        }
        assert!(
            detail("nodejs99.x").contains("no runtime of Lambda's"),
            "{}",
            detail("nodejs99.x")
        );
    }

    #[test]
    fn a_handler_holds_no_nul() {
        assert_eq!(
            problems(hello_with("handler", json!("index.a\0"))),
            [("/handler".to_owned(), Code::InvalidFormat)]
        );
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

    pub(crate) fn current() -> FunctionSpec {
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
            inline: false,
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
        assert_eq!(
            (problem.pointer.as_str(), &problem.code),
            ("/code/sha256", &Code::Conflict.into())
        );
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
        assert_eq!(
            (problem.pointer.as_str(), &problem.code),
            ("/functionName", &Code::Conflict.into())
        );
    }
}

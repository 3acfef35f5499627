//! What requests may ask for.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::bundle::{self, Bundle};
use crate::function::code::CodeSource;
use crate::function::{Architecture, TriggerLimits, properties};
use crate::schema;

pub(crate) static DEFAULTS: LazyLock<Defaults> = LazyLock::new(|| Defaults {
    architecture: Architecture::Arm64,
    code_buckets: true,
    layer_arns: vec!["*".into()],
    max_reserved_concurrency: 10,
    policy_characters: Some(3000),
    triggers: TriggerLimits::widest("123456789012", "us-east-1"),
});

pub(crate) fn problems(body: Value) -> Vec<(String, Code)> {
    let problems = read(&body, &DEFAULTS, None).unwrap_err();
    problems.into_iter().map(|problem| (problem.pointer, *problem.code.known().unwrap())).collect()
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
    assert_eq!(function.configuration.runtime, "nodejs24.x");
    assert_eq!(function.configuration.handler, "index.handler");
    assert_eq!(function.configuration.architecture, Architecture::Arm64);
    assert_eq!(function.configuration.memory_megabytes, 128);
    assert_eq!(function.configuration.timeout_seconds, 3);
    assert_eq!(function.logs.log_retention_days, 30);
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
    let examples: Map<_, _> = properties().map(|it| (it.name.to_owned(), (it.example)())).collect();
    let full = read(&examples.into(), &DEFAULTS, None).unwrap();
    let written = full.with_code(current().code).values();
    let mut read: BTreeSet<String> = written.as_object().unwrap().keys().cloned().collect();
    let properties: BTreeSet<_> = properties().map(|property| property.name.to_owned()).collect();
    assert_eq!(properties, read, "a field of the specification without a row, or the other way");
    read.extend(OUTPUT_ONLY.map(str::to_owned));
    for schema in [schema::function_request(), schema::function_patch()] {
        assert_eq!(offered(&schema), std::slice::from_ref(&read));
    }
    let all: Map<_, _> = read.into_iter().map(|field| (field, json!(null))).collect();
    let unknown = problems(all.into()).into_iter().filter(|(_, code)| *code == Code::UnknownField);
    assert_eq!(unknown.count(), 0);
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
        let mixed = |field: &&String| {
            field.starts_with("s3") || ["zipFile", "uploadId"].contains(&field.as_str())
        };
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
    assert!(detail("nodejs99.x").contains("no runtime of Lambda's"), "{}", detail("nodejs99.x"));
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
    expected.configuration.memory_megabytes = 128;
    expected.configuration.timeout_seconds = 9;
    expected.configuration.environment.0.remove("DROP");
    expected.configuration.environment.0.insert("NEW".into(), "3".into());
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
    let mut body = current().with_code(summary).values();
    body["status"] = json!("AVAILABLE");
    let request = read(&body, &DEFAULTS, Some(&current())).unwrap();
    assert_eq!(request, current().with_code(CodeSource::Unchanged));

    body["code"]["sha256"] = json!("b3RoZXI=");
    let problem = &read(&body, &DEFAULTS, Some(&current())).unwrap_err()[0];
    assert_eq!((problem.pointer.as_str(), &problem.code), ("/code/sha256", &Code::Conflict.into()));
}

#[test]
fn a_runtime_that_was_deprecated_since_can_stay_but_not_come_back() {
    let mut old = current();
    old.configuration.runtime = "nodejs18.x".into();
    assert!(patched(&json!({"timeoutSeconds": 9}), &DEFAULTS, &old).is_ok());
    assert!(patched(&json!({"runtime": "nodejs18.x"}), &DEFAULTS, &current()).is_err());
}

#[test]
fn the_name_cannot_be_changed() {
    let problem = &patched(&json!({"functionName": "b"}), &DEFAULTS, &current()).unwrap_err()[0];
    assert_eq!(
        (problem.pointer.as_str(), &problem.code),
        ("/functionName", &Code::Conflict.into())
    );
}

//! What code is taken, and what is told of it.

use super::*;
use crate::function::FunctionRequest;
use crate::request::tests::{DEFAULTS, current, hello_with, problems};
use crate::request::{patched, planned, read};
use crate::warning::WarningCode;

fn archive_of(request: FunctionRequest) -> Archive {
    let CodeSource::Archive(archive) = request.code else { panic!("no archive") };
    archive
}

fn with_zip(bytes: &[u8]) -> Value {
    hello_with("code", json!({"zipFile": STANDARD.encode(bytes)}))
}

#[test]
fn inline_source_needs_a_runtime_with_source_files_and_a_handler_in_its_file() {
    let mut body = hello_with("runtime", json!("java21"));
    assert_eq!(problems(body.clone()), [("/code".to_owned(), Code::NotSupported)]);

    body["runtime"] = json!("python3.14");
    let archive = archive_of(read(&body, &DEFAULTS, None).unwrap());
    assert_eq!(archive.bytes, bundle::from_source("index.py", "x").unwrap());
    assert!(archive.inline);

    for handler in ["main.handler", "index.", "index.js.handler", "index", "index.a/b", "index.1"] {
        body["handler"] = json!(handler);
        assert_eq!(problems(body.clone()), [("/handler".to_owned(), Code::Conflict)], "{handler}");
    }
    for handler in ["index.main", "index._x$1"] {
        body["handler"] = json!(handler);
        assert!(read(&body, &DEFAULTS, None).is_ok(), "{handler}");
    }
}

#[test]
fn inline_source_cannot_be_made_unrunnable_by_a_change_around_it() {
    let mut current = current();
    current.code.inline = true;
    let found = |patch: &Value, current: &FunctionSpec| {
        let found = patched(patch, &DEFAULTS, current).err().unwrap_or_default();
        found.into_iter().map(|it| (it.pointer, *it.code.known().unwrap())).collect::<Vec<_>>()
    };
    let conflict = |at: &str| [(at.to_owned(), Code::Conflict)];
    let handler = json!({"handler": "main.handler"});
    assert_eq!(found(&handler, &current), conflict("/handler"));
    assert_eq!(found(&json!({"handler": "index.x.y"}), &current), conflict("/handler"));
    let runtime = json!({"runtime": "python3.14"});
    assert_eq!(found(&runtime, &current), conflict("/runtime"));
    // Of one family, or with the code.
    assert_eq!(found(&json!({"runtime": "nodejs22.x", "handler": "index.b"}), &current), []);
    assert_eq!(found(&json!({"runtime": "python3.14", "code": "x"}), &current), []);

    // PUT of what GET shows.
    let summary = CodeSummary::from(&current.code);
    let mut body = serde_json::to_value(current.clone().with_code(summary)).unwrap();
    assert_eq!(body["code"]["inline"], true);
    assert!(read(&body, &DEFAULTS, Some(&current)).is_ok());
    body["handler"] = json!("main.handler");
    assert!(read(&body, &DEFAULTS, Some(&current)).is_err());

    // What is in a zip archive is its sender's to know.
    current.code.inline = false;
    assert_eq!(found(&handler, &current), []);
    assert_eq!(found(&runtime, &current), []);
}

#[test]
fn a_function_whose_handler_was_recorded_otherwise_can_still_be_changed() {
    let mut current = current();
    current.code.inline = true;
    current.configuration.handler = "main.handler".into();
    assert!(patched(&json!({"timeoutSeconds": 9}), &DEFAULTS, &current).is_ok());
}

#[test]
fn zip_files_are_checked_before_anything_is_made() {
    let bytes = bundle::from_source("index.js", "x").unwrap();
    let archive = archive_of(read(&with_zip(&bytes), &DEFAULTS, None).unwrap());
    assert_eq!(archive, Archive { bytes, inline: false, warnings: Vec::new() });

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
fn what_is_missing_in_an_archive_is_warned_of() {
    let bytes = bundle::from_source("main.js", "x").unwrap();
    let [warning] = &*archive_of(read(&with_zip(&bytes), &DEFAULTS, None).unwrap()).warnings else {
        panic!("not one warning")
    };
    assert_eq!(warning.code, WarningCode::HandlerNotFound);
    assert_eq!(warning.pointer, "/handler");

    // Of code that stays as it is, nothing is known.
    let patch = json!({"handler": "elsewhere.handler"});
    let patched = patched(&patch, &DEFAULTS, &current()).unwrap();
    assert_eq!(patched.code, CodeSource::Unchanged);
}

#[test]
fn base64_that_cannot_be_read_is_told_what_is_wrong_with_it() {
    let good = STANDARD.encode(bundle::from_source("index.mjs", "//").unwrap());
    let good = good.trim_end_matches('=');
    for (text, told) in [
        (format!("data:application/zip;base64,{good}"), "data URL"),
        (format!("{}\n{}", &good[..76], &good[76..]), "base64 -w0"),
        (format!("{}-", &good[..75]), "alphabet for URLs"),
        (good[..75].to_owned(), "padding"),
        (format!("{}!", &good[..75]), "offset 75"),
    ] {
        let body = hello_with("code", json!({"zipFile": text}));
        let problem = &read(&body, &DEFAULTS, None).unwrap_err()[0];
        assert_eq!(problem.code, Code::InvalidFormat);
        assert!(problem.detail.contains(told), "{told}: {}", problem.detail);
    }
}

#[test]
fn code_in_two_forms_is_told_to_be_either() {
    let (zip, id) = ("UEs=", "01JDJ3M6Q5X8Z7W2V4T9R0N1KB");
    for code in [
        json!({"zipFile": zip, "s3Bucket": "builds", "s3Key": "a.zip"}),
        json!({"zipFile": zip, "uploadId": id}),
        json!({"uploadId": id, "s3Bucket": "builds", "s3Key": "a.zip"}),
    ] {
        let found = read(&hello_with("code", code), &DEFAULTS, None).unwrap_err();
        let [problem] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((problem.pointer.as_str(), &problem.code), ("/code", &Code::Conflict.into()));
        assert!(problem.detail.contains("either, not both"), "{}", problem.detail);
    }
}

#[test]
fn an_upload_is_named_by_its_id_alone() {
    let id = "01JDJ3M6Q5X8Z7W2V4T9R0N1KB";
    let function = read(&hello_with("code", json!({"uploadId": id})), &DEFAULTS, None).unwrap();
    assert_eq!(function.code, CodeSource::Upload(id.parse().unwrap()));

    let at = "/code/uploadId".to_owned();
    for id in ["", "../x", "01jdj3m6q5x8z7w2v4t9r0n1kb", "81JDJ3M6Q5X8Z7W2V4T9R0N1KB"] {
        let found = problems(hello_with("code", json!({"uploadId": id})));
        assert_eq!(found, [(at.clone(), Code::InvalidFormat)], "{id}");
    }
    let found = problems(hello_with("code", json!({"uploadId": 1, "sha256": "x"})));
    assert_eq!(found, [(at, Code::WrongType), ("/code/sha256".to_owned(), Code::UnknownField)]);
}

#[test]
fn s3_is_mentioned_only_where_the_stack_takes_code_from_it() {
    for code_buckets in [true, false] {
        let defaults = Defaults { code_buckets, ..DEFAULTS.clone() };
        for code in [
            json!({"zipFile": STANDARD.encode(vec![0; MAX_ZIP_BYTES + 1])}),
            json!("x".repeat(MAX_ZIP_BYTES)),
            json!({}),
            json!(1),
        ] {
            let problem = &read(&hello_with("code", code), &defaults, None).unwrap_err()[0];
            assert_eq!(problem.detail.contains("s3"), code_buckets, "{}", problem.detail);
        }
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
fn debug_output_shows_no_code() {
    let bytes = b"s3cr3t".to_vec();
    let shown = format!("{:?}", Archive { bytes, inline: true, warnings: Vec::new() });
    assert!(shown.contains("bytes: 6"), "{shown}");
}

#[test]
fn code_that_a_function_does_not_have_is_named_by_its_digest_in_a_plan_only() {
    let current = current();
    let other = STANDARD.encode([7; 32]);
    let body = |code: Value| hello_with("code", code);
    let whole = json!({"sha256": other, "sizeBytes": 182, "inline": true});
    for function in [None, Some(&current)] {
        let read_as = |code: &Value| planned(&body(code.clone()), &DEFAULTS, function);
        let CodeSource::Digest(summary) = read_as(&whole).unwrap().code else { panic!() };
        assert_eq!(json!(summary), whole);
        let CodeSource::Digest(summary) = read_as(&json!({"sha256": other})).unwrap().code else {
            panic!()
        };
        assert_eq!((summary.size_bytes, summary.inline), (0, false));
        // What is no digest, or is more than one, is told as ever.
        for bad in [
            json!({"sha256": "x"}),
            json!({"sha256": STANDARD.encode([7; 31])}),
            json!({"sha256": 7}),
            json!({"sha256": other, "other": 1}),
            json!({"sha256": other, "zipFile": "AAAA"}),
        ] {
            assert!(read_as(&bad).is_err(), "{bad}");
        }
        assert!(read(&body(json!({"sha256": other})), &DEFAULTS, function).is_err());
    }
    // Its own is no change.
    let own = body(json!({"sha256": current.code.sha256}));
    assert_eq!(planned(&own, &DEFAULTS, Some(&current)).unwrap().code, CodeSource::Unchanged);
}

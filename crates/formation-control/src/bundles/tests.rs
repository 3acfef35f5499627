use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::operation::copy_object::CopyObjectOutput;
use aws_sdk_s3::operation::delete_object::DeleteObjectOutput;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use formation_model::function::code::S3Object;
use formation_model::{Defaults, ProblemCode, WarningCode, request};
use tokio::time::Instant;
use ulid::Ulid;

use super::source::{COPY_TIMEOUT, READ_UP_TO_BYTES, copy_source};
use super::*;
use crate::records::RequestKey;

/// The bundles of a bucket where S3 answers so when one is tagged.
fn answered(status: u16, code: &'static str) -> Bundles {
    let put = mock!(Client::put_object_tagging).then_http_response(move || {
        let body = format!("<Error><Code>{code}</Code><Message>told</Message></Error>");
        HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into())
    });
    let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&put]);
    Bundles::new(client, "bundles", "111122223333", Vec::new())
}

#[tokio::test]
async fn code_that_is_gone_can_be_released_and_not_kept() {
    let bundle = Bundle {
        sha256: "c2hh".into(),
        size_bytes: 7,
        inline: false,
        key: "bundles/hello/1.zip".into(),
        version: "v1".into(),
    };
    for (status, code) in [(404, "NoSuchKey"), (404, "NoSuchVersion"), (403, "AccessDenied")] {
        let bundles = answered(status, code);
        assert!(bundles.release(&bundle).await.is_ok(), "{code}");
        assert!(bundles.keep(&bundle).await.is_err(), "{code}");
    }
    // The credentials are at fault, and nothing is known of the bundle.
    assert!(answered(403, "InvalidAccessKeyId").release(&bundle).await.is_err());
}

#[test]
fn copy_sources_keep_slashes_and_escape_the_rest() {
    let object = S3Object {
        bucket: "builds".into(),
        key: "a b/ü?+.zip".into(),
        version: Some("v.1".into()),
    };
    assert_eq!(copy_source(&object), "builds/a%20b/%C3%BC%3F%2B.zip?versionId=v%2E1");
}

fn request(code: CodeSource) -> FunctionRequest {
    let defaults = Defaults { code_buckets: true, ..Defaults::default() };
    let body = serde_json::json!({"functionName": "hello", "code": "x"});
    request::read(&body, &defaults, None).unwrap().with_code(code)
}

fn caller() -> Caller {
    Caller::new("arn:aws:iam::111122223333:user/ann")
}

/// What the caller may repeat a request under.
fn key(key: &str) -> RequestKey {
    RequestKey::new(&caller(), key, &["PUT"])
}

fn object() -> CodeSource {
    let (bucket, key) = ("builds".into(), "a.zip".into());
    CodeSource::S3(S3Object { bucket, key, version: None })
}

fn bundles(rules: &[&Rule]) -> Bundles {
    let client = mock_client!(aws_sdk_s3, RuleMode::Sequential, rules);
    Bundles::new(client, "artifacts", "111122223333", vec!["builds".into()])
}

fn measured(bytes: i64) -> Rule {
    mock!(Client::head_object)
        .then_output(move || HeadObjectOutput::builder().content_length(bytes).build())
}

fn read(archive: Vec<u8>) -> [Rule; 2] {
    let size = archive.len().try_into().unwrap();
    let get = mock!(Client::get_object).then_output(move || {
        GetObjectOutput::builder().body(ByteStream::from(archive.clone())).build()
    });
    [measured(size), get]
}

fn problem<T: std::fmt::Debug>(result: Result<T, Refusal>) -> FieldProblem {
    match result {
        Err(Refusal::InvalidFunction(problems)) => problems.first()[0].clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_copy_whose_checksum_is_that_of_parts_is_refused_and_removed() {
    for (checksum, kind) in [
        ("8f5DR6rSfEAM4iI4xMbjFA==-3", None),
        ("8f5DR6rSfEAM4iI4xMbjFA==", Some(ChecksumType::Composite)),
    ] {
        let head = measured(READ_UP_TO_BYTES + 1);
        let copy = mock!(Client::copy_object)
            .then_output(|| CopyObjectOutput::builder().version_id("v1").build());
        let stored = mock!(Client::head_object).then_output(move || {
            HeadObjectOutput::builder()
                .checksum_sha256(checksum)
                .set_checksum_type(kind.clone())
                .content_length(READ_UP_TO_BYTES + 1)
                .build()
        });
        let delete = mock!(Client::delete_object)
            .match_requests(|request| request.version_id() == Some("v1"))
            .then_output(|| DeleteObjectOutput::builder().build());
        let bundles = bundles(&[&head, &copy, &stored, &delete]);
        let id = OperationId::generate();
        let problem = problem(bundles.store(id, &request(object()), None, &caller(), None).await);
        assert_eq!(problem.pointer, "/code/s3Key");
        assert_eq!(problem.code, FieldProblemCode::CodeNotAvailable);
        assert!(problem.detail.contains("upload it again"), "{}", problem.detail);
        assert_eq!(delete.num_calls(), 1);
    }
}

#[tokio::test]
async fn a_version_is_at_fault_only_where_one_was_sent() {
    for (version, pointer) in [(Some("x"), "/code/s3ObjectVersion"), (None, "/code/s3Key")] {
        let refused = mock!(Client::head_object).then_http_response(|| {
            HttpResponse::new(StatusCode::try_from(400).unwrap(), "".into())
        });
        let (bucket, key) = ("builds".into(), "a.zip".into());
        let code = CodeSource::S3(S3Object { bucket, key, version: version.map(str::to_owned) });
        let problem = problem(bundles(&[&refused]).preview(&request(code), None, &caller()).await);
        assert_eq!(problem.pointer, pointer);
        assert_eq!(problem.code, FieldProblemCode::CodeNotAvailable);
    }
}

#[tokio::test]
async fn code_in_s3_is_judged_as_if_it_were_in_the_request() {
    let good = bundle::from_source("index.mjs", "x").unwrap();
    let mut damaged = good.clone();
    // The file's only byte, behind a header of 30 bytes and its name.
    damaged[39] ^= 1;
    let [head, get] = read(damaged);
    let problem =
        problem(bundles(&[&head, &get]).preview(&request(object()), None, &caller()).await);
    assert_eq!(problem.pointer, "/code/s3Key");
    assert!(problem.detail.contains("is damaged"), "{}", problem.detail);

    let [head, get] = read(bundle::from_source("main.mjs", "x").unwrap());
    let (_, warnings) =
        bundles(&[&head, &get]).preview(&request(object()), None, &caller()).await.unwrap();
    assert_eq!(warnings[0].code, WarningCode::HandlerNotFound);

    let [head, get] = read(good);
    let (code, warnings) =
        bundles(&[&head, &get]).preview(&request(object()), None, &caller()).await.unwrap();
    assert!(warnings.is_empty() && !code.inline, "{warnings:?}");
}

#[tokio::test]
async fn inline_source_is_remembered_as_such() {
    let put = mock!(Client::put_object)
        .then_output(|| PutObjectOutput::builder().version_id("v1").build());
    let defaults = Defaults::default();
    let body = serde_json::json!({"functionName": "hello", "code": "exports.handler = 1"});
    let request = request::read(&body, &defaults, None).unwrap();
    let id = OperationId::generate();
    let (bundle, warnings) =
        bundles(&[&put]).store(id, &request, None, &caller(), None).await.unwrap();
    assert!(bundle.inline);
    assert_eq!(warnings[0].code, WarningCode::CommonjsInModule);

    let (same, _) = bundles(&[]).preview(&request, Some(&bundle), &caller()).await.unwrap();
    assert_eq!(same, CodeSummary::from(&bundle));

    // The previous release did not: the next time that the same comes inline it is learnt, and
    // nothing is stored.
    let unknown = Bundle { inline: false, ..bundle.clone() };
    let (learnt, _) =
        bundles(&[]).store(id, &request, Some(&unknown), &caller(), None).await.unwrap();
    assert_eq!(learnt, bundle);
    let (learnt, _) = bundles(&[]).preview(&request, Some(&unknown), &caller()).await.unwrap();
    assert!(learnt.inline);
}

/// An upload whose id is so old.
fn upload_made(ago: Duration) -> CodeSource {
    let made = SystemTime::now() - ago;
    CodeSource::Upload(Ulid::from_datetime(made).to_string().parse().unwrap())
}

fn upload() -> CodeSource {
    upload_made(Duration::ZERO)
}

/// What was uploaded: so many bytes of this digest.
fn uploaded(bytes: i64, sha256: &str) -> Rule {
    let head = HeadObjectOutput::builder().content_length(bytes).checksum_sha256(sha256);
    let head = head.e_tag("e").build();
    mock!(Client::head_object)
        .match_requests(|request| {
            request.checksum_mode() == Some(&ChecksumMode::Enabled)
                && request.bucket() == Some("artifacts")
                && request.key().is_some_and(|key| key.starts_with("uploads/"))
        })
        .then_output(move || head.clone())
}

fn is_not_found(refusal: &Refusal) -> bool {
    let Refusal::UploadNotFound(errors) = refusal else { return false };
    let [error] = errors.first() else { return false };
    error.pointer == "/code/uploadId" && error.code == FieldProblemCode::UploadNotFound
}

#[tokio::test]
async fn an_upload_too_large_to_be_read_is_copied_under_the_digest_that_it_was_put_with() {
    let size = 40 * 1024 * 1024;
    let head = uploaded(size, "c2hh");
    let copy = mock!(Client::copy_object)
        .match_requests(|request| {
            let source = request.copy_source().unwrap_or_default();
            source.starts_with("artifacts/uploads/")
                && request.copy_source_if_match() == Some("e")
                && request.tagging() == Some("state=pending")
                && request.key().is_some_and(|key| key.starts_with("bundles/hello/"))
        })
        .then_output(|| CopyObjectOutput::builder().version_id("v1").build());
    let id = OperationId::generate();
    let bundles = bundles(&[&head, &copy]);
    let (stored, warnings) =
        bundles.store(id, &request(upload()), None, &caller(), None).await.unwrap();
    assert_eq!((stored.sha256.as_str(), stored.size_bytes), ("c2hh", 40 * 1024 * 1024));
    assert_eq!((stored.version.as_str(), stored.inline), ("v1", false));
    assert!(warnings.is_empty());
}

#[tokio::test]
async fn an_upload_of_what_the_function_has_is_measured_and_nothing_more() {
    let archive = bundle::from_source("index.mjs", "x").unwrap();
    let sha256 = bundle::sha256(&archive);
    let (key, version) = ("bundles/hello/1.zip".to_owned(), "v1".to_owned());
    let (size_bytes, inline) = (archive.len() as u64, false);
    let current = Bundle { sha256: sha256.clone(), size_bytes, inline, key, version };
    let id = OperationId::generate();
    let head = uploaded(archive.len().try_into().unwrap(), &sha256);
    let stored = bundles(&[&head]);
    let stored =
        stored.store(id, &request(upload()), Some(&current), &caller(), None).await.unwrap();
    assert_eq!(stored, (current.clone(), Vec::new()));
    let head = uploaded(archive.len().try_into().unwrap(), &sha256);
    let shown = bundles(&[&head]);
    let shown = shown.preview(&request(upload()), Some(&current), &caller()).await.unwrap();
    assert_eq!(shown.0, CodeSummary::from(&current));
}

#[tokio::test]
async fn an_upload_that_can_be_read_is_judged_at_its_id() {
    let mut damaged = bundle::from_source("index.mjs", "x").unwrap();
    damaged[39] ^= 1;
    let head = uploaded(damaged.len().try_into().unwrap(), &bundle::sha256(&damaged));
    let [_, get] = read(damaged);
    let refused = bundles(&[&head, &get]).preview(&request(upload()), None, &caller()).await;
    let problem = problem(refused);
    assert_eq!(problem.pointer, "/code/uploadId");
    assert!(problem.detail.contains("is damaged"), "{}", problem.detail);
}

#[tokio::test]
async fn what_was_not_uploaded_is_not_found() {
    for status in [403, 404] {
        let refused = mock!(Client::head_object).then_http_response(move || {
            HttpResponse::new(StatusCode::try_from(status).unwrap(), "".into())
        });
        let refused = bundles(&[&refused]).preview(&request(upload()), None, &caller()).await;
        assert!(is_not_found(&refused.unwrap_err()), "{status}");
    }
    // Nothing is asked for by an id that is too old.
    let old = upload_made(Duration::from_secs(24 * 60 * 60));
    let refused = bundles(&[]).preview(&request(old), None, &caller()).await;
    assert!(is_not_found(&refused.unwrap_err()));
}

#[tokio::test]
async fn what_is_forbidden_behind_the_measuring_is_no_fault_of_the_caller() {
    let denied = || {
        HttpResponse::new(
            StatusCode::try_from(403).unwrap(),
            "<Error><Code>AccessDenied</Code></Error>".into(),
        )
    };
    let id = OperationId::generate();
    for key in [None, Some(&key("a"))] {
        let copy = mock!(Client::copy_object).then_http_response(denied);
        let bundles = bundles(&[&uploaded(READ_UP_TO_BYTES + 1, "c2hh"), &copy]);
        let refused =
            bundles.store(id, &request(upload()), None, &caller(), key).await.unwrap_err();
        assert_eq!(refused.code(), ProblemCode::InternalError, "{refused:?}");
    }
    let get = mock!(Client::get_object).then_http_response(denied);
    let refused = bundles(&[&uploaded(READ_UP_TO_BYTES, "c2hh"), &get]);
    let refused = refused.preview(&request(upload()), None, &caller()).await.unwrap_err();
    assert_eq!(refused.code(), ProblemCode::InternalError, "{refused:?}");
}

/// A copy to a key of its request's own, which answers so; and where it would have gone.
fn copied_once(status: u16) -> (Rule, Arc<Mutex<Vec<String>>>) {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let copy = mock!(Client::copy_object)
        .match_requests(move |request| {
            seen.lock().unwrap().extend(request.key().map(str::to_owned));
            request.if_none_match() == Some("*") && request.tagging() == Some("state=pending")
        })
        .then_http_response(move || {
            let mut response = HttpResponse::new(
                StatusCode::try_from(status).unwrap(),
                "<CopyObjectResult/>".into(),
            );
            response.headers_mut().insert("x-amz-version-id", "v2");
            response
        });
    (copy, keys)
}

#[tokio::test]
async fn a_copy_that_ended_late_is_found_by_the_next_try_of_its_request() {
    let upload = upload();
    let (first, keys) = copied_once(200);
    let id = OperationId::generate();
    let bundles_of = bundles(&[&uploaded(READ_UP_TO_BYTES + 1, "c2hh"), &first]);
    let (caller, own) = (caller(), key("a"));
    let (made, _) =
        bundles_of.store(id, &request(upload.clone()), None, &caller, Some(&own)).await.unwrap();
    assert_eq!((made.version.as_str(), &made.key), ("v2", &keys.lock().unwrap()[0]));

    let (again, keys) = copied_once(412);
    let there = made.key.clone();
    let found = mock!(Client::head_object)
        .match_requests(move |request| request.key() == Some(&there))
        .then_output(|| {
            HeadObjectOutput::builder().version_id("v1").checksum_sha256("c2hh").build()
        });
    let next = OperationId::generate();
    let bundles_of = bundles(&[&uploaded(READ_UP_TO_BYTES + 1, "c2hh"), &again, &found]);
    let (late, _) =
        bundles_of.store(next, &request(upload.clone()), None, &caller, Some(&own)).await.unwrap();
    assert_eq!((late.version.as_str(), late.sha256.as_str()), ("v1", "c2hh"));
    assert_eq!((late.size_bytes, &late.key), (made.size_bytes, &made.key));
    assert_eq!(keys.lock().unwrap()[0], made.key);

    // Neither try removes what the other may have taken: there is no call for it.
    bundles_of.discard(&"hello".parse().unwrap(), next, &late).await;

    // What another request has copied of the same upload is its own.
    let (other, keys) = copied_once(200);
    let bundles_of = bundles(&[&uploaded(READ_UP_TO_BYTES + 1, "c2hh"), &other]);
    bundles_of.store(next, &request(upload), None, &caller, Some(&key("b"))).await.unwrap();
    assert_ne!(keys.lock().unwrap()[0], made.key);
}

#[tokio::test]
async fn another_object_under_the_key_of_a_copy_is_not_taken_for_it() {
    for (status, version, code) in [
        (200, "b3RoZXI=", ProblemCode::ServiceUnavailable),
        // Then it was the upload that has gone.
        (404, "", ProblemCode::UploadNotFound),
        (403, "", ProblemCode::InternalError),
    ] {
        let (copy, _) = copied_once(412);
        let there = mock!(Client::head_object).then_http_response(move || {
            let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), "".into());
            response.headers_mut().insert("x-amz-version-id", "v1");
            response.headers_mut().insert("x-amz-checksum-sha256", version);
            response
        });
        let bundles = bundles(&[&uploaded(READ_UP_TO_BYTES + 1, "c2hh"), &copy, &there]);
        let id = OperationId::generate();
        let refused = bundles.store(id, &request(upload()), None, &caller(), Some(&key("a"))).await;
        assert_eq!(refused.unwrap_err().code(), code, "{status}");
    }
}

#[tokio::test]
async fn a_copy_at_the_same_time_is_asked_for_again() {
    let copy = mock!(Client::copy_object).then_http_response(|| {
        let told = "<Error><Code>ConditionalRequestConflict</Code></Error>";
        HttpResponse::new(StatusCode::try_from(409).unwrap(), told.into())
    });
    let bundles = bundles(&[&uploaded(READ_UP_TO_BYTES + 1, "c2hh"), &copy]);
    let id = OperationId::generate();
    let refused = bundles.store(id, &request(upload()), None, &caller(), Some(&key("a"))).await;
    assert_eq!(refused.unwrap_err().code(), ProblemCode::ServiceUnavailable);
}

#[tokio::test]
async fn only_what_an_operation_has_stored_itself_is_discarded() {
    let (hello, id) = ("hello".parse().unwrap(), OperationId::generate());
    let stored = |key: String| Bundle {
        sha256: "c2hh".into(),
        size_bytes: 7,
        inline: false,
        key,
        version: "v1".into(),
    };
    let delete = mock!(Client::delete_object)
        .match_requests(|request| request.version_id() == Some("v1"))
        .then_output(|| DeleteObjectOutput::builder().build());
    let bundles = bundles(&[&delete]);
    bundles.discard(&hello, id, &stored(bundle_key(&hello, OperationId::generate()))).await;
    assert_eq!(delete.num_calls(), 0, "that is another's");
    bundles.discard(&hello, id, &stored(bundle_key(&hello, id))).await;
    assert_eq!(delete.num_calls(), 1);
}

/// S3, where an upload is found and a copy never answered.
#[derive(Clone, Debug)]
struct Endless;

impl HttpConnector for Endless {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.method() == "PUT" {
            return HttpConnectorFuture::new(std::future::pending());
        }
        let mut found = HttpResponse::new(StatusCode::try_from(200).unwrap(), "".into());
        found.headers_mut().insert("content-length", (READ_UP_TO_BYTES + 1).to_string());
        found.headers_mut().insert("x-amz-checksum-sha256", "c2hh");
        HttpConnectorFuture::ready(Ok(found))
    }
}

impl HttpClient for Endless {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_takes_too_long_can_be_asked_for_again() {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKID", "s3cr3t", None, None, "a test"))
        .http_client(Endless)
        .build();
    let bundles = Bundles::new(Client::from_conf(config), "artifacts", "111122223333", Vec::new());
    let (id, begun) = (OperationId::generate(), Instant::now());
    let request = request(upload());
    let (caller, key) = (caller(), key("a"));
    let stored = bundles.store(id, &request, None, &caller, Some(&key));
    let refused = tokio::time::timeout(2 * COPY_TIMEOUT, stored).await;
    let refused = refused.expect("it is given up").unwrap_err();
    assert_eq!(refused.code(), ProblemCode::ServiceUnavailable, "{refused:?}");
    assert_eq!(begun.elapsed().as_secs(), COPY_TIMEOUT.as_secs());
}

#[tokio::test]
async fn an_upload_is_for_a_caller_that_was_verified() {
    let event = Caller::new("event:111122223333:acme.builds");
    let problem = problem(bundles(&[]).preview(&request(upload()), None, &event).await);
    assert_eq!(problem.pointer, "/code/uploadId");
    assert_eq!(problem.code, FieldProblemCode::NotSupported);
}

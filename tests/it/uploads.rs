//! Code past the API: archives of any size, put to a link and named by an id; and links to code.

use std::time::{Duration, SystemTime};

use formation_client::Client;
use formation_model::names::upload_key;
use formation_model::{CodeLink, OperationStatus, Upload, UploadRequest, bundle};
use formation_tests::links::follow;
use formation_tests::operations::function_name;
use formation_tests::{Answer, Fault, Rule, World, ask};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use ulid::Ulid;

use crate::permissions::{roles, session, user};
use crate::requests::{FUNCTIONS, path};

/// An archive of about so many bytes, whose function answers `told`.
fn archive(told: &str, bytes: usize) -> Vec<u8> {
    let source = format!("export const handler = () => '{told}'; // {}", "x".repeat(bytes));
    bundle::from_source("index.mjs", &source).unwrap()
}

fn request(archive: &[u8]) -> UploadRequest {
    UploadRequest { size_bytes: archive.len() as u64, sha256: bundle::sha256(archive) }
}

/// Uploads an archive, and answers what code is that names it.
async fn uploaded(client: &Client, archive: Vec<u8>) -> Value {
    let upload = client.create_upload(&request(&archive)).await.unwrap();
    client.put_upload(&upload, archive).await.unwrap();
    json!({"uploadId": upload.upload_id})
}

/// The S3 calls that name this word, through the proxy.
fn s3_calls(world: &World, word: &str) -> Vec<String> {
    let calls = world.proxy.calls(word).into_iter().filter(|call| call.service == "s3");
    calls.map(|call| call.operation).collect()
}

/// How many versions of uploads of this id there are, whoever's they are.
async fn versions(world: &World, id: &str) -> usize {
    let listed = world.s3.list_object_versions().bucket(&world.stack.artifact_bucket);
    let listed = listed.prefix("uploads/").send().await.unwrap();
    let keys = listed.versions().iter().filter_map(|version| version.key());
    keys.filter(|key| key.contains(id)).count()
}

/// The most memory that a Lambda's processes on this machine have had, in bytes.
#[cfg(target_os = "linux")]
fn peak(lambda: &str) -> Option<u64> {
    let own = format!("AWS_LAMBDA_FUNCTION_NAME={lambda}");
    let peak_of = |process: std::fs::DirEntry| {
        let environment = std::fs::read(process.path().join("environ")).ok()?;
        environment.split(|byte| *byte == 0).find(|it| *it == own.as_bytes())?;
        let status = std::fs::read_to_string(process.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|process| peak_of(process.ok()?)).max()
}

pub async fn forty_megabytes_are_uploaded_past_the_api(world: &World) {
    let name = world.name("uploaded");
    let (_, client) = user(world, "uploader", &["FullAccess"]).await;
    let archive = archive("forty", 40 << 20);
    let upload = client.create_upload(&request(&archive)).await.unwrap();
    #[cfg(target_os = "linux")]
    let (lambda, before) = {
        let lambda = world.lambda_name("ApiFunction").await;
        let before = peak(&lambda).unwrap();
        (lambda, before)
    };
    client.put_upload(&upload, archive.clone()).await.unwrap();
    let id = upload.upload_id.to_string();
    assert_eq!(s3_calls(world, &id), ["PutObject"]);

    // A plan knows its digest, and writes nothing.
    let body = json!({"functionName": name, "code": {"uploadId": id}});
    let plan = world.planned(client.create(&body)).await;
    let sha256 = bundle::sha256(&archive);
    assert!(json!(plan).to_string().contains(&sha256), "{plan:#?}");
    assert!(world.bundle_states(&name).await.is_empty());

    let accepted = ask(&client, Method::POST, FUNCTIONS, &[], body.to_string()).await;
    let operation = world.ended(&accepted).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    let code = json!({"sha256": sha256, "sizeBytes": archive.len(), "inline": false});
    assert_eq!(json!(world.function(&name).await.spec.code), code);
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "forty");
    assert_eq!(world.bundle_states(&name).await, ["kept"]);

    // It was measured and copied, and never passed through the API.
    assert_eq!(s3_calls(world, &id), ["PutObject", "HeadObject", "HeadObject"]);
    assert_eq!(s3_calls(world, &name), ["CopyObject", "PutObjectTagging"]);
    #[cfg(target_os = "linux")]
    {
        // Other tests ask for other things meanwhile, and none of them for as much as the archive.
        let more = peak(&lambda).unwrap().saturating_sub(before);
        assert!(more < 30 << 20, "the API has needed {more} bytes more than {before}");
    }
    // The link is nobody else's to know.
    let signature = upload.url.split_once("X-Amz-Signature=").unwrap().1;
    for secret in [&signature[..64], "X-Amz-Signature"] {
        assert!(world.log_of("formation-api", secret).await.is_empty(), "{secret}");
    }

    // What GET returned can be PUT, and the same bytes once more change nothing.
    let described = world.api(Method::GET, &path(&name), None).await;
    let etag = [("if-match", described.header("etag"))];
    let put = ask(&client, Method::PUT, &path(&name), &etag, described.body.clone()).await;
    assert_eq!(put.status, 200, "{put:?}");
    let patch = json!({"code": uploaded(&client, archive).await}).to_string();
    let same = ask(&client, Method::PATCH, &path(&name), &[], patch).await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, described.header("etag")));
    assert_eq!(s3_calls(world, &name), ["CopyObject", "PutObjectTagging"], "no copy");
}

pub async fn code_that_was_uploaded_is_judged_as_all_code_is(world: &World) {
    let name = world.name("judged");
    world.create(&name, json!({})).await;
    let before = s3_calls(world, &name).len();
    let mut damaged = archive("damaged", 0);
    damaged[45] ^= 1;
    let patch = json!({"code": uploaded(&world.client, damaged).await});
    for query in ["?dryRun=true", ""] {
        let at = format!("{}{query}", path(&name));
        let refused = world.api(Method::PATCH, &at, Some(&patch)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let problem = refused.json();
        assert_eq!(problem["code"], "INVALID_FUNCTION", "{problem:#}");
        assert_eq!(problem["errors"][0]["pointer"], "/code/uploadId", "{problem:#}");
    }
    assert_eq!(s3_calls(world, &name).len(), before, "nothing is stored");

    let patch = json!({"code": uploaded(&world.client, archive("good", 0)).await});
    let operation = world.patch(&name, patch).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "good");
}

pub async fn s3_takes_what_was_announced_once_and_nothing_else(world: &World) {
    let archive = archive("announced", 1000);
    let ask_for = async || world.client.create_upload(&request(&archive)).await.unwrap();
    let put = async |upload: &Upload, body: &[u8]| {
        follow(Method::PUT, &upload.url, &upload.headers, body.to_vec()).await
    };
    let refused = async |what: &str, upload: &Upload, body: &[u8]| {
        let answer = put(upload, body).await;
        assert!(answer.status.is_client_error(), "{what}: {answer:?}");
        assert_eq!(versions(world, &upload.upload_id.to_string()).await, 0, "{what}");
    };
    let mut other = archive.clone();
    other[100] ^= 1;
    refused("other bytes", &ask_for().await, &other).await;

    let mut shorter = ask_for().await;
    let length = (archive.len() - 1).to_string();
    shorter.headers.insert("content-length".to_owned(), length);
    refused("another length", &shorter, &archive[1..]).await;

    let mut elsewhere = ask_for().await;
    let own = elsewhere.upload_id.to_string();
    let others = ask_for().await.upload_id;
    elsewhere.url = elsewhere.url.replace(&own, &others.to_string());
    elsewhere.upload_id = others;
    refused("another key", &elsewhere, &archive).await;

    let headers = ask_for().await.headers;
    for name in headers.keys().filter(|name| *name != "content-length") {
        let mut upload = ask_for().await;
        upload.headers.remove(name);
        refused(name, &upload, &archive).await;
    }
    let mut kept = ask_for().await;
    kept.headers.insert("x-amz-tagging".to_owned(), "state=kept".to_owned());
    refused("another tag", &kept, &archive).await;

    let upload = ask_for().await;
    let first = put(&upload, &archive).await;
    assert_eq!(first.status, 200, "{first:?}");
    let second = put(&upload, &archive).await;
    assert_eq!(second.status, 412, "{second:?}");
    assert_eq!(versions(world, &upload.upload_id.to_string()).await, 1);
    // To the client that is done: an answer may have been lost.
    world.client.put_upload(&upload, archive.clone()).await.unwrap();
}

/// Whether an answer tells that there is no such upload, in all of its places.
fn is_not_found(answer: &Answer) -> bool {
    let problem = answer.json();
    let error = &problem["errors"][0];
    answer.status == 422
        && problem["code"] == "UPLOAD_NOT_FOUND"
        && error["pointer"] == "/code/uploadId"
        && error["code"] == "UPLOAD_NOT_FOUND"
}

pub async fn an_upload_is_its_callers_own_and_for_a_day(world: &World) {
    let name = world.name("not-theirs");
    let there = world.name("there");
    world.create(&there, json!({})).await;
    let before = world.function(&there).await.spec.code;
    let (ann_name, ann) = user(world, "ann", &["FullAccess"]).await;
    let (_, bob) = user(world, "bob", &["FullAccess"]).await;
    let archive = archive("anns", 0);
    let anns = uploaded(&ann, archive.clone()).await;
    let empty = ann.create_upload(&request(&archive)).await.unwrap().upload_id;
    // An old one, whose archive S3 has not removed yet.
    let old = SystemTime::now() - Duration::from_secs(24 * 60 * 60 + 60);
    let old = Ulid::from_datetime(old).to_string();
    let arn = format!("arn:aws:iam::{}:user/{ann_name}", world.stack.account_id);
    let put = world.s3.put_object().bucket(&world.stack.artifact_bucket);
    let put = put.key(upload_key(&arn, old.parse().unwrap()));
    let put = put.checksum_sha256(bundle::sha256(&archive)).body(archive.clone().into());
    put.send().await.unwrap();

    for (what, client, code) in [
        ("another's", &bob, anns.clone()),
        ("root's view of it", &world.client, anns.clone()),
        ("one that nothing was put to", &ann, json!({"uploadId": empty})),
        ("an old one", &ann, json!({"uploadId": old})),
        ("one that never was", &ann, json!({"uploadId": Ulid::generate().to_string()})),
    ] {
        let body = json!({"functionName": name, "code": code}).to_string();
        let absent = [("if-none-match", "*")];
        let patch = json!({"code": code}).to_string();
        for query in ["", "?dryRun=true"] {
            let to = |path: String| format!("{path}{query}");
            let (list, new, old) = (to(FUNCTIONS.to_owned()), to(path(&name)), to(path(&there)));
            let posted = ask(client, Method::POST, &list, &[], body.clone()).await;
            assert!(is_not_found(&posted), "{what}: POST {query} {posted:?}");
            let put = ask(client, Method::PUT, &new, &absent, body.clone()).await;
            assert!(is_not_found(&put), "{what}: PUT {query} {put:?}");
            let patched = ask(client, Method::PATCH, &old, &[], patch.clone()).await;
            assert!(is_not_found(&patched), "{what}: PATCH {query} {patched:?}");
        }
    }
    let malformed = json!({"functionName": name, "code": {"uploadId": "../../bundles/x"}});
    let refused = ask(&ann, Method::POST, FUNCTIONS, &[], malformed.to_string()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (422, &json!("INVALID_FUNCTION"))
    );

    // By event nobody is known who could own one.
    let function = json!({"functionName": name, "code": anns});
    let id = world.put_request(json!({"kind": "CREATE", "function": function})).await;
    let told = |event: &Value| event["detail"]["idempotencyKey"] == id.as_str();
    let rejected = world.announced("the event is answered", told).await;
    let detail = &rejected["detail"];
    assert_eq!(detail["status"], "REJECTED", "{rejected:#}");
    assert_eq!(detail["problem"]["errors"][0]["pointer"], "/code/uploadId", "{rejected:#}");

    assert!(!world.is_known(&name).await);
    assert!(world.bundle_states(&name).await.is_empty());
    assert!(world.live(&name).await.parts().is_empty());
    assert_eq!(world.function(&there).await.spec.code, before);
    // It is there all the same, for whom it is.
    let body = json!({"functionName": name, "code": anns}).to_string();
    let accepted = ask(&ann, Method::POST, FUNCTIONS, &[], body).await;
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
}

pub async fn an_upload_is_a_roles_own_in_every_session(world: &World) {
    let name = world.name("own-upload");
    let roles = roles(world).await;
    let (monday, tuesday) =
        (session(world, &roles[0], "monday").await, session(world, &roles[0], "tuesday").await);
    let other = session(world, &roles[1], "monday").await;
    let code = uploaded(&monday, archive("own", 0)).await;
    let body = json!({"functionName": name, "code": code}).to_string();
    let refused = ask(&other, Method::POST, FUNCTIONS, &[], body.clone()).await;
    assert!(is_not_found(&refused), "{refused:?}");
    let accepted = ask(&tuesday, Method::POST, FUNCTIONS, &[], body).await;
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "own");
}

pub async fn a_copy_that_fails_is_asked_for_again_under_the_same_key(world: &World) {
    let name = world.name("copied-late");
    let code = uploaded(&world.client, archive("late", 9 << 20)).await;
    let body = json!({"functionName": name, "code": code}).to_string();
    let key = [("idempotency-key", name.as_str())];
    // As often as the SDK tries.
    world.proxy.inject(Rule::new("s3:CopyObject", &name, 3, Fault::Fail));
    let refused = world.api_raw(Method::POST, FUNCTIONS, &key, body.clone()).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json()["code"], "SERVICE_UNAVAILABLE");
    assert!(!refused.header("retry-after").is_empty());
    assert!(world.proxy.is_spent(&name));
    assert!(!world.is_known(&name).await, "nothing is claimed");

    let accepted = world.api_raw(Method::POST, FUNCTIONS, &key, body).await;
    assert_eq!(accepted.header("idempotency-replayed"), "", "{accepted:?}");
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "late");
}

pub async fn an_answer_lost_by_any_call_that_takes_over_an_upload_is_made_good(world: &World) {
    // Code that is read, and code that is copied unread.
    let sizes = [
        (0, ["HeadObject", "GetObject", "PutObject"].as_slice()),
        (9 << 20, &["HeadObject", "CopyObject"]),
    ];
    let cases = sizes.iter().flat_map(|(bytes, calls)| calls.iter().map(|call| (*bytes, *call)));
    let all = cases.map(async |(bytes, call)| {
        let name = world.name("lost-upload");
        let archive = archive("lost", bytes);
        let upload = world.client.create_upload(&request(&archive)).await.unwrap();
        world.client.put_upload(&upload, archive.clone()).await.unwrap();
        let id = upload.upload_id.to_string();
        // What takes it over names the function; what looks at it, the upload.
        let named = if ["PutObject", "CopyObject"].contains(&call) { &name } else { &id };
        world.proxy.inject(Rule::new(&format!("s3:{call}"), named, 2, Fault::LoseAnswer));
        let created = world.create(&name, json!({"code": {"uploadId": id}})).await;
        assert_eq!(created.status, OperationStatus::Succeeded, "{call}: {created:#?}");
        assert!(world.proxy.is_spent(named), "{call}");
        assert_eq!(
            world.function(&name).await.spec.code.sha256,
            bundle::sha256(&archive),
            "{call}"
        );
        assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "lost", "{call}");
        assert_eq!(world.bundle_states(&name).await, ["kept"], "{call}");
    });
    join_all(all).await;
}

pub async fn a_link_leads_to_the_code_of_a_function(world: &World) {
    let name = world.name("linked");
    let (_, operator) = user(world, "linker", &["FullAccess"]).await;
    let (_, both) = user(world, "both", &["FullAccess", "ReadOnly"]).await;
    world.create(&name, json!({})).await;
    let at = format!("{}/code", path(&name));
    let denied = ask(&both, Method::GET, &at, &[], "").await;
    assert_eq!(denied.status, 403, "a reader is denied it, whatever else it may");

    let answer = ask(&operator, Method::GET, &at, &[], "").await;
    let link: CodeLink = answer.read();
    let fields: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["url", "expiresAt", "sha256", "sizeBytes"]);
    let described = world.function(&name).await.spec.code;
    assert_eq!((&link.sha256, link.size_bytes), (&described.sha256, described.size_bytes));
    let fetched = follow(Method::GET, &link.url, &[].into(), "").await;
    assert_eq!(fetched.status, 200, "{fetched:?}");
    assert_eq!(bundle::sha256(&fetched.body), described.sha256);

    // It is that version's for good, and for reading alone.
    let put = follow(Method::PUT, &link.url, &[].into(), "other").await;
    assert!(put.status.is_client_error(), "{put:?}");
    world.patch(&name, json!({"code": "export const handler = async () => 'second';"})).await;
    let newer = operator.code_link(&function_name(&name), None).await.unwrap();
    assert_ne!(newer.sha256, link.sha256);
    let again = follow(Method::GET, &link.url, &[].into(), "").await;
    assert_eq!(bundle::sha256(&again.body), link.sha256);
    assert!(world.log_of("formation-api", "X-Amz-Signature").await.is_empty());

    let missing = format!("{}/code", path(&world.name("missing")));
    let missing = ask(&operator, Method::GET, &missing, &[], "").await;
    assert_eq!(
        (missing.status.as_u16(), &missing.json()["code"]),
        (404, &json!("FUNCTION_NOT_FOUND"))
    );
}

//! Code that goes past the API, by links.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use formation_client::ClientError;
use formation_model::{Upload, UploadRequest};
use serde_json::{Value, json};

use crate::stub::{ID, Reply, Stub, TOKEN, answer, raw};

const SHA256: &str = "u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c=";
const LINK: &str = "/artifacts/uploads/x.zip?X-Amz-Signature=s3cr3t";

/// Where the stub takes an archive of so many bytes, for a quarter of an hour.
fn upload(stub: &Stub, bytes: usize) -> Upload {
    let upload = json!({
        "uploadId": ID, "method": "PUT", "url": format!("{}{LINK}", stub.url),
        "headers": {
            "content-length": bytes.to_string(), "content-type": "application/zip",
            "if-none-match": "*", "x-amz-checksum-sha256": SHA256, "x-amz-tagging": "state=pending",
        },
        "expiresAt": "2026-11-25T17:15:00.000Z",
    });
    let upload: Upload = serde_json::from_value(upload).unwrap();
    let ends = SystemTime::now() + Duration::from_secs(15 * 60);
    Upload { expires_at: ends.try_into().unwrap(), ..upload }
}

/// As S3 answers.
fn refused(status: u16, code: &str) -> Reply {
    let body = format!("<Error><Code>{code}</Code><Message>{TOKEN}</Message></Error>");
    raw(status, &[("content-type", "application/xml")], body)
}

#[tokio::test]
async fn an_archive_is_put_as_it_was_announced_and_without_credentials() {
    let stub = Stub::start(|_, seen| match seen.path() {
        "/v1/uploads" => answer(
            201,
            &[],
            &json!({
                "uploadId": ID, "method": "PUT", "url": "http://127.0.0.1:1/", "headers": {},
                "expiresAt": "2026-11-25T17:15:00.000Z",
            }),
        ),
        _ => raw(200, &[], ""),
    })
    .await;
    let client = stub.client();
    let request = UploadRequest { size_bytes: 4, sha256: SHA256.to_owned() };
    let asked = client.create_upload(&request).await.unwrap();
    assert_eq!(asked.upload_id.to_string(), ID);
    client.put_upload(&upload(&stub, 4), "PK\u{5}\u{6}").await.unwrap();

    let seen = stub.seen();
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!((seen[0].method.as_str(), body), ("POST", json!(request)));
    let put = &seen[1];
    assert_eq!((put.method.as_str(), put.target.as_str()), ("PUT", LINK));
    assert_eq!(put.body, "PK\u{5}\u{6}");
    for (name, value) in &upload(&stub, 4).headers {
        assert_eq!(put.header(name), value, "{name}");
    }
    for secret in ["authorization", "x-amz-security-token", "x-amz-date"] {
        assert_eq!(put.header(secret), "", "{secret}");
    }
}

#[tokio::test]
async fn a_put_is_repeated_until_it_is_there() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let stub = Stub::start(move |before, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        match before {
            0 => refused(503, "SlowDown"),
            1 => Reply::Lost,
            2 => refused(409, "ConditionalRequestConflict"),
            // What was lost was its answer.
            _ => refused(412, "PreconditionFailed"),
        }
    })
    .await;
    stub.client().put_upload(&upload(&stub, 1), "x").await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_put_is_not_repeated_once_its_link_has_ended() {
    let stub = Stub::start(|_, _| refused(503, "SlowDown")).await;
    let ended = SystemTime::now() - Duration::from_secs(1);
    let upload = Upload { expires_at: ended.try_into().unwrap(), ..upload(&stub, 1) };
    let error = stub.client().put_upload(&upload, "x").await.unwrap_err();
    assert!(matches!(error, ClientError::Storage { .. }), "{error:?}");
    assert_eq!(stub.seen().len(), 1, "the clock may be wrong, so S3 is asked once");
}

#[tokio::test]
async fn what_s3_refuses_is_told_by_its_code_alone() {
    let stub = Stub::start(|_, _| refused(403, "AccessDenied")).await;
    let error = stub.client().put_upload(&upload(&stub, 1), "x").await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("403") && shown.contains("AccessDenied"), "{shown}");
    assert!(!shown.contains(TOKEN) && !shown.contains("s3cr3t"), "{shown}");
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn an_archive_of_another_length_is_not_sent() {
    let stub = Stub::start(|_, _| raw(200, &[], "")).await;
    let error = stub.client().put_upload(&upload(&stub, 2), "x").await.unwrap_err();
    assert!(matches!(error, ClientError::InvalidRequest(_)), "{error:?}");
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn what_a_link_leads_to_comes_without_credentials_and_no_larger_than_it_may_be() {
    let stub = Stub::start(|before, _| match before {
        0 => Reply::Lost,
        _ => raw(200, &[], vec![7; 1000]),
    });
    let stub = stub.await;
    let client = stub.client();
    let link = format!("{}{LINK}", stub.url);
    assert_eq!(client.fetch(&link, 1000).await.unwrap(), vec![7; 1000]);
    for seen in stub.seen() {
        assert_eq!((seen.target.as_str(), seen.header("authorization")), (LINK, ""));
        assert!(seen.headers.get("x-amz-security-token").is_none(), "{seen:?}");
    }
    let error = client.fetch(&link, 999).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreadable { .. }), "{error}");
    let stub = Stub::start(|_, _| refused(403, "AccessDenied")).await;
    let link = format!("{}{LINK}", stub.url);
    for link in
        [link.as_str(), "http://192.0.2.1/x?X-Amz-Signature=s3cr3t", "/x?X-Amz-Signature=s3cr3t"]
    {
        let error = stub.client().fetch(link, 1000).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("s3cr3t") && !told.contains(TOKEN), "{told}");
    }
    assert_eq!(stub.seen().len(), 1);
}

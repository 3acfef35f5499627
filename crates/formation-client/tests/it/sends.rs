//! What is sent: routes, headers, bodies, signatures.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use formation_client::{BuildError, Client, ClientError, Condition, ETag, FunctionFilter, Look};
use formation_model::{
    Function, FunctionName, FunctionStatus, OperationId, Problem, ProblemCode, UploadRequest,
};
use futures_util::TryStreamExt;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::stub::{
    ID, Reply, Seen, Stub, TOKEN, about, answer, credentials, function, operation, problem,
};

fn name() -> FunctionName {
    "hello".parse().unwrap()
}

fn id() -> OperationId {
    ID.parse().unwrap()
}

/// The signature that what came should have, had the key's owner sent it at that time.
fn signature(seen: &Seen) -> String {
    let authorization = seen.header("authorization");
    let signed = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    let signed: BTreeSet<_> = signed.split(';').collect();
    assert!(
        ["host", "x-amz-date", "x-amz-security-token"].iter().all(|name| signed.contains(name))
    );
    // These two the signer sets itself.
    let set = ["x-amz-date", "x-amz-security-token"];
    let headers = seen.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let headers = headers.filter(|(name, _)| signed.contains(name) && !set.contains(name));
    let date = format!("{}+0000", seen.header("x-amz-date"));
    let date = Timestamp::strptime("%Y%m%dT%H%M%SZ%z", date).unwrap();
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(date.as_second().try_into().unwrap());
    let identity = Credentials::new("AKID", "s3cr3t", Some(TOKEN.into()), None, "a test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("execute-api")
        .time(date)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("http://{}{}", seen.header("host"), seen.target);
    let body = SignableBody::Bytes(&seen.body);
    let request = SignableRequest::new(seen.method.as_str(), url, headers, body).unwrap();
    sign(request, &params).unwrap().signature().to_owned()
}

#[tokio::test]
async fn what_is_signed_is_what_is_sent() {
    let stub = Stub::start(|_, _| answer(200, &[], &json!({"functions": []}))).await;
    let client = stub.client();
    let filter = FunctionFilter {
        status: Some(FunctionStatus::Available),
        prefix: Some("a b/+&=~ä%2e".into()),
        tags: [("team".to_owned(), "a:b+".to_owned()), ("tier".to_owned(), "x".to_owned())].into(),
        page_size: Some(7),
    };
    client.functions_page(&filter, Some("to/ken==")).await.unwrap();
    let document = json!({"functionName": "hello", "environment": {"KEY": "ä"}});
    // Whatever it is answered with: what counts is what came.
    let _answer = client.put(&name(), &document, &Condition::Absent).await;

    let seen = stub.seen();
    assert_eq!(
        seen[0].target,
        "/v1/functions?status=AVAILABLE&prefix=a%20b%2F%2B%26%3D~%C3%A4%252e&limit=7&nextToken=to%2Fken%3D%3D&tag=team%3Aa%3Ab%2B&tag=tier%3Ax"
    );
    for seen in &seen {
        let host = stub.url.strip_prefix("http://").unwrap();
        assert_eq!((seen.header("host"), seen.header("x-amz-security-token")), (host, TOKEN));
        assert!(seen.header("user-agent").starts_with("formation-client/"), "{seen:?}");
        let authorization = seen.header("authorization");
        assert!(
            authorization.contains("/eu-central-1/execute-api/aws4_request"),
            "{authorization}"
        );
        assert!(authorization.ends_with(&format!("Signature={}", signature(seen))), "{seen:?}");
    }
    let put = &seen[1];
    assert_eq!(
        (put.header("if-none-match"), put.header("content-type")),
        ("*", "application/json")
    );
    assert_eq!(put.body, document.to_string());
    // The whole body and every header that acts is under the signature.
    let other = Seen { body: "{}".into(), ..put.clone() };
    assert_ne!(signature(&other), signature(put));
    for acts in ["if-none-match", "idempotency-key", "content-type"] {
        assert!(put.header("authorization").contains(acts), "{acts}");
    }
}

fn revision() -> Value {
    json!({
        "revision": 7, "operationId": ID, "kind": "UPDATE", "createdAt": "2026-11-25T17:00:00.123Z",
        "createdBy": "arn:aws:iam::111122223333:user/ann", "sha256": "x", "version": "7",
    })
}

#[tokio::test]
async fn every_route_has_a_method() {
    let stub = Stub::start(|_, seen| match (seen.method.as_str(), seen.path()) {
        ("GET", "/v1") => answer(200, &[], &about()),
        ("POST", "/v1/plan") => {
            answer(200, &[], &json!({"plans": [{"functionName": "hello", "etag": "\"1-x\""}]}))
        }
        ("GET", "/v1/openapi.json") => answer(200, &[], &json!({"openapi": "3.1.0"})),
        ("GET", "/v1/functions") => answer(200, &[], &json!({"functions": [function("hello")]})),
        ("GET", "/v1/functions/hello") => answer(200, &[("etag", "\"1-x\"")], &function("hello")),
        ("GET", "/v1/functions/hello/drift") => answer(
            200,
            &[],
            &json!({"functionName": "hello", "revision": 3, "status": "IN_SYNC", "differences": []}),
        ),
        ("GET", "/v1/functions/hello/code") => answer(
            200,
            &[],
            &json!({"url": "https://x", "expiresAt": "2026-11-25T17:15:00.000Z", "sha256": "x", "sizeBytes": 1}),
        ),
        ("POST", "/v1/uploads") => answer(
            201,
            &[],
            &json!({
                "uploadId": ID, "method": "PUT", "url": "https://x", "headers": {},
                "expiresAt": "2026-11-25T17:15:00.000Z",
            }),
        ),
        ("GET", "/v1/functions/hello/operations") => {
            answer(200, &[], &json!({"operations": [operation("SUCCEEDED")]}))
        }
        ("GET", "/v1/functions/hello/revisions") => {
            answer(200, &[], &json!({"revisions": [revision()]}))
        }
        ("GET", "/v1/functions/hello/revisions/7") => answer(200, &[], &revision()),
        ("GET", _) => answer(200, &[], &operation("SUCCEEDED")),
        _ => answer(202, &[("etag", "\"2-y\"")], &operation("RUNNING")),
    })
    .await;
    let client = stub.client();
    let name = name();
    let etag = client.describe(&name).await.unwrap().etag;
    assert_eq!(etag.as_str(), "\"1-x\"");
    assert_eq!(client.about().await.unwrap().stack_name, "formation");
    assert_eq!(client.openapi().await.unwrap()["openapi"], "3.1.0");
    client.create(&json!({"functionName": "hello"})).await.unwrap();
    let planned = client.plan(&[json!({"functionName": "hello"})]).await.unwrap();
    assert_eq!(planned[0].etag.as_deref(), Some("\"1-x\""));
    client.put(&name, &json!({}), &Condition::Matches(etag.clone())).await.unwrap();
    let patch = json!({"memoryMegabytes": 256});
    client.patch(&name, &patch).wait(Duration::from_millis(7900)).await.unwrap();
    client.delete(&name).if_match(&ETag::any()).wait(Duration::from_secs(99)).await.unwrap();
    client.repair(&name).if_match(&etag).idempotency_key("mine").await.unwrap();
    client.roll_back(&name, Some(7)).await.unwrap();
    assert_eq!(client.drift(&name).await.unwrap().revision, 3);
    assert_eq!(client.code_link(&name, Some(7)).await.unwrap().size_bytes, 1);
    let upload = UploadRequest { size_bytes: 1, sha256: "x".into() };
    assert_eq!(client.create_upload(&upload).await.unwrap().upload_id.to_string(), ID);
    client.operation(&name, id()).await.unwrap();
    client.operation_with_steps(&name, id()).await.unwrap();
    let look = Look { steps: true, wait: Duration::from_secs(99) };
    client.describe_operation(&name, id(), look).await.unwrap();
    client.cancel(&name, id()).await.unwrap();
    let tags = [("app:tier".to_owned(), "a b".to_owned()), ("team".to_owned(), String::new())];
    let filter = FunctionFilter { tags: tags.into(), ..FunctionFilter::default() };
    client.functions_page(&filter, None).await.unwrap();
    let functions: Vec<_> =
        client.functions(FunctionFilter::default()).try_collect().await.unwrap();
    let revisions: Vec<_> = client.revisions(name.clone()).try_collect().await.unwrap();
    assert_eq!(client.revision(&name, 7).await.unwrap(), revisions[0]);
    let operations: Vec<_> = client.operations(name).try_collect().await.unwrap();
    assert_eq!((functions.len(), operations.len()), (1, 1));

    let seen = stub.seen();
    // The routes as the API describes them.
    let document = include_str!("../../../../docs/openapi.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let routes = paths.flat_map(|(path, item)| {
        let path = path.replace("{functionName}", "hello").replace("{operationId}", ID);
        let path = path.replace("{revision}", "7");
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let asked = seen.iter().map(|seen| format!("{} {}", seen.method, seen.path()));
    assert_eq!(asked.collect::<BTreeSet<_>>(), routes.collect());

    let lines: Vec<_> =
        seen.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/functions/hello".to_owned(),
            "GET /v1".to_owned(),
            "GET /v1/openapi.json".to_owned(),
            "POST /v1/functions".to_owned(),
            "POST /v1/plan".to_owned(),
            "PUT /v1/functions/hello".to_owned(),
            "PATCH /v1/functions/hello?wait=7".to_owned(),
            "DELETE /v1/functions/hello?wait=25".to_owned(),
            "POST /v1/functions/hello/repair".to_owned(),
            "POST /v1/functions/hello/rollback".to_owned(),
            "GET /v1/functions/hello/drift".to_owned(),
            "GET /v1/functions/hello/code?revision=7".to_owned(),
            "POST /v1/uploads".to_owned(),
            format!("GET /v1/functions/hello/operations/{ID}"),
            format!("GET /v1/functions/hello/operations/{ID}?steps=true"),
            format!("GET /v1/functions/hello/operations/{ID}?steps=true&wait=25"),
            format!("POST /v1/functions/hello/operations/{ID}/cancel"),
            "GET /v1/functions?tag=app%3Atier%3Aa%20b&tag=team%3A".to_owned(),
            "GET /v1/functions".to_owned(),
            "GET /v1/functions/hello/revisions".to_owned(),
            "GET /v1/functions/hello/revisions/7".to_owned(),
            "GET /v1/functions/hello/operations".to_owned(),
        ]
    );
    let header = |line: usize, name| seen[line].header(name);
    assert_eq!(header(5, "if-match"), "\"1-x\"");
    assert_eq!(header(6, "content-type"), "application/json");
    assert_eq!(header(7, "if-match"), "*");
    assert_eq!((header(8, "if-match"), header(8, "idempotency-key")), ("\"1-x\"", "mine"));
    assert!(seen[7].body.is_empty() && header(7, "content-type").is_empty());
    assert_eq!(seen[4].body, r#"{"functions":[{"functionName":"hello"}]}"#);
}

#[tokio::test]
async fn a_value_that_no_header_takes_is_refused_before_anything_is_sent() {
    let stub = Stub::start(|_, _| Reply::Silence).await;
    let client = stub.client();
    for key in ["", "a b", "ä", "a\r\nb", &"x".repeat(129)] {
        assert!(client.delete(&name()).idempotency_key(key).await.is_err(), "{key}");
    }
    let etag = ETag::from("\"1\"\r\nx: y".to_owned());
    assert!(client.delete(&name()).if_match(&etag).await.is_err());
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn another_caller_signs_on_the_same_connections() {
    let stub = Stub::start(|_, _| answer(404, &[], &problem(404, "FUNCTION_NOT_FOUND"))).await;
    let client = stub.client();
    for client in [client.with_credentials(credentials("OTHER")), client] {
        assert!(client.describe(&name()).await.is_err());
    }
    let keys = stub.seen();
    let keys = keys.iter().map(|seen| seen.header("authorization").contains("=OTHER/"));
    assert_eq!(keys.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_url_that_is_not_api_gateways_is_refused_unless_given_explicitly() {
    let built = |url, explicitly: bool| {
        let builder = Client::builder(url, "eu-central-1", credentials("AKID"));
        if explicitly { builder.given_explicitly() } else { builder }.build()
    };
    let refused = built("http://127.0.0.1:1", false);
    assert!(matches!(refused, Err(BuildError::UntrustedUrl(host)) if host == "127.0.0.1:1"));
    assert!(built("http://127.0.0.1:1", true).is_ok());
    let refused = Client::builder(
        "https://a1b2.execute-api.eu-central-1.amazonaws.com",
        "eu-central-1",
        credentials("AKID"),
    );
    let refused = refused.ca_bundle(Path::new("/there/is/none.pem")).build();
    assert!(matches!(refused, Err(BuildError::CaBundle(_))));
}

#[tokio::test]
async fn a_raw_request_is_sent_once_as_it_is_written_and_answered_whatever_came() {
    let stub =
        Stub::start(|_, _| answer(503, &[("x-told", "yes")], &problem(503, "THROTTLED"))).await;
    let client = stub.client();
    let target = "/v1/elsewhere?b=%20&a";
    let request = client.request(Method::POST, target).header("x-asked", "yes").body("{");
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("x-told")), (503, Some("yes")));
    assert!(answer.read::<Problem>().unwrap().code == ProblemCode::Throttled);
    assert!(answer.read::<Function>().is_err());
    let unsigned = client.request(Method::PUT, "/").json(&json!({"a": 1})).unsigned();
    assert_eq!(unsigned.send().await.unwrap().status, 503);

    let seen = stub.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].target.as_str(), &seen[0].body[..]), (target, &b"{"[..]));
    assert_eq!((seen[0].header("x-asked"), seen[0].header("content-type")), ("yes", ""));
    assert!(seen[0].header("authorization").ends_with(&signature(&seen[0])));
    assert!(!seen[1].headers.contains_key("authorization"));
    assert_eq!(seen[1].header("content-type"), "application/json");

    for (name, value) in [("a b", "x"), ("x-asked", "a\r\nb")] {
        let refused = client.request(Method::GET, "/").header(name, value).send().await;
        assert!(matches!(refused, Err(ClientError::InvalidRequest(_))), "{refused:?}");
    }
    let refused = client.request(Method::GET, "/a b").send().await;
    assert!(matches!(refused, Err(ClientError::InvalidRequest(_))), "{refused:?}");
    assert_eq!(stub.seen().len(), 2);
}

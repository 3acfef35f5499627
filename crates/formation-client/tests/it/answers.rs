//! What is made of answers.

use formation_client::{Changed, ClientError, FunctionFilter};
use formation_model::{FunctionName, FunctionStatus, ProblemCode, Rollback};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::stub::{ID, Reply, Stub, answer, function, operation, problem, raw};

fn name() -> FunctionName {
    "hello".parse().unwrap()
}

async fn patched(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> Result<Changed, ClientError> {
    let stub = Stub::start(move |_, _| reply()).await;
    stub.client().patch(&name(), &json!({})).await
}

#[tokio::test]
async fn every_answer_to_a_change_says_what_came_of_it() {
    let location = format!("/v1/functions/hello/operations/{ID}");
    let done = move |status, replayed: bool| {
        let mut headers = vec![("etag", "\"2-x\""), ("operation-location", location.as_str())];
        if replayed {
            headers.push(("idempotency-replayed", "true"));
        }
        if status == 204 {
            raw(status, &headers[1..], "")
        } else {
            answer(status, &headers, &function("hello"))
        }
    };
    let made = done.clone();
    let Changed::Done(created) = patched(move || made(201, true)).await.unwrap() else { panic!() };
    assert!(created.replayed && created.operation_id == Some(ID.parse().unwrap()));
    let described = created.function.unwrap();
    assert_eq!(described.etag.as_str(), "\"2-x\"");
    assert!(described.function.status == FunctionStatus::Available);
    let changed = done.clone();
    let Changed::Done(changed) = patched(move || changed(200, false)).await.unwrap() else {
        panic!()
    };
    assert!(!changed.replayed && changed.function.is_some());
    let Changed::Done(gone) = patched(move || done(204, false)).await.unwrap() else { panic!() };
    assert!(gone.function.is_none() && gone.operation_id.is_some());

    let unchanged = patched(|| answer(200, &[("etag", "\"2-x\"")], &function("hello"))).await;
    assert!(matches!(unchanged, Ok(Changed::Unchanged(_))), "{unchanged:?}");
    let accepted = patched(|| answer(202, &[("etag", "\"3-y\"")], &operation("RUNNING"))).await;
    let Ok(Changed::Accepted(accepted)) = accepted else { panic!("{accepted:?}") };
    assert!(!accepted.operation.has_ended() && !accepted.replayed);
    assert_eq!(accepted.etag.unwrap().as_str(), "\"3-y\"");

    let stub = Stub::start(|_, seen| {
        assert_eq!(seen.target, "/v1/functions/hello?dryRun=true");
        answer(200, &[], &json!({"functionName": "hello", "kind": "DELETE", "parts": []}))
    })
    .await;
    let planned = stub.client().delete(&name()).dry_run().await.unwrap();
    assert!(matches!(planned, Changed::Planned(_)), "{planned:?}");
}

#[tokio::test]
async fn a_problem_is_told_whole() {
    let stub = Stub::start(|_, _| {
        let mut body = problem(422, "INVALID_FUNCTION");
        let wrong =
            |code| json!({"pointer": "/runtime", "code": code, "detail": "no such runtime"});
        body["errors"] = json!([wrong("NOT_SUPPORTED"), wrong("A_LATER_CODE")]);
        body["errorCount"] = json!(102);
        body["rollback"] = json!("COMPLETE");
        body["later"] = json!({"field": true});
        answer(422, &[("content-type", "application/problem+json")], &body)
    })
    .await;
    let error = stub.client().create(&json!({})).await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::InvalidFunction));
    let ClientError::Problem { problem, .. } = error else { panic!("{error:?}") };
    assert_eq!((problem.status, problem.error_count), (422, Some(102)));
    assert_eq!(problem.errors[0].pointer, "/runtime");
    assert_eq!(problem.errors[1].code.to_string(), "A_LATER_CODE");
    assert_eq!(problem.request_id.as_deref(), Some("r-1"));
    assert!(problem.rollback.unwrap() == Rollback::Complete);
}

#[tokio::test]
async fn no_answer_is_larger_than_what_is_read_of_it() {
    // What is asked for stands behind far more than is read.
    let behind = |status, document: Value| {
        let mut body = vec![b' '; 32 << 20];
        body.extend(document.to_string().bytes());
        Stub::start(move |_, _| raw(status, &[("etag", "\"1\"")], body.clone()))
    };
    let stub = behind(409, problem(409, "NOT_OWNED")).await;
    let error = stub.client().describe(&name()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Gateway { .. }), "{error:?}");
    let stub = behind(200, function("hello")).await;
    let error = stub.client().describe(&name()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreadable { .. }), "{error:?}");
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_none_of_the_apis_is_unreadable() {
    let no_etag = || answer(200, &[], &function("hello"));
    let wrong_type = || answer(200, &[("etag", "\"1\"")], &json!({"functionName": ["s3cr3t"]}));
    let no_json = || raw(200, &[("etag", "\"1\"")], "<html>s3cr3t</html>");
    let replies: [fn() -> Reply; 3] = [no_etag, wrong_type, no_json];
    for reply in replies {
        let stub = Stub::start(move |_, _| reply()).await;
        let error = stub.client().describe(&name()).await.unwrap_err();
        assert!(matches!(&error, ClientError::Unreadable { .. }), "{error:?}");
        assert!(!format!("{error}{error:?}").contains("s3cr3t"), "{error:?}");
        assert_eq!(stub.seen().len(), 1);
    }
}

fn page(names: &[&str], next: Option<&str>) -> Reply {
    let functions: Vec<Value> = names.iter().map(|name| function(name)).collect();
    let mut body = json!({"functions": functions});
    if let Some(next) = next {
        body["nextToken"] = json!(next);
    }
    answer(200, &[], &body)
}

#[tokio::test]
async fn a_list_turns_its_pages_as_they_are_needed() {
    let stub = Stub::start(|before, _| match before {
        0 => page(&["a", "b"], Some("one")),
        1 => page(&[], Some("t/wo")),
        _ => page(&["c"], None),
    })
    .await;
    let client = stub.client();
    let filter = FunctionFilter { prefix: Some("x".into()), ..FunctionFilter::default() };
    let mut functions = std::pin::pin!(client.functions(filter));
    let next = async |functions: &mut std::pin::Pin<&mut _>| {
        let function = StreamExt::next(functions).await;
        function.map(|function: Result<formation_model::Function, _>| {
            function.unwrap().spec.function_name.to_string()
        })
    };
    assert_eq!(next(&mut functions).await.as_deref(), Some("a"));
    assert_eq!(next(&mut functions).await.as_deref(), Some("b"));
    assert_eq!(stub.seen().len(), 1);
    assert_eq!(next(&mut functions).await.as_deref(), Some("c"));
    assert_eq!(next(&mut functions).await, None);
    let seen = stub.seen();
    let targets: Vec<_> = seen.iter().map(|seen| seen.target.as_str()).collect();
    assert_eq!(
        targets,
        [
            "/v1/functions?prefix=x",
            "/v1/functions?prefix=x&nextToken=one",
            "/v1/functions?prefix=x&nextToken=t%2Fwo"
        ]
    );
}

#[tokio::test]
async fn functions_have_the_tags_that_were_asked_for_however_the_query_can_be_split() {
    let stub = Stub::start(|before, _| {
        let tagged = |name: &str, tags: Value| {
            let mut function = function(name);
            function["tags"] = tags;
            function
        };
        let functions = match before {
            0 => json!([
                tagged("a", json!({"app:tier": "web:1", "team": "x"})),
                tagged("b", json!({"app": "tier:web:1"})),
                tagged("c", json!({"app": "tier:web:1", "app:tier": "web:1", "team": "x"})),
            ]),
            _ => json!([tagged("d", json!({"app:tier:web": "1", "team": "x"}))]),
        };
        let next = (before == 0).then_some("more");
        answer(200, &[], &json!({"functions": functions, "nextToken": next}))
    })
    .await;
    let tags = [("app", "tier:web:1"), ("team", "x")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let filter = FunctionFilter { tags, ..FunctionFilter::default() };
    let found = stub.client().functions(filter).try_collect::<Vec<_>>().await.unwrap();
    let names: Vec<_> = found.iter().map(|it| it.spec.function_name.as_str()).collect();
    assert_eq!(names, ["c"]);
    let seen = stub.seen();
    assert_eq!(seen.len(), 2, "a page that holds none of them leads on");
    assert_eq!(seen[0].target, "/v1/functions?tag=app%3Atier%3Aweb%3A1&tag=team%3Ax");
}

#[tokio::test]
async fn a_list_that_leads_to_itself_ends() {
    let stub = Stub::start(|_, _| page(&["a"], Some("same"))).await;
    let list = stub.client().functions(FunctionFilter::default());
    let error = list.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreadable { .. }), "{error:?}");
    assert_eq!(stub.seen().len(), 2);
}

#[tokio::test]
async fn a_function_of_a_later_release_does_not_spoil_the_list() {
    let stub = Stub::start(|_, _| {
        let mut later = function("b");
        later["status"] = json!("HIBERNATING");
        later["aliases"] = json!({"live": 3});
        answer(200, &[], &json!({"functions": [function("a"), later], "total": 2}))
    })
    .await;
    let list = stub.client().functions(FunctionFilter::default());
    let functions = list.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(functions[1].status.to_string(), "HIBERNATING");
}

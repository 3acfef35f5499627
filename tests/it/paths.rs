//! What IAM has authorised is what is done: no spelling of a path leads to another function than
//! the one that was judged, and no odd byte ends in a failure.

use aws_credential_types::Credentials;
use formation_api::routes::ROUTES;
use formation_model::OperationStatus;
use formation_tests::{Answer, World, raw};
use futures_util::stream::{self, StreamExt};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::permissions::user_who_may;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;
/// What some reader of a path takes for "up one level, then".
const WAYS_UP: [&str; 14] = [
    "/../",
    "/%2e%2e/",
    "/%2E./",
    "/.%2e/",
    "\\..\\",
    "/..\\",
    "%5c..%5c",
    "%5C%2e%2e%5C",
    "%2F..%2F",
    "/..%2f",
    "/x/../../",
    "/.//../",
    "/;/../../",
    "/%252e%252e/",
];
/// What some reader of a path drops, or takes for its end.
const TAILS: [&str; 14] = [
    "%00", "%0a", "%0d", "%09", "%20", "%23", "%23x", "%3f", "%3Fx=1", ";x", "/", "//", "/.", "%2F",
];

/// The routes that name a function, by method, and what follows its name in their paths.
fn routes() -> Vec<(&'static str, String)> {
    let there = ROUTES.iter().filter_map(|route| {
        let rest = route.path.strip_prefix("/v1/functions/{functionName}")?;
        Some((route.method, rest.replace("{operationId}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")))
    });
    // And one that there is not.
    there.chain([("POST", String::new())]).collect()
}

/// A request and its answer.
struct Tried {
    method: &'static str,
    target: String,
    answer: Answer,
}

/// Sends these requests as `identity`, with a body that would do harm.
async fn try_all(
    world: &World,
    identity: &Credentials,
    requests: Vec<(&'static str, String)>,
) -> Vec<Tried> {
    let harm = json!({
        "memoryMegabytes": 3008, "code": formation_tests::world::EXAMPLE_CODE
    })
    .to_string();
    let tried = stream::iter(requests).map(async |(method, target)| {
        let body = if ["GET", "DELETE"].contains(&method) { "" } else { &harm };
        let mut headers = vec![("Content-Type", "application/json")];
        if method == "PUT" {
            headers.push(("If-Match", "*"));
        }
        let answer = raw::send(world, identity, method, &target, &headers, body).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method} {target:?}: {error}"));
        Tried { method, target, answer }
    });
    tried.buffer_unordered(AT_ONCE).collect().await
}

/// Every spelling of the requests for `victim`, by way of `mine` where there is one.
fn spellings(mine: &str, victim: &str) -> Vec<(&'static str, String)> {
    let mut requests = Vec::new();
    for (method, rest) in routes() {
        let ups = WAYS_UP.map(|up| format!("/v1/functions/{mine}{up}{victim}{rest}"));
        let tails = TAILS.map(|tail| format!("/v1/functions/{victim}{rest}{tail}"));
        let before = ["//v1", "/./v1", "/v1/.", "/v1/", "/v1/x/.."];
        let before = before.map(|before| format!("{before}/functions/{victim}{rest}"));
        let within = format!("/v1/functions/./{victim}{rest}");
        let all = ups.into_iter().chain(tails).chain(before).chain([within]);
        requests.extend(all.map(|target| (method, target)));
    }
    requests
}

/// A statement about requests, by method and path. `*` holds slashes.
fn statement(world: &World, effect: &str, requests: &str) -> Value {
    let account = &world.stack.account_id;
    json!({
        "Effect": effect,
        "Action": "execute-api:Invoke",
        "Resource": format!("arn:aws:execute-api:*:{account}:*/$default/{requests}"),
    })
}

/// Who may do everything.
fn root(world: &World) -> Credentials {
    world.stack.credentials()
}

/// What is to stay as it is: the function, its operations, and what AWS holds.
async fn state(world: &World, name: &str) -> (Value, Value, Value) {
    let path = format!("/v1/functions/{name}");
    let function = world.api(Method::GET, &path, None).await.json();
    let operations = world.api(Method::GET, &format!("{path}/operations"), None).await.json();
    (function, operations, world.live(name).await.facts())
}

pub async fn a_path_leads_to_what_was_authorised_and_nowhere_else(world: &World) {
    let (mine, victim) = (world.name("mine"), world.name("victim"));
    let secret = json!({"environment": {"KEY": format!("canary-{victim}")}});
    let created = [world.create(&mine, json!({})).await, world.create(&victim, secret).await];
    assert!(
        created.iter().all(|operation| operation.status == OperationStatus::Succeeded),
        "{created:?}"
    );
    let before = [state(world, &mine).await, state(world, &victim).await];

    let on_mine = [statement(world, "Allow", &format!("*/v1/functions/{mine}*"))];
    let but_victim = [
        statement(world, "Allow", "*"),
        statement(world, "Deny", &format!("*/v1/functions/{victim}*")),
    ];
    let callers = [
        ("only mine", user_who_may(world, "only-mine", &on_mine).await),
        ("but victim", user_who_may(world, "but-victim", &but_victim).await),
        ("root", root(world)),
    ];

    for (who, identity) in &callers {
        // The signatures are good, and what is allowed is done.
        let path = format!("/v1/functions/{mine}");
        let read = raw::send(world, identity, "GET", &path, &[], "").await.unwrap();
        assert_eq!(read.status, 200, "{who}: {}", String::from_utf8_lossy(&read.body));

        let mut reached = 0;
        let mut requests = spellings(&mine, &victim);
        // Local AWS drops slashes at the head of a path before IAM judges it, so this one is the
        // victim's own path for who may read it.
        requests.retain(|(_, target)| *who != "root" || !target.starts_with("//"));
        for Tried { method, target, answer } in try_all(world, identity, requests).await {
            let body = String::from_utf8_lossy(&answer.body);
            let told = format!("{who}: {method} {target:?}: {} {body}", answer.status);
            let refused = [403, 404, 405].contains(&answer.status.as_u16());
            assert!(refused, "{told}");
            assert!(!body.contains("SignatureDoesNotMatch") && !body.contains("canary"), "{told}");
            reached += usize::from(answer.header("content-type") == "application/problem+json");
        }
        // Else this would be a test of IAM alone.
        assert!(reached > 50, "{who}: only {reached} requests reached the door");
    }
    let after = [state(world, &mine).await, state(world, &victim).await];
    assert_eq!(after, before);
}

pub async fn a_permission_for_one_action_gives_no_other(world: &World) {
    let name = world.name("unasked");
    let repair = statement(world, "Allow", "POST/v1/functions*/repair");
    let repairer = user_who_may(world, "repairer", &[repair]).await;
    let body = json!({"functionName": name, "code": formation_tests::world::EXAMPLE_CODE});
    let mut reached = 0;
    for target in [
        "/v1/functions%23/repair",
        "/v1/functions%23x/repair",
        "/v1/functions%3f/repair",
        "/v1/functions%3Fx/x/repair",
        "/v1/functions%00/repair",
        "/v1/functions/%2e%2e/functions%23/repair",
        "/v1/functions/x/%2e%2e/%2e%2e/functions%23/repair",
        "/v1/functions/x%23/repair",
        "/v1/functions/..%2f../functions%3f/repair",
        "/v1/functions/x/repair/../../repair",
        "/v1/functions\\..\\functions%23/repair",
    ] {
        let headers = [("Content-Type", "application/json")];
        let answer =
            raw::send(world, &repairer, "POST", target, &headers, &body.to_string()).await.unwrap();
        let told = format!("{target}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        assert!([403, 404, 405].contains(&answer.status.as_u16()), "{told}");
        reached += usize::from(answer.status != StatusCode::FORBIDDEN);
    }
    assert!(reached > 3, "{reached} requests reached the door");
    assert!(world.live(&name).await.parts().is_empty());
    let path = format!("/v1/functions/{name}");
    assert_eq!(world.api(Method::GET, &path, None).await.status, 404);
}

pub async fn odd_bytes_in_a_request_are_no_failure(world: &World) {
    let root = root(world);
    for (target, status, code) in [
        ("/v1/functions?prefix=\"", 400, "INVALID_PARAMETER"),
        ("/v1/functions?prefix=<>", 400, "INVALID_PARAMETER"),
        ("/v1/functions?\"<>", 400, "INVALID_PARAMETER"),
        ("/v1/functions?prefix=%ff", 400, "INVALID_PARAMETER"),
        ("/v1/functions?nextToken=\"", 400, "INVALID_NEXT_TOKEN"),
        ("/v1/functions/a\"b", 404, "FUNCTION_NOT_FOUND"),
        ("/v1/functions/<a>", 404, "FUNCTION_NOT_FOUND"),
        ("/\"", 404, "ROUTE_NOT_FOUND"),
    ] {
        let answer = raw::send(world, &root, "GET", target, &[], "").await.unwrap();
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["code"]), (status, &json!(code)), "{target}");
    }
    for header in [
        ("X-Forwarded-Proto", "1"),
        ("X-Forwarded-Proto", ""),
        ("X-Forwarded-Port", "many"),
        ("X-Forwarded-Host", "a b<>"),
        ("Cookie", "a=\"<>\u{e4}; b"),
    ] {
        let answer = raw::send(world, &root, "GET", "/v1/functions?limit=1", &[header], "").await;
        assert_eq!(answer.unwrap().status, 200, "{header:?}");
    }
    let answer = raw::send(world, &root, "DELETE", "/v1/functions", &[], "").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, POST"));

    // An event that is none of the gateway's gets an answer too, not an error of the Lambda.
    let door = world.lambda_name("ApiFunction").await;
    for event in [json!([1, {"a": 2}]), json!("text"), json!({"rawPath": 1, "routeKey": "a"})] {
        let answer = world.invoke(&door, &event).await.unwrap();
        assert_eq!(answer["statusCode"], 400, "{event}: {answer}");
    }
}

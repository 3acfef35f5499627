//! What comes between a change that is asked for and its end: ^C, an API out of reach, somebody else; and
//! what programs are told of it.

use super::*;

const NAMED: &str = "name: shop\nfunctions:\n  hello: {code: x}\n\
                     overlays:\n  prod: {functions: {overlaid: {code: x}}}\n";

impl Said {
    /// Standard output, which is one document.
    fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// The function that a request is about.
fn name_in(seen: &Seen) -> &str {
    seen.path().split('/').nth(3).unwrap_or_default()
}

/// An operation on it.
fn operation_on(seen: &Seen, status: &str) -> Value {
    let mut operation = with_steps(operation(status), &[]);
    operation["functionName"] = json!(name_in(seen));
    operation
}

/// Accepts every change, which succeeds.
fn accepts(seen: &Seen) -> Reply {
    match seen.path() {
        PLAN => plan(seen),
        _ if changes(seen) => answer(202, &[], &operation_on(seen, "RUNNING")),
        _ => answer(200, &[], &operation_on(seen, "SUCCEEDED")),
    }
}

/// Whether a request is about an operation.
fn follows(seen: &Seen) -> bool {
    seen.path().contains("/operations/")
}

#[tokio::test]
async fn what_was_accepted_is_told_though_it_cannot_be_followed() {
    let expired = json!({"message": "The security token included in the request is expired"});
    let stub = Stub::start(move |_, seen| match follows(seen) {
        true => answer(403, &[], &expired),
        false => accepts(seen),
    })
    .await;
    let project = Project::new(&stub.url, ONE);
    for command in ["apply", "delete hello also", "repair hello also"] {
        let said = project.run(&format!("{command} --yes -o json")).await.with(77);
        let follow = format!("`formation wait hello {ID}`");
        assert!(said.err.contains(&follow) && said.err.contains("aws sso login"), "{said:#?}");
        let document = said.document();
        assert_eq!(document[0]["operationId"], ID, "{said:#?}");
        if command != "apply" {
            assert_eq!(document[1]["outcome"], "NOT_BEGUN", "{said:#?}");
        }
    }
    assert_eq!(stub.seen().iter().filter(|seen| changes(seen) && seen.path() != PLAN).count(), 3);
}

#[tokio::test]
async fn what_was_accepted_and_is_not_found_is_running() {
    let stub = Stub::start(|_, seen| match follows(seen) {
        true => answer(404, &[], &json!({"message": "Not Found"})),
        false => accepts(seen),
    })
    .await;
    let said = Project::new(&stub.url, ONE).run("delete hello --yes").await.with(3);
    assert!(said.err.contains(&format!("`formation wait hello {ID}`")), "{said:#?}");
}

#[tokio::test]
async fn what_failed_is_told_so_whatever_else_is_known_of_it() {
    let stub = Stub::start(|_, seen| answer(200, &[], &operation_on(seen, "FAILED"))).await;
    let said = Project::new(&stub.url, ONE).run(&format!("wait hello {ID}")).await.with(1);
    assert!(said.err.contains("create failed in") && !said.err.contains("succeeded"), "{said:#?}");
}

#[tokio::test]
async fn interrupted_before_the_next_function_it_goes_no_further() {
    let stub = Stub::start(|_, _| {
        let protected = problem(409, "DELETION_PROTECTED");
        let Reply::Answer(refused) = answer(409, &[], &protected) else { panic!() };
        Reply::Late(Duration::from_secs(1), refused)
    })
    .await;
    let project = Project::new(&stub.url, ONE);
    let mut terminal = project.at_terminal("delete one two three --yes", 24, 80);
    until("it has asked", || stub.seen().iter().any(changes)).await;
    terminal.types("\u{3}").await;
    let left = terminal.ends().await.with(4);
    assert!(left.text().ends_with("two: not begun\nthree: not begun"), "{left:#?}");
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn an_api_out_of_reach_is_told_once_and_then_followed_again() {
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let stub = Stub::start(move |_, seen| {
        let unavailable = || answer(503, &[], &problem(503, "SERVICE_UNAVAILABLE"));
        match follows(seen) {
            // As often as the client tries, twice, and once more.
            true if looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 13 => unavailable(),
            _ => accepts(seen),
        }
    })
    .await;
    let said = Project::new(&stub.url, ONE).run("apply --yes").await.with(0);
    assert_eq!(said.err.matches("the API is out of reach, trying again").count(), 1, "{said:#?}");
    assert!(said.err.contains("hello: create succeeded"), "{said:#?}");
}

#[tokio::test]
async fn interrupted_while_the_api_is_out_of_reach_it_ends() {
    let stub = Stub::start(|_, seen| match follows(seen) {
        true => answer(503, &[], &problem(503, "SERVICE_UNAVAILABLE")),
        false => accepts(seen),
    })
    .await;
    let project = Project::new(&stub.url, ONE);
    let mut terminal = project.at_terminal("apply --yes", 24, 200);
    terminal.until("out of reach").await;
    terminal.types("\u{3}").await;
    let left = terminal.ends().await.with(3);
    assert!(left.text().contains(&format!("`formation wait hello {ID}`")), "{left:#?}");
}

#[tokio::test]
async fn any_number_of_seconds_is_a_timeout() {
    let stub = Stub::start(|_, seen| accepts(seen)).await;
    let project = Project::new(&stub.url, ONE);
    for command in ["apply --yes".to_owned(), format!("wait hello {ID}")] {
        project.run(&format!("{command} --timeout {}", u64::MAX)).await.with(0);
    }
}

#[tokio::test]
async fn interrupted_during_an_upload_it_starts_nothing() {
    let stub = Stub::start(|_, seen| match seen.path() {
        "/v1/uploads" => offer(seen),
        "/upload" => stored_late(),
        _ => accepts(seen),
    })
    .await;
    let project = Project::new(&stub.url, "functions:\n  hello: {code: {zip: app.zip}}\n");
    project.write("app.zip", vec![b'x'; 4_200_000]);
    let mut terminal = project.at_terminal("apply --yes", 24, 80);
    until("it uploads", || stub.seen().iter().any(|seen| seen.path() == "/upload")).await;
    terminal.types("\u{3}").await;
    let left = terminal.ends().await.with(4);
    assert!(left.text().contains("interrupted: nothing was started"), "{left:#?}");
    assert!(!stub.seen().iter().any(|seen| name_in(seen) == "hello"), "{left:#?}");
}

#[tokio::test]
async fn interrupted_before_a_plan_is_whole_it_ends() {
    let stub = Stub::start(|_, seen| match seen.path() {
        PLAN => plan(seen),
        _ => Reply::Silence,
    })
    .await;
    let project = Project::new(&stub.url, NAMED);
    let mut terminal = project.at_terminal("plan --prune", 24, 80);
    until("it asks what is there", || stub.seen().iter().any(|it| it.path() != PLAN)).await;
    terminal.types("\u{3}").await;
    terminal.ends().await.with(4);
}

#[tokio::test]
async fn of_several_functions_programs_read_one_document() {
    let stub = Stub::start(|_, seen| match name_in(seen) {
        "refused" => answer(409, &[], &problem(409, "DELETION_PROTECTED")),
        // In another order than the manifest has them.
        "one" if changes(seen) => match accepts(seen) {
            Reply::Answer(accepted) => Reply::Late(Duration::from_millis(300), accepted),
            other => other,
        },
        _ => accepts(seen),
    })
    .await;
    let manifest = "functions:\n  one: {code: x}\n  refused: {code: x}\n";
    let project = Project::new(&stub.url, manifest);
    for command in ["apply", "delete one refused", "repair one refused"] {
        let said = project.run(&format!("{command} --yes -o json")).await.with(4);
        let document = said.document();
        let of = |name: &str| {
            let all = document.as_array().unwrap();
            assert_eq!(all.len(), 2, "{said:#?}");
            all.iter().find(|it| it["functionName"] == name).unwrap()
        };
        assert_eq!(of("one")["status"], "SUCCEEDED");
        assert_eq!(of("refused")["outcome"], "REFUSED");
        assert!(of("refused")["detail"].as_str().unwrap().contains("DELETION_PROTECTED"));
        let said = project.run(&format!("{command} --yes -o name")).await.with(4);
        assert_eq!(said.out, "one\nrefused\n");
    }
}

/// A stack with functions that carry the tag of the manifest `shop`, some of which are not what they were
/// when they were listed.
async fn pruned() -> Stub {
    Stub::start(|_, seen| match (seen.method.as_str(), seen.path()) {
        ("GET", "/v1/functions") => {
            let names = ["hello", "overlaid", "gone", "changed", "retagged", "deleted"];
            let listed = names.map(|name| {
                let mut function = stub::function(name);
                function["tags"] = json!({"formation-manifest": "shop"});
                function
            });
            answer(200, &[], &json!({"functions": listed}))
        }
        ("GET", path) if !path.contains("/operations/") && path != PLAN => {
            let name = name_in(seen);
            if name == "deleted" {
                return answer(404, &[], &problem(404, "FUNCTION_NOT_FOUND"));
            }
            let mut function = stub::function(name);
            let owner = if name == "retagged" { "other" } else { "shop" };
            function["tags"] = json!({"formation-manifest": owner});
            answer(200, &[("etag", "\"7-x\"")], &function)
        }
        ("DELETE", _) if name_in(seen) == "changed" => {
            answer(412, &[], &problem(412, "PRECONDITION_FAILED"))
        }
        _ => accepts(seen),
    })
    .await
}

#[tokio::test]
async fn only_what_no_overlay_names_and_nobody_has_changed_is_pruned() {
    let stub = pruned().await;
    let project = Project::new(&stub.url, NAMED);
    let said = project.run("plan --prune -o json").await.with(0);
    let document = said.document();
    let plans = document["plans"].as_array().unwrap().iter();
    let plans: Vec<_> = plans
        .map(|it| (it["functionName"].as_str().unwrap(), it["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(plans, [("hello", "CREATE"), ("gone", "DELETE"), ("changed", "DELETE")]);

    let said = project.run("apply --prune --yes -o json").await.with(4);
    let document = said.document();
    let all: Vec<_> = document.as_array().unwrap().iter().collect();
    let names: Vec<_> = all.iter().map(|it| it["functionName"].as_str().unwrap()).collect();
    assert_eq!(names, ["hello", "gone", "changed"], "{said:#?}");
    assert_eq!(all[2]["outcome"], "REFUSED");
    assert!(said.err.contains("changed: error: somebody has changed it"), "{said:#?}");
    let deleted: Vec<_> = stub.seen().into_iter().filter(|it| it.method == "DELETE").collect();
    assert_eq!(deleted.iter().map(name_in).collect::<Vec<_>>(), ["gone", "changed"]);
    assert!(deleted.iter().all(|it| it.header("if-match") == "\"7-x\""), "{deleted:?}");
}

#[tokio::test]
async fn what_is_protected_is_refused_before_anything_is_done() {
    let stub = Stub::start(|_, seen| match (seen.method.as_str(), seen.path()) {
        ("GET", path) if !follows(seen) => {
            let mut function = stub::function("gone");
            function["tags"] = json!({"formation-manifest": "shop"});
            function["deletionProtection"] = json!(true);
            match path {
                "/v1/functions" => answer(200, &[], &json!({"functions": [function]})),
                _ => answer(200, &[("etag", "\"7-x\"")], &function),
            }
        }
        _ => accepts(seen),
    })
    .await;
    let said = Project::new(&stub.url, NAMED).run("apply --prune --yes").await.with(4);
    assert!(said.err.contains("gone would be deleted, and is protected"), "{said:#?}");
    assert!(!stub.seen().iter().any(changes), "{said:#?}");
}

#[tokio::test]
async fn another_manifests_function_is_refused_to_one_without_a_name_and_where_a_plan_is_cut() {
    for (manifest, cut) in [(ONE, false), (ONE, true), (NAMED, true)] {
        let stub = Stub::start(move |_, seen| match seen.path() {
            PLAN => {
                let difference = json!({
                    "part": "FUNCTION", "facet": "CONFIGURATION",
                    "property": "tags/formation-manifest", "expected": null, "actual": "other",
                });
                let shown = if cut { json!([]) } else { json!([difference]) };
                let part = json!({
                    "part": "FUNCTION", "action": "CHANGE", "differences": shown,
                    "more": usize::from(cut),
                });
                let each = json!({"kind": "UPDATE", "etag": "\"1-x\"", "parts": [part]});
                answer(200, &[], &plans(seen, &each))
            }
            "/v1/functions/hello" if seen.method == "GET" => {
                let mut function = stub::function("hello");
                function["tags"] = json!({"formation-manifest": "other"});
                answer(200, &[("etag", "\"1-x\"")], &function)
            }
            _ => accepts(seen),
        })
        .await;
        let project = Project::new(&stub.url, manifest);
        let said = project.run("apply --yes").await.with(4);
        assert!(said.err.contains("belongs to the manifest `other`"), "{said:#?}");
        assert!(!stub.seen().iter().any(changes), "{said:#?}");
        let said = project.run("apply --yes --take-over").await.with(0);
        assert_eq!(said.err.contains("and 1 more"), cut, "{said:#?}");
    }
}

#[tokio::test]
async fn what_runs_before_a_plan_can_be_made_is_followed_as_often_as_it_takes() {
    let planned = std::sync::atomic::AtomicUsize::new(0);
    let stub = Stub::start(move |_, seen| match seen.path() {
        PLAN if planned.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 => {
            let error = json!({"pointer": "", "code": "OPERATION_IN_PROGRESS", "detail": "D"});
            answer(200, &[], &plans(seen, &json!({"errors": [error], "errorCount": 1})))
        }
        "/v1/functions/hello" if seen.method == "GET" => {
            answer(200, &[("etag", "\"1-x\"")], &stub::function("hello"))
        }
        _ => accepts(seen),
    })
    .await;
    let said = Project::new(&stub.url, ONE).run("apply --yes").await.with(0);
    assert_eq!(said.err.matches("following that first").count(), 2, "{said:#?}");
}

#[tokio::test]
async fn what_is_in_the_way_again_and_again_is_given_up() {
    let stub = Stub::start(|_, seen| match seen.path() {
        path if changes(seen) && path != PLAN => {
            let mut busy = problem(409, "OPERATION_IN_PROGRESS");
            busy["operationId"] = json!(ID);
            answer(409, &[], &busy)
        }
        _ => accepts(seen),
    })
    .await;
    let project = Project::new(&stub.url, ONE);
    for command in ["apply", "delete hello"] {
        let said = project.run(&format!("{command} --yes")).await.with(1);
        assert!(said.err.contains("other operations are in the way"), "{said:#?}");
    }
    assert_eq!(stub.seen().iter().filter(|seen| changes(seen)).count(), 10);
}

#[tokio::test]
async fn a_function_that_cannot_be_compared_hides_no_other() {
    let stub = Stub::start(|_, seen| match name_in(seen) {
        "" => {
            let listed = ["one", "deleted"].map(stub::function);
            answer(200, &[], &json!({"functions": listed}))
        }
        "deleted" => answer(404, &[], &problem(404, "FUNCTION_NOT_FOUND")),
        "denied" => answer(403, &[], &json!({"message": "Forbidden"})),
        name => {
            let drift = json!({"status": "DRIFTED", "differences": []});
            let mut report = json!({"functionName": name, "revision": 1});
            report.as_object_mut().unwrap().extend(drift.as_object().unwrap().clone());
            answer(200, &[], &report)
        }
    })
    .await;
    let project = Project::new(&stub.url, ONE);
    for (command, code, expected) in [
        ("drift --all --exit-code", 2, vec![("one", None)]),
        ("drift denied one --exit-code", 77, vec![("denied", Some("DENIED")), ("one", None)]),
        ("drift deleted one", 4, vec![("deleted", Some("REFUSED")), ("one", None)]),
    ] {
        let said = project.run(&format!("{command} -o json")).await.with(code);
        let document = said.document();
        let shown = document.as_array().unwrap().iter();
        let shown: Vec<_> = shown
            .map(|it| (it["functionName"].as_str().unwrap(), it["outcome"].as_str()))
            .collect();
        assert_eq!(shown, expected, "{said:#?}");
        let said = project.run(command).await.with(code);
        assert!(said.out.contains("one: ") && said.out.lines().count() == expected.len());
    }
}

#[tokio::test]
async fn a_flag_that_says_which_stack_counts_before_the_environment() {
    let stub = Stub::start(|_, seen| panic!("{seen:?}")).await;
    let ssm = Stub::start(|_, _| {
        answer(400, &[], &json!({"__type": "ParameterNotFound", "message": ""}))
    })
    .await;
    let project = Project::new(&stub.url, ONE).with("AWS_ENDPOINT_URL", &ssm.url);
    let said = project.run("delete hello --stack dev --yes").await.with(4);
    assert!(said.err.contains("there is no stack dev in eu-central-1"), "{said:#?}");
    let said = project.run("list --region evil.example/").await.with(64);
    assert!(said.err.contains("is no AWS Region"), "{said:#?}");
    assert!(project.run("list --local").await.with(4).err.contains("make run"));
    project.run("list --stack dev --api-url https://a.example").await.with(64);
    assert!(stub.seen().is_empty());
}

//! What requests hold, as people send it: archives, inline source, tags.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use formation_model::{Operation, OperationStatus, Warning, WarningCode, bundle};
use formation_tests::world::{CODE_BUCKET, EXAMPLE_CODE};
use formation_tests::{Live, World};
use http::Method;
use serde_json::{Value, json};

use crate::requests::path;

/// A zip archive with a file of this name, as the code of a request.
fn zip_file(file_name: &str) -> Value {
    let source = "export const handler = () => 1;";
    json!({"zipFile": STANDARD.encode(bundle::from_source(file_name, source).unwrap())})
}

fn codes(warnings: &[Warning]) -> Vec<(&str, WarningCode)> {
    warnings.iter().map(|it| (it.pointer.as_str(), *it.code.known().unwrap())).collect()
}

pub async fn what_an_archive_lacks_is_told_beside_the_plan_and_the_operation(world: &World) {
    let name = world.name("warned");
    let expected = [("/handler", WarningCode::HandlerNotFound)];
    let body = json!({"functionName": name, "code": zip_file("main.mjs")});
    let plan = world.planned(world.client.create(&body)).await;
    assert_eq!(codes(&plan.warnings), expected, "{plan:#?}");

    let accepted = world.ask_for(&name, json!({"code": zip_file("main.mjs")})).await;
    assert_eq!(codes(&accepted.read::<Operation>().warnings), expected);
    let ended = world.ended(&accepted).await;
    assert_eq!(ended.status, OperationStatus::Succeeded, "{ended:#?}");
    assert_eq!(codes(&ended.warnings), expected, "it is remembered");

    // The handler that the archive has; of code that stays, nothing is said.
    let patch = json!({"handler": "main.handler"});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
    assert_eq!(accepted.json()["warnings"], Value::Null);
    world.ended(&accepted).await;
    // The same archive again changes nothing.
    let patch = json!({"code": zip_file("main.mjs")});
    let already = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
    assert_eq!((already.status.as_u16(), &already.json()["warnings"]), (200, &Value::Null));

    // In S3 it is no different.
    let key = format!("{name}.zip");
    let archive = bundle::from_source("other.mjs", "export const handler = () => 1;").unwrap();
    let put = world.s3.put_object().bucket(CODE_BUCKET).key(&key);
    put.body(archive.into()).send().await.unwrap();
    let patch = json!({"code": {"s3Bucket": CODE_BUCKET, "s3Key": key}});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
    assert_eq!(codes(&accepted.read::<Operation>().warnings), expected);
    world.ended(&accepted).await;
}

pub async fn an_archive_that_lambda_could_not_unzip_is_refused_and_nothing_is_made(world: &World) {
    let name = world.name("not-unzipped");
    let good = bundle::from_source("index.mjs", "export const handler = () => 1;").unwrap();
    let directory = good.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
    // In both headers, the method of the file, its flags and its name; its data.
    let changed = |places: &[usize], value: u8| {
        let mut archive = good.clone();
        places.iter().for_each(|place| archive[*place] = value);
        archive
    };
    for (archive, told) in [
        (changed(&[8, directory + 10], 12), "bzip2"),
        (changed(&[6, directory + 8], 1), "encrypted"),
        (changed(&[30], b'I'), "own header"),
        (changed(&[45], b'!'), "damaged"),
    ] {
        let key = format!("{name}.zip");
        let put = world.s3.put_object().bucket(CODE_BUCKET).key(&key);
        put.body(archive.clone().into()).send().await.unwrap();
        for code in [
            json!({"zipFile": STANDARD.encode(&archive)}),
            json!({"s3Bucket": CODE_BUCKET, "s3Key": key}),
        ] {
            let body = json!({"functionName": name, "code": code});
            for path in ["/v1/functions?dryRun=true", "/v1/functions"] {
                let refused = world.api(Method::POST, path, Some(&body)).await;
                assert_eq!(refused.status, 422, "{told} {path}");
                let problem = refused.json();
                let detail = problem["errors"][0]["detail"].as_str().unwrap();
                assert!(detail.contains(told), "{problem:#}");
            }
        }
    }
    assert!(world.live(&name).await.parts().is_empty());
    assert!(world.bundle_states(&name).await.is_empty());
}

pub async fn inline_source_keeps_a_handler_and_a_runtime_that_can_run_it(world: &World) {
    let name = world.name("inline");
    world.create(&name, json!({})).await;
    let described = world.api(Method::GET, &path(&name), None).await;
    assert_eq!(described.json()["code"]["inline"], true);
    for (patch, pointer) in [
        (json!({"handler": "main.handler"}), "/handler"),
        (json!({"runtime": "python3.14"}), "/runtime"),
    ] {
        let refused = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    // What GET returned can be PUT, and changes nothing.
    let etag = [("if-match", described.header("etag"))];
    let body = described.json().to_string();
    let put = world.api_raw(Method::PUT, &path(&name), &etag, body).await;
    assert_eq!(put.status, 200, "{}", put.json());
}

pub async fn a_function_made_by_the_previous_release_learns_that_its_source_is_inline(
    world: &World,
) {
    let name = world.name("learns");
    world.create(&name, json!({})).await;
    let forget = world.dynamodb.update_item().table_name(&world.stack.table_name);
    let forget = forget.key("pk", AttributeValue::S("FUNCTION".to_owned()));
    let forget = forget.key("sk", AttributeValue::S(name.clone()));
    let forget = forget.expression_attribute_names("#inline", "inline");
    forget.update_expression("REMOVE spec.code.#inline").send().await.unwrap();
    let main = json!({"handler": "main.handler"});
    let plan = world.api(Method::PATCH, &format!("{}?dryRun=true", path(&name)), Some(&main)).await;
    assert_eq!(plan.status, 200, "it is not known: {}", plan.json());

    let before = world.proxy.calls(&name).len();
    let same = json!({"code": EXAMPLE_CODE});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&same)).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    world.assert_changed_once(&name, before, &[]);
    assert_eq!(world.bundle_states(&name).await, ["kept"], "the object that both refer to stays");
    let refused = world.api(Method::PATCH, &path(&name), Some(&main)).await;
    assert_eq!(refused.status, 422, "{}", refused.json());
    let again = world.api(Method::PATCH, &path(&name), Some(&same)).await;
    assert_eq!(again.status, 200, "{}", again.json());
}

/// The user's own tags of each part.
fn users_tags(live: Live) -> [Vec<(String, String)>; 3] {
    let lambda = live.function.unwrap().tags.unwrap().into_iter().collect();
    let role = live.role.unwrap().tags.unwrap();
    let role = role.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let (_, group) = live.log_group.unwrap();
    [role, group.into_iter().collect(), lambda].map(|mut tags: Vec<(String, String)>| {
        tags.retain(|(key, _)| !key.starts_with("formation:"));
        tags
    })
}

pub async fn a_tag_whose_key_changes_in_case_only_is_changed_on_every_part(world: &World) {
    let name = world.name("case");
    world.create(&name, json!({"tags": {"Team": "a"}})).await;
    let patch = json!({"tags": {"team": "b"}});
    let problem = world.api(Method::PATCH, &path(&name), Some(&patch)).await.json();
    assert_eq!(problem["errors"][0]["pointer"], "/tags/team", "{problem:#}");

    // By PATCH, by PUT and by event.
    let before = world.proxy.calls(&name).len();
    let patch = json!({"tags": {"Team": null, "team": "a"}});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_eq!(users_tags(world.live(&name).await), [(); 3].map(|()| tag("team")));
    // What goes is removed before others are set, so that no quota is exceeded on the way.
    let calls = world.proxy.calls(&name).split_off(before);
    for service in ["iam", "logs", "lambda"] {
        let of_tags = calls.iter().filter(|call| {
            let is_read = call.operation.starts_with("List");
            call.service == service && call.operation.contains("ag") && !is_read
        });
        let [untag, set] = &*of_tags.map(|call| &call.operation).collect::<Vec<_>>() else {
            panic!("not two calls of {service}: {calls:?}")
        };
        assert!(untag.starts_with("Untag") && set.starts_with("Tag"), "{untag} {set}");
    }

    let mut described = world.api(Method::GET, &path(&name), None).await.json();
    described["tags"] = json!({"TEAM": "a"});
    let condition = [("if-match", "*")];
    let body = described.to_string();
    let accepted = world.api_raw(Method::PUT, &path(&name), &condition, body).await;
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_eq!(users_tags(world.live(&name).await), [(); 3].map(|()| tag("TEAM")));

    let patch = json!({"functionName": name, "tags": {"TEAM": null, "tEAM": "a"}});
    let id = world.put_request(json!({"kind": "UPDATE", "function": patch})).await;
    let answers = |event: &Value| event["detail"]["idempotencyKey"] == id;
    let answer = world.announced("the request is answered", answers).await;
    assert_eq!(answer["detail"]["status"], "SUCCEEDED", "{answer:#}");
    assert_eq!(users_tags(world.live(&name).await), [(); 3].map(|()| tag("tEAM")));
}

fn tag(key: &str) -> Vec<(String, String)> {
    vec![(key.to_owned(), "a".to_owned())]
}

//! What is not ours is never touched, nor told about; and what is ours and does not show it yet is not
//! taken for foreign.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_iam::types::Tag;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use formation_model::{FunctionStatus, Operation, OperationStatus, Part, Rollback, bundle};
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

/// Lambda shows a function and cannot tell its tags.
pub(crate) const UNTOLD: Fault = Fault::Show(&[
    ("/Tags", "null"),
    ("/TagsError", r#"{"ErrorCode": "AccessDeniedException", "Message": "told"}"#),
]);

/// The create failed because of what was there, the name is free, and only `left` is there.
async fn assert_refused(world: &World, name: &str, operation: &Operation, left: &[&str]) {
    assert_eq!(operation.status, OperationStatus::Failed, "{operation:#?}");
    assert_eq!(operation.rollback, Rollback::Complete);
    assert_eq!(operation.error.as_ref().unwrap().code, "NOT_OWNED");
    assert_eq!(world.live(name).await.parts(), left);
    assert!(!world.is_known(name).await);
    assert_eq!(world.bundle_states(name).await, ["expired"]);
}

/// Somebody else's function of that name.
pub async fn make_foreign_function(world: &World, name: &str) {
    let role = format!("theirs-{name}");
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let create = world.iam.create_role().role_name(&role).assume_role_policy_document(trust);
    create.send().await.unwrap();
    let archive = bundle::from_source("index.mjs", "export const handler = () => 'theirs';");
    let code = FunctionCode::builder().zip_file(archive.unwrap().into()).build();
    world
        .lambda
        .create_function()
        .function_name(name)
        .runtime(Runtime::Nodejs22x)
        .handler("index.handler")
        .role(format!("arn:aws:iam::000000000000:role/{role}"))
        .code(code)
        .tags("team", "theirs")
        .send()
        .await
        .unwrap();
}

/// The function of [`make_foreign_function`] as it was made.
async fn assert_untouched(world: &World, name: &str) {
    let found = world.live(name).await.function.unwrap();
    assert_eq!(found.tags, Some(HashMap::from([("team".to_owned(), "theirs".to_owned())])));
    let found = found.configuration.unwrap();
    assert_eq!(found.runtime, Some(Runtime::Nodejs22x));
    assert_eq!(found.role, Some(format!("arn:aws:iam::000000000000:role/theirs-{name}")));
    let calls = world.proxy.calls(name);
    let changes: Vec<_> = calls.iter().filter(|call| call.service == "lambda").collect();
    assert!(changes.iter().all(|call| !call.changes_a_part()), "{changes:?}");
}

pub async fn the_name_of_a_foreign_function_is_refused_before_anything_is_made(world: &World) {
    let name = world.name("foreign-function");
    make_foreign_function(world, &name).await;
    let path = format!("/v1/functions/{name}");
    let body = json!({"functionName": name, "code": "export const handler = 1;"});
    let put = [("if-none-match", "*")];
    for (method, path, headers) in [
        (Method::POST, "/v1/functions", &[][..]),
        (Method::POST, "/v1/functions?dryRun=true", &[][..]),
        (Method::PUT, path.as_str(), &put[..]),
    ] {
        let answer = world.api_raw(method, path, headers, body.to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (409, &json!("NOT_OWNED")));
        let told = answer.json().to_string();
        assert!(told.contains("was left untouched") && !told.contains("theirs"), "{told}");
    }
    let id = world.put_request(json!({"kind": "CREATE", "function": body})).await;
    let rejection = world
        .announced("it is rejected", |event| event["detail"]["idempotencyKey"] == id.as_str())
        .await;
    assert_eq!(rejection["detail"]["status"], "REJECTED", "{rejection:#}");
    assert_eq!(rejection["detail"]["problem"]["code"], "NOT_OWNED");

    assert_eq!(world.api(Method::GET, &path, None).await.status, 404);
    assert_eq!(world.live(&name).await.parts(), ["function"]);
    assert!(world.bundle_states(&name).await.is_empty());
    let calls = world.proxy.calls(&name);
    let changes: Vec<_> = calls.iter().filter(|call| call.changes_a_part()).collect();
    assert!(changes.is_empty(), "{changes:?}");
    assert_untouched(world, &name).await;
}

pub async fn a_create_is_not_accepted_while_nobody_can_tell_whose_the_name_is(world: &World) {
    let name = world.name("whose");
    make_foreign_function(world, &name).await;
    for fault in [
        Fault::Refuse(403, "AccessDeniedException", "explicit deny"),
        Fault::Refuse(400, "InvalidParameterValueException", "told"),
        UNTOLD,
    ] {
        world.proxy.inject(Rule::new("lambda:GetFunction", &name, 1, fault));
        let answer = world.ask_for(&name, json!({})).await;
        let problem = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &problem["code"]),
            (503, &json!("SERVICE_UNAVAILABLE"))
        );
        assert_ne!(answer.header("retry-after"), "");
    }
    assert_eq!(world.ask_for(&name, json!({})).await.status, 409);
}

pub async fn a_foreign_function_that_appears_later_is_found_before_its_role_is_made(world: &World) {
    let name = world.name("foreign-soon");
    // The step is held at its look; the one before the claim is over.
    let held = Rule::new("lambda:GetFunction", &name, 1000, Fault::Throttle);
    world.proxy.inject(Rule { skip: 1, ..held });
    let accepted = world.ask_for(&name, json!({})).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    make_foreign_function(world, &name).await;
    world.proxy.release(&name);
    let operation = world.ended(&accepted).await;
    assert_refused(world, &name, &operation, &["function"]).await;
    assert_eq!(operation.error.as_ref().unwrap().step, "Ensure role");
    let calls = world.proxy.calls(&name);
    assert!(!calls.iter().any(|call| call.operation == "CreateRole"), "{calls:?}");
    assert_untouched(world, &name).await;
}

/// Somebody else's function appears when our log group is there, and `writes` into it.
async fn meet_foreign_function(world: &World, name: &str, writes: bool) -> Operation {
    let group = format!("/aws/lambda/{name}");
    world.proxy.inject(Rule::new("logs:PutRetentionPolicy", name, 1000, Fault::Throttle));
    let accepted = world.ask_for(name, json!({"tags": {"team": "a"}})).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    let made = async || world.live(name).await.log_group;
    world.until("the log group is there", made).await;
    make_foreign_function(world, name).await;
    if writes {
        let create = world.logs.create_log_stream().log_group_name(&group);
        create.log_stream_name("theirs").send().await.unwrap();
    }
    world.proxy.release(name);
    let operation = world.ended(&accepted).await;
    assert_eq!(operation.error.as_ref().unwrap().step, "Ensure function", "{operation:#?}");
    operation
}

pub async fn what_a_foreign_function_has_logged_is_left_to_it(world: &World) {
    let name = world.name("foreign-logs");
    let operation = meet_foreign_function(world, &name, true).await;
    assert_refused(world, &name, &operation, &["function", "log group"]).await;
    let left = world.live(&name).await.log_group.unwrap();
    assert_eq!(left, (None, BTreeMap::new()), "the log group is theirs, without our marks");
    let streams = world.logs.describe_log_streams().log_group_name(format!("/aws/lambda/{name}"));
    let streams = streams.send().await.unwrap();
    assert_eq!(streams.log_streams()[0].log_stream_name(), Some("theirs"));
    assert_untouched(world, &name).await;

    // Where nothing was logged, nothing is left.
    let name = world.name("foreign-mute");
    let operation = meet_foreign_function(world, &name, false).await;
    assert_refused(world, &name, &operation, &["function"]).await;
}

pub async fn what_another_logs_while_a_function_is_deleted_is_left_to_it(world: &World) {
    let name = world.name("renamed");
    world.create(&name, json!({"logRetentionDays": 1})).await;
    world.proxy.inject(Rule::new("iam:DeleteRolePolicy", &name, 1000, Fault::Throttle));
    let accepted = world.api(Method::DELETE, &format!("/v1/functions/{name}"), None).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    let gone = async || world.live(&name).await.function.is_none().then_some(());
    world.until("the function is gone", gone).await;
    make_foreign_function(world, &name).await;
    let group = format!("/aws/lambda/{name}");
    let create = world.logs.create_log_stream().log_group_name(group);
    create.log_stream_name("theirs").send().await.unwrap();
    world.proxy.release(&name);
    assert_eq!(world.ended(&accepted).await.status, OperationStatus::Succeeded);
    assert_eq!(world.live(&name).await.parts(), ["function", "log group"]);
    let left = world.live(&name).await.log_group.unwrap();
    assert_eq!(left, (None, BTreeMap::new()), "the log group is theirs, without our marks");
}

pub async fn what_a_failed_create_left_is_said_until_it_is_gone(world: &World) {
    let name = world.name("left-behind");
    let refuse = || Fault::Refuse(403, "AccessDeniedException", "explicit deny");
    // Three tries each are more than a step makes of a call that is denied.
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 3, refuse()));
    world.proxy.inject(Rule::new("iam:DeleteRole", &name, 1000, refuse()));
    let operation = world.create(&name, json!({})).await;
    assert_eq!(operation.leftovers, [Part::Role, Part::LogGroup], "{operation:#?}");
    world.proxy.release(&name);

    take_from_us(world, &name, "ROLE").await;
    let deleted = world.delete(&name).await;
    assert_eq!(deleted.status, OperationStatus::Failed, "{deleted:#?}");
    assert_eq!(deleted.error.as_ref().unwrap().code, "NOT_OWNED");
    assert_eq!(deleted.leftovers, [Part::Role, Part::LogGroup]);
    assert_eq!(world.live(&name).await.parts(), ["role", "log group"]);

    give_back(world, &name, "ROLE").await;
    assert_eq!(world.delete(&name).await.status, OperationStatus::Succeeded);
    assert!(world.live(&name).await.parts().is_empty());
}

/// `part` loses our tags, and is tagged by somebody else.
pub(crate) async fn take_from_us(world: &World, name: &str, part: &str) {
    let (identity, function) = (world.identity(), name.parse().unwrap());
    let ours = vec!["formation:stack".to_owned(), "formation:function".to_owned()];
    match part {
        "FUNCTION" => {
            let arn = identity.function_arn(&function);
            let untag = world.lambda.untag_resource().resource(&arn).set_tag_keys(Some(ours));
            untag.send().await.unwrap();
            world
                .lambda
                .tag_resource()
                .resource(arn)
                .tags("owner", "finance")
                .send()
                .await
                .unwrap();
        }
        "LOG_GROUP" => {
            let arn = identity.log_group_arn(&function);
            let untag = world.logs.untag_resource().resource_arn(&arn).set_tag_keys(Some(ours));
            untag.send().await.unwrap();
            let tag = world.logs.tag_resource().resource_arn(arn).tags("owner", "finance");
            tag.send().await.unwrap();
        }
        _ => {
            let role = identity.role_name(&function);
            let untag = world.iam.untag_role().role_name(&role).set_tag_keys(Some(ours));
            untag.send().await.unwrap();
            let tag = world.iam.tag_role().role_name(role).tags(role_tag("owner", "finance"));
            tag.send().await.unwrap();
        }
    }
}

/// `part` gets our tags back.
async fn give_back(world: &World, name: &str, part: &str) {
    let (identity, function) = (world.identity(), name.parse().unwrap());
    let tags = world.tags(name);
    match part {
        "FUNCTION" => {
            let tag = world.lambda.tag_resource().resource(identity.function_arn(&function));
            tag.set_tags(Some(tags.into_iter().collect())).send().await.unwrap();
        }
        "LOG_GROUP" => {
            let tag = world.logs.tag_resource().resource_arn(identity.log_group_arn(&function));
            tag.set_tags(Some(tags.into_iter().collect())).send().await.unwrap();
        }
        _ => {
            let tags = tags.iter().map(|(key, value)| role_tag(key, value)).collect();
            let tag = world.iam.tag_role().role_name(identity.role_name(&function));
            tag.set_tags(Some(tags)).send().await.unwrap();
        }
    }
}

fn role_tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

pub async fn a_delete_says_what_it_leaves_because_it_was_taken_from_us(world: &World) {
    for (part, leftovers, parts) in [
        (
            "FUNCTION",
            json!(["FUNCTION", "ROLE", "LOG_GROUP"]),
            &["function", "role", "log group"][..],
        ),
        ("ROLE", json!(["ROLE", "LOG_GROUP"]), &["role", "log group"]),
        ("LOG_GROUP", json!(["LOG_GROUP"]), &["log group"]),
    ] {
        let name = world.name("taken");
        world.create(&name, json!({})).await;
        take_from_us(world, &name, part).await;
        let deleted = world.delete(&name).await;
        assert_eq!(deleted.status, OperationStatus::Failed, "{deleted:#?}");
        assert_eq!(deleted.rollback, Rollback::Incomplete);
        assert_eq!(deleted.error.as_ref().unwrap().code, "NOT_OWNED");
        assert_eq!(json!(deleted.leftovers), leftovers);
        assert_eq!(world.live(&name).await.parts(), parts);
        assert_eq!(world.function(&name).await.status, FunctionStatus::Failed);

        give_back(world, &name, part).await;
        let deleted = world.delete(&name).await;
        assert_eq!(deleted.status, OperationStatus::Succeeded, "{deleted:#?}");
        assert!(world.live(&name).await.parts().is_empty());
        assert!(!world.is_known(&name).await);
    }
}

/// A create through `rules`, which it has met when it has ended.
async fn create_through(world: &World, what: &str, rules: &[(&str, usize, usize, Fault)]) {
    let name = world.name(what);
    for (call, skip, times, fault) in rules {
        world.proxy.inject(Rule { skip: *skip, ..Rule::new(call, &name, *times, fault.clone()) });
    }
    let operation = world.create(&name, json!({"logRetentionDays": 7})).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{rules:?}: {operation:#?}");
    assert!(world.proxy.is_spent(&name), "{rules:?} were not met");
    let live = world.live(&name).await;
    assert_eq!(live.parts(), ["function", "role", "log group"]);
    assert_eq!(live.log_group.unwrap().0, Some(7));
}

pub async fn a_write_that_is_denied_right_after_the_create_is_made_good(world: &World) {
    for (call, status, code) in [
        ("logs:PutRetentionPolicy", 400, "AccessDeniedException"),
        ("iam:PutRolePolicy", 403, "AccessDenied"),
    ] {
        let denied = || Fault::Refuse(status, code, "no identity-based policy allows it");
        create_through(world, "denied-once", &[(call, 0, 1, denied())]).await;
        // For longer than a step waits by itself.
        create_through(world, "denied-long", &[(call, 0, 5, denied())]).await;
    }
}

pub async fn tags_that_are_shown_late_are_waited_for(world: &World) {
    // A function is looked for before the claim, before its role is made, and before it is.
    let looks = 3;
    for (create, look, skip, fault) in [
        ("iam:CreateRole", "iam:GetRole", 0, Fault::HideTags),
        ("logs:CreateLogGroup", "logs:ListTagsForResource", 0, Fault::HideTags),
        ("lambda:CreateFunction", "lambda:GetFunction", looks, Fault::HideTags),
        ("lambda:CreateFunction", "lambda:GetFunction", looks, UNTOLD),
    ] {
        let rules = [(create, 0, 1, Fault::LoseAnswer), (look, skip, 1, fault)];
        create_through(world, "late-tags", &rules).await;
    }
    create_through(world, "untold-tags", &[("lambda:GetFunction", looks, 2, UNTOLD)]).await;
}

pub async fn an_undo_does_not_take_for_foreign_what_does_not_show_its_tags_yet(world: &World) {
    let name = world.name("late-undo");
    let refusal = Fault::Refuse(400, "InvalidParameterValueException", "told");
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refusal));
    for look in ["iam:GetRole", "logs:ListTagsForResource"] {
        world.proxy.inject(Rule::new(look, &name, 1, Fault::HideTags));
    }
    let operation = world.create(&name, json!({})).await;
    assert_eq!(operation.rollback, Rollback::Complete, "{operation:#?}");
    assert!(world.proxy.is_spent(&name));
    assert!(world.live(&name).await.parts().is_empty());
}

pub async fn a_foreign_log_group_makes_the_create_fail_and_stays_untouched(world: &World) {
    let name = world.name("foreign-group");
    let group = format!("/aws/lambda/{name}");
    // Half of our tags are not enough.
    let tags = HashMap::from([("formation:function".to_owned(), name.clone())]);
    let create = world.logs.create_log_group().log_group_name(&group).set_tags(Some(tags));
    create.send().await.unwrap();
    let retention = world.logs.put_retention_policy().log_group_name(&group);
    retention.retention_in_days(365).send().await.unwrap();

    let operation = world.create(&name, json!({})).await;
    assert_refused(world, &name, &operation, &["log group"]).await;
    assert_eq!(operation.error.as_ref().unwrap().step, "Ensure log group");
    let (retention, tags) = world.live(&name).await.log_group.unwrap();
    assert_eq!(retention, Some(365));
    assert_eq!(tags, [("formation:function".to_owned(), name)].into());
}

pub async fn a_foreign_role_makes_the_create_fail_and_stays_untouched(world: &World) {
    let name = world.name("foreign-role");
    let role = world.role_name(&name);
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let create = world.iam.create_role().role_name(&role).assume_role_policy_document(&trust);
    create.tags(role_tag("team", "theirs")).send().await.unwrap();

    let operation = world.create(&name, json!({})).await;
    assert_refused(world, &name, &operation, &["role"]).await;
    assert_eq!(operation.error.as_ref().unwrap().step, "Ensure role");
    let live = world.live(&name).await.role.unwrap();
    assert_eq!(
        formation_tests::live::policy(live.assume_role_policy_document().unwrap()),
        serde_json::from_str::<Value>(&trust).unwrap()
    );
}

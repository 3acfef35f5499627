//! What others change in AWS is found, announced, repaired, and not fought over for ever. The
//! stack of the tests repairs (`DriftMode=REPAIR`).

use std::collections::BTreeSet;

use formation_tests::{Rule, World};
use http::Method;
use serde_json::{Value, json};

use crate::ownership::{UNTOLD, take_from_us};

fn path(name: &str) -> String {
    format!("/v1/functions/{name}")
}

async fn drift(world: &World, name: &str) -> Value {
    let answer = world.api(Method::GET, &format!("{}/drift", path(name)), None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn drifted(report: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let differences = report["differences"].as_array().unwrap().iter();
    differences.map(|it| (text(&it["facet"]), text(&it["property"]))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(part, property)| ((*part).to_owned(), (*property).to_owned())).collect()
}

/// Somebody changes every part.
async fn meddle(world: &World, name: &str) {
    let role = world.role_name(name);
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    world.iam.attach_role_policy().role_name(&role).policy_arn(admin).send().await.unwrap();
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let put = world.iam.put_role_policy().role_name(&role).policy_name("extra");
    put.policy_document(all.to_string()).send().await.unwrap();
    let put = world.iam.put_role_policy().role_name(&role).policy_name("write-own-logs");
    put.policy_document(all.to_string()).send().await.unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"
    }]});
    let update = world.iam.update_assume_role_policy().role_name(&role);
    update.policy_document(trust.to_string()).send().await.unwrap();
    let untag = world.iam.untag_role().role_name(&role).tag_keys("team");
    untag.send().await.unwrap();
    let retention = world.logs.put_retention_policy().log_group_name(format!("/aws/lambda/{name}"));
    retention.retention_in_days(1).send().await.unwrap();
    let update = world.lambda.update_function_configuration().function_name(name);
    let variables = aws_sdk_lambda::types::Environment::builder().variables("KEY", "stolen");
    update.memory_size(1024).environment(variables.build()).send().await.unwrap();
    let archive =
        formation_model::bundle::from_source("index.mjs", "export const handler = 1;").unwrap();
    let update = world.lambda.update_function_code().function_name(name);
    update.zip_file(archive.into()).send().await.unwrap();
}

pub async fn drift_in_every_part_is_found_announced_and_repaired(world: &World) {
    let name = world.name("drifting");
    let fields = json!({"environment": {"KEY": "s3cr3t"}, "tags": {"team": "a"}});
    world.create(&name, fields).await;
    let before = world.live(&name).await.facts();
    let report = drift(world, &name).await;
    assert_eq!(report["status"], "IN_SYNC", "{report:#}");
    assert!(report["checkedAt"].is_string());
    // A tag of somebody else's tooling is nobody's drift.
    let arn = world.identity().function_arn(&name.parse().unwrap());
    world.lambda.tag_resource().resource(arn).tags("cost-centre", "17").send().await.unwrap();
    assert_eq!(drift(world, &name).await["status"], "IN_SYNC");

    meddle(world, &name).await;
    let report = drift(world, &name).await;
    assert_eq!(report["status"], "DRIFTED", "{report:#}");
    let expected = pairs(&[
        ("ROLE", "attachedPolicies"),
        ("ROLE", "otherInlinePolicies"),
        ("ROLE", "write-own-logs"),
        ("ROLE", "trustPolicy"),
        ("ROLE", "tags/team"),
        ("LOG_GROUP", "logRetentionDays"),
        ("CONFIGURATION", "memoryMegabytes"),
        ("CONFIGURATION", "environment/KEY"),
        ("CODE", "sha256"),
    ]);
    assert_eq!(drifted(&report), expected, "{report:#}");
    let text = report.to_string();
    assert!(!text.contains("s3cr3t") && !text.contains("stolen"), "{text}");

    world.reconcile_function(&name).await;
    let announced = world
        .announced("drift is announced", |event| {
            event["detail-type"] == "Formation Drift Status Change"
                && event["detail"]["functionName"] == name
        })
        .await;
    let detail = &announced["detail"];
    assert_eq!((&detail["status"], &detail["reaction"]), (&json!("DRIFTED"), &json!("REPAIR")));
    assert_eq!(drifted(detail), expected);
    let operation = detail["operationId"].as_str().unwrap();
    let repaired = world
        .announced("it is repaired", |event| {
            event["detail-type"] == "Formation Operation Status Change"
                && event["detail"]["operationId"] == operation
        })
        .await;
    assert_eq!(repaired["detail"]["status"], "SUCCEEDED", "{repaired:#}");
    let mut after = world.live(&name).await.facts();
    assert_eq!(after["function"]["tags"]["cost-centre"], "17", "what is not ours stays");
    after["function"]["tags"].as_object_mut().unwrap().remove("cost-centre");
    assert_eq!(after, before);
    assert_eq!(drift(world, &name).await["status"], "IN_SYNC");
    let function = world.api(Method::GET, &path(&name), None).await.json();
    assert_eq!(
        (&function["drift"]["status"], &function["revision"]),
        (&json!("IN_SYNC"), &json!(1))
    );
}

pub async fn what_is_gone_is_found_and_repair_brings_it_back(world: &World) {
    let name = world.name("vanished");
    world.create(&name, json!({})).await;
    let before = world.live(&name).await.facts();
    world.lambda.delete_function().function_name(&name).send().await.unwrap();
    let role = world.role_name(&name);
    let delete = world.iam.delete_role_policy().role_name(&role).policy_name("write-own-logs");
    delete.send().await.unwrap();
    world.iam.delete_role().role_name(&role).send().await.unwrap();
    let group = format!("/aws/lambda/{name}");
    world.logs.delete_log_group().log_group_name(group).send().await.unwrap();
    let report = drift(world, &name).await;
    assert_eq!(report["status"], "DELETED", "{report:#}");
    let exists = "exists";
    assert_eq!(
        drifted(&report),
        pairs(&[("ROLE", exists), ("LOG_GROUP", exists), ("CONFIGURATION", exists)])
    );
    let repair = format!("{}/repair?wait=25", path(&name));
    let repaired = world.api(Method::POST, &repair, None).await;
    assert_eq!(repaired.status, 200, "{}", repaired.json());
    assert_eq!(world.live(&name).await.facts(), before);
    assert_eq!(drift(world, &name).await["status"], "IN_SYNC");
}

pub async fn nobody_is_fought_for_ever(world: &World) {
    let name = world.name("contested");
    world.create(&name, json!({})).await;
    let change = async || {
        let update = world.lambda.update_function_configuration().function_name(&name);
        update.memory_size(1024).send().await.unwrap();
        world.reconcile_function(&name).await;
    };
    let reactions = |reaction: &str| {
        world.count_announced(|event| {
            event["detail-type"] == "Formation Drift Status Change"
                && event["detail"]["functionName"] == name
                && event["detail"]["reaction"] == reaction
        })
    };
    let status = async || {
        let function = world.api(Method::GET, &path(&name), None).await.json();
        (function["status"].clone(), function["drift"]["status"].clone())
    };
    for round in 1..=2 {
        change().await;
        world
            .until("it is repaired", async || {
                let repaired = (json!("AVAILABLE"), json!("IN_SYNC"));
                (reactions("REPAIR") == round && status().await == repaired).then_some(())
            })
            .await;
    }
    change().await;
    world.until("it is given up", async || (reactions("STOPPED") == 1).then_some(())).await;
    assert_eq!(status().await, (json!("AVAILABLE"), json!("DRIFTED")));
    change().await;
    assert_eq!((reactions("REPAIR"), reactions("STOPPED")), (2, 1), "told once, and left alone");
    let live = world.live(&name).await.facts();
    assert_eq!(live["function"]["memory"], 1024);
}

pub async fn of_what_is_not_ours_drift_tells_only_that(world: &World) {
    let name = world.name("taken-over");
    let fields = json!({"environment": {"DB_PASSWORD": "hunter2"}, "tags": {"team": "a"}});
    world.create(&name, fields).await;
    meddle(world, &name).await;
    for (part, facet) in
        [("FUNCTION", "CONFIGURATION"), ("LOG_GROUP", "LOG_GROUP"), ("ROLE", "ROLE")]
    {
        take_from_us(world, &name, part).await;
        let report = drift(world, &name).await;
        assert_eq!(report["status"], "DRIFTED", "{report:#}");
        let told = report["differences"].as_array().unwrap().iter();
        let told: Vec<_> = told.filter(|it| it["part"] == part).collect();
        let owner = json!({
            "part": part, "facet": facet, "property": "owner", "expected": null, "actual": null
        });
        assert_eq!(told, [&owner], "{report:#}");
    }
    let report = drift(world, &name).await.to_string();
    for theirs in ["finance", "hunter2", "DB_PASSWORD", "1024", "Administrator"] {
        assert!(!report.contains(theirs), "{report}");
    }
}

pub async fn tags_that_lambda_cannot_tell_now_are_no_drift(world: &World) {
    let name = world.name("untold");
    world.create(&name, json!({})).await;
    world.proxy.inject(Rule::new("lambda:GetFunction", &name, 1, UNTOLD));
    let answer = world.api(Method::GET, &format!("{}/drift", path(&name)), None).await;
    assert_eq!(answer.status, 503, "{}", answer.json());
    assert_eq!(answer.json()["code"], "SERVICE_UNAVAILABLE");
    assert_eq!(drift(world, &name).await["status"], "IN_SYNC");
}

pub async fn a_role_that_was_made_anew_is_drift_and_repair_renews_the_grant_to_it(world: &World) {
    let name = world.name("new-role");
    world.create(&name, json!({"environment": {"KEY": "s3cr3t"}})).await;
    let before = world.live(&name).await.facts();
    let role = world.role_name(&name);
    let delete = async || {
        let delete = world.iam.delete_role_policy().role_name(&role).policy_name("write-own-logs");
        delete.send().await.unwrap();
        world.iam.delete_role().role_name(&role).send().await.unwrap();
    };
    let updates = || {
        let calls = world.proxy.calls(&name).into_iter();
        calls.filter(|call| call.operation == "UpdateFunctionConfiguration").collect::<Vec<_>>()
    };
    delete().await;
    let repair = format!("{}/repair?wait=25", path(&name));
    let repaired = world.api(Method::POST, &repair, None).await;
    assert_eq!(repaired.status, 200, "{}", repaired.json());
    let [away, back] = &updates()[..] else { panic!("not two updates: {:?}", updates()) };
    assert!(away.text.contains("IdleRole") && !away.text.contains("KEY"), "{away:?}");
    assert!(back.text.contains(&role) && back.text.contains("KEY"), "{back:?}");
    assert_eq!(world.live(&name).await.facts(), before);
    assert_eq!(drift(world, &name).await["status"], "IN_SYNC");

    // Somebody else makes it anew, with all that it had.
    let live = world.live(&name).await.role.unwrap();
    let policy = world.iam.get_role_policy().role_name(&role).policy_name("write-own-logs");
    let policy = policy.send().await.unwrap();
    delete().await;
    let trust = policy_text(live.assume_role_policy_document().unwrap());
    let create = world.iam.create_role().role_name(&role).assume_role_policy_document(trust);
    let boundary = live.permissions_boundary().unwrap().permissions_boundary_arn().unwrap();
    let create = create.permissions_boundary(boundary).set_tags(live.tags.clone());
    create.send().await.unwrap();
    let put = world.iam.put_role_policy().role_name(&role).policy_name("write-own-logs");
    put.policy_document(policy_text(policy.policy_document())).send().await.unwrap();
    let report = drift(world, &name).await;
    assert_eq!(drifted(&report), pairs(&[("ROLE", "roleId")]), "{report:#}");
    assert_eq!(world.api(Method::POST, &repair, None).await.status, 200);
    assert_eq!(updates().len(), 4);
    assert_eq!(drift(world, &name).await["status"], "IN_SYNC");
}

fn policy_text(encoded: &str) -> String {
    formation_tests::live::policy(encoded).to_string()
}

//! What others change in AWS is found, announced, repaired, and not fought over for ever. The
//! stack of the tests repairs (`DriftMode=REPAIR`).

use std::collections::BTreeSet;

use formation_model::drift::DriftAnnouncement;
use formation_model::drift::DriftReaction;
use formation_model::{
    Difference, Drift, DriftReport, DriftStatus, Facet, FunctionStatus, OperationStatus, Part,
};
use formation_tests::{Answer, Rule, World};
use http::Method;
use serde_json::json;

use crate::ownership::{UNTOLD, take_from_us};
use crate::requests::path;

/// The facet and the property of each difference.
fn drifted(drift: &Drift) -> BTreeSet<(Facet, &str)> {
    let differences = drift.differences.iter();
    differences.map(|it| (*it.facet.known().unwrap(), it.property.as_str())).collect()
}

/// A comparison of a function with AWS, whatever its status.
async fn compared(world: &World, name: &str) -> Answer {
    world.api(Method::GET, &format!("{}/drift", path(name)), None).await
}

/// Repairs a function.
async fn repair(world: &World, name: &str) {
    let repaired = world.repair(name).await;
    assert_eq!(repaired.status, OperationStatus::Succeeded, "{repaired:#?}");
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
    let report = world.drift(&name).await;
    assert_eq!(report.drift.status, DriftStatus::InSync, "{report:#?}");
    assert!(report.drift.checked_at.is_some() && report.revision == 1, "{report:#?}");
    // A tag of somebody else's tooling is nobody's drift.
    let arn = world.identity().function_arn(&name.parse().unwrap());
    world.lambda.tag_resource().resource(arn).tags("cost-centre", "17").send().await.unwrap();
    assert_eq!(world.drift(&name).await.drift.status, DriftStatus::InSync);

    meddle(world, &name).await;
    let answer = compared(world, &name).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let report: DriftReport = answer.read();
    assert_eq!(report.drift.status, DriftStatus::Drifted, "{report:#?}");
    let expected = BTreeSet::from([
        (Facet::Role, "attachedPolicies"),
        (Facet::Role, "otherInlinePolicies"),
        (Facet::Role, "write-own-logs"),
        (Facet::Role, "trustPolicy"),
        (Facet::Role, "tags/team"),
        (Facet::LogGroup, "logRetentionDays"),
        (Facet::Configuration, "memoryMegabytes"),
        (Facet::Configuration, "environment/KEY"),
        (Facet::Code, "sha256"),
    ]);
    assert_eq!(drifted(&report.drift), expected, "{report:#?}");
    let tells_secrets = |text: &str| text.contains("s3cr3t") || text.contains("stolen");
    assert!(!tells_secrets(answer.text()), "{answer:?}");

    world.reconcile_function(&name).await;
    let announced = world
        .announced("drift is announced", |event| {
            event["detail-type"] == "Formation Drift Status Change"
                && event["detail"]["functionName"] == name
        })
        .await;
    assert!(!tells_secrets(&announced.to_string()), "{announced:#}");
    let detail: DriftAnnouncement = serde_json::from_value(announced["detail"].clone()).unwrap();
    assert_eq!(detail.drift.status, DriftStatus::Drifted);
    assert_eq!(detail.reaction, DriftReaction::Repair);
    assert_eq!(drifted(&detail.drift), expected);
    let operation = detail.operation_id.unwrap().to_string();
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
    assert_eq!(world.drift(&name).await.drift.status, DriftStatus::InSync);
    let function = world.function(&name).await;
    assert_eq!(function.drift.status, DriftStatus::InSync);
    assert_eq!(function.revision, 1);
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
    let report = world.drift(&name).await;
    assert_eq!(report.drift.status, DriftStatus::Deleted, "{report:#?}");
    let exists = "exists";
    assert_eq!(
        drifted(&report.drift),
        [Facet::Role, Facet::LogGroup, Facet::Configuration, Facet::Live]
            .map(|facet| (facet, exists))
            .into()
    );
    repair(world, &name).await;
    assert_eq!(world.live(&name).await.facts(), before);
    assert_eq!(world.drift(&name).await.drift.status, DriftStatus::InSync);
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
        let function = world.function(&name).await;
        (function.status, function.drift.status)
    };
    let settled = |drift: DriftStatus| (FunctionStatus::Available.into(), drift.into());
    for round in 1..=2 {
        change().await;
        world
            .until("it is repaired", async || {
                let repaired = settled(DriftStatus::InSync);
                (reactions("REPAIR") == round && status().await == repaired).then_some(())
            })
            .await;
    }
    change().await;
    world.until("it is given up", async || (reactions("STOPPED") == 1).then_some(())).await;
    assert_eq!(status().await, settled(DriftStatus::Drifted));
    change().await;
    assert_eq!((reactions("REPAIR"), reactions("STOPPED")), (2, 1), "told once, and left alone");
    let live = world.live(&name).await.facts();
    assert_eq!(live["function"]["MemorySize"], 1024);
}

pub async fn of_what_is_not_ours_drift_tells_only_that(world: &World) {
    let name = world.name("taken-over");
    let fields = json!({"environment": {"DB_PASSWORD": "hunter2"}, "tags": {"team": "a"}});
    world.create(&name, fields).await;
    meddle(world, &name).await;
    for (name_of_part, part) in
        [("FUNCTION", Part::Function), ("LOG_GROUP", Part::LogGroup), ("ROLE", Part::Role)]
    {
        take_from_us(world, &name, name_of_part).await;
        let report = world.drift(&name).await;
        assert_eq!(report.drift.status, DriftStatus::Drifted, "{report:#?}");
        let told = report.drift.differences.iter();
        let told: Vec<_> = told.filter(|it| it.part == part).collect();
        assert_eq!(told, [&Difference::not_owned(part)], "{report:#?}");
    }
    let answer = compared(world, &name).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for theirs in ["finance", "hunter2", "stolen", "DB_PASSWORD", "1024", "Administrator"] {
        assert!(!answer.text().contains(theirs), "{answer:?}");
    }
}

pub async fn tags_that_lambda_cannot_tell_now_are_no_drift(world: &World) {
    let name = world.name("untold");
    world.create(&name, json!({})).await;
    world.proxy.inject(Rule::new("lambda:GetFunction", &name, 1, UNTOLD));
    let refused = compared(world, &name).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json()["code"], "SERVICE_UNAVAILABLE", "{refused:?}");
    assert_eq!(world.drift(&name).await.drift.status, DriftStatus::InSync);
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
    repair(world, &name).await;
    let [away, back] = &updates()[..] else { panic!("not two updates: {:?}", updates()) };
    assert!(away.text.contains("IdleRole") && !away.text.contains("KEY"), "{away:?}");
    assert!(back.text.contains(&role) && back.text.contains("KEY"), "{back:?}");
    assert_eq!(world.live(&name).await.facts(), before);
    assert_eq!(world.drift(&name).await.drift.status, DriftStatus::InSync);

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
    let report = world.drift(&name).await;
    assert_eq!(drifted(&report.drift), [(Facet::Role, "roleId")].into(), "{report:#?}");
    repair(world, &name).await;
    assert_eq!(updates().len(), 4);
    assert_eq!(world.drift(&name).await.drift.status, DriftStatus::InSync);
}

fn policy_text(encoded: &str) -> String {
    formation_tests::live::policy(encoded).to_string()
}

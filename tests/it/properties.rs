//! Every property of a function, by its row in the model: none is named here, so that a new one is
//! tested as soon as it is there.

use std::collections::BTreeSet;

use formation_model::drift::HIDDEN;
use formation_model::function::{Property, properties};
use formation_model::plan::Action;
use formation_model::{
    Difference, DriftStatus, Facet, FunctionStatus, OperationStatus, Rollback, bundle,
};
use formation_tests::rows::{back_to_plain, changeable, plain};
use formation_tests::shown;
use formation_tests::{Call, Fault, Live, Rule, World};
use http::Method;
use serde_json::{Map, Value, json};

use crate::requests::dry_run;

/// Fields of GetFunction's configuration that only UpdateFunctionCode changes.
const OF_CODE: [&str; 3] = ["Architectures", "CodeSha256", "CodeSize"];

/// What [`set_by_hand`] cannot set by itself, and where drift in it is tried instead.
const NOT_SET_BY_HAND: [(&str, &str); 3] = [
    ("code", "no look at a function shows it; of its digest drift::drift_in_every_part... tells"),
    ("architecture", "Lambda takes it with code alone, and its digest would differ, too"),
    ("tags", "they are no configuration; of the role's drift::drift_in_every_part... tells"),
];

fn path(name: &str) -> String {
    format!("/v1/functions/{name}")
}

/// Each property with its example, code too.
fn examples() -> Map<String, Value> {
    changeable().map(|property| (property.name.to_owned(), (property.example)())).collect()
}

async fn change(world: &World, name: &str, query: &str, patch: &Value) -> Value {
    let path = format!("{}?{query}", path(name));
    let answer = world.api(Method::PATCH, &path, Some(patch)).await;
    assert_eq!(answer.status, 200, "{patch}: {}", answer.json());
    answer.json()
}

async fn described(world: &World, name: &str) -> Value {
    world.api(Method::GET, &path(name), None).await.json()
}

async fn drifted(world: &World, name: &str) -> Vec<Difference> {
    let answer = world.api(Method::GET, &format!("{}/drift", path(name)), None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    serde_json::from_value(answer.json()["differences"].clone()).unwrap()
}

/// The fields that differences are told of.
fn fields<'a>(differences: impl IntoIterator<Item = &'a Difference>) -> BTreeSet<String> {
    let first = |it: &Difference| it.property.split('/').next().unwrap().to_owned();
    differences.into_iter().map(first).collect()
}

/// That of the properties told of are this one and, at most, those that follow it.
#[track_caller]
fn assert_alone(property: &Property, differences: &[Difference]) {
    let mut told = fields(differences);
    assert!(told.remove(property.name), "{} among {differences:?}", property.name);
    let follows = |name: &String| properties().find(|it| it.name == name).and_then(|it| it.follows);
    told.retain(|name| follows(name) != Some(property.name));
    assert!(told.is_empty(), "{told:?} beside {}", property.name);
}

/// That a dry run plans a change of this property and of nothing else, and what it says of it.
async fn planned(world: &World, name: &str, property: &Property, patch: &Value) -> Vec<Difference> {
    let plan = change(world, name, "dryRun=true", patch).await;
    let parts = plan["parts"].as_array().unwrap().iter();
    let differences = parts.map(|part| part["differences"].clone());
    let differences =
        differences.flat_map(|it| serde_json::from_value::<Vec<Difference>>(it).unwrap());
    let differences: Vec<_> = differences.collect();
    assert_alone(property, &differences);
    let facets: BTreeSet<_> = differences.iter().map(|it| *it.facet.known().unwrap()).collect();
    assert_eq!(facets, property.facets.iter().copied().collect::<BTreeSet<Facet>>(), "{plan:#}");
    differences
}

/// Somebody sets back in Lambda, CloudWatch Logs or IAM what differs there between two looks, as far as
/// those take it alone.
async fn set_by_hand(world: &World, name: &str, from: &Live, to: &Live) -> bool {
    let configuration = |live: &Live| live.shown["Configuration"].as_object().unwrap().clone();
    let (from_lambda, to_lambda) = (configuration(from), configuration(to));
    let differs = |field: &&String| {
        !Live::VOLATILE.contains(&field.as_str())
            && !OF_CODE.contains(&field.as_str())
            && from_lambda.get(*field) != to_lambda.get(*field)
    };
    let taken = |field: &String| match to_lambda.get(field) {
        // Of layers Lambda shows more than it takes.
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| if item["Arn"].is_null() { item.clone() } else { item["Arn"].clone() })
            .collect(),
        value => value.cloned().unwrap_or_default(),
    };
    let fields: Map<_, _> =
        from_lambda.keys().filter(differs).map(|field| (field.clone(), taken(field))).collect();
    let (days_before, days) =
        (&from.log_group.as_ref().unwrap().0, to.log_group.as_ref().unwrap().0);
    if let Some(days) = days.filter(|_| *days_before != days) {
        let put = world.logs.put_retention_policy().log_group_name(format!("/aws/lambda/{name}"));
        put.retention_in_days(days).send().await.unwrap();
        return true;
    }
    let reserved = |live: &Live| {
        live.shown["Concurrency"]["ReservedConcurrentExecutions"]
            .as_i64()
            .and_then(|it| i32::try_from(it).ok())
    };
    if reserved(from) != reserved(to) {
        match reserved(to) {
            Some(number) => {
                let put = world.lambda.put_function_concurrency().function_name(name);
                put.reserved_concurrent_executions(number).send().await.unwrap();
            }
            None => {
                let delete = world.lambda.delete_function_concurrency().function_name(name);
                delete.send().await.unwrap();
            }
        }
        return true;
    }
    if fields.is_empty() && from.inline_policies != to.inline_policies {
        let role = world.role_name(name);
        for (policy, document) in &to.inline_policies {
            let put = world.iam.put_role_policy().role_name(&role).policy_name(policy);
            put.policy_document(document.to_string()).send().await.unwrap();
        }
        let gone = from.inline_policies.keys().filter(|it| !to.inline_policies.contains_key(*it));
        for policy in gone {
            let delete = world.iam.delete_role_policy().role_name(&role).policy_name(policy);
            delete.send().await.unwrap();
        }
        return true;
    }
    if !fields.is_empty() {
        shown::configure(&world.lambda, name, &fields.clone().into()).await;
    }
    !fields.is_empty()
}

pub async fn each_property_is_planned_set_seen_by_drift_and_restored(world: &World) {
    let name = world.name("property");
    let mut base = plain(&name);
    base.retain(|_, value| !value.is_null());
    let created = world.create(&name, base.into()).await;
    assert_eq!(created.status, OperationStatus::Succeeded, "{created:?}");
    assert_eq!(drifted(world, &name).await, []);

    let mut before = world.live(&name).await;
    let mut set_back = BTreeSet::new();
    for property in changeable() {
        let patch = json!({property.name: (property.example)()});
        let plan = planned(world, &name, property, &patch).await;
        change(world, &name, "wait=25", &patch).await;

        let function = described(world, &name).await;
        for difference in plan {
            let shown = &function.pointer(&format!("/{}", difference.property));
            let expected = &difference.expected;
            assert!(
                *expected == HIDDEN || *shown == Some(expected),
                "{difference:?}: {function:#}"
            );
        }
        assert_eq!(drifted(world, &name).await, [], "{}", property.name);
        let after = world.live(&name).await;
        let changed = after.facts() != before.facts();
        assert_eq!(changed, property.in_aws, "{}: {:#}", property.name, after.facts());

        if set_by_hand(world, &name, &after, &before).await {
            assert_alone(property, &drifted(world, &name).await);
            set_by_hand(world, &name, &before, &after).await;
            assert_eq!(drifted(world, &name).await, [], "{}", property.name);
            set_back.insert(property.name);
        }
        before = after;
    }
    let not_set = changeable().filter(|it| it.in_aws && !set_back.contains(it.name));
    let not_set: BTreeSet<_> = not_set.map(|it| it.name).collect();
    assert_eq!(not_set, NOT_SET_BY_HAND.map(|(name, _)| name).into());

    // All of them at once, in an update whose callers cannot be moved: everything has been changed by then but what
    // is taken from callers once they have moved.
    let (facts, function) = (before.facts(), described(world, &name).await);
    let back = Value::from(back_to_plain(&name));
    let called = world.proxy.calls(&name).len();
    let refused = Fault::Refuse(400, "InvalidParameterValueException", "injected");
    world.proxy.inject(Rule::new("lambda:UpdateAlias", &name, 1, refused));
    let operation = world.patch(&name, back).await;
    assert_eq!(operation.status, OperationStatus::Failed, "{operation:?}");
    assert_eq!(operation.rollback, Rollback::Complete, "{operation:?}");
    let calls = world.proxy.calls(&name).split_off(called);
    let changes: Vec<_> = calls.iter().filter(|it| it.changes_a_part()).map(Call::name).collect();
    let count = |call: &str| changes.iter().filter(|it| *it == call).count();
    for changed in [
        "lambda:UpdateFunctionConfiguration",
        "lambda:UpdateFunctionCode",
        "logs:PutRetentionPolicy",
    ] {
        assert_eq!(count(changed), 2, "there and back, {changed}: {changes:?}");
    }
    for taken in ["iam:DeleteRolePolicy", "lambda:DeleteFunctionConcurrency"] {
        assert_eq!(count(taken), 0, "{taken}: {changes:?}");
    }
    assert_eq!(world.live(&name).await.facts(), facts);
    assert_eq!(drifted(world, &name).await, []);
    let after = described(world, &name).await;
    for property in properties() {
        assert_eq!(after[property.name], function[property.name], "{}", property.name);
    }
}

/// That a function's answer shows `asked` of a property. Of code it shows the digest.
#[track_caller]
fn assert_shown(function: &Value, name: &str, asked: &Value) {
    let shown = &function[name];
    match asked.as_str().filter(|_| shown["sha256"].is_string()) {
        Some(source) => {
            let archive = bundle::from_source("index.mjs", source).unwrap();
            assert_eq!(shown["sha256"], bundle::sha256(&archive), "{name}");
        }
        None => assert_eq!(shown, asked, "{name}"),
    }
}

pub async fn each_property_is_set_by_event(world: &World) {
    let name = world.name("property-event");
    let ended = async |id: &str| {
        let announced = world.announced("the event is answered", |event| {
            event["detail"]["idempotencyKey"] == id && event["source"] == "formation"
        });
        announced.await
    };
    let mut function = examples();
    function.insert("functionName".to_owned(), json!(name));
    let id = world.put_request(json!({"kind": "CREATE", "function": function})).await;
    let created = ended(&id).await;
    assert_eq!(created["detail"]["status"], "SUCCEEDED", "{created:#}");
    let shown = described(world, &name).await;
    for property in changeable() {
        assert_shown(&shown, property.name, &(property.example)());
    }
    assert_eq!(drifted(world, &name).await, []);

    let mut patch = back_to_plain(&name);
    patch.insert("functionName".to_owned(), json!(name));
    let id = world.put_request(json!({"kind": "UPDATE", "function": patch})).await;
    let updated = ended(&id).await;
    assert_eq!(updated["detail"]["status"], "SUCCEEDED", "{updated:#}");
    let shown = described(world, &name).await;
    for (field, value) in plain(&name) {
        assert_shown(&shown, &field, &value);
    }
    assert_eq!(drifted(world, &name).await, []);
}

/// The fields that the function's own answer tells of as drifted, by the last look or operation.
async fn recorded_drift(world: &World, name: &str) -> BTreeSet<String> {
    let drift = world.function(name).await.drift;
    let told = fields(&drift.differences);
    assert_eq!(drift.status == DriftStatus::Drifted, !told.is_empty(), "{drift:?}");
    told
}

/// Sets `fields` in Lambda by hand, each time that they are repaired, until that is given up and they
/// are only recorded.
async fn set_until_it_is_left(world: &World, name: &str, fields: &Value) {
    const ROUNDS: usize = 5;
    for _ in 0..ROUNDS {
        shown::configure(&world.lambda, name, fields).await;
        world.reconcile_function(name).await;
        world
            .until("no repair runs", async || {
                (world.function(name).await.status == FunctionStatus::Available).then_some(())
            })
            .await;
        let live = world.live(name).await;
        if live.shown["Configuration"]["KMSKeyArn"] == fields["KMSKeyArn"] {
            return;
        }
    }
    panic!("after {ROUNDS} rounds it is still repaired");
}

pub async fn what_formation_does_not_name_is_told_of_kept_and_taken_back_by_a_repair(
    world: &World,
) {
    let name = world.name("unnamed");
    world.create(&name, json!({})).await;
    let key = format!("arn:aws:kms:{}:{}:key/k", world.stack.region, world.stack.account_id);
    let queue = format!("arn:aws:sqs:{}:{}:q", world.stack.region, world.stack.account_id);
    let vpc = json!({"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]});
    let set = json!({
        "VpcConfig": vpc, "KMSKeyArn": key, "DeadLetterConfig": {"TargetArn": queue},
    });
    // Which no function of local AWS's can have, and no repair can take back.
    let image = Fault::Show(&[("/Configuration/PackageType", "\"Image\"")]);
    world.proxy.inject(Rule::new("lambda:GetFunction", &name, usize::MAX, image));
    shown::configure(&world.lambda, &name, &set).await;
    let beyond = BTreeSet::from(["packageType".to_owned()]);
    let unnamed = ["deadLetterConfig", "kmsKeyArn", "packageType", "vpcConfig"];
    let unnamed = BTreeSet::from(unnamed.map(str::to_owned));
    let told = drifted(world, &name).await;
    assert_eq!(fields(&told), unnamed, "{told:?}");
    set_until_it_is_left(world, &name, &set).await;
    assert_eq!(recorded_drift(world, &name).await, unnamed);

    // No update loses it, nor its restoring.
    let is_kept = async || {
        let live = world.live(&name).await;
        let configuration = &live.shown["Configuration"];
        let kept = (configuration["KMSKeyArn"] == json!(key))
            && configuration["VpcConfig"]["SubnetIds"] == vpc["SubnetIds"]
            && configuration["DeadLetterConfig"] == set["DeadLetterConfig"];
        assert!(kept, "{configuration:#}");
    };
    change(world, &name, "wait=25", &json!({"memoryMegabytes": 256})).await;
    is_kept().await;
    assert_eq!(recorded_drift(world, &name).await, unnamed, "an update has not changed it");
    let refuse = Fault::Refuse(400, "InvalidParameterValueException", "injected");
    world.proxy.inject(Rule::new("lambda:UpdateFunctionCode", &name, 1, refuse));
    let patch = json!({"memoryMegabytes": 512, "code": "export const handler = () => 'other';"});
    let accepted = world.api(Method::PATCH, &path(&name), Some(&patch)).await;
    assert_eq!(world.ended(&accepted).await.rollback, Rollback::Complete);
    is_kept().await;

    let repair = format!("{}/repair?wait=25", path(&name));
    let repaired = world.api(Method::POST, &repair, None).await;
    assert_eq!(repaired.status, 200, "{}", repaired.json());
    // What cannot be changed any more is told of, and no repair is planned.
    assert_eq!(fields(&drifted(world, &name).await), beyond);
    assert_eq!(recorded_drift(world, &name).await, beyond);
    let (text, plan) = dry_run(world, Method::POST, &format!("{}/repair", path(&name)), None).await;
    assert!(plan.parts.iter().all(|part| part.action != Action::Change), "{text}");
}

//! While a stack is upgraded, steps and doors of two releases share the table, and an upgrade may be
//! taken back. What a later release has written is not lost on the way through this one.

use formation_model::{Difference, Drift, Facet, OperationKind, Part, Rollback};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Aws, DEFAULTS, ann, available, cancelled, function_request};
use crate::control::{Accepted, Change, Decision};
use crate::records::{Due, OperationRecord, Outcome, Reached};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What a later release writes into a record, in one place of it.
fn later() -> Value {
    json!({"names": ["a", "b"], "limits": {"most": 12.5, "least": -1}, "on": true, "none": null})
}

/// The fields of a later release, at the top of a record and within its specifications.
fn add_fields(record: &mut Value) {
    record["later"] = later();
    for specification in ["spec", "target", "previous"] {
        if let Some(specification) = record.get_mut(specification) {
            specification["later"] = later();
            specification["code"]["later"] = later();
        }
    }
}

/// An operation that runs, where a later release has written fields into all there is of it.
async fn running(kind: OperationKind) -> (Aws, OperationRecord) {
    let aws = Aws::default();
    let name = || "hello".parse().unwrap();
    let edit = |current: &_| {
        let patch = json!({"memoryMegabytes": 256});
        Ok(formation_model::request::patched(&patch, &DEFAULTS, current)?)
    };
    if kind != OperationKind::Create {
        aws.state().put_function(&available());
    }
    let change = match kind {
        OperationKind::Create => {
            Change::Create(function_request(json!({"functionName": "hello", "code": "x"})).into())
        }
        OperationKind::Update => {
            Change::Update { name: name(), condition: None, edit: Box::new(edit) }
        }
        OperationKind::Repair => Change::Repair { name: name(), condition: None },
        OperationKind::Rollback => {
            Change::Rollback { name: name(), condition: None, revision: None }
        }
        OperationKind::Delete => Change::Delete { name: name(), condition: None },
    };
    let Ok(Decision::Accepted(accepted)) = aws.control().accept(change, &ann()).await else {
        panic!("it is accepted")
    };
    let Accepted { operation, .. } = *accepted;
    aws.set("FUNCTION", "hello", add_fields);
    let key = format!("OPERATION#{}", operation.operation_id);
    aws.set("FUNCTION#hello", &key, add_fields);
    let stored = aws.records().operation(&name(), operation.operation_id).await.unwrap().unwrap();
    (aws, stored)
}

fn failed(rollback: Rollback) -> Outcome {
    Outcome::Failed { rollback, error: cancelled(), leftovers: vec![Part::Role], moved: false }
}

#[tokio::test]
async fn what_is_committed_is_what_the_later_release_has_asked_for() {
    for kind in [OperationKind::Create, OperationKind::Update] {
        let (aws, operation) = running(kind).await;
        let target =
            aws.operation(&operation.function_name, operation.operation_id)["target"].clone();
        let records = aws.records();
        let reached = Reached { role_id: Some("AROA1"), ..Reached::default() };
        let ended = records.commit(&operation, &Outcome::Succeeded, None, reached, HOUR);
        assert!(ended.await.unwrap().is_some());
        let function = aws.function(&operation.function_name).unwrap();
        assert_eq!(function["spec"], target, "{kind:?}");
        assert_eq!((&function["spec"]["later"], &function["later"]), (&later(), &later()));
        let ended = aws.operation(&operation.function_name, operation.operation_id);
        assert_eq!((&ended["status"], &ended["later"]), (&json!("SUCCEEDED"), &later()));
        assert!(ended.get("target").is_none() && ended.get("previous").is_none());
    }
}

#[tokio::test]
async fn no_field_is_lost_by_an_operation_that_commits_no_specification() {
    for (kind, outcome) in [
        (OperationKind::Repair, Outcome::Succeeded),
        (OperationKind::Update, failed(Rollback::Complete)),
        (OperationKind::Update, failed(Rollback::Incomplete)),
        (OperationKind::Create, failed(Rollback::Incomplete)),
        (OperationKind::Delete, failed(Rollback::Incomplete)),
    ] {
        let (aws, operation) = running(kind).await;
        let name = &operation.function_name;
        let before = aws.function(name).unwrap();
        let ended =
            aws.records().commit(&operation, &outcome, None, Reached::default(), HOUR).await;
        assert!(ended.unwrap().is_some());
        let function = aws.function(name).unwrap();
        assert_eq!(function["spec"], before["spec"], "{kind:?} {outcome:?}");
        assert_eq!(function["later"], later());
        assert_eq!(aws.operation(name, operation.operation_id)["later"], later());
    }
}

#[tokio::test]
async fn no_field_is_lost_by_what_reconcile_writes() {
    let (aws, operation) = running(OperationKind::Update).await;
    let (name, id) = (&operation.function_name, operation.operation_id);
    let (records, now) = (aws.records(), Timestamp::now());
    let kept = |aws: &Aws| {
        let operation = aws.operation(name, id);
        assert_eq!(operation["later"], later());
        assert_eq!(operation["target"]["later"], later());
        assert_eq!(operation["target"]["code"]["later"], later());
    };
    records.postpone(&operation, now).await.unwrap();
    kept(&aws);
    records.put_off(&Due::Operation(name.clone(), id)).await.unwrap();
    kept(&aws);
    let taken = records.take_over(&operation, &cancelled(), now).await.unwrap().unwrap();
    kept(&aws);

    // The attempt that has taken over goes back, and commits that; reconcile concludes it.
    let taken = records.operation(name, taken.operation_id).await.unwrap().unwrap();
    let ended =
        records.commit(&taken, &failed(Rollback::Complete), None, Reached::default(), HOUR).await;
    records.conclude(&ended.unwrap().unwrap()).await.unwrap();
    assert_eq!(aws.operation(name, id)["later"], later());

    let function = records.function(name).await.unwrap().unwrap();
    let found = Difference::between(Facet::LogGroup, "logRetentionDays", 30, 7);
    let drift = Drift::found(found.as_slice(), now);
    assert!(records.record_drift(&function, &drift, None, Some(now)).await.unwrap());
    let function = aws.function(name).unwrap();
    assert_eq!((&function["later"], &function["spec"]["later"]), (&later(), &later()));
    assert_eq!(function["drift"]["status"], "DRIFTED");
}

//! Revisions: each commit keeps one, the newest so many stay with their code, and a delete forgets all.

use formation_model::{OperationId, OperationKind};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Aws, DEFAULTS, Item, ann, available, function_request};
use crate::control::{Change, Decision};
use crate::records::{OperationRecord, Outcome, Reached};
use crate::{Refusal, prune_revisions};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const PARTITION: &str = "FUNCTION#hello";

fn name() -> formation_model::FunctionName {
    "hello".parse().unwrap()
}

fn create() -> Change<'static> {
    Change::Create(function_request(json!({"functionName": "hello", "code": "first"})).into())
}

fn update(patch: Value) -> Change<'static> {
    let edit =
        move |current: &_| Ok(formation_model::request::patched(&patch, &DEFAULTS, current)?);
    Change::Update { name: name(), condition: None, edit: Box::new(edit) }
}

/// Accepts a change and commits it, as its steps would, keeping `kept` revisions.
async fn succeeds(aws: &Aws, change: Change<'_>, kept: u64) -> OperationRecord {
    let Ok(Decision::Accepted(accepted)) = aws.control().accept(change, &ann()).await else {
        panic!("it is accepted")
    };
    let (records, id) = (aws.records(), accepted.operation.operation_id);
    let running = records.operation(&name(), id).await.unwrap().unwrap();
    records.keep_current(&running, None).await.unwrap();
    let reached = Reached::default();
    let ended = records.commit(&running, &Outcome::Succeeded, None, reached, HOUR).await.unwrap();
    prune_revisions(&records, &aws.bundles(), &ended.unwrap(), kept).await.unwrap();
    running
}

async fn listed(aws: &Aws) -> Vec<u64> {
    let page = aws.control().revisions(&name(), 100, None).await.unwrap();
    assert!(page.items.iter().all(|it| it.specification.is_none()));
    page.items.iter().map(|revision| revision.revision).collect()
}

#[tokio::test]
async fn each_commit_keeps_what_the_function_was() {
    let aws = Aws::default();
    let created = succeeds(&aws, create(), 10).await;
    let updated = succeeds(&aws, update(json!({"memoryMegabytes": 256})), 10).await;
    assert_eq!(listed(&aws).await, [2, 1]);
    for (number, operation, kind, memory) in
        [(1, &created, OperationKind::Create, 128), (2, &updated, OperationKind::Update, 256)]
    {
        let revision = aws.control().revision(&name(), number).await.unwrap();
        assert_eq!((revision.operation_id, revision.kind), (operation.operation_id, kind.into()));
        assert_eq!(revision.created_by, operation.requested_by);
        let specification = revision.specification.unwrap();
        assert_eq!(specification.configuration.memory_megabytes, memory);
        assert_eq!(specification.code.sha256, revision.sha256);
    }
    for missing in [0, 3, u64::MAX] {
        let told = aws.control().revision(&name(), missing).await;
        assert!(matches!(told, Err(Refusal::RevisionNotFound { .. })), "{told:?}");
    }
    // A repair brings back what is recorded: it is no revision.
    succeeds(&aws, Change::Repair { name: name(), condition: None }, 10).await;
    assert_eq!(listed(&aws).await, [2, 1]);
}

#[tokio::test]
async fn the_newest_stay_and_code_that_none_of_them_uses_expires() {
    let aws = Aws::default();
    succeeds(&aws, create(), 2).await;
    succeeds(&aws, update(json!({"memoryMegabytes": 256})), 2).await;
    // The first two have the same code.
    succeeds(&aws, update(json!({"code": "second"})), 2).await;
    assert_eq!(listed(&aws).await, [3, 2]);
    assert!(aws.marked().values().all(|state| state != "expired"), "{:?}", aws.marked());
    succeeds(&aws, update(json!({"timeoutSeconds": 9})), 2).await;
    assert_eq!(listed(&aws).await, [4, 3]);
    let stored = aws.stored();
    assert_eq!(stored.len(), 2, "{stored:?}");
    assert_eq!(aws.marked().get(&stored[0]).map(String::as_str), Some("expired"));
    assert_eq!(aws.marked().get(&stored[1]), None);
    let told = aws.control().revision(&name(), 2).await;
    assert!(matches!(told, Err(Refusal::RevisionNotFound { .. })), "{told:?}");
}

#[tokio::test]
async fn a_delete_forgets_all_of_them_and_nothing_of_the_next_function_of_the_name() {
    let aws = Aws::default();
    succeeds(&aws, create(), 10).await;
    succeeds(&aws, update(json!({"code": "second"})), 10).await;
    let deleting = succeeds(&aws, Change::Delete { name: name(), condition: None }, 10).await;
    let revisions =
        || aws.items().into_iter().filter(|it| it["sk"].as_str().unwrap().starts_with("REVISION#"));
    assert_eq!(revisions().count(), 0);
    assert!(aws.stored().iter().all(|it| aws.marked()[it] == "expired"), "{:?}", aws.marked());

    succeeds(&aws, create(), 10).await;
    // The step of the delete is run again, late.
    prune_revisions(&aws.records(), &aws.bundles(), &deleting, 10).await.unwrap();
    assert_eq!(listed(&aws).await, [1]);
}

#[tokio::test]
async fn what_is_left_of_an_earlier_function_of_the_name_is_not_shown_and_goes() {
    let aws = Aws::default();
    succeeds(&aws, create(), 10).await;
    succeeds(&aws, update(json!({"code": "second"})), 10).await;
    succeeds(&aws, update(json!({"code": "third"})), 10).await;
    let left: Vec<Item> = {
        let state = aws.state();
        let items = state.table.items();
        items
            .filter(|it| it["sk"]["S"].as_str().unwrap().starts_with("REVISION#"))
            .cloned()
            .collect()
    };
    succeeds(&aws, Change::Delete { name: name(), condition: None }, 10).await;
    left.into_iter().for_each(|item| aws.state().table.put(item));

    succeeds(&aws, create(), 10).await;
    assert_eq!(listed(&aws).await, [1]);
    assert!(aws.item(PARTITION, "REVISION#0000000003").is_none());
}

#[tokio::test]
async fn a_function_that_an_earlier_release_has_made_has_its_current_revision() {
    let aws = Aws::default();
    let made = available();
    aws.state().put_function(&made);
    assert_eq!(listed(&aws).await, [1]);
    let revision = aws.control().revision(&name(), 1).await.unwrap();
    assert_eq!((revision.operation_id, revision.created_at), (made.committed_by, made.updated_at));

    // The next update keeps it, with what a later release has written into it.
    aws.set("FUNCTION", "hello", |record| record["spec"]["later"] = json!({"on": true}));
    succeeds(&aws, update(json!({"memoryMegabytes": 256})), 10).await;
    assert_eq!(listed(&aws).await, [2, 1]);
    let kept = aws.item(PARTITION, "REVISION#0000000001").unwrap();
    assert_eq!(kept["spec"]["later"], json!({"on": true}));
    assert_eq!(kept["operationId"], json!(made.committed_by));
}

#[tokio::test]
async fn what_is_forgotten_late_is_judged_by_the_function_as_it_is_then() {
    let aws = Aws::default();
    let created = succeeds(&aws, create(), 10).await;
    succeeds(&aws, update(json!({"code": "second"})), 10).await;
    let third = succeeds(&aws, update(json!({"code": "third"})), 10).await;
    // Only the code of the function's record: it is in use, whatever is known of revisions.
    aws.set("FUNCTION", "hello", |record| {
        record["spec"]["code"] = json!(created.target.clone().unwrap().code);
    });
    prune_revisions(&aws.records(), &aws.bundles(), &third, 2).await.unwrap();
    assert_eq!(listed(&aws).await, [3, 2]);
    assert!(aws.marked().is_empty(), "{:?}", aws.marked());
    // The step of an earlier operation forgets nothing that is kept by now.
    succeeds(&aws, update(json!({"code": "fourth"})), 2).await;
    prune_revisions(&aws.records(), &aws.bundles(), &third, 2).await.unwrap();
    assert_eq!(listed(&aws).await, [4, 3]);
}

#[tokio::test]
async fn a_revision_that_cannot_be_read_hides_none_and_keeps_none_from_being_forgotten() {
    let aws = Aws::default();
    succeeds(&aws, create(), 10).await;
    succeeds(&aws, update(json!({"code": "second"})), 10).await;
    aws.set(PARTITION, "REVISION#0000000002", |record| record["spec"]["code"] = json!("?"));
    succeeds(&aws, update(json!({"code": "third"})), 2).await;
    assert_eq!(listed(&aws).await, [3]);
    assert!(aws.item(PARTITION, "REVISION#0000000001").is_none());
}

#[tokio::test]
async fn a_page_of_revisions_is_no_page_of_anything_else() {
    let aws = Aws::default();
    succeeds(&aws, create(), 10).await;
    let control = aws.control();
    for token in ["", "x", &OperationId::generate().to_string()] {
        let told = control.revisions(&name(), 10, Some(token)).await;
        assert!(matches!(told, Err(Refusal::InvalidNextToken)), "{told:?}");
    }
    let missing = "nobody".parse().unwrap();
    let told = control.revisions(&missing, 10, None).await;
    assert!(matches!(told, Err(Refusal::FunctionNotFound(_))), "{told:?}");
}

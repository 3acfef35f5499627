//! Where callers are, as records tell it, and going back to an earlier revision.

use formation_model::operation::OperationError;
use formation_model::{
    FunctionName, FunctionStatus, Lane, OperationKind, Part, PublishedVersion, Rollback,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Aws, DEFAULTS, ann, available, cancelled, function_request};
use crate::control::{Accepted, Change, Decision};
use crate::records::{
    FunctionRecord, LiveRecord, OperationRecord, Outcome, Reached, Retired, Verdict,
};
use crate::{Caller, Refusal, prune_revisions};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const ALIAS: &str = "5f1c5b3e-8d3c-4a0e-9a53-1f6d1f1f0001";

fn name() -> FunctionName {
    "hello".parse().unwrap()
}

fn version(number: u64) -> Option<PublishedVersion> {
    number.to_string().parse().ok()
}

fn create() -> Change<'static> {
    Change::Create(function_request(json!({"functionName": "hello", "code": "first"})).into())
}

fn update(patch: Value) -> Change<'static> {
    let edit =
        move |current: &_| Ok(formation_model::request::patched(&patch, &DEFAULTS, current)?);
    Change::Update { name: name(), condition: None, edit: Box::new(edit) }
}

fn back_to(revision: Option<u64>) -> Change<'static> {
    Change::Rollback { name: name(), condition: None, revision }
}

/// Accepts a change, and answers the operation as it runs.
async fn runs(aws: &Aws, change: Change<'_>) -> OperationRecord {
    // Within a millisecond ids have no order.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let Ok(Decision::Accepted(accepted)) = aws.control().accept(change, &ann()).await else {
        panic!("it is accepted")
    };
    let Accepted { operation, .. } = *accepted;
    aws.records().operation(&name(), operation.operation_id).await.unwrap().unwrap()
}

async fn ends(
    aws: &Aws,
    running: &OperationRecord,
    outcome: &Outcome,
    reached: Reached<'_>,
) -> OperationRecord {
    let ended = aws.records().commit(running, outcome, None, reached, HOUR).await;
    ended.unwrap().unwrap()
}

fn reached(version: Option<PublishedVersion>) -> Reached<'static> {
    Reached { version, alias_revision_id: Some(ALIAS), ..Reached::default() }
}

async fn succeeds(aws: &Aws, change: Change<'_>, to: u64) -> OperationRecord {
    let running = runs(aws, change).await;
    ends(aws, &running, &Outcome::Succeeded, reached(version(to))).await
}

fn failed(rollback: Rollback, moved: bool) -> Outcome {
    let error = OperationError { code: "REJECTED".into(), ..cancelled() };
    let leftovers = match rollback {
        Rollback::Incomplete => vec![Part::Role],
        _ => Vec::new(),
    };
    Outcome::Failed { rollback, error, leftovers, moved }
}

async fn function(aws: &Aws) -> FunctionRecord {
    aws.control().function_record(&name()).await.unwrap()
}

#[tokio::test]
async fn a_commit_records_where_callers_are() {
    let aws = Aws::default();
    let ended = succeeds(&aws, create(), 1).await;
    assert_eq!(ended.to_announcement().version, version(1));
    assert_eq!(aws.operation(&name(), ended.operation_id)["version"], "1");
    let alias_revision_id = Some(ALIAS.to_owned());
    let live = LiveRecord { version: version(1), alias_revision_id, ..LiveRecord::default() };
    assert_eq!(function(&aws).await.live, live);
    assert_eq!(aws.control().revision(&name(), 1).await.unwrap().version, version(1));

    // The next operation knows it, and that it need not give callers a version first.
    let running = runs(&aws, update(json!({"memoryMegabytes": 256}))).await;
    assert_eq!(running.live, live);
    assert!(!running.execution_input().unversioned);
    let (shown, _) = aws.control().function(&name()).await.unwrap();
    assert_eq!(shown.resources.version, version(1));
    assert_eq!(shown.resources.invoke_arn, shown.resources.live_arn);
    assert!(shown.resources.live_arn.ends_with(":function:hello:live"));
    ends(&aws, &running, &Outcome::Succeeded, reached(version(2))).await;
    assert_eq!(function(&aws).await.live.version, version(2));
}

#[tokio::test]
async fn an_execution_of_an_earlier_release_names_no_version_and_ends_well() {
    let aws = Aws::default();
    aws.state().put_function(&available());
    let running = runs(&aws, update(json!({"memoryMegabytes": 256}))).await;
    assert!(running.execution_input().unversioned);
    let ended = ends(&aws, &running, &Outcome::Succeeded, Reached::default()).await;
    assert_eq!(ended.to_announcement().version, None);
    let function = function(&aws).await;
    assert_eq!((function.status, function.revision), (FunctionStatus::Available, 2));
    assert_eq!(function.live, LiveRecord::default());
    assert!(aws.function(&name()).unwrap().get("version").is_none());
}

#[tokio::test]
async fn what_was_published_of_the_state_before_stays_where_the_update_is_undone() {
    let aws = Aws::default();
    aws.state().put_function(&available());
    let running = runs(&aws, update(json!({"memoryMegabytes": 256}))).await;
    let kept = Reached { kept_version: version(1), ..reached(None) };
    ends(&aws, &running, &failed(Rollback::Complete, false), kept).await;
    let function = function(&aws).await;
    assert_eq!((function.revision, function.live.version), (1, version(1)));
}

#[tokio::test]
async fn what_fails_once_callers_have_moved_is_committed_and_finished_forward() {
    let aws = Aws::default();
    succeeds(&aws, create(), 1).await;
    let running = runs(&aws, update(json!({"memoryMegabytes": 256}))).await;
    let outcome = failed(Rollback::Incomplete, true);
    let ended = ends(&aws, &running, &outcome, reached(version(2))).await;
    assert_eq!((ended.rollback, ended.live.version), (Rollback::Incomplete, version(2)));
    let found = function(&aws).await;
    assert_eq!((found.status, found.revision), (FunctionStatus::Failed, 2));
    assert_eq!(found.spec.configuration.memory_megabytes, 256);
    assert_eq!((found.committed_by, found.live.version), (running.operation_id, version(2)));
    assert_eq!(aws.control().revision(&name(), 2).await.unwrap().version, version(2));
    // What heals it brings the rest to what callers run.
    let Decision::Accepted(healing) = aws.control().heal(&found).await.unwrap() else { panic!() };
    assert_eq!(healing.operation.kind, OperationKind::Repair);
    let id = healing.operation.operation_id;
    let target = &aws.operation(&name(), id)["target"];
    assert_eq!(target["memoryMegabytes"], 256);

    // Before they have, nothing is.
    let aws = Aws::default();
    succeeds(&aws, create(), 1).await;
    let running = runs(&aws, update(json!({"memoryMegabytes": 256}))).await;
    ends(&aws, &running, &failed(Rollback::Complete, false), reached(version(1))).await;
    let found = function(&aws).await;
    assert_eq!((found.status, found.revision), (FunctionStatus::Available, 1));
    assert_eq!((found.spec.configuration.memory_megabytes, found.live.version), (128, version(1)));
}

#[tokio::test]
async fn a_rollback_moves_to_the_version_that_is_kept_and_is_a_revision_of_its_own() {
    let aws = Aws::default();
    succeeds(&aws, create(), 1).await;
    succeeds(&aws, update(json!({"memoryMegabytes": 256})), 2).await;
    let running = runs(&aws, back_to(None)).await;
    assert_eq!((running.kind, running.revision), (OperationKind::Rollback, 3));
    assert_eq!(running.target_version, version(1));
    assert_eq!(running.target.as_ref().unwrap().configuration.memory_megabytes, 128);
    let input = running.execution_input();
    assert_eq!((input.lane, input.first_step()), (Lane::Rollback, "Return role"));
    assert_eq!(function(&aws).await.status, FunctionStatus::Updating);
    ends(&aws, &running, &Outcome::Succeeded, reached(version(1))).await;
    let found = function(&aws).await;
    assert_eq!((found.revision, found.live.version), (3, version(1)));
    let revision = aws.control().revision(&name(), 3).await.unwrap();
    assert_eq!((revision.kind, revision.version), (OperationKind::Rollback.into(), version(1)));

    // Without a version it is published anew, as by an update.
    aws.set("FUNCTION#hello", "REVISION#0000000002", |it| {
        it.as_object_mut().unwrap().remove("version");
    });
    let running = runs(&aws, back_to(Some(2))).await;
    assert_eq!(running.execution_input().lane, Lane::Ensure);
}

#[tokio::test]
async fn only_a_revision_that_is_kept_can_be_gone_back_to() {
    let aws = Aws::default();
    succeeds(&aws, create(), 1).await;
    for missing in [None, Some(2), Some(u64::MAX)] {
        let told = aws.control().accept(back_to(missing), &ann()).await;
        assert!(matches!(told, Err(Refusal::RevisionNotFound { .. })), "{missing:?}: {told:?}");
        let told = aws.control().plan(back_to(missing), &Caller::new("ann")).await;
        assert!(matches!(told, Err(Refusal::RevisionNotFound { .. })), "{missing:?}: {told:?}");
    }
    let told = aws.control().accept(back_to(Some(1)), &ann()).await.unwrap();
    assert!(matches!(told, Decision::Unchanged(_)), "{told:?}");
    let plan = aws.control().plan(back_to(Some(1)), &Caller::new("ann")).await.unwrap();
    assert_eq!(plan.kind, None);

    succeeds(&aws, update(json!({"code": "second"})), 2).await;
    let plan = aws.control().plan(back_to(None), &Caller::new("ann")).await.unwrap();
    assert_eq!(plan.kind, Some(OperationKind::Rollback.into()));
    // One that is forgotten between the look and the claim.
    aws.before("dynamodb:TransactWriteItems", |state| {
        let forgotten = ("FUNCTION#hello", "REVISION#0000000001");
        state.table.put(super::to_item(&json!({
            "pk": forgotten.0, "sk": forgotten.1, "operationId": "another"
        })));
    });
    let told = aws.control().accept(back_to(Some(1)), &ann()).await;
    assert!(matches!(told, Err(Refusal::RevisionNotFound { revision: 1, .. })), "{told:?}");
    assert_eq!(function(&aws).await.status, FunctionStatus::Available);
}

#[tokio::test]
async fn a_rollback_keeps_the_code_that_it_goes_back_to() {
    let aws = Aws::default();
    succeeds(&aws, create(), 1).await;
    succeeds(&aws, update(json!({"code": "second"})), 2).await;
    let first = aws.stored()[0].clone();
    assert_eq!(aws.marked().get(&first), None);
    runs(&aws, back_to(Some(1))).await;
    assert_eq!(aws.marked()[&first], "kept");
}

#[tokio::test]
async fn a_rollback_that_is_asked_for_again_is_one() {
    let aws = Aws::default();
    succeeds(&aws, create(), 1).await;
    succeeds(&aws, update(json!({"memoryMegabytes": 256})), 2).await;
    let key = || super::ann_again("k", &["POST", "/v1/functions/hello/rollback", "{}"]);
    let Decision::Accepted(first) = aws.control().accept(back_to(None), &key()).await.unwrap()
    else {
        panic!()
    };
    let Decision::Accepted(again) = aws.control().accept(back_to(None), &key()).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(first.operation.operation_id, again.operation.operation_id);
    assert!(again.replayed && !first.replayed);
}

#[tokio::test]
async fn a_version_that_no_kept_revision_has_is_noted_to_go_in_six_hours() {
    let aws = Aws::default();
    let began = jiff::Timestamp::now();
    let prune = async |ended: &OperationRecord| {
        prune_revisions(&aws.records(), &aws.bundles(), ended, 2).await.unwrap();
    };
    prune(&succeeds(&aws, create(), 1).await).await;
    prune(&succeeds(&aws, update(json!({"memoryMegabytes": 256})), 2).await).await;
    // Nothing that callers would notice: the same version.
    prune(&succeeds(&aws, update(json!({"tags": {"team": "a"}})), 2).await).await;
    let noted = |number: u64| {
        aws.item("FUNCTION#hello", &format!("RETIRED#VERSION#{number:010}"))
            .map(|it| it["dueAt"].clone())
    };
    let six_hours = (began + SignedDuration::from_hours(6)).as_second();
    assert!(noted(1).unwrap().as_i64().unwrap() >= six_hours);
    prune(&succeeds(&aws, update(json!({"tags": {"team": "b"}})), 2).await).await;
    assert_eq!(noted(2), None, "a kept revision has it");

    let records = aws.records();
    let may_go = async |number| records.may_go(&name(), version(number).unwrap()).await.unwrap();
    assert_eq!((may_go(1).await, may_go(2).await), (Verdict::Free, Verdict::Kept));
    let due = records.retired(jiff::Timestamp::now(), 10).await.unwrap();
    assert_eq!(due, [], "it stays for six hours");
    aws.set("FUNCTION#hello", "RETIRED#VERSION#0000000001", |it| it["dueAt"] = json!(1));
    let due = records.retired(jiff::Timestamp::now(), 10).await.unwrap();
    let retired = Retired::of(&due[0]).unwrap();
    assert_eq!(retired, Retired::Version(name(), version(1).unwrap()));

    // While an operation runs, it may be moved to.
    runs(&aws, update(json!({"memoryMegabytes": 512}))).await;
    assert_eq!(may_go(1).await, Verdict::Undecided);
    records.forget_retired(&retired, jiff::Timestamp::MAX).await.unwrap();
    assert_eq!(noted(1), None);
    let gone = "nobody".parse().unwrap();
    assert_eq!(records.may_go(&gone, version(1).unwrap()).await.unwrap(), Verdict::Free);
}

#[tokio::test]
async fn a_revision_that_was_kept_without_a_version_gets_the_one_that_is_published_of_it() {
    let aws = Aws::default();
    let created = runs(&aws, create()).await;
    ends(&aws, &created, &Outcome::Succeeded, Reached::default()).await;
    assert_eq!(aws.control().revision(&name(), 1).await.unwrap().version, None);
    let running = runs(&aws, update(json!({"memoryMegabytes": 256}))).await;
    aws.records().keep_current(&running, version(4).map(|it| (it, None))).await.unwrap();
    assert_eq!(aws.control().revision(&name(), 1).await.unwrap().version, version(4));
    // What it has it keeps.
    aws.records().keep_current(&running, version(5).map(|it| (it, None))).await.unwrap();
    assert_eq!(aws.control().revision(&name(), 1).await.unwrap().version, version(4));
}

//! What calls a function, as records tell it, and what is decided of it.

use formation_model::function::TriggerLimits;
use formation_model::operation::OperationError;
use formation_model::{
    Defaults, FunctionName, OperationKind, Part, Rollback, WarningCode, request,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Aws, DEFAULTS, ann, cancelled};
use crate::Refusal;
use crate::control::{Change, Decision};
use crate::records::{OperationRecord, Outcome, Reached};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:jobs";
const URL: &str = "https://first.lambda-url.eu-west-1.on.aws/";

fn name() -> FunctionName {
    "hello".parse().unwrap()
}

fn defaults() -> Defaults {
    Defaults { triggers: TriggerLimits::widest("111122223333", "eu-west-1"), ..DEFAULTS }
}

fn create(mut body: Value) -> Change<'static> {
    body["functionName"] = json!("hello");
    body["code"] = json!("first");
    Change::Create(request::read(&body, &defaults(), None).unwrap().into())
}

fn update(patch: Value) -> Change<'static> {
    let edit = move |current: &_| Ok(request::patched(&patch, &defaults(), current)?);
    Change::Update { name: name(), condition: None, edit: Box::new(edit) }
}

/// Accepts a change, and answers the operation as it runs.
async fn runs(aws: &Aws, change: Change<'_>) -> OperationRecord {
    // Within a millisecond ids have no order.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let Ok(Decision::Accepted(accepted)) = aws.control().accept(change, &ann()).await else {
        panic!("it is accepted")
    };
    let id = accepted.operation.operation_id;
    aws.records().operation(&name(), id).await.unwrap().unwrap()
}

/// Commits how it ended, as its steps would that have found this address.
async fn ends(aws: &Aws, running: &OperationRecord, outcome: &Outcome, url: Option<&str>) {
    let version = "1".parse().ok();
    let reached = Reached { function_url: url, version, ..Reached::default() };
    let ended = aws.records().commit(running, outcome, None, reached, HOUR).await;
    assert!(ended.unwrap().is_some());
}

async fn succeeds(aws: &Aws, change: Change<'_>, url: Option<&str>) -> OperationRecord {
    let running = runs(aws, change).await;
    ends(aws, &running, &Outcome::Succeeded, url).await;
    running
}

fn failed(rollback: Rollback, moved: bool) -> Outcome {
    let error = OperationError { code: "REJECTED".into(), ..cancelled() };
    let left = if rollback == Rollback::Incomplete { vec![Part::Triggers] } else { Vec::new() };
    Outcome::Failed { rollback, error, leftovers: left, moved }
}

/// The address that the function is shown with.
async fn shown_url(aws: &Aws) -> Option<String> {
    aws.control().function(&name()).await.unwrap().0.resources.function_url
}

#[tokio::test]
async fn an_address_is_told_as_long_as_the_function_has_it() {
    let aws = Aws::default();
    let url = || json!({"functionUrl": {"authType": "AWS_IAM"}});
    succeeds(&aws, create(url()), Some(URL)).await;
    assert_eq!(shown_url(&aws).await.as_deref(), Some(URL));
    // Its steps have not looked at it.
    succeeds(&aws, update(json!({"memoryMegabytes": 256})), None).await;
    assert_eq!(shown_url(&aws).await.as_deref(), Some(URL));
    // One that was to go, and stays.
    let running = runs(&aws, update(json!({"functionUrl": null}))).await;
    assert_eq!(running.warnings[0].code, WarningCode::AddressLost);
    ends(&aws, &running, &failed(Rollback::Complete, false), Some(URL)).await;
    assert_eq!(shown_url(&aws).await.as_deref(), Some(URL));
    // One that somebody deleted comes back as another.
    let another = "https://another.lambda-url.eu-west-1.on.aws/";
    let repair = Change::Repair { name: name(), condition: None };
    succeeds(&aws, repair, Some(another)).await;
    assert_eq!(shown_url(&aws).await.as_deref(), Some(another));
    // From the move on it is as asked, whatever fails behind it.
    let running = runs(&aws, update(json!({"functionUrl": null}))).await;
    ends(&aws, &running, &failed(Rollback::Incomplete, true), None).await;
    assert_eq!(shown_url(&aws).await, None);
    assert!(aws.function(&name()).unwrap().get("functionUrl").is_none());
}

#[tokio::test]
async fn an_execution_hears_whether_there_are_triggers_and_whether_they_change() {
    let aws = Aws::default();
    let told = |running: &OperationRecord| {
        let input = running.execution_input();
        (input.has_triggers, input.changes_triggers)
    };
    let created = succeeds(&aws, create(json!({})), None).await;
    assert_eq!(told(&created), (false, false));
    let schedules = json!({"schedules": [{"name": "n", "expression": "rate(1 day)"}]});
    let given = succeeds(&aws, update(schedules), None).await;
    assert_eq!(told(&given), (true, true));
    let other = succeeds(&aws, update(json!({"memoryMegabytes": 256})), None).await;
    assert_eq!(told(&other), (true, false));
    let repair = Change::Repair { name: name(), condition: None };
    assert_eq!(told(&succeeds(&aws, repair, None).await), (true, true));
    let taken = succeeds(&aws, update(json!({"schedules": null})), None).await;
    assert_eq!(told(&taken), (true, true));
    let delete = runs(&aws, Change::Delete { name: name(), condition: None }).await;
    assert_eq!(told(&delete), (false, false));
    assert_eq!(delete.execution_input().first_step(), "Remove function");
}

#[tokio::test]
async fn what_is_left_over_of_triggers_is_looked_for_by_whatever_comes_next() {
    let aws = Aws::default();
    succeeds(&aws, create(json!({})), None).await;
    succeeds(&aws, update(json!({"memoryMegabytes": 256})), None).await;
    let schedules = json!({"schedules": [{"name": "n", "expression": "rate(1 day)"}]});
    let leaves = runs(&aws, update(schedules)).await;
    ends(&aws, &leaves, &failed(Rollback::Incomplete, false), None).await;
    let repair = Change::Repair { name: name(), condition: None };
    let back = Change::Rollback { name: name(), condition: None, revision: Some(1) };
    let delete = Change::Delete { name: name(), condition: None };
    for (change, first_step) in [
        (update(json!({"memoryMegabytes": 512})), "Equip role"),
        (repair, "Widen role"),
        (back, "Return role"),
        (delete, "Remove triggers"),
    ] {
        let running = runs(&aws, change).await;
        let (target, previous) = (running.target.as_ref(), running.previous.as_ref());
        assert!([target, previous].into_iter().flatten().all(|it| !it.has_triggers()));
        let input = running.execution_input();
        assert!(input.has_triggers && input.changes_triggers, "{:?}", running.kind);
        assert_eq!(input.first_step(), first_step, "{:?}", running.kind);
        ends(&aws, &running, &failed(Rollback::Incomplete, false), None).await;
    }
    // Once one has found it, it is looked for no more.
    let repair = Change::Repair { name: name(), condition: None };
    succeeds(&aws, repair, None).await;
    let next = runs(&aws, update(json!({"memoryMegabytes": 512}))).await;
    let input = next.execution_input();
    assert!(!input.has_triggers && !input.changes_triggers);
}

#[tokio::test]
async fn a_delete_of_what_is_called_takes_that_first() {
    let aws = Aws::default();
    succeeds(&aws, create(json!({"asyncRetries": 0})), None).await;
    let delete = runs(&aws, Change::Delete { name: name(), condition: None }).await;
    assert_eq!(delete.execution_input().first_step(), "Remove triggers");
    assert!(delete.execution_input().has_triggers);
}

#[tokio::test]
async fn what_a_source_needs_has_to_be_within_the_boundary() {
    let aws = Aws::default();
    let source = || json!({"eventSources": [{"arn": QUEUE}]});
    let told = |refusal: Refusal| {
        let Refusal::InvalidFunction(problems) = refusal else { panic!("{refusal}") };
        let told = problems.first().iter().map(|it| (it.pointer.clone(), it.detail.clone()));
        told.collect::<Vec<_>>()
    };
    aws.state().boundary = Some(vec!["logs:*", "sqs:ReceiveMessage"]);
    let refused = aws.control().accept(create(source()), &ann()).await.unwrap_err();
    let told = told(refused);
    assert_eq!((told.len(), told[0].0.as_str()), (1, "/eventSources/0/arn"));
    let needs = "needs sqs:DeleteMessage, sqs:GetQueueAttributes of the function's role";
    assert!(told[0].1.contains(needs), "{told:?}");
    assert!(told[0].1.contains("allows logs:*, sqs:ReceiveMessage"), "{told:?}");
    // A boundary is kept for a minute.
    let within = aws.control();
    aws.state().boundary = Some(vec!["logs:*", "sqs:*"]);
    assert!(within.accept(create(source()), &ann()).await.is_ok());
}

#[tokio::test]
async fn a_rollback_brings_back_nothing_that_the_stack_does_not_let_any_more() {
    let aws = Aws::default();
    succeeds(&aws, create(json!({"functionUrl": {"authType": "NONE"}})), Some(URL)).await;
    succeeds(&aws, update(json!({"functionUrl": null, "memoryMegabytes": 256})), None).await;
    let back = || Change::Rollback { name: name(), condition: None, revision: Some(1) };
    let writes = aws.writes().len();
    for refused in [
        aws.control().accept(back(), &ann()).await.unwrap_err(),
        aws.control().plan(back(), &ann().caller).await.unwrap_err(),
    ] {
        let Refusal::InvalidFunction(problems) = refused else { panic!("{refused}") };
        assert_eq!(problems.first()[0].pointer, "/functionUrl/authType");
    }
    assert_eq!(aws.writes().len(), writes);
    // What is as it was then is no matter.
    let address = json!({"functionUrl": {"authType": "NONE"}, "memoryMegabytes": 512});
    succeeds(&aws, update(address), Some(URL)).await;
    let running = runs(&aws, back()).await;
    assert_eq!(running.kind, OperationKind::Rollback);
}

//! The table as its owner sees it: what is written, and what a failed condition means.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItemsError, TransactWriteItemsOutput,
};
use aws_sdk_dynamodb::types::CancellationReason;
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use formation_model::operation::OperationError;
use formation_model::{
    Bundle, Difference, Drift, Facet, FunctionSpec, FunctionStatus, OperationId, OperationKind,
    OperationStatus, Part, Rollback,
};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::{from_item, to_attribute_value, to_item};

use super::table::{Item, text};
use super::*;
use crate::caller::Caller;
use crate::version_tag::VersionTag;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(crate) fn function(operation_id: OperationId) -> FunctionRecord {
    let now = Timestamp::now();
    let code = Bundle {
        sha256: "c2hh".into(),
        size_bytes: 7,
        key: "bundles/hello/1.zip".into(),
        version: "v1".into(),
        inline: false,
    };
    let mut spec = FunctionSpec::new("hello".parse().unwrap(), code);
    spec.configuration.environment.0.insert("KEY".to_owned(), "value".to_owned());
    FunctionRecord {
        spec,
        status: FunctionStatus::Creating,
        revision: 0,
        committed_by: operation_id,
        operation_id,
        created_at: now,
        updated_at: now,
        created_by: "arn:aws:iam::111122223333:user/ann".into(),
        failures: 0,
        drift: Drift::default(),
        repaired: None,
        leftovers: Vec::new(),
        left_triggers: Vec::new(),
        role_id: None,
        live: LiveRecord::default(),
    }
}

pub(crate) fn operation() -> OperationRecord {
    let operation_id = OperationId::generate();
    OperationRecord {
        operation_id,
        kind: OperationKind::Create,
        function_name: "hello".parse().unwrap(),
        status: OperationStatus::Running,
        attempt: 1,
        target: Some(function(operation_id).spec),
        stored_target: None,
        previous: None,
        released: None,
        revision: 1,
        rollback: Rollback::NotNeeded,
        error: None,
        leftovers: Vec::new(),
        warnings: Vec::new(),
        started_at: Timestamp::now(),
        ended_at: None,
        requested_by: "arn:aws:iam::111122223333:user/ann".into(),
        idempotency_key: None,
        interruption: None,
        failures: 0,
        former_leftovers: Vec::new(),
        former_left_triggers: Vec::new(),
        doubts_triggers: false,
        role_id: None,
        live: LiveRecord::default(),
        target_version: None,
        target_role_id: None,
        only_forward: false,
    }
}

/// An update that runs.
fn update() -> OperationRecord {
    OperationRecord { kind: OperationKind::Update, previous: operation().target, ..operation() }
}

pub(crate) fn records(rules: &[&Rule]) -> Records {
    Records::new(mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules), "records")
}

/// A transaction that was cancelled for these reasons, one for each of its items.
fn cancelled(reasons: &'static [&'static str], found: Option<FunctionRecord>) -> Rule {
    mock!(Client::transact_write_items).then_error(move || {
        let reason = |(index, code): (usize, &&str)| {
            let item = found.as_ref().filter(|_| index == 0);
            let item = item.map(|function| to_item(function).unwrap());
            CancellationReason::builder().code(*code).set_item(item).build()
        };
        let reasons = reasons.iter().enumerate().map(reason).collect();
        TransactWriteItemsError::TransactionCanceledException(
            TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons)).build(),
        )
    })
}

#[test]
fn records_of_earlier_releases_tell_neither_of_inline_source_nor_of_warnings() {
    let mut record = serde_json::to_value(operation()).unwrap();
    assert!(record.get("warnings").is_none());
    record["target"]["code"].as_object_mut().unwrap().remove("inline");
    let record: OperationRecord = serde_json::from_value(record).unwrap();
    assert!(!record.target.unwrap().code.inline);
}

fn written() -> Rule {
    mock!(Client::transact_write_items).then_output(|| TransactWriteItemsOutput::builder().build())
}

fn stored(operation: &OperationRecord) -> Rule {
    let item: Item = to_item(operation).unwrap();
    mock!(Client::get_item)
        .then_output(move || GetItemOutput::builder().set_item(Some(item.clone())).build())
}

#[tokio::test(start_paused = true)]
async fn a_conflict_decides_nothing_and_is_tried_again() {
    let operation = operation();
    let conflict = || cancelled(&["TransactionConflict", "None"], None);
    let rules = [&conflict(), &conflict(), &written()];
    let function = function(operation.operation_id);
    let claim = records(&rules).claim_create(&function, &operation, None).await.unwrap();
    assert!(matches!(claim, Claim::Won));
    assert!(rules.iter().all(|rule| rule.num_calls() == 1));
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_recognises_itself() {
    let operation = operation();
    let ours = function(operation.operation_id);
    let theirs = function(OperationId::generate());
    let reasons: &[&str] = &["ConditionalCheckFailed", "None"];

    let records_with = |found| records(&[&cancelled(reasons, Some(found))]);
    let claim = records_with(ours.clone()).claim_create(&ours, &operation, None).await.unwrap();
    assert!(matches!(claim, Claim::Won));

    let claim = records_with(theirs.clone()).claim_create(&ours, &operation, None).await.unwrap();
    let Claim::Lost(Some(first)) = claim else { panic!("{claim:?}") };
    assert_eq!(first.operation_id, theirs.operation_id);
}

#[tokio::test]
async fn a_key_in_use_decides_before_the_function_does() {
    let operation = operation();
    let ours = function(operation.operation_id);
    let request = RequestKey::new(&Caller::new("ann"), "key", &["POST"]);
    let name = &operation.function_name;
    let memory =
        |id| IdempotencyRecord::new(&request, name.clone(), Some(id), Some(VersionTag::new(1, id)));
    // Both conditions fail: another request under the key was first, and has made the function.
    let refused = |found: IdempotencyRecord, function: FunctionRecord| {
        mock!(Client::transact_write_items).then_error(move || {
            let reason = |item: Item| {
                CancellationReason::builder()
                    .code("ConditionalCheckFailed")
                    .set_item(Some(item))
                    .build()
            };
            let reasons = vec![
                reason(to_item(&function).unwrap()),
                CancellationReason::builder().code("None").build(),
                reason(to_item(&found).unwrap()),
            ];
            TransactWriteItemsError::TransactionCanceledException(
                TransactionCanceledException::builder()
                    .set_cancellation_reasons(Some(reasons))
                    .build(),
            )
        })
    };
    let first = OperationId::generate();
    let rule = refused(memory(first), function(first));
    let own = memory(operation.operation_id);
    let remembered = Some((&request, &own));
    let claim = records(&[&rule]).claim_create(&ours, &operation, remembered).await.unwrap();
    let Claim::KeyInUse(found) = claim else { panic!("{claim:?}") };
    assert!(found.operation_id == Some(first) && found.is_of(&request));

    // Our own claim, whose answer was lost.
    let rule = refused(own.clone(), ours.clone());
    let claim = records(&[&rule]).claim_create(&ours, &operation, remembered).await.unwrap();
    assert!(matches!(claim, Claim::Won));
}

#[tokio::test]
async fn an_outcome_that_is_committed_already_is_answered_again() {
    let running = operation();
    let ended = OperationRecord { status: OperationStatus::Succeeded, ..running.clone() };
    let refused = || cancelled(&["ConditionalCheckFailed", "ConditionalCheckFailed"], None);
    let records_with = |found: &OperationRecord| records(&[&refused(), &stored(found)]);

    let again = records_with(&ended)
        .commit(&running, &Outcome::Succeeded, None, Reached::default(), HOUR)
        .await
        .unwrap();
    assert_eq!(again.unwrap().status, OperationStatus::Succeeded);

    for otherwise in [
        OperationRecord { status: OperationStatus::Failed, ..running.clone() },
        OperationRecord { attempt: 2, ..ended },
        OperationRecord { attempt: 2, ..running.clone() },
    ] {
        let found = records_with(&otherwise)
            .commit(&running, &Outcome::Succeeded, None, Reached::default(), HOUR)
            .await;
        assert!(found.unwrap().is_none(), "committed over {otherwise:?}");
    }
}

fn failed(rollback: Rollback) -> Outcome {
    let error = OperationError {
        code: "REJECTED".into(),
        message: "told".into(),
        step: "Ensure function".into(),
        aws_error_code: None,
        aws_request_id: None,
    };
    Outcome::Failed { rollback, error, leftovers: vec![Part::Role], moved: false }
}

#[tokio::test]
async fn what_has_ended_keeps_no_specification_and_expires_however_it_ended() {
    let running = OperationRecord { previous: operation().target, ..operation() };
    for outcome in [Outcome::Succeeded, failed(Rollback::Complete), failed(Rollback::Incomplete)] {
        let written = mock!(Client::transact_write_items)
            .match_requests(|request| {
                let update = request.transact_items()[1].update().unwrap();
                let removed = update.update_expression().split_once(" REMOVE ").unwrap().1;
                ["#target", "#previous"].iter().all(|name| removed.contains(name))
                    && update.expression_attribute_values().unwrap().contains_key(":expiresAt")
            })
            .then_output(|| TransactWriteItemsOutput::builder().build());
        let ended =
            records(&[&written]).commit(&running, &outcome, None, Reached::default(), HOUR).await;
        let ended = ended.unwrap().unwrap();
        assert!(ended.target.is_none() && ended.previous.is_none(), "{outcome:?}");
        assert_eq!(written.num_calls(), 1);
    }
}

#[tokio::test]
async fn what_the_steps_have_found_besides_is_the_drift_that_is_left() {
    let update = update();
    let key = Difference::between(
        Facet::Configuration,
        "kmsKeyArn",
        serde_json::Value::Null,
        "arn:aws:kms:eu-west-1:111122223333:key/k",
    );
    for (unnamed, status) in [(Vec::new(), "IN_SYNC"), (vec![key.unwrap()], "DRIFTED")] {
        for outcome in [Outcome::Succeeded, failed(Rollback::Complete)] {
            let written = mock!(Client::transact_write_items)
                .match_requests(move |request| {
                    let update = request.transact_items()[0].update().unwrap();
                    let drift = &update.expression_attribute_values().unwrap()[":drift"];
                    drift.as_m().unwrap()["status"] == text(status)
                })
                .then_output(|| TransactWriteItemsOutput::builder().build());
            let reached = Reached { unnamed: &unnamed, ..Reached::default() };
            let records = records(&[&written]);
            let ended = records.commit(&update, &outcome, None, reached, HOUR).await;
            assert!(ended.unwrap().is_some(), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn the_role_that_a_function_is_known_to_have_is_kept_with_it() {
    let update = update();
    for (outcome, role_id, expected) in [
        (Outcome::Succeeded, Some("AROA1"), Some("AROA1")),
        // What callers run is still of the role before.
        (failed(Rollback::Complete), Some("AROA1"), None),
        (failed(Rollback::Incomplete), Some("AROA1"), None),
        // Nothing is known: what is recorded stays.
        (Outcome::Succeeded, None, None),
    ] {
        let written = mock!(Client::transact_write_items)
            .match_requests(move |request| {
                let update = request.transact_items()[0].update().unwrap();
                let values = update.expression_attribute_values().unwrap();
                let sets = update.update_expression().contains("#roleId = :roleId");
                sets == expected.is_some() && values.get(":roleId") == expected.map(text).as_ref()
            })
            .then_output(|| TransactWriteItemsOutput::builder().build());
        let ended = records(&[&written])
            .commit(&update, &outcome, None, Reached { role_id, ..Reached::default() }, HOUR)
            .await;
        assert!(ended.unwrap().is_some(), "{outcome:?}");
    }
}

#[test]
fn every_partition_has_a_console_of_its_own() {
    for (partition, domain) in [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ] {
        let machine = format!("arn:{partition}:states:r-1:111122223333:stateMachine:formation");
        let operation = operation().to_operation(&machine, "r-1");
        let arn = &operation.execution_arn;
        assert!(arn.starts_with(&format!("arn:{partition}:states:")), "{arn}");
        assert_eq!(
            operation.console_url,
            format!("https://r-1.{domain}/states/home?region=r-1#/v2/executions/details/{arn}")
        );
    }
}

#[tokio::test]
async fn what_has_expired_is_gone_even_if_dynamodb_still_has_it() {
    let mut item: Item = to_item(operation()).unwrap();
    let past = Timestamp::now().as_second() - 1;
    item.insert("expiresAt".to_owned(), to_attribute_value(past).unwrap());
    let get = mock!(Client::get_item)
        .then_output(move || GetItemOutput::builder().set_item(Some(item.clone())).build());
    let found = records(&[&get])
        .operation(&"hello".parse().unwrap(), OperationId::generate())
        .await
        .unwrap();
    assert!(found.is_none());
}

#[test]
fn records_survive_the_table() {
    let function = function(OperationId::generate());
    let item: Item = to_item(&function).unwrap();
    let read: FunctionRecord = from_item(item).unwrap();
    assert_eq!(read.spec, function.spec);
    assert_eq!(
        (read.created_at, read.version_tag()),
        (function.created_at, function.version_tag())
    );
}

#[test]
fn drift_that_the_first_release_repaired_is_readable() {
    let stored = serde_json::json!({"differences": [], "times": 2});
    let read: RepairedDrift = serde_json::from_value(stored).unwrap();
    assert_eq!(read, RepairedDrift { digest: String::new(), times: 2, after: None });
}

#[test]
fn what_calls_a_function_is_doubted_where_something_is_left_or_a_comparison_found_it_otherwise() {
    let at = Timestamp::UNIX_EPOCH;
    let record = function(OperationId::generate());
    assert!(!record.doubts_triggers());
    let left = FunctionRecord { leftovers: vec![Part::Function.into()], ..record.clone() };
    assert!(left.doubts_triggers());
    for (part, facet, doubts) in
        [("TRIGGERS", "EVENT_RULE", true), ("FUNCTION", "CONFIGURATION", false)]
    {
        let difference = serde_json::json!({
            "part": part, "facet": facet, "property": "x", "expected": 1, "actual": 2
        });
        let difference: Difference = serde_json::from_value(difference).unwrap();
        let drift = Drift::found(&[difference], at);
        let drifted = FunctionRecord { drift, ..record.clone() };
        assert_eq!(drifted.doubts_triggers(), doubts, "{facet}");
    }
}

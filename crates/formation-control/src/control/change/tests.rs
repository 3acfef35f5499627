//! What is decided of a change, and what is left in AWS by each decision.

use formation_model::part::Part;
use formation_model::plan::Action;
use formation_model::{
    ErrorName, FieldProblem, FieldProblemCode, FunctionName, ProblemCode, request,
};
use serde_json::{Value, json};

use super::*;
use crate::tests::{Aws, DEFAULTS, ann, ann_again, available, function_request};

const SOURCE: &str = "export const handler = async () => 1;";

fn hello() -> FunctionName {
    "hello".parse().unwrap()
}

fn create() -> Change<'static> {
    Change::Create(function_request(json!({"functionName": "hello", "code": SOURCE})).into())
}

fn update(patch: Value) -> Change<'static> {
    update_if(None, patch)
}

fn update_if(condition: Option<Condition>, patch: Value) -> Change<'static> {
    let edit = move |current: &_| Ok(request::patched(&patch, &DEFAULTS, current)?);
    Change::Update { name: hello(), condition, edit: Box::new(edit) }
}

fn repair() -> Change<'static> {
    Change::Repair { name: hello(), condition: None }
}

fn delete() -> Change<'static> {
    Change::Delete { name: hello(), condition: None }
}

/// An AWS that holds the record of a function.
fn aws_with(function: &FunctionRecord) -> Aws {
    let aws = Aws::default();
    aws.state().put_function(function);
    aws
}

fn accepted(decision: Result<Decision, Refusal>) -> Accepted {
    match decision {
        Ok(Decision::Accepted(accepted)) => *accepted,
        other => panic!("{other:?}"),
    }
}

fn unchanged(decision: Result<Decision, Refusal>) -> Unchanged {
    match decision {
        Ok(Decision::Unchanged(unchanged)) => *unchanged,
        other => panic!("{other:?}"),
    }
}

/// The input of the first attempt of an operation.
fn input(aws: &Aws, operation: OperationId) -> Value {
    let executions = aws.executions();
    let (_, input) =
        executions.iter().find(|(name, _)| name.ends_with(&format!("{operation}-1"))).unwrap();
    serde_json::from_str(input).unwrap()
}

/// Another operation has the function, and runs or has ended.
fn another(status: FunctionStatus) -> FunctionRecord {
    FunctionRecord { status, ..available() }
}

fn actions(plan: &Plan) -> Vec<Action> {
    plan.parts.iter().map(|part| *part.action.known().unwrap()).collect()
}

fn kind(plan: &Plan) -> Option<OperationKind> {
    plan.kind.as_ref().map(|kind| *kind.known().unwrap())
}

#[tokio::test]
async fn a_create_stores_its_code_claims_the_name_and_starts_the_first_attempt() {
    let aws = Aws::default();
    let accepted = accepted(aws.control().accept(create(), &ann()).await);
    let id = accepted.operation.operation_id;
    assert_eq!(accepted.version_tag.unwrap().to_string(), format!("1-{id}"));
    assert!(!accepted.replayed);

    let calls = ["s3:PutObject", "dynamodb:TransactWriteItems", "states:StartExecution"];
    assert_eq!(aws.writes(), calls);
    let function = aws.function(&hello()).unwrap();
    assert_eq!((&function["status"], &function["revision"]), (&json!("CREATING"), &json!(0)));
    assert_eq!(function["createdBy"], "arn:aws:iam::111122223333:user/ann");
    let operation = aws.operation(&hello(), id);
    assert_eq!((&operation["status"], &operation["attempt"]), (&json!("RUNNING"), &json!(1)));
    assert_eq!(operation["target"], function["spec"]);
    assert_eq!(operation["due"], "OPERATIONS");
    let input = input(&aws, id);
    assert_eq!((&input["lane"], &input["recovery"]), (&json!("ENSURE"), &json!("UNDO")));
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_before_anything_is_stored() {
    let control = |status| aws_with(&another(status));
    for (status, busy) in [
        (FunctionStatus::Available, false),
        (FunctionStatus::Failed, false),
        (FunctionStatus::Creating, true),
        (FunctionStatus::Deleting, true),
    ] {
        let aws = control(status);
        let refused = [
            aws.control().accept(create(), &ann()).await.map(drop),
            aws.control().plan(create(), &Caller::new("ann")).await.map(drop),
        ];
        for refused in refused {
            match refused {
                Err(Refusal::FunctionExists(_)) => assert!(!busy, "{status:?}"),
                Err(Refusal::OperationInProgress { .. }) => assert!(busy, "{status:?}"),
                other => panic!("{status:?}: {other:?}"),
            }
        }
        assert!(aws.writes().is_empty(), "{:?}", aws.writes());
    }
}

#[tokio::test]
async fn a_name_that_somebody_elses_lambda_function_has_is_refused_before_anything_is_stored() {
    let aws = Aws::default();
    let foreign = json!({"Configuration": {"FunctionName": "hello"}, "Tags": {"team": "b"}});
    aws.answer("lambda:GetFunction", 200, foreign);
    for refused in [
        aws.control().accept(create(), &ann()).await.map(drop),
        aws.control().plan(create(), &Caller::new("ann")).await.map(drop),
    ] {
        let Err(Refusal::Resource(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.name(), ErrorName::NotOwned);
    }
    assert!(aws.writes().is_empty(), "{:?}", aws.writes());
}

#[tokio::test(start_paused = true)]
async fn a_create_is_accepted_where_it_cannot_be_told_now_whose_the_name_is() {
    let aws = Aws::default();
    aws.answer("lambda:GetFunction", 429, json!({"__type": "TooManyRequestsException"}));
    accepted(aws.control().accept(create(), &ann()).await);
}

#[tokio::test]
async fn a_create_that_is_repeated_under_its_key_is_the_same_operation() {
    let aws = Aws::default();
    let requester = ann_again("k", &["create"]);
    let first = accepted(aws.control().accept(create(), &requester).await);
    let again = accepted(aws.control().accept(create(), &requester).await);
    assert_eq!(again.operation.operation_id, first.operation.operation_id);
    assert_eq!(again.version_tag, first.version_tag);
    assert!(again.replayed && !first.replayed);
    // Whoever accepted it may have died before starting it, so it is started again: as the same.
    assert_eq!((aws.calls("states:StartExecution"), aws.executions().len()), (2, 1));
    assert_eq!(aws.calls("s3:PutObject"), 1);
    let id = first.operation.operation_id;
    assert_eq!(aws.operation(&hello(), id)["idempotencyKey"], "k");
}

#[tokio::test]
async fn a_key_that_came_with_another_request_is_refused() {
    let aws = Aws::default();
    accepted(aws.control().accept(create(), &ann_again("k", &["create"])).await);
    let writes = aws.writes().len();
    for change in [create(), update(json!({})), repair(), delete()] {
        let told = aws.control().accept(change, &ann_again("k", &["another"])).await;
        assert!(matches!(told, Err(Refusal::KeyReused)), "{told:?}");
    }
    assert_eq!(aws.writes().len(), writes);
}

#[tokio::test]
async fn two_requests_under_one_key_at_once_are_one_operation() {
    let aws = Aws::default();
    let requester = ann_again("k", &["create"]);
    let (twin, same) = (aws.clone(), requester.clone());
    // While the code of the second is stored, the first is accepted.
    let first = accepted(twin.control().accept(create(), &same).await);
    let key = aws.items().into_iter().find(|item| item["sk"] == "IDEMPOTENCY").unwrap();
    let (late, pk) = (Aws::default(), key["pk"].as_str().unwrap().to_owned());
    let id = first.operation.operation_id;
    let operation = aws.operation(&hello(), id);
    let function = aws.function(&hello()).unwrap();
    late.before("dynamodb:TransactWriteItems", move |state| {
        state.put((&pk, "IDEMPOTENCY"), &key);
        state.put(("FUNCTION", "hello"), &function);
        state.put(("FUNCTION#hello", &format!("OPERATION#{id}")), &operation);
    });
    let second = accepted(late.control().accept(create(), &requester).await);
    assert_eq!(second.operation.operation_id, id);
    assert!(second.replayed);
    assert!(late.stored().is_empty(), "its own code is not needed: {:?}", late.stored());
}

#[tokio::test]
async fn a_create_that_loses_the_claim_leaves_nothing() {
    for (status, busy) in [(FunctionStatus::Creating, true), (FunctionStatus::Available, false)] {
        let aws = Aws::default();
        let first = another(status);
        aws.before("dynamodb:TransactWriteItems", move |state| state.put_function(&first));
        match aws.control().accept(create(), &ann()).await {
            Err(Refusal::OperationInProgress { .. }) => assert!(busy),
            Err(Refusal::FunctionExists(_)) => assert!(!busy),
            other => panic!("{other:?}"),
        }
        assert!(aws.stored().is_empty(), "{:?}", aws.stored());
        assert_eq!((aws.items().len(), aws.executions().len()), (1, 0));
    }
}

#[tokio::test]
async fn what_is_claimed_is_accepted_even_if_its_start_fails() {
    let aws = Aws::default();
    aws.answer("states:StartExecution", 400, json!({"__type": "AccessDeniedException"}));
    let accepted = accepted(aws.control().accept(create(), &ann()).await);
    let operation = aws.operation(&hello(), accepted.operation.operation_id);
    assert_eq!(
        (&operation["status"], &operation["due"]),
        (&json!("RUNNING"), &json!("OPERATIONS"))
    );
    assert_eq!(aws.stored().len(), 1);
}

#[tokio::test]
async fn only_a_repair_that_was_asked_for_sets_back_what_is_not_named() {
    let failed = FunctionRecord { status: FunctionStatus::Failed, failures: 2, ..available() };
    let aws = aws_with(&failed);
    let healing = accepted(aws.control().heal(&failed).await).operation;
    let resets = async |aws: &Aws, operation: Operation| {
        let operation = aws.records().operation(&hello(), operation.operation_id).await.unwrap();
        operation.unwrap().resets_unnamed()
    };
    assert!(!resets(&aws, healing).await);
    for (change, expected) in [(repair(), true), (update(json!({"timeoutSeconds": 9})), false)] {
        let aws = aws_with(&available());
        let operation = accepted(aws.control().accept(change, &ann()).await).operation;
        assert_eq!(resets(&aws, operation).await, expected);
    }
}

#[tokio::test]
async fn an_update_claims_the_function_with_its_target_and_the_last_good_state() {
    let function = FunctionRecord {
        leftovers: vec![Part::Role.into()],
        role_id: Some("AROA1".into()),
        ..available()
    };
    let aws = aws_with(&function);
    let patch = json!({"memoryMegabytes": 256});
    let accepted = accepted(aws.control().accept(update(patch), &ann()).await);
    let id = accepted.operation.operation_id;
    assert_eq!(accepted.version_tag.unwrap().to_string(), format!("2-{id}"));
    let operation = aws.operation(&hello(), id);
    assert_eq!(operation["target"]["memoryMegabytes"], 256);
    assert_eq!(operation["previous"]["memoryMegabytes"], 128);
    assert_eq!(operation["revision"], 2);
    assert_eq!(operation["formerLeftovers"], json!(["ROLE"]));
    assert_eq!(operation["roleId"], "AROA1");
    let recorded = aws.function(&hello()).unwrap();
    assert_eq!((&recorded["status"], &recorded["revision"]), (&json!("UPDATING"), &json!(1)));
    assert_eq!(recorded["spec"]["memoryMegabytes"], 128, "until it is committed");
    assert_eq!(aws.calls("s3:PutObject"), 0, "the code is as before");
}

#[tokio::test]
async fn an_update_to_what_is_recorded_is_no_operation_and_is_remembered_as_such() {
    let function = available();
    let aws = aws_with(&function);
    let requester = ann_again("k", &["update"]);
    let patch = || update(json!({"memoryMegabytes": 128}));
    let first = unchanged(aws.control().accept(patch(), &requester).await);
    assert_eq!((first.version_tag, first.replayed), (function.version_tag(), false));
    assert!(aws.executions().is_empty());

    // Somebody else has changed it since: that is not taken back.
    aws.set("FUNCTION", "hello", |item| {
        item["spec"]["memoryMegabytes"] = json!(512);
        item["revision"] = json!(2);
    });
    let again = unchanged(aws.control().accept(patch(), &requester).await);
    assert!(again.replayed);
    assert_eq!(
        (again.function.revision, again.function.spec.configuration.memory_megabytes),
        (2, 512)
    );
    assert!(aws.executions().is_empty());
}

#[tokio::test]
async fn a_function_that_is_failed_is_brought_to_what_is_recorded() {
    let aws = aws_with(&another(FunctionStatus::Failed));
    let plan = aws.control().plan(update(json!({})), &Caller::new("ann")).await.unwrap();
    assert_eq!(kind(&plan), Some(OperationKind::Update));
    accepted(aws.control().accept(update(json!({})), &ann()).await);
}

#[tokio::test]
async fn a_change_is_refused_where_its_condition_does_not_hold() {
    let function = available();
    let aws = aws_with(&function);
    let (is, was) = (function.version_tag(), VersionTag::new(1, OperationId::generate()));
    let changes = |condition: Condition| {
        let (name, some) = (hello(), Some(condition));
        [
            update_if(some.clone(), json!({"timeoutSeconds": 9})),
            Change::Repair { name: name.clone(), condition: some.clone() },
            Change::Delete { name, condition: some },
        ]
    };
    for change in changes(Condition::IsAt(vec![was])) {
        let Err(Refusal::ConditionFailed { version_tag, .. }) =
            aws.control().accept(change, &ann()).await
        else {
            panic!("it was accepted")
        };
        assert_eq!(version_tag, is);
    }
    for change in changes(Condition::IsAt(vec![was])) {
        let planned = aws.control().plan(change, &Caller::new("ann")).await;
        assert!(matches!(planned, Err(Refusal::ConditionFailed { .. })), "{planned:?}");
    }
    assert!(aws.writes().is_empty(), "{:?}", aws.writes());
    for condition in [Condition::Exists, Condition::IsAt(vec![was, is])] {
        for change in changes(condition) {
            let aws = aws_with(&function);
            accepted(aws.control().accept(change, &ann()).await);
        }
    }
}

#[tokio::test]
async fn a_busy_function_is_told_of_before_a_condition_is_looked_at() {
    let busy = another(FunctionStatus::Updating);
    let aws = aws_with(&busy);
    let condition = || Some(Condition::IsAt(Vec::new()));
    for change in [
        update_if(condition(), json!({})),
        Change::Repair { name: hello(), condition: condition() },
        Change::Delete { name: hello(), condition: condition() },
    ] {
        match aws.control().accept(change, &ann()).await {
            Err(Refusal::OperationInProgress { operation, .. }) => {
                assert_eq!(operation, busy.operation_id);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(aws.writes().is_empty());
}

#[tokio::test]
async fn what_is_not_there_cannot_be_changed() {
    for change in [update(json!({})), repair(), delete()] {
        let told = Aws::default().control().accept(change, &ann()).await;
        assert!(matches!(told, Err(Refusal::FunctionNotFound(_))), "{told:?}");
    }
    for change in [update(json!({})), repair(), delete()] {
        let told = Aws::default().control().plan(change, &Caller::new("ann")).await;
        assert!(matches!(told, Err(Refusal::FunctionNotFound(_))), "{told:?}");
    }
}

#[tokio::test]
async fn what_was_never_available_cannot_be_updated() {
    let function = FunctionRecord { revision: 0, ..another(FunctionStatus::Failed) };
    let aws = aws_with(&function);
    for told in [
        aws.control().accept(update(json!({})), &ann()).await.map(drop),
        aws.control().plan(update(json!({})), &Caller::new("ann")).await.map(drop),
    ] {
        assert!(matches!(told, Err(Refusal::NeverAvailable(_))), "{told:?}");
    }
}

#[tokio::test]
async fn an_edit_that_is_not_valid_is_refused_with_its_problems() {
    let aws = aws_with(&available());
    let edit = |_: &FunctionSpec| {
        Err(FieldProblem::new("/handler", FieldProblemCode::Required, "must be given").into())
    };
    let change = Change::Update { name: hello(), condition: None, edit: Box::new(edit) };
    match aws.control().accept(change, &ann()).await {
        Err(Refusal::InvalidFunction(problems)) => {
            assert_eq!(problems.first()[0].pointer, "/handler");
        }
        other => panic!("{other:?}"),
    }
    assert!(aws.writes().is_empty());
}

#[tokio::test]
async fn an_update_that_loses_the_claim_discards_its_code_and_no_other() {
    for patch in [json!({"code": SOURCE}), json!({"memoryMegabytes": 256})] {
        let aws = aws_with(&available());
        aws.before("dynamodb:TransactWriteItems", |state| {
            state.put_function(&another(FunctionStatus::Updating));
        });
        let told = aws.control().accept(update(patch.clone()), &ann()).await;
        assert!(matches!(told, Err(Refusal::OperationInProgress { .. })), "{told:?}");
        assert!(aws.stored().is_empty(), "{:?}", aws.stored());
        let stores = aws.calls("s3:PutObject");
        assert_eq!(aws.calls("s3:DeleteObject"), stores, "{patch}");
        assert!(aws.executions().is_empty());
    }
}

#[tokio::test]
async fn an_update_whose_claim_has_no_clear_answer_keeps_its_code() {
    let aws = aws_with(&available());
    aws.answer("dynamodb:TransactWriteItems", 400, json!({"__type": "AccessDeniedException"}));
    let told = aws.control().accept(update(json!({"code": SOURCE})), &ann()).await;
    assert!(matches!(told, Err(Refusal::Aws(_))), "{told:?}");
    // The operation may well be running.
    assert_eq!(aws.stored().len(), 1);
}

#[tokio::test]
async fn a_repair_goes_for_what_is_recorded() {
    let function = available();
    let aws = aws_with(&function);
    let accepted = accepted(aws.control().accept(repair(), &ann()).await);
    assert_eq!(accepted.version_tag, Some(function.version_tag()));
    let id = accepted.operation.operation_id;
    let operation = aws.operation(&hello(), id);
    assert_eq!(operation["target"], aws.function(&hello()).unwrap()["spec"]);
    assert_eq!((&operation["revision"], &operation["failures"]), (&json!(1), &json!(0)));
    assert_eq!(input(&aws, id)["lane"], "ENSURE");
    assert_eq!(aws.function(&hello()).unwrap()["status"], "UPDATING");
}

#[tokio::test]
async fn a_repair_of_what_was_never_available_finishes_undoing_it() {
    let aws = aws_with(&FunctionRecord { revision: 0, ..another(FunctionStatus::Failed) });
    let plan = aws.control().plan(repair(), &Caller::new("ann")).await.unwrap();
    assert_eq!(
        (kind(&plan), actions(&plan)),
        (Some(OperationKind::Repair), vec![Action::Delete; 4])
    );
    let id = accepted(aws.control().accept(repair(), &ann()).await).operation.operation_id;
    assert!(aws.operation(&hello(), id).get("target").is_none());
    assert_eq!(input(&aws, id)["lane"], "DELETE");
}

#[tokio::test]
async fn a_delete_is_claimed_and_started() {
    let aws = aws_with(&available());
    let accepted = accepted(aws.control().accept(delete(), &ann()).await);
    assert_eq!(accepted.version_tag, None);
    assert_eq!(aws.function(&hello()).unwrap()["status"], "DELETING");
    let operation = aws.operation(&hello(), accepted.operation.operation_id);
    assert!(operation.get("target").is_none() && operation.get("previous").is_some());
}

#[tokio::test]
async fn a_function_with_deletion_protection_is_not_deleted() {
    let mut function = available();
    function.spec.deletion_protection = true;
    let aws = aws_with(&function);
    for told in [
        aws.control().accept(delete(), &ann()).await.map(drop),
        aws.control().plan(delete(), &Caller::new("ann")).await.map(drop),
    ] {
        assert!(matches!(told, Err(Refusal::DeletionProtected(_))), "{told:?}");
    }
    assert!(aws.writes().is_empty());
}

/// What became of it: the kind of the operation, if any, or the code of the refusal.
fn outcome<T>(
    told: Result<T, Refusal>,
    kind: impl FnOnce(T) -> Option<OperationKind>,
) -> Result<Option<OperationKind>, ProblemCode> {
    told.map(kind).map_err(|refusal| refusal.code())
}

#[tokio::test]
async fn a_put_is_planned_as_it_would_be_planned_and_accepted_by_its_kind_whatever_there_is() {
    use FunctionStatus::{Available, Creating, Deleting, Failed, Updating};
    use OperationKind::{Create, Update};

    let (good, bad) = (json!({"memoryMegabytes": 256}), json!({"memoryMegabytes": 1}));
    let nothing = json!({});
    let record = |status, revision| Some(FunctionRecord { revision, ..another(status) });
    let invalid = Err(ProblemCode::InvalidFunction);
    let busy = Err(ProblemCode::OperationInProgress);
    let never = Err(ProblemCode::NeverAvailable);
    for (there, is_foreign, asked, expected) in [
        (None, false, &good, Ok(Some(Create))),
        (None, false, &bad, invalid),
        (None, true, &good, Err(ProblemCode::NotOwned)),
        (None, true, &bad, invalid),
        (record(Available, 1), false, &good, Ok(Some(Update))),
        (record(Available, 1), false, &nothing, Ok(None)),
        (record(Available, 1), false, &bad, invalid),
        (record(Failed, 1), false, &good, Ok(Some(Update))),
        (record(Failed, 1), false, &nothing, Ok(Some(Update))),
        (record(Failed, 1), false, &bad, invalid),
        (record(Failed, 0), false, &good, never),
        (record(Failed, 0), false, &bad, never),
        (record(Creating, 0), false, &good, busy),
        // Whoever waits for it is told first of all.
        (record(Creating, 0), false, &bad, busy),
        (record(Updating, 1), false, &bad, busy),
        (record(Deleting, 1), false, &bad, busy),
    ] {
        let what = format!("{:?} {is_foreign} {asked}", there.as_ref().map(|it| it.status));
        let aws = || {
            let aws = there.as_ref().map_or_else(Aws::default, aws_with);
            if is_foreign {
                let foreign = json!({"Configuration": {"FunctionName": "hello"}, "Tags": {}});
                aws.answer("lambda:GetFunction", 200, foreign);
            }
            aws
        };
        // What GET shows of it, with what is asked for.
        let put = |current: Option<&FunctionSpec>| {
            let mut body = match current {
                Some(current) => json!(summarised(current.clone())),
                None => json!({"functionName": "hello", "code": SOURCE}),
            };
            body.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
            Ok(request::planned(&body, &DEFAULTS, current)?)
        };
        let change = || match there {
            None => put(None).map(|request| Change::Create(request.into())),
            Some(_) => Ok(Change::Update {
                name: hello(),
                condition: None,
                edit: Box::new(move |current| put(Some(current))),
            }),
        };
        let change = || change().map_err(Refusal::InvalidFunction);

        let told = aws();
        let planned = told.control().plan_put(&hello(), Box::new(put), &Caller::new("ann")).await;
        let version = there.as_ref().map(FunctionRecord::version_tag);
        assert!(planned.as_ref().map_or(true, |(_, told)| *told == version), "{what}");
        assert_eq!(outcome(planned, |(plan, _)| kind(&plan)), expected, "{what}: plan_put");
        assert!(told.writes().is_empty(), "{what}: {:?}", told.writes());
        let planned = match change() {
            Ok(change) => aws().control().plan(change, &Caller::new("ann")).await,
            Err(refusal) => Err(refusal),
        };
        assert_eq!(outcome(planned, |plan| kind(&plan)), expected, "{what}: plan");
        let decided = match change() {
            Ok(change) => aws().control().accept(change, &ann()).await,
            Err(refusal) => Err(refusal),
        };
        let accepted = outcome(decided, |decision| match decision {
            Decision::Accepted(accepted) => Some(*accepted.operation.kind.known().unwrap()),
            Decision::Unchanged(_) => None,
        });
        assert_eq!(accepted, expected, "{what}: accept");
    }
}

#[tokio::test]
async fn a_plan_tells_what_would_be_done_and_writes_nothing() {
    let aws = Aws::default();
    let plan = aws.control().plan(create(), &Caller::new("ann")).await.unwrap();
    assert_eq!(
        (kind(&plan), actions(&plan)),
        (Some(OperationKind::Create), vec![Action::Create; 4])
    );
    assert!(aws.writes().is_empty());

    let aws = aws_with(&available());
    let plan = aws
        .control()
        .plan(update(json!({"memoryMegabytes": 256})), &Caller::new("ann"))
        .await
        .unwrap();
    assert_eq!(actions(&plan), [Action::None, Action::None, Action::Change, Action::Change]);
    assert_eq!(kind(&plan), Some(OperationKind::Update));
    let plan = aws.control().plan(update(json!({})), &Caller::new("ann")).await.unwrap();
    assert_eq!((kind(&plan), actions(&plan)), (None, vec![Action::None; 4]));
    // A repair is planned from what AWS has, which is nothing.
    let plan = aws.control().plan(repair(), &Caller::new("ann")).await.unwrap();
    assert_eq!(
        (kind(&plan), actions(&plan)),
        (
            Some(OperationKind::Repair),
            vec![Action::Create, Action::Create, Action::Create, Action::None]
        )
    );
    let plan = aws.control().plan(delete(), &Caller::new("ann")).await.unwrap();
    assert_eq!(
        (kind(&plan), actions(&plan)),
        (Some(OperationKind::Delete), vec![Action::Delete; 4])
    );
    assert!(aws.writes().is_empty(), "{:?}", aws.writes());
}

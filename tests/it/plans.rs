//! Dry runs: what a request would do.

use std::collections::BTreeSet;

use formation_client::{Condition, ETag};
use formation_model::plan::Action;
use formation_model::{
    Facet, FieldProblemCode, FunctionPlan, Open, OperationKind, Part, Plan, PlanErrorCode,
    ProblemCode,
};
use formation_tests::{Call, World, ask};
use http::Method;
use serde_json::{Value, json};

use crate::ownership::make_foreign_function;
use crate::permissions::user;
use crate::requests::{dry_run, hello, path};

/// What a plan does to each part, in the order of [`Part::ALL`].
pub fn actions(plan: &Plan) -> Vec<Action> {
    let parts: Vec<_> = plan.parts.iter().map(|it| it.part.clone()).collect();
    // Triggers are a part only where there are some.
    let all = if parts.len() == Part::ALL.len() { &Part::ALL[..] } else { &Part::ALL[..4] };
    assert_eq!(parts, all.iter().map(|part| Open::from(*part)).collect::<Vec<_>>());
    plan.parts.iter().map(|part| *part.action.known().unwrap()).collect()
}

pub async fn a_dry_run_tells_what_would_be_done_and_writes_nothing(world: &World) {
    let name = world.name("planned");
    let (client, id) = (&world.client, &name.parse().unwrap());
    let create = |function: &Value| client.create(function).dry_run();
    let plan = world.planned(client.create(&hello(&name))).await;
    assert_eq!(plan.kind, Some(OperationKind::Create.into()));
    assert_eq!(actions(&plan), [Action::Create; 4]);
    assert!(!world.is_known(&name).await);
    // Every check of the real request.
    let mut bad = hello(&name);
    bad["memoryMegabytes"] = json!(1);
    let refused = create(&bad).await.unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::InvalidFunction));

    world.create(&name, json!({"environment": {"KEY": "s3cr3t"}})).await;
    let before = world.proxy.calls(&name).len();
    let refused = create(&hello(&name)).await.unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::FunctionExists));
    let patch = json!({"logRetentionDays": 7, "environment": {"KEY": "n3w-s3cr3t"}, "code": "export const handler = 1;"});
    let (text, plan) = dry_run(world, Method::PATCH, &path(&name), Some(&patch)).await;
    assert!(text.contains("environment/KEY") && !text.contains("s3cr3t"), "{text}");
    assert_eq!(
        actions(&plan),
        [Action::None, Action::Change, Action::Change, Action::Change],
        "{plan:#?}"
    );
    assert_eq!(
        json!(plan.parts[1].differences[0]),
        json!({
            "part": "LOG_GROUP", "facet": "LOG_GROUP", "property": "logRetentionDays",
            "expected": 7, "actual": 30
        })
    );
    let of_function = plan.parts[2].differences.iter();
    let facets: BTreeSet<_> = of_function.map(|it| *it.facet.known().unwrap()).collect();
    assert_eq!(facets, BTreeSet::from([Facet::Code, Facet::Configuration]));
    let protect = json!({"deletionProtection": true});
    let plan = world.planned(client.patch(id, &protect)).await;
    assert_eq!(plan.parts[2].differences[0].property, "deletionProtection", "{plan:#?}");
    let nothing = json!({"memoryMegabytes": 128});
    let plan = world.planned(client.patch(id, &nothing)).await;
    assert_eq!(plan.kind, None, "{plan:#?}");
    assert_eq!(actions(&plan), [Action::None; 4]);
    let plan = world.planned(client.delete(id)).await;
    assert_eq!(actions(&plan), [Action::Delete; 4], "{plan:#?}");
    let plan = world.planned(client.repair(id)).await;
    assert_eq!(plan.kind, Some(OperationKind::Repair.into()));

    let calls = world.proxy.calls(&name).split_off(before);
    let writes: Vec<_> = calls.iter().filter(|call| !is_read(call)).collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(world.function(&name).await.revision, 1);
}

fn is_read(call: &Call) -> bool {
    ["Get", "List", "Describe"].iter().any(|verb| call.operation.starts_with(verb))
}

/// The codes of what is wrong with a planned function, with their pointers.
fn errors(plan: &FunctionPlan) -> Vec<(&str, PlanErrorCode)> {
    plan.errors.iter().map(|it| (it.pointer.as_str(), *it.code.known().unwrap())).collect()
}

pub async fn many_functions_are_planned_at_once_and_nothing_is_written(world: &World) {
    let [there, same, new, theirs, bad, lost] =
        ["there", "same", "new", "theirs", "bad", "lost"].map(|what| world.name(what));
    let secret = json!({"environment": {"KEY": "s3cr3t", "OLD": "s3cr3t"}, "tags": {"team": "a"}});
    world.create(&there, secret.clone()).await;
    world.create(&same, secret).await;
    make_foreign_function(world, &theirs).await;
    let names = [&there, &same, &new, &theirs, &bad, &lost];
    let before = names.map(|name| world.proxy.calls(name).len());

    // As a build of a pull request asks.
    let (_, planner) = user(world, "planner", &["Plan"]).await;
    let shown = world.api(Method::GET, &path(&same), None).await;
    let digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let changed = json!({
        "functionName": there, "code": {"sha256": digest}, "memoryMegabytes": 256,
        "environment": {"KEY": "n3w-s3cr3t", "NEW": "s3cr3t"},
    });
    let mut commonjs = hello(&new);
    commonjs["code"] = json!("exports.handler = async () => 1;");
    let functions = json!([
        changed, shown.json(), commonjs, hello(&theirs),
        {"functionName": bad, "code": "x", "memoryMegabytes": 1, "environment": {
            "AWS_REGION": "s3cr3t", "KEY": 5, "NUL": "s3cr3t\u{0}",
        }},
        {"functionName": lost, "code": {"uploadId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}},
    ]);
    let body = json!({"functions": functions}).to_string();
    let answer = ask(&planner, Method::POST, "/v1/plan", &[], body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.text().contains("s3cr3t"), "{answer:?}");
    let plans = planner.plan(functions.as_array().unwrap()).await.unwrap();
    assert_eq!(answer.json(), json!({"plans": plans}));
    let asked: Vec<_> = plans.iter().map(|plan| plan.function_name.as_ref().unwrap()).collect();
    assert_eq!(asked, names);

    let actions = |plan: &FunctionPlan| -> Vec<_> {
        plan.parts.iter().map(|part| *part.action.known().unwrap()).collect()
    };
    let etag = world.api(Method::GET, &path(&there), None).await.header("etag").to_owned();
    assert_eq!(plans[0].kind, Some(OperationKind::Update.into()));
    assert_eq!(plans[0].etag.as_deref(), Some(&*etag));
    assert_eq!(actions(&plans[0]), [Action::Change; 4], "its tag goes, from each part");
    let of_function = plans[0].parts[2].differences.iter();
    let properties: BTreeSet<_> = of_function.map(|it| it.property.as_str()).collect();
    let expected = [
        "code",
        "environment/KEY",
        "environment/NEW",
        "environment/OLD",
        "memoryMegabytes",
        "tags/team",
    ];
    assert_eq!(properties, expected.into());
    // What GET returned is no change.
    assert_eq!((&plans[1].kind, actions(&plans[1])), (&None, vec![Action::None; 4]));
    assert_eq!(plans[1].etag.as_deref(), Some(shown.header("etag")));
    assert_eq!(plans[2].kind, Some(OperationKind::Create.into()));
    assert_eq!((&plans[2].etag, plans[2].warnings.len()), (&None, 1), "CommonJS in a module");
    assert_eq!(errors(&plans[3]), [("", PlanErrorCode::Problem(ProblemCode::NotOwned))]);
    let of_bad: BTreeSet<_> = errors(&plans[4]).into_iter().map(|(pointer, _)| pointer).collect();
    let expected =
        ["/environment/AWS_REGION", "/environment/KEY", "/environment/NUL", "/memoryMegabytes"];
    assert_eq!(of_bad, expected.into());
    let lost = PlanErrorCode::Field(FieldProblemCode::UploadNotFound);
    assert_eq!(errors(&plans[5]), [("/code/uploadId", lost)]);
    assert!(plans[3..].iter().all(|plan| plan.kind.is_none() && plan.parts.is_empty()));

    for (name, before) in names.into_iter().zip(before) {
        let calls = world.proxy.calls(name).split_off(before);
        assert!(calls.iter().all(is_read), "{calls:?}");
        // Two plans of it, each with a look at the record and, of what is not there, at Lambda.
        assert!(calls.len() <= 6, "{calls:?}");
    }
    assert!(!world.is_known(&new).await && !world.is_known(&theirs).await);
    assert_eq!(world.function(&there).await.revision, 1);

    // What was planned is what a PUT on that condition does.
    let mut put = changed;
    put["code"] = json!(formation_tests::world::EXAMPLE_CODE);
    let matches = Condition::Matches(ETag::from(etag));
    let id = there.parse().unwrap();
    let operation = world.carried_out(world.client.put(&id, &put, &matches)).await;
    assert_eq!(operation.status, formation_model::OperationStatus::Succeeded);
    let refused = world.client.put(&id, &put, &matches).await.unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::PreconditionFailed));
}

pub async fn a_hundred_functions_are_planned_with_one_request(world: &World) {
    let prefix = world.name("many");
    let functions: Vec<_> = (0..100).map(|n| hello(&format!("{prefix}-{n}"))).collect();
    let plans = world.client.plan(&functions).await.unwrap();
    assert_eq!(plans.len(), 100);
    for (plan, function) in plans.iter().zip(&functions) {
        assert_eq!(json!(plan.function_name), function["functionName"]);
        assert_eq!(plan.kind, Some(OperationKind::Create.into()), "{plan:?}");
    }
    let one_more = [functions, vec![hello(&prefix)]].concat();
    let refused = world.client.plan(&one_more).await.unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::InvalidFunction));
}

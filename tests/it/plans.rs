//! Dry runs: what a request would do.

use std::collections::BTreeSet;

use formation_model::plan::Action;
use formation_model::{Facet, Open, OperationKind, Part, Plan, ProblemCode};
use formation_tests::{Call, World};
use http::Method;
use serde_json::{Value, json};

use crate::requests::{dry_run, hello, path};

/// What a plan does to each part, in the order of [`Part::ALL`].
pub fn actions(plan: &Plan) -> Vec<Action> {
    assert_eq!(
        plan.parts.iter().map(|it| it.part.clone()).collect::<Vec<_>>(),
        Part::ALL.map(Open::from)
    );
    plan.parts.iter().map(|part| *part.action.known().unwrap()).collect()
}

pub async fn a_dry_run_tells_what_would_be_done_and_writes_nothing(world: &World) {
    let name = world.name("planned");
    let (client, id) = (&world.client, &name.parse().unwrap());
    let create = |function: &Value| client.create(function).dry_run();
    let plan = world.planned(client.create(&hello(&name))).await;
    assert_eq!(plan.kind, Some(OperationKind::Create.into()));
    assert_eq!(actions(&plan), [Action::Create; 3]);
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
    assert_eq!(actions(&plan), [Action::None, Action::Change, Action::Change], "{plan:#?}");
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
    assert_eq!(actions(&plan), [Action::None; 3]);
    let plan = world.planned(client.delete(id)).await;
    assert_eq!(actions(&plan), [Action::Delete; 3], "{plan:#?}");
    let plan = world.planned(client.repair(id)).await;
    assert_eq!(plan.kind, Some(OperationKind::Repair.into()));

    let calls = world.proxy.calls(&name).split_off(before);
    let reads = ["Get", "List", "Describe"];
    let is_read = |call: &Call| reads.iter().any(|verb| call.operation.starts_with(verb));
    let writes: Vec<_> = calls.iter().filter(|call| !is_read(call)).collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(world.function(&name).await.revision, 1);
}

//! Dry runs: what a request would do.

use std::collections::BTreeSet;

use formation_tests::{Call, World};
use http::Method;
use serde_json::{Value, json};

use crate::requests::{FUNCTIONS, hello, path};

fn actions(plan: &Value) -> Vec<(&str, &str)> {
    let parts = plan["parts"].as_array().unwrap().iter();
    parts.map(|part| (part["part"].as_str().unwrap(), part["action"].as_str().unwrap())).collect()
}

pub async fn a_dry_run_tells_what_would_be_done_and_writes_nothing(world: &World) {
    let name = world.name("planned");
    let dry = |path: &str| format!("{path}?dryRun=true");
    let planned = world.api(Method::POST, &dry(FUNCTIONS), Some(&hello(&name))).await;
    assert_eq!(planned.status, 200, "{}", planned.json());
    assert_eq!(planned.json()["kind"], "CREATE");
    assert_eq!(
        actions(&planned.json()),
        [("ROLE", "CREATE"), ("LOG_GROUP", "CREATE"), ("FUNCTION", "CREATE")]
    );
    assert_eq!(world.api(Method::GET, &path(&name), None).await.status, 404);
    // Every check of the real request.
    let mut bad = hello(&name);
    bad["memoryMegabytes"] = json!(1);
    assert_eq!(world.api(Method::POST, &dry(FUNCTIONS), Some(&bad)).await.status, 422);

    world.create(&name, json!({"environment": {"KEY": "s3cr3t"}})).await;
    let before = world.proxy.calls(&name).len();
    assert_eq!(world.api(Method::POST, &dry(FUNCTIONS), Some(&hello(&name))).await.status, 409);
    let patch = json!({"logRetentionDays": 7, "environment": {"KEY": "other"}, "code": "export const handler = 1;"});
    let planned = world.api(Method::PATCH, &dry(&path(&name)), Some(&patch)).await.json();
    assert_eq!(
        actions(&planned),
        [("ROLE", "NONE"), ("LOG_GROUP", "CHANGE"), ("FUNCTION", "CHANGE")],
        "{planned:#}"
    );
    let retention = &planned["parts"][1]["differences"][0];
    assert_eq!(
        retention,
        &json!({
            "part": "LOG_GROUP", "facet": "LOG_GROUP", "property": "logRetentionDays",
            "expected": 7, "actual": 30
        })
    );
    let of_function = planned["parts"][2]["differences"].as_array().unwrap().iter();
    let facets: BTreeSet<_> = of_function.map(|it| it["facet"].as_str().unwrap()).collect();
    assert_eq!(facets, BTreeSet::from(["CODE", "CONFIGURATION"]));
    assert!(!planned.to_string().contains("s3cr3t"), "{planned}");
    let protect = json!({"deletionProtection": true});
    let planned = world.api(Method::PATCH, &dry(&path(&name)), Some(&protect)).await.json();
    let protection = &planned["parts"][2]["differences"][0];
    assert_eq!(protection["property"], "deletionProtection", "{planned:#}");
    let nothing = json!({"memoryMegabytes": 128});
    let planned = world.api(Method::PATCH, &dry(&path(&name)), Some(&nothing)).await.json();
    assert!(planned["kind"].is_null(), "{planned:#}");
    assert!(actions(&planned).iter().all(|(_, action)| *action == "NONE"));
    let planned = world.api(Method::DELETE, &dry(&path(&name)), None).await.json();
    assert!(actions(&planned).iter().all(|(_, action)| *action == "DELETE"), "{planned:#}");
    let repair = format!("{}/repair?dryRun=true", path(&name));
    assert_eq!(world.api(Method::POST, &repair, None).await.json()["kind"], "REPAIR");

    let calls = world.proxy.calls(&name).split_off(before);
    let reads = ["Get", "List", "Describe"];
    let is_read = |call: &Call| reads.iter().any(|verb| call.operation.starts_with(verb));
    let writes: Vec<_> = calls.iter().filter(|call| !is_read(call)).collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(world.api(Method::GET, &path(&name), None).await.json()["revision"], 1);
}

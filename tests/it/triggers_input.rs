//! What may not call a function, or makes no sense: refused before anything starts, by every door.

use formation_local::STACK_NAME;
use formation_model::{OperationStatus, Part, Plan, WarningCode};
use formation_tests::World;
use formation_tests::world::EVENT_BUS;
use http::Method;
use serde_json::{Value, json};

use crate::requests::path;

/// Of each kind what is wrong in some way, all in one function, and where that is told.
fn all_wrong(name: &str) -> (Value, Vec<&'static str>) {
    let body = json!({
        "functionName": name, "code": "export const handler = () => 1;",
        "functionUrl": {"authType": "IAM", "cors": {"allowMethods": ["OPTIONS"]}},
        "invokers": [
            {"principal": "*"},
            {"principal": "s3.amazonaws.com"},
            {"principal": "210987654321"}
        ],
        "schedules": [
            {"name": "twice", "expression": "cron(0 3 * * *)"},
            {"name": "twice", "expression": "rate(1 hours)", "timezone": "Mars/Olympus", "input": "s3cr3t"}
        ],
        "eventRules": [
            {"name": "rule", "pattern": {"source": "shop"}},
            {"name": "other", "pattern": {"detail": {"a": [{"like": "x"}]}}, "eventBusName": "a b"},
            {"name": "elsewhere", "pattern": {"source": ["shop"]}, "eventBusName": "of-others"},
            {"name": "own", "pattern": {"source": ["shop"]}, "eventBusName": STACK_NAME}
        ],
        "eventSources": [
            {"arn": "arn:aws:sqs:us-east-1:210987654321:of-others"},
            {"arn": "arn:aws:sqs:us-east-1:000000000000:q.fifo", "batchSize": 11, "filterPatterns": vec![json!({"a": ["x"]}); 6]},
            {"arn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks", "startingPosition": "LATEST"}
        ],
        "asyncRetries": 3,
        "asyncMaximumAgeSeconds": 59,
        "onFailureArn": "arn:aws:s3:::bucket"
    });
    let places = vec![
        "/functionUrl/cors/allowMethods/0",
        "/functionUrl/authType",
        "/invokers/0/principal",
        "/invokers/1/sourceArn",
        "/invokers/2/principal",
        "/schedules/0/expression",
        "/schedules/1/name",
        "/schedules/1/expression",
        "/schedules/1/timezone",
        "/schedules/1/input",
        "/eventRules/0/pattern/source",
        "/eventRules/1/eventBusName",
        "/eventRules/1/pattern/detail/a/0/like",
        "/eventRules/2/eventBusName",
        "/eventRules/3/eventBusName",
        "/eventSources/0/arn",
        "/eventSources/1/batchSize",
        "/eventSources/1/filterPatterns",
        "/eventSources/2/arn",
        "/asyncRetries",
        "/asyncMaximumAgeSeconds",
        "/onFailureArn",
    ];
    (body, places)
}

/// Where a problem says that something is wrong, sorted.
fn places(errors: &Value) -> Vec<String> {
    let errors = errors.as_array().unwrap().iter();
    let mut places: Vec<_> = errors.map(|it| it["pointer"].as_str().unwrap().to_owned()).collect();
    places.sort();
    places
}

pub async fn all_that_is_wrong_with_what_calls_a_function_is_told_at_once(world: &World) {
    let name = world.name("all-wrong");
    let (body, mut expected) = all_wrong(&name);
    expected.sort_unstable();
    let created = world.api(Method::POST, "/v1/functions", Some(&body)).await;
    assert_eq!(created.status, 422, "{:#}", created.json());
    assert_eq!(places(&created.json()["errors"]), expected, "{:#}", created.json());
    assert!(!created.json().to_string().contains("s3cr3t"), "{:#}", created.json());
    let told = |at: &str| {
        let problem = created.json();
        let mut errors = problem["errors"].as_array().unwrap().iter();
        errors.find(|it| it["pointer"] == at).unwrap()["detail"].as_str().unwrap().to_owned()
    };
    // The stack's own bus, which the tests' stack names, is named to nobody.
    let allowed = format!("EventBusNames names: default, {EVENT_BUS}");
    assert!(told("/eventRules/2/eventBusName").ends_with(&allowed), "{allowed}");
    assert!(told("/eventRules/3/eventBusName").contains("stack's own event bus"));

    let planned = json!({"functions": [body]});
    let planned = world.api(Method::POST, "/v1/plan", Some(&planned)).await;
    assert_eq!(planned.status, 200);
    assert_eq!(places(&planned.json()["plans"][0]["errors"]), expected);

    let id = world.put_request(json!({"kind": "CREATE", "function": body})).await;
    let rejected = world
        .announced("the event is answered", |event| event["detail"]["idempotencyKey"] == id)
        .await;
    assert_eq!(rejected["detail"]["status"], "REJECTED", "{rejected:#}");
    assert_eq!(places(&rejected["detail"]["problem"]["errors"]), expected);
    assert!(!rejected.to_string().contains("s3cr3t"), "{rejected:#}");
    assert!(!world.is_known(&name).await);
}

pub async fn too_much_that_calls_a_function_is_refused(world: &World) {
    let name = world.name("too-much");
    let rule = |place: usize, input: &str| {
        let input = format!("\"{input}\"");
        json!({"name": format!("r{place}"), "pattern": {"source": ["shop"]}, "input": input})
    };
    for (rules, told) in [
        ((0..11).map(|it| rule(it, "x")).collect::<Vec<_>>(), "must not have more than 10"),
        ((0..10).map(|it| rule(it, &"x".repeat(8000))).collect(), "65536 is the most"),
    ] {
        let body = json!({"functionName": name, "code": "x", "eventRules": rules});
        let answer = world.api(Method::POST, "/v1/functions", Some(&body)).await;
        assert_eq!(answer.status, 422, "{:#}", answer.json());
        assert_eq!(places(&answer.json()["errors"]), ["/eventRules"]);
        let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(told), "{detail}");
    }
    assert!(!world.is_known(&name).await);
}

pub async fn a_plan_names_each_trigger_and_warns_of_what_cannot_be_undone(world: &World) {
    let name = world.name("called-plan");
    let schedule = |expression: &str| json!({"name": "nightly", "expression": expression, "input": "{\"token\": \"s3cr3t\"}"});
    let created = world
        .create(
            &name,
            json!({
                "functionUrl": {"authType": "AWS_IAM"}, "asyncRetries": 1,
                "schedules": [schedule("cron(0 3 * * ? *)")],
            }),
        )
        .await;
    assert_eq!(created.status, OperationStatus::Succeeded, "{created:#?}");
    let patch = json!({
        "functionUrl": null, "schedules": [schedule("cron(0 4 * * ? *)")],
        "eventRules": [{"name": "orders", "pattern": {"source": ["shop"]}}],
    });
    let answer =
        world.api(Method::PATCH, &format!("{}?dryRun=true", path(&name)), Some(&patch)).await;
    assert_eq!(answer.status, 200, "{:#}", answer.json());
    assert!(!answer.json().to_string().contains("s3cr3t"), "{:#}", answer.json());
    let plan: Plan = answer.read();
    let part = plan.parts.iter().find(|it| it.part == Part::Triggers).unwrap();
    let triggers: Vec<_> =
        part.triggers.iter().map(|it| format!("{} {} {}", it.kind, it.name, it.action)).collect();
    assert_eq!(
        triggers,
        [
            "SCHEDULE nightly CHANGE",
            "EVENT_RULE orders CREATE",
            "ASYNC_INVOKE  NONE",
            "FUNCTION_URL  DELETE",
        ]
    );
    let mut properties: Vec<_> = part.differences.iter().map(|it| it.property.as_str()).collect();
    properties.sort_unstable();
    assert_eq!(properties, ["eventRules/orders", "functionUrl", "schedules/nightly/expression"]);
    assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
    assert_eq!(plan.warnings[0].code, WarningCode::AddressLost);

    // What GET returned can be PUT: nothing changes.
    let shown = world.api(Method::GET, &path(&name), None).await.json();
    assert_eq!(shown["schedules"][0]["timezone"], "UTC");
    let answer = world.api(Method::PATCH, &path(&name), Some(&shown)).await;
    assert_eq!(answer.status, 200, "{:#}", answer.json());
}

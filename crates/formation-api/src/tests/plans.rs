//! Many functions planned at once: each in its place, within the invocation's time, and nothing written.

use super::*;
use crate::tests::routes::recorded;

const PLAN: &str = "POST /v1/plan";
/// The code that is recorded of `hello`.
const SHA256: &str = "u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c=";
const OTHER_SHA256: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const CODE: &str = "export const handler = async () => 1;";

fn asked(functions: &Value) -> Event {
    let mut event = request(PLAN, "", &[], &json!({"functions": functions}).to_string());
    event["pathParameters"] = Value::Null;
    read(&event.to_string())
}

/// The answer, in its own text, and the plans in it.
async fn planned(app: &App, functions: &Value) -> (String, Vec<Value>) {
    let answer = app.handle(asked(functions), LEFT).await;
    assert_eq!(answer.status_code, 200, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let plans = body["plans"].as_array().unwrap().clone();
    (answer.body, plans)
}

fn codes(plan: &Value) -> Vec<(&str, &str)> {
    let errors = plan["errors"].as_array().unwrap().iter();
    errors.map(|it| (it["pointer"].as_str().unwrap(), it["code"].as_str().unwrap())).collect()
}

fn actions(plan: &Value) -> Vec<&str> {
    plan["parts"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_function_is_planned_as_its_put_would_be_in_its_place() {
    let aws = recorded();
    let app = app(&aws, &aws);
    let hello = |code: Value| json!({"functionName": "hello", "code": code});
    let same = hello(json!({"sha256": SHA256, "sizeBytes": 158, "inline": true}));
    let new = json!({"functionName": "new", "code": CODE, "environment": {"KEY": "s3cr3t"}});
    let (text, plans) = planned(&app, &json!([new, same])).await;
    assert!(!text.contains("s3cr3t") && text.contains("environment/KEY"), "{text}");
    let (new, same) = (&plans[0], &plans[1]);
    assert_eq!((&new["functionName"], &new["kind"]), (&json!("new"), &json!("CREATE")), "{text}");
    assert!(new["etag"].is_null() && actions(new) == ["CREATE"; 4], "{text}");
    assert_eq!(same["functionName"], "hello", "{text}");
    assert!(same["kind"].is_null() && actions(same) == ["NONE"; 4], "{text}");
    assert_eq!(same["etag"], format!("\"1-{ID}\""), "what If-Match takes");
    assert!(plans.iter().all(|plan| plan["errors"] == json!([]) && plan["warnings"] == json!([])));

    // Of other code a digest is enough.
    let (text, plans) = planned(&app, &json!([hello(json!({"sha256": OTHER_SHA256}))])).await;
    assert_eq!((&plans[0]["kind"], actions(&plans[0])[2]), (&json!("UPDATE"), "CHANGE"), "{text}");
    let code = &plans[0]["parts"][2]["differences"][0];
    assert_eq!((&code["property"], &code["facet"]), (&json!("code"), &json!("CODE")), "{text}");
    assert_eq!(code["expected"]["sha256"], OTHER_SHA256, "{text}");
}

#[tokio::test]
async fn what_is_wrong_with_one_function_is_told_in_its_place_and_troubles_no_other() {
    let (aws, calls) = willing();
    let app = app(&aws, &aws);
    let good = json!({"functionName": "good", "code": CODE});
    let functions = json!([
        null,
        [],
        {},
        {"functionName": 5, "code": CODE},
        {"functionName": "a b", "code": CODE, "memoryMegabytes": 1},
        {"functionName": "x".repeat(9999), "code": CODE},
        {"functionName": "bad", "code": {"sha256": "no digest"}, "memroy": 1, "tags": vec![0; 20_000]},
        good,
        good,
    ]);
    let (text, plans) = planned(&app, &functions).await;
    assert_eq!(plans.len(), 9, "{text}");
    let names: Vec<_> = plans[..5].iter().map(|plan| plan["functionName"].clone()).collect();
    assert_eq!(names, [json!(null), json!(null), json!(null), json!(null), json!("a b")]);
    assert_eq!(codes(&plans[0]), [("", "WRONG_TYPE")]);
    assert_eq!(codes(&plans[1]), [("", "WRONG_TYPE")]);
    assert_eq!(codes(&plans[2]), [("/functionName", "REQUIRED"), ("/code", "REQUIRED")]);
    assert_eq!(codes(&plans[3]), [("/functionName", "WRONG_TYPE")]);
    let both = [("/functionName", "INVALID_FORMAT"), ("/memoryMegabytes", "OUT_OF_RANGE")];
    assert_eq!(codes(&plans[4]), both);
    assert!(plans[5]["functionName"].as_str().unwrap().len() < 200, "{text}");
    let of_bad = [("/code", "REQUIRED"), ("/tags", "OUT_OF_RANGE"), ("/memroy", "UNKNOWN_FIELD")];
    assert_eq!(codes(&plans[6]), of_bad);
    assert_eq!(plans[6]["errorCount"], 3);
    assert_eq!((&plans[7]["kind"], codes(&plans[7])), (&json!("CREATE"), vec![]), "{text}");
    assert_eq!(codes(&plans[8]), [("/functionName", "CONFLICT")]);
    assert_eq!(plans[8]["parts"], json!([]));
    // Of what is valid and the first of its name: the record, and whose the name is in Lambda. Of what has
    // a name: the record.
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn what_is_wrong_with_the_request_as_a_whole_is_an_error_of_it() {
    for (body, status, code) in [
        ("", 400, "MALFORMED_JSON"),
        (r#"{"functions": [{"a": 1, "a": 2}]}"#, 400, "MALFORMED_JSON"),
        (r#"{"functions": [{}]"#, 400, "MALFORMED_JSON"),
        ("[]", 422, "INVALID_FUNCTION"),
        (r#"{"functions": []}"#, 422, "INVALID_FUNCTION"),
        (r#"{"functions": [{}], "other": 1}"#, 422, "INVALID_FUNCTION"),
    ] {
        let mut event = request(PLAN, "", &[], body);
        event["pathParameters"] = Value::Null;
        let (answer, calls) = ask(&event).await;
        assert!(is(&answer, status, code) && calls == 0, "{body}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_reached_in_time_is_told_to_be_asked_for_again() {
    let functions: Vec<_> =
        (0..20).map(|n| json!({"functionName": format!("f{n}"), "code": CODE})).collect();
    for left in [LEFT, Duration::from_secs(5)] {
        let (began, aws) = (Instant::now(), silent());
        let answer = app(&aws, &aws).handle(asked(&json!(functions)), left).await;
        assert_eq!(answer.status_code, 200, "{answer:?}");
        assert!(began.elapsed() <= left.saturating_sub(SETTLED_BEFORE), "{:?}", began.elapsed());
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let plans = body["plans"].as_array().unwrap();
        assert_eq!(plans.len(), functions.len());
        for plan in plans {
            assert_eq!(codes(plan), [("", "SERVICE_UNAVAILABLE")], "{plan}");
        }
    }
}

//! What is asked of the API, counted.

use super::*;

#[tokio::test]
async fn a_manifest_that_has_not_changed_is_one_request() {
    let stub = Stub::start(|_, seen| {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", PLAN));
        answer(200, &[], &plans(seen, &json!({"etag": "\"1-x\"", "parts": []})))
    })
    .await;
    let functions = (0..20).map(|number| match number % 2 {
        0 => format!("  f{number}: {{code: x}}\n"),
        _ => format!("  f{number}: {{code: {{folder: app}}}}\n"),
    });
    let manifest = format!("functions:\n{}", functions.collect::<String>());
    let project = Project::new(&stub.url, &manifest);
    project.write("app/index.mjs", "x");
    let said = project.run("apply --yes").await.with(0);
    assert!(said.err.contains("20 unchanged"), "{said:?}");
    let seen = stub.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    // Of folders the digest is enough.
    let asked: Value = serde_json::from_slice(&seen[0].body).unwrap();
    let functions = asked["functions"].as_array().unwrap();
    assert_eq!(functions.len(), 20);
    let archives = functions.iter().filter(|it| it["code"]["sha256"].is_string());
    assert_eq!(archives.count(), 10, "{asked}");
}

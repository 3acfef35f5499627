//! Acting on a function: each change shows its plan before it asks.

use aws_credential_types::provider::SharedCredentialsProvider;
use formation_client::Client;
use formation_tests::World;
use http::Method;
use serde_json::json;

use super::served::{Served, name};

pub async fn a_setting_is_changed_rolled_back_and_a_drift_repaired_each_with_its_plan(
    world: &World,
) {
    let name = name(world, "act");
    world
        .create(&name, json!({"description": "Says hello.", "environment": {"KEY": "s3cr3t"}}))
        .await;
    let served = Served::start(world).await;
    let browser = &served.browser;

    served.open(&format!("/functions/{name}/settings")).await;
    assert!(!browser.text("main").await.contains("s3cr3t"));
    browser.click("a[aria-label='Change memoryMegabytes']").await;
    browser.fill("#value", "256").await;
    browser.click("form.ask button").await;
    let plan = browser.until(".compare", "memoryMegabytes").await;
    assert!(plan.contains("128") && plan.contains("256"), "{plan}");
    assert_eq!(world.function(&name).await.revision, 1, "nothing is done before it is asked for");
    served.picture("plan").await;
    browser.click("form.ask button").await;
    browser.until(".story", "was updated in").await;

    served.open(&format!("/functions/{name}/revisions")).await;
    let diff = browser.until(".compare", "memoryMegabytes").await;
    assert!(diff.contains("128") && diff.contains("256"), "{diff}");
    served.picture("revisions").await;
    browser.click("a[aria-label='Roll back to revision 1']").await;
    browser.until(".compare", "memoryMegabytes").await;
    browser.click("form.ask button").await;
    browser.until(".story", "was rolled back in").await;
    let function = world.function(&name).await;
    assert_eq!((function.revision, function.spec.configuration.memory_megabytes), (3, 128));

    served.open(&format!("/functions/{name}")).await;
    browser.until("#parts", "As recorded").await;
    let changed =
        world.lambda.update_function_configuration().function_name(&name).memory_size(512);
    changed.send().await.unwrap();
    browser.click("#parts button.link").await;
    let parts = browser.until("#parts", "Differs").await;
    assert!(parts.contains("512"), "{parts}");
    served.picture("function").await;
    browser.click("#live a.button[href$=repair]").await;
    browser.until(".compare", "512").await;
    browser.click("form.ask button").await;
    browser.until(".story", "was repaired in").await;
    assert!(world.drift(&name).await.drift.differences.is_empty());

    served.open(&format!("/functions/{name}/operations")).await;
    let list = browser.until(".list", "Repair").await;
    assert!(list.contains("Rollback") && list.contains("Create"), "{list}");
    served.picture("operations").await;
    served.open(&format!("/functions/{name}/change/delete")).await;
    browser.fill("input[name=name]", &name).await;
    browser.click("form.ask button").await;
    browser.until(".story", "was deleted in").await;
    assert!(!world.is_known(&name).await);
    served.close().await;
}

pub async fn a_function_is_invoked_and_its_log_followed(world: &World) {
    let name = name(world, "talks");
    let code = "export const handler = async (event) => { console.log('<b>said</b> ' + event.name); return { to: event.name }; };";
    world.create(&name, json!({"code": code})).await;
    let served = Served::start(world).await;
    let browser = &served.browser;
    let invoke = async |given: &str, name_given: &str| {
        served.open(&format!("/functions/{name}/invoke")).await;
        browser.fill("#payload", given).await;
        browser.click("form.ask button").await;
        browser.until("#answer", "").await;
        browser.until("pre.answer", name_given).await
    };
    assert_eq!(invoke("{\"name\": \"Ann\"}", "Ann").await, "{\n  \"to\": \"Ann\"\n}");
    served.picture("invoke").await;
    let told = invoke("{\"name\": nothing}", "JSON").await;
    assert!(told.contains("line 1 column"), "{told}");

    served.open(&format!("/functions/{name}/logs")).await;
    let log = browser.until("#log", "<b>said</b> Ann").await;
    assert!(!log.contains("Bea"), "{log}");
    assert_eq!(
        browser.count("#log b").await,
        browser.count("#log .line > b").await,
        "markup is text"
    );
    // What comes is shown without anybody asking.
    world.invoke(&name, &json!({"name": "Bea"})).await.unwrap();
    browser.until("#log", "said</b> Bea").await;
    served.picture("logs").await;
    // Who looks elsewhere for a while, and comes back, is shown what came, and nothing twice.
    let here = browser.here().await;
    browser.tab().await;
    world.invoke(&name, &json!({"name": "Cid"})).await.unwrap();
    browser.to(&here).await;
    let log = browser.until("#log", "said</b> Cid").await;
    for said in ["Ann", "Bea", "Cid"] {
        assert_eq!(log.matches(&format!("<b>said</b> {said}")).count(), 1, "{log}");
    }
    browser.fill("input[name=grep]", "Bea").await;
    browser.click("form.filter button").await;
    browser.until("#log", "said</b> Bea").await;
    assert!(!browser.text("#log").await.contains("Ann"));
    served.close().await;
}

/// Puts what CloudWatch would have of a function.
pub async fn put_metrics(world: &World, name: &str) {
    let stack = &world.stack;
    let credentials = SharedCredentialsProvider::new(stack.credentials());
    let client = Client::builder(&stack.endpoint_url, &stack.region, credentials);
    let client = client.given_explicitly().service("monitoring").build().unwrap();
    let now = jiff::Timestamp::now().as_second();
    let point = |metric: &str, at: i64, value: f64, unit: &str| {
        let dimension = json!({"Name": "FunctionName", "Value": name});
        json!({"MetricName": metric, "Dimensions": [dimension], "Timestamp": at, "Value": value, "Unit": unit})
    };
    let minutes = (1..150_i64).filter(|minute| minute % 7 != 0);
    let data: Vec<_> = minutes
        .flat_map(|minute| {
            let (at, wave) = (now - minute * 60, (minute as f64 / 9.0).sin());
            [
                point("Invocations", at, (20.0 + 14.0 * wave).round(), "Count"),
                point("Errors", at, if minute % 23 == 0 { 3.0 } else { 0.0 }, "Count"),
                point(
                    "Duration",
                    at,
                    80.0 + 30.0 * wave + (minute % 5) as f64 * 9.0,
                    "Milliseconds",
                ),
            ]
        })
        .collect();
    for data in data.chunks(100) {
        let answer = client
            .request(Method::POST, "/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "GraniteServiceVersion20100801.PutMetricData")
            .body(json!({"Namespace": "AWS/Lambda", "MetricData": data}).to_string())
            .send()
            .await
            .unwrap();
        assert!(answer.status.is_success(), "{answer:?}");
    }
}

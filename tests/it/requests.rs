//! What requests are made of.

use formation_model::Plan;
use formation_tests::{Answer, Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

/// The path of all functions.
pub const FUNCTIONS: &str = "/v1/functions";

/// Other code than the example's.
pub const OTHER_CODE: &str = "export const handler = async () => 'second';";

/// The path of a function.
pub fn path(name: &str) -> String {
    format!("{FUNCTIONS}/{name}")
}

/// The example's function.
pub fn hello(name: &str) -> Value {
    json!({"functionName": name, "code": formation_tests::world::EXAMPLE_CODE})
}

/// What a change would do, in the answer's own text and as a plan.
pub async fn dry_run(
    world: &World,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> (String, Plan) {
    let answer = world.api(method, &format!("{path}?dryRun=true"), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.text().to_owned(), answer.read())
}

/// Sends a request with these headers to the HTTP API, with a body unless that is null.
pub async fn send(
    world: &World,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.api_raw(method, path, headers, body).await
}

/// AWS limits the rate of a call, so many times.
pub fn throttle(call: &str, function: &str, times: usize) -> Rule {
    Rule::new(call, function, times, Fault::Throttle)
}

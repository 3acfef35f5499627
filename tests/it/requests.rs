//! What requests are made of.

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

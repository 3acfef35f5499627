//! What `make run` shows: the life of the example's function through the signed HTTP API.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{Answer, Client};
use crate::error::LocalError;

/// The code of the example's function.
pub const EXAMPLE_CODE: &str = "export const handler = async (event) => { return { statusCode: 200, body: JSON.stringify(`Hello!`) }; };";

const NAME: &str = "hello";
const OPERATION_LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Creates, invokes, describes, updates, lists and deletes the example's function, and prints what happens.
///
/// # Errors
/// Whatever is not answered as it should be.
pub async fn walk_through(client: &Client) -> Result<(), LocalError> {
    let functions = "/v1/functions";
    let function = format!("{functions}/{NAME}");

    let body = json!({"functionName": NAME, "code": EXAMPLE_CODE, "logRetentionDays": 7});
    println!("POST {functions}");
    let accepted = expect(client.api(Method::POST, functions, Some(&body)).await?, 202)?;
    let created = wait_for(client, accepted.header("operation-location")).await?;
    show("created", &created);

    println!("invoke {NAME}");
    let answer = client.invoke(NAME, &json!({})).await?;
    show("answered", &answer);

    println!("GET {function}");
    show("described", &expect(client.api(Method::GET, &function, None).await?, 200)?.json());

    let body = json!({"memoryMegabytes": 256, "environment": {"GREETING": "Hello!"}});
    println!("PATCH {function} {body}");
    let accepted = expect(client.api(Method::PATCH, &function, Some(&body)).await?, 202)?;
    show("updated", &wait_for(client, accepted.header("operation-location")).await?);

    println!("GET {functions}");
    let listed = expect(client.api(Method::GET, functions, None).await?, 200)?.json();
    let names = listed["functions"].as_array().into_iter().flatten();
    show("listed", &names.map(|function| function["functionName"].clone()).collect());

    println!("DELETE {function}");
    let accepted = expect(client.api(Method::DELETE, &function, None).await?, 202)?;
    show("deleted", &wait_for(client, accepted.header("operation-location")).await?);
    expect(client.api(Method::GET, &function, None).await?, 404)?;
    Ok(())
}

/// Waits until the operation at `path` has ended and answers it.
///
/// # Errors
/// That it failed, or has not ended after two minutes.
pub async fn wait_for(client: &Client, path: &str) -> Result<Value, LocalError> {
    let began = Instant::now();
    loop {
        let operation = expect(client.api(Method::GET, path, None).await?, 200)?.json();
        match operation["status"].as_str() {
            Some("SUCCEEDED") => return Ok(operation),
            Some("RUNNING") if began.elapsed() < OPERATION_LIMIT => sleep(LOOK_EVERY).await,
            _ => return Err(LocalError::Answer(format!("the operation failed: {operation:#}"))),
        }
    }
}

fn expect(answer: Answer, status: u16) -> Result<Answer, LocalError> {
    if answer.status == StatusCode::from_u16(status).unwrap_or_default() {
        return Ok(answer);
    }
    let body = String::from_utf8_lossy(&answer.body);
    Err(LocalError::Answer(format!("expected {status}, got {}: {body}", answer.status)))
}

fn show(what: &str, value: &Value) {
    println!("  {what}: {}", format!("{value:#}").replace('\n', "\n  "));
}

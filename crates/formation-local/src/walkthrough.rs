//! What `make run` shows: the life of the example's function through the signed HTTP API.

use std::time::Duration;

use formation_client::{Changed, Client, FunctionFilter};
use formation_model::{FunctionName, Operation, OperationStatus, ProblemCode};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::json;

use crate::error::LocalError;
use crate::lambda::{self, invoke};
use crate::stack::Stack;

/// The code of the example's function.
pub const EXAMPLE_CODE: &str = "export const handler = async (event) => { return { statusCode: 200, body: JSON.stringify(`Hello!`) }; };";

const NAME: &str = "hello";
const OPERATION_LIMIT: Duration = Duration::from_secs(120);

/// Creates, invokes, describes, updates, lists and deletes the example's function, and prints what happens.
///
/// # Errors
/// Whatever is not answered as it should be.
pub async fn walk_through(stack: &Stack) -> Result<(), LocalError> {
    let client = &stack.client()?;
    let name: &FunctionName = &NAME.parse().map_err(|_| unexpected("the name is refused"))?;
    let functions = "/v1/functions";

    println!("POST {functions}");
    let hello = json!({"functionName": NAME, "code": EXAMPLE_CODE, "logRetentionDays": 7});
    show("created", &ended(client, name, client.create(&hello).await?).await?)?;

    println!("invoke {NAME}");
    show("answered", &invoke(&lambda::client(stack), NAME, &json!({})).await?)?;

    println!("GET {functions}/{NAME}");
    show("described", &client.describe(name).await?.function)?;

    let patch = json!({"memoryMegabytes": 256, "environment": {"GREETING": "Hello!"}});
    println!("PATCH {functions}/{NAME} {patch}");
    show("updated", &ended(client, name, client.patch(name, &patch).await?).await?)?;

    println!("GET {functions}");
    let listed = client.functions(FunctionFilter::default());
    let listed = listed.map_ok(|function| function.spec.function_name);
    show("listed", &listed.try_collect::<Vec<_>>().await?)?;

    println!("DELETE {functions}/{NAME}");
    show("deleted", &ended(client, name, client.delete(name).await?).await?)?;
    match client.describe(name).await {
        Err(error) if error.code() == Some(ProblemCode::FunctionNotFound) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(unexpected("the function is still there")),
    }
}

/// Waits until the operation of a change has ended and answers it.
async fn ended(
    client: &Client,
    name: &FunctionName,
    changed: Changed,
) -> Result<Operation, LocalError> {
    let Changed::Accepted(accepted) = changed else {
        return Err(unexpected("the change was not accepted as an operation"));
    };
    let id = accepted.operation.operation_id;
    let operation = client.wait_for(name, id, OPERATION_LIMIT).await?;
    if operation.status == OperationStatus::Succeeded {
        return Ok(operation);
    }
    let shown = serde_json::to_string_pretty(&operation)?;
    Err(LocalError::Answer(format!("the operation failed: {shown}")))
}

fn unexpected(what: &str) -> LocalError {
    LocalError::Answer(what.to_owned())
}

fn show(what: &str, value: &impl Serialize) -> Result<(), LocalError> {
    println!("  {what}: {}", serde_json::to_string_pretty(value)?.replace('\n', "\n  "));
    Ok(())
}

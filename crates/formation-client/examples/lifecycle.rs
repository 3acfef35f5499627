//! A function's life by the client: it is made, found, changed and deleted.
//!
//! `FORMATION_API_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary
//! credentials, `AWS_SESSION_TOKEN` say where and who.

use std::env;
use std::error::Error;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use formation_client::{Changed, Client, Described, FunctionFilter};
use formation_model::FunctionName;
use futures_util::TryStreamExt;
use serde_json::json;

const WAIT: Duration = Duration::from_secs(25);
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = env::var("AWS_ACCESS_KEY_ID")?;
    let secret = env::var("AWS_SECRET_ACCESS_KEY")?;
    let token = env::var("AWS_SESSION_TOKEN").ok();
    let credentials = Credentials::new(key, secret, token, None, "environment");
    let credentials = SharedCredentialsProvider::new(credentials);
    let client =
        Client::builder(env::var("FORMATION_API_URL")?, env::var("AWS_REGION")?, credentials)
            .given_explicitly()
            .build()?;

    let name: FunctionName = "hello-from-the-client".parse()?;
    let code = "export const handler = async () => 'Hello';";
    let function = json!({"functionName": name, "code": code});
    let plan = client.create(&function).dry_run().await?;
    finish(&client, &name, plan).await?;
    finish(&client, &name, client.create(&function).wait(WAIT).await?).await?;

    let prefix = Some("hello".to_owned());
    let filter = FunctionFilter { prefix, ..FunctionFilter::default() };
    let functions: Vec<_> = client.functions(filter).try_collect().await?;
    for function in functions {
        println!("{} is {}", function.spec.function_name, function.status);
    }

    let etag = client.describe(&name).await?.etag;
    let patch = json!({"memoryMegabytes": 256});
    finish(&client, &name, client.patch(&name, &patch).if_match(&etag).await?).await?;
    finish(&client, &name, client.patch(&name, &patch).await?).await?;
    println!("compared with AWS: {}", client.drift(&name).await?.drift.status);
    finish(&client, &name, client.delete(&name).await?).await
}

/// Tells what came of a change, once it has.
async fn finish(
    client: &Client,
    name: &FunctionName,
    changed: Changed,
) -> Result<(), Box<dyn Error>> {
    match changed {
        Changed::Done(done) => match done.function {
            Some(Described { function, etag }) => println!("{} at {etag}", function.status),
            None => println!("it is gone"),
        },
        Changed::Unchanged(_) => println!("there was nothing to change"),
        Changed::Planned(plan) => {
            for part in plan.parts {
                println!("{} {}", part.action, part.part);
            }
        }
        Changed::Accepted(accepted) => {
            let id = accepted.operation.operation_id;
            let ended = client.wait_for(name, id, PATIENCE).await?;
            println!("{} {}", ended.kind, ended.status);
        }
    }
    Ok(())
}

//! A client of Formation's HTTP API: it signs, repeats what may be repeated, turns pages, and waits.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use aws_credential_types::Credentials;
//! use aws_credential_types::provider::SharedCredentialsProvider;
//! use formation_client::{Changed, Client, FunctionFilter};
//! use futures_util::TryStreamExt;
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // As a rule `aws_config::load_defaults(..).await.credentials_provider()`.
//! let credentials = Credentials::new("AKID", "secret", None, None, "an example");
//! let client = Client::builder(
//!     "https://a1b2c3.execute-api.eu-central-1.amazonaws.com",
//!     "eu-central-1",
//!     SharedCredentialsProvider::new(credentials),
//! )
//! .build()?;
//!
//! let name = "hello".parse()?;
//! let code = "export const handler = async () => 'Hello';";
//! let function = json!({"functionName": name, "code": code});
//! match client.create(&function).wait(Duration::from_secs(25)).await? {
//!     Changed::Done(done) => println!("made by operation {:?}", done.operation_id),
//!     Changed::Accepted(accepted) => {
//!         let id = accepted.operation.operation_id;
//!         let ended = client.wait_for(&name, id, Duration::from_secs(600)).await?;
//!         println!("{}", ended.status);
//!     }
//!     Changed::Unchanged(_) | Changed::Planned(_) => {}
//! }
//!
//! let functions: Vec<_> = client.functions(FunctionFilter::default()).try_collect().await?;
//! for function in functions {
//!     println!("{} is {}", function.spec.function_name, function.status);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `examples/lifecycle.rs` is a whole program: a function is made, found, changed and deleted. What has
//! no method here goes by [`Client::request`].
//!
//! What is sent and answered is described by the types of `formation-model`. What the API of a later
//! release adds does not trouble this one: fields that are not known are ignored, and words that are
//! not known stay as they are ([`Open`](formation_model::Open)).

mod answer;
mod change;
mod client;
mod endpoint;
mod error;
mod functions;
mod operations;
mod pages;
mod raw;
mod retry;
mod revisions;
mod sign;
mod transport;
mod uploads;
mod wait;

pub use answer::Answer;
pub use change::{Accepted, Change, Changed, Condition, Described, Done, ETag};
pub use client::{Client, ClientBuilder};
pub use error::{BuildError, ClientError};
pub use functions::FunctionFilter;
pub use operations::Look;
pub use raw::RawRequest;
pub use retry::{Retries, deadline};

//! The Lambda behind the HTTP API.

use formation_api::{App, Event};
use formation_lambda::{Door, Error, required_var, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App::new(Door::start().control()?, required_var("STACK_NAME")?);
    run(async |event: Event, left| Ok::<_, Error>(app.handle(event, left).await)).await
}

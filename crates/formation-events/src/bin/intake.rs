//! The Lambda that takes requests by event from their queue.

use std::time::SystemTime;

use aws_lambda_events::event::sqs::SqsEvent;
use formation_events::{Announcer, Intake};
use formation_lambda::{control, init_log, required_var, sdk_config};
use lambda_runtime::{LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_log();

    let config = sdk_config();
    let bus = required_var("EVENT_BUS_NAME")?;
    let intake = &Intake {
        control: control(&config)?,
        announcer: Announcer::new(aws_sdk_eventbridge::Client::new(&config), bus),
        sqs: aws_sdk_sqs::Client::new(&config),
        queue_url: required_var("QUEUE_URL")?,
    };

    run(service_fn(async move |event: LambdaEvent<SqsEvent>| {
        let time = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        Ok::<_, lambda_runtime::Error>(intake.take(event.payload, time).await)
    }))
    .await
}

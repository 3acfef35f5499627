//! The Lambda that takes requests by event from their queue.

use aws_lambda_events::event::sqs::SqsEvent;
use formation_events::{Announcer, Intake};
use formation_lambda::{Door, Error, required_var, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let door = Door::start();
    let intake = Intake {
        control: door.control()?,
        announcer: Announcer::new(door.events(), required_var("EVENT_BUS_NAME")?),
        sqs: door.sqs(),
        queue_url: required_var("QUEUE_URL")?,
    };
    run(async |event: SqsEvent, left| Ok::<_, Error>(intake.take(event, left).await)).await
}

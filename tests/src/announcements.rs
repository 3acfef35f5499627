//! What is announced on the stack's event bus, as a listener of its own sees it: a rule to a queue.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use formation_local::{LocalError, Stack};
use serde_json::Value;

/// The queue that hears them, and the rule on the bus that sends them there.
pub const NAME: &str = "formation-test-announcements";

/// The events so far.
#[derive(Clone, Debug, Default)]
pub struct Announcements(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    events: Vec<Value>,
    /// By operation, since that is what most wait for.
    ended: HashSet<String>,
}

impl Announcements {
    /// Listens from now on.
    ///
    /// # Errors
    /// What local AWS refused.
    pub async fn listen(config: &aws_config::SdkConfig, stack: &Stack) -> Result<Self, LocalError> {
        let failed = |error: &dyn std::fmt::Debug| LocalError::Answer(format!("{error:?}"));
        let sqs = aws_sdk_sqs::Client::new(config);
        let events = aws_sdk_eventbridge::Client::new(config);
        let queue = sqs.create_queue().queue_name(NAME).send().await.map_err(|e| failed(&e))?;
        let url = queue.queue_url.unwrap_or_default();
        let attributes = sqs.get_queue_attributes().queue_url(&url);
        let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await;
        let attributes = attributes.map_err(|e| failed(&e))?.attributes.unwrap_or_default();
        let arn = attributes.get(&QueueAttributeName::QueueArn).cloned().unwrap_or_default();
        let rule = events.put_rule().name(NAME).event_bus_name(&stack.event_bus_name);
        let pattern = r#"{"source": ["formation"]}"#;
        rule.event_pattern(pattern).send().await.map_err(|e| failed(&e))?;
        let target = Target::builder().id("queue").arn(arn).build().map_err(|e| failed(&e))?;
        let targets = events.put_targets().rule(NAME).event_bus_name(&stack.event_bus_name);
        targets.targets(target).send().await.map_err(|e| failed(&e))?;

        let heard = Self::default();
        let listening = heard.clone();
        tokio::spawn(async move {
            loop {
                let received = sqs.receive_message().queue_url(&url).wait_time_seconds(1);
                // Local AWS ends before its listeners do.
                let Ok(received) = received.max_number_of_messages(10).send().await else { return };
                for message in received.messages.unwrap_or_default() {
                    let event = serde_json::from_str(message.body().unwrap_or_default());
                    listening.hear(event.unwrap_or_default());
                    let delete = sqs.delete_message().queue_url(&url);
                    let _ = delete.set_receipt_handle(message.receipt_handle).send().await;
                }
            }
        });
        Ok(heard)
    }

    fn hear(&self, event: Value) {
        let mut heard = self.lock();
        heard.ended.extend(event["detail"]["operationId"].as_str().map(str::to_owned));
        heard.events.push(event);
    }

    /// Whether the operation of that id was announced to have ended.
    pub fn have_ended(&self, operation: &str) -> bool {
        self.lock().ended.contains(operation)
    }

    /// The first that `fits`.
    pub fn find(&self, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        self.lock().events.iter().find(|event| fits(event)).cloned()
    }

    /// How many fit.
    pub fn count(&self, fits: impl Fn(&Value) -> bool) -> usize {
        self.lock().events.iter().filter(|event| fits(event)).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

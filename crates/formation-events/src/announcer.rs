//! Announcing on the stack's event bus, where no execution does it.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use formation_aws::AwsError;
use formation_model::event::SOURCE;
use serde::Serialize;

/// Announces on an event bus.
#[derive(Clone, Debug)]
pub struct Announcer {
    client: Client,
    bus: String,
}

/// Why something was not announced.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The call succeeded, and the event was refused all the same.
    #[error("the event bus refused the announcement: {0}")]
    Refused(String),
    /// It cannot be written as JSON.
    #[error("the announcement cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Announcer {
    /// Announces on `bus`.
    pub fn new(client: Client, bus: impl Into<String>) -> Self {
        Self { client, bus: bus.into() }
    }

    /// Announces `detail`. At least once: after an error it may have been announced.
    ///
    /// # Errors
    /// [`AnnounceError::Aws`] if EventBridge refuses or cannot be reached, [`AnnounceError::Refused`] if it
    /// refuses this event.
    pub async fn announce(
        &self,
        detail_type: &str,
        detail: &impl Serialize,
    ) -> Result<(), AnnounceError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(serde_json::to_string(detail)?)
            .build();
        let put = self.client.put_events().entries(entry).send().await;
        let put = put.map_err(|error| AwsError::new("events:PutEvents", error))?;
        // A call that succeeds may still have refused the entry.
        let refused = put.entries().iter().find_map(|entry| entry.error_code());
        match refused {
            Some(code) => Err(AnnounceError::Refused(code.to_owned())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
    use aws_sdk_eventbridge::types::PutEventsResultEntry;
    use aws_smithy_mocks::{mock, mock_client};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_entry_that_is_refused_in_a_call_that_succeeds_is_an_error() {
        let put = mock!(Client::put_events)
            .match_requests(|request| {
                let entry = &request.entries()[0];
                entry.source() == Some("formation") && entry.detail() == Some("{\"a\":1}")
            })
            .then_output(|| {
                let entry = PutEventsResultEntry::builder().error_code("ThrottlingException");
                PutEventsOutput::builder().failed_entry_count(1).entries(entry.build()).build()
            });
        let announcer = Announcer::new(mock_client!(aws_sdk_eventbridge, [&put]), "bus");
        let error = announcer.announce("Something", &json!({"a": 1})).await.unwrap_err();
        assert!(matches!(error, AnnounceError::Refused(code) if code == "ThrottlingException"));
    }
}

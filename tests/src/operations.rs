//! Operations: how tests ask for them, wait for their end, and look at them past the API.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use formation_local::LocalError;
use formation_local::client::Answer;
use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{EXAMPLE_CODE, LIMIT, LOOK_EVERY, World};

impl World {
    /// Asks for the example's function, with what `fields` adds.
    pub async fn ask_for(&self, name: &str, fields: Value) -> Answer {
        let mut body = json!({"functionName": name, "code": EXAMPLE_CODE});
        for (field, value) in fields.as_object().expect("fields are an object") {
            body[field] = value.clone();
        }
        self.api(Method::POST, "/v1/functions", Some(&body)).await
    }

    /// Creates the example's function, and answers the ended operation.
    pub async fn create(&self, name: &str, fields: Value) -> Value {
        let accepted = self.ask_for(name, fields).await;
        assert_eq!(accepted.status, 202, "{}", accepted.json());
        self.ended(&accepted).await
    }

    /// Deletes a function, and answers the ended operation.
    pub async fn delete(&self, name: &str) -> Value {
        let accepted = self.api(Method::DELETE, &format!("/v1/functions/{name}"), None).await;
        assert_eq!(accepted.status, 202, "{}", accepted.json());
        self.ended(&accepted).await
    }

    /// Waits until the operation that `accepted` tells of has ended, its execution too.
    pub async fn ended(&self, accepted: &Answer) -> Value {
        let path = accepted.header("operation-location").to_owned();
        let operation = self
            .until("the operation has ended", async || {
                let operation = self.api(Method::GET, &path, None).await.json();
                (operation["status"] != "RUNNING").then_some(operation)
            })
            .await;
        let arn = operation["executionArn"].as_str().expect("an operation names its execution");
        self.until("the execution has ended", async || {
            let execution = self.sfn.describe_execution().execution_arn(arn).send().await;
            let status = execution.expect("the execution can be described").status;
            (status != aws_sdk_sfn::types::ExecutionStatus::Running).then_some(())
        })
        .await;
        operation
    }

    /// Waits until an operation and its execution have ended, past the API and so unseen by the
    /// proxy, and answers its status and its rollback.
    pub async fn ended_unseen(&self, operation: &Value) -> (String, String) {
        self.ended_within(operation, LIMIT).await
    }

    /// The same, for operations that take longer.
    pub async fn ended_within(&self, operation: &Value, limit: Duration) -> (String, String) {
        let id = operation["operationId"].as_str().expect("an operation");
        let began = Instant::now();
        while !self.announcements.have_ended(id) {
            if began.elapsed() > limit {
                let item = self.operation_item(operation).await;
                let told = ["status", "attempt", "dueAt", "rollback"].map(|name| item.get(name));
                panic!(
                    "{operation:#} has not ended: {told:?}, {:#?}",
                    self.log_of("reconcile", id).await
                );
            }
            sleep(LOOK_EVERY).await;
        }
        let item = self.operation_item(operation).await;
        let arn = operation["executionArn"].as_str().expect("an operation names its execution");
        let attempt = item["attempt"].as_n().expect("a number");
        let current = format!("{}-{attempt}", arn.rsplit_once('-').expect("an attempt").0);
        for arn in [arn, &current] {
            self.until("its executions have ended", async || {
                let execution = self.sfn.describe_execution().execution_arn(arn).send().await;
                // One that was refused was never there.
                let status = execution.ok().map(|execution| execution.status);
                (status != Some(aws_sdk_sfn::types::ExecutionStatus::Running)).then_some(())
            })
            .await;
        }
        let read = |field: &str| item[field].as_s().expect("a text").clone();
        (read("status"), read("rollback"))
    }

    /// The record of an operation, past the API.
    pub async fn operation_item(&self, operation: &Value) -> HashMap<String, AttributeValue> {
        let found = self.dynamodb.get_item().table_name(&self.stack.table_name);
        let found = found.set_key(Some(operation_key(operation))).send().await;
        found.expect("the table can be read").item.expect("the operation is recorded")
    }

    /// Lets so much time pass that an operation is due, and has reconcile look.
    pub async fn reconcile_operation(&self, operation: &Value) {
        self.make_due(operation_key(operation)).await;
        self.reconcile().await;
    }

    /// Lets so much time pass that a function is due, and has reconcile look.
    pub async fn reconcile_function(&self, name: &str) {
        self.make_due(key("FUNCTION".to_owned(), name.to_owned())).await;
        self.reconcile().await;
    }

    /// Lets so much time pass that the item of that key is due.
    pub async fn make_due(&self, key: HashMap<String, AttributeValue>) {
        let update = self.dynamodb.update_item().table_name(&self.stack.table_name);
        let updated = update
            .set_key(Some(key))
            .update_expression("SET dueAt = :past")
            .condition_expression("attribute_exists(due)")
            .expression_attribute_values(":past", AttributeValue::N("0".to_owned()))
            .send()
            .await;
        updated.expect("it stands in the index of what is due");
    }

    /// Runs reconcile as its schedule does: one run after the other.
    pub async fn reconcile(&self) {
        let looked = self.alone_with_reconcile(async || self.run_reconcile().await).await;
        looked.expect("reconcile looks at what is due");
    }

    /// Does `something` while no other test runs reconcile as its schedule does.
    pub async fn alone_with_reconcile<T>(&self, something: impl AsyncFnOnce() -> T) -> T {
        let _turn = self.schedule.lock().await;
        something().await
    }

    /// Runs reconcile as its schedule does, for a test that is alone with it.
    ///
    /// # Errors
    /// What reconcile answers where it could not look at everything.
    pub async fn run_reconcile(&self) -> Result<Value, LocalError> {
        let lambda = self.lambda_name("ReconcileFunction").await;
        let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        self.client.invoke(&lambda, &event).await
    }

    /// Puts a request on the bus, and answers the event's id.
    pub async fn put_request(&self, detail: Value) -> String {
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
            .event_bus_name(&self.stack.event_bus_name)
            .source("acme.builds")
            .detail_type("Formation Operation Request")
            .detail(detail.to_string())
            .build();
        let put = self.events.put_events().entries(entry).send().await.expect("events are put");
        let id = put.entries().first().and_then(|entry| entry.event_id());
        id.expect("the event has an id").to_owned()
    }

    /// Waits for an announcement that `fits`, and answers the whole event.
    pub async fn announced(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until(what, async || self.announcements.find(&fits)).await
    }

    /// Whether the end of an operation was announced.
    pub fn has_ended(&self, operation_id: &str) -> bool {
        self.announcements.have_ended(operation_id)
    }

    /// How many announcements so far fit.
    pub fn count_announced(&self, fits: impl Fn(&Value) -> bool) -> usize {
        self.announcements.count(fits)
    }

    /// The names of the states that the execution of `operation` entered, in order.
    pub async fn states_entered(&self, operation: &Value) -> Vec<String> {
        let arn = operation["executionArn"].as_str().expect("an operation names its execution");
        let mut history =
            self.sfn.get_execution_history().execution_arn(arn).into_paginator().items().send();
        let mut entered = Vec::new();
        while let Some(event) = history.next().await {
            let event = event.expect("the history can be read");
            entered.extend(event.state_entered_event_details.map(|details| details.name));
        }
        entered
    }
}

pub(crate) fn key(pk: String, sk: String) -> HashMap<String, AttributeValue> {
    [("pk", pk), ("sk", sk)].map(|(name, it)| (name.to_owned(), AttributeValue::S(it))).into()
}

fn operation_key(operation: &Value) -> HashMap<String, AttributeValue> {
    let text = |field: &str| operation[field].as_str().expect("an operation").to_owned();
    key(format!("FUNCTION#{}", text("functionName")), format!("OPERATION#{}", text("operationId")))
}

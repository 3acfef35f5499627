//! Operations: how tests ask for them, wait for their end, and look at them past the API.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use formation_client::{Change, Changed};
use formation_local::LocalError;
use formation_model::{
    DriftReport, Function, FunctionName, Operation, OperationId, OperationStatus, Plan, Rollback,
};
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::answer::Answer;
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
    pub async fn create(&self, name: &str, fields: Value) -> Operation {
        self.ended(&self.ask_for(name, fields).await).await
    }

    /// Changes a function, and answers the ended operation.
    pub async fn patch(&self, name: &str, patch: Value) -> Operation {
        self.carried_out(self.client.patch(&function_name(name), &patch)).await
    }

    /// Deletes a function, and answers the ended operation.
    pub async fn delete(&self, name: &str) -> Operation {
        self.carried_out(self.client.delete(&function_name(name))).await
    }

    /// Repairs a function, and answers the ended operation.
    pub async fn repair(&self, name: &str) -> Operation {
        self.carried_out(self.client.repair(&function_name(name))).await
    }

    /// Asks for a change that has to be accepted, and answers the ended operation.
    pub async fn carried_out(&self, change: Change) -> Operation {
        match change.await {
            Ok(Changed::Accepted(accepted)) => self.ended_operation(&accepted.operation).await,
            other => panic!("it was not accepted: {other:?}"),
        }
    }

    /// What a change would do.
    pub async fn planned(&self, change: Change) -> Plan {
        match change.dry_run().await {
            Ok(Changed::Planned(plan)) => plan,
            other => panic!("it was not planned: {other:?}"),
        }
    }

    /// A function as the API describes it.
    pub async fn function(&self, name: &str) -> Function {
        let described = self.client.describe(&function_name(name)).await;
        described.expect("the function is there").function
    }

    /// Whether the API knows a function of that name.
    pub async fn is_known(&self, name: &str) -> bool {
        let answer = self.api(Method::GET, &format!("/v1/functions/{name}"), None).await;
        match answer.status.as_u16() {
            200 => true,
            404 => {
                assert_eq!(answer.json()["code"], "FUNCTION_NOT_FOUND", "{answer:?}");
                false
            }
            _ => panic!("{answer:?}"),
        }
    }

    /// An operation with its steps, as the API describes it.
    pub async fn with_steps(&self, operation: &Operation) -> Operation {
        let Operation { function_name, operation_id, .. } = operation;
        let described = self.client.operation_with_steps(function_name, *operation_id).await;
        described.expect("the operation is there")
    }

    /// A comparison of a function with AWS.
    pub async fn drift(&self, name: &str) -> DriftReport {
        self.client.drift(&function_name(name)).await.expect("the function can be compared")
    }

    /// Waits until the operation that was `accepted` has ended, its execution too.
    pub async fn ended(&self, accepted: &Answer) -> Operation {
        assert_eq!(accepted.status, 202, "{accepted:?}");
        self.ended_operation(&accepted.read()).await
    }

    /// Waits until an operation has ended, its execution too. Every look at it has to succeed.
    pub async fn ended_operation(&self, operation: &Operation) -> Operation {
        let Operation { function_name, operation_id, .. } = operation;
        let path = format!("/v1/functions/{function_name}/operations/{operation_id}");
        // The client's own wait outlasts errors that pass. Here each of them is a failure.
        let look = async || {
            let answer = self.api(Method::GET, &path, None).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let operation: Operation = answer.read();
            operation.has_ended().then_some(operation)
        };
        let ended = self.until("the operation has ended", look).await;
        self.until("the execution has ended", async || {
            let execution = self.sfn.describe_execution().execution_arn(&ended.execution_arn);
            let status = execution.send().await.expect("the execution can be described").status;
            (status != aws_sdk_sfn::types::ExecutionStatus::Running).then_some(())
        })
        .await;
        ended
    }

    /// Waits until an operation and its execution have ended, past the API and so unseen by the
    /// proxy, and answers its status and its rollback.
    pub async fn ended_unseen(&self, operation: &Operation) -> (OperationStatus, Rollback) {
        self.ended_within(operation, LIMIT).await
    }

    /// The same, for operations that take longer.
    pub async fn ended_within(
        &self,
        operation: &Operation,
        limit: Duration,
    ) -> (OperationStatus, Rollback) {
        let began = Instant::now();
        while !self.has_ended(operation.operation_id) {
            if began.elapsed() > limit {
                let item = self.operation_item(operation).await;
                let told = ["status", "attempt", "dueAt", "rollback"].map(|name| item.get(name));
                let id = operation.operation_id.to_string();
                panic!(
                    "{operation:#?} has not ended: {told:?}, {:#?}",
                    self.log_of("reconcile", &id).await
                );
            }
            sleep(LOOK_EVERY).await;
        }
        let item = self.operation_item(operation).await;
        let arn = &operation.execution_arn;
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
        (word(&item, "status"), word(&item, "rollback"))
    }

    /// The record of an operation, past the API.
    pub async fn operation_item(&self, operation: &Operation) -> HashMap<String, AttributeValue> {
        let found = self.dynamodb.get_item().table_name(&self.stack.table_name);
        let found = found.set_key(Some(operation_key(operation))).send().await;
        found.expect("the table can be read").item.expect("the operation is recorded")
    }

    /// Lets so much time pass that an operation is due, and has reconcile look.
    pub async fn reconcile_operation(&self, operation: &Operation) {
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
        self.invoke(&lambda, &event).await
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
    pub fn has_ended(&self, operation_id: OperationId) -> bool {
        self.announcements.have_ended(&operation_id.to_string())
    }

    /// How many announcements so far fit.
    pub fn count_announced(&self, fits: impl Fn(&Value) -> bool) -> usize {
        self.announcements.count(fits)
    }

    /// The names of the states that the execution of `operation` entered, in order.
    pub async fn states_entered(&self, operation: &Operation) -> Vec<String> {
        let arn = &operation.execution_arn;
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

fn operation_key(operation: &Operation) -> HashMap<String, AttributeValue> {
    let Operation { function_name, operation_id, .. } = operation;
    key(format!("FUNCTION#{function_name}"), format!("OPERATION#{operation_id}"))
}

/// A word of a record.
fn word<Word: DeserializeOwned>(item: &HashMap<String, AttributeValue>, field: &str) -> Word {
    let text = item[field].as_s().expect("a text");
    serde_json::from_value(text.as_str().into()).expect("a word of this release")
}

/// A name as the API takes one.
pub fn function_name(name: &str) -> FunctionName {
    name.parse().expect("a function's name")
}

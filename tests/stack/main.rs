//! The life of a stack: its upgrade while it works, and its end, not while it has functions, and
//! never of what they may need. Each would trouble every other test: local AWS ends the invocations of
//! a Lambda whose code is changed, which AWS does not.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "these are tests")]

mod boundary;
mod versions;

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, ExitCode, Output};

use aws_sdk_dynamodb::types::AttributeValue;
use formation_client::FunctionFilter;
use formation_local::Project;
use formation_model::names::execution_name;
use formation_model::{
    Bundle, FunctionName, FunctionStatus, Operation, OperationId, OperationKind, OperationStatus,
    Rollback, bundle,
};
use formation_tests::world::{CODE_BUCKET, EXAMPLE_CODE};
use formation_tests::{Fault, Rule, WAIT_SCALE, World, announcements, run, trials};
use serde_json::{Value, json};

async fn an_operation_runs_well_through_an_upgrade_of_its_steps(world: &World) {
    let name = world.name("upgraded");
    // Held before its last step, until the new release of that step is there.
    world.proxy.inject(Rule::new("logs:PutRetentionPolicy", &name, usize::MAX, Fault::Throttle));
    let accepted = world.ask_for(&name, json!({})).await;
    for (resource, binary) in
        [("EnsureFunctionFunction", "ensure-function"), ("RecordSuccessFunction", "record-success")]
    {
        replace(world, resource, &changed_release(binary)).await;
    }
    world.proxy.release(&name);
    let operation = world.ended(&accepted).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap()["statusCode"], 200);
    assert_eq!(world.delete(&name).await.status, OperationStatus::Succeeded);
}

/// An account without room for one more invocation, and a Lambda service that fails, answer like a
/// step that ends with these names.
async fn a_step_that_lambda_does_not_run_is_waited_for_and_nothing_is_undone(world: &World) {
    // A step that gives up after five tries of whatever is not known; one that gives up nothing.
    let ensure = ("Ensure function", "EnsureFunctionFunction", "ensure-function");
    let record = ("Record success", "RecordSuccessFunction", "record-success");
    for (error, code, (state, resource, binary)) in [
        ("Lambda.TooManyRequestsException", "THROTTLED", ensure),
        ("Lambda.ServiceException", "TRANSIENT", record),
    ] {
        replace(world, resource, &failing_release(error)).await;
        let name = world.name("unrun");
        let accepted = world.ask_for(&name, json!({})).await;
        let running: Operation = accepted.read();
        let what = "the step was tried more often than after a crash";
        let step = world.until(what, async || {
            let step = world.with_steps(&running).await.steps?.pop()?;
            (step.attempts > 5).then_some(step)
        });
        let step = step.await;
        assert_eq!(step.name, state);
        let last = step.last_error.unwrap();
        assert_eq!(last.code, code, "{last:#?}");
        let message = last.message;
        assert!(message.contains(error) && !message.contains("s3cr3t"), "{message}");

        replace(world, resource, &changed_release(binary)).await;
        let operation = world.ended(&accepted).await;
        assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
        assert!(operation.execution_arn.ends_with("-1"), "{operation:#?}");
        assert_eq!(world.delete(&name).await.status, OperationStatus::Succeeded);
    }
}

/// What 0.1.0 left in the table and in the state machine when a stack is upgraded from it.
async fn what_the_first_release_began_ends_well_after_an_upgrade(world: &World) {
    let name = world.name("from-0-1-0");
    let well = (OperationStatus::Succeeded, Rollback::NotNeeded);
    let first = FirstRelease { world, name: &name };

    // A create whose execution runs: held before its last step, until the steps are this release's.
    let id = OperationId::generate();
    let code = first.store_code(id, "1").await;
    first.put("function-creating", id, &[&code]).await;
    first.put("operation-create-running", id, &[&code]).await;
    world.proxy.inject(Rule::new("logs:PutRetentionPolicy", &name, usize::MAX, Fault::Throttle));
    first.start(OperationKind::Create, "input-create-running", id).await;
    for (resource, binary) in
        [("EnsureFunctionFunction", "ensure-function"), ("RecordSuccessFunction", "record-success")]
    {
        replace(world, resource, &changed_release(binary)).await;
    }
    world.proxy.release(&name);
    assert_eq!(first.outcome(id).await, well);
    let function = world.function(&name).await;
    assert!(function.status == FunctionStatus::Available && function.revision == 1);
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap()["statusCode"], 200);

    // An update that was accepted, and whose start was lost.
    let update = OperationId::generate();
    let next = first.store_code(update, "2").await;
    first.put("function-updating", update, &[&code, &next]).await;
    let operation = first.put("operation-update-running", update, &[&code, &next]).await;
    assert_eq!(operation["target"]["memoryMegabytes"], 256);
    world.make_due(first.key("operation-update-running", update)).await;
    world.reconcile().await;
    assert_eq!(first.outcome(update).await, well);
    let function = world.function(&name).await;
    assert!(function.status == FunctionStatus::Available && function.revision == 2);
    assert_eq!(function.spec.code.sha256, next.sha256);
    let recorded = serde_json::to_value(&function).unwrap();
    assert_eq!(recorded["memoryMegabytes"], 256);

    // From here on it is a function like every other.
    let operation = world.patch(&name, json!({"timeoutSeconds": 9})).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    let operations = world.client.operations_page(&first.function(), None, None).await.unwrap();
    assert_eq!(operations.items.len(), 3, "{operations:#?}");
    assert_eq!(world.delete(&name).await.status, OperationStatus::Succeeded);
    assert!(world.live(&name).await.parts().is_empty());
}

/// Writes what the first release wrote, for a function of this name. Its files are named after the
/// function `hello`.
struct FirstRelease<'a> {
    world: &'a World,
    name: &'a str,
}

impl FirstRelease<'_> {
    /// Stores the code of an operation as that release did.
    async fn store_code(&self, operation: OperationId, answer: &str) -> Bundle {
        let source = format!("{EXAMPLE_CODE}\n// {answer}\n");
        let archive = bundle::from_source("index.mjs", &source).unwrap();
        let (sha256, size_bytes) = (bundle::sha256(&archive), archive.len() as u64);
        let key = format!("bundles/{}/{operation}.zip", self.name);
        let put = self.world.s3.put_object().bucket(&self.world.stack.artifact_bucket).key(&key);
        let put = put.tagging("state=pending").checksum_sha256(&sha256).body(archive.into());
        let version = put.send().await.unwrap().version_id.unwrap();
        Bundle { sha256, size_bytes, key, version, inline: false }
    }

    /// A file, for this function and operation, and with code that is there: `codes` are in the order
    /// in which they were stored.
    fn file(&self, file: &str, operation: OperationId, codes: &[&Bundle]) -> Value {
        let project = Project::find().expect("the project is found");
        let folder = project.path("crates/formation-model/tests/records/0.1.0");
        let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
        let mut record: Value = serde_json::from_str(&text).unwrap();
        let id = record["operationId"].as_str().unwrap().to_owned();
        let text = record.to_string();
        let text = text.replace("\"hello\"", &format!("\"{}\"", self.name));
        let text = text.replace("FUNCTION#hello", &format!("FUNCTION#{}", self.name));
        record = serde_json::from_str(&text.replace(&id, &operation.to_string())).unwrap();
        if let Some(attempt) = record.get_mut("attempt") {
            // The update of the file was cancelled.
            *attempt = json!(1);
            record.as_object_mut().unwrap().remove("interruption");
        }
        for (place, code) in
            [("spec", codes.first()), ("previous", codes.first()), ("target", codes.last())]
        {
            let Some(specification) = record.get_mut(place) else { continue };
            let code = code.unwrap();
            specification["code"] = json!({
                "sha256": code.sha256, "sizeBytes": code.size_bytes, "key": code.key,
                "version": code.version,
            });
        }
        record
    }

    /// Puts a record into the table.
    async fn put(&self, file: &str, operation: OperationId, codes: &[&Bundle]) -> Value {
        let record = self.file(file, operation, codes);
        let item = record.as_object().unwrap().iter();
        let item = item.map(|(name, value)| (name.clone(), attribute(value))).collect();
        let put = self.world.dynamodb.put_item().table_name(&self.world.stack.table_name);
        put.set_item(Some(item)).send().await.unwrap();
        record
    }

    fn key(&self, file: &str, operation: OperationId) -> HashMap<String, AttributeValue> {
        let record = self.file(file, operation, &[&no_code()]);
        ["pk", "sk"].map(|name| (name.to_owned(), attribute(&record[name]))).into()
    }

    /// Starts the execution of an operation's first attempt.
    async fn start(&self, kind: OperationKind, file: &str, operation: OperationId) {
        let input = self.file(file, operation, &[]).to_string();
        let name = execution_name(&self.function(), kind, operation, 1);
        let start = self.world.sfn.start_execution().name(name).input(input);
        start.state_machine_arn(&self.world.stack.state_machine_arn).send().await.unwrap();
    }

    /// How an operation has ended.
    async fn outcome(&self, operation: OperationId) -> (OperationStatus, Rollback) {
        let operation = self.world.client.operation(&self.function(), operation).await.unwrap();
        self.world.ended_unseen(&operation).await
    }

    fn function(&self) -> FunctionName {
        self.name.parse().unwrap()
    }
}

fn no_code() -> Bundle {
    let text = String::new;
    Bundle { sha256: text(), size_bytes: 0, key: text(), version: text(), inline: false }
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Number(value) => AttributeValue::N(value.to_string()),
        Value::String(value) => AttributeValue::S(value.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), attribute(value)));
            AttributeValue::M(fields.collect())
        }
    }
}

/// Gives a step's Lambda another archive.
async fn replace(world: &World, resource: &str, archive: &[u8]) {
    let lambda = world.lambda_name(resource).await;
    let key = format!("{}.zip", world.name("release"));
    let put = world.s3.put_object().bucket(CODE_BUCKET).key(&key);
    put.body(archive.to_vec().into()).send().await.unwrap();
    let before = world.lambda.get_function().function_name(&lambda).send().await.unwrap();
    let update = world.lambda.update_function_code().function_name(&lambda);
    let updated = update.s3_bucket(CODE_BUCKET).s3_key(&key).send().await.unwrap();
    let before = before.configuration.unwrap().code_sha256.unwrap();
    assert_ne!(updated.code_sha256.unwrap(), before, "{resource} was not changed");
}

/// A step Lambda's archive with one file more: another one each time.
fn changed_release(binary: &str) -> Vec<u8> {
    let project = Project::find().expect("the project is found");
    let program = std::fs::read(project.path(format!("target/lambda/{binary}/bootstrap")));
    let release = fastrand::u64(..).to_string();
    archive(&[("bootstrap", &program.unwrap()), ("release.txt", release.as_bytes())])
}

/// A Lambda that ends every invocation with an error of this name.
fn failing_release(error: &str) -> Vec<u8> {
    let program = format!(
        r#"#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
path = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", path + "next")
    invocation = api.getresponse()
    invocation.read()
    told = '{{"errorType": "{error}", "errorMessage": "TOKEN=s3cr3t"}}'
    api.request("POST", path + invocation.headers["Lambda-Runtime-Aws-Request-Id"] + "/error", told)
    api.getresponse().read()
"#
    );
    archive(&[("bootstrap", program.as_bytes())])
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    for (name, content) in files {
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn destroy(world: &World, project: &Project) -> Output {
    let tools = project.path(".venv/bin");
    let path = std::env::var("PATH").expect("a PATH");
    Command::new(project.path("infra/destroy.sh"))
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("STACK", &world.stack.stack_name)
        .env("REGION", &world.stack.region)
        .env("AWS_ENDPOINT_URL", &world.stack.endpoint_url)
        .env("AWS_ACCESS_KEY_ID", &world.stack.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &world.stack.secret_access_key)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .expect("the script runs")
}

async fn a_stack_ends_only_without_functions_and_leaves_what_they_may_need(world: &World) {
    let project = &Project::find().expect("the project is found");
    let name = world.name("resident");
    let created = world.create(&name, json!({})).await;
    assert_eq!(created.status, OperationStatus::Succeeded);
    let refused = destroy(world, project);
    assert!(!refused.status.success(), "a stack with a function was destroyed");
    assert!(String::from_utf8_lossy(&refused.stderr).contains(&name), "{refused:?}");
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);

    assert_eq!(world.delete(&name).await.status, OperationStatus::Succeeded);
    let (stack, region) = (&world.stack.stack_name, &world.stack.region);
    let policy =
        format!("arn:aws:iam::{}:policy/{stack}-{region}-ReadOnly", world.stack.account_id);
    let reader = world.name("reader");
    world.iam.create_user().user_name(&reader).send().await.unwrap();
    world.iam.attach_user_policy().user_name(&reader).policy_arn(&policy).send().await.unwrap();
    let refused = destroy(world, project);
    assert!(!refused.status.success(), "a stack that people use was destroyed");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    // The rule is the one that the tests listen by.
    assert!(told.contains(&reader) && told.contains(announcements::NAME), "{told}");
    assert!(world.client.functions_page(&FunctionFilter::default(), None).await.is_ok());

    world.iam.detach_user_policy().user_name(&reader).policy_arn(&policy).send().await.unwrap();
    let bus = &world.stack.event_bus_name;
    let untarget = world.events.remove_targets().event_bus_name(bus).rule(announcements::NAME);
    untarget.ids("queue").send().await.unwrap();
    let rule = world.events.delete_rule().event_bus_name(bus).name(announcements::NAME);
    rule.send().await.unwrap();
    let destroyed = destroy(world, project);
    assert!(destroyed.status.success(), "{destroyed:?}");
    let told = String::from_utf8_lossy(&destroyed.stdout).into_owned();
    for kept in [&world.stack.table_name, &world.stack.artifact_bucket] {
        assert!(told.contains(kept.as_str()), "{told}");
    }
    let table = world.dynamodb.scan().table_name(&world.stack.table_name).send().await;
    assert!(table.is_ok_and(|found| found.count > 0), "the table is kept, with the history");
    let bucket = world.s3.head_bucket().bucket(&world.stack.artifact_bucket).send().await;
    assert!(bucket.is_ok(), "the bucket is kept: {bucket:?}");
    let policies = world.iam.list_policies().send().await.expect("policies can be listed");
    let kept = policies.policies().iter().any(|policy| {
        policy.arn().is_some_and(|arn| told.contains(&format!("  the policy {arn},")))
    });
    assert!(kept, "the boundary is kept: {told}");
    let machine = &world.stack.state_machine_arn;
    let machine = world.sfn.describe_state_machine().state_machine_arn(machine).send().await;
    assert!(machine.is_err(), "the state machine is gone");
}

fn main() -> ExitCode {
    run(WAIT_SCALE, 1, |suite| {
        trials! { suite:
            an_operation_runs_well_through_an_upgrade_of_its_steps,
            what_the_first_release_began_ends_well_after_an_upgrade,
            a_step_that_lambda_does_not_run_is_waited_for_and_nothing_is_undone,
            versions::what_began_without_versions_ends_well_and_gets_one,
            boundary::functions_follow_the_stacks_boundary_by_repair_and_new_ones_need_a_good_one,
            a_stack_ends_only_without_functions_and_leaves_what_they_may_need,
        }
    })
}

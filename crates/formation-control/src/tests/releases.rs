//! What each release wrote is read by this one, and what this one writes is kept for the next.
//!
//! `formation-model/tests/records/<release>/` holds items as that release put them into the table,
//! and the inputs that it started executions with. What is added to a record needs a default; the
//! folders of releases that are out stay as they are.

mod kept;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::{fs, io};

use aws_sdk_dynamodb::types::AttributeValue;
use formation_model::drift::DriftStatus;
use formation_model::function::{TriggerLimits, properties};
use formation_model::operation::{CANCELLED, OperationError};
use formation_model::{
    Defaults, Difference, Drift, ErrorName, ExecutionInput, Facet, FunctionName, OperationId,
    OperationKind, OperationStatus, Part, Rollback, StepInput, request,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::{from_item, to_item};
use serde_json::{Value, json};

use super::{Aws, DEFAULTS, ann_again};
use crate::caller::Caller;
use crate::control::{Change, Decision};
use crate::records::{
    FunctionRecord, IdempotencyRecord, OperationRecord, Outcome, Reached, RepairedDrift,
    RequestKey, RevisionRecord,
};

/// The release whose folder is written: this one.
const RELEASE: &str = env!("CARGO_PKG_VERSION");
/// The variable that asks for it.
const WRITE: &str = "FORMATION_WRITE_RECORDS";

/// The files of a release, by their names.
type Files = BTreeMap<String, Value>;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../formation-model/tests/records")
}

/// The files of every release, by its version.
fn releases() -> io::Result<BTreeMap<String, Files>> {
    let mut releases = BTreeMap::new();
    for release in fs::read_dir(folder())? {
        let release = release?;
        if release.file_type()?.is_dir() {
            let version = release.file_name().into_string().unwrap();
            releases.insert(version, files(&release.path())?);
        }
    }
    Ok(releases)
}

fn files(folder: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        files.insert(name, serde_json::from_str(&fs::read_to_string(path)?)?);
    }
    Ok(files)
}

/// Reads an item from the table's form, as records are read.
fn record<T: DeserializeOwned>(stored: &Value) -> Result<T, serde_dynamo::Error> {
    let item: HashMap<String, AttributeValue> = to_item(stored).unwrap();
    from_item(item)
}

/// Reads what a file of that name holds, and answers what this release would write of it.
fn read(name: &str, stored: &Value) -> Result<Value, String> {
    fn item<T: DeserializeOwned + Serialize>(stored: &Value) -> Result<Value, String> {
        let record: T = record(stored).map_err(|error| error.to_string())?;
        let item: HashMap<String, AttributeValue> = to_item(record).unwrap();
        Ok(from_item(item).unwrap())
    }
    match name.split('-').next().unwrap() {
        "function" => item::<FunctionRecord>(stored),
        "operation" => item::<OperationRecord>(stored),
        "idempotency" => item::<IdempotencyRecord>(stored),
        "revision" => item::<RevisionRecord>(stored),
        "input" => {
            let told = |error: serde_json::Error| error.to_string();
            let input: ExecutionInput = serde_json::from_value(stored.clone()).map_err(told)?;
            serde_json::from_value::<StepInput>(stored.clone()).map_err(told)?;
            Ok(serde_json::to_value(input).unwrap())
        }
        kind => panic!("nothing reads a {kind}"),
    }
}

#[test]
fn every_record_and_input_of_every_release_is_readable() {
    let releases = releases().unwrap();
    for release in ["0.1.0", RELEASE] {
        assert!(releases.contains_key(release), "{release} has no folder; see its README.md");
    }
    for (release, files) in releases {
        for (name, stored) in files {
            read(&name, &stored).unwrap_or_else(|error| panic!("{release} {name}: {error}"));
        }
    }
}

/// What the first release wrote into every record of a kind, and could not do without. Whatever was
/// added since is missing where an earlier release wrote the record.
fn never_missing(name: &str) -> &'static [&'static str] {
    match name.split('-').next().unwrap() {
        "function" => &[
            "spec",
            "status",
            "revision",
            "committedBy",
            "operationId",
            "createdAt",
            "updatedAt",
            "createdBy",
        ],
        "operation" => &[
            "operationId",
            "kind",
            "functionName",
            "status",
            "attempt",
            "revision",
            "rollback",
            "startedAt",
            "requestedBy",
        ],
        "idempotency" => &["fingerprint", "functionName"],
        "revision" => &["revision", "operationId", "kind", "createdAt", "createdBy", "spec"],
        _ => &["v", "functionName", "operationId", "attempt", "lane", "recovery"],
    }
}

#[test]
fn every_field_of_a_record_that_was_not_always_there_may_be_missing() {
    for (release, files) in releases().unwrap() {
        for (name, stored) in files {
            let mut bare = stored.clone();
            for field in stored.as_object().unwrap().keys() {
                if never_missing(&name).contains(&field.as_str()) {
                    continue;
                }
                let mut without = stored.clone();
                for stored in [&mut without, &mut bare] {
                    stored.as_object_mut().unwrap().remove(field);
                }
                read(&name, &without)
                    .unwrap_or_else(|error| panic!("{release} {name} without {field}: {error}"));
            }
            read(&name, &bare).unwrap_or_else(|error| panic!("{release} {name}, bare: {error}"));
        }
    }
}

/// A specification of another release is that of another's fields, and of those only the first
/// release's were always there.
#[test]
fn a_specification_may_lack_what_the_first_release_did_not_write() {
    let releases = releases().unwrap();
    let specification = |stored: &Value| {
        ["spec", "target", "previous"].iter().find_map(|name| stored.get(*name).cloned())
    };
    let first = specification(&releases["0.1.0"]["function-available"]).unwrap();
    for (release, files) in &releases {
        for (name, stored) in files {
            for place in ["spec", "target", "previous"] {
                let Some(fields) = stored.get(place).and_then(Value::as_object) else { continue };
                for field in fields.keys().filter(|field| first.get(field.as_str()).is_none()) {
                    let mut without = stored.clone();
                    without[place].as_object_mut().unwrap().remove(field);
                    read(name, &without).unwrap_or_else(|error| {
                        panic!("{release} {name} without {place}.{field}: {error}")
                    });
                }
            }
        }
    }
}

#[test]
fn what_the_first_release_wrote_means_the_same_today() {
    let files = &releases().unwrap()["0.1.0"];
    let drifted: FunctionRecord = record(&files["function-drifted"]).unwrap();
    let found: Vec<_> =
        drifted.drift.differences.iter().map(|it| (it.part.clone(), it.facet.clone())).collect();
    let expected = [
        (Part::Role, Facet::Role),
        (Part::LogGroup, Facet::LogGroup),
        (Part::Function, Facet::Configuration),
        (Part::Function, Facet::Configuration),
        (Part::Function, Facet::Code),
    ];
    assert_eq!(found.len(), expected.len());
    assert!(
        found.iter().zip(expected).all(|(it, expected)| it.0 == expected.0 && it.1 == expected.1)
    );
    assert_eq!(drifted.repaired.unwrap().times, 2);
    assert_eq!((drifted.role_id, drifted.spec.code.inline), (None, false));
    let gone: FunctionRecord = record(&files["function-gone"]).unwrap();
    assert_eq!(gone.drift.status, DriftStatus::Deleted);
    assert!(gone.drift.differences[0].is_missing());

    let request = RequestKey::new(&Caller::new("ann"), "k", &["POST", "/v1/functions", "{}"]);
    let accepted: IdempotencyRecord = record(&files["idempotency-accepted"]).unwrap();
    assert!(accepted.is_of(&request) && accepted.operation_id.is_some());
    assert_eq!(accepted.version_tag.unwrap().to_string(), "1-01KAWE0G0000000000000000C1");
    let unchanged: IdempotencyRecord = record(&files["idempotency-unchanged"]).unwrap();
    assert!(unchanged.is_of(&request) && unchanged.operation_id.is_none());
}

#[test]
fn an_operation_of_an_earlier_release_goes_on_as_it_began() {
    for (release, files) in releases().unwrap() {
        for kind in ["create", "update", "delete", "repair"] {
            let read = |status| {
                record::<OperationRecord>(&files[&format!("operation-{kind}-{status}")]).unwrap()
            };
            let running = read("running");
            assert_eq!(running.kind.as_str(), kind.to_uppercase());
            // Starting the same attempt again is the same request, byte for byte, but for what leads through
            // states that the earlier release did not have: where it was started by that, it goes on as it is.
            let path = folder().join(&release).join(format!("input-{kind}-running.json"));
            let written = fs::read_to_string(path).unwrap();
            let mut input = running.execution_input();
            if release != RELEASE {
                (input.widens, input.unversioned) = (false, false);
            }
            let input = serde_json::to_string(&input).unwrap();
            assert_eq!(input, written.trim_end(), "{release} {kind}");

            let incomplete = read("incomplete");
            assert_eq!(incomplete.rollback, Rollback::Incomplete);
            assert!(!incomplete.leftovers.is_empty());
            assert_eq!(read("succeeded").status, OperationStatus::Succeeded);
        }
    }
}

/// The first release kept the specifications of what it could not undo.
#[test]
fn what_the_first_release_could_not_undo_tells_what_was_asked_for() {
    let files = &releases().unwrap()["0.1.0"];
    for kind in ["create", "update", "delete", "repair"] {
        let incomplete: OperationRecord =
            record(&files[&format!("operation-{kind}-incomplete")]).unwrap();
        assert_eq!(incomplete.target.is_none(), incomplete.kind == OperationKind::Delete);
        assert_eq!(incomplete.previous.is_none(), incomplete.kind == OperationKind::Create);
    }
}

/// A life of a function, and the records that it leaves in the table on the way.
struct Life {
    aws: Aws,
    files: Files,
}

impl Life {
    fn new() -> Self {
        Self { aws: Aws::default(), files: Files::new() }
    }

    fn name() -> FunctionName {
        "hello".parse().unwrap()
    }

    fn keep(&mut self, name: &str, record: Option<Value>) {
        assert!(self.files.insert(name.to_owned(), record.unwrap()).is_none(), "{name} twice");
    }

    fn keep_function(&mut self, name: &str) {
        self.keep(&format!("function-{name}"), self.aws.function(&Self::name()));
    }

    /// Accepts a change, and keeps the operation and its input.
    async fn begin(&mut self, change: Change<'_>, kind: &str) -> OperationRecord {
        let requester = ann_again("deploy-42", &[kind]);
        let Ok(Decision::Accepted(accepted)) = self.aws.control().accept(change, &requester).await
        else {
            panic!("a {kind} is accepted")
        };
        let id = accepted.operation.operation_id;
        let running = self.operation(id).await;
        self.keep(
            &format!("operation-{kind}-running"),
            Some(self.aws.operation(&Self::name(), id)),
        );
        self.keep_input(kind, "running", &running);
        let key = self.aws.items().into_iter().find(|item| item["sk"] == "IDEMPOTENCY").unwrap();
        if kind == "create" {
            self.keep("idempotency-accepted", Some(key.clone()));
        }
        self.aws.remove(key["pk"].as_str().unwrap(), "IDEMPOTENCY");
        running
    }

    async fn operation(&self, id: OperationId) -> OperationRecord {
        self.aws.records().operation(&Self::name(), id).await.unwrap().unwrap()
    }

    fn keep_input(&mut self, kind: &str, what: &str, operation: &OperationRecord) {
        let input = self.aws.executions()[&operation.execution_name()].clone();
        let input = serde_json::from_str(&input).unwrap();
        self.keep(&format!("input-{kind}-{what}"), Some(input));
    }

    /// Commits an outcome, and keeps the operation.
    async fn end(&mut self, kind: &str, what: &str, running: &OperationRecord, outcome: Outcome) {
        let released = running.previous.as_ref().map(|previous| previous.code.clone());
        let released =
            released.filter(|_| kind == "delete" && matches!(outcome, Outcome::Succeeded));
        let hour = SignedDuration::from_hours(1);
        let number = if kind == "create" { "1" } else { "2" };
        let reached = Reached {
            role_id: Some("AROAEXAMPLE"),
            version: number.parse().ok(),
            alias_revision_id: Some("5f1c5b3e-8d3c-4a0e-9a53-1f6d1f1f0001"),
            ..Reached::default()
        };
        let ended = self.aws.records().commit(running, &outcome, released, reached, hour).await;
        assert!(ended.unwrap().is_some());
        let ended = self.aws.operation(&Self::name(), running.operation_id);
        self.keep(&format!("operation-{kind}-{what}"), Some(ended));
    }
}

fn error(code: &str) -> OperationError {
    OperationError {
        code: code.into(),
        message: "the stack's own permissions do not allow the call".into(),
        step: "Ensure function".into(),
        aws_error_code: Some("AccessDeniedException".into()),
        aws_request_id: Some("7a7a7a7a-0000-4000-8000-000000000001".into()),
    }
}

fn failed(rollback: Rollback, leftovers: &[Part]) -> Outcome {
    let error = error(ErrorName::AccessDenied.code());
    Outcome::Failed { rollback, error, leftovers: leftovers.to_vec(), moved: false }
}

/// The example of every property, which is never its default, so that no field of a specification is
/// stored as it would be read without it. CommonJS in a module, so that there is a warning.
fn create() -> Change<'static> {
    let examples = properties().map(|row| (row.name.to_owned(), (row.example)()));
    let mut request = Value::Object(examples.collect());
    request["functionName"] = json!(Life::name());
    request["code"] = json!("exports.main = async () => 1;");
    let defaults = Defaults {
        layer_arns: vec!["*".to_owned()],
        max_reserved_concurrency: 10,
        triggers: TriggerLimits::widest("123456789012", "us-east-1"),
        ..DEFAULTS
    };
    Change::Create(request::read(&request, &defaults, None).unwrap().into())
}

/// Unlocks it as well: a function under protection is not deleted.
fn update(memory: u32) -> Change<'static> {
    let patch = json!({
        "memoryMegabytes": memory, "code": "export const main = async () => 1;",
        "deletionProtection": false,
    });
    let edit = move |current: &_| Ok(request::patched(&patch, &DEFAULTS, current)?);
    Change::Update { name: Life::name(), condition: None, edit: Box::new(edit) }
}

fn repair() -> Change<'static> {
    Change::Repair { name: Life::name(), condition: None }
}

fn delete() -> Change<'static> {
    Change::Delete { name: Life::name(), condition: None }
}

/// Everything that this release writes, through the same code as in a stack.
async fn written() -> Files {
    let mut life = Life::new();
    let creating = life.begin(create(), "create").await;
    life.keep_function("creating");
    life.end("create", "succeeded", &creating, Outcome::Succeeded).await;
    life.keep_function("available");
    life.keep("revision-create", life.aws.item("FUNCTION#hello", "REVISION#0000000001"));

    let edit = |current: &_| Ok(request::patched(&json!({}), &DEFAULTS, current)?);
    let nothing = Change::Update { name: Life::name(), condition: None, edit: Box::new(edit) };
    let requester = ann_again("deploy-42", &["nothing"]);
    life.aws.control().accept(nothing, &requester).await.unwrap();
    let key = life.aws.items().into_iter().find(|item| item["sk"] == "IDEMPOTENCY").unwrap();
    life.aws.remove(key["pk"].as_str().unwrap(), "IDEMPOTENCY");
    life.keep("idempotency-unchanged", Some(key));

    let records = life.aws.records();
    let function = records.function(&Life::name()).await.unwrap().unwrap();
    let now = Timestamp::now();
    let found = [
        Difference::missing(Part::Role),
        Difference::between(Facet::LogGroup, "logRetentionDays", 14, 7).unwrap(),
        Difference::between(Facet::Configuration, "memoryMegabytes", 256, 128).unwrap(),
        Difference::between(Facet::Code, "CodeSha256", "u2uS", "c2hh").unwrap(),
    ];
    let drift = Drift::found(&found, now);
    let digest = drift.digest.clone().unwrap();
    let repaired = RepairedDrift { digest, times: 2, after: Some(function.operation_id) };
    assert!(records.record_drift(&function, &drift, Some(&repaired), Some(now)).await.unwrap());
    life.keep_function("drifted");

    let updating = life.begin(update(384), "update").await;
    life.keep_function("updating");
    life.end("update", "succeeded", &updating, Outcome::Succeeded).await;
    life.keep("revision-update", life.aws.item("FUNCTION#hello", "REVISION#0000000002"));

    let mut other = Life { aws: life.aws.clone(), files: Files::new() };
    let updating = other.begin(update(512), "update").await;
    let caller = Caller::new("arn:aws:iam::111122223333:user/ann");
    let control = other.aws.control();
    control.cancel(&Life::name(), updating.operation_id, &caller).await.unwrap();
    let cancelled = other.operation(updating.operation_id).await;
    assert_eq!(cancelled.interruption.as_ref().unwrap().code, CANCELLED);
    life.keep_input("update", "recovered", &cancelled);
    let interrupted = life.aws.operation(&Life::name(), updating.operation_id);
    life.keep("operation-update-interrupted", Some(interrupted));
    life.end("update", "restored", &cancelled, failed(Rollback::Complete, &[])).await;
    let mut other = Life { aws: life.aws.clone(), files: Files::new() };
    let updating = other.begin(update(1024), "update").await;
    life.end("update", "incomplete", &updating, failed(Rollback::Incomplete, &[Part::Role])).await;
    life.keep_function("failed");

    let repairing = life.begin(repair(), "repair").await;
    life.end("repair", "incomplete", &repairing, failed(Rollback::Incomplete, &[Part::Role])).await;
    let mut other = Life { aws: life.aws.clone(), files: Files::new() };
    let repairing = other.begin(repair(), "repair").await;
    life.end("repair", "succeeded", &repairing, Outcome::Succeeded).await;

    let deleting = life.begin(delete(), "delete").await;
    life.keep_function("deleting");
    let left = failed(Rollback::Incomplete, &[Part::LogGroup]);
    life.end("delete", "incomplete", &deleting, left).await;
    let mut other = Life { aws: life.aws.clone(), files: Files::new() };
    let deleting = other.begin(delete(), "delete").await;
    life.end("delete", "succeeded", &deleting, Outcome::Succeeded).await;
    assert!(life.aws.function(&Life::name()).is_none());

    // A create that fails, once the name is free: undone, and not.
    for (what, outcome) in [
        ("undone", failed(Rollback::Complete, &[])),
        ("incomplete", failed(Rollback::Incomplete, &Part::ALL)),
    ] {
        let mut other = Life { aws: life.aws.clone(), files: Files::new() };
        let creating = other.begin(create(), "create").await;
        life.end("create", what, &creating, outcome).await;
    }
    settled(life.files)
}

/// The same files each time: ids in their order, one time, and nothing that a compressor decides.
fn settled(files: Files) -> Files {
    let mut ids = Vec::new();
    files.into_iter().map(|(name, record)| (name, settle(&record, "", &mut ids))).collect()
}

fn settle(value: &Value, field: &str, ids: &mut Vec<String>) -> Value {
    match value {
        Value::Object(fields) => {
            // In one order, by which the ids are numbered, too.
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let settled =
                fields.into_iter().map(|(name, it)| (name.clone(), settle(it, name, ids)));
            Value::Object(settled.collect())
        }
        Value::Array(values) => values.iter().map(|value| settle(value, field, ids)).collect(),
        Value::Number(_) if ["dueAt", "expiresAt"].contains(&field) => json!(1_795_165_245),
        Value::Number(_) if field == "sizeBytes" => json!(158),
        Value::String(_) if field == "sha256" => {
            json!("u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c=")
        }
        Value::String(text) if text.parse::<Timestamp>().is_ok() => {
            json!("2026-11-25T17:00:00.123Z")
        }
        Value::String(text) => json!(with_settled_ids(text, ids)),
        other => other.clone(),
    }
}

/// Numbers the ids of operations in a text, wherever they stand.
fn with_settled_ids(text: &str, ids: &mut Vec<String>) -> String {
    let mut settled = text.to_owned();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if word.parse::<OperationId>().is_ok() {
            let known = ids.iter().position(|id| id == word);
            let number = known.unwrap_or_else(|| {
                ids.push(word.to_owned());
                ids.len() - 1
            });
            settled = settled.replace(word, &format!("01KAWE0G{:018}", number + 1));
        }
    }
    settled
}

#[tokio::test]
async fn what_this_release_writes_is_in_its_folder() {
    let folder = folder().join(RELEASE);
    let written = written().await;
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, record) in &written {
            let text = match name.starts_with("input-") {
                // As it is sent: to the byte.
                true => input_text(record),
                false => serde_json::to_string_pretty(record).unwrap(),
            };
            fs::write(folder.join(format!("{name}.json")), text + "\n").unwrap();
        }
    }
    let kept = files(&folder).unwrap_or_default();
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    let told = format!(
        "{RELEASE} writes another record than its folder holds. If that is meant, and every earlier \
         release can still be read: `make records`"
    );
    assert_eq!(names(&written), names(&kept), "{told}");
    for (name, record) in &written {
        assert_eq!(record, &kept[name], "{name}: {told}");
    }
}

fn input_text(record: &Value) -> String {
    let input: ExecutionInput = serde_json::from_value(record.clone()).unwrap();
    serde_json::to_string(&input).unwrap()
}

//! What earlier releases wrote is read by this one: `tests/records/<release>/` holds records as they
//! stood in the table and inputs of executions, see the README.md there. Whole records are
//! formation-control's; here is what they are made of.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::operation::OperationError;
use crate::step::CONTRACT_VERSION;
use crate::{
    Bundle, Drift, ExecutionInput, FunctionName, FunctionSpec, FunctionStatus, OperationId,
    OperationKind, OperationStatus, Part, Rollback, StepInput, Warning,
};

/// Every file, by its release and name.
fn records() -> io::Result<BTreeMap<String, Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    let mut records = BTreeMap::new();
    for release in fs::read_dir(folder)? {
        let release = release?.path();
        if release.is_dir() {
            for file in fs::read_dir(&release)? {
                let path = file?.path();
                let text = fs::read_to_string(&path)?;
                records.insert(path.display().to_string(), serde_json::from_str(&text)?);
            }
        }
    }
    Ok(records)
}

/// Reads a field, if it is there. All of it has to be there when it is written again.
fn read<T: DeserializeOwned + Serialize>(file: &str, record: &Value, field: &str) {
    let Some(stored) = record.get(field) else { return };
    let read = serde_json::from_value::<T>(stored.clone());
    let read = read.unwrap_or_else(|error| panic!("{file} {field}: {error}"));
    let written = serde_json::to_value(read).unwrap();
    assert!(holds(&written, stored), "{file} {field} was {stored:#}, and is {written:#}");
}

/// Whether `written` has all that was stored, with equal values.
fn holds(written: &Value, stored: &Value) -> bool {
    match (written, stored) {
        (Value::Object(written), Value::Object(stored)) => {
            // A difference's part was its facet in the first release.
            let is_of_the_first = |name: &str| {
                name == "part" && stored.contains_key("property") && !stored.contains_key("facet")
            };
            let written = |name: &str| match is_of_the_first(name) {
                true => written.get("facet"),
                false => written.get(name),
            };
            stored.iter().all(|(name, it)| written(name).is_some_and(|written| holds(written, it)))
        }
        (Value::Array(written), Value::Array(stored)) => {
            written.len() == stored.len()
                && written.iter().zip(stored).all(|(written, stored)| holds(written, stored))
        }
        _ => written == stored || is_same_moment(written, stored),
    }
}

/// Whether two texts are one moment, with more or fewer digits.
fn is_same_moment(one: &Value, other: &Value) -> bool {
    let moment = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    moment(one).is_some_and(|moment_of_one| moment(other) == Some(moment_of_one))
}

#[test]
fn every_part_of_every_record_of_every_release_is_readable() {
    let records = records().unwrap();
    assert!(records.len() > 20, "few records are kept: {:?}", records.keys());
    for (file, record) in &records {
        let is_operation = record.get("attempt").is_some();
        for specification in ["spec", "target", "previous"] {
            read::<FunctionSpec>(file, record, specification);
        }
        for error in ["error", "interruption"] {
            read::<OperationError>(file, record, error);
        }
        read::<OperationKind>(file, record, "kind");
        read::<Rollback>(file, record, "rollback");
        read::<Bundle>(file, record, "released");
        read::<Vec<Part>>(file, record, "leftovers");
        read::<Vec<Part>>(file, record, "formerLeftovers");
        read::<Vec<Warning>>(file, record, "warnings");
        read::<Drift>(file, record, "drift");
        read::<OperationId>(file, record, "operationId");
        read::<FunctionName>(file, record, "functionName");
        if is_operation {
            read::<OperationStatus>(file, record, "status");
        } else {
            read::<FunctionStatus>(file, record, "status");
        }
    }
}

#[test]
fn every_input_of_every_release_is_readable_and_of_a_version_that_steps_accept() {
    let records = records().unwrap();
    let inputs: Vec<_> = records.iter().filter(|(file, _)| file.contains("/input-")).collect();
    assert!(inputs.len() > 4, "few inputs are kept: {inputs:?}");
    for (file, input) in inputs {
        let execution: ExecutionInput = serde_json::from_value(input.clone()).unwrap();
        assert!((CONTRACT_VERSION - 1..=CONTRACT_VERSION).contains(&execution.v), "{file}");
        let step: StepInput = serde_json::from_value(input.clone()).unwrap();
        assert_eq!(step.execution, execution, "{file}");
        assert!(holds(&serde_json::to_value(&execution).unwrap(), input), "{file}");
    }
}

//! What earlier releases wrote is read by this one.
//!
//! `formation-model/tests/records/<release>/` holds items as that release put them into the table,
//! and the inputs that it started executions with. What is added to a record later needs a default;
//! these files stay.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use formation_model::drift::DriftStatus;
use formation_model::{
    ExecutionInput, Facet, OperationKind, OperationStatus, Part, Rollback, StepInput,
};
use serde::de::DeserializeOwned;
use serde_dynamo::{from_item, to_item};
use serde_json::Value;

use super::table::Item;
use super::*;
use crate::caller::Caller;

/// The files of every release, by their names.
fn fixtures() -> io::Result<Vec<(String, BTreeMap<String, String>)>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../formation-model/tests/records");
    let mut releases = Vec::new();
    for release in fs::read_dir(fixtures)? {
        if release.as_ref().is_ok_and(|it| it.path().extension().is_some_and(|it| it == "md")) {
            continue;
        }
        let mut files = BTreeMap::new();
        for file in fs::read_dir(release.as_ref().unwrap().path())? {
            let path = file?.path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read_to_string(path)?);
        }
        releases.push((release?.file_name().into_string().unwrap(), files));
    }
    Ok(releases)
}

/// Reads an item from the table's form, as records are read.
fn record<T: DeserializeOwned>(text: &str) -> T {
    let item: Item = to_item(serde_json::from_str::<Value>(text).unwrap()).unwrap();
    from_item(item).unwrap()
}

#[test]
fn every_record_and_input_of_every_release_is_readable() {
    let releases = fixtures().unwrap();
    assert!(!releases.is_empty());
    for (release, files) in releases {
        for (name, text) in files {
            println!("{release} {name}");
            match name.split('-').next().unwrap() {
                "function" => drop(record::<FunctionRecord>(&text)),
                "operation" => drop(record::<OperationRecord>(&text)),
                "idempotency" => drop(record::<IdempotencyRecord>(&text)),
                "input" => {
                    serde_json::from_str::<ExecutionInput>(&text).unwrap();
                    serde_json::from_str::<StepInput>(&text).unwrap();
                }
                kind => panic!("nobody reads a {kind}"),
            }
        }
    }
}

fn first_release() -> BTreeMap<String, String> {
    let releases = fixtures().unwrap();
    releases.into_iter().find(|(release, _)| release == "0.1.0").unwrap().1
}

#[test]
fn what_the_first_release_wrote_means_the_same_today() {
    let files = first_release();
    let drifted: FunctionRecord = record(&files["function-drifted"]);
    let found = drifted.drift.differences.iter();
    let found = found.map(|it| (*it.part.known().unwrap(), *it.facet.known().unwrap()));
    let expected = [
        (Part::Role, Facet::Role),
        (Part::LogGroup, Facet::LogGroup),
        (Part::Function, Facet::Configuration),
        (Part::Function, Facet::Configuration),
        (Part::Function, Facet::Code),
    ];
    assert!(found.eq(expected), "{:?}", drifted.drift);
    assert_eq!(drifted.repaired.unwrap().times, 2);
    assert_eq!((drifted.role_id, drifted.spec.code.inline), (None, false));
    let gone: FunctionRecord = record(&files["function-gone"]);
    assert_eq!(gone.drift.status, DriftStatus::Deleted);
    assert!(gone.drift.differences[0].is_missing());

    let request = RequestKey::new(&Caller::new("ann"), "k", &["POST", "/v1/functions", "{}"]);
    let accepted: IdempotencyRecord = record(&files["idempotency-accepted"]);
    assert!(accepted.is_of(&request) && accepted.operation_id.is_some());
    let unchanged: IdempotencyRecord = record(&files["idempotency-unchanged"]);
    assert!(unchanged.is_of(&request) && unchanged.operation_id.is_none());
}

#[test]
fn an_operation_of_the_first_release_goes_on_as_it_began() {
    let files = first_release();
    for kind in ["create", "update", "delete", "repair"] {
        let read =
            |status| record::<OperationRecord>(&files[&format!("operation-{kind}-{status}")]);
        let running = read("running");
        assert_eq!(running.kind.as_str(), kind.to_uppercase());
        // Starting the same attempt again is the same request, byte for byte.
        let input = serde_json::to_string(&running.execution_input()).unwrap();
        assert_eq!(input, files[&format!("input-{kind}-running")].trim_end(), "{kind}");

        let incomplete = read("incomplete");
        assert_eq!(incomplete.rollback, Rollback::Incomplete);
        assert!(!incomplete.leftovers.is_empty());
        assert_eq!(incomplete.target.is_none(), incomplete.kind == OperationKind::Delete);
        assert_eq!(incomplete.previous.is_none(), incomplete.kind == OperationKind::Create);
        assert_eq!(read("succeeded").status, OperationStatus::Succeeded);
    }
}

//! What holds of every property, by its row.

use serde_json::{Map, json};

use super::*;
use crate::bundle::CodeSummary;
use crate::operation::OperationKind;
use crate::part::Part;
use crate::plan::Plan;
use crate::request;

fn defaults() -> Defaults {
    Defaults {
        code_buckets: true,
        layer_arns: vec!["*".into()],
        max_reserved_concurrency: 10,
        policy_characters: Some(3000),
        triggers: TriggerLimits::widest("123456789012", "us-east-1"),
        ..Defaults::default()
    }
}

/// A function that names nothing.
fn plain() -> FunctionSpec {
    let code = Bundle {
        sha256: "c2hh".into(),
        size_bytes: 7,
        key: "bundles/hello/1.zip".into(),
        version: "v1".into(),
        inline: true,
    };
    FunctionSpec::new("hello".parse().unwrap(), code)
}

/// Those that can change.
fn changeable() -> impl Iterator<Item = &'static Property> {
    properties().filter(|property| !property.facets.is_empty())
}

/// The function once `patch` has been applied.
fn patched(patch: &Value, current: &FunctionSpec) -> FunctionSpec {
    let request = request::patched(patch, &defaults(), current).unwrap();
    let code = match &request.code {
        CodeSource::Unchanged => current.code.clone(),
        _ => Bundle { sha256: "b3RoZXI=".into(), ..current.code.clone() },
    };
    request.with_code(code)
}

#[test]
fn the_examples_make_a_valid_request_each_alone_and_all_together() {
    let mut all = json!({});
    for property in properties() {
        let mut body = json!({"functionName": "hello", "code": "x"});
        body[property.name] = (property.example)();
        all[property.name] = (property.example)();
        // A level needs its format, and the like.
        let read = request::read(&body, &defaults(), None)
            .or_else(|_| request::read(&all, &defaults(), None));
        assert!(read.is_ok(), "{}: {read:?}", property.name);
    }
    assert!(request::read(&all, &defaults(), None).is_ok());
}

#[test]
fn each_property_alone_is_one_difference_of_a_plan_and_null_takes_it_back() {
    let summary = |spec: &FunctionSpec| {
        let code = CodeSummary::from(&spec.code);
        spec.clone().with_code(code)
    };
    let plan = |from: &FunctionSpec, to: &FunctionSpec| {
        let (from, to) = (summary(from), summary(to));
        let plan =
            Plan::between(OperationKind::Update, &from.function_name, Some(&from), Some(&to));
        let differences = plan.parts.into_iter().flat_map(|part| part.differences);
        differences.map(|it| (*it.facet.known().unwrap(), it.property)).collect::<Vec<_>>()
    };
    let mut current = plain();
    for property in changeable() {
        let target = patched(&json!({property.name: (property.example)()}), &current);
        let found = plan(&current, &target);
        let (own, others): (Vec<_>, Vec<_>) =
            found.iter().partition(|(_, it)| it.split('/').next() == Some(property.name));
        let facets: Vec<_> = own.iter().map(|(facet, _)| *facet).collect();
        assert_eq!(facets, property.facets, "{}: {found:?}", property.name);
        for (_, other) in others {
            let follows = super::property(other).and_then(|it| it.follows);
            assert_eq!(follows, Some(property.name), "{found:?}");
        }
        current = target;
    }
    // Each that was changed has gone back, but for what has no default to go back to.
    let nulls: Map<_, _> = changeable()
        .filter(|property| property.name != "code")
        .map(|property| (property.name.to_owned(), Value::Null))
        .collect();
    let back = patched(&nulls.into(), &current).with_code(plain().code);
    assert_eq!(back, plain());
}

#[test]
fn a_record_that_lacks_a_field_reads_as_its_default() {
    let mut full = plain();
    for property in changeable() {
        full = patched(&json!({property.name: (property.example)()}), &full);
    }
    let (full, plain) = (full.values(), plain().values());
    for property in properties().filter(|it| !["functionName", "code"].contains(&it.name)) {
        let mut stored = full.clone();
        stored.as_object_mut().unwrap().remove(property.name).unwrap();
        let read: FunctionSpec = serde_json::from_value(stored).unwrap();
        assert_eq!(read.values()[property.name], plain[property.name], "{}", property.name);
    }
}

#[test]
fn what_a_role_is_given_widens_it_and_what_it_keeps_does_not() {
    let statement = |action: &str| json!({"actions": [action], "resources": ["*"]});
    let allowing = |actions: &[&str]| {
        let statements: Vec<_> = actions.iter().map(|it| statement(it)).collect();
        patched(&json!({"policyStatements": statements}), &plain())
    };
    let (read, both) = (allowing(&["s3:GetObject"]), allowing(&["s3:GetObject", "sqs:*"]));
    for (one, other, widens) in [
        (&plain(), &plain(), false),
        (&read, &plain(), true),
        (&plain(), &read, false),
        (&both, &read, true),
        (&read, &both, false),
        (&allowing(&["sqs:*"]), &read, true),
    ] {
        assert_eq!(one.widens(other), widens, "{:?}", one.permissions);
    }
    let traced = patched(&json!({"tracing": "ACTIVE"}), &plain());
    assert!(traced.widens(&plain()) && !plain().widens(&traced) && !traced.widens(&traced));
}

#[test]
fn every_part_has_a_property_that_it_is_compared_by() {
    // What is live is an image of the function's configuration and code.
    for part in Part::ALL.into_iter().filter(|part| *part != Part::Live) {
        let facets = changeable().flat_map(|property| property.facets);
        assert!(facets.into_iter().any(|facet| facet.part() == part), "{part:?}");
    }
}

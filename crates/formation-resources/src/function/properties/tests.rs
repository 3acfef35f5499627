//! What holds of every property that Lambda has, by its row in the model.

use formation_model::function::{Defaults, Property, TriggerLimits, properties};
use formation_model::{Bundle, CodeSource, Part, request};

use super::super::lambda::StandIn;
use super::super::tests::settings;
use super::super::{compare, ensure};
use super::*;
use crate::testing::{spec, stack, target};

fn of_lambda(property: &Property) -> bool {
    let facets = property.facets.iter();
    facets.into_iter().any(|facet| facet.part() == Part::Function) && property.in_aws
}

/// The function with the example of `property`.
fn with_example(property: &Property, current: &FunctionSpec) -> FunctionSpec {
    let patch = json!({property.name: (property.example)()});
    let defaults = Defaults {
        layer_arns: vec!["*".into()],
        max_reserved_concurrency: 10,
        policy_characters: Some(3000),
        triggers: TriggerLimits::widest("123456789012", "us-east-1"),
        ..Defaults::default()
    };
    let request = request::patched(&patch, &defaults, current).unwrap();
    let code = match &request.code {
        CodeSource::Unchanged => current.code.clone(),
        _ => code("bmV3"),
    };
    request.with_code(code)
}

/// A bundle whose version is its digest, as the stand-in has it.
fn code(sha256: &str) -> Bundle {
    Bundle { sha256: sha256.into(), version: sha256.into(), inline: true, ..spec().code }
}

fn plain() -> FunctionSpec {
    FunctionSpec::new(spec().function_name, code("c2hh"))
}

#[test]
fn every_property_of_the_configuration_has_a_setting() {
    let fields: Vec<_> = SETTINGS.iter().flat_map(|it| it.fields).map(|it| it.name).collect();
    let configured = |it: &&Property| it.in_aws && it.facets.contains(&Facet::Configuration);
    // Tags have calls of their own.
    for property in properties().filter(configured).filter(|it| it.name != "tags") {
        assert!(fields.contains(&property.name), "Lambda is never told of {}", property.name);
    }
    for name in fields {
        assert!(property(name).is_some() || ["role", "logGroup"].contains(&name), "{name}?");
    }
}

#[tokio::test(start_paused = true)]
async fn each_property_alone_is_one_difference_and_one_call() {
    let lambda = StandIn::default();
    let client = lambda.client();
    let mut current = plain();
    ensure(&client, &settings(), &target(&current, None), false).await.unwrap();
    assert_eq!(lambda.changes().len(), 1, "it is created");
    assert_eq!(compare(&client, &stack(), &current).await.unwrap(), []);
    for property in properties().filter(|property| of_lambda(property)) {
        let wanted = with_example(property, &current);
        let mut found = compare(&client, &stack(), &wanted).await.unwrap();
        found.retain(|it| {
            let row = formation_model::function::property(&it.property);
            row.and_then(|row| row.follows) != Some(property.name)
        });
        let [difference] = found.as_slice() else { panic!("{}: {found:?}", property.name) };
        assert!(property.facets.contains(difference.facet.known().unwrap()), "{difference:?}");
        let name = difference.property.split('/').next();
        let expected = if property.name == "code" { "sha256" } else { property.name };
        assert_eq!(name, Some(expected), "{difference:?}");

        ensure(&client, &settings(), &target(&wanted, Some(&current)), false).await.unwrap();
        let changes = lambda.changes();
        assert_eq!(changes.len(), 1, "{}: {changes:?}", property.name);
        assert_eq!(compare(&client, &stack(), &wanted).await.unwrap(), [], "{}", property.name);
        current = wanted;
    }
    // And all of them back.
    ensure(&client, &settings(), &target(&plain(), Some(&current)), false).await.unwrap();
    assert_eq!(compare(&client, &stack(), &plain()).await.unwrap(), []);

    // A new function has them all at once.
    let lambda = StandIn::default();
    ensure(&lambda.client(), &settings(), &target(&current, None), false).await.unwrap();
    let made: Vec<_> = lambda.changes().into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(made, ["CreateFunction", "PutFunctionConcurrency"]);
    assert_eq!(compare(&lambda.client(), &stack(), &current).await.unwrap(), []);
}

#[tokio::test]
async fn what_lambda_may_refuse_though_a_function_has_it_is_sent_where_it_differs_only() {
    let lambda = StandIn::default();
    let client = lambda.client();
    let current = plain();
    ensure(&client, &settings(), &target(&current, None), false).await.unwrap();
    let mut wanted = current.clone();
    wanted.configuration.memory_megabytes = 512;
    lambda.changes();
    ensure(&client, &settings(), &target(&wanted, Some(&current)), false).await.unwrap();
    let changes = lambda.changes();
    assert_eq!(changes[0].1["MemorySize"], 512);
    for setting in ["Runtime", "Layers"] {
        assert!(changes[0].1.get(setting).is_none(), "{changes:?}");
    }
}

//! `infra/template.yaml`, as an upgrade of a stack uses it: in which order CloudFormation gets at the
//! Lambdas.

use std::collections::BTreeSet;

use formation_tests::World;
use serde_json::Value;

/// The doors: what accepts operations and starts executions.
const DOORS: [&str; 3] = ["ApiFunction", "IntakeFunction", "ReconcileFunction"];

/// CloudFormation updates a resource after those that it refers to. So an operation that a new door
/// accepts is never worked on by steps of the previous release, but for those that run already.
pub async fn steps_are_upgraded_before_the_doors_that_start_them(world: &World) {
    let substitutions =
        &world.template["Resources"]["StateMachine"]["Properties"]["DefinitionSubstitutions"];
    let mut steps = BTreeSet::new();
    note_references(substitutions, &mut steps);
    steps.retain(|id| world.template["Resources"][id]["Type"] == "AWS::Serverless::Function");
    assert!(steps.len() >= 8, "the state machine runs few steps only: {steps:?}");
    for door in DOORS {
        let needs = needed_by(world, door);
        let late: Vec<_> = steps.difference(&needs).collect();
        assert!(late.is_empty(), "{door} may be upgraded before {late:?}");
    }
}

/// Everything that a resource refers to, directly or through others.
fn needed_by(world: &World, resource: &str) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut unread = BTreeSet::from([resource.to_owned()]);
    while let Some(id) = unread.pop_first() {
        let mut found = BTreeSet::new();
        note_references(&world.template["Resources"][&id], &mut found);
        unread.extend(found.difference(&needed).cloned());
        needed.extend(found);
    }
    needed
}

/// Notes the resources, parameters and the like that a part of the template refers to: by Ref,
/// Fn::GetAtt, Fn::Sub or DependsOn.
fn note_references(part: &Value, found: &mut BTreeSet<String>) {
    let texts = |value: &Value| match value {
        Value::Array(values) => {
            values.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        value => value.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
    };
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| note_references(part, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "Ref" | "DependsOn" => found.extend(texts(value)),
                    "Fn::GetAtt" => found.extend(
                        texts(value).first().map(|id| id.split('.').next().unwrap().to_owned()),
                    ),
                    "Fn::Sub" => {
                        let template = texts(value).into_iter().next().unwrap_or_default();
                        let names = template.split("${").skip(1);
                        found.extend(
                            names.map(|it| {
                                it.split(['}', '.']).next().unwrap_or_default().to_owned()
                            }),
                        );
                        note_references(value, found);
                    }
                    _ => note_references(value, found),
                }
            }
        }
        _ => {}
    }
}

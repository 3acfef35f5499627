use serde_json::json;

use super::*;

fn lookup(name: &str) -> Option<String> {
    match name {
        "STAGE" => Some("prod".to_owned()),
        "PORT" => Some("8080".to_owned()),
        "SIZE" => Some("512".to_owned()),
        _ => None,
    }
}

fn functions(text: &str, overlay: Option<&str>) -> Result<Vec<Wanted>, Problems> {
    Manifest::read("formation.yaml", text, overlay)?.functions(&[], &lookup)
}

fn refused(text: &str) -> Vec<String> {
    let found = functions(text, None).unwrap_err().found;
    found.iter().map(ToString::to_string).collect()
}

const SHOP: &str = "\
name: shop
stack: formation-${STAGE}
defaults:
  runtime: python3.13
  tags: {team: blue, stage: dev}
  environment: {LEVEL: info}
functions:
  cart:
    code: {folder: ./cart, build: 'echo ${HOME}'}
    memoryMegabytes: ${SIZE}
    environment:
      PORT: '${PORT}'
      RAW: ${PORT}
  pay:
    code: |
      def handler(event, context): return f\"${event}\"
    tags: {team: null}
overlays:
  prod:
    defaults:
      deletionProtection: true
      tags: {stage: '${STAGE}'}
    functions:
      cart: {memoryMegabytes: 1024, environment: null}
      extra: {code: {zip: 'target/${STAGE}.zip'}}
";

#[test]
fn defaults_overlays_and_functions_are_merged_in_their_order() {
    let wanted = functions(SHOP, None).unwrap();
    let names: Vec<_> = wanted.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["cart", "pay"]);
    let expected = json!({
        "runtime": "python3.13", "tags": {"team": "blue", "stage": "dev"}, "memoryMegabytes": 512,
        "environment": {"LEVEL": "info", "PORT": "8080", "RAW": "8080"}
    });
    assert_eq!(Value::Object(wanted[0].fields.clone()), expected);
    let build = Some("echo ${HOME}".to_owned());
    assert_eq!(wanted[0].code, Code::Folder(Local { path: "./cart".to_owned(), build }));
    let inline = "def handler(event, context): return f\"${event}\"\n";
    assert_eq!(wanted[1].code, Code::AsItIs(json!(inline)));
    assert_eq!(wanted[1].fields["tags"], json!({"stage": "dev"}));

    let wanted = functions(SHOP, Some("prod")).unwrap();
    let expected = json!({
        "runtime": "python3.13", "tags": {"team": "blue", "stage": "prod"},
        "memoryMegabytes": 1024, "deletionProtection": true
    });
    assert_eq!(Value::Object(wanted[0].fields.clone()), expected);
    assert_eq!(wanted[1].name.as_str(), "extra");
    let zip = Local { path: "target/prod.zip".to_owned(), build: None };
    assert_eq!(wanted[1].code, Code::Zip(zip));
}

#[test]
fn only_what_is_chosen_is_read() {
    let text = "functions:\n  a: {code: x}\n  b: {code: {folder: '${MISSING}'}}\n";
    let manifest = Manifest::read("f.yaml", text, None).unwrap();
    assert_eq!(manifest.functions(&["a".to_owned()], &lookup).unwrap().len(), 1);
    let found = manifest.functions(&["c".to_owned()], &lookup).unwrap_err().found;
    assert_eq!(found[0].to_string(), "2:3: there is no function c; there is a, b");
    assert!(manifest.functions(&[], &lookup).is_err());
}

#[test]
fn a_manifest_has_a_name_and_a_stack() {
    let manifest = Manifest::read("f.yaml", SHOP, None).unwrap();
    assert_eq!(manifest.name(&lookup).unwrap().as_deref(), Some("shop"));
    assert_eq!(manifest.stack(&lookup).unwrap().as_deref(), Some("formation-prod"));
    let without = Manifest::read("f.yaml", "functions: {}\nname: [1]", None).unwrap();
    assert_eq!(without.stack(&lookup).unwrap(), None);
    assert_eq!(
        without.name(&lookup).unwrap_err().found[0].to_string(),
        "2:7: `name` must be a text"
    );
}

#[test]
fn what_is_wrong_is_told_at_its_place_and_all_at_once() {
    for (text, expected) in [
        (
            "a: 1",
            vec!["1:1: a manifest has no `a`; there is name, stack", "1:1: `functions` is missing"],
        ),
        ("functions: [1]", vec!["1:12: `functions` must be an object"]),
        ("functions:\n  a: 1", vec!["2:6: `a` must be an object"]),
        ("functions: {}\noverlays:\n  x: {y: 1}", vec!["3:7: an overlay has no `y`"]),
        ("functions:\n  a b: {code: x}", vec!["2:3: `a b` cannot be a function's name"]),
        ("functions:\n  a: {}", vec!["2:3: `code` is missing"]),
        ("functions:\n  a: {code: {build: make}}", vec!["2:14: `build` makes what"]),
        (
            "functions:\n  a: {code: {folder: x, zip: y}}",
            vec!["2:25: code with a `folder` has no `zip`"],
        ),
        ("functions:\n  a: {code: {folder: [x]}}", vec!["2:22: `folder` must be a text"]),
        (
            "functions:\n  a:\n    code: x\n    memory: 1\n    functionName: b",
            vec![
                "4:5: a function has no `memory`; is `memoryMegabytes` meant?",
                "5:5: a function's name is its key",
            ],
        ),
        (
            "functions:\n  a:\n    code: x\n    environment:\n      PORT: 8080\n      ON: yes\n      V: 1.10\n      S: text",
            vec![
                "5:7: a value in `environment` is a text: put that of PORT in quotes",
                "6:7: a value in `environment` is a text: put that of ON in quotes",
                "7:7: a value in `environment` is a text: put that of V in quotes",
            ],
        ),
        (
            "defaults: {handler: '${H}'}\nfunctions:\n  a: {code: x}\n  b: {code: x, handler: y.z}",
            vec!["1:21: the variable H is not set"],
        ),
    ] {
        let refused = refused(text);
        assert_eq!(refused.len(), expected.len(), "{text}: {refused:?}");
        for (refused, expected) in refused.iter().zip(expected) {
            assert!(refused.starts_with(expected), "{text}: {refused}");
        }
    }
    let none = Manifest::read("f.yaml", SHOP, Some("test")).unwrap_err();
    assert_eq!(none.found[0].to_string(), "19:3: there is no overlay test; there is prod");
}

#[test]
fn what_the_api_says_of_a_field_is_shown_at_it() {
    let wanted = functions(SHOP, None).unwrap();
    let place = |pointer: &str| wanted[0].place_of(pointer).to_string();
    assert_eq!(place("/memoryMegabytes"), "10:22");
    assert_eq!(place("/tags/team"), "5:16");
    assert_eq!(place("/environment/PORT"), "12:7");
    assert_eq!(place("/handler"), "8:3", "what is not there is shown at the function's name");
    assert_eq!(place(""), "8:3");
}

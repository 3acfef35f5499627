//! The manifest's JSON Schema (2020-12), by which editors complete and check it.
//!
//! The fields of functions are the rows that requests are read by. It says of a manifest what can be said
//! before it is merged and variables are put in: members, types, limits. Whether a function has code, or
//! two fields fit together, is known after that.

use formation_model::function::{Property, properties};
use formation_model::{Function, schema};
use serde_json::{Map, Value, json};

/// Schemas of the draft say so.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// What the schema is called. It is nowhere to be had but from the command.
const ID: &str = "urn:formation:manifest";
/// A variable, as it stands in a text: see [`super::variables`].
const VARIABLE: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}";

/// The schema.
pub fn schema() -> Value {
    let name = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"});
    let functions = |told: &str| {
        json!({
            "title": "Functions", "type": "object", "description": told, "propertyNames": name,
            "additionalProperties": {"$ref": "#/$defs/function"},
            "examples": [{"hello": {"code": {"folder": "src"}}}]
        })
    };
    let defaults = |told: &str| {
        json!({
            "title": "Defaults", "description": told, "$ref": "#/$defs/function",
            "examples": [{"logRetentionDays": 14}]
        })
    };
    let text = |title: &str, told: &str, example: &str| json!({"title": title, "type": "string", "minLength": 1, "description": told, "examples": [example]});
    json!({
        "$schema": DRAFT,
        "$id": ID,
        "title": "Manifest of Formation",
        "description": "The functions that somebody wants. Defaults, the overlay's defaults, the function and the overlay's \
                        function are merged in this order, as JSON merge patches (RFC 7396): null takes a value away. \
                        ${NAME} and ${NAME:-text} are put into texts; $${ stands for ${.",
        "type": "object",
        "properties": {
            "$schema": {"title": "Schema", "type": "string", "description": "Where this schema is, for editors."},
            "name": text("Name", "The manifest's name: the tag formation-manifest of its functions, by which `apply --prune` \
                          knows them.", "shop"),
            "stack": text("Stack", "The stack that it is for, where none is named otherwise.", "formation"),
            "defaults": defaults("What all functions have that do not say otherwise."),
            "functions": functions("The functions, by name."),
            "overlays": {
                "title": "Overlays", "type": "object",
                "description": "What is otherwise in one place or another, by the name that --overlay takes.",
                "additionalProperties": {
                    "title": "Overlay", "type": "object",
                    "properties": {
                        "defaults": defaults("Merged into the defaults."),
                        "functions": functions("Merged into the functions; those that are here alone are the overlay's own.")
                    },
                    "additionalProperties": false
                },
                "examples": [{"prod": {"defaults": {"deletionProtection": true}}}]
            }
        },
        "required": ["functions"],
        "additionalProperties": false,
        "examples": [{"name": "shop", "functions": {"hello": {"code": {"folder": "src"}}}}],
        "$defs": {
            "function": function(),
            "variable": {
                "title": "Variable", "type": "string", "pattern": format!("^{VARIABLE}$"),
                "description": "A variable that stands for a number or a truth value. It stands there without quotes.",
                "examples": ["${MEMORY:-256}"]
            },
            "withVariable": {
                "title": "Text with a variable", "type": "string", "pattern": VARIABLE,
                "description": "A text into which the value of a variable is put.",
                "examples": ["${STAGE:-dev}"]
            }
        }
    })
}

/// What stands of a function in one place. It is merged with others, so that nothing is required.
fn function() -> Value {
    // What the types say of the fields, where their rows say nothing.
    let types = schema::of::<Function>();
    // A function's name is its key.
    let fields = properties().filter(|property| property.name != "functionName");
    let fields = fields.map(|property| {
        let told = types.pointer(&format!("/properties/{}/description", property.name));
        (property.name.to_owned(), field(property, told))
    });
    json!({
        "title": "Function", "type": "object", "properties": fields.collect::<Map<_, _>>(),
        "additionalProperties": false,
        "description": "A function, in the fields of the API.",
        "examples": [{"code": {"folder": "src"}, "memoryMegabytes": 256}]
    })
}

fn field(property: &Property, told: Option<&Value>) -> Value {
    let mut value = (property.schema)();
    let mut field = json!({"title": title(property.name)});
    if let Some(told) = told {
        field["description"] = told.clone();
    }
    for name in ["description", "default"] {
        if let Some(said) = value.as_object_mut().and_then(|value| value.remove(name)) {
            field[name] = said;
        }
    }
    let forms = if property.name == "code" {
        field["description"] =
            json!("The code: a folder that is zipped, an archive, or as the API takes it.");
        field["examples"] = json!([{"folder": "src", "build": "npm ci --omit=dev"}, {"zip": "target/function.zip"}]);
        code(value)
    } else {
        field["examples"] = json!([(property.example)()]);
        or_null(merged(with_variables(value)))
    };
    field["anyOf"] = forms["anyOf"].clone();
    field
}

/// `memoryMegabytes` as people read it.
fn title(name: &str) -> String {
    let mut title = String::new();
    for (at, c) in name.char_indices() {
        if at == 0 {
            title.extend(c.to_uppercase());
        } else if c.is_uppercase() {
            title.push(' ');
            title.extend(c.to_lowercase());
        } else {
            title.push(c);
        }
    }
    title
}

/// Where the code is: in a folder or an archive beside the manifest, or as the API takes it. Its members
/// are merged, too, so that each may stand alone, and null takes away those of another form.
fn code(of_api: Value) -> Value {
    let text = |told: &str, example: &str| json!({"type": "string", "minLength": 1, "description": told, "examples": [example]});
    let build = text(
        "The command that makes it, for `sh -c`. Variables are the shell's own.",
        "npm ci --omit=dev",
    );
    let local = |kind: &str, path: Value| json!({"type": "object", "properties": {kind: path, "build": build}});
    let mut forms = vec![
        local("folder", text("The folder, relative to the manifest.", "src")),
        local("zip", text("The archive, relative to the manifest.", "target/function.zip")),
    ];
    let of_api = of_api["anyOf"].as_array().cloned().unwrap_or_default();
    forms.extend(of_api.into_iter().filter(|form| form["type"] == "object"));
    let names = |form: &Value| {
        form["properties"].as_object().map(|it| it.keys().cloned().collect::<Vec<_>>())
    };
    let all: Vec<String> = forms.iter().filter_map(names).flatten().collect();
    for form in &mut forms {
        let Some(members) = form["properties"].as_object_mut() else { continue };
        for (name, member) in &mut *members {
            let value = member.take();
            *member = or_null(if name == "build" { value } else { with_variables(value) });
        }
        for name in &all {
            members.entry(name).or_insert_with(|| json!({"type": "null"}));
        }
        form["additionalProperties"] = json!(false);
        if let Some(form) = form.as_object_mut() {
            form.remove("required");
        }
    }
    // No variable is put into inline source.
    let inline = json!({"type": "string", "minLength": 1, "description": "Inline source of Node.js or Python."});
    forms.insert(2, inline);
    forms.push(json!({"type": "null"}));
    json!({"anyOf": forms})
}

/// What an object may be in one of the places that are merged: nothing is required there, and null takes a member away.
fn merged(mut schema: Value) -> Value {
    if schema["type"] != "object" {
        return schema;
    }
    if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        members.values_mut().for_each(|member| *member = or_null(merged(member.take())));
    }
    if let Some(object) = schema.as_object_mut() {
        object.remove("required");
    }
    schema
}

/// What a value may be where it can be taken away.
fn or_null(value: Value) -> Value {
    let nothing = json!({"type": "null"});
    match value {
        Value::Object(mut value) if value.len() == 1 && value.contains_key("anyOf") => {
            if let Some(Value::Array(forms)) = value.get_mut("anyOf") {
                forms.push(nothing);
            }
            Value::Object(value)
        }
        value => json!({"anyOf": [value, nothing]}),
    }
}

/// What a value may be before variables are put in.
fn with_variables(mut schema: Value) -> Value {
    const OF_TEXTS: [&str; 4] = ["enum", "pattern", "minLength", "maxLength"];
    let alone = json!({"$ref": "#/$defs/variable"});
    match schema["type"].as_str() {
        Some("object") => {
            if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                members.values_mut().for_each(|member| *member = with_variables(member.take()));
            }
            if schema["additionalProperties"].is_object() {
                // Members of an object are merged; within a list, which is replaced as a whole, too
                // they may be null for all that a schema can say.
                let member = with_variables(schema["additionalProperties"].take());
                schema["additionalProperties"] = or_null(member);
            }
            schema
        }
        Some("array") => {
            schema["items"] = with_variables(schema["items"].take());
            schema
        }
        Some("string") if OF_TEXTS.iter().any(|limit| schema.get(*limit).is_some()) => {
            json!({"anyOf": [schema, {"$ref": "#/$defs/withVariable"}]})
        }
        Some("string") => schema,
        Some(_) => json!({"anyOf": [schema, alone]}),
        None if schema["type"].is_array() => json!({"anyOf": [schema, alone]}),
        None => {
            if let Some(forms) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
                forms.iter_mut().for_each(|form| *form = with_variables(form.take()));
            }
            schema
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use jsonschema::Validator;

    use super::super::{Manifest, yaml};
    use super::*;

    fn validator() -> Validator {
        jsonschema::draft202012::new(&schema()).unwrap()
    }

    fn document(manifest: &str) -> Value {
        yaml::read(manifest).unwrap().to_json()
    }

    /// Calls `look` with every schema in a schema.
    fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
        look(value);
        match value {
            Value::Object(fields) => fields.values().for_each(|value| walk(value, look)),
            Value::Array(items) => items.iter().for_each(|item| walk(item, look)),
            _ => {}
        }
    }

    /// The manifests in a folder and below.
    fn examples(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                found.extend(examples(&path));
            } else if path.file_name().is_some_and(|name| name == "formation.yaml") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
        found
    }

    #[test]
    fn it_is_a_schema_of_its_draft_and_its_own_examples_fit() {
        let schema = schema();
        let told =
            jsonschema::draft202012::meta::validate(&schema).map_err(|error| error.to_string());
        assert_eq!(told, Ok(()));
        assert_eq!((&schema["$schema"], &schema["$id"]), (&json!(DRAFT), &json!(ID)));
        let fields = schema["$defs"]["function"]["properties"].as_object().unwrap();
        assert_eq!(fields.len(), properties().count() - 1);
        let validator = validator();
        for (name, field) in fields {
            for said in ["title", "description", "examples"] {
                assert!(!field[said].is_null(), "{name} has no {said}");
            }
            for example in field["examples"].as_array().unwrap() {
                let manifest =
                    json!({"functions": {"a": {name: example}}, "defaults": {name: null}});
                assert!(validator.is_valid(&manifest), "{name}: {example}");
            }
        }
        let mut references = 0;
        walk(&schema, &mut |value| {
            let Some(reference) = value["$ref"].as_str() else { return };
            references += 1;
            assert!(schema.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
        });
        assert!(references > 20, "{references}");
    }

    #[test]
    fn what_the_reader_takes_it_takes() {
        let readme = include_str!("../../../../README.md");
        let in_readme = readme.split("```yaml\n").skip(1).map(|it| it.split_once("```").unwrap().0);
        let in_readme: Vec<_> = in_readme.filter(|text| text.contains("\nfunctions:")).collect();
        assert!(!in_readme.is_empty());
        let all = "\
$schema: formation.schema.json
stack: formation-${STAGE}
defaults:
  memoryMegabytes: ${MEMORY}
  code: {build: 'echo ${HOME}', zip: null}
  environment: {A1: null}
  runtime: null
functions:
  one:
    code: {folder: '${FOLDER:-src}'}
    runtime: ${RUNTIME:-python3.14}
    handler: ${HANDLER}.main
    timeoutSeconds: 900
    reservedConcurrency: null
    deletionProtection: ${PROTECTED}
    logRetentionDays: 14
    layers: ['${LAYER}']
    environment: {PORT: '8080', LEVEL: '${LEVEL}'}
    tags: {team: null, stage: '${STAGE}'}
    policyStatements:
      - {actions: ['s3:GetObject'], resources: ['arn:aws:s3:::${BUCKET}/*'], conditions: {Bool: {'aws:SecureTransport': true}}}
  two: {code: inline}
  three: {code: {s3Bucket: '${BUCKET}', s3Key: a.zip}}
  four: {code: {zip: a.zip, build: make}}
overlays:
  prod: {defaults: {deletionProtection: true}, functions: {one: {code: {folder: null, zip: one.zip}, environment: null}}}
";
        let examples = examples(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"));
        let validator = validator();
        for manifest in
            in_readme.into_iter().chain(examples.iter().map(String::as_str)).chain([all])
        {
            let read = Manifest::read("formation.yaml", manifest, None);
            assert!(read.is_ok(), "{read:?}");
            let document = document(manifest);
            let wrong: Vec<_> = validator.iter_errors(&document).map(|it| it.to_string()).collect();
            assert!(wrong.is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn what_the_reader_refuses_for_its_shape_it_refuses() {
        let validator = validator();
        for manifest in [
            "{}",
            "functions: []",
            "functions: {a: null}",
            "functions: {a: x}",
            "functions: {}\nfunction: {}",
            "functions: {}\nname: 1",
            "functions: {}\ndefaults: []",
            "functions: {}\noverlays: {prod: {name: x}}",
            "functions: {}\noverlays: {prod: []}",
            "functions: {a: {code: x, memoryMegabyte: 128}}",
            "functions: {a: {code: x, functionName: a}}",
            "functions: {a: {code: x, status: AVAILABLE}}",
            "functions: {a: {code: x, environment: {PORT: 8080}}}",
            "functions: {a: {code: x, environment: {ON: true}}}",
            "functions: {a: {code: x, tags: {a: 1}}}",
            "functions: {a: {code: {folder: a, zip: b}}}",
            "functions: {a: {code: {folder: a, files: b}}}",
            "functions: {a: {code: {folder: ''}}}",
            "functions: {a: {code: {folder: 1}}}",
            "functions: {'a b': {code: x}}",
            "functions: {}\ndefaults: {environment: {A1: 1}}",
            "functions: {}\noverlays: {prod: {functions: {a: {environment: {A1: 1}}}}}",
        ] {
            let read = Manifest::read("formation.yaml", manifest, None);
            let read = read.and_then(|manifest| {
                manifest.name(&|_| None)?;
                manifest.functions(&[], &|_| None)
            });
            // What is not merged by any function is not looked at.
            let looked_at = !manifest.starts_with("functions: {}\ndefaults: {")
                && !manifest.contains("functions: {a: {environment");
            assert!(read.is_err() || !looked_at, "{manifest}");
            assert!(!validator.is_valid(&document(manifest)), "{manifest}");
        }
        // What the API would refuse.
        for fields in [
            "memoryMegabytes: 64",
            "memoryMegabytes: '512'",
            "runtime: nodejs18.x",
            "layers: ['x']",
        ] {
            let manifest = document(&format!("functions: {{a: {{code: x, {fields}}}}}"));
            assert!(!validator.is_valid(&manifest), "{fields}");
        }
    }
}

//! `formation init`: a folder with a function that works.

use std::path::{Component, Path, PathBuf};

use formation_model::FunctionName;
use serde_json::json;

use super::{File, refuse_what_is_in_the_way, schema_beside, write};
use crate::args::{Init, Language};
use crate::failure::Failure;
use crate::folder::IGNORE_FILE;
use crate::outcome::Outcome;
use crate::output::Output;

/// What a function is called where its folder's name cannot be.
const USUAL_NAME: &str = "hello";
/// Lambda's longest name.
const LONGEST_NAME: usize = 64;

const MANIFEST: &str = include_str!("templates/formation.yaml");

pub(super) fn run(asked: &Init, output: &Output) -> Result<Outcome, Failure> {
    let folder = asked.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let name = name_of(&folder)?;
    let files = files(&folder, &name, asked.runtime);
    refuse_what_is_in_the_way(files.iter().map(|file| file.path.as_path()))?;
    let schema = schema_beside(&folder.join("formation.yaml"));
    let files: Vec<_> = files.into_iter().chain(schema).collect();
    write(&files)?;
    let paths: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
    let result = json!({"functionName": name, "files": paths});
    output.show(&result, |_| paths.join("\n"), |_| paths.clone())?;
    output.progress(&next(&folder, &name, asked.runtime));
    Ok(Outcome::Done)
}

/// What to type now.
fn next(folder: &Path, name: &FunctionName, language: Language) -> String {
    let enter = match folder.components().all(|step| step == Component::CurDir) {
        true => String::new(),
        false => format!("\n  cd {}", folder.display()),
    };
    let needs = match language {
        Language::Rust => {
            "\n  cargo lambda --version      # makes the code: https://www.cargo-lambda.info"
        }
        Language::Nodejs | Language::Python => "",
    };
    format!(
        "next:{enter}{needs}\n  formation plan              # what would be done\n  formation apply             # makes \
         the function {name}\n  formation doctor            # where there is trouble with AWS, tells what is wrong"
    )
}

/// The name of the folder, as a function can have it.
fn name_of(folder: &Path) -> Result<FunctionName, Failure> {
    let whole = std::path::absolute(folder).unwrap_or_default();
    // `..` at the end leads to a folder of another name.
    let whole = whole.canonicalize().unwrap_or(whole);
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String = name.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let name: String = name.trim_matches('-').chars().take(LONGEST_NAME).collect();
    let name =
        if name.chars().any(|c| c.is_ascii_alphanumeric()) { name } else { USUAL_NAME.to_owned() };
    name.parse()
        .map_err(|error| Failure::other(format!("{name} cannot be a function's name"), &error))
}

fn files(folder: &Path, name: &FunctionName, language: Language) -> Vec<File> {
    let file = |path: &str, text: &str| File { path: folder.join(path), text: text.to_owned() };
    let ignored = include_str!("templates/formationignore");
    let (code, mut files) = match language {
        Language::Nodejs => (
            interpreted("nodejs24.x", "npm ci --omit=dev"),
            vec![
                file("src/index.mjs", include_str!("templates/nodejs/index.mjs")),
                file(&format!("src/{IGNORE_FILE}"), ignored),
            ],
        ),
        Language::Python => (
            interpreted("python3.14", "pip install --requirement requirements.txt --target ."),
            vec![
                file("src/index.py", include_str!("templates/python/index.py")),
                file(&format!("src/{IGNORE_FILE}"), ignored),
            ],
        ),
        Language::Rust => {
            let package = package(name);
            let manifest = include_str!("templates/rust/Cargo.toml.template");
            (
                compiled(&package),
                vec![
                    file("Cargo.toml", &manifest.replace("{{crate}}", &package)),
                    file("src/main.rs", include_str!("templates/rust/main.rs")),
                    file(IGNORE_FILE, include_str!("templates/rust/formationignore")),
                    file(".gitignore", include_str!("templates/rust/gitignore")),
                ],
            )
        }
    };
    let manifest = MANIFEST.replace("{{code}}", &code).replace("{{name}}", &quoted(name));
    files.insert(0, file("formation.yaml", &manifest));
    files
}

/// A name as YAML reads it as a text.
fn quoted(name: &FunctionName) -> String {
    crate::manifest::write::block(&json!(name), 0)
}

fn interpreted(runtime: &str, build: &str) -> String {
    format!(
        "    # The folder is deployed as it is. What it needs can be put into it before, by a command:\n    \
         # code: {{ folder: src, build: {build} }}\n    code: {{ folder: src }}\n    runtime: {runtime}\n    \
         handler: index.handler"
    )
}

/// Built for what this machine is, so that no other linker is needed.
fn compiled(package: &str) -> String {
    let (architecture, flag) = match std::env::consts::ARCH {
        "aarch64" => ("arm64", "--arm64"),
        _ => ("x86_64", "--x86-64"),
    };
    format!(
        "    # The command makes the file bootstrap, all that is deployed: see {IGNORE_FILE}.\n    code:\n      \
         folder: .\n      build: cargo lambda build --quiet --release {flag} --lambda-dir . --flatten {package}\n    \
         runtime: provided.al2023\n    handler: bootstrap\n    architecture: {architecture}"
    )
}

/// The function's name, as Cargo takes it.
fn package(name: &FunctionName) -> String {
    let name = name.as_str();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins {
        name.to_owned()
    } else {
        format!("function-{}", name.trim_start_matches(['-', '_']))
    }
}

#[cfg(test)]
mod tests {
    use formation_model::{Defaults, request};

    use super::*;
    use crate::manifest::{Code, Manifest};

    #[test]
    fn each_manifest_is_one_that_the_api_and_the_schema_take() {
        let validator = jsonschema::draft202012::new(&crate::manifest::schema::schema()).unwrap();
        for language in [Language::Nodejs, Language::Python, Language::Rust] {
            for name in ["hello", "1", "no", "0x1f", "-a_b"] {
                let name: FunctionName = name.parse().unwrap();
                let files = files(Path::new("f"), &name, language);
                let manifest = &files[0];
                assert_eq!(manifest.path, Path::new("f/formation.yaml"));
                assert!(!files.iter().any(|file| file.text.contains("{{")), "{name}");
                let read = Manifest::read("formation.yaml", &manifest.text, None);
                let read = read.unwrap_or_else(|problems| panic!("{problems}"));
                let manifest_name = read.name(&|_| None).unwrap();
                assert_eq!(manifest_name.as_deref(), Some(name.as_str()));
                let wanted = read.functions(&[], &|_| None).unwrap().remove(0);
                assert_eq!(wanted.name, name);
                let Code::Folder(local) = &wanted.code else { panic!("{:?}", wanted.code) };
                let code = Path::new("f").join(&local.path);
                assert!(files.iter().any(|file| file.path == code.join(IGNORE_FILE)), "{local:?}");
                let mut body = serde_json::Value::Object(wanted.fields);
                body["functionName"] = json!(name);
                body["code"] = json!({"sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="});
                let problems = request::planned(&body, &Defaults::default(), None).err();
                assert!(problems.is_none(), "{problems:?}");
                assert_eq!(body["environment"]["GREETING"], "Hello");
                assert!(validator.is_valid(&read.document()), "{name}");
            }
        }
    }

    #[test]
    fn what_is_deployed_is_the_code_and_nothing_that_stands_beside_it() {
        for (language, expected) in [
            (Language::Nodejs, "index.mjs"),
            (Language::Python, "index.py"),
            (Language::Rust, "bootstrap"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let written = files(folder.path(), &"hello".parse().unwrap(), language);
            write(&written).unwrap();
            let code = match language {
                Language::Rust => folder.path().to_owned(),
                Language::Nodejs | Language::Python => folder.path().join("src"),
            };
            // What a build and somebody who works on it leave there.
            let of_builds = ["bootstrap", "target/lambda/hello"];
            let of_builds = of_builds.iter().filter(|_| language == Language::Rust);
            for file in ["README.md", "test/a", ".git/config"].iter().chain(of_builds) {
                let file = code.join(file);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, "x").unwrap();
            }
            let deployed = crate::folder::files(&code).unwrap();
            let names: Vec<_> = deployed.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, [expected], "{language:?}");
        }
    }

    #[test]
    fn a_function_is_called_as_its_folder_where_it_can_be() {
        for (folder, expected) in [
            ("/nowhere/shop", "shop"),
            ("/nowhere/my shop.v2", "my-shop-v2"),
            ("/nowhere/\u{e4}\u{f6}", "hello"),
            ("/", "hello"),
            ("/nowhere/---", "hello"),
            ("/nowhere/a/", "a"),
        ] {
            assert_eq!(name_of(Path::new(folder)).unwrap().as_str(), expected, "{folder}");
        }
        let long = name_of(Path::new(&format!("/nowhere/{}", "x".repeat(99)))).unwrap();
        assert_eq!(long.as_str().len(), LONGEST_NAME);
        assert_eq!(package(&"9-lives".parse().unwrap()), "function-9-lives");
    }
}

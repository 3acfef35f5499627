//! What holds of the workspace as a whole, checked with what Cargo tells of it: nothing is compiled,
//! and nothing fetched that the build has not fetched.
//!
//! `deny.toml` has the same lists for cargo-deny, which also knows of advisories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use serde_json::Value;

use crate::in_project;

/// Licences that ask for no more than that they are passed on.
const LICENCES: [&str; 11] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// A second TLS stack beside rustls on ring, which would be a second judge of certificates, and
/// megabytes in every zip.
const BANNED: [&str; 7] =
    ["aws-lc-rs", "aws-lc-sys", "boring", "hyper-tls", "native-tls", "openssl", "openssl-sys"];

/// What a Lambda has no use for: its credentials are in its environment.
const BANNED_IN_LAMBDAS: [&str; 3] = ["credentials-login", "credentials-process", "sso"];

/// Dependencies that no source names, each for its features: see the manifests.
const FEATURES_ONLY: [(&str, &str); 3] = [
    ("formation-tests", "aws-smithy-mocks"),
    ("formation-tests", "either"),
    ("xtask", "formation-tests"),
];

fn cargo(arguments: &[&str]) -> String {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo).args(arguments).args(["--locked", "--offline"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The machine's own target, whose dependencies the build has fetched.
fn host() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("-vV").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// What Cargo tells of the workspace, asked once for all checks.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let host = host();
    let told = cargo(&["metadata", "--format-version", "1", "--filter-platform", &host]);
    serde_json::from_str(&told).unwrap()
});

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn packages() -> &'static [Value] {
    METADATA["packages"].as_array().unwrap()
}

/// The packages of this project, and the folder of each.
fn members() -> Vec<(&'static Value, PathBuf)> {
    let own = packages().iter().filter(|package| package["source"].is_null());
    own.map(|package| (package, Path::new(text(package, "manifest_path")).parent().unwrap().into()))
        .collect()
}

/// Whether a licence expression can be met with [`LICENCES`]. No package needs more of SPDX than
/// `OR` within `AND`, or `AND` within `OR` in brackets.
fn is_allowed(expression: &str) -> bool {
    let plain = expression.replace('/', " OR ").replace(['(', ')'], "");
    let either = |text: &str| text.split(" OR ").any(|licence| LICENCES.contains(&licence.trim()));
    plain.split(" AND ").all(either)
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    for package in packages() {
        let licence = text(package, "license");
        assert!(is_allowed(licence), "{} {licence:?}", text(package, "id"));
    }
    assert!(!is_allowed("") && !is_allowed("GPL-3.0") && !is_allowed("MIT AND GPL-3.0"));
    assert!(is_allowed("GPL-3.0 OR MIT") && is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
}

#[test]
fn every_dependency_comes_from_crates_io_and_none_brings_another_tls_stack() {
    let lock = fs::read_to_string(in_project("Cargo.lock")).unwrap();
    let lines = |name: &str| {
        let start = format!("{name} = \"");
        let values =
            lock.lines().filter_map(move |line| line.strip_prefix(&start)?.strip_suffix('"'));
        values.collect::<BTreeSet<_>>()
    };
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    assert_eq!(lines("source"), [registry].into());
    let names = lines("name");
    assert!(names.contains("ring") && names.contains("rustls"));
    let banned: Vec<_> = BANNED.into_iter().filter(|name| names.contains(name)).collect();
    assert!(banned.is_empty(), "{banned:?}");
}

#[test]
fn the_example_in_rust_is_built_of_what_this_is_built_of() {
    // A package of its own, with a lock of its own: so licences hold for it, too, and what is compiled may be shared.
    let packages = |path: &str| {
        let lock = fs::read_to_string(in_project(path)).unwrap();
        let all = lock.split("[[package]]\n").skip(1);
        let of_registry = all.filter(|it| it.contains("\nchecksum = "));
        let known = of_registry.map(|it| it.lines().take(2).collect::<Vec<_>>().join(" "));
        known.collect::<BTreeSet<_>>()
    };
    let (example, own) = (packages("examples/rust/Cargo.lock"), packages("Cargo.lock"));
    assert!(example.len() > 10, "{example:?}");
    let others: Vec<_> = example.difference(&own).collect();
    assert!(others.is_empty(), "{others:?}: cp Cargo.lock examples/rust/, and build it there");
}

#[test]
fn cargo_deny_has_the_same_lists() {
    let deny = fs::read_to_string(in_project("deny.toml")).unwrap();
    let listed = |from: &str| {
        let (_, rest) = deny.split_once(from).unwrap();
        let (list, _) = rest.split_once("\n]").unwrap();
        list.split('"').skip(1).step_by(2).collect::<Vec<_>>()
    };
    assert_eq!(listed("\nallow = ["), LICENCES);
    assert_eq!(listed("\ndeny = ["), BANNED);
}

#[test]
fn hosted_ci_makes_what_ci_makes() {
    let script = fs::read_to_string(in_project(".ci/run")).unwrap();
    let made = script.lines().filter_map(|line| line.strip_prefix("make "));
    let hosted = fs::read_to_string(in_project(".github/workflows/ci.yml")).unwrap();
    let (_, targets) = hosted.split_once("target: [").unwrap();
    let targets = targets.split_once(']').unwrap().0.split(", ");
    assert_eq!(made.collect::<BTreeSet<_>>(), targets.collect());
}

#[test]
fn the_version_is_the_newest_of_the_changelog() {
    let changelog = fs::read_to_string(in_project("CHANGELOG.md")).unwrap();
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## [")?.split_once(']'));
    let mut releases = headings.map(|(version, _)| version).filter(|it| *it != "Unreleased");
    assert_eq!(releases.next(), Some(env!("CARGO_PKG_VERSION")));
}

/// Package and features, of each dependency of a kind that these packages are built with.
fn features(packages: &[&str], kinds: &str) -> BTreeMap<String, String> {
    let mut arguments = vec!["tree", "--prefix", "none", "--format", "{p}|{f}", "--edges", kinds];
    arguments.extend(packages);
    let tree = cargo(&arguments);
    let lines = tree.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|'));
    lines.map(|(package, features)| (package.to_owned(), features.to_owned())).collect()
}

/// What only the command needs: terminals, YAML, files, and ways to credentials that no Lambda has.
/// `signal-hook-registry` is what tokio's features `process` and `signal` bring.
const OF_THE_COMMAND: [&str; 12] = [
    "annotate-snippets",
    "anstream",
    "aws-sdk-sso",
    "aws-sdk-ssooidc",
    "clap",
    "clap_complete",
    "formation-client",
    "ignore",
    "rustix",
    "saphyr-parser",
    "serde-saphyr",
    "signal-hook-registry",
];

#[test]
fn no_release_of_a_lambda_has_what_only_the_command_needs() {
    // As `make deploy` builds them.
    let mut lambdas = Vec::new();
    for (package, _) in members() {
        let targets = package["targets"].as_array().unwrap();
        let has = |kind: &str| targets.iter().any(|it| it["kind"][0] == kind);
        let dependencies = package["dependencies"].as_array().unwrap();
        if has("bin") && dependencies.iter().any(|it| it["name"] == "formation-lambda") {
            lambdas.push(text(package, "name"));
        }
    }
    let makefile = fs::read_to_string(in_project("Makefile")).unwrap();
    assert!(lambdas.len() >= 3, "{lambdas:?}");
    for package in &lambdas {
        assert!(makefile.contains(&format!("--package {package} ")), "{package} is not deployed");
    }
    let chosen: Vec<_> = lambdas.iter().flat_map(|package| ["--package", *package]).collect();
    let tree = features(&chosen, "normal");
    let config = tree.iter().find(|(package, _)| package.starts_with("aws-config ")).unwrap();
    let found: Vec<_> = config.1.split(',').filter(|it| BANNED_IN_LAMBDAS.contains(it)).collect();
    assert!(found.is_empty(), "aws-config has {found:?}");
    let has = |tree: &BTreeMap<String, String>, name: &str| {
        tree.keys().any(|package| package.split(' ').next() == Some(name))
    };
    let of_command = features(&["--package", "formation-cli"], "normal");
    for name in OF_THE_COMMAND {
        assert!(has(&of_command, name), "{name} is not one of the command's any more");
        assert!(!has(&tree, name), "{name} is in a Lambda: `cargo tree --invert {name}`");
    }
}

#[test]
fn the_lambdas_and_the_tests_are_built_on_one_and_the_same_sdk() {
    let of_build = features(&["--workspace"], "normal,build");
    let of_tests = features(&["--workspace"], "normal,build,dev");
    for (package, features) in of_build {
        let told = "has other features in tests: it and all that needs it would be compiled twice; \
                    switch them on in tests/Cargo.toml";
        assert_eq!(features, of_tests[&package], "{package} {told}");
    }
}

/// Every Rust file below a folder, but for packages within it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

/// The files of other packages that a file has as modules of its own.
fn of_others(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(path).unwrap();
    let named = text.split("#[path = \"").skip(1).filter_map(|rest| rest.split('"').next());
    named.map(|named| path.parent().unwrap().join(named)).collect()
}

/// What follows `word`, wherever it stands in `text` by itself.
fn after<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    text.match_indices(word).filter_map(move |(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        (!before.ends_with(is_part) && !after.starts_with(is_part)).then_some(after)
    })
}

fn has_word(text: &str, word: &str) -> bool {
    after(text, word).next().is_some()
}

#[test]
fn every_dependency_is_named_by_a_source() {
    let mut unnamed = BTreeSet::new();
    for (package, folder) in members() {
        let mut all = sources(&folder);
        let shared: Vec<_> = all.iter().flat_map(|path| of_others(path)).collect();
        all.extend(shared);
        let sources: String =
            all.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = text(dependency, "name");
            let known = dependency["rename"].as_str().unwrap_or(name).replace('-', "_");
            // In a path: its name may be a word of a comment, too.
            if !after(&sources, &known).any(|rest| rest.starts_with("::")) {
                unnamed.insert((text(package, "name"), name));
            }
        }
    }
    assert_eq!(unnamed, FEATURES_ONLY.into());
}

#[test]
fn every_dependency_has_its_version_in_one_place() {
    for (package, folder) in members() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for line in manifest.lines() {
            assert!(!line.contains("version = \""), "{}: {line}", text(package, "name"));
        }
        for inherited in ["version.workspace = true", "[lints]\nworkspace = true"] {
            assert!(manifest.contains(inherited), "{}: {inherited}", text(package, "name"));
        }
    }
}

/// The modules of a crate right below its root, and which others each needs outside of its tests.
fn modules(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let root = folder.join("src");
    let lib = fs::read_to_string(root.join("lib.rs")).unwrap_or_default();
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).ok()?.components().next()?;
        Some(first.as_os_str().to_str()?.trim_end_matches(".rs").to_owned())
    };
    let files = sources(&root).into_iter().filter_map(|path| Some((module(&path)?, path)));
    let apart = ["lib", "main", "bin", "tests"];
    let files: Vec<_> = files.filter(|(name, _)| !apart.contains(&name.as_str())).collect();
    let names: BTreeSet<_> = files.iter().map(|(name, _)| name.clone()).collect();
    // What the root hands on, by the module that has it.
    let exported = lib.split("pub use ").skip(1).filter_map(|rest| {
        let (from, rest) = rest.split_once("::")?;
        Some((from.trim_start_matches("crate::"), rest.split_once(';')?.0))
    });
    let exported: Vec<_> = exported.collect();
    let mut needs = BTreeMap::<_, BTreeSet<_>>::new();
    for (name, path) in files {
        let text = fs::read_to_string(&path).unwrap();
        // Tests that stand in the file end it; those of a file of their own are declared at its head.
        let end = ["mod tests {", "pub(crate) mod tests {"]
            .iter()
            .find_map(|tests| text.find(&format!("#[cfg(test)]\n{tests}")));
        let product = &text[..end.unwrap_or(text.len())];
        let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: Vec<_> = code.collect();
        let needed = needs.entry(name.clone()).or_default();
        if ["tests.rs", "testing.rs"].iter().any(|it| path.ends_with(it)) {
            continue;
        }
        for used in code.join("\n").split("crate::").skip(1) {
            // One path, or several within braces.
            let until = if used.starts_with('{') { '}' } else { ';' };
            let used = used.split(until).next().unwrap_or_default();
            let first = used.split(|it: char| !(it.is_alphanumeric() || it == '_')).next();
            let direct = names.iter().filter(|it| {
                if used.starts_with('{') { has_word(used, it) } else { first == Some(it.as_str()) }
            });
            needed.extend(direct.cloned());
            let handed_on = exported.iter().filter(|(_, what)| {
                let words = used.split(|it: char| !(it.is_alphanumeric() || it == '_'));
                let mut words = words.filter(|it| it.starts_with(char::is_uppercase));
                let brace = used.starts_with('{');
                let is_root = first.is_some_and(|it| it.starts_with(char::is_uppercase));
                (brace || is_root) && words.any(|word| has_word(what, word))
            });
            needed.extend(handed_on.map(|(from, _)| (*from).to_owned()));
        }
        needed.remove(&name);
    }
    needs
}

#[test]
fn no_modules_of_a_crate_stand_in_a_circle() {
    let mut circles = BTreeMap::new();
    for (package, folder) in members() {
        let mut needs = modules(&folder);
        // What needs none of those that are left, or is needed by none of them, is in no circle.
        loop {
            let before = needs.len();
            let left: BTreeSet<_> = needs.keys().cloned().collect();
            needs.retain(|_, needed| needed.iter().any(|it| left.contains(it)));
            let needed: BTreeSet<_> = needs.values().flatten().cloned().collect();
            needs.retain(|name, _| needed.contains(name));
            if needs.len() == before {
                break;
            }
        }
        if !needs.is_empty() {
            circles.insert(text(package, "name"), needs);
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

/// Lines of a file of product code that needs no reason to be as long as it is.
const MOST_LINES: usize = 500;
/// How the line at a file's head begins that gives the reason.
const REASON: &str = "//! One file, since ";

#[test]
fn a_file_of_product_code_is_short_or_says_why_not() {
    let (mut seen, mut wrong) = (0, Vec::new());
    let folders = members().into_iter().map(|(_, folder)| folder.join("src"));
    let is_of_tests = |path: &PathBuf| {
        let of_tests = ["tests", "tests.rs", "testing.rs"];
        path.components().any(|part| of_tests.iter().any(|it| part.as_os_str() == *it))
    };
    for path in folders.flat_map(|it| sources(&it)).filter(|path| !is_of_tests(path)) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        let mut head = text.lines().take_while(|line| line.starts_with("//!"));
        match (lines > MOST_LINES, head.any(|line| line.starts_with(REASON))) {
            (true, false) => wrong.push(format!("{} has {lines} lines", path.display())),
            (false, true) => wrong.push(format!("{} is short by now", path.display())),
            _ => {}
        }
        seen += 1;
    }
    let remedy = format!("split it, or begin a line of its head with `{REASON}`");
    assert!(wrong.is_empty(), "{remedy}:\n{}", wrong.join("\n"));
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_runbook_tells_of_every_alarm() {
    let template = fs::read_to_string(in_project("infra/template.yaml")).unwrap();
    let runbook = fs::read_to_string(in_project("docs/OPERATIONS.md")).unwrap();
    let lines: Vec<_> = template.lines().collect();
    let alarms = lines.windows(2).filter(|it| it[1].trim() == "Type: AWS::CloudWatch::Alarm");
    let alarms: BTreeSet<_> = alarms.map(|it| it[0].trim().trim_end_matches(':')).collect();
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    let headings: BTreeSet<_> = headings.filter(|it| it.ends_with("Alarm")).collect();
    assert_eq!(headings, alarms);
}

/// The files of the project that a page names in backticks.
fn named_files(page: &str) -> Vec<&str> {
    let is_file = |it: &&str| {
        let known = ["crates/", "docs/", "examples/", "formation-", "infra/", "tests/", "xtask/"];
        known.iter().any(|start| it.starts_with(start))
            && it.contains('/')
            && !it.contains(['<', '*', '{', ' '])
    };
    page.split('`').skip(1).step_by(2).filter(is_file).collect()
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let mut seen = 0;
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/ARCHITECTURE.md",
        "docs/OPERATIONS.md",
    ] {
        let text = fs::read_to_string(in_project(page)).unwrap();
        for file in named_files(&text) {
            let is_there = in_project(file).exists() || in_project("crates").join(file).exists();
            assert!(is_there, "{page} names {file}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

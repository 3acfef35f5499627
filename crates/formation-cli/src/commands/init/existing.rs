//! `formation init --from NAME --as NEW`: a manifest from a function that exists in AWS.

use std::fs;
use std::path::Path;

use formation_model::FunctionName;
use formation_model::names::LIVE;
use serde_json::{Map, json};

use super::{File, refuse_what_is_in_the_way, schema_beside, write};
use crate::args::{Connection, Init};
use crate::aws::Aws;
use crate::existing::{Existing, Found, find};
use crate::failure::{Failure, chain_of};
use crate::folder::{MOST_BYTES, sha256, unzip};
use crate::manifest::write::block;
use crate::outcome::Outcome;
use crate::output::{Output, bare};

/// Variables that shells and systems set or go by, so that a manifest that takes them would take what was
/// never meant for a function, or change what its user runs.
const OF_SYSTEMS: [&str; 25] = [
    "BASH_ENV",
    "CI",
    "ENV",
    "IFS",
    "NO_COLOR",
    "PS1",
    "RUST_LOG",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "HOME",
    "HOSTNAME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PATH",
    "PWD",
    "PYTHONPATH",
    "SHELL",
    "TZ",
    "USER",
];

/// How the names begin, or end, of variables that steer this command, AWS's tools, the linker and CI.
const STEERING: [&str; 7] =
    ["AWS_", "CLICOLOR", "DYLD_", "FORMATION_", "GITHUB_", "LD_", "ACTIONS_"];

/// Whether a variable has a meaning of its own where the command is run.
fn is_of_systems(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    OF_SYSTEMS.contains(&upper.as_str())
        || STEERING.iter().any(|prefix| upper.starts_with(prefix))
        || upper.ends_with("_PROXY")
}

pub(super) async fn run(
    connection: &Connection,
    asked: &Init,
    from: &FunctionName,
    new: &FunctionName,
    output: &Output,
) -> Result<Outcome, Failure> {
    if from == new {
        let text = format!(
            "--as must be another name: {from} belongs to a function that Formation did not make, so that an apply \
             of it is refused. Callers move to the new function, then the old one is deleted"
        );
        return Err(Failure::Refused(text));
    }
    let folder = asked.file.with_file_name(new.as_str());
    // What is there of the code by then is the user's own.
    let with_code = asked.download.then_some(folder.as_path());
    refuse_what_is_in_the_way([asked.file.as_path()].into_iter().chain(with_code))?;
    let aws = connection.aws().await?;
    let is_taken = |name: &str| is_of_systems(name) || std::env::var_os(name).is_some();
    let found = find(&aws, from, new, &is_taken).await?;
    let text = manifest(from, new, &aws.region, &found.existing);
    if asked.download {
        download(&aws, &found, &folder, output).await?;
    }
    let manifest = File { path: asked.file.clone(), text };
    let files: Vec<_> = [manifest].into_iter().chain(schema_beside(&asked.file)).collect();
    write(&files)?;
    let Existing { arn, variables, notes, .. } = &found.existing;
    for note in notes {
        output.progress(&format!("note: {note}"));
    }
    let result = json!({
        "functionName": new, "from": arn, "file": asked.file, "variables": variables, "notes": notes,
    });
    let shown = asked.file.display().to_string();
    output.show(&result, |_| shown.clone(), |_| vec![shown.clone()])?;
    output.progress(&next(asked, from, new, &found.existing));
    Ok(Outcome::Done)
}

/// The manifest, with what it cannot hold as comments.
fn manifest(from: &FunctionName, new: &FunctionName, region: &str, existing: &Existing) -> String {
    let mut text = format!(
        "# yaml-language-server: $schema=formation.schema.json\n#\n# From the Lambda function {from} in {region}, by \
         `formation init --from {from} --as {new}`.\n"
    );
    if !existing.notes.is_empty() {
        text += "# What is otherwise with the new function, or not known of the old one:\n";
        for note in &existing.notes {
            text += &format!("# - {note}\n");
        }
    }
    let mut fields = Map::from_iter([("code".to_owned(), json!({"folder": new}))]);
    fields.extend(existing.fields.clone());
    let functions = json!({"functions": {new.as_str(): fields}});
    text + "\n" + &block(&functions, 0) + "\n"
}

/// Fetches the code into a folder, whole or not at all.
async fn download(aws: &Aws, found: &Found, folder: &Path, output: &Output) -> Result<(), Failure> {
    let Some(link) = &found.code_location else {
        return Err(Failure::Other("Lambda's answer has no link to the code".to_owned()));
    };
    output.progress(&format!("downloading the code to {}", folder.display()));
    let most = usize::try_from(MOST_BYTES).unwrap_or(usize::MAX);
    let client = aws.client("lambda", std::time::Duration::from_secs(30));
    let client = client.map_err(|error| Failure::other("the code cannot be downloaded", &error))?;
    // The link is a secret, and no error repeats it.
    let archive = client.fetch(link, most).await;
    let archive =
        archive.map_err(|error| Failure::other("the code cannot be downloaded", &error))?;
    if let Some(expected) = &found.code_sha256
        && *expected != sha256(&archive)
    {
        let text = "what was downloaded is not the code that Lambda told of: it has changed meanwhile; try again";
        return Err(Failure::Other(text.to_owned()));
    }
    let parent = folder.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| {
        Failure::other(format!("{} cannot be written", folder.display()), &error)
    };
    fs::create_dir_all(parent).map_err(failed)?;
    // Beside it first: a folder that is there is whole.
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let partial = parent.join(format!(".{name}.{}.partial", std::process::id()));
    let unzipped = unzip(archive, &partial).map_err(|error| {
        Failure::Refused(format!("the code cannot be unzipped: {}", chain_of(&error)))
    });
    // Somebody may have made the folder meanwhile: renaming takes the place of an empty one alone.
    let moved = unzipped.and_then(|()| fs::rename(&partial, folder).map_err(failed));
    if moved.is_err() {
        // What it failed with is what counts.
        let _ = fs::remove_dir_all(&partial);
    }
    moved
}

/// The way from the old function to the new one.
fn next(asked: &Init, from: &FunctionName, new: &FunctionName, existing: &Existing) -> String {
    let mut steps = Vec::new();
    if !asked.download {
        let folder = asked.file.with_file_name(new.as_str());
        steps.push(format!("put the code into {} (--download does that)", folder.display()));
    }
    if !existing.variables.is_empty() {
        let renamed = existing.variables.iter().map(|(name, variable)| match name == variable {
            true => name.clone(),
            false => format!("{variable} ({name} of the function)"),
        });
        steps.push(format!(
            "export {}: `aws lambda get-function-configuration --function-name {from} --query \
             Environment.Variables` shows the values, which no file has",
            renamed.collect::<Vec<_>>().join(", ")
        ));
    }
    let file = match asked.file.as_os_str() == "formation.yaml" {
        true => String::new(),
        false => format!(" --file {}", asked.file.display()),
    };
    steps.push(format!("formation apply{file}"));
    let arn = bare(existing.arn.strip_suffix(from.as_str()).unwrap_or_default());
    steps.push(format!("move the callers to {arn}{new}:{LIVE}"));
    steps.push(format!(
        "once nobody calls {from}: aws lambda delete-function --function-name {from}, then its role and log group"
    ));
    let steps = steps.iter().enumerate().map(|(at, step)| format!("  {}. {step}", at + 1));
    format!("next:\n{}", steps.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::manifest::{Code, Local, Manifest};
    use crate::testing::{Stub, reply};

    fn archive(file: &str) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        archive.start_file(file, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, b"code").unwrap();
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn variables_that_steer_something_are_known() {
        for name in
            ["AWS_ENDPOINT_URL", "FORMATION_STACK", "https_proxy", "LD_PRELOAD", "PATH", "CI"]
        {
            assert!(is_of_systems(name), "{name}");
        }
        for name in ["TABLE", "GREETING", "CITY", "ENVIRONMENT"] {
            assert!(!is_of_systems(name), "{name}");
        }
    }

    #[tokio::test]
    async fn code_comes_whole_or_not_at_all_and_its_link_is_never_told() {
        let good = archive("lib/app.mjs");
        for (link, answer, sha256, told) in [
            (None, reply(200, good.clone()), Some(sha256(&good)), None),
            (None, reply(200, good.clone()), None, None),
            (
                None,
                reply(200, good.clone()),
                Some("other".to_owned()),
                Some("has changed meanwhile"),
            ),
            (None, reply(200, archive("../app.mjs")), None, Some("leads out of the folder")),
            (None, reply(200, "no archive"), None, Some("cannot be unzipped")),
            (
                None,
                reply(403, "<Error><Code>AccessDenied</Code></Error>"),
                None,
                Some("AccessDenied"),
            ),
            (Some("http://192.0.2.1/code"), reply(200, good.clone()), None, Some("is no https")),
            (Some("nonsense"), reply(200, good.clone()), None, Some("cannot be downloaded")),
        ] {
            let stub = Stub::start(move |_| answer.clone());
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join("new");
            let link = link.map_or_else(|| format!("{}/code", stub.url), str::to_owned);
            let code_location = Some(format!("{link}?X-Amz-Signature=s3cr3t"));
            let found = Found { existing: Existing::default(), code_location, code_sha256: sha256 };
            let output = Output::new(crate::output::Format::Name);
            let done = download(&stub.aws(), &found, &folder, &output).await;
            let there = fs::read_dir(parent.path()).unwrap().count();
            match told {
                None => {
                    done.unwrap();
                    assert_eq!(
                        (fs::read(folder.join("lib/app.mjs")).unwrap(), there),
                        (b"code".to_vec(), 1)
                    );
                }
                Some(told) => {
                    let failure = done.unwrap_err().to_string();
                    assert!(failure.contains(told) && !failure.contains("s3cr3t"), "{failure}");
                    assert_eq!(there, 0, "{told}");
                }
            }
            // Whoever has the link needs no credentials, and gets none.
            assert!(stub.asked().iter().all(|asked| !asked.head.contains("authorization")));
        }
    }

    #[test]
    fn the_manifest_is_read_as_what_was_found() {
        let existing = Existing {
            arn: "arn:aws:lambda:eu-west-1:111122223333:function:old".to_owned(),
            fields: json!({
                "runtime": "python3.13", "description": "a: $${X} # b", "tags": {"on": "yes"},
                "environment": {"TABLE": "${NEW_TABLE}"},
                "policyStatements": [{"actions": ["s3:*"], "resources": ["*"], "conditions": {"Bool": {"a:b": true}}}],
            })
            .as_object()
            .unwrap()
            .clone(),
            variables: [("TABLE".to_owned(), "NEW_TABLE".to_owned())].into(),
            notes: vec!["VPC: none".to_owned(), "functions: {evil: 1}".to_owned()],
        };
        let (old, new) = ("old".parse().unwrap(), "true".parse().unwrap());
        let text = manifest(&old, &new, "eu-west-1", &existing);
        assert!(text.contains("# - VPC: none\n"), "{text}");
        let manifest = Manifest::read("formation.yaml", &text, None).unwrap();
        let lookup = |name: &str| (name == "NEW_TABLE").then(|| "t".to_owned());
        let wanted = manifest.functions(&[], &lookup).unwrap().remove(0);
        assert_eq!(
            (wanted.name.as_str(), wanted.code),
            ("true", Code::Folder(Local { path: "true".to_owned(), build: None }))
        );
        let expected = json!({
            "runtime": "python3.13", "description": "a: ${X} # b", "tags": {"on": "yes"}, "environment": {"TABLE": "t"},
            "policyStatements": [{"actions": ["s3:*"], "resources": ["*"], "conditions": {"Bool": {"a:b": true}}}],
        });
        assert_eq!(Value::Object(wanted.fields), expected);
    }
}

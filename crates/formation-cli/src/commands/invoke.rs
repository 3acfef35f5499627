//! `formation invoke`

use std::fs::File;
use std::io::{self, Read};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use formation_client::Answer;
use formation_model::Function;
use http::StatusCode;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::args::Invoke;
use crate::connect::Connected;
use crate::failure::{Failure, chain_of};
use crate::invoking::{LARGEST, LARGEST_ASYNCHRONOUS, checked, refusal, send};
use crate::logs::lines_of_tail;
use crate::outcome::Outcome;
use crate::output::{Format, Output};

pub(super) async fn run(
    connected: &Connected,
    asked: &Invoke,
    output: &Output,
) -> Result<Outcome, Failure> {
    if output.format == Format::Name {
        let text = "an answer has no name: use -o table, json or yaml";
        return Err(Failure::Usage(text.to_owned()));
    }
    let largest = if asked.asynchronous { LARGEST_ASYNCHRONOUS } else { LARGEST };
    let payload = asked.data.as_deref().map(|data| payload(data, largest)).transpose()?;
    let function = connected.client.describe(&asked.name).await?.function;
    let answer = send(connected, &function, payload, asked.asynchronous).await?;
    match answer.status {
        StatusCode::OK => answered(&function, &answer, output),
        StatusCode::ACCEPTED => accepted(&function, output),
        _ => Err(refusal(connected, &function, &answer)),
    }
}

/// What `--data` means, if Lambda would take it. Nothing of it is ever told.
fn payload(data: &str, largest: u64) -> Result<Vec<u8>, Failure> {
    let refused = |text: String| Failure::Refused(text);
    let all = |source: &mut dyn Read, what: &str| {
        let mut bytes = Vec::new();
        // One byte more tells that there is too much.
        let read = source.take(largest + 1).read_to_end(&mut bytes);
        let unread = |error| refused(format!("{what} cannot be read: {}", chain_of(&error)));
        read.map(|_| bytes).map_err(unread)
    };
    let bytes = if data == "-" {
        all(&mut io::stdin().lock(), "standard input")?
    } else if let Some(path) = data.strip_prefix('@') {
        let mut file = File::open(path)
            .map_err(|error| refused(format!("{path} cannot be read: {}", chain_of(&error))))?;
        all(&mut file, path)?
    } else {
        data.as_bytes().to_vec()
    };
    checked(bytes, largest)
}

fn accepted(function: &Function, output: &Output) -> Result<Outcome, Failure> {
    let name = &function.spec.function_name;
    output.progress(&format!("Lambda runs {name} soon: `formation logs {name} --follow` shows it"));
    let document = json!({"statusCode": StatusCode::ACCEPTED.as_u16()});
    output.show(&document, |_| String::new(), |_| Vec::new())?;
    Ok(Outcome::Done)
}

/// Shows what the function answered.
fn answered(function: &Function, answer: &Answer, output: &Output) -> Result<Outcome, Failure> {
    let name = &function.spec.function_name;
    let tail = answer.header("x-amz-log-result").and_then(|log| BASE64_STANDARD.decode(log).ok());
    let tail = tail.map(|log| String::from_utf8_lossy(&log).into_owned());
    let error = answer.header("x-amz-function-error");
    if output.format == Format::Table {
        for line in lines_of_tail(tail.as_deref().unwrap_or_default()) {
            output.progress(&line);
        }
        output.raw(&answer.body)?;
    } else {
        let mut document = json!({
            "statusCode": answer.status.as_u16(),
            "executedVersion": answer.header("x-amz-executed-version"),
            "logTail": tail,
        });
        if let Some(error) = error {
            document["functionError"] = error.into();
        }
        whole(document, &answer.body, output)?;
    }
    let Some(kind) = error else { return Ok(Outcome::Done) };
    let told = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    let told: Vec<_> =
        ["errorType", "errorMessage"].into_iter().filter_map(|it| told[it].as_str()).collect();
    let told = if told.is_empty() { kind.to_owned() } else { told.join(": ") };
    output.progress(&format!("error: {name} failed: {told}"));
    Ok(Outcome::Failed)
}

/// Shows the answer as one document, with the payload as it came: numbers of any size.
fn whole(mut document: Value, payload: &[u8], output: &Output) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(payload);
    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
    if output.format == Format::Json && is_json {
        let fields = document.to_string();
        let fields = fields.strip_suffix('}').unwrap_or(&fields);
        return output.raw(format!("{fields},\"payload\":{text}}}").as_bytes());
    }
    document["payload"] = match serde_json::from_str(&text) {
        Ok(payload) => payload,
        Err(_) => Value::from(text),
    };
    output.show(&document, |_| String::new(), |_| Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_would_not_take_is_refused_with_its_place_and_without_a_word_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            format!("@{}", path.display())
        };
        assert_eq!(payload("{\"a\": [1]}", LARGEST).unwrap(), b"{\"a\": [1]}");
        assert_eq!(payload(&file("good", b"[\n1]"), LARGEST).unwrap(), b"[\n1]");
        // Deeper than most parsers go.
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(payload(&deep, LARGEST).is_ok());
        let long = format!("\"{}\"", "x".repeat(98));
        assert!(payload(&long, 100).is_ok());
        for (given, told) in [
            (String::new(), "line 1 column 0"),
            ("s3cr3t".to_owned(), "line 1 column 1"),
            ("{\"a\": 1,\n \"b\": s3cr3t}".to_owned(), "line 2 column 7"),
            ("{} s3cr3t".to_owned(), "line 1 column 4"),
            (file("bytes", b"\"s3cr3t\xff\""), "byte 8"),
            (file("long", &[b' '; 7 * 1024 * 1024]), "6291456 bytes"),
            (format!("@{}", folder.path().join("none").display()), "none cannot be read"),
        ] {
            let failure = payload(&given, LARGEST).unwrap_err();
            assert_eq!(failure.outcome().code(), 4);
            assert!(failure.to_string().contains(told), "{failure}");
            assert!(!failure.to_string().contains("s3cr3t"), "{failure}");
        }
        let failure = payload(&file("long", &[b' '; 2 * 1024 * 1024]), LARGEST_ASYNCHRONOUS);
        assert!(
            failure
                .unwrap_err()
                .to_string()
                .contains("1048576 bytes, which is Lambda's limit with --async")
        );
    }
}

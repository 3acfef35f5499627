//! The code of a function: where it comes from, and whether Lambda can unzip it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::FunctionSpec;
use super::configuration::ROW;
use super::property::Property;
use super::reader::{Defaults, Purpose, Reader};
use crate::archive;
use crate::bundle::{self, CodeSummary, MAX_ZIP_BYTES};
use crate::fields::Fields;
use crate::id;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::runtime;
use crate::upload::UploadId;
use crate::warning::{self, Warning};

/// Where a function's code is to come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CodeSource {
    /// What the function has already.
    Unchanged,
    /// Other code of which only this is known: enough for a plan, and for nothing else. Its size is 0
    /// where it is not known; a plan leaves that out.
    Digest(CodeSummary),
    /// A zip archive from the request, or made from the source in it.
    Archive(Archive),
    /// An object in S3, to be copied when the request is accepted.
    S3(S3Object),
    /// An archive that the caller has uploaded, to be copied when the request is accepted.
    Upload(UploadId),
}

/// A zip archive that Lambda can unzip.
#[derive(Clone, Eq, PartialEq)]
pub struct Archive {
    /// The archive.
    pub bytes: Vec<u8>,
    /// Whether it was made from inline source.
    pub inline: bool,
    /// What its function will miss in it.
    pub warnings: Vec<Warning>,
}

impl std::fmt::Debug for Archive {
    /// Shows everything but the code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bytes, inline, warnings } = self;
        f.debug_struct("Archive")
            .field("bytes", &bytes.len())
            .field("inline", inline)
            .field("warnings", warnings)
            .finish()
    }
}

/// A zip archive in the user's own bucket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct S3Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version; the newest if none is given.
    pub version: Option<String>,
}

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "code",
    facets: &[Facet::Code],
    schema,
    example: || json!("export const main = async () => 'hello';"),
    read: |it| {
        let code = read(it);
        it.draft.code = code;
    },
    ..ROW
}];

fn schema() -> Value {
    let file = json!({"type": "string", "minLength": 1, "description": "Inline source of Node.js or Python: it becomes index.mjs or index.py."});
    let zip_file = json!({
        "type": "object", "required": ["zipFile"], "additionalProperties": false,
        "properties": {"zipFile": {"type": "string", "contentEncoding": "base64", "description": "A zip archive of at most 3 MB."}}
    });
    let upload = json!({
        "type": "object", "required": ["uploadId"], "additionalProperties": false,
        "description": "A zip archive of up to 250 MB that the same caller has uploaded within the last 24 hours: see POST /v1/uploads. Not by event, which has no verified caller.",
        "properties": {"uploadId": {"type": "string", "pattern": id::PATTERN}}
    });
    let s3 = json!({
        "type": "object", "required": ["s3Bucket", "s3Key"], "additionalProperties": false,
        "description": "A zip archive in one of the buckets that the stack's parameter CodeBuckets names.",
        "properties": {
            "s3Bucket": {"type": "string", "minLength": 3, "maxLength": 63},
            "s3Key": {"type": "string", "minLength": 1, "maxLength": 1024},
            "s3ObjectVersion": {"type": "string", "minLength": 1, "maxLength": 1024}
        }
    });
    let unchanged = json!({
        "type": "object", "required": ["sha256"], "additionalProperties": false,
        "description": "The code that the function has: what GET shows. In a plan of many functions also other code.",
        "properties": {"sha256": {"type": "string"}, "sizeBytes": {}, "inline": {}}
    });
    json!({"anyOf": [file, zip_file, upload, s3, unchanged]})
}

/// What starts the code; none of what was found to be wrong already.
#[derive(Clone, Copy)]
struct Start<'a> {
    runtime: Option<&'a str>,
    handler: Option<&'a str>,
}

fn read(it: &mut Reader<'_>) -> Option<CodeSource> {
    let Reader { fields, defaults, current, draft, purpose, .. } = it;
    if *purpose == Purpose::Plan
        && let Some(other) = other_code(fields.body, *current)
    {
        fields.take("code");
        return Some(CodeSource::Digest(other));
    }
    let start = Start {
        runtime: (!fields.has_problem_at("/runtime"))
            .then_some(draft.configuration.runtime.as_str()),
        handler: (!fields.has_problem_at("/handler"))
            .then_some(draft.configuration.handler.as_str()),
    };
    read_from(fields, start, defaults, *current)
}

fn read_from(
    fields: &mut Fields<'_>,
    start: Start<'_>,
    defaults: &Defaults,
    current: Option<&FunctionSpec>,
) -> Option<CodeSource> {
    match fields.take("code") {
        None => {
            let detail = format!("must be given: {}", forms(defaults));
            fields.refuse("/code", Code::Required, detail)
        }
        Some(Value::String(source)) => inline(fields, source, start, defaults),
        Some(Value::Object(object)) => {
            let source = object_form(fields, object, start, defaults, current)?;
            if let (CodeSource::Unchanged, Some(current)) = (&source, current) {
                keep_inline_runnable(fields, start, current);
            }
            Some(source)
        }
        Some(_) => {
            let detail = format!("must be {}", forms(defaults));
            fields.refuse("/code", Code::WrongType, detail)
        }
    }
}

/// What code can be given as, for an error's text.
fn forms(defaults: &Defaults) -> &'static str {
    if defaults.code_buckets {
        "inline source (a string), {\"zipFile\"}, {\"uploadId\"} or {\"s3Bucket\", \"s3Key\"}"
    } else {
        "inline source (a string), {\"zipFile\"} or {\"uploadId\"}"
    }
}

fn inline(
    fields: &mut Fields<'_>,
    source: &str,
    start: Start<'_>,
    defaults: &Defaults,
) -> Option<CodeSource> {
    if source.is_empty() {
        return fields.refuse("/code", Code::OutOfRange, "must not be empty");
    }
    let runtime = start.runtime?;
    let Some(file_name) = inline_file(runtime) else {
        let detail = format!(
            "source can be given inline for Node.js and Python only, not for {runtime}; send a zip archive"
        );
        return fields.refuse("/code", Code::NotSupported, detail);
    };
    if start.handler.is_some_and(|handler| !is_inline_handler(handler)) {
        let detail = format!("inline source becomes {file_name}, {INLINE_HANDLER}");
        return fields.refuse("/handler", Code::Conflict, detail);
    }
    match bundle::from_source(file_name, source) {
        Ok(bytes) if bytes.len() <= MAX_ZIP_BYTES => {
            let warnings = warning::of_source(file_name, source).into_iter().collect();
            Some(CodeSource::Archive(Archive { bytes, inline: true, warnings }))
        }
        _ => fields.refuse("/code", Code::OutOfRange, too_large(defaults)),
    }
}

const INLINE_HANDLER: &str =
    "so its handler must be \"index.\" and the name of one of its functions";

fn inline_file(runtime: &str) -> Option<&'static str> {
    runtime::find(runtime).and_then(|found| found.inline_file.as_deref())
}

/// Whether a handler names a function of the one file that inline source becomes.
fn is_inline_handler(handler: &str) -> bool {
    let Some(function) = handler.strip_prefix("index.") else { return false };
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    !function.is_empty()
        && !function.starts_with(|c: char| c.is_numeric())
        && function.chars().all(inside)
}

/// Source that was given inline stays in its file: a change of runtime or handler that does not
/// change the code must leave it something to run. What was recorded so before is not in question.
fn keep_inline_runnable(fields: &mut Fields<'_>, start: Start<'_>, current: &FunctionSpec) {
    let Some(file_name) =
        inline_file(&current.configuration.runtime).filter(|_| current.code.inline)
    else {
        return;
    };
    if let Some(runtime) = start.runtime
        && inline_file(runtime) != Some(file_name)
    {
        let detail = format!(
            "{runtime} cannot run the function's inline source, which is {file_name}; send the code \
             for it, too"
        );
        fields.note("/runtime", Code::Conflict, detail);
    }
    if let Some(handler) = start.handler
        && handler != current.configuration.handler
        && !is_inline_handler(handler)
    {
        let detail = format!("the function's inline source is {file_name}, {INLINE_HANDLER}");
        fields.note("/handler", Code::Conflict, detail);
    }
}

fn object_form(
    fields: &mut Fields<'_>,
    object: &Map<String, Value>,
    start: Start<'_>,
    defaults: &Defaults,
    current: Option<&FunctionSpec>,
) -> Option<CodeSource> {
    let given = |name: &str| object.keys().find(|key| key.as_str() == name);
    let (zip_field, upload_field) = (given("zipFile"), given("uploadId"));
    let s3_field = object.keys().find(|key| key.starts_with("s3"));
    let mut given = [zip_field, upload_field, s3_field].into_iter().flatten();
    if let (Some(one), Some(other)) = (given.next(), given.next()) {
        let other = archive::shown(other);
        let detail = format!("holds both `{one}` and `{other}`; give either, not both");
        return fields.refuse("/code", Code::Conflict, detail);
    }
    fields.inner("/code", object, |inner| {
        if zip_field.is_some() {
            zip_file(inner, start, defaults)
        } else if upload_field.is_some() {
            upload(inner)
        } else if s3_field.is_some() {
            s3_object(inner)
        } else if object.contains_key("sha256") {
            unchanged(inner, current)
        } else {
            inner.refuse("", Code::Required, format!("must be {}", forms(defaults)))
        }
    })
}

/// The code as GET shows it.
fn unchanged(fields: &mut Fields<'_>, current: Option<&FunctionSpec>) -> Option<CodeSource> {
    fields.known.extend(["sizeBytes", "inline"]);
    let digest = fields.required_text("sha256")?;
    match current {
        Some(current) if current.code.sha256 == digest => Some(CodeSource::Unchanged),
        Some(_) => {
            let detail = "is not the digest of the function's code; send the code itself";
            fields.refuse("/sha256", Code::Conflict, detail)
        }
        None => {
            let detail = "a digest names only code that a function has; send the code itself";
            fields.refuse("", Code::Required, detail)
        }
    }
}

/// Code that is named by its digest and that the function does not have, as a plan takes it.
fn other_code(body: &Map<String, Value>, current: Option<&FunctionSpec>) -> Option<CodeSummary> {
    let code = body.get("code")?.as_object()?;
    let known = |key: &String| ["sha256", "sizeBytes", "inline"].contains(&key.as_str());
    let sha256 = code.get("sha256")?.as_str().filter(|it| bundle::is_sha256(it))?;
    let is_other = current.is_none_or(|current| current.code.sha256 != sha256);
    (is_other && code.keys().all(known)).then(|| CodeSummary {
        sha256: sha256.to_owned(),
        size_bytes: code.get("sizeBytes").and_then(Value::as_u64).unwrap_or_default(),
        inline: code.get("inline").and_then(Value::as_bool).unwrap_or_default(),
    })
}

fn zip_file(fields: &mut Fields<'_>, start: Start<'_>, defaults: &Defaults) -> Option<CodeSource> {
    let at = "/zipFile";
    let text = fields.required_text("zipFile")?;
    let bytes = match STANDARD.decode(text) {
        Ok(bytes) => bytes,
        Err(error) => return fields.refuse(at, Code::InvalidFormat, not_base64(text, &error)),
    };
    if bytes.len() > MAX_ZIP_BYTES {
        return fields.refuse(at, Code::OutOfRange, too_large(defaults));
    }
    let contents = match archive::judge(&bytes) {
        Ok(contents) => contents,
        Err(error) => return fields.refuse(at, error.code(), error.to_string()),
    };
    let warnings = match start {
        Start { runtime: Some(runtime), handler: Some(handler) } => {
            contents.warnings(runtime, handler, "/code/zipFile")
        }
        // The request is refused anyway.
        _ => Vec::new(),
    };
    Some(CodeSource::Archive(Archive { bytes, inline: false, warnings }))
}

/// What is wrong with a text that is not base64, by what people send most.
fn not_base64(text: &str, error: &base64::DecodeError) -> String {
    let told = if text.starts_with("data:") {
        "leave out the prefix of the data URL, up to its comma"
    } else if text.contains(|c: char| c.is_ascii_whitespace()) {
        "it is broken into lines or holds spaces; send it as one line (`base64 -w0`)"
    } else if text.contains(['-', '_']) {
        "it is written in the alphabet for URLs; use `+` and `/`"
    } else if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)) {
        "its padding is missing or it was cut: its length must be a multiple of four, filled with `=`"
    } else {
        return format!("must be base64 (RFC 4648, section 4): {error}");
    };
    format!("must be base64 (RFC 4648, section 4): {told}")
}

fn upload(fields: &mut Fields<'_>) -> Option<CodeSource> {
    match fields.required_text("uploadId")?.parse::<UploadId>() {
        Ok(id) => Some(CodeSource::Upload(id)),
        Err(invalid) => fields.refuse("/uploadId", Code::InvalidFormat, invalid.to_string()),
    }
}

fn s3_object(fields: &mut Fields<'_>) -> Option<CodeSource> {
    let bucket = fields.required_text("s3Bucket");
    let key = fields.required_text("s3Key");
    let version = match fields.take("s3ObjectVersion") {
        None => Some(None),
        Some(Value::String(version)) if (1..=1024).contains(&version.len()) => {
            Some(Some(version.clone()))
        }
        Some(_) => fields.refuse(
            "/s3ObjectVersion",
            Code::WrongType,
            "must be a string of 1 to 1024 characters",
        ),
    };
    let (bucket, key) = (bucket?, key?);
    if !(3..=63).contains(&bucket.len()) {
        return fields.refuse("/s3Bucket", Code::InvalidFormat, "must have 3 to 63 characters");
    }
    if !(1..=1024).contains(&key.len()) {
        return fields.refuse("/s3Key", Code::InvalidFormat, "must have 1 to 1024 characters");
    }
    Some(CodeSource::S3(S3Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: version?,
    }))
}

fn too_large(defaults: &Defaults) -> String {
    let told = format!(
        "the zip archive must not be larger than {MAX_ZIP_BYTES} bytes (3 MB) in a request; upload a \
         larger one (POST /v1/uploads) and name it with uploadId"
    );
    if defaults.code_buckets {
        format!("{told}, or put it into S3 and name it with s3Bucket and s3Key")
    } else {
        told
    }
}

#[cfg(test)]
mod tests;

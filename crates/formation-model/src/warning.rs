//! Warnings: what is accepted and will probably not do what was meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::open::Open;

/// Something about a request that is accepted, and that its sender should know.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What it is about: a JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What it is, for programs.
    pub code: Open<WarningCode>,
    /// What it is and what to do about it, for people.
    pub detail: String,
}

/// What a warning is about. [`crate::FieldProblemCode`] is the same for what is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WarningCode {
    /// The archive has no file in which Lambda would look for the handler.
    HandlerNotFound,
    /// The runtime starts a file `bootstrap`, and the archive has none.
    BootstrapMissing,
    /// `bootstrap` is not marked as executable.
    BootstrapNotExecutable,
    /// A name in the archive has a backslash, which separates no folders on Linux.
    BackslashInName,
    /// Source in CommonJS becomes an ES module.
    CommonjsInModule,
    /// No concurrency is left to the function, so that Lambda refuses to invoke it.
    FunctionStopped,
    /// The function's address goes, and one that is made later is another.
    AddressLost,
    /// A stream is read no more, or from the start: where reading had come to is forgotten.
    PositionLost,
    /// A source is another one now: the one goes, the other is made.
    SourceReplaced,
}

impl Warning {
    pub(crate) fn new(pointer: &str, code: WarningCode, detail: String) -> Self {
        Self { pointer: pointer.to_owned(), code: code.into(), detail }
    }
}

/// What is wrong with source that becomes `file_name`, an ES module if it ends in `.mjs`.
pub(crate) fn of_source(file_name: &str, source: &str) -> Option<Warning> {
    let is_commonjs =
        follows(source, "exports", |next| next.trim_start().starts_with(['.', '[', '=']))
            || follows(source, "require", |next| next.starts_with('('));
    let is_module = follows(source, "export", |next| {
        next.starts_with(|c: char| c.is_whitespace() || "{*".contains(c))
    }) || follows(source, "import", |next| {
        next.starts_with(|c: char| c.is_whitespace() || "{*'\"".contains(c))
    });
    (file_name.ends_with(".mjs") && is_commonjs && !is_module).then(|| {
        let detail = format!(
            "the source becomes {file_name}, an ES module, in which neither `exports` nor `require` \
             is known; write `export const handler = ...` and `import`, or send a zip archive with \
             index.cjs"
        );
        Warning::new("/code", WarningCode::CommonjsInModule, detail)
    })
}

/// Whether `word`, as a whole word, is followed somewhere by what `fits`.
fn follows(source: &str, word: &str, fits: impl Fn(&str) -> bool) -> bool {
    source.match_indices(word).any(|(at, _)| {
        let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        !source[..at].ends_with(inside) && fits(&source[at + word.len()..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(warnings: &[Warning]) -> Vec<(&str, WarningCode)> {
        warnings.iter().map(|it| (it.pointer.as_str(), *it.code.known().unwrap())).collect()
    }

    #[test]
    fn commonjs_that_becomes_an_es_module_is_warned_of() {
        for source in [
            "exports.handler = async () => 1;",
            "module.exports = { handler: () => 1 };",
            "exports['handler'] = () => 1",
            "const fs = require('fs'); // exports nothing",
        ] {
            let found = of_source("index.mjs", source).unwrap();
            assert_eq!(codes(&[found]), [("/code", WarningCode::CommonjsInModule)], "{source}");
            assert_eq!(of_source("index.py", source), None);
        }
        for source in [
            "export const handler = async () => 1;",
            "const a=1;export{a as handler}",
            "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\nrequire('x');\nexport const handler = 1",
            "import'x';exports.handler = 1",
            "globalThis.x = 1 // the team's exports and required things",
        ] {
            assert_eq!(of_source("index.mjs", source), None, "{source}");
        }
    }
}

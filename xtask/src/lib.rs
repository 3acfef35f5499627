//! Those files of `docs/` that follow from other files, and how they are written.

mod diagram;
#[cfg(test)]
mod workspace;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use formation_model::ProblemCode;
use serde_json::Value;

/// A file that follows from others.
#[derive(Debug)]
struct Page {
    /// Within the project's folder.
    path: String,
    text: String,
}

impl Page {
    fn new(path: impl Into<String>, text: String) -> Self {
        Self { path: path.into(), text }
    }

    /// A document, as people read it.
    fn json(path: impl Into<String>, document: &Value) -> Self {
        Self::new(path, format!("{document:#}\n"))
    }
}

/// Where the API of no stack in particular is: relative to where its description was found.
const SERVER: &str = "/";

/// All of them.
///
/// # Errors
/// What reading `statemachine.asl.json` came to.
fn pages() -> io::Result<Vec<Page>> {
    let definition = fs::read(in_project("statemachine.asl.json"))?;
    let definition = serde_json::from_slice(&definition)?;
    let mut pages = vec![
        Page::new("docs/state-machine.md", diagram::state_machine_page(&definition)),
        Page::new("docs/problems.md", problems_page()),
        Page::json("docs/openapi.json", &formation_api::openapi::document(SERVER)),
        Page::json("docs/formation.schema.json", &formation_cli::manifest::schema::schema()),
    ];
    let events = formation_model::schema::events().into_iter();
    pages.extend(events.map(|(file, schema)| Page::json(format!("docs/events/{file}"), &schema)));
    Ok(pages)
}

/// Writes them.
///
/// # Errors
/// Which file cannot be read or written, and why.
pub fn write_docs() -> io::Result<()> {
    for Page { path, text } in pages()? {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
        fs::write(in_project(&path), text).map_err(named)?;
    }
    Ok(())
}

/// A file of the project that this program was built from.
fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The page of problems: every code that an answer of the API, an operation or an announcement may
/// carry.
fn problems_page() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         Written by `make docs`; a test compares it with the code. Errors of the HTTP API are \
         `application/problem+json`\n(RFC 9457); `code` is stable, the text beside it is not. The \
         same codes stand in an operation's `error.code`\nand in the `problem` of a request by event \
         that was rejected. Of what is wrong with a function, `errors`\nhas the first hundred things, \
         and `errorCount` says how many there are.\n\n\
         | code | HTTP status | title | what to do |\n|---|---|---|---|\n",
    );
    for code in ProblemCode::ALL {
        let name = serde_json::to_value(code).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{name}` | {} | {} | {} |",
            code.status(),
            code.title(),
            code.remedy()
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_what_would_be_written() {
        for Page { path, text } in pages().unwrap() {
            let committed = fs::read_to_string(in_project(&path)).unwrap_or_default();
            assert!(committed == text, "{path} is not current: run `make docs`");
        }
    }

    #[test]
    fn no_other_schema_is_there() {
        let written: Vec<_> = pages().unwrap().into_iter().map(|page| page.path).collect();
        for file in fs::read_dir(in_project("docs/events")).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(written.contains(&format!("docs/events/{name}")), "nothing writes {name}");
        }
    }
}

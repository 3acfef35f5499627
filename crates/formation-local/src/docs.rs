//! Pages of `docs/` that follow from other files.

use std::fmt::Write;

use formation_model::ProblemCode;

use crate::diagram::state_machine_page;
use crate::error::LocalError;
use crate::project::Project;

/// Writes them. Tests compare them with what they follow from.
///
/// # Errors
/// [`LocalError::File`].
pub fn write(project: &Project) -> Result<(), LocalError> {
    let write = |file: &str, text: String| {
        let path = project.path("docs").join(file);
        std::fs::write(&path, text).map_err(LocalError::file(&path))
    };
    let path = project.path("statemachine.asl.json");
    let text = std::fs::read(&path).map_err(LocalError::file(&path))?;
    write("state-machine.md", state_machine_page(&serde_json::from_slice(&text)?))?;
    write("problems.md", problems_page())?;
    for (file, schema) in formation_model::schema::events() {
        write(&format!("events/{file}"), serde_json::to_string_pretty(&schema)? + "\n")?;
    }
    Ok(())
}

/// The page of problems: every code that an answer of the API, an operation or an announcement may
/// carry.
pub fn problems_page() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         Written by `make docs`; a test compares it with the code. Errors of the HTTP API are \
         `application/problem+json`\n(RFC 9457); `code` is stable, the text beside it is not. The \
         same codes stand in an operation's `error.code`\nand in the `problem` of a request by event \
         that was rejected. Of what is wrong with a function, `errors`\nhas the first hundred things, \
         and `errorCount` says how many there are.\n\n\
         | code | HTTP status | title |\n|---|---|---|\n",
    );
    for code in ProblemCode::ALL {
        let name = serde_json::to_value(code).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{name}` | {} | {} |", code.status(), code.title());
    }
    page
}

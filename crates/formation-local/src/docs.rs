//! Pages of `docs/` that follow from other files.

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
    for (file, schema) in formation_model::schema::events() {
        write(&format!("events/{file}"), serde_json::to_string_pretty(&schema)? + "\n")?;
    }
    Ok(())
}

//! Files in YAML, read by a reader that is not the product's.

use std::path::Path;
use std::process::Command;

use formation_local::Project;
use serde_json::Value;

/// A file in YAML 1.1, where `on` is true.
///
/// # Panics
/// It is not there, or is no YAML.
#[expect(clippy::unwrap_used, reason = "this is for tests")]
pub fn read(path: &Path) -> Value {
    let python = Project::find().unwrap().tool("python3").unwrap();
    let program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let read = Command::new(python).args(["-c", program]).arg(path).output().unwrap();
    assert!(read.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

//! The runtimes that a function may have, kept as data in `runtimes.json`.
//!
//! AWS slides the dates, and its SDK's enum lists history rather than what can be created, so the
//! list is ours to keep. Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>.

use std::sync::LazyLock;

use serde::Deserialize;

/// The runtime of a function that names none.
pub const DEFAULT_RUNTIME: &str = "nodejs24.x";
/// The handler of a function that names none.
pub const DEFAULT_HANDLER: &str = "index.handler";

/// A runtime identifier of Lambda and what may be done with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Runtime {
    /// Lambda's identifier, for example `python3.14`.
    pub name: String,
    /// Whether functions may be created with it.
    pub status: RuntimeStatus,
    /// The day (ISO 8601) on which AWS ends or ended its support.
    pub deprecation: Option<String>,
    /// What to use instead of a deprecated one.
    pub successor: Option<String>,
    /// The file that inline source becomes; none where source cannot be given inline.
    pub inline_file: Option<String>,
}

/// Whether functions may be created with a runtime.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RuntimeStatus {
    /// AWS maintains it.
    Supported,
    /// AWS offers it for trial only.
    Preview,
    /// AWS has ended its support.
    Deprecated,
}

/// Every runtime that Formation knows of.
pub fn all() -> &'static [Runtime] {
    static ALL: LazyLock<Vec<Runtime>> =
        LazyLock::new(|| serde_json::from_str(include_str!("runtimes.json")).unwrap_or_default());
    &ALL
}

/// The runtime of that name.
pub fn find(name: &str) -> Option<&'static Runtime> {
    all().iter().find(|runtime| runtime.name == name)
}

/// The names of the runtimes that can be chosen.
pub fn supported_names() -> Vec<&'static str> {
    let supported = all().iter().filter(|runtime| runtime.status == RuntimeStatus::Supported);
    supported.map(|runtime| runtime.name.as_str()).collect()
}

/// The same, for an error's text.
pub fn supported() -> String {
    supported_names().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_can_be_read_and_holds_the_default() {
        let default = find(DEFAULT_RUNTIME).unwrap();
        assert_eq!(default.status, RuntimeStatus::Supported);
        assert_eq!(default.inline_file.as_deref(), Some("index.mjs"));
    }

    #[test]
    fn a_deprecated_runtime_names_its_date_and_a_supported_successor() {
        for runtime in all().iter().filter(|runtime| runtime.status == RuntimeStatus::Deprecated) {
            assert!(runtime.deprecation.is_some(), "{}", runtime.name);
            let successor = runtime.successor.as_deref().and_then(find).unwrap();
            assert_eq!(successor.status, RuntimeStatus::Supported, "{}", runtime.name);
        }
    }

    #[test]
    fn inline_source_of_a_runtime_keeps_its_file_when_the_runtime_is_deprecated() {
        let file_of = |name| find(name).and_then(|runtime| runtime.inline_file.as_deref());
        assert_eq!(file_of("nodejs20.x"), Some("index.mjs"));
        assert_eq!(file_of("python3.10"), Some("index.py"));
    }

    #[test]
    fn every_name_is_listed_once() {
        let names: BTreeSet<_> = all().iter().map(|runtime| &runtime.name).collect();
        assert_eq!(names.len(), all().len());
    }
}

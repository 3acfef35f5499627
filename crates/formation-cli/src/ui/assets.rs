//! What pages need besides their own text, all of it compiled in.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

use super::App;
use super::trouble::Trouble;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and content of each.
const ALL: [(&str, &str, &[u8]); 5] = [
    ("ui.css", "text/css; charset=utf-8", include_bytes!("assets/ui.css")),
    ("ui.js", SCRIPT, include_bytes!("assets/ui.js")),
    ("htmx.min.js", SCRIPT, include_bytes!("assets/htmx.min.js")),
    ("hx-sse.min.js", SCRIPT, include_bytes!("assets/hx-sse.min.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
];

/// Where they are: a path without its last slash.
pub fn folder(app: &App) -> String {
    format!("{}/assets/{}", app.base(), version())
}

/// Part of every asset's path, and another whenever one of them is: so browsers may keep them.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut digest = Sha256::new();
        for (_, _, content) in ALL {
            digest.update(content);
        }
        BASE64_URL_SAFE_NO_PAD.encode(&digest.finalize()[..9])
    });
    &VERSION
}

pub(super) async fn asset(Path((found, name)): Path<(String, String)>) -> Response {
    let asset = ALL.into_iter().find(|(known, ..)| found == version() && *known == name);
    let Some((_, kind, content)) = asset else { return Trouble::not_found().into_response() };
    // Below a path that is another each time the command starts: no other server of this port has put it there.
    let kept = "private, max-age=31536000, immutable";
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, kept)], content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of what was taken from elsewhere.
    const ORIGIN: &str = include_str!("assets/README.md");

    #[test]
    fn what_is_vendored_is_as_it_was_published() {
        for (name, _, content) in ALL.into_iter().filter(|(name, ..)| name.ends_with(".min.js")) {
            let digest = Sha256::digest(content);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = ORIGIN.lines().find(|line| line.contains(name)).unwrap_or_default();
            assert!(line.contains(&digest), "{name} has SHA-256 {digest}");
        }
        assert!(include_str!("assets/LICENSE-htmx.txt").starts_with("Zero-Clause BSD"));
    }

    #[test]
    fn assets_are_small() {
        let sum: usize = ALL.iter().map(|(_, _, content)| content.len()).sum();
        assert!(sum < 80 * 1024, "{sum} bytes");
    }
}

//! What is asked of every request before a page sees it, and told of every answer.
//!
//! The page acts with the user's own credentials, and every program on the machine and every site in the
//! browser can reach a port of 127.0.0.1. So a request must name this very server (a name that was made to
//! lead here is another), come from its own pages, and belong to the session; a change must besides carry
//! what only these pages know.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::App;
use super::trouble::{Asker, Trouble};

/// The largest form: a payload of 6 MB, each byte of which may be three characters.
const LARGEST_FORM: usize = 19 * 1024 * 1024;
/// The field of every form that tells that it is one of this session's pages.
pub const CSRF: &str = "csrf";
/// The browser's own word on where a request comes from.
/// Source: <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Whether somebody has gone to a page.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// What htmx sends with each request of its own.
pub const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");
/// Nothing but what this server has: no inline script or style, no frame around it, no other base.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Refuses what does not name this server, and tells browsers what they may do with an answer.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asker = asker(&request, app.base());
    let mut answer = match is_meant(&request, app.host()) {
        true => next.run(request).await,
        false => Trouble::forbidden(
            "This address is not the page's own",
            format!("It is served at http://{} alone.", app.host()),
        )
        .into_response(),
    };
    let status = answer.status();
    if let Some(trouble) = answer.extensions_mut().remove::<Trouble>() {
        answer = trouble.shown(&app, asker);
    } else if status.is_client_error() {
        // What could not be read of a path or of a query.
        answer = Trouble::new(status, "This cannot be asked for", "").shown(&app, asker);
    }
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is shown of functions is nobody's to keep.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// Who has sent a request, as it says: only how it is answered depends on it.
fn asker(request: &Request, base: &str) -> Asker {
    let path = request.uri().path();
    let is_within = path.strip_prefix(base).is_some_and(|rest| rest.starts_with('/'));
    match (is_within, request.headers().contains_key(HX_REQUEST)) {
        (false, _) => Asker::Stranger,
        (true, false) => Asker::Browser,
        (true, true) if path.ends_with("/stream") => Asker::Stream,
        (true, true) => Asker::Page,
    }
}

/// Lets a request through that comes from this server's pages, in the session.
pub async fn within(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match admitted(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(trouble) => trouble.into_response(),
    }
}

async fn admitted(app: &App, request: Request) -> Result<Request, Trouble> {
    let headers = request.headers();
    let changes = ![Method::GET, Method::HEAD].contains(request.method());
    if !is_same_site(headers, app.host(), changes) {
        return Err(Trouble::forbidden(
            "Another site has asked for this",
            "Nothing was done. Open the page by its own link.",
        ));
    }
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    if !cookies.into_iter().any(|cookies| app.session.is_held_by(cookies)) {
        return Err(Trouble::new(
            StatusCode::UNAUTHORIZED,
            "This browser has no session here",
            "Its link lets one browser in, once, and the session ends after 8 hours without use: run `formation ui` \
             again.",
        ));
    }
    // A page that is left open asks by itself.
    if changes || is_visit(headers) {
        app.session.touch();
    }
    if !changes {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_FORM).await.map_err(|_| {
        let told = "The form could not be read, or is larger than any.";
        Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, "This is too much", told)
    })?;
    let sent = form_urlencoded::parse(&body).find(|(name, _)| name == CSRF);
    if !sent.is_some_and(|(_, csrf)| app.session.has_sent(&csrf)) {
        return Err(Trouble::forbidden(
            "This form is not of this session",
            "Nothing was done. Reload the page and try again.",
        ));
    }
    if !app.writable {
        return Err(Trouble::forbidden(
            "This page only reads",
            "Nothing was done. `formation ui --write` may change functions.",
        ));
    }
    Ok(Request::from_parts(head, Body::from(body)))
}

/// Whether a person has gone to a page, and not the page itself has asked for more.
fn is_visit(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_MODE) {
        Some(mode) => mode == "navigate",
        None => !headers.contains_key(HX_REQUEST),
    }
}

/// Whether a request names this server, once, and as no proxy is asked.
fn is_meant(request: &Request, host: &str) -> bool {
    let mut named = request.headers().get_all(HOST).iter();
    let is_ours = named.next().is_some_and(|name| name.as_bytes() == host.as_bytes());
    is_ours && named.next().is_none() && request.uri().authority().is_none()
}

/// Whether a request is one of this server's own pages, or one that a person has typed. Browsers always tell
/// the origin of what changes something; where there is no referrer they tell `null`, and of which site it is
/// besides.
fn is_same_site(headers: &HeaderMap, host: &str, changes: bool) -> bool {
    // No browser sends one twice, and each would say that it is the other.
    let once = |name: HeaderName| headers.get_all(name).iter().count() <= 1;
    if !(once(SEC_FETCH_SITE) && once(ORIGIN)) {
        return false;
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(SEC_FETCH_SITE);
    if !site.is_none_or(|site| ["same-origin", "none"].contains(&site)) {
        return false;
    }
    match text(ORIGIN) {
        Some("null") => site == Some("same-origin"),
        Some(origin) => origin.strip_prefix("http://") == Some(host),
        None => !changes || site == Some("same-origin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_asks_by_itself_is_no_visit() {
        for (mode, htmx, expected) in [
            (Some("navigate"), false, true),
            (Some("cors"), false, false),
            (Some("cors"), true, false),
            (Some("same-origin"), true, false),
            (Some("no-cors"), false, false),
            (None, true, false),
            (None, false, true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(mode) = mode {
                headers.insert(SEC_FETCH_MODE, HeaderValue::from_static(mode));
            }
            if htmx {
                headers.insert(HX_REQUEST, HeaderValue::from_static("true"));
            }
            assert_eq!(is_visit(&headers), expected, "{mode:?} {htmx}");
        }
    }

    #[test]
    fn what_comes_from_elsewhere_is_known_by_either_header() {
        let host = "127.0.0.1:8420";
        for (site, origin, reads, changes) in [
            (None, None, true, false),
            (Some("none"), None, true, false),
            (Some("same-origin"), None, true, true),
            (Some("same-origin"), Some("http://127.0.0.1:8420"), true, true),
            (Some("same-origin"), Some("null"), true, true),
            (None, Some("http://127.0.0.1:8420"), true, true),
            (None, Some("null"), false, false),
            (None, Some("http://127.0.0.1:8421"), false, false),
            (None, Some("http://127.0.0.1"), false, false),
            (None, Some("https://127.0.0.1:8420"), false, false),
            (None, Some("http://evil.example"), false, false),
            (Some("same-site"), None, false, false),
            (Some("cross-site"), None, false, false),
            (Some("cross-site"), Some("http://127.0.0.1:8420"), false, false),
            (Some("cross-site"), Some("null"), false, false),
            (Some("?"), None, false, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(SEC_FETCH_SITE, site), (ORIGIN, origin)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(is_same_site(&headers, host, false), reads, "{site:?} {origin:?}");
            assert_eq!(is_same_site(&headers, host, true), changes, "{site:?} {origin:?}");
        }
    }
}

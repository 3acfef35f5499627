//! A request: the route that API Gateway has matched and IAM has judged, and what came with it.
//!
//! Action and names come from there and from nowhere else. Whoever reads the path once more may read
//! something else in it, and do to one function what was authorised for another.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use formation_control::Caller;
use formation_model::json::{self, Shape};
use formation_model::{Document, FunctionName, MalformedJson, OperationId, ProblemCode};
use http::header::CONTENT_TYPE;
use tokio::time::Instant;

use crate::event::Payload;
use crate::problem::ApiError;
use crate::routes::{ROUTES, Route};

/// Lambda hands on 6 MB; a larger request is refused by API Gateway or Lambda, mostly.
pub(crate) const LARGEST_BODY: usize = 6 * 1024 * 1024;

/// The route key of what matches no route.
const DEFAULT: &str = "$default";

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    /// What is asked for.
    pub route: &'static Route,
    /// The domain that the API was reached by, if the gateway tells.
    domain: Option<String>,
    /// What the path names.
    names: BTreeMap<String, String>,
    /// How.
    pub query: Query,
    /// The headers.
    pub headers: Headers,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
    /// Who asks.
    pub caller: Caller,
    /// When the answer must be on its way.
    pub until: Instant,
}

impl Request {
    /// Reads what API Gateway has handed over.
    ///
    /// # Errors
    /// That no route is meant, a parameter is unknown or unclear, or that there is no caller.
    pub fn read(payload: Payload, until: Instant) -> Result<Self, ApiError> {
        let names = payload.path_parameters.unwrap_or_default();
        let route = matched(&payload.route_key, &payload.raw_path, &names)?;
        // Every route asks for IAM authorisation, so only a wrong deployment has no caller.
        let caller = payload.request_context.user_arn().map(Caller::new);
        let caller = caller.ok_or(ApiError::NoCaller)?;
        let body = payload.body.unwrap_or_default();
        let body = if payload.is_base64_encoded {
            let decoded = STANDARD.decode(body);
            decoded.map_err(|_| ApiError::MalformedJson("it cannot be read".to_owned()))?
        } else {
            body.into_bytes()
        };
        Ok(Self {
            route,
            domain: payload.request_context.domain_name,
            names,
            query: Query::read(&payload.raw_query_string, route)?,
            headers: Headers(payload.headers.unwrap_or_default()),
            body,
            caller,
            until,
        })
    }

    /// The URL that all paths stand behind.
    pub fn server(&self) -> String {
        match (&self.domain, self.headers.get("host")) {
            // Local AWS has no TLS, and a port of its own.
            (Some(domain), Some(host)) if domain.ends_with(".localhost") => {
                format!("http://{host}")
            }
            (Some(domain), _) => format!("https://{domain}"),
            // Where the document was found.
            (None, _) => "/".to_owned(),
        }
    }

    /// The values of the path's parameters, in the order of their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.values().map(String::as_str)
    }

    /// The function that the path names. What no function can be called names none.
    pub fn function(&self) -> Result<FunctionName, ApiError> {
        let name = self.names.get("functionName").and_then(|name| name.parse().ok());
        name.ok_or(ApiError::NotFound(ProblemCode::FunctionNotFound))
    }

    /// The operation that the path names.
    pub fn operation(&self) -> Result<OperationId, ApiError> {
        let id = self.names.get("operationId").and_then(|id| id.parse().ok());
        id.ok_or(ApiError::NotFound(ProblemCode::OperationNotFound))
    }

    /// The revision that the path names.
    pub fn revision(&self) -> Result<u64, ApiError> {
        let number = self.names.get("revision").and_then(|number| revision(number));
        number.ok_or(ApiError::NotFound(ProblemCode::RevisionNotFound))
    }
}

/// The number of a revision, in the one spelling that it has.
pub(crate) fn revision(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| *number > 0 && number.to_string() == text)
}

/// The route of that key, if the path is that route's and holds its parameters as they are. No name
/// and no id needs encoding, so whatever else a path holds (`..`, `%2e`, `\`, a second slash, bytes
/// that some reader drops) is no way to write one.
fn matched(
    route_key: &str,
    path: &str,
    names: &BTreeMap<String, String>,
) -> Result<&'static Route, ApiError> {
    let mut routes = ROUTES.iter();
    let route = routes.find(|it| route_key.split_once(' ') == Some((it.method, it.path)));
    match route {
        Some(route) if route.path_with(names).as_deref() == Some(path) => Ok(route),
        None if route_key == DEFAULT => Err(unmatched(path)),
        _ => Err(ApiError::RouteNotFound),
    }
}

/// Why a path leads to no route.
fn unmatched(path: &str) -> ApiError {
    let routes = ROUTES.iter().filter(|route| route.has_path(path));
    let methods: Vec<_> = routes.map(|route| route.method).collect();
    if methods.is_empty() {
        ApiError::RouteNotFound
    } else {
        ApiError::MethodNotAllowed { allow: methods.join(", ") }
    }
}

impl From<MalformedJson> for ApiError {
    fn from(malformed: MalformedJson) -> Self {
        Self::MalformedJson(malformed.to_string())
    }
}

/// The JSON document in the body, as far as `shape` keeps it.
pub(crate) fn document(request: &Request, shape: Shape) -> Result<Document, ApiError> {
    if request.headers.get(CONTENT_TYPE.as_str()).is_some_and(|it| !is_json(it)) {
        return Err(ApiError::UnsupportedMediaType);
    }
    if request.body.len() > LARGEST_BODY {
        return Err(ApiError::BodyTooLarge);
    }
    Ok(json::read(&request.body, shape)?)
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    // RFC 7396's own type is welcome wherever JSON is; only PATCH gives it a meaning.
    ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
}

/// What a query may hold, of the parameters that the routes name.
const QUERY_PARAMETERS: [&str; 9] =
    ["limit", "nextToken", "status", "prefix", "tag", "revision", "steps", "wait", "dryRun"];

/// Those that may be there more than once.
const REPEATED: [&str; 1] = ["tag"];

/// The query: each of the route's parameters once at the most, but for those that are [`REPEATED`], and
/// nothing else. A parameter that is not known is refused rather than ignored: it may ask for something
/// that must not be left out.
#[derive(Debug)]
pub(crate) struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    fn read(raw: &str, route: &Route) -> Result<Self, ApiError> {
        let mut values = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            let known = QUERY_PARAMETERS.iter().filter(|it| route.parameters.contains(it));
            if !known.clone().any(|it| *it == name) {
                let known: Vec<_> = known.copied().collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let detail = format!("{name:.64}: no such parameter; known are: {known}");
                return Err(ApiError::InvalidParameter(detail));
            }
            let name = name.into_owned();
            if values.contains_key(&name) && !REPEATED.contains(&name.as_str()) {
                return Err(ApiError::InvalidParameter(format!("{name}: is given twice")));
            }
            values.entry(name).or_default().push(value.into_owned());
        }
        Ok(Self(values))
    }

    /// The text of a parameter, if it is there.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// Every text of a parameter that may be there more than once.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value of a parameter, if it is there, as `read` understands it.
    pub fn value<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        wanted: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let refused = || ApiError::InvalidParameter(format!("{name}: must be {wanted}"));
        read(text).map(Some).ok_or_else(refused)
    }

    /// Whether a parameter asks for something that is not done otherwise.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        let value = self.value(name, |text| text.parse().ok(), "true or false")?;
        Ok(value.unwrap_or_default())
    }

    /// One spelling of all parameters but `except`.
    pub fn canonical(&self, except: &str) -> String {
        let pairs = self.0.iter().filter(|(name, _)| *name != except);
        let pairs = pairs.flat_map(|(name, values)| values.iter().map(move |it| (name, it)));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }
}

/// The headers of a request.
#[derive(Debug)]
pub(crate) struct Headers(BTreeMap<String, String>);

impl Headers {
    /// A header, if it is there. API Gateway writes names in small letters; others may not.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The same, where it must be plain text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let value = self.get(name);
        let is_plain = |text: &&str| text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        if value.is_none_or(|text| is_plain(&text)) {
            Ok(value)
        } else {
            Err(ApiError::InvalidParameter(format!("{name} is not plain text")))
        }
    }
}

#[cfg(test)]
impl Request {
    /// A request as tests need it.
    pub(crate) fn of(route_key: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let payload = Payload::of(route_key, query, headers, body);
        let until = Instant::now() + std::time::Duration::from_secs(27);
        Self::read(payload, until).unwrap_or_else(|_| panic!("{route_key}?{query} is refused"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const FUNCTION: &str = "GET /v1/functions/{functionName}";

    #[test]
    fn every_route_is_matched_by_its_own_path() {
        let names = names(&[("functionName", "hello"), ("operationId", "01"), ("revision", "7")]);
        for route in ROUTES {
            let key = route.key();
            let path = route.path.replace("{functionName}", "hello").replace("{operationId}", "01");
            let path = path.replace("{revision}", "7");
            let found = matched(&key, &path, &names).map(|it| (it.method, it.path));
            assert_eq!(found.ok(), Some((route.method, route.path)));
        }
    }

    #[test]
    fn a_path_that_is_not_the_routes_own_is_no_route() {
        let mine = names(&[("functionName", "mine")]);
        assert!(matched(FUNCTION, "/v1/functions/mine", &mine).is_ok());
        for path in [
            "/v1/functions/victim",
            "/v1/functions/mine/../victim",
            "/v1/functions/mine/%2e%2e/victim",
            "/v1/functions/mine\\..\\victim",
            "/v1/functions/mine%5c..%5cvictim",
            "/v1/functions/mine%2Fdrift",
            "/v1/functions/mine/drift",
            "/v1/functions/mine\0",
            "/v1/functions/mine%00",
            "/v1/functions/mine\n",
            "/v1/functions/mine\t",
            "/v1/functions/mi\tne",
            "/v1/functions/mine ",
            "/v1/functions/mine#x",
            "/v1/functions/mine?x",
            "/v1/functions/mine;x",
            "/v1/functions/mine/",
            "/v1/functions//mine",
            "//v1/functions/mine",
            "/v1/./functions/mine",
            "/v1/functions/%6dine",
            "/V1/functions/mine",
            "v1/functions/mine",
            "",
        ] {
            assert!(
                matches!(matched(FUNCTION, path, &mine), Err(ApiError::RouteNotFound)),
                "{path:?}"
            );
        }
        // The names are the route's, or there are none.
        for other in [&[][..], &[("name", "mine")]] {
            let found = matched(FUNCTION, "/v1/functions/mine", &names(other));
            assert!(matches!(found, Err(ApiError::RouteNotFound)));
        }
        for key in ["", "GET", "ANY /v1/functions/{functionName}", "GET  /v1/functions", "$connect"]
        {
            let found = matched(key, "/v1/functions/mine", &mine);
            assert!(matches!(found, Err(ApiError::RouteNotFound)), "{key}");
        }
    }

    #[test]
    fn what_matches_no_route_is_told_which_methods_its_path_has() {
        let allowed = |path: &str| match matched(DEFAULT, path, &BTreeMap::new()) {
            Err(ApiError::MethodNotAllowed { allow }) => Some(allow),
            Err(ApiError::RouteNotFound) => None,
            _ => panic!("{path} is matched"),
        };
        assert_eq!(allowed("/v1/functions").as_deref(), Some("GET, POST"));
        assert_eq!(allowed("/v1/functions/a").as_deref(), Some("GET, PUT, PATCH, DELETE"));
        assert_eq!(allowed("/v1/functions/a/repair").as_deref(), Some("POST"));
        assert_eq!(allowed("/v1/openapi.json").as_deref(), Some("GET"));
        assert_eq!(allowed("/v1").as_deref(), Some("GET"));
        for path in [
            "/",
            "/v1/",
            "/v1/functions/",
            "/v1/functions/..",
            "/v1/functions/a\\b",
            "/v1/functions/a/../b",
            "/v1/functions//repair",
            "/v1/functions/a/repair/",
            "/v1/functions/{functionName}",
        ] {
            assert_eq!(allowed(path), None, "{path}");
        }
    }

    #[test]
    fn what_no_function_or_operation_can_be_called_is_not_found() {
        let mut request = Request::of(FUNCTION, "", &[], "");
        for name in ["..", "a.b", "a/b", "a\\b", "", "a\0", &"a".repeat(65)] {
            request.names = names(&[("functionName", name), ("operationId", name)]);
            let refused = request.function().err();
            assert!(matches!(refused, Some(ApiError::NotFound(ProblemCode::FunctionNotFound))));
            let refused = request.operation().err();
            assert!(matches!(refused, Some(ApiError::NotFound(ProblemCode::OperationNotFound))));
        }
    }

    fn query(raw: &str) -> Result<Query, String> {
        let route = ROUTES.iter().find(|route| route.path == "/v1/functions");
        match Query::read(raw, route.unwrap()) {
            Ok(query) => Ok(query),
            Err(ApiError::InvalidParameter(detail)) => Err(detail),
            Err(_) => panic!("{raw} is refused for something else"),
        }
    }

    #[test]
    fn a_query_is_what_was_sent() {
        let read = query("prefix=%61+b&limit=&status=%ff&&nextToken=a=b\"<>").unwrap();
        assert_eq!(read.text("prefix"), Some("a b"));
        assert_eq!(read.text("limit"), Some(""));
        assert_eq!(read.text("status"), Some("\u{fffd}"));
        assert_eq!(read.text("nextToken"), Some("a=b\"<>"));
        assert_eq!(query("").unwrap().text("limit"), None);
        let read = query("%6cimit=1&prefix=a%26b").unwrap();
        assert_eq!(read.canonical("limit"), "prefix=a%26b");
    }

    #[test]
    fn a_parameter_that_is_unknown_or_given_twice_is_refused_by_name() {
        for raw in
            ["color=red", "Limit=1", "functionName=a", "If-Match=*", "wait=1", "limit[]=1", "\"<>"]
        {
            assert!(query(raw).unwrap_err().contains("limit, nextToken, status, prefix"), "{raw}");
        }
        let read = query("tag=a:1&limit=2&tag=b:&%74ag=a:1").unwrap();
        assert_eq!(read.all("tag"), ["a:1", "b:", "a:1"]);
        assert!(read.all("status").is_empty());
        assert!(query("prefix=a&limit=1&prefix=a").unwrap_err().starts_with("prefix: "));
        assert!(query("limit=1&%6cimit=2").unwrap_err().starts_with("limit: "));
        let long = query(&"x".repeat(10_000)).unwrap_err();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn a_parameter_without_such_a_value_is_named() {
        let read =
            query("limit=many").unwrap().value("limit", |it| it.parse::<u8>().ok(), "a number");
        let Err(ApiError::InvalidParameter(detail)) = read else { panic!("it was read") };
        assert_eq!(detail, "limit: must be a number");
    }

    #[test]
    fn a_header_is_found_whatever_its_case_and_must_be_plain_text() {
        let headers = Headers(names(&[
            ("If-Match", " \"1-a\" "),
            ("idempotency-key", "k\u{1}"),
            ("if-none-match", "\u{e4}"),
        ]));
        assert!(matches!(headers.text("if-match"), Ok(Some("\"1-a\""))));
        assert!(matches!(headers.text("content-type"), Ok(None)));
        for name in ["idempotency-key", "if-none-match"] {
            assert!(matches!(headers.text(name), Err(ApiError::InvalidParameter(_))), "{name}");
        }
    }
}

//! The server as every program on the machine can reach it: by a socket of its port.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::Ready;
use crate::testing::{Asked, Fate, Stub, answer, function};

const ID: &str = "01JDJ3M6Q5X8Z7W2V4T9R0N1KB";
/// What does something where it is not escaped.
const MARKUP: &str = "</td><script>alert(1)</script><img src=x onerror=alert(1)>'\"&{{7*7}}";

/// A page that is served, of a stack that a test stands for.
struct Served {
    host: String,
    /// The path of its pages, which nobody else knows.
    base: String,
    token: String,
    cookie: String,
}

/// An answer as it came.
#[derive(Debug)]
struct Came {
    status: u16,
    head: String,
    body: String,
}

impl Came {
    fn header(&self, name: &str) -> Option<&str> {
        let begins = format!("{name}: ");
        self.head.lines().find_map(|line| {
            line.to_ascii_lowercase().starts_with(&begins).then(|| &line[begins.len()..])
        })
    }

    /// The fields that a form in it sends along.
    fn form(&self) -> String {
        let fields = ["csrf", "etag", "key"].map(|name| {
            let begins = format!("name=\"{name}\" value=\"");
            let after = self.body.split(&begins).nth(1).expect("there is a form");
            (name, after.split('"').next().unwrap().replace("&#34;", "\""))
        });
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    }
}

impl Served {
    /// Serves, and lets one browser in.
    async fn start(stub: &Stub, writable: bool) -> Self {
        let ready = Ready::at(0, stub.connected(), true, writable).await.unwrap();
        let token = ready.link().split("token=").nth(1).unwrap().to_owned();
        let (host, base) = (ready.app.host().to_owned(), ready.app.base().to_owned());
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let listener = ready.listener.into_std().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                Ready { listener, ..ready }.serve().await
            })
        });
        let mut served = Self { host, base, token, cookie: String::new() };
        // Whoever only looks where the link leads has not used it.
        let looked = served.ask(&format!("HEAD /enter?token={} HTTP/1.1", served.token), "", "");
        assert_eq!((looked.status, looked.header("set-cookie")), (204, None), "{looked:?}");
        let entered = served.ask(&format!("GET /enter?token={} HTTP/1.1", served.token), "", "");
        let start = format!("{}/start", served.base);
        assert_eq!((entered.status, entered.header("location")), (303, Some(start.as_str())));
        let forgotten = Some("\"cache\", \"storage\"");
        assert_eq!(entered.header("clear-site-data"), forgotten, "{entered:?}");
        let cookie = entered.header("set-cookie").unwrap();
        let rest = format!("; Path={}/; HttpOnly; SameSite=Strict", served.base);
        assert!(cookie.ends_with(&rest), "{cookie}");
        served.cookie = cookie.split(';').next().unwrap().to_owned();
        served
    }

    /// Sends exactly this, but for a Host where none is said.
    fn ask(&self, line: &str, headers: &str, body: &str) -> Came {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let host = match headers.to_ascii_lowercase().contains("host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.host),
        };
        let length = match body.is_empty() {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let request = format!("{line}\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Came { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// A page, by its path below that of all pages.
    fn get(&self, path: &str) -> Came {
        self.get_with(path, "")
    }

    fn get_with(&self, path: &str, headers: &str) -> Came {
        let headers = format!("{}{headers}", self.with_cookie());
        self.ask(&format!("GET {}{path} HTTP/1.1", self.base), &headers, "")
    }

    fn with_cookie(&self) -> String {
        format!("Cookie: {}\r\nSec-Fetch-Site: same-origin\r\n", self.cookie)
    }

    fn post(&self, path: &str, headers: &str, form: &str) -> Came {
        let headers = format!("{headers}Content-Type: application/x-www-form-urlencoded\r\n");
        self.ask(&format!("POST {}{path} HTTP/1.1", self.base), &headers, form)
    }
}

/// What the API answers to each request for a function that is called hello.
fn usual(asked: &Asked) -> Fate {
    let path = asked.line.split(' ').nth(1).unwrap().split('?').next().unwrap().to_owned();
    let etag = vec![("etag", "\"1-x\"".to_owned())];
    let found =
        |document: Value| Fate::Answered((200, etag.clone(), document.to_string().into_bytes()));
    match path.as_str() {
        "/v1/functions" => answer(200, &json!({"functions": [named("hello")]})),
        "/v1/functions/hello" if asked.line.starts_with("GET") => found(named("hello")),
        "/v1/functions/hello/drift" => {
            let drift = json!({"functionName": "hello", "revision": 1, "status": "DRIFTED", "differences": [{
                "part": "FUNCTION", "facet": "CONFIGURATION", "property": MARKUP, "expected": MARKUP, "actual": MARKUP,
            }], "checkedAt": "2026-11-25T17:00:00Z"});
            answer(200, &drift)
        }
        "/v1/functions/hello/operations" => {
            answer(200, &json!({"operations": [operation("FAILED")]}))
        }
        "/v1/functions/hello/revisions" => answer(200, &json!({"revisions": []})),
        path if path.starts_with("/v1/functions/hello/operations/") => {
            answer(200, &operation("FAILED"))
        }
        _ if asked.line.contains("dryRun") => {
            let part = json!({"part": "ROLE", "action": "CHANGE", "differences": [{
                "part": "ROLE", "facet": "ROLE", "property": MARKUP, "expected": MARKUP, "actual": MARKUP,
            }]});
            let plan = json!({"functionName": "hello", "kind": "REPAIR", "parts": [part], "warnings": [
                {"pointer": "/x", "code": "X", "detail": MARKUP},
            ]});
            answer(200, &plan)
        }
        _ if asked.line.starts_with("POST /v1/functions/hello/repair") => {
            answer(202, &operation("RUNNING"))
        }
        _ => answer(
            404,
            &json!({
                "type": "about:blank", "title": "T", "status": 404, "detail": MARKUP, "code": "FUNCTION_NOT_FOUND",
            }),
        ),
    }
}

fn named(name: &str) -> Value {
    let mut function = function(name);
    function["description"] = MARKUP.into();
    function["tags"] = json!({MARKUP: MARKUP});
    function["environment"] = json!({"SECRET": "s3cr3t"});
    function["createdBy"] = MARKUP.into();
    function["resources"]["liveArn"] = "arn:live".into();
    function["resources"]["invokeArn"] = MARKUP.into();
    function
}

fn operation(status: &str) -> Value {
    let error = json!({
        "code": MARKUP, "message": MARKUP, "step": MARKUP, "awsErrorCode": MARKUP, "awsRequestId": MARKUP,
    });
    json!({
        "operationId": ID, "kind": "CREATE", "functionName": "hello", "status": status,
        "rollback": "INCOMPLETE", "startedAt": "2026-11-25T17:00:00Z", "endedAt": "2026-11-25T17:00:01Z",
        "leftovers": [MARKUP], "error": error, "requestedBy": MARKUP, "executionArn": MARKUP,
        "consoleUrl": "javascript:alert(1)", "warnings": [{"pointer": "/x", "code": "X", "detail": MARKUP}],
        "steps": [{
            "name": MARKUP, "status": "WAITING", "attempts": 2, "startedAt": "2026-11-25T17:00:00Z",
            "waitingFor": MARKUP, "lastError": error,
        }],
    })
}

fn stub() -> Stub {
    Stub::start_with(|_, asked| usual(asked))
}

#[tokio::test]
async fn a_page_has_what_keeps_it_safe() {
    let stub = stub();
    let served = Served::start(&stub, true).await;
    let page = served.get("/");
    assert_eq!(page.status, 200, "{page:?}");
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    // Those of what is refused, too.
    for (path, status) in [(served.base.clone() + "/", 401), ("/".to_owned(), 404)] {
        let refused = served.ask(&format!("GET {path} HTTP/1.1"), "", "");
        assert_eq!(refused.status, status);
        assert!(refused.header("content-security-policy").is_some());
    }
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_here_is_refused() {
    let stub = stub();
    let served = Served::start(&stub, true).await;
    let port = served.host.split(':').nth(1).unwrap();
    let cookie = served.with_cookie();
    for host in [
        format!("Host: evil.example:{port}\r\n"),
        format!("Host: localhost:{port}\r\n"),
        "Host: 127.0.0.1\r\n".to_owned(),
        format!("Host: 127.0.0.1:{port}.evil.example\r\n"),
        format!("Host: {0}\r\nHost: {0}\r\n", served.host),
        "Host:\r\n".to_owned(),
    ] {
        for path in ["/", "/start", "/assets/x/ui.css"] {
            let line = format!("GET {}{path} HTTP/1.1", served.base);
            let came = served.ask(&line, &format!("{host}{cookie}"), "");
            assert!([400, 403].contains(&came.status), "{host:?} {path}: {came:?}");
        }
        let came = served.ask("GET /enter?token=x HTTP/1.1", &host, "");
        assert!([400, 403].contains(&came.status), "{host:?}: {came:?}");
    }
    let line = format!("GET http://{}{}/ HTTP/1.1", served.host, served.base);
    let came = served.ask(&line, &cookie, "");
    assert_eq!(came.status, 403, "{came:?}");
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn what_another_site_sends_does_nothing() {
    let stub = stub();
    let served = Served::start(&stub, true).await;
    let plan = served.get("/functions/hello/change/repair");
    let form = plan.form();
    assert!(form.contains("etag=%221-x%22"), "{form}");
    let before = stub.asked().len();
    let cookie = format!("Cookie: {}\r\n", served.cookie);
    let path = "/functions/hello/change/repair";
    for headers in [
        "Sec-Fetch-Site: cross-site\r\nOrigin: http://evil.example\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\nOrigin: http://127.0.0.1:1\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\nOrigin: null\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        "Origin: http://evil.example\r\n".to_owned(),
        // One that says both.
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\nOrigin: null\r\n".to_owned(),
        format!("Origin: http://{}\r\nOrigin: http://evil.example\r\n", served.host),
        // An old browser that tells nothing.
        String::new(),
    ] {
        let came = served.post(path, &format!("{cookie}{headers}"), &form);
        assert_eq!(came.status, 403, "{headers:?}: {came:?}");
    }
    // From the page, but without what only it knows.
    let own = format!("{cookie}Sec-Fetch-Site: same-origin\r\nOrigin: null\r\n");
    for form in [
        "etag=%221-x%22&key=1".to_owned(),
        form.replace("csrf=", "csrf=0"),
        form.replace("csrf", "other"),
    ] {
        let came = served.post(path, &own, &form);
        assert_eq!(came.status, 403, "{form}: {came:?}");
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let came = served.ask(&format!("{method} {}{path} HTTP/1.1", served.base), &own, "");
        assert!([403, 405].contains(&came.status), "{came:?}");
    }
    // Reading from elsewhere is refused, too: what is shown is the user's.
    let elsewhere = format!("{cookie}Sec-Fetch-Site: cross-site\r\n");
    let came = served.ask(&format!("GET {}/ HTTP/1.1", served.base), &elsewhere, "");
    assert_eq!(came.status, 403);
    assert_eq!(stub.asked().len(), before, "nothing was asked for");
    // Who presses twice has asked once: each form has a key of its own.
    for _ in 0..2 {
        let came = served.post(path, &own, &form);
        let expected = format!("{}/functions/hello/operations/{ID}", served.base);
        assert_eq!((came.status, came.header("location")), (303, Some(expected.as_str())));
    }
    let other = served.get(path).form();
    assert_eq!(served.post(path, &own, &other).status, 303);
    let asked = stub.asked();
    let asked = asked.iter().filter(|it| it.line == "POST /v1/functions/hello/repair");
    let asked: Vec<_> = asked.collect();
    assert!(asked.iter().all(|it| it.head.contains("if-match: \"1-x\"")), "{asked:?}");
    let keys = asked
        .iter()
        .map(|it| it.head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap());
    let keys: Vec<_> = keys.collect();
    assert!(keys.len() == 3 && keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
}

#[tokio::test]
async fn a_session_is_of_one_port_and_one_browser() {
    let stub = stub();
    let (one, other) = (Served::start(&stub, true).await, Served::start(&stub, true).await);
    let home = |served: &Served| format!("GET {}/ HTTP/1.1", served.base);
    assert_ne!(one.base, other.base);
    let theirs = format!("Cookie: {}\r\n", other.cookie);
    assert_eq!(one.ask(&home(&one), &theirs, "").status, 401);
    let renamed = other.cookie.split('=').nth(1).unwrap();
    let name = one.cookie.split('=').next().unwrap();
    let renamed = format!("Cookie: {name}={renamed}\r\n");
    assert_eq!(one.ask(&home(&one), &renamed, "").status, 401);
    // Both at once, as if they had one path.
    let both = format!("Cookie: {}; {}\r\n", other.cookie, one.cookie);
    assert_eq!(one.ask(&home(&one), &both, "").status, 200);
    // Whoever has seen the link comes too late.
    let stolen = one.ask(&format!("GET /enter?token={} HTTP/1.1", one.token), "", "");
    assert_eq!((stolen.status, stolen.header("set-cookie")), (403, None), "{stolen:?}");
    assert!(stolen.body.contains("This link has been used"));
}

#[tokio::test]
async fn who_does_not_know_the_path_of_the_pages_is_not_told_it() {
    let stub = stub();
    let served = Served::start(&stub, true).await;
    let secret = &served.base[1..];
    let cookie = served.with_cookie();
    for path in
        ["/", "/start", "/functions/hello", "/stream", "/assets/x/ui.css", "/enter", "/0000"]
    {
        let came = served.ask(&format!("GET {path} HTTP/1.1"), &cookie, "");
        assert!([403, 404].contains(&came.status), "{path}: {came:?}");
        assert!(!format!("{came:?}").contains(secret), "{path}: {came:?}");
    }
    // Nor who knows a part of it.
    let part = &served.base[..20];
    let came = served.ask(&format!("GET {part}/ HTTP/1.1"), &cookie, "");
    assert!(came.status == 404 && !came.body.contains(secret), "{came:?}");
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn what_functions_say_is_text_on_every_page() {
    let stub = stub();
    let served = Served::start(&stub, true).await;
    let operation = format!("/functions/hello/operations/{ID}");
    let of_operation = format!("{operation}/stream");
    // Whether the page has something of a function to show.
    for (path, shows) in [
        ("/", true),
        ("/functions/hello", true),
        ("/functions/hello/parts", true),
        ("/functions/hello/settings", true),
        ("/functions/hello/settings/description", true),
        ("/functions/hello/revisions", true),
        ("/functions/hello/operations", true),
        (operation.as_str(), true),
        (of_operation.as_str(), true),
        ("/functions/hello/logs?grep=%3Cscript%3Ealert(1)%3C/script%3E", true),
        ("/functions/hello/invoke", true),
        ("/functions/hello/change/repair", true),
        ("/functions/none", true),
        ("/activity/now", false),
        ("/?prefix=%3Cscript%3Ealert(1)%3C/script%3E", true),
        ("/nothing/%3Cscript%3Ealert(1)%3C/script%3E", false),
        ("/functions/%3Cscript%3Ealert(1)%3C%2Fscript%3E", false),
    ] {
        for headers in ["", "HX-Request: true\r\n"] {
            let came = served.get_with(path, headers);
            assert!([200, 400, 404].contains(&came.status), "{path}: {came:?}");
            for wrong in ["<script>", "<img src=x", "\"javascript:", "s3cr3t", "style=\""] {
                assert!(!came.body.contains(wrong), "{path}: {wrong} in {}", came.body);
            }
            let is_shown = came.body.contains("script&#62;alert(1)");
            assert!(is_shown || !shows, "{path}: {}", came.body);
            assert!(came.body.len() < 100_000, "{path}: {} bytes", came.body.len());
        }
    }
}

#[tokio::test]
async fn what_a_line_of_a_log_says_is_text_and_no_event_of_its_own() {
    let evil = format!("{MARKUP}\nevent: ended\ndata: x\r\rid: 9\n\n<script>alert(2)</script>");
    let stub = Stub::start_with(move |_, asked| {
        if !asked.head.contains("FilterLogEvents") {
            return usual(asked);
        }
        let event = json!({
            "timestamp": 1_764_090_000_000_i64, "logStreamName": "s", "eventId": "e\"><script>", "message": evil,
        });
        answer(200, &json!({"events": [event]}))
    });
    let served = Served::start(&stub, true).await;
    let seen = listen(&served, "/functions/hello/logs/stream", Duration::from_secs(2));
    let seen = seen.join().unwrap();
    assert!(seen.contains("&#60;script&#62;alert(2)"), "{seen}");
    assert!(seen.contains("id: 1764090000000\n"), "{seen}");
    for wrong in ["<script>", "<img", "\nevent:", "\nid: 9", "\nevent: ended"] {
        assert!(!seen.contains(wrong), "{wrong}: {seen}");
    }
    // Who comes back goes on from there.
    let headers = "Last-Event-ID: 1764090000000\r\n";
    let again =
        listen_with(&served, "/functions/hello/logs/stream", headers, Duration::from_secs(1));
    again.join().unwrap();
    let asked = stub.asked();
    let last = asked.iter().rfind(|it| it.head.contains("FilterLogEvents")).unwrap().json();
    let start = last["startTime"].as_i64().unwrap();
    assert!((1_764_089_900_000..=1_764_090_000_000).contains(&start), "{last}");
}

#[tokio::test]
async fn a_part_of_a_page_gets_a_part_in_place_of_a_page() {
    let stub = stub();
    let served = Served::start(&stub, true).await;
    let whole = served.get("/functions/none");
    assert!(whole.status == 404 && whole.body.starts_with("<!doctype html>"), "{whole:?}");
    for path in ["/functions/none/parts", "/functions/none/logs/stream", "/nothing"] {
        let came = served.get_with(path, "HX-Request: true\r\n");
        assert_eq!(came.status, 404, "{path}: {came:?}");
        assert!(came.body.starts_with("<div class=\"note bad\" role=\"alert\">"), "{came:?}");
        // What a stream is asked for keeps what it has.
        let reswap = path.ends_with("/stream").then_some("none");
        assert_eq!(came.header("hx-reswap"), reswap, "{path}");
    }
    // Who has no session any more, too.
    let line = format!("GET {}/functions/hello/parts HTTP/1.1", served.base);
    let came = served.ask(&line, "HX-Request: true\r\n", "");
    assert!(came.status == 401 && came.body.starts_with("<div"), "{came:?}");
}

#[tokio::test]
async fn a_page_has_a_hundred_that_fit_however_few_are_in_an_answer() {
    let stub = Stub::start_with(|_, asked| {
        if !asked.line.starts_with("GET /v1/functions?") {
            return usual(asked);
        }
        // Of ten answers the first eight have none that fits.
        let query = asked.line.split(['?', ' ']).nth(2).unwrap();
        let of = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find_map(|(key, value)| (key == name).then(|| value.parse::<usize>().unwrap()))
        };
        let (token, limit) = (of("nextToken").unwrap_or_default(), of("limit").unwrap());
        let count = if token < 8 { 0 } else { limit.min(60) };
        let fitting = (0..count).map(|it| named(&format!("f{token}-{it:02}")));
        let mut page = json!({"functions": fitting.collect::<Vec<_>>()});
        if token < 20 {
            page["nextToken"] = (token + 1).to_string().into();
        }
        answer(200, &page)
    });
    let served = Served::start(&stub, true).await;
    let page = served.get("/?status=AVAILABLE");
    assert_eq!(page.body.matches("<tr id=").count(), 100, "{}", page.body);
    assert!(page.body.contains("f8-59") && page.body.contains("f9-39"), "{}", page.body);
    assert!(page.body.contains("after=10\">Next page"), "{}", page.body);
    let asked = stub.asked();
    let asked: Vec<_> = asked.iter().filter(|it| it.line.contains("/v1/functions?")).collect();
    assert_eq!(asked.len(), 10);
    assert!(asked[9].line.contains("limit=40"), "{:?}", asked[9]);
}

#[tokio::test]
async fn where_none_of_many_fits_the_way_on_is_shown() {
    let stub = Stub::start_with(|number, asked| {
        if !asked.line.starts_with("GET /v1/functions?") {
            return usual(asked);
        }
        answer(200, &json!({"functions": [], "nextToken": number.to_string()}))
    });
    let served = Served::start(&stub, true).await;
    let page = served.get("/?prefix=x");
    assert!(page.body.contains("None of those that were looked through fits."), "{}", page.body);
    assert!(page.body.contains(">Next page</a>"), "{}", page.body);
    assert_eq!(stub.asked().len(), 30);
}

#[tokio::test]
async fn what_is_shown_stays_while_it_cannot_be_looked_at() {
    let is_well = Arc::new(AtomicBool::new(true));
    let well = Arc::clone(&is_well);
    let stub = Stub::start_with(move |_, asked| {
        if well.load(Ordering::SeqCst) {
            let mut busy = named("hello");
            busy["status"] = "UPDATING".into();
            return match asked.line.starts_with("GET /v1/functions?") {
                true => answer(200, &json!({"functions": [busy]})),
                false => usual(asked),
            };
        }
        let expired = "The security token included in the request is expired";
        answer(403, &json!({"message": expired}))
    });
    let served = Served::start(&stub, true).await;
    assert_eq!(served.get("/").status, 200);
    assert_eq!(served.get("/functions/hello").status, 200);
    let streams = ["/stream", "/functions/hello/stream"];
    let streams = streams.map(|path| listen(&served, path, Duration::from_secs(8)));
    std::thread::sleep(Duration::from_millis(500));
    is_well.store(false, Ordering::SeqCst);
    for stream in streams {
        let seen = stream.join().unwrap();
        let told = seen.rsplit("\n\n").find(|event| event.contains("data:")).unwrap();
        assert!(told.contains("role=\"status\">This is as it was at"), "{seen}");
        assert!(told.contains("expired"), "{seen}");
        // What was seen is still there, and the page goes on asking.
        assert!(told.contains("hello"), "{told}");
        assert!(!seen.contains("event: ended"), "{seen}");
    }
    let page = served.get("/");
    assert!(page.body.contains("<tr id=") && page.body.contains("This is as it was"), "{page:?}");
    is_well.store(true, Ordering::SeqCst);
    let page = served.get("/");
    assert!(page.body.contains("<tr id=") && !page.body.contains("This is as it was"), "{page:?}");
}

#[tokio::test]
async fn what_one_source_does_not_answer_is_missing_in_its_own_place() {
    let about = json!({
        "version": "1", "stackName": "s", "region": "r", "layerArns": [], "codeBuckets": [],
        "stateMachineArn": "arn:aws:states:r:1:stateMachine:m",
        "limits": {
            "planFunctions": 1, "zipFileBytes": 1, "uploadBytes": 1, "waitSeconds": 1, "maxReservedConcurrency": 1,
        },
    });
    let refused = json!({
        "type": "about:blank", "title": "T", "status": 503, "detail": "not now", "code": "UNAVAILABLE",
    });
    for (failing, lists, plots) in
        [("/v1/functions", false, true), ("/v1", true, false), ("x", true, true)]
    {
        let (about, refused) = (about.clone(), refused.clone());
        let stub = Stub::start_with(move |_, asked| {
            let path = asked.line.split([' ', '?']).nth(1).unwrap();
            match path {
                path if path == failing => answer(400, &refused),
                "/v1" => answer(200, &about),
                "/" => answer(200, &json!({"MetricDataResults": []})),
                _ => usual(asked),
            }
        });
        let served = Served::start(&stub, true).await;
        let page = served.get("/activity/now");
        assert_eq!(page.status, 200, "{failing}: {page:?}");
        assert_eq!(page.body.contains("Running now"), lists, "{failing}: {page:?}");
        assert_eq!(page.body.contains("Time of an execution"), plots, "{failing}: {page:?}");
        assert_eq!(page.body.contains("not now"), !(lists && plots), "{failing}: {page:?}");
        // No operation is asked for: an old one is forgotten.
        assert!(stub.asked().iter().all(|it| !it.line.contains("/operations/")));
    }
}

#[tokio::test]
async fn a_repair_that_would_change_nothing_says_so() {
    let stub = Stub::start_with(|_, asked| match asked.line.contains("dryRun") {
        true => answer(
            200,
            &json!({"functionName": "hello", "kind": "REPAIR", "parts": [], "warnings": []}),
        ),
        false => usual(asked),
    });
    let served = Served::start(&stub, true).await;
    let page = served.get("/functions/hello/change/repair");
    assert!(page.body.contains("there is nothing to change"), "{}", page.body);
    assert!(!page.body.contains("<table"), "{}", page.body);
}

#[tokio::test]
async fn a_plan_that_is_out_of_date_leads_to_another() {
    let stub = Stub::start_with(|_, asked| match asked.line == "POST /v1/functions/hello/repair" {
        true => answer(
            412,
            &json!({
                "type": "about:blank", "title": "T", "status": 412, "detail": "If-Match", "code": "PRECONDITION_FAILED",
            }),
        ),
        false => usual(asked),
    });
    let served = Served::start(&stub, true).await;
    let path = "/functions/hello/change/repair";
    let form = served.get(path).form();
    let own = format!("{}Origin: null\r\n", served.with_cookie());
    let came = served.post(path, &own, &form);
    assert_eq!(came.status, 409, "{came:?}");
    assert!(came.body.contains("hello has changed since this plan was made"), "{}", came.body);
    assert!(!came.body.contains("If-Match"), "{}", came.body);
    for way in [path, "/functions/hello"] {
        let link = format!("href=\"{}{way}\"", served.base);
        assert!(came.body.contains(&link), "{way}: {}", came.body);
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_lists_nothing_and_says_so() {
    let stub = stub();
    let served = Served::start(&stub, false).await;
    for (query, told) in [
        ("tag=nonsense", "A tag is asked for as key:value."),
        ("status=NOPE", "There is no such status."),
    ] {
        let page = served.get(&format!("/?{query}"));
        assert!(page.body.contains(told), "{query}: {}", page.body);
        assert!(!page.body.contains("f-hello"), "{query}: {}", page.body);
    }
    // One that can be read, and that no function has.
    let page = served.get("/?tag=a:b");
    assert!(page.body.contains("No function fits."), "{}", page.body);
}

#[tokio::test]
async fn a_page_that_only_reads_changes_nothing() {
    let stub = stub();
    let served = Served::start(&stub, false).await;
    let page = served.get("/functions/hello");
    assert!(page.body.contains("Read only") && !page.body.contains("/change/"), "{}", page.body);
    let page = served.get("/functions/hello/invoke");
    assert!(!page.body.contains("<form") && page.body.contains("--write"), "{}", page.body);
    let before = stub.asked().len();
    for path in ["/functions/hello/change/repair", "/functions/hello/change/delete"] {
        assert_eq!(served.get(path).status, 403);
        let own = format!("{}Origin: null\r\n", served.with_cookie());
        assert_eq!(served.post(path, &own, "csrf=x&etag=%221-x%22").status, 403);
    }
    assert_eq!(stub.asked().len(), before);
}

/// Reads a stream for so long.
fn listen(served: &Served, path: &str, time: Duration) -> std::thread::JoinHandle<String> {
    listen_with(served, path, "", time)
}

fn listen_with(
    served: &Served,
    path: &str,
    headers: &str,
    time: Duration,
) -> std::thread::JoinHandle<String> {
    let cookie = format!("{}{headers}", served.with_cookie());
    let (host, path) = (served.host.clone(), format!("{}{path}", served.base));
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(&host).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let (began, mut all, mut some) = (std::time::Instant::now(), Vec::new(), [0; 65536]);
        while began.elapsed() < time {
            match stream.read(&mut some) {
                Ok(0) => break,
                Ok(read) => all.extend_from_slice(&some[..read]),
                Err(_) => {}
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    })
}

#[tokio::test]
async fn eight_tabs_cost_one_request_a_second_and_none_once_it_has_ended() {
    let ended = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&ended);
    let stub = Stub::start_with(move |_, asked| {
        if !asked.line.contains("/operations/") {
            return usual(asked);
        }
        let mut operation = operation("RUNNING");
        if is_over.load(Ordering::SeqCst) {
            operation["status"] = "SUCCEEDED".into();
        } else {
            operation.as_object_mut().unwrap().remove("endedAt");
        }
        answer(200, &operation)
    });
    let served = Served::start(&stub, true).await;
    let path = format!("/functions/hello/operations/{ID}");
    let tabs = || {
        let pages = (0..8).map(|_| served.get(&path).status).collect::<Vec<_>>();
        assert_eq!(pages, [200; 8]);
        let streams =
            (0..8).map(|_| listen(&served, &format!("{path}/stream"), Duration::from_millis(3500)));
        streams.collect::<Vec<_>>()
    };
    let streams = tabs();
    let seen: Vec<_> = streams.into_iter().map(|stream| stream.join().unwrap()).collect();
    let asked = stub.asked().len();
    assert!((3..=6).contains(&asked), "{asked} requests in 3.5 s");
    for seen in &seen {
        assert!(
            seen.contains("content-type: text/event-stream")
                && seen.matches("data: <div class=\"title\">").count() >= 3,
            "{seen}"
        );
    }
    ended.store(true, Ordering::SeqCst);
    for stream in tabs() {
        let seen = stream.join().unwrap();
        assert!(seen.contains("event: ended\ndata:\n\n"), "{seen}");
    }
    let asked = stub.asked().len();
    let page = served.get(&path);
    assert!(
        page.body.contains("Succeeded") && !page.body.contains("hx-sse:connect"),
        "{}",
        page.body
    );
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(stub.asked().len(), asked, "nothing is asked once it has ended");
}

#[tokio::test]
async fn how_an_operation_has_ended_is_told_at_once_and_its_last_steps_are_not_waited_for_in_vain()
{
    let stub = Stub::start_with(|_, asked| {
        if !asked.line.contains("/operations/") {
            return usual(asked);
        }
        let mut operation = operation("SUCCEEDED");
        operation["endedAt"] = jiff::Timestamp::now().to_string().into();
        answer(200, &operation)
    });
    let served = Served::start(&stub, true).await;
    let path = format!("/functions/hello/operations/{ID}");
    let began = std::time::Instant::now();
    let page = served.get(&path);
    assert!(page.body.contains("Succeeded") && page.body.contains("hx-sse:connect"), "{page:?}");
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let seen = listen(&served, &format!("{path}/stream"), Duration::from_secs(6)).join().unwrap();
    assert!(seen.contains("event: ended\n"), "{seen}");
    assert_eq!(stub.asked().len(), 4);
}

#[test]
fn no_template_leaves_anything_unescaped_or_inline() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ui/templates");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for wrong in [
            "|safe",
            "| safe",
            "|escape",
            "autoescape",
            "style=",
            "<style",
            "hx-on",
            "onclick",
            "javascript:",
            "hx-vals=\"js",
            "http://",
            "https://",
        ] {
            assert!(!text.contains(wrong), "{}: {wrong}", path.display());
        }
        // The only scripts are files of this server.
        assert_eq!(
            text.matches("<script").count(),
            text.matches("<script src=\"{{ frame.assets }}/").count(),
            "{}",
            path.display()
        );
        count += 1;
    }
    assert!(count > 20);
}

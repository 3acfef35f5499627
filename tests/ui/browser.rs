//! A real browser: Debian's Chromium, asked by WebDriver.
//! Source: <https://www.w3.org/TR/webdriver2/>.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use formation_local::ministack::free_port;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::time::sleep;

/// What WebDriver calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Nothing that a test waits for takes longer, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(90);
/// A key, as WebDriver names it.
pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";

/// A browser of its own, which ends with this.
pub struct Browser {
    driver: Child,
    url: String,
    session: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Self {
        let port = free_port(None).unwrap();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            // With the browsers that it starts: so that they end with it.
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there: `make browser` installs it");
        let url = format!("http://127.0.0.1:{port}");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut browser = Self { driver, url, session: String::new(), client };
        let began = Instant::now();
        while browser.try_ask(Method::GET, "/status", &Value::Null).await.is_none() {
            assert!(began.elapsed() < LIMIT, "chromedriver does not answer");
            sleep(Duration::from_millis(50)).await;
        }
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1280,900",
            "--lang=en",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = browser.ask(Method::POST, "/session", &wanted).await;
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    async fn try_ask(&self, method: Method, path: &str, body: &Value) -> Option<(u16, Value)> {
        let uri = format!("{}{path}", self.url);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("content-type", "application/json; charset=utf-8");
        let request = request.body(Full::from(body)).unwrap();
        let answer = self.client.request(request).await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        let body: Value = serde_json::from_slice(&body).ok()?;
        Some((status, body["value"].clone()))
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, value) = self.try_ask(method, path, body).await.expect("chromedriver answers");
        assert_eq!(status, 200, "{path} {body}: {value}");
        value
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, &format!("{}{path}", self.session), &body).await
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// Where it is.
    pub async fn url(&self) -> String {
        let url = self.ask(Method::GET, &format!("{}/url", self.session), &Value::Null).await;
        url.as_str().unwrap().to_owned()
    }

    /// What a script answers.
    pub async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// What a script answers later, by calling its last argument.
    pub async fn run_later(&self, script: &str) -> Value {
        self.post("/timeouts", json!({"script": 60_000})).await;
        self.post("/execute/async", json!({"script": script, "args": []})).await
    }

    /// What can be read of an element, or of the page; nothing where it is not there.
    pub async fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(css));
        self.run(&script).await.as_str().unwrap_or_default().to_owned()
    }

    /// The states of the state machine's picture that are of a class, in the order of the definition.
    pub async fn lit(&self, class: &str) -> Vec<String> {
        let all = format!("document.querySelectorAll('g.{class} text:first-of-type')");
        let lit = self.run(&format!("return [...{all}].map(it => it.textContent)")).await;
        serde_json::from_value(lit).unwrap()
    }

    /// Waits until a state is lit so.
    pub async fn until_lit(&self, class: &str, state: &str) {
        let began = Instant::now();
        while !self.lit(class).await.iter().any(|lit| lit == state) {
            let text = self.text("body").await;
            assert!(
                began.elapsed() < LIMIT,
                "{state} is not {class} at {}: {text}",
                self.url().await
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many elements there are.
    pub async fn count(&self, css: &str) -> u64 {
        let script = format!("return document.querySelectorAll({}).length", json!(css));
        self.run(&script).await.as_u64().unwrap()
    }

    /// Waits until an expression of the page's is true.
    pub async fn until_true(&self, expression: &str) {
        let began = Instant::now();
        while self.run(&format!("return Boolean({expression})")).await != json!(true) {
            let text = self.text("body").await;
            assert!(began.elapsed() < LIMIT, "{expression} at {}: {text}", self.url().await);
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until an element says this.
    pub async fn until(&self, css: &str, text: &str) -> String {
        let began = Instant::now();
        loop {
            let seen = self.text(css).await;
            if seen.contains(text) && !seen.is_empty() {
                return seen;
            }
            if began.elapsed() > LIMIT {
                // How far its streams are, and whether it has any while it is not seen.
                let script = "return [document.hidden, \
                              [...document.querySelectorAll('[data-live]')].map(it => it.dataset.live)]";
                let (url, live) = (self.url().await, self.run(script).await);
                let body = self.text("body").await;
                panic!(
                    "waited in vain until {css} says {text:?} at {url}, {live}: {seen:?} of {body:?}"
                );
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn find(&self, css: &str) -> String {
        let began = Instant::now();
        let path = format!("{}/element", self.session);
        let by = json!({"using": "css selector", "value": css});
        loop {
            let (status, found) = self.try_ask(Method::POST, &path, &by).await.unwrap();
            if status == 200 {
                return found[ELEMENT].as_str().unwrap().to_owned();
            }
            let text = self.text("body").await;
            assert!(began.elapsed() < LIMIT, "there is no {css} at {}: {text}", self.url().await);
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Clicks on an element, as a person does: it must be seen.
    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Types into a field, in place of what is in it.
    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/clear"), json!({})).await;
        self.post(&format!("/element/{element}/value"), json!({"text": text})).await;
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: &[&str]) {
        let each = |key: &&str| {
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        };
        let actions: Vec<_> = keys.iter().flat_map(each).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("/actions", json!({"actions": [keyboard]})).await;
    }

    /// Opens another tab, and goes to it.
    pub async fn tab(&self) -> String {
        let tab = self.post("/window/new", json!({"type": "tab"})).await;
        let handle = tab["handle"].as_str().unwrap().to_owned();
        self.to(&handle).await;
        handle
    }

    /// Which tab it is at.
    pub async fn here(&self) -> String {
        let here = self.ask(Method::GET, &format!("{}/window", self.session), &Value::Null).await;
        here.as_str().unwrap().to_owned()
    }

    /// Goes to a tab, which is seen then.
    pub async fn to(&self, handle: &str) {
        self.post("/window", json!({"handle": handle})).await;
        self.command("Page.bringToFront", json!({})).await;
    }

    async fn command(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    /// Looks at pages so wide, light or dark, and without anything that moves.
    pub async fn look(&self, width: u32, scheme: &str) {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.command("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// What is seen of the page at its top as a PNG: what is below would make it large.
    pub async fn picture(&self) -> Vec<u8> {
        self.run("scrollTo(0, 0)").await;
        let shot = json!({"format": "png"});
        let shot = self.command("Page.captureScreenshot", shot).await;
        BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// What the console has shown of errors: what the policy has stopped, too.
    pub async fn errors(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let log = log.as_array().unwrap().iter();
        let errors = log.filter(|entry| entry["level"] == "SEVERE");
        errors.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Ends it.
    pub async fn close(self) {
        self.ask(Method::DELETE, &self.session, &Value::Null).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // After a test that has failed, too.
        let id = i32::try_from(self.driver.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            let _ = kill_process_group(id, Signal::TERM);
        }
        let _ = self.driver.wait();
    }
}

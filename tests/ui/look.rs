//! How the pages look, and whom they let in.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use formation_local::Project;
use formation_tests::World;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::act::put_metrics;
use super::browser::{Browser, ENTER, TAB};
use super::served::{Served, command, name};

/// What axe-core finds, but for what is minor.
async fn problems(browser: &Browser, axe: &str) -> Vec<String> {
    let script = format!(
        "{axe}\nconst done = arguments[arguments.length - 1];\naxe.run(document, {{resultTypes: ['violations']}})\
         .then(found => done(found.violations), error => done([{{id: String(error), impact: 'serious', nodes: []}}]));"
    );
    let found = browser.run_later(&script).await;
    let found = found.as_array().unwrap().iter();
    let serious = found.filter(|it| {
        it["impact"] == "serious" || it["impact"] == "critical" || it["impact"] == "moderate"
    });
    let told = serious.map(|it| {
        let nodes = it["nodes"].as_array().unwrap().iter();
        let nodes = nodes.map(|node| format!("{}: {}", node["html"], node["failureSummary"]));
        format!("{}: {}", it["id"], nodes.collect::<Vec<_>>().join("\n"))
    });
    told.collect()
}

pub async fn every_page_is_accessible_light_and_dark_wide_and_narrow(world: &World) {
    let file = Project::find().unwrap().path("infra/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&file).expect("`make infra/node_modules` installs axe-core");
    let name = name(world, "seen");
    let created =
        world.create(&name, json!({"description": "Says hello.", "tags": {"team": "blue"}})).await;
    put_metrics(world, &name).await;
    let served = Served::start(world).await;
    let browser = &served.browser;
    let operation = format!("/functions/{name}/operations/{}", created.operation_id);
    let mut found = String::new();
    for (picture, path, ready) in [
        ("functions", "/".to_owned(), "Functions"),
        ("activity", "/activity".to_owned(), "Running now"),
        ("overview", format!("/functions/{name}"), "As recorded"),
        ("settings", format!("/functions/{name}/settings"), "memoryMegabytes"),
        ("setting", format!("/functions/{name}/settings/environment"), "Change environment"),
        ("history", format!("/functions/{name}/revisions"), "Revision"),
        ("done", format!("/functions/{name}/operations"), "Create"),
        ("operation", operation, "was created in"),
        ("log", format!("/functions/{name}/logs"), "It follows"),
        ("metrics", format!("/functions/{name}/metrics"), "Invocations"),
        ("payload", format!("/functions/{name}/invoke"), "Payload"),
        ("delete", format!("/functions/{name}/change/delete"), "To be sure"),
        ("trouble", "/functions/none-of-this-name".to_owned(), "There is no such thing"),
    ] {
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")] {
            browser.look(width, scheme).await;
            served.open(&path).await;
            browser.until("main", ready).await;
            served.picture(&format!("{picture}-{width}-{scheme}")).await;
            let told = problems(browser, &axe).await;
            // It would move aside as a whole.
            let wide =
                browser.run("return document.documentElement.scrollWidth - innerWidth").await;
            if !told.is_empty() || wide != json!(0) {
                let _ = writeln!(found, "{path} {width} {scheme}: {wide} too wide; {told:#?}");
            }
        }
    }
    assert!(found.is_empty(), "{found}");
    // The one page that is not there is an error of the console's, too.
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("none-of-this-name")), "{errors:#?}");
    served.close().await;
}

pub async fn the_pages_can_be_used_by_keyboard(world: &World) {
    let name = name(world, "keys");
    world.create(&name, json!({})).await;
    let served = Served::start(world).await;
    let browser = &served.browser;
    let focus = async || {
        let script = "const it = document.activeElement; return it.innerText || it.name || it.id";
        browser.run(script).await.as_str().unwrap_or_default().to_owned()
    };
    served.open("/").await;
    browser.until(".list", &name).await;
    browser.press(&[TAB]).await;
    assert_eq!(focus().await, "Skip to the content");
    browser.press(&[ENTER, TAB]).await;
    assert_eq!(focus().await, "prefix", "what is skipped is the head of the page");
    for key in ["k", "e", "y", "s"] {
        browser.press(&[key]).await;
    }
    // What is typed filters, and the focus stays where it was.
    browser.until("main", "1 shown").await;
    assert_eq!(focus().await, "prefix");
    let mut seen = Vec::new();
    while !seen.contains(&name) {
        browser.press(&[TAB]).await;
        seen.push(focus().await);
        assert!(seen.len() < 20, "{seen:?}");
    }
    browser.press(&[ENTER]).await;
    browser.until("h1", &name).await;
    served.close().await;
}

pub async fn a_file_leads_the_browser_in_once(world: &World) {
    // Nothing that opens a browser is found there.
    let runtime = tempfile::tempdir().unwrap();
    let mut command = command(world, &["ui"]);
    command.env("PATH", "/nowhere").env("XDG_RUNTIME_DIR", runtime.path());
    let mut served = command.spawn().unwrap();
    let mut lines = BufReader::new(served.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let file = loop {
        let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("{said:?}"));
        // So it says what to open, whether a browser could be opened or not.
        if let Some(file) = line.strip_prefix("this file leads one browser in, once: ") {
            break file.to_owned();
        }
        said.push(line);
    };
    assert!(said.iter().all(|line| !line.contains("token")), "{said:?}");
    let line = lines.next_line().await.unwrap();
    assert!(line.is_some_and(|line| line.contains("only reads")), "{said:?}");
    let browser = Browser::start().await;
    browser.open(&format!("file://{file}")).await;
    browser.until("h1", "Functions").await;
    assert!(!browser.url().await.contains("token"));
    assert!(browser.text(".where").await.contains("Read only"));
    let is_empty = || std::fs::read_dir(runtime.path()).unwrap().next().is_none();
    assert!(is_empty(), "it leads nobody else in");
    let cookies = browser.run("return document.cookie").await;
    assert_eq!(cookies, Value::from(""), "no script can read it");
    browser.close().await;
    // Where the terminal goes before anybody was in, nothing is left either.
    let mut served = command.spawn().unwrap();
    let mut lines = BufReader::new(served.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("this file leads") {}
    assert!(!is_empty());
    let id = served.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(id.unwrap(), Signal::HUP).unwrap();
    assert!(served.wait().await.unwrap().success());
    assert!(is_empty());
}

/// Records other functions as one that is recorded: making so many would take minutes.
async fn copy(world: &World, model: &str, names: impl Iterator<Item = String>) {
    let table = &world.stack.table_name;
    let key = HashMap::from([
        ("pk".to_owned(), AttributeValue::S("FUNCTION".to_owned())),
        ("sk".to_owned(), AttributeValue::S(model.to_owned())),
    ]);
    let record =
        world.dynamodb.get_item().table_name(table).set_key(Some(key)).send().await.unwrap();
    let record = record.item.unwrap();
    let requests = names.map(|name| {
        let renamed = |value: &AttributeValue| match value {
            AttributeValue::S(text) if text == model => AttributeValue::S(name.clone()),
            other => other.clone(),
        };
        let item = record.iter().map(|(field, value)| {
            let value = match value {
                AttributeValue::M(within) => AttributeValue::M(
                    within.iter().map(|(key, it)| (key.clone(), renamed(it))).collect(),
                ),
                other => renamed(other),
            };
            (field.clone(), value)
        });
        let put = PutRequest::builder().set_item(Some(item.collect())).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    });
    let requests: Vec<_> = requests.collect();
    for some in requests.chunks(25) {
        let written =
            world.dynamodb.batch_write_item().request_items(table, some.to_vec()).send().await;
        assert!(written.unwrap().unprocessed_items.unwrap_or_default().is_empty());
    }
}

/// How long a page may take, besides what the API takes, on a machine that does something else, too.
const AT_ONCE: Duration = Duration::from_millis(100);

pub async fn a_thousand_functions_are_listed_and_filtered_without_a_pause(world: &World) {
    let prefix = name(world, "many");
    let model = format!("{prefix}-model");
    world.create(&model, json!({})).await;
    copy(world, &model, (0..1000).map(|number| format!("{prefix}-{number:04}"))).await;
    let served = Served::start(world).await;
    let browser = &served.browser;
    served.open(&format!("/?prefix={prefix}")).await;
    let list = browser.until("main", "100 shown").await;
    assert!(list.contains(&format!("{prefix}-0099")), "{list}");
    let api = async || {
        let began = Instant::now();
        let path = format!("/v1/functions?prefix={prefix}&limit=100");
        let answer = world.api(http::Method::GET, &path, None).await;
        assert_eq!(answer.json()["functions"].as_array().unwrap().len(), 100);
        began.elapsed()
    };
    let base = &served.base;
    let page = async |number: usize| {
        // Spaces are no part of a name: each is a list of its own to the server, which has not been asked for.
        let script = format!(
            "const done = arguments[arguments.length - 1]; const began = performance.now(); \
             fetch('{base}/?prefix={prefix}' + encodeURIComponent(' '.repeat({number}))).then(it => it.text())\
             .then(text => done([performance.now() - began, text.split('<tr id=').length - 1]))"
        );
        let told = browser.run_later(&script).await;
        assert_eq!(told[1], json!(100));
        Duration::from_secs_f64(told[0].as_f64().unwrap() / 1000.0)
    };
    let script = format!(
        "const done = arguments[arguments.length - 1]; \
         fetch('{base}/?prefix={prefix}').then(it => it.text()).then(text => done(text.length))"
    );
    let bytes = browser.run_later(&script).await.as_u64().unwrap();
    assert!(bytes < 100_000, "{bytes} bytes");
    let mut times = Vec::new();
    for number in 1..=5 {
        times.push((api().await, page(number).await));
    }
    times.sort_by_key(|(api, page)| page.saturating_sub(*api));
    let (api, page) = times[2];
    println!(
        "a page of 100 of 1,000 functions: {page:?}, the API alone {api:?}; {bytes} bytes of HTML"
    );
    assert!(page < api + AT_ONCE, "{times:?}");
    // What is typed is answered by the server, without anything else being loaded.
    browser.fill("input[name=prefix]", &format!("{prefix}-07")).await;
    browser.until("main", &format!("{prefix}-0799")).await;
    browser.fill("input[name=prefix]", &format!("{prefix}-0777")).await;
    browser.until("main", "1 shown").await;
    browser.click("#list tbody a").await;
    browser.until("h1", &format!("{prefix}-0777")).await;
    served.close().await;
}

//! Watching an operation.

use formation_tests::{Fault, Rule, World};
use serde_json::json;

use super::served::{Served, command, name};

/// Asks for a function, and answers the path of the page of the operation that makes it.
async fn create(world: &World, name: &str) -> String {
    let accepted = world.ask_for(name, json!({})).await;
    let accepted = accepted.json();
    let id = accepted["operationId"].as_str().unwrap_or_else(|| panic!("{accepted}"));
    format!("/functions/{name}/operations/{id}")
}

pub async fn what_the_command_does_appears_by_itself(world: &World) {
    let name = name(world, "hello");
    let folder = tempfile::tempdir().unwrap();
    let code = "export const handler = async () => \"hello\";";
    let manifest = json!({"functions": {&name: {"code": code}}}).to_string();
    std::fs::write(folder.path().join("formation.yaml"), manifest).unwrap();
    let served = Served::start(world).await;
    let browser = &served.browser;
    served.open(&format!("/?prefix={name}")).await;
    browser.until("#list", "No function fits.").await;
    let mut apply = command(world, &["apply", "--yes"]);
    let applied = apply.current_dir(folder.path()).spawn().unwrap();
    // Nobody reloads the page.
    browser.until("#list", &name).await;
    browser.click(&format!("#f-{name} td a")).await;
    browser.until_lit("succeeded", "Ensure role").await;
    browser.until(".story", "was created in").await;
    browser.until_lit("succeeded", "Announce success").await;
    let applied = applied.wait_with_output().await.unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    served.close().await;
}

pub async fn a_create_that_takes_long_says_why_and_lights_up_as_it_goes(world: &World) {
    let name = name(world, "slow");
    let refusal = Fault::Refuse(
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    );
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 10_000, refusal));
    let served = Served::start(world).await;
    let browser = &served.browser;
    served.open(&create(world, &name).await).await;
    browser.until_lit("succeeded", "Ensure role").await;
    let text = browser.until(".story", "Waits for").await;
    assert!(text.contains("Ensure function"), "{text}");
    let text = browser.until(".story", "within seconds to a minute").await;
    assert!(text.contains("tells nobody when it has"), "{text}");
    browser.until_lit("waiting", "Ensure function").await;
    served.picture("operation-waits").await;
    world.proxy.release(&name);
    let text = browser.until(".story", "was created in").await;
    assert!(text.contains("Took longest\nEnsure function"), "{text}");
    assert!(text.contains("within seconds to a minute"), "{text}");
    browser.until_lit("succeeded", "Announce success").await;
    let lit = browser.lit("succeeded").await;
    assert!(
        ["Ensure role", "Go live", "Record success"]
            .iter()
            .all(|it| lit.iter().any(|lit| lit == it)),
        "{lit:?}"
    );
    assert_eq!(browser.text(".title .badge").await, "Succeeded");
    assert_eq!(browser.count("g.running, g.waiting, g.failed").await, 0);
    served.picture("operation-succeeded").await;
    served.close().await;
}

pub async fn a_create_that_fails_says_why_and_is_seen_to_leave_nothing(world: &World) {
    let name = name(world, "broken");
    let refusal = Fault::Refuse(
        400,
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 262144000 bytes",
    );
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refusal));
    let served = Served::start(world).await;
    let browser = &served.browser;
    served.open(&create(world, &name).await).await;
    browser.until_lit("failed", "Ensure function").await;
    let text = browser.until(".story", "did not work, and is taken back").await;
    assert!(text.contains("must be smaller than 262144000"), "{text}");
    served.picture("operation-undone").await;
    let text = browser.until(".story", "What is left").await;
    for expected in [
        "failed after",
        "Ensure function, with REJECTED",
        "InvalidParameterValueException, request injected",
        "Nothing: all that was made has been removed again, and the name is free.",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    browser.until_lit("failed", "Operation failed").await;
    let lit = browser.lit("succeeded").await;
    for state in ["Undo function", "Undo role", "Undo log group"] {
        assert!(lit.iter().any(|lit| lit == state), "{state}: {lit:?}");
    }
    served.picture("operation-failed").await;
    assert!(world.live(&name).await.parts().is_empty());
    assert!(!world.is_known(&name).await);
    served.close().await;
}

pub async fn what_a_failed_undo_leaves_is_said_until_it_is_gone(world: &World) {
    let name = name(world, "left");
    let refuse = Fault::Refuse(403, "AccessDeniedException", "explicit deny");
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refuse));
    let refuse = Fault::Refuse(400, "UnmodifiableEntity", "told");
    world.proxy.inject(Rule::new("iam:DeleteRole", &name, 1, refuse));
    let served = Served::start(world).await;
    let browser = &served.browser;
    served.open(&create(world, &name).await).await;
    let text = browser.until(".story", "What is left").await;
    assert!(text.contains("Left over: ROLE, LOG_GROUP."), "{text}");
    assert!(text.contains("tries again by itself"), "{text}");
    browser.until_lit("failed", "Operation failed").await;
    served.picture("operation-left").await;
    served.open(&format!("/functions/{name}")).await;
    browser.until("#live", "An operation failed and left something.").await;
    browser.click(".button.danger").await;
    browser.fill("input[name=name]", &name).await;
    browser.click("form.ask button").await;
    browser.until(".story", "was deleted in").await;
    assert!(world.live(&name).await.parts().is_empty());
    served.close().await;
}

pub async fn eight_tabs_are_all_shown_what_happens(world: &World) {
    let name = name(world, "tabs");
    let busy = Fault::Refuse(429, "TooManyRequestsException", "Rate exceeded");
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 10_000, busy));
    let served = Served::start(world).await;
    let browser = &served.browser;
    let path = create(world, &name).await;
    let mut tabs = Vec::new();
    for _ in 0..8 {
        tabs.push(browser.tab().await);
        served.open(&path).await;
        browser.until("h1", &name).await;
    }
    // What nobody sees asks for nothing: only the last of them is seen.
    let hidden = browser.run("return document.hidden").await;
    assert_eq!(hidden, json!(false));
    world.proxy.release(&name);
    for tab in &tabs {
        browser.to(tab).await;
        browser.until(".story", "was created in").await;
    }
    assert_eq!(world.function(&name).await.revision, 1);
    served.close().await;
}

pub async fn a_page_that_is_not_kept_up_to_date_says_so(world: &World) {
    let name = name(world, "lost");
    world.create(&name, json!({})).await;
    let mut served = Served::start(world).await;
    for path in ["/".to_owned(), format!("/functions/{name}")] {
        served.open(&path).await;
        served.browser.until("#main", &name).await;
        // It is live by now: the server has a stream for it.
        served.browser.until_true("document.querySelector('[data-live]')._htmx?.sse != null").await;
        assert_eq!(served.browser.count("#lost:not([hidden])").await, 0);
    }
    served.interrupt().await;
    let told = served.browser.until("#lost:not([hidden])", "gets no answer").await;
    assert!(told.contains("as it was at"), "{told}");
    // What was seen is still there.
    assert!(served.browser.text("#live").await.contains("Available"));
    served.browser.close().await;
}

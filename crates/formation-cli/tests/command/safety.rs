//! Text from elsewhere: it is shown, and does nothing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::*;

/// Clears the screen, sets a title, turns text around, and would be two commands to GitHub's runner.
const EVIL: &str = "x\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}1;1H\u{202e}\r\u{8}\n::set-output name=a::b\n \
                    ##[add-mask]c";

fn stub_of(description: &'static str) -> impl Fn(usize, &Seen) -> Reply {
    move |_, seen| {
        let mut function = stub::function("hello");
        function["description"] = json!(description);
        function["tags"] = json!({"a": description});
        let mut ended = with_steps(operation("FAILED"), &[(description, "FAILED", 1, "")]);
        ended["requestedBy"] = json!(description);
        ended["consoleUrl"] = json!(description);
        ended["error"] = json!({
            "code": "REJECTED", "step": description, "message": description,
            "awsErrorCode": description, "awsRequestId": description,
        });
        match seen.path() {
            PLAN => {
                let difference = json!({
                    "part": "FUNCTION", "facet": "CONFIGURATION", "property": "description",
                    "expected": "y", "actual": description,
                });
                let part =
                    json!({"part": "FUNCTION", "action": "CHANGE", "differences": [difference]});
                let warning = json!({"pointer": "/x", "code": "C", "detail": description});
                let each = json!({"kind": "UPDATE", "etag": "\"1-x\"", "parts": [part], "warnings": [warning]});
                answer(200, &[], &plans(seen, &each))
            }
            "/v1/functions" => answer(200, &[], &json!({"functions": [function]})),
            // FilterLogEvents.
            "/" => {
                let level = json!({"level": description, "message": description}).to_string();
                let events = [description, &level].map(|message| {
                    json!({"eventId": message, "timestamp": 1000, "logStreamName": "s", "message": message})
                });
                answer(200, &[], &json!({"events": events}))
            }
            // What is no JSON only a runtime of one's own can answer.
            path if path.ends_with("/invocations") && seen.body == "1" => {
                stub::raw(200, &[], description)
            }
            path if path.ends_with("/invocations") => {
                let tail = BASE64_STANDARD.encode(description);
                let headers = [("x-amz-function-error", "Unhandled"), ("x-amz-log-result", &tail)];
                let error = json!({"errorType": description, "errorMessage": description});
                answer(200, &headers, &error)
            }
            "/v1/functions/hello/operations" => answer(200, &[], &json!({"operations": [ended]})),
            "/v1/functions/refused" => {
                let mut problem = problem(422, "INVALID_FUNCTION");
                problem["detail"] = json!(description);
                problem["errors"] =
                    json!([{"pointer": description, "code": description, "detail": description}]);
                answer(422, &[], &problem)
            }
            _ if changes(seen) => answer(202, &[], &operation("RUNNING")),
            path if path.contains("/operations/") => answer(200, &[], &ended),
            _ => answer(200, &[("etag", "\"1-x\"")], &function),
        }
    }
}

const COMMANDS: [(&str, i32); 12] = [
    ("get hello", 0),
    ("list", 0),
    ("operations hello", 0),
    ("get refused", 4),
    ("plan", 0),
    ("apply --yes", 1),
    ("wait hello", 1),
    ("get hello -o yaml", 0),
    ("logs hello", 0),
    ("invoke hello", 1),
    ("invoke hello --data 1", 0),
    ("invoke hello -o json", 1),
];

#[tokio::test]
async fn it_moves_no_terminal() {
    let stub = Stub::start(stub_of(EVIL)).await;
    for (command, code) in COMMANDS {
        let project = Project::new(&stub.url, ONE).with("NO_COLOR", "1").with("TERM", "dumb");
        let project = project.with("AWS_ENDPOINT_URL", &stub.url);
        let left = project.at_terminal(command, 50, 200).ends().await.with(code);
        let raw = left.raw.replace("\r\n", "\n");
        let bad = raw.chars().find(|it| (it.is_control() && *it != '\n') || *it == '\u{202e}');
        assert_eq!(bad, None, "{command}: {left:#?}");
    }
}

#[tokio::test]
async fn it_commands_nothing_that_runs_a_job() {
    let stub = Stub::start(stub_of(EVIL)).await;
    for (command, code) in COMMANDS.into_iter().chain([
        ("get hello -o json", 0),
        ("apply --yes -o json", 1),
        ("logs hello -o json", 0),
    ]) {
        let project = Project::new(&stub.url, ONE).with("GITHUB_ACTIONS", "true");
        let project = project.with("AWS_ENDPOINT_URL", &stub.url);
        let said = project.run(command).await.with(code);
        for line in said.out.lines().chain(said.err.lines()) {
            let commands = line.trim_start().starts_with("::") || line.contains("##[");
            assert!(!commands, "{command}: {line:?}");
        }
    }
}

#[tokio::test]
async fn programs_get_it_as_it_is() {
    let stub = Stub::start(stub_of(EVIL)).await;
    let said = Project::new(&stub.url, ONE).run("get hello -o json").await.with(0);
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(shown["description"], EVIL);
    assert!(!said.out.chars().any(|it| it.is_control() && it != '\n'), "{said:?}");
    // JSON is YAML, too.
    let yaml = Project::new(&stub.url, ONE).run("get hello -o yaml").await.with(0);
    assert_eq!(yaml.out, said.out);
    let project = Project::new(&stub.url, ONE).with("AWS_ENDPOINT_URL", &stub.url);
    let said = project.run("logs hello -o json").await.with(0);
    let events: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["message"], events.len()), (&json!(EVIL), 2));
    let said = project.run("invoke hello").await.with(1);
    let error: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(error["errorMessage"], EVIL);
    let stub = Stub::start(stub_of("a\u{1b}[2J\n::b")).await;
    let yaml = Project::new(&stub.url, ONE).run("get hello -o yaml").await.with(0);
    assert!(yaml.out.contains("\ndescription: \"a\\e[2J\\n::b\"\n"), "{yaml:#?}");
}

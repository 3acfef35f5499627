//! What `examples/` shows, as it stands there.

use formation_tests::World;
use http::{Method, StatusCode};

/// One request of a file of sample requests.
struct Sample {
    title: String,
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Reads the requests of a `.http` file: `###` and a title, a line of method and URL, headers, an empty
/// line, the body.
fn samples(file: &str) -> Vec<Sample> {
    let read = |text: &str| {
        let mut lines = text.trim().lines();
        let title = lines.next().unwrap().trim().to_owned();
        let (method, url) = lines.next().unwrap().split_once(' ').unwrap();
        let target = url.strip_prefix("{{apiUrl}}").unwrap().to_owned();
        let headers = lines.by_ref().take_while(|line| !line.is_empty());
        let headers = headers.map(|line| line.split_once(": ").unwrap());
        // The client signs.
        let headers = headers.filter(|(name, _)| *name != "Authorization");
        let headers =
            headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let body = lines.collect::<Vec<_>>().join("\n");
        Sample { title, method: method.parse().unwrap(), target, headers, body }
    };
    file.split("\n###").skip(1).map(read).collect()
}

pub async fn the_sample_requests_do_what_their_titles_say(world: &World) {
    let samples = samples(include_str!("../../examples/requests.http"));
    let mut changes = 0;
    for Sample { title, method, target, headers, body } in samples {
        let is_waited_for = target.contains("wait=");
        let expected = match (&method, is_waited_for) {
            (&Method::POST, true) if target.contains("/functions?") => StatusCode::CREATED,
            (&Method::POST, false) if target == "/v1/uploads" => StatusCode::CREATED,
            (&Method::DELETE, true) => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        };
        changes += usize::from(is_waited_for);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let answer = world.api_raw(method, &target, &headers, body).await;
        assert_eq!(answer.status, expected, "{title}: {answer:?}");
    }
    assert!(changes >= 4, "{changes}");
    assert!(!world.is_known("sample").await);
}

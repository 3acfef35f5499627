//! How long signed requests take against local AWS: a benchmark, not a test (`make bench`).
//!
//! Local AWS waits some 50 ms for the first log line of each invocation, so compare runs with each
//! other and not with AWS.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use formation_model::OperationStatus;
use formation_tests::{WAIT_SCALE, World, run};
use http::Method;
use serde_json::json;

const REQUESTS: usize = 200;

async fn measure(what: &str, requests: usize, request: impl AsyncFn(usize)) {
    let mut times = Vec::with_capacity(requests);
    for number in 0..requests {
        let began = Instant::now();
        request(number).await;
        times.push(began.elapsed());
    }
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{what:<24} {requests:>4} requests   p50 {:>6.1} ms   p95 {:>6.1} ms",
        milliseconds(at(50)),
        milliseconds(at(95)),
    );
}

async fn benchmark(world: &World) {
    let name = world.name("bench");
    let created = world.create(&name, json!({})).await;
    assert_eq!(created.status, OperationStatus::Succeeded);
    let path = format!("/v1/functions/{name}");
    measure("get a function", REQUESTS, async |_| {
        assert_eq!(world.api(Method::GET, &path, None).await.status, 200);
    })
    .await;
    let operation = format!("{path}/operations/{}", created.operation_id);
    measure("get an operation", REQUESTS, async |_| {
        assert_eq!(world.api(Method::GET, &operation, None).await.status, 200);
    })
    .await;
    // Accepting: each function is one more on the page that is listed below.
    measure("accept a create", REQUESTS, async |number| {
        let accepted = world.ask_for(&format!("{name}-{number}"), json!({})).await;
        assert_eq!(accepted.status, 202, "{}", accepted.json());
    })
    .await;
    measure("list a page of 50", REQUESTS, async |_| {
        let page = world.api(Method::GET, "/v1/functions?limit=50", None).await;
        assert_eq!(page.json()["functions"].as_array().map(Vec::len), Some(50));
    })
    .await;
}

fn main() -> ExitCode {
    run(WAIT_SCALE, 1, |suite| vec![suite.trial("latency", benchmark)])
}

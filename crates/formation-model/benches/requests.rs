//! What the api Lambda does by itself with a request: reading, patching and zipping.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use formation_model::function::{Architecture, TriggerLimits};
use formation_model::{Bundle, Defaults, FunctionSpec, bundle, request, schema};
use serde_json::json;

const DEFAULTS: Defaults = Defaults {
    architecture: Architecture::Arm64,
    code_buckets: false,
    layer_arns: Vec::new(),
    max_reserved_concurrency: 0,
    policy_characters: None,
    triggers: TriggerLimits::NONE,
};

fn current() -> Option<FunctionSpec> {
    let request = request::read(&schema::example(), &DEFAULTS, None).ok()?;
    let code = Bundle {
        sha256: "c2hh".to_owned(),
        size_bytes: 7,
        key: "bundles/hello/1.zip".to_owned(),
        version: "v1".to_owned(),
        inline: true,
    };
    Some(request.with_code(code))
}

fn requests(criterion: &mut Criterion) {
    let example = schema::example();
    criterion.bench_function("read a function", |bencher| {
        bencher.iter(|| request::read(black_box(&example), &DEFAULTS, None));
    });
    let Some(current) = current() else { return };
    let patch = json!({"memoryMegabytes": 512, "environment": {"GREETING": null, "NEW": "1"}});
    criterion.bench_function("merge a patch", |bencher| {
        bencher.iter(|| request::patched(black_box(&patch), &DEFAULTS, &current));
    });
    let source = "x".repeat(1024 * 1024);
    criterion.bench_function("zip and hash 1 MiB of source", |bencher| {
        bencher.iter(|| bundle::from_source("index.mjs", &source).map(|it| bundle::sha256(&it)));
    });
}

criterion_group!(benches, requests);
criterion_main!(benches);

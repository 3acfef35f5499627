//! What the tests of this crate share.

use formation_model::function::{Architecture, Environment};
use formation_model::{Bundle, FunctionSpec, StackIdentity};

pub(crate) fn stack() -> StackIdentity {
    StackIdentity {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account_id: "111122223333".into(),
        stack_key: "0a1b2c3d".into(),
    }
}

pub(crate) fn spec() -> FunctionSpec {
    FunctionSpec {
        function_name: "hello".parse().unwrap(),
        code: Bundle {
            sha256: "c2hh".into(),
            size_bytes: 7,
            key: "bundles/hello/1.zip".into(),
            version: "v1".into(),
        },
        runtime: "nodejs24.x".into(),
        handler: "index.handler".into(),
        architecture: Architecture::Arm64,
        memory_megabytes: 128,
        timeout_seconds: 3,
        log_retention_days: 30,
        environment: Environment::default(),
        description: String::new(),
        tags: [("team".to_owned(), "a".to_owned())].into(),
        deletion_protection: false,
    }
}

//! A stand-in for Lambda at the wire, for tests: it keeps what requests set and shows it, knowing
//! next to nothing of what it is.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_lambda::config::Region;
use aws_sdk_lambda::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use serde_json::{Value, json};

use crate::testing::json_error;

/// One function in a Lambda of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct StandIn(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What GetFunction answers; null while there is no function.
    function: Value,
    /// The requests that change something: operation and body.
    changes: Vec<(&'static str, Value)>,
}

impl StandIn {
    /// A client of it.
    pub fn client(&self) -> Client {
        let config = Config::builder().with_test_defaults().behavior_version_latest();
        let config = config.region(Region::new("eu-west-1"));
        Client::from_conf(config.http_client(self.clone()).build())
    }

    /// Somebody changes something of what GetFunction answers.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).function);
    }

    /// What GetFunction shows of the configuration.
    pub fn configuration(&self) -> Value {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).function["Configuration"].clone()
    }

    /// The changes since the last look.
    pub fn changes(&self) -> Vec<(&'static str, Value)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).changes)
    }
}

impl State {
    fn answer(&mut self, method: &str, path: &str, query: &str, body: Value) -> HttpResponse {
        let operation = match (method, path.rsplit('/').next().unwrap_or_default()) {
            ("GET", _) if self.function.is_null() => {
                return json_error(404, "ResourceNotFoundException", "Function not found: arn");
            }
            ("GET", _) => return answer(200, &self.function),
            ("POST", "functions") => "CreateFunction",
            ("PUT", "configuration") => "UpdateFunctionConfiguration",
            ("PUT", "code") => "UpdateFunctionCode",
            ("PUT", "concurrency") => "PutFunctionConcurrency",
            ("DELETE", "concurrency") => "DeleteFunctionConcurrency",
            ("POST", _) => "TagResource",
            ("DELETE", _) => "UntagResource",
            other => panic!("no such route: {other:?}"),
        };
        self.changes.push((operation, body.clone()));
        match operation {
            "TagResource" => {
                for (key, value) in body["Tags"].as_object().into_iter().flatten() {
                    self.function["Tags"][key] = value.clone();
                }
            }
            "UntagResource" => {
                let tags = self.function["Tags"].as_object_mut().unwrap();
                tags.retain(|key, _| !query.contains(&format!("tagKeys={key}")));
            }
            "PutFunctionConcurrency" => self.function["Concurrency"] = body,
            "DeleteFunctionConcurrency" => self.function["Concurrency"] = Value::Null,
            _ => self.set(body),
        }
        answer(200, &self.function["Configuration"])
    }

    fn set(&mut self, mut body: Value) {
        // The digest of an object's content is its version here.
        let code = if body["Code"].is_null() { body.clone() } else { body["Code"].take() };
        let sha256 = code["S3ObjectVersion"].clone();
        if !sha256.is_null() {
            self.function["Configuration"]["CodeSha256"] = sha256;
        }
        if !body["Tags"].is_null() {
            self.function["Tags"] = body["Tags"].take();
        }
        for (field, value) in body.as_object_mut().into_iter().flatten() {
            let shown = match (field.as_str(), value.take()) {
                (field, _) if field.starts_with("S3") => continue,
                (_, Value::Null) => continue,
                ("Layers", Value::Array(arns)) => {
                    arns.into_iter().map(|arn| json!({"Arn": arn, "CodeSize": 1})).collect()
                }
                (_, value) => value,
            };
            self.function["Configuration"][field] = shown;
        }
        self.function["Configuration"]["State"] = json!("Active");
        self.function["Configuration"]["LastUpdateStatus"] = json!("Successful");
    }
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let status = StatusCode::try_from(status).unwrap();
    HttpResponse::new(status, body.to_string().into())
}

impl HttpConnector for StandIn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (path, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_default();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        HttpConnectorFuture::ready(Ok(state.answer(request.method(), path, query, body)))
    }
}

impl HttpClient for StandIn {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

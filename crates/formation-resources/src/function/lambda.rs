//! A stand-in for Lambda at the wire, for tests: it keeps what requests set and shows it, knowing
//! next to nothing of what it is.

use std::collections::BTreeMap;
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
pub(crate) struct StandIn(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What GetFunction answers; null while there is no function.
    function: Value,
    /// The requests that change something: operation and body.
    changes: Vec<(&'static str, Value)>,
    /// The configurations of published versions by number, and that of `$LATEST` by which each was published.
    versions: BTreeMap<u64, (Value, Value)>,
    /// What GetAlias answers; null while there is none.
    alias: Value,
    /// How often GetAlias was asked.
    looks: usize,
    /// How often anything was updated: RevisionIds are made of it.
    updates: usize,
    /// In which state versions are published.
    publishes: Option<&'static str>,
    /// What is answered to the next call of an operation, and whether it is carried out all the same.
    refusals: Vec<Refused>,
}

/// An answer to an operation: its name, status, code and message, and whether it is carried out all the same.
pub(crate) type Refused = (&'static str, u16, &'static str, &'static str, bool);

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

    /// Somebody changes something of what GetAlias answers, or of a version.
    pub fn change_alias(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        state.updates += 1;
        let revision = json!(format!("r-{}", state.updates));
        change(&mut state.alias);
        if !state.alias.is_null() {
            state.alias["RevisionId"] = revision;
        }
    }

    /// What GetAlias answers.
    pub fn alias(&self) -> Value {
        self.state().alias.clone()
    }

    /// How often GetAlias was asked since the last look.
    pub fn looks(&self) -> usize {
        std::mem::take(&mut self.state().looks)
    }

    /// The numbers of the versions.
    pub fn versions(&self) -> Vec<u64> {
        self.state().versions.keys().copied().collect()
    }

    /// What GetFunction shows of a version.
    pub fn version(&self, number: u64) -> Value {
        self.state().versions[&number].0.clone()
    }

    /// A version becomes what `change` makes of it.
    pub fn change_version(&self, number: u64, change: impl FnOnce(&mut Value)) {
        change(&mut self.state().versions.get_mut(&number).unwrap().0);
    }

    /// Somebody deletes a version.
    pub fn delete_version(&self, number: u64) {
        self.state().versions.remove(&number);
    }

    /// Versions are in this state when they are published.
    pub fn publishes(&self, state: &'static str) {
        self.state().publishes = Some(state);
    }

    /// The next call of an operation is answered like this.
    pub fn refuse(&self, refused: Refused) {
        self.state().refusals.push(refused);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            ("GET", "live") if path.contains("/aliases/") => {
                self.looks += 1;
                return match &self.alias {
                    Value::Null => absent(),
                    alias => answer(200, alias),
                };
            }
            ("GET", "versions") => {
                let versions: Vec<_> = self.versions.values().map(|(version, _)| version).collect();
                return answer(200, &json!({"Versions": versions}));
            }
            ("GET", _) if self.function.is_null() => {
                return absent();
            }
            ("GET", _) => return self.shown(query),
            ("POST", "functions") => "CreateFunction",
            ("PUT", "configuration") => "UpdateFunctionConfiguration",
            ("PUT", "code") => "UpdateFunctionCode",
            ("PUT", "concurrency") => "PutFunctionConcurrency",
            ("DELETE", "concurrency") => "DeleteFunctionConcurrency",
            ("POST", "versions") => "PublishVersion",
            ("POST", "aliases") => "CreateAlias",
            ("PUT", "live") => "UpdateAlias",
            ("DELETE", _) if query.contains("Qualifier=") => "DeleteFunction",
            ("POST", _) => "TagResource",
            ("DELETE", _) => "UntagResource",
            other => panic!("no such route: {other:?}"),
        };
        self.changes.push((operation, body.clone()));
        let refused = self.refusals.iter().position(|it| it.0 == operation);
        let refused = refused.map(|at| self.refusals.remove(at));
        let answered = match refused {
            Some((.., false)) => absent(),
            _ => self.carry_out(operation, query, body),
        };
        match refused {
            Some((_, status, code, message, _)) => json_error(status, code, message),
            None => answered,
        }
    }

    /// What GetFunction shows of `$LATEST`, or of what the query's qualifier names.
    fn shown(&self, query: &str) -> HttpResponse {
        let Some((_, qualifier)) = query.split_once("Qualifier=") else {
            return answer(200, &self.function);
        };
        let qualifier = match qualifier {
            "live" => self.alias["FunctionVersion"].as_str().unwrap_or_default(),
            number => number,
        };
        let found = qualifier.parse().ok().and_then(|number: u64| self.versions.get(&number));
        match found {
            Some((version, _)) => answer(200, &json!({"Configuration": version})),
            None => absent(),
        }
    }

    fn publish(&mut self, body: &Value) -> HttpResponse {
        let latest = self.function["Configuration"].clone();
        let stale = |field: &str| !body[field].is_null() && body[field] != latest[field];
        if stale("RevisionId") {
            return json_error(412, "PreconditionFailedException", "The RevisionId is not current");
        }
        if stale("CodeSha256") {
            let message = "CodeSHA256 (a) is different from current CodeSHA256";
            return json_error(400, "InvalidParameterValueException", message);
        }
        let last = self.versions.last_key_value();
        if let Some((_, (version, from))) = last
            && from["RevisionId"] == latest["RevisionId"]
        {
            return answer(201, version);
        }
        let number = last.map_or(1, |(number, _)| number + 1);
        let mut version = latest.clone();
        version["Version"] = json!(number.to_string());
        version["State"] = json!(self.publishes.unwrap_or("Active"));
        version["RevisionId"] = json!(format!("of-{number}"));
        if !body["Description"].is_null() {
            version["Description"] = body["Description"].clone();
        }
        self.versions.insert(number, (version.clone(), latest));
        answer(201, &version)
    }

    fn lead(&mut self, operation: &str, body: &Value) -> HttpResponse {
        let is_there = !self.alias.is_null();
        if operation == "CreateAlias" && is_there {
            return json_error(409, "ResourceConflictException", "Alias already exists: arn");
        }
        if operation != "CreateAlias" && !is_there {
            return absent();
        }
        if is_there
            && !body["RevisionId"].is_null()
            && body["RevisionId"] != self.alias["RevisionId"]
        {
            return json_error(412, "PreconditionFailedException", "The RevisionId is not current");
        }
        let to = body["FunctionVersion"].as_str().and_then(|it| it.parse().ok());
        let Some((version, _)) = to.and_then(|number: u64| self.versions.get(&number)) else {
            return absent();
        };
        if version["State"] != "Active" {
            return json_error(409, "ResourceConflictException", "The version is not Active");
        }
        // What a request leaves out is kept.
        let shares = match &body["RoutingConfig"]["AdditionalVersionWeights"] {
            Value::Null => self.alias["RoutingConfig"]["AdditionalVersionWeights"].clone(),
            shares => shares.clone(),
        };
        if !shares[body["FunctionVersion"].as_str().unwrap_or_default()].is_null() {
            let message = "The version is already included in routing configuration";
            return json_error(400, "InvalidParameterValueException", message);
        }
        self.updates += 1;
        self.alias = json!({
            "FunctionVersion": body["FunctionVersion"], "RevisionId": format!("r-{}", self.updates)
        });
        if shares.as_object().is_some_and(|shares| !shares.is_empty()) {
            self.alias["RoutingConfig"]["AdditionalVersionWeights"] = shares;
        }
        answer(200, &self.alias)
    }

    fn carry_out(&mut self, operation: &str, query: &str, body: Value) -> HttpResponse {
        match operation {
            "DeleteFunction" => {
                let number = query.split_once("Qualifier=").and_then(|(_, it)| it.parse().ok());
                // One that is not there is deleted all the same.
                number.and_then(|number: u64| self.versions.remove(&number));
                return HttpResponse::new(StatusCode::try_from(204).unwrap(), "".into());
            }
            "PublishVersion" => return self.publish(&body),
            "CreateAlias" | "UpdateAlias" => return self.lead(operation, &body),
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
            _ => {
                let publishes = body["Publish"] == true;
                self.set(body);
                if publishes {
                    return self.publish(&Value::Null);
                }
            }
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
        self.updates += 1;
        self.function["Configuration"]["RevisionId"] = json!(format!("r-{}", self.updates));
        self.function["Configuration"]["State"] = json!("Active");
        self.function["Configuration"]["LastUpdateStatus"] = json!("Successful");
    }
}

fn absent() -> HttpResponse {
    json_error(404, "ResourceNotFoundException", "Function not found: arn")
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

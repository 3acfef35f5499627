//! What calls a function, in the fields of the API, and what of it no manifest can hold.

use formation_model::triggers::SourceKind;
use serde_json::{Map, Value, json};

use super::around::listed;

/// What of an event source mapping is a field, or says nothing of what it does.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html>.
const OF_MAPPING: [&str; 18] = [
    "BatchSize",
    "DestinationConfig",
    "EventSourceArn",
    "EventSourceMappingArn",
    "FilterCriteria",
    "FunctionArn",
    "FunctionResponseTypes",
    "LastModified",
    "LastProcessingResult",
    "MaximumBatchingWindowInSeconds",
    "MetricsConfig",
    "Queues",
    "ScalingConfig",
    "StartingPosition",
    "State",
    "StateTransitionReason",
    "Topics",
    "UUID",
];

/// Queues and streams that it reads.
pub(super) fn sources(answer: &Value, fields: &mut Map<String, Value>) -> Option<String> {
    let mappings = answer["EventSourceMappings"].as_array().into_iter().flatten();
    let (mut kept, mut names, mut others, mut lost) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for mapping in mappings {
        let arn = mapping["EventSourceArn"].as_str().unwrap_or("one without a name");
        match SourceKind::of(arn) {
            Some(kind) if kept.len() < formation_model::function::MOST_TRIGGERS => {
                names.push(arn.to_owned());
                lost.extend(beyond(mapping).map(|name| format!("{name} of {arn}")));
                kept.push(source(arn, kind, mapping));
            }
            _ => others.push(arn.to_owned()),
        }
    }
    if !kept.is_empty() {
        fields.insert("eventSources".to_owned(), json!(kept));
    }
    let told = [
        listed(
            &names,
            "they are in the manifest and not enabled, since both functions would share what comes: delete the old \
             mappings, then enable them",
        ),
        listed(&lost, "Formation has no field for it"),
        listed(&others, "make them anew for the new function, and delete the old ones first"),
    ];
    join(told)
}

fn source(arn: &str, kind: SourceKind, mapping: &Value) -> Value {
    let mut source = json!({"arn": arn, "enabled": false});
    let mut put = |name: &str, value: Value| {
        if !matches!(value, Value::Null | Value::Bool(false))
            && value != json!([])
            && value != json!(0)
        {
            source[name] = value;
        }
    };
    put("batchSize", mapping["BatchSize"].clone());
    put("maximumBatchingWindowSeconds", mapping["MaximumBatchingWindowInSeconds"].clone());
    let filters = mapping["FilterCriteria"]["Filters"].as_array().into_iter().flatten();
    let pattern = |filter: &Value| serde_json::from_str::<Value>(filter["Pattern"].as_str()?).ok();
    put("filterPatterns", filters.filter_map(pattern).collect());
    put("maximumConcurrency", mapping["ScalingConfig"]["MaximumConcurrency"].clone());
    if !kind.is_queue() {
        put("startingPosition", mapping["StartingPosition"].clone());
        put("onFailureArn", mapping["DestinationConfig"]["OnFailure"]["Destination"].clone());
    }
    let types = mapping["FunctionResponseTypes"].as_array().into_iter().flatten();
    let reports = types.into_iter().any(|it| it == "ReportBatchItemFailures");
    put("reportBatchItemFailures", reports.into());
    source
}

/// What of a mapping is no field, where it is not as it would be by default.
fn beyond(mapping: &Value) -> impl Iterator<Item = &str> {
    let members = mapping.as_object().into_iter().flatten();
    let is_default = |value: &Value| match value {
        Value::Number(number) => [-1, 0, 1].map(Some).contains(&number.as_i64()),
        Value::Object(members) => members.values().all(Value::is_null),
        value => matches!(value, Value::Null | Value::Bool(false)) || *value == json!([]),
    };
    let other = members
        .filter(move |(name, value)| !OF_MAPPING.contains(&name.as_str()) && !is_default(value));
    other.map(|(name, _)| name.as_str())
}

/// Its address.
pub(super) fn url(answer: &Value, fields: &mut Map<String, Value>) -> Option<String> {
    let configs = answer["FunctionUrlConfigs"].as_array().into_iter().flatten();
    let urls: Vec<_> = configs.clone().filter_map(|it| it["FunctionUrl"].as_str()).collect();
    if let Some(config) = configs.into_iter().find(|it| it["AuthType"].is_string()) {
        let mut url = json!({"authType": config["AuthType"]});
        if config["InvokeMode"] == "RESPONSE_STREAM" {
            url["invokeMode"] = config["InvokeMode"].clone();
        }
        if let Some(cors) = config["Cors"].as_object().filter(|cors| !cors.is_empty()) {
            let name = |name: &str| match name {
                "MaxAge" => "maxAgeSeconds".to_owned(),
                name => name[..1].to_ascii_lowercase() + &name[1..],
            };
            let members = cors
                .iter()
                .filter(|(name, value)| name.is_ascii() && !name.is_empty() && !value.is_null());
            url["cors"] =
                members.map(|(it, value)| (name(it), value.clone())).collect::<Map<_, _>>().into();
        }
        fields.insert("functionUrl".to_owned(), url);
    }
    let urls: Vec<_> = urls.into_iter().map(str::to_owned).collect();
    listed(&urls, "the new function has another")
}

/// Who may invoke it.
pub(super) fn invokers(answer: &Value, fields: &mut Map<String, Value>) -> Option<String> {
    let policy: Value = serde_json::from_str(answer["Policy"].as_str()?).ok()?;
    let (mut kept, mut names, mut others) = (Vec::<Value>::new(), Vec::new(), Vec::new());
    for statement in policy["Statement"].as_array().into_iter().flatten() {
        let principal = &statement["Principal"];
        let named =
            principal.as_str().or(principal["Service"].as_str()).or(principal["AWS"].as_str());
        let named = named.unwrap_or("others").to_owned();
        match invoker(statement) {
            Some(invoker) if kept.contains(&invoker) => {}
            Some(invoker) if kept.len() < formation_model::function::MOST_TRIGGERS => {
                kept.push(invoker);
                names.push(named);
            }
            _ => others.push(named),
        }
    }
    if !kept.is_empty() {
        fields.insert("invokers".to_owned(), json!(kept));
    }
    for names in [&mut names, &mut others] {
        names.sort();
        names.dedup();
    }
    let told = [
        listed(&names, "they may invoke the new one, too, by its alias live: tell them its ARN"),
        listed(
            &others,
            "they may invoke it; allow them to invoke the new one, too (lambda:AddPermission)",
        ),
    ];
    join(told)
}

/// A statement in the words of a manifest, where it says nothing that has none: not that everybody may, nor what the
/// function's address, or a rule that targets the old function, needs.
fn invoker(statement: &Value) -> Option<Value> {
    let is_invoking = statement["Action"] == "lambda:InvokeFunction";
    let mut invoker = Map::new();
    let principal = &statement["Principal"];
    let named = match (principal["Service"].as_str(), principal["AWS"].as_str()) {
        (Some("events.amazonaws.com"), _) => return None,
        (Some(service), _) => service,
        (_, Some(account)) => account,
        _ => return None,
    };
    invoker.insert("principal".to_owned(), json!(named));
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let field = match (operator.as_str(), key.to_ascii_lowercase().as_str()) {
                ("ArnLike" | "ArnEquals", "aws:sourcearn") => "sourceArn",
                ("StringEquals", "aws:sourceaccount") => "sourceAccount",
                _ => return None,
            };
            invoker.insert(field.to_owned(), json!(value.as_str()?));
        }
    }
    (is_invoking && statement["Effect"] == "Allow").then_some(invoker.into())
}

/// What becomes of asynchronous invocations that fail.
pub(super) fn asynchronous(answer: &Value, fields: &mut Map<String, Value>) -> Option<String> {
    let configs: Vec<_> =
        answer["FunctionEventInvokeConfigs"].as_array().into_iter().flatten().collect();
    let is_own = |it: &&&Value| {
        let arn = it["FunctionArn"].as_str().unwrap_or_default();
        arn.ends_with(":$LATEST") || arn.split(':').count() == 7
    };
    let own = configs.iter().find(is_own);
    if let Some(own) = own {
        for (field, value) in [
            ("asyncRetries", &own["MaximumRetryAttempts"]),
            ("asyncMaximumAgeSeconds", &own["MaximumEventAgeInSeconds"]),
            ("onFailureArn", &own["DestinationConfig"]["OnFailure"]["Destination"]),
        ] {
            if !value.is_null() {
                fields.insert(field.to_owned(), value.clone());
            }
        }
    }
    let succeeded = own.and_then(|it| it["DestinationConfig"]["OnSuccess"]["Destination"].as_str());
    let succeeded = succeeded.map(|arn| format!("{arn} is told of those that succeed"));
    let name = |it: &&Value| it["FunctionArn"].as_str().unwrap_or("one without a name").to_owned();
    let others = configs.iter().filter(|it| !is_own(it)).map(name);
    let others: Vec<_> = succeeded.into_iter().chain(others).collect();
    listed(&others, "the new function has Lambda's defaults for them")
}

fn join(told: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let told: Vec<_> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("; "))
}

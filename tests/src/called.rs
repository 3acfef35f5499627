//! What AWS holds that calls a function, whoever made it.

use std::collections::BTreeMap;

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::types::Cors;
use aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
use formation_model::names::LIVE;
use serde_json::{Value, json};

use crate::world::World;

/// What an answer shows; none where there is no such thing.
fn shown<T, E: ProvideErrorMetadata + std::fmt::Debug>(
    answer: Result<T, SdkError<E>>,
) -> Option<T> {
    match answer {
        Ok(it) => Some(it),
        Err(error) if error.code() == Some("ResourceNotFoundException") => None,
        Err(error) => panic!("it cannot be looked at: {error:?}"),
    }
}

/// A derived name without its hash.
fn without_hash(name: &str) -> &str {
    name.rsplit_once('_').map_or(name, |(name, _)| name)
}

impl World {
    /// A queue of its own for a function, with this visibility timeout; its ARN.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn queue(&self, name: &str, seconds: u32) -> String {
        let created = self.sqs.create_queue().queue_name(format!("{name}_jobs"));
        let created = created.attributes(VisibilityTimeout, seconds.to_string()).send().await;
        created.expect("the queue is made");
        format!("arn:aws:sqs:{}:{}:{name}_jobs", self.stack.region, self.stack.account_id)
    }

    /// Fields of a function by which one of each kind calls it; its queue is made.
    ///
    /// # Panics
    /// If the queue cannot be made.
    pub async fn one_of_each(&self, name: &str) -> Value {
        json!({
            "functionUrl": {"authType": "NONE"},
            "invokers": [{
                "principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::photos",
                "sourceAccount": self.stack.account_id
            }],
            "schedules": [{
                "name": "nightly", "expression": "cron(0 3 * * ? *)", "input": r#"{"job":"s3cr3t"}"#
            }],
            "eventRules": [{"name": "on-order", "pattern": {"source": [format!("shop.{name}")]}}],
            "eventSources": [{"arn": self.queue(name, 30).await, "reportBatchItemFailures": true}],
            "asyncRetries": 0
        })
    }

    /// Everything that calls a function, as AWS has it: without what is another each time that it is made. Null
    /// where nothing does.
    ///
    /// # Panics
    /// Where AWS cannot tell.
    pub async fn what_calls(&self, name: &str, recorded_url: Option<&str>) -> Value {
        let found = json!({
            "url": self.url_of(name, recorded_url).await,
            "policy": self.statements_of(name).await,
            "asynchronous": self.asynchronous_calls_of(name).await,
            "schedules": self.schedules_of(name).await,
            "rules": self.rules_of(name).await,
            "sources": self.sources_of(name).await,
        });
        let is_nothing = |it: &Value| it.is_null() || it == &json!([]) || it == &json!({});
        let nothing = found.as_object().is_some_and(|it| it.values().all(is_nothing));
        if nothing { Value::Null } else { found }
    }

    async fn url_of(&self, name: &str, recorded: Option<&str>) -> Value {
        let got = self.lambda.get_function_url_config().function_name(name).qualifier(LIVE);
        let Some(it) = shown(got.send().await) else { return Value::Null };
        // What is cleared is empty, and what was never set is not there.
        let cors = it.cors.filter(|cors| *cors != Cors::builder().build());
        let cors = cors.map(|cors| format!("{cors:?}"));
        let mode = it.invoke_mode.map(|mode| mode.as_str().to_owned());
        let is_recorded = recorded == Some(it.function_url.as_str());
        json!({
            "auth": it.auth_type.as_str(), "mode": mode, "cors": cors, "isRecorded": is_recorded
        })
    }

    /// The statements of the policy at the alias, without those ids that are derived.
    pub async fn statements_of(&self, name: &str) -> Vec<Value> {
        let got = self.lambda.get_policy().function_name(name).qualifier(LIVE).send().await;
        let policy = shown(got).and_then(|it| it.policy).unwrap_or_default();
        let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
        let mut statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        for statement in &mut statements {
            let derived = statement["Sid"].as_str().is_some_and(|it| it.starts_with("formation_"));
            if derived {
                statement["Sid"] = json!("derived");
            }
            // That of a rule has its derived name.
            if let Some(arn) = statement.pointer_mut("/Condition/ArnLike/AWS:SourceArn")
                && let Some(text) = arn.as_str().filter(|it| it.contains(":rule/"))
            {
                *arn = json!(without_hash(text));
            }
        }
        statements.sort_by_key(Value::to_string);
        statements
    }

    async fn asynchronous_calls_of(&self, name: &str) -> Value {
        let got = self.lambda.get_function_event_invoke_config().function_name(name);
        let Some(it) = shown(got.qualifier(LIVE).send().await) else { return Value::Null };
        let failed = it.destination_config.and_then(|it| it.on_failure?.destination);
        json!({
            "retries": it.maximum_retry_attempts, "age": it.maximum_event_age_in_seconds,
            "failed": failed
        })
    }

    /// The schedules that invoke a function, by name.
    pub async fn schedules_of(&self, name: &str) -> BTreeMap<String, Value> {
        let mut schedules = BTreeMap::new();
        let listed = self.scheduler.list_schedules().send().await.expect("schedules can be listed");
        for it in listed.schedules {
            let (group, name_of_it) =
                (it.group_name.unwrap_or_default(), it.name.unwrap_or_default());
            let get = self.scheduler.get_schedule().name(&name_of_it).group_name(&group);
            let Some(it) = shown(get.send().await) else { continue };
            let target = it.target.expect("a schedule has a target");
            if !target.arn.ends_with(&format!(":{name}:{LIVE}")) {
                continue;
            }
            let state = it.state.map(|it| it.as_str().to_owned());
            let schedule = json!({
                "group": group, "expression": it.schedule_expression,
                "timezone": it.schedule_expression_timezone, "state": state, "input": target.input
            });
            schedules.insert(without_hash(&name_of_it).to_owned(), schedule);
        }
        schedules
    }

    /// The rules that invoke a function, by bus and name.
    pub async fn rules_of(&self, name: &str) -> BTreeMap<String, Value> {
        let mut rules = BTreeMap::new();
        let buses = self.events.list_event_buses().send().await.expect("buses can be listed");
        for bus in buses.event_buses.unwrap_or_default() {
            let bus = bus.name.unwrap_or_default();
            let listed = self.events.list_rules().event_bus_name(&bus).send().await;
            // Tests make and delete buses.
            for rule in shown(listed).and_then(|it| it.rules).unwrap_or_default() {
                let rule_name = rule.name.unwrap_or_default();
                let targets = self.events.list_targets_by_rule().rule(&rule_name);
                let targets = shown(targets.event_bus_name(&bus).send().await);
                let targets = targets.and_then(|it| it.targets).unwrap_or_default();
                let leads = |it: &aws_sdk_eventbridge::types::Target| {
                    it.arn.ends_with(&format!(":{name}:{LIVE}"))
                };
                // Without a target it is still there.
                let is_derived = rule_name.contains(&format!("_{name}_"));
                if !targets.iter().any(leads) && !is_derived {
                    continue;
                }
                let arn = rule.arn.unwrap_or_default();
                let tags = self.events.list_tags_for_resource().resource_arn(arn).send().await;
                let tags = shown(tags).and_then(|it| it.tags).unwrap_or_default();
                let tags: BTreeMap<_, _> =
                    tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
                let inputs: Vec<_> = targets.iter().map(|it| (&it.id, &it.input)).collect();
                let state = rule.state.map(|it| it.as_str().to_owned());
                let rule = json!({
                    "pattern": rule.event_pattern, "state": state, "targets": inputs, "tags": tags
                });
                let shown_name =
                    if is_derived { without_hash(&rule_name) } else { &rule_name }.to_owned();
                rules.insert(format!("{bus}/{shown_name}"), rule);
            }
        }
        rules
    }

    /// The event source mappings of a function.
    pub async fn sources_of(&self, name: &str) -> Vec<Value> {
        let listed = self.lambda.list_event_source_mappings().function_name(name).send().await;
        let mappings = shown(listed).and_then(|it| it.event_source_mappings).unwrap_or_default();
        let mut sources = Vec::new();
        for it in mappings {
            let arn = it.event_source_mapping_arn().unwrap_or_default();
            let tags = self.lambda.list_tags().resource(arn).send().await;
            let tags = shown(tags).and_then(|it| it.tags).unwrap_or_default();
            let tags: BTreeMap<_, _> = tags.into_iter().collect();
            let filters = it.filter_criteria().map(|it| it.filters()).unwrap_or_default();
            let filters: Vec<_> = filters.iter().filter_map(|it| it.pattern()).collect();
            let failed = it.destination_config().and_then(|it| it.on_failure()?.destination());
            let failed = failed.filter(|it| !it.is_empty());
            let scaling = it.scaling_config().and_then(|it| it.maximum_concurrency());
            let responses: Vec<_> =
                it.function_response_types().iter().map(|it| it.as_str().to_owned()).collect();
            sources.push(json!({
                "source": it.event_source_arn(), "function": it.function_arn(), "state": it.state(),
                "batch": it.batch_size(), "window": it.maximum_batching_window_in_seconds(),
                "filters": filters, "failed": failed, "scaling": scaling, "responses": responses,
                "tags": tags
            }));
        }
        sources.sort_by_key(Value::to_string);
        sources
    }
}

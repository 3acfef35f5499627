//! What AWS holds for a function.

use std::collections::BTreeMap;

use aws_sdk_iam::error::SdkError;
use aws_sdk_iam::operation::get_role::GetRoleError;
use aws_sdk_iam::types::Role;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use formation_model::names::{LIVE, PERMISSIONS_POLICY};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::operations::key;
use crate::proxy::Call;
use crate::shown;
use crate::world::World;

/// What AWS holds for a function.
pub struct Live {
    /// The Lambda function.
    pub function: Option<GetFunctionOutput>,
    /// All that GetFunction shows of it, as Lambda spells it; null without a function.
    pub shown: Value,
    /// Its role.
    pub role: Option<Role>,
    /// The documents of the role's inline policies, by name.
    pub inline_policies: BTreeMap<String, Value>,
    /// The ARNs of the managed policies that are attached to the role.
    pub attached_policies: Vec<String>,
    /// The RoleId that the function's record has; none where it has none.
    pub recorded_role_id: Option<String>,
    /// What callers run: all that GetFunction shows of the alias, and of the alias its shares and whether it
    /// leads where the function's record says; null where there is none.
    pub callers: Value,
    /// What calls it, as [`World::what_calls`] has it.
    pub triggers: Value,
    /// Its log group: retention and tags.
    pub log_group: Option<(Option<i32>, BTreeMap<String, String>)>,
}

impl Live {
    /// The parts that are there, by name.
    pub fn parts(&self) -> Vec<&'static str> {
        let parts = [
            ("function", self.function.is_some()),
            ("role", self.role.is_some()),
            ("log group", self.log_group.is_some()),
        ];
        parts.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }

    /// What GetFunction shows of a configuration that no user chooses and that changes by itself: when
    /// and how it was last changed, and whether it is busy.
    pub const VOLATILE: [&str; 8] = [
        "LastModified",
        "LastUpdateStatus",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
        "RevisionId",
        "State",
        "StateReason",
        "StateReasonCode",
    ];

    /// The documents of the inline policies. The name of what a function is allowed is a digest of that, which may hold
    /// the function's own name: all of them stand under one.
    fn policies_by_kind(&self) -> BTreeMap<&str, Vec<&Value>> {
        let mut policies = BTreeMap::<_, Vec<_>>::new();
        for (name, document) in &self.inline_policies {
            let is_digest = name.starts_with(PERMISSIONS_POLICY);
            let kind = if is_digest { PERMISSIONS_POLICY } else { name.as_str() };
            policies.entry(kind).or_default().push(document);
        }
        policies
    }

    /// Everything about the parts that are there that an update may change: the same before it and
    /// after its rollback. Of the function that is all that Lambda shows, whether Formation knows it
    /// or not.
    pub fn facts(&self) -> Value {
        let function = self.function.as_ref().map(|_| {
            let mut function = self.shown["Configuration"].clone();
            let fields = function.as_object_mut().expect("a function has a configuration");
            fields.retain(|field, _| !Self::VOLATILE.contains(&field.as_str()));
            function["tags"] = self.shown["Tags"].clone();
            function["concurrency"] = self.shown["Concurrency"].clone();
            function
        });
        let role = self.role.as_ref().map(|role| {
            let tags = role.tags().iter().map(|tag| (&tag.key, &tag.value));
            let boundary = role.permissions_boundary().and_then(|it| it.permissions_boundary_arn());
            // Another id each time that a role is made: what counts is that the record knows it.
            let recorded = self.recorded_role_id.as_deref().map(|id| id == role.role_id());
            json!({
                "trust": role.assume_role_policy_document(),
                "boundary": boundary,
                "inlinePolicies": self.policies_by_kind(),
                "attachedPolicies": self.attached_policies,
                "idIsRecorded": recorded,
                "tags": tags.collect::<BTreeMap<_, _>>(),
            })
        });
        let group = self.log_group.as_ref();
        let group = group.map(|(days, tags)| json!({"retention": days, "tags": tags}));
        let callers = &self.callers;
        let triggers = &self.triggers;
        json!({
            "function": function, "live": callers, "role": role, "logGroup": group,
            "triggers": triggers
        })
    }
}

impl World {
    /// What AWS holds for the function of that name.
    ///
    /// # Panics
    /// Where AWS cannot tell: only that a part is not found means that it is gone.
    pub async fn live(&self, name: &str) -> Live {
        let function = shown::function(&self.lambda, name, None).await;
        let (function, shown) = function.map_or((None, Value::Null), |(it, all)| (Some(it), all));
        let role = self.iam.get_role().role_name(self.role_name(name)).send().await;
        let role = match role.map_err(SdkError::into_service_error) {
            Ok(output) => output.role,
            Err(GetRoleError::NoSuchEntityException(_)) => None,
            Err(error) => panic!("the role of {name} cannot be looked at: {error:?}"),
        };
        let groups = self
            .logs
            .describe_log_groups()
            .log_group_name_prefix(format!("/aws/lambda/{name}"))
            .send()
            .await
            .expect("log groups can be described");
        let group = groups
            .log_groups()
            .iter()
            .find(|group| group.log_group_name() == Some(format!("/aws/lambda/{name}").as_str()));
        let log_group = match group {
            None => None,
            Some(group) => {
                let arn = group.arn().expect("a log group has an ARN").trim_end_matches(":*");
                let tags = self.logs.list_tags_for_resource().resource_arn(arn).send().await;
                let tags = tags.expect("tags can be listed").tags.unwrap_or_default();
                Some((group.retention_in_days, tags.into_iter().collect()))
            }
        };
        let (inline_policies, attached_policies) = match &role {
            Some(role) => self.policies(role.role_name()).await,
            None => Default::default(),
        };
        let record = self.dynamodb.get_item().table_name(&self.stack.table_name);
        let record = record.set_key(Some(key("FUNCTION".to_owned(), name.to_owned())));
        let record = record.send().await.expect("the table can be read").item.unwrap_or_default();
        let recorded = record.get("version");
        let recorded = recorded.map(|it| it.as_s().expect("a version is a string").clone());
        let callers = self.callers(name, recorded).await;
        let url = record.get("functionUrl").and_then(|it| it.as_s().ok());
        let triggers = self.what_calls(name, url.map(String::as_str)).await;
        let recorded_role_id = record.get("roleId").and_then(|id| id.as_s().ok()).cloned();
        Live {
            function,
            shown,
            role,
            inline_policies,
            attached_policies,
            recorded_role_id,
            callers,
            triggers,
            log_group,
        }
    }

    /// What callers of a function run; `recorded` is the version that the record says.
    async fn callers(&self, name: &str, recorded: Option<String>) -> Value {
        let Some((_, shown)) = shown::function(&self.lambda, name, Some(LIVE)).await else {
            return Value::Null;
        };
        let alias = self.lambda.get_alias().function_name(name).name(LIVE).send().await;
        let alias = alias.expect("the alias can be looked at");
        let weights = alias.routing_config().and_then(|it| it.additional_version_weights());
        let mut version = shown["Configuration"].clone();
        let fields = version.as_object_mut().expect("a version has a configuration");
        // Each has a number and a description of its own.
        let own = ["Version", "FunctionArn", "Description"];
        fields
            .retain(|it, _| !Live::VOLATILE.contains(&it.as_str()) && !own.contains(&it.as_str()));
        version["isRecorded"] = json!(recorded.as_deref() == alias.function_version());
        version["weights"] = json!(weights);
        version
    }

    /// [`Live::facts`] with `NAME` and `ROLE` for the names of the function and its role: the same for
    /// every function that is made in the same way.
    pub async fn facts(&self, name: &str) -> Value {
        let role = self.role_name(name);
        let text = self.live(name).await.facts().to_string();
        serde_json::from_str(&text.replace(&role, "ROLE").replace(name, "NAME")).expect("JSON")
    }

    /// The inline policies of a role, and the ARNs of the managed ones.
    async fn policies(&self, role: &str) -> (BTreeMap<String, Value>, Vec<String>) {
        let listed = self.iam.list_role_policies().role_name(role).send().await;
        let mut inline = BTreeMap::new();
        for name in listed.expect("inline policies can be listed").policy_names {
            let got = self.iam.get_role_policy().role_name(role).policy_name(&name).send().await;
            inline.insert(name, policy(got.expect("a policy can be read").policy_document()));
        }
        let attached = self.iam.list_attached_role_policies().role_name(role).send().await;
        let attached = attached.expect("managed policies can be listed").attached_policies;
        let attached = attached.unwrap_or_default().into_iter().filter_map(|it| it.policy_arn);
        (inline, attached.collect())
    }

    /// The name of a function's role.
    pub fn role_name(&self, name: &str) -> String {
        self.identity().role_name(&name.parse().expect("a function's name"))
    }

    /// The tags of everything that Formation makes for a function without tags of its own.
    pub fn tags(&self, name: &str) -> BTreeMap<String, String> {
        self.identity().tags(&name.parse().expect("a function's name"), &BTreeMap::new())
    }

    /// The values of the tag `state` of a function's bundles, one for each bundle.
    pub async fn bundle_states(&self, name: &str) -> Vec<String> {
        let bucket = &self.stack.artifact_bucket;
        let listed = self.s3.list_objects_v2().bucket(bucket);
        let listed = listed.prefix(format!("bundles/{name}/")).send().await;
        let listed = listed.expect("bundles can be listed");
        let mut states = Vec::new();
        for object in listed.contents() {
            let tagging = self.s3.get_object_tagging().bucket(bucket);
            let tagging = tagging.set_key(object.key.clone()).send().await;
            let tagging = tagging.expect("bundles have tags");
            states.extend(tagging.tag_set.into_iter().map(|tag| tag.value));
        }
        states
    }

    /// That since the first `before` calls for this function each of `expected`, sorted, changed a
    /// part of it, once, and no other call did.
    ///
    /// # Panics
    /// With every such call and its status, if that is not so.
    #[track_caller]
    pub fn assert_changed_once(&self, name: &str, before: usize, expected: &[&str]) {
        let mut calls = self.proxy.calls(name).split_off(before);
        calls.retain(Call::changes_a_part);
        let mut names: Vec<_> = calls.iter().map(Call::name).collect();
        names.sort_unstable();
        let statuses: Vec<_> = calls.iter().map(|call| (call.name(), call.status)).collect();
        assert_eq!(names, expected, "in this order: {statuses:?}");
    }
}

/// A policy as IAM returns it: URL-encoded JSON.
pub fn policy(encoded: &str) -> Value {
    let text = percent_decode_str(encoded).decode_utf8().expect("policies are UTF-8");
    serde_json::from_str(&text).expect("policies are JSON")
}

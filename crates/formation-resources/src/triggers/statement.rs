//! Statements of the function's policy at the alias: who may invoke it. Their ids prove that they are ours, and
//! follow from what they say, so that none is ever changed.
//!
//! PutResourcePolicy is never called: it replaces what others have stated, too.

use std::collections::{BTreeMap, BTreeSet};

use formation_aws::AwsError;
use formation_model::names::LIVE;
use formation_model::triggers::{AuthType, EventRule};
use formation_model::{FunctionSpec, Trigger, TriggerKey};
use serde_json::Value;

use super::{Scope, Work, rule, unless_absent, unless_busy};
use crate::error::ResourceError;
use crate::function::errors::name_is_taken;

/// What a statement allows, and whom.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Statement {
    /// Its id.
    pub id: String,
    action: &'static str,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
    auth_type: Option<&'static str>,
    via_url: Option<bool>,
}

const INVOKE: &str = "lambda:InvokeFunction";

/// The statements that a trigger needs.
///
/// Of a public address two, and so of callers of other accounts: <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>.
pub(super) fn needed_by(scope: &Scope<'_>, trigger: &Trigger) -> Vec<Statement> {
    let key = trigger.key();
    let id = |what: &str| scope.settings.stack.statement_id(scope.function, &key, what);
    match trigger {
        Trigger::FunctionUrl(it) if it.auth_type == AuthType::None => {
            let everybody = || "*".to_owned();
            vec![
                Statement {
                    id: id("url"),
                    action: "lambda:InvokeFunctionUrl",
                    principal: everybody(),
                    auth_type: Some("NONE"),
                    ..Statement::default()
                },
                Statement {
                    id: id("invoke"),
                    action: INVOKE,
                    principal: everybody(),
                    via_url: Some(true),
                    ..Statement::default()
                },
            ]
        }
        Trigger::Invoker(it) => {
            let invokes = Statement {
                id: id(""),
                action: INVOKE,
                principal: it.principal.clone(),
                source_arn: it.source_arn.clone(),
                source_account: it.source_account.clone(),
                ..Statement::default()
            };
            // At an address callers of other accounts need both. Where the function has none, it lets nobody do anything.
            let calls = is_of_another_account(scope, &it.principal).then(|| Statement {
                id: id("url"),
                action: "lambda:InvokeFunctionUrl",
                principal: it.principal.clone(),
                auth_type: Some("AWS_IAM"),
                ..Statement::default()
            });
            [invokes].into_iter().chain(calls).collect()
        }
        Trigger::EventRule(it) => vec![of_rule(scope, &key, it)],
        Trigger::FunctionUrl(_)
        | Trigger::Schedule(_)
        | Trigger::EventSource(_)
        | Trigger::AsyncInvoke(_) => Vec::new(),
    }
}

/// Whether it is another account than the stack's, or a role or a user of one. Services are of none.
fn is_of_another_account(scope: &Scope<'_>, principal: &str) -> bool {
    let arn = principal.strip_prefix("arn:");
    let account = arn.map_or(principal, |arn| arn.split(':').nth(3).unwrap_or_default());
    account.len() == 12
        && account.bytes().all(|it| it.is_ascii_digit())
        && account != scope.settings.stack.account_id
}

fn of_rule(scope: &Scope<'_>, key: &TriggerKey, it: &EventRule) -> Statement {
    Statement {
        id: scope.settings.stack.statement_id(scope.function, key, &it.event_bus_name),
        action: INVOKE,
        principal: "events.amazonaws.com".to_owned(),
        source_arn: Some(rule::arn(scope, key, &it.event_bus_name)),
        ..Statement::default()
    }
}

/// Adds the statements that are missing, and puts those that somebody has given our name right. An address is opened
/// to everybody only once callers have moved; whom another statement lets in meets what is live, and AWS may refuse
/// them.
pub(super) async fn ensure(scope: &Scope<'_>, work: &Work) -> Result<(), ResourceError> {
    let waits = |it: &Trigger| scope.only_adds && matches!(it, Trigger::FunctionUrl(_));
    let wanted = work.ensured.iter().filter(|it| !waits(it));
    let wanted: Vec<_> = wanted.map(|it| (it.key(), needed_by(scope, it))).collect();
    if wanted.iter().all(|(_, statements)| statements.is_empty()) {
        return Ok(());
    }
    let found = all(scope).await?;
    for (key, statements) in wanted {
        for statement in statements {
            let ensured = async || {
                match found.get(&statement.id) {
                    Some(found) if statement.is(found) => return Ok(()),
                    Some(_) => remove(scope, &statement.id).await?,
                    None => {}
                }
                add(scope, &statement).await
            };
            ensured().await.map_err(scope.about(&key))?;
        }
    }
    Ok(())
}

/// Takes away those of ours that nothing needs any more.
pub(super) async fn take_away(
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    work: &Work,
    searches: bool,
) -> Result<(), ResourceError> {
    let needs = |it: &Trigger| !needed_by(scope, it).is_empty();
    // A public address may have become one that is not.
    let narrows = work.ensured.iter().any(|it| matches!(it, Trigger::FunctionUrl(_)) && !needs(it));
    if !searches && !narrows && !work.removed.iter().any(needs) {
        return Ok(());
    }
    let wanted = spec.triggers();
    let wanted: BTreeSet<_> =
        wanted.iter().flat_map(|it| needed_by(scope, it)).map(|it| it.id).collect();
    let prefix = scope.settings.stack.prefix();
    for id in all(scope).await?.into_keys() {
        if id.starts_with(&prefix) && !wanted.contains(&id) {
            remove(scope, &id).await?;
        }
    }
    Ok(())
}

/// All statements of the policy, by id.
pub(super) async fn all(scope: &Scope<'_>) -> Result<BTreeMap<String, Value>, AwsError> {
    let get = scope.clients.lambda.get_policy().function_name(scope.function.as_str());
    let got = get.qualifier(LIVE).send().await;
    let got = unless_absent(got.map_err(|error| AwsError::new("lambda:GetPolicy", error)))?;
    let Some(policy) = got.and_then(|it| it.policy) else { return Ok(BTreeMap::new()) };
    let mut policy: Value =
        serde_json::from_str(&policy).map_err(|_| AwsError::incomplete("lambda:GetPolicy"))?;
    let Value::Array(statements) = policy["Statement"].take() else { return Ok(BTreeMap::new()) };
    let by_id = |it: Value| it["Sid"].as_str().map(str::to_owned).map(|id| (id, it));
    Ok(statements.into_iter().filter_map(by_id).collect())
}

impl Statement {
    /// Whether `found`, as a policy shows it, says the same. AWS spells an account as its root, and chooses the operators
    /// of conditions.
    pub fn is(&self, found: &Value) -> bool {
        let root = format!(":iam::{}:root", self.principal);
        let principals = texts(&found["Principal"]);
        let is_principal = |it: &String| *it == self.principal || it.ends_with(&root);
        let via_url = self.via_url.map(|it| it.to_string());
        let conditions = [self.source_arn.as_deref(), self.source_account.as_deref()];
        let conditions = conditions.into_iter().chain([self.auth_type, via_url.as_deref()]);
        let conditions: BTreeSet<_> = conditions.flatten().map(str::to_owned).collect();
        found["Effect"] == "Allow"
            && found["Action"] == self.action
            && principals.len() == 1
            && principals.iter().all(is_principal)
            && texts(&found["Condition"]) == conditions
            && !found["Condition"]
                .as_object()
                .is_some_and(|it| it.keys().any(|it| it.contains("Not")))
    }
}

/// All texts in it, at whatever depth; what is true or false by its name.
fn texts(of: &Value) -> BTreeSet<String> {
    match of {
        Value::String(text) => [text.clone()].into(),
        Value::Bool(it) => [it.to_string()].into(),
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        Value::Null | Value::Number(_) => BTreeSet::new(),
    }
}

async fn add(scope: &Scope<'_>, it: &Statement) -> Result<(), ResourceError> {
    let add = scope.clients.lambda.add_permission();
    let added = add
        .function_name(scope.function.as_str())
        .qualifier(LIVE)
        .statement_id(&it.id)
        .action(it.action)
        .principal(&it.principal)
        .set_source_arn(it.source_arn.clone())
        .set_source_account(it.source_account.clone())
        .set_function_url_auth_type(it.auth_type.map(Into::into))
        .set_invoked_via_function_url(it.via_url)
        .send()
        .await;
    match added.map_err(|error| AwsError::new("lambda:AddPermission", error)) {
        // Another try of this step has added it.
        Err(error) if name_is_taken(&error) => Ok(()),
        Err(error) => Err(unless_busy(error)),
        Ok(_) => Ok(()),
    }
}

async fn remove(scope: &Scope<'_>, id: &str) -> Result<(), ResourceError> {
    let remove = scope.clients.lambda.remove_permission();
    let removed =
        remove.function_name(scope.function.as_str()).qualifier(LIVE).statement_id(id).send().await;
    let refused = |error| AwsError::new("lambda:RemovePermission", error);
    unless_absent(removed.map_err(refused)).map(|_| ()).map_err(unless_busy)
}

//! The permissions boundary of all roles that a stack makes: what it allows, as far as actions tell it.
//! Resources, conditions and denials are IAM's to judge.

pub(crate) mod patterns;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_iam::Client;
use formation_aws::AwsError;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::patterns::overlap;
use crate::error::ResourceError;
use crate::role::policies::{decode, listed};
use crate::role::{RoleSettings, does_not_exist};

/// For how long what was read is taken for what is there.
const KEPT: Duration = Duration::from_secs(60);
/// For how long that nothing could be read is: so long that whoever asks at the same time does not ask again.
const NOTHING_KEPT: Duration = Duration::from_secs(5);
/// What every function does, whatever it is allowed besides.
const LOG_ACTIONS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
/// What a function does that is traced.
const TRACE_ACTIONS: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];
/// What Formation's own boundary allows: see `infra/template.yaml`.
const OWN: [&str; 4] = [LOG_ACTIONS[0], LOG_ACTIONS[1], TRACE_ACTIONS[0], TRACE_ACTIONS[1]];

/// What a policy allows, by its actions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Boundary(Vec<Allowed>);

/// What one statement allows.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Allowed {
    /// Actions that match one of these.
    Actions(Vec<String>),
    /// Actions that match none of these.
    AllBut(Vec<String>),
}

impl Boundary {
    /// What a policy's document allows.
    pub fn of(document: &Value) -> Self {
        let statements = listed(&document["Statement"]);
        let allows = statements.filter(|statement| statement["Effect"] == "Allow");
        let texts = |value: &Value| {
            listed(value).filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let allowed = |statement: &Value| match &statement["NotAction"] {
            Value::Null => Allowed::Actions(texts(&statement["Action"])),
            but => Allowed::AllBut(texts(but)),
        };
        Self(allows.map(allowed).collect())
    }

    /// Formation's own.
    fn own() -> Self {
        Self(vec![Allowed::Actions(OWN.map(str::to_owned).into())])
    }

    /// Whether anything that `action`, a pattern, stands for can be allowed.
    pub fn can_allow(&self, action: &str) -> bool {
        let is_pattern = action.contains(['*', '?']);
        self.0.iter().any(|allowed| match allowed {
            Allowed::Actions(actions) => actions.iter().any(|it| overlap(it, action)),
            // Of what a pattern stands for, something may always be left.
            Allowed::AllBut(actions) => is_pattern || !actions.iter().any(|it| overlap(it, action)),
        })
    }

    /// Whether functions can write their logs within it.
    pub fn can_log(&self) -> bool {
        LOG_ACTIONS.iter().all(|action| self.can_allow(action))
    }

    /// Whether functions can write what they trace within it.
    pub fn can_trace(&self) -> bool {
        TRACE_ACTIONS.iter().all(|action| self.can_allow(action))
    }

    /// The patterns of the actions that it allows, sorted; `*` where it allows all but some.
    pub fn actions(&self) -> BTreeSet<&str> {
        self.0
            .iter()
            .flat_map(|allowed| match allowed {
                Allowed::Actions(actions) => actions.iter().map(String::as_str).collect(),
                Allowed::AllBut(_) => vec!["*"],
            })
            .collect()
    }
}

/// Reads the boundary of a stack, and keeps what it has read for a minute, that there is nothing or that
/// it cannot be read for some seconds.
#[derive(Clone, Debug)]
pub struct BoundaryReader {
    iam: Client,
    /// The platform team's policy; none where the boundary is Formation's own.
    arn: Option<String>,
    kept: Arc<Mutex<Option<Kept>>>,
}

/// What was read, and when.
#[derive(Debug)]
struct Kept {
    found: Result<Option<Arc<Boundary>>, AwsError>,
    read: Instant,
}

impl Kept {
    fn is_good(&self) -> bool {
        let longest = if matches!(self.found, Ok(Some(_))) { KEPT } else { NOTHING_KEPT };
        self.read.elapsed() < longest
    }
}

impl BoundaryReader {
    /// Of the stack that `settings` tell of.
    pub fn new(iam: Client, settings: &RoleSettings) -> Self {
        let arn = settings.has_platforms_boundary.then(|| settings.boundary_arn.clone());
        Self { iam, arn, kept: Arc::default() }
    }

    /// The platform team's policy; none where the boundary is Formation's own.
    pub fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// What it allows; none if it is gone.
    ///
    /// # Errors
    /// [`ResourceError::Aws`]: what IAM answered.
    pub async fn read(&self) -> Result<Option<Arc<Boundary>>, ResourceError> {
        let Some(arn) = &self.arn else { return Ok(Some(Arc::new(Boundary::own()))) };
        // Whoever else asks meanwhile waits for the answer and does not ask again.
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|it| it.is_good()) {
            return Ok(kept.found.clone()?);
        }
        let found = match fetch(&self.iam, arn).await {
            Err(error) if does_not_exist(&error) => Ok(None),
            other => other.map(|boundary| Some(Arc::new(boundary))),
        };
        *kept = Some(Kept { found: found.clone(), read: Instant::now() });
        Ok(found?)
    }
}

async fn fetch(iam: &Client, arn: &str) -> Result<Boundary, AwsError> {
    let policy = iam.get_policy().policy_arn(arn).send().await;
    let policy = policy.map_err(|error| AwsError::new("iam:GetPolicy", error))?.policy;
    let version = policy.and_then(|policy| policy.default_version_id);
    let version = version.ok_or(AwsError::incomplete("iam:GetPolicy"))?;
    let version = iam.get_policy_version().policy_arn(arn).version_id(version).send().await;
    let version = version.map_err(|error| AwsError::new("iam:GetPolicyVersion", error))?;
    let document = version.policy_version.and_then(|version| version.document);
    let document = document.as_deref().and_then(decode);
    Ok(Boundary::of(&document.ok_or(AwsError::incomplete("iam:GetPolicyVersion"))?))
}

#[cfg(test)]
mod tests;

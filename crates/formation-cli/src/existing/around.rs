//! What others have attached around a function, and where its logs are kept.

use formation_model::FunctionName;
use formation_model::function::RETENTION_DAYS;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use super::{Reading, triggers};
use crate::failure::Failure;

/// Something that AWS keeps beside a function, of which no manifest can hold everything.
struct Beside {
    what: &'static str,
    /// IAM's name of the call that tells.
    action: &'static str,
    /// Where it is asked for, `{}` for the function's name.
    /// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>.
    target: &'static str,
    /// What is to be said of the answer, none where there is nothing; what of it a manifest can hold is put into
    /// its fields.
    tell: fn(&Value, &mut Map<String, Value>) -> Option<String>,
}

const BESIDE: &[Beside] = &[
    Beside {
        what: "event source mappings",
        action: "lambda:ListEventSourceMappings",
        target: "/2015-03-31/event-source-mappings/?FunctionName={}&MaxItems=100",
        tell: triggers::sources,
    },
    Beside {
        what: "function URLs",
        action: "lambda:ListFunctionUrlConfigs",
        target: "/2021-10-31/functions/{}/urls?MaxItems=50",
        tell: triggers::url,
    },
    Beside {
        what: "resource policy",
        action: "lambda:GetPolicy",
        target: "/2015-03-31/functions/{}/policy",
        tell: triggers::invokers,
    },
    Beside {
        what: "aliases",
        action: "lambda:ListAliases",
        target: "/2015-03-31/functions/{}/aliases?MaxItems=50",
        tell: |it, _| {
            listed(
                &texts(&it["Aliases"], "Name"),
                "the new function has one, live: callers name its ARN with it",
            )
        },
    },
    Beside {
        what: "versions",
        action: "lambda:ListVersionsByFunction",
        target: "/2015-03-31/functions/{}/versions?MaxItems=50",
        tell: |it, _| {
            let versions = texts(&it["Versions"], "Version");
            let published: Vec<_> = versions.into_iter().filter(|it| it != "$LATEST").collect();
            listed(
                &published,
                "what is read here is $LATEST, and the new function begins with version 1",
            )
        },
    },
    Beside {
        what: "provisioned concurrency",
        action: "lambda:ListProvisionedConcurrencyConfigs",
        target: "/2019-09-30/functions/{}/provisioned-concurrency?List=ALL&MaxItems=50",
        tell: |it, _| {
            listed(
                &texts(&it["ProvisionedConcurrencyConfigs"], "FunctionArn"),
                "the new function has no provisioned concurrency",
            )
        },
    },
    Beside {
        what: "settings of asynchronous invocations",
        action: "lambda:ListFunctionEventInvokeConfigs",
        target: "/2019-09-25/functions/{}/event-invoke-config/list?MaxItems=50",
        tell: triggers::asynchronous,
    },
    Beside {
        what: "code signing",
        action: "lambda:GetFunctionCodeSigningConfig",
        target: "/2020-06-30/functions/{}/code-signing-config",
        tell: |it, _| {
            let of = it["CodeSigningConfigArn"].as_str().filter(|arn| !arn.is_empty())?;
            listed(&[of.to_owned()], "the new function has no code signing")
        },
    },
    Beside {
        what: "recursive loops",
        action: "lambda:GetFunctionRecursionConfig",
        target: "/2024-08-31/functions/{}/recursion-config",
        tell: |it, _| {
            (it["RecursiveLoop"] == "Allow")
                .then(|| "allowed; Lambda stops those of the new one".to_owned())
        },
    },
    Beside {
        what: "runtime updates",
        action: "lambda:GetRuntimeManagementConfig",
        target: "/2021-07-20/functions/{}/runtime-management-config",
        tell: |it, _| {
            let mode = it["UpdateRuntimeOn"].as_str().filter(|mode| *mode != "Auto")?;
            Some(format!("{mode}; those of the new function are automatic"))
        },
    },
];

/// How many are asked for at once, within rates that others share.
const AT_ONCE: usize = 3;
/// How many of several things are named.
const NAMED: usize = 5;

/// Notes what AWS keeps beside a function.
pub(super) async fn attached(
    reading: &mut Reading<'_>,
    name: &FunctionName,
) -> Result<(), Failure> {
    let aws = reading.aws;
    let asked = stream::iter(BESIDE).map(async |beside| {
        (beside, aws.get("lambda", &beside.target.replace("{}", name.as_str())).await)
    });
    let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    for (beside, answer) in answers {
        let answer = reading.optional(beside.action, beside.what, answer)?;
        let Some(answer) = answer else { continue };
        if let Some(told) = (beside.tell)(&answer, &mut reading.fields) {
            let next = answer["NextMarker"].as_str().is_some_and(|marker| !marker.is_empty());
            let more = if next { " (and there are more than these)" } else { "" };
            reading.notes.push(format!("{}{more}: {told}", beside.what));
        }
    }
    Ok(())
}

/// How many days the function's logs are kept, where Formation can keep them as long.
pub(super) async fn log_retention(
    reading: &mut Reading<'_>,
    name: &FunctionName,
    function: &Value,
) -> Result<Option<Value>, Failure> {
    const WHAT: &str = "log retention";
    let group = function["Configuration"]["LoggingConfig"]["LogGroup"].as_str();
    let group = group.filter(|group| !group.is_empty());
    let group = group.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned);
    let document = json!({"logGroupNamePrefix": group, "limit": 50});
    let answer = reading.aws.json("logs", "Logs_20140328.DescribeLogGroups", &document).await;
    let Some(answer) = reading.optional("logs:DescribeLogGroups", WHAT, answer)? else {
        return Ok(None);
    };
    let groups = answer["logGroups"].as_array().into_iter().flatten();
    let Some(found) = groups.into_iter().find(|it| it["logGroupName"] == group.as_str()) else {
        return Ok(None);
    };
    match found["retentionInDays"].as_u64() {
        Some(days) if RETENTION_DAYS.iter().any(|known| u64::from(*known) == days) => {
            Ok(Some(json!(days)))
        }
        Some(days) => {
            reading
                .notes
                .push(format!("{WHAT}: {days} days, which cannot be asked for; it is the default"));
            Ok(None)
        }
        None => {
            let told = "logs are kept for ever, and those of the new function for logRetentionDays, 3653 at the most";
            reading.notes.push(format!("{WHAT}: {told}"));
            Ok(None)
        }
    }
}

fn texts(items: &Value, name: &str) -> Vec<String> {
    let items = items.as_array().into_iter().flatten();
    items.map(|item| item[name].as_str().unwrap_or("one without a name").to_owned()).collect()
}

pub(super) fn listed(names: &[String], told: &str) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Some(format!("{shown}{more}: {told}"))
}

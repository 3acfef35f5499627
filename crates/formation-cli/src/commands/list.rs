//! `formation list`

use formation_client::FunctionFilter;
use formation_model::Function;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::Value;

use crate::args::List;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::output::table::{ago, table};
use crate::shown::masked;

pub(super) async fn run(
    connected: &Connected,
    asked: &List,
    output: &Output,
) -> Result<Outcome, Failure> {
    let filter = FunctionFilter {
        status: asked.status,
        prefix: asked.prefix.clone(),
        tags: asked.tags.iter().cloned().collect(),
        page_size: Some(100),
    };
    let functions: Vec<Function> = connected.client.functions(filter).try_collect().await?;
    let shown = functions.iter().map(masked).collect::<Result<Vec<Value>, _>>()?;
    let names = || functions.iter().map(|it| it.spec.function_name.to_string()).collect();
    output.show(&shown, |_| rows(&functions), |_| names())?;
    Ok(Outcome::Done)
}

fn rows(functions: &[Function]) -> String {
    if functions.is_empty() {
        return "no functions".to_owned();
    }
    let now = Timestamp::now();
    let rows = functions.iter().map(|function| {
        let spec = &function.spec;
        [
            spec.function_name.to_string(),
            function.status.to_string(),
            function.revision.to_string(),
            function.drift.status.to_string(),
            spec.configuration.runtime.clone(),
            format!("{} MB", spec.configuration.memory_megabytes),
            ago(function.updated_at, now),
            function.resources.function_url.clone().unwrap_or_default(),
        ]
    });
    table(["NAME", "STATUS", "REVISION", "DRIFT", "RUNTIME", "MEMORY", "UPDATED", "ADDRESS"], rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::function;

    #[test]
    fn an_address_stands_in_the_last_column() {
        let functions = ["called", "plain"].map(|name| {
            let mut document = function(name);
            document["resources"]["liveArn"] = json!("arn:l");
            document["resources"]["invokeArn"] = json!("arn:l");
            if name == "called" {
                document["resources"]["functionUrl"] = json!("https://u/");
            }
            serde_json::from_value::<Function>(document).unwrap()
        });
        let shown = rows(&functions);
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[0].ends_with("UPDATED   ADDRESS"), "{shown}");
        assert!(lines[1].ends_with(" https://u/") && lines[2].ends_with("ago"), "{shown}");
    }
}

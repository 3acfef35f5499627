//! `GET /v1`: what the stack is, and what it lets functions have.

use formation_model::about::{About, StackLimits};
use formation_model::bundle::MAX_ZIP_BYTES;
use formation_model::function::{MOST_BYTES, MOST_TRIGGERS};
use formation_model::plans::MOST_FUNCTIONS;
use formation_model::upload::MAX_UPLOAD_BYTES;
use http::StatusCode;

use crate::answer::{Answered, json};
use crate::app::App;
use crate::change::LONGEST_WAIT;
use crate::problem::ApiError;

/// `GET /v1`
pub(crate) async fn describe_stack(app: &App) -> Result<Answered, ApiError> {
    let control = &app.control;
    let boundary = control.function_boundary().await?;
    let triggers = &control.defaults().triggers;
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stack_name: app.stack_name.clone(),
        region: control.stack().region.clone(),
        state_machine_arn: Some(control.state_machine_arn().to_owned()),
        layer_arns: control.defaults().layer_arns.clone(),
        function_boundary_arn: boundary.arn,
        boundary_actions: boundary.actions,
        guard: boundary.guard,
        code_buckets: control.code_buckets().to_vec(),
        allow_public_urls: triggers.public_urls,
        invoker_accounts: triggers.invoker_accounts.clone(),
        event_bus_names: triggers.buses_of_rules().map(str::to_owned).collect(),
        event_source_arns: triggers.event_source_arns.clone(),
        failure_destination_arns: triggers.failure_destination_arns.clone(),
        limits: StackLimits {
            plan_functions: MOST_FUNCTIONS as u64,
            zip_file_bytes: MAX_ZIP_BYTES as u64,
            upload_bytes: MAX_UPLOAD_BYTES,
            policy_statements_characters: boundary.characters,
            wait_seconds: LONGEST_WAIT,
            max_reserved_concurrency: control.defaults().max_reserved_concurrency,
            triggers_of_a_kind: MOST_TRIGGERS as u64,
            specification_bytes: MOST_BYTES as u64,
        },
    };
    Ok(json(StatusCode::OK, &about))
}

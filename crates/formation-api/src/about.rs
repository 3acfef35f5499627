//! `GET /v1`: what the stack is, and what it lets functions have.

use formation_model::about::{About, StackLimits};
use formation_model::bundle::MAX_ZIP_BYTES;
use formation_model::upload::MAX_UPLOAD_BYTES;
use http::StatusCode;

use crate::answer::{Answered, json};
use crate::app::App;
use crate::change::LONGEST_WAIT;

/// `GET /v1`
pub(crate) fn describe_stack(app: &App) -> Answered {
    let control = &app.control;
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stack_name: app.stack_name.clone(),
        region: control.stack().region.clone(),
        layer_arns: control.defaults().layer_arns.clone(),
        code_buckets: control.code_buckets().to_vec(),
        limits: StackLimits {
            zip_file_bytes: MAX_ZIP_BYTES as u64,
            upload_bytes: MAX_UPLOAD_BYTES,
            wait_seconds: LONGEST_WAIT,
            max_reserved_concurrency: control.defaults().max_reserved_concurrency,
        },
    };
    json(StatusCode::OK, &about)
}

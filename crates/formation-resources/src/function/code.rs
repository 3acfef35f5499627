//! The code of a function, and the architecture that it is for.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{Architecture, FunctionConfiguration};
use formation_aws::AwsError;
use formation_model::{Difference, Facet, FunctionSpec};

use super::FunctionSettings;
use super::errors::unless_busy;
use crate::error::ResourceError;

pub(crate) async fn update_code(
    lambda: &Client,
    settings: &FunctionSettings,
    spec: &FunctionSpec,
) -> Result<(), ResourceError> {
    let updated = lambda
        .update_function_code()
        .function_name(spec.function_name.as_str())
        .s3_bucket(&settings.bucket)
        .s3_key(&spec.code.key)
        .s3_object_version(&spec.code.version)
        .architectures(architecture(spec))
        .send()
        .await;
    unless_busy(updated.map_err(|error| AwsError::new("lambda:UpdateFunctionCode", error)))
}

pub(crate) fn code_differences(
    found: &FunctionConfiguration,
    spec: &FunctionSpec,
) -> Vec<Difference> {
    let architectures = found.architectures().iter().map(Architecture::as_str);
    let sha256 =
        Difference::between(Facet::Code, "sha256", spec.code.sha256.as_str(), found.code_sha256());
    let architecture = Difference::between(
        Facet::Code,
        "architecture",
        spec.configuration.architecture.as_str(),
        architectures.collect::<Vec<_>>().join(","),
    );
    sha256.into_iter().chain(architecture).collect()
}

/// The architecture belongs to the code: only UpdateFunctionCode changes it.
pub(crate) fn has_code(found: &FunctionConfiguration, spec: &FunctionSpec) -> bool {
    code_differences(found, spec).is_empty()
}

pub(crate) fn architecture(spec: &FunctionSpec) -> Architecture {
    Architecture::from(spec.configuration.architecture.as_str())
}

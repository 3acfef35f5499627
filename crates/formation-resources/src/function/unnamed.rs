//! What GetFunction shows of a configuration and Formation does not name: somebody else has set it. It
//! is compared with Lambda's default, and a repair sets it back to that. No other change touches it:
//! UpdateFunctionConfiguration keeps what a request leaves out.
//!
//! Not looked at is what Lambda chooses or derives (versions of runtimes, digests, the signatures of
//! code), and what others attach around a function: resource policies, URLs, event source mappings,
//! aliases and versions.

use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder as Update;
use aws_sdk_lambda::types::{
    CapacityProviderConfig, DeadLetterConfig, DurableConfig, FileSystemConfig,
    FunctionConfiguration, ImageConfig, SnapStart, SnapStartApplyOn, VpcConfig, VpcConfigResponse,
};
use formation_model::{Difference, Facet};
use serde_json::{Value, json};

/// One setting of Lambda's that Formation does not name.
struct Unnamed {
    /// AWS's own name of it, as the API spells names.
    name: &'static str,
    /// What Lambda shows; null for its default, however that is spelled.
    read: fn(&FunctionConfiguration) -> Value,
    /// Sets it back to Lambda's default; none where that cannot be done by UpdateFunctionConfiguration.
    reset: Option<fn(Update) -> Update>,
}

const SETTINGS: &[Unnamed] = &[
    Unnamed {
        name: "vpcConfig",
        read: |it| it.vpc_config().map_or(Value::Null, vpc),
        reset: Some(|to| {
            let none = VpcConfig::builder().set_subnet_ids(Some(Vec::new()));
            let none = none.set_security_group_ids(Some(Vec::new()));
            to.vpc_config(none.ipv6_allowed_for_dual_stack(false).build())
        }),
    },
    Unnamed {
        name: "kmsKeyArn",
        read: |it| text(it.kms_key_arn()),
        reset: Some(|to| to.kms_key_arn("")),
    },
    Unnamed {
        name: "deadLetterConfig",
        read: |it| {
            object("targetArn", text(it.dead_letter_config().and_then(|it| it.target_arn())))
        },
        reset: Some(|to| to.dead_letter_config(DeadLetterConfig::builder().target_arn("").build())),
    },
    Unnamed {
        name: "fileSystemConfigs",
        read: |it| list(it.file_system_configs().iter().map(file_system).collect()),
        reset: Some(|to| to.set_file_system_configs(Some(Vec::new()))),
    },
    Unnamed {
        name: "snapStart",
        read: |it| {
            let apply_on = it.snap_start().and_then(|it| it.apply_on());
            let apply_on = apply_on.filter(|it| **it != SnapStartApplyOn::None);
            object("applyOn", text(apply_on.map(SnapStartApplyOn::as_str)))
        },
        reset: Some(|to| {
            to.snap_start(SnapStart::builder().apply_on(SnapStartApplyOn::None).build())
        }),
    },
    Unnamed {
        name: "packageType",
        read: |it| text(it.package_type().map(|it| it.as_str()).filter(|it| *it != "Zip")),
        reset: None,
    },
    Unnamed {
        name: "imageConfig",
        read: |it| {
            let image = it.image_config_response().and_then(|it| it.image_config());
            image.map_or(Value::Null, image_config)
        },
        reset: None,
    },
    Unnamed {
        name: "tenancyConfig",
        read: |it| {
            let mode = it.tenancy_config().map(|it| it.tenant_isolation_mode().as_str());
            object("tenantIsolationMode", text(mode))
        },
        reset: None,
    },
    Unnamed {
        name: "durableConfig",
        read: |it| it.durable_config().map_or(Value::Null, durable),
        reset: None,
    },
    Unnamed {
        name: "capacityProviderConfig",
        read: |it| it.capacity_provider_config().map_or(Value::Null, capacity_provider),
        reset: None,
    },
];

/// What of a function's configuration is not Lambda's default.
pub(crate) fn differences(found: &FunctionConfiguration) -> Vec<Difference> {
    let shown = SETTINGS.iter().map(|it| (it.name, (it.read)(found)));
    shown
        .filter_map(|(name, actual)| {
            Difference::between(Facet::Configuration, name, Value::Null, actual)
        })
        .collect()
}

/// What sets back all that is not Lambda's default and can be set back.
pub(crate) fn resets(found: &FunctionConfiguration) -> Vec<fn(Update) -> Update> {
    let differing = SETTINGS.iter().filter(|setting| !(setting.read)(found).is_null());
    differing.filter_map(|setting| setting.reset).collect()
}

/// A text; null for none. AWS and its imitations spell none as an empty one, too.
fn text(text: Option<&str>) -> Value {
    json!(text.filter(|text| !text.is_empty()))
}

/// An object of one field; null where that is.
fn object(field: &str, value: Value) -> Value {
    if value.is_null() { value } else { json!({field: value}) }
}

fn list(list: Vec<Value>) -> Value {
    if list.is_empty() { Value::Null } else { list.into() }
}

fn vpc(it: &VpcConfigResponse) -> Value {
    let (subnets, groups) = (it.subnet_ids(), it.security_group_ids());
    let dual_stack = it.ipv6_allowed_for_dual_stack().unwrap_or_default();
    if subnets.is_empty() && groups.is_empty() && !dual_stack {
        return Value::Null;
    }
    json!({
        "subnetIds": subnets, "securityGroupIds": groups, "ipv6AllowedForDualStack": dual_stack
    })
}

fn file_system(it: &FileSystemConfig) -> Value {
    json!({"arn": it.arn(), "localMountPath": it.local_mount_path()})
}

fn image_config(it: &ImageConfig) -> Value {
    json!({
        "entryPoint": it.entry_point(), "command": it.command(),
        "workingDirectory": it.working_directory()
    })
}

fn durable(it: &DurableConfig) -> Value {
    json!({
        "executionTimeout": it.execution_timeout(),
        "retentionPeriodInDays": it.retention_period_in_days(), "kmsKeyArn": it.kms_key_arn()
    })
}

fn capacity_provider(it: &CapacityProviderConfig) -> Value {
    let provider = it.lambda_managed_instances_capacity_provider_config();
    json!({"capacityProviderArn": provider.map(|it| it.capacity_provider_arn())})
}

#[cfg(test)]
mod tests {
    use super::super::lambda::StandIn;
    use super::super::tests::settings;
    use super::super::{compare, ensure};
    use crate::Target;
    use crate::testing::{spec, stack, target};
    use formation_model::drift::UNNAMED;

    use super::*;

    /// Field of GetFunction's configuration, what somebody sets there, every spelling of its default,
    /// and what is told of it.
    type Case = (&'static str, Value, Vec<Value>, (&'static str, Value));

    fn cases() -> Vec<Case> {
        let queue = "arn:aws:sqs:eu-west-1:111122223333:failed";
        let key = "arn:aws:kms:eu-west-1:111122223333:key/k";
        let point = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-1";
        let vpc =
            json!({"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"});
        let told = json!({
            "subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"], "ipv6AllowedForDualStack": false
        });
        let no_vpc = json!({"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""});
        let no_vpc_either = json!({
            "SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": false
        });
        let files = json!([{"Arn": point, "LocalMountPath": "/mnt/data"}]);
        let told_files = json!([{"arn": point, "localMountPath": "/mnt/data"}]);
        let snap_start = json!({"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"});
        let no_snap_start = json!({"ApplyOn": "None", "OptimizationStatus": "Off"});
        vec![
            ("VpcConfig", vpc, vec![no_vpc, no_vpc_either], ("vpcConfig", told)),
            ("KMSKeyArn", json!(key), vec![json!("")], ("kmsKeyArn", json!(key))),
            (
                "DeadLetterConfig",
                json!({"TargetArn": queue}),
                vec![json!({}), json!({"TargetArn": ""})],
                ("deadLetterConfig", json!({"targetArn": queue})),
            ),
            ("FileSystemConfigs", files, vec![json!([])], ("fileSystemConfigs", told_files)),
            (
                "SnapStart",
                snap_start,
                vec![no_snap_start, json!({})],
                ("snapStart", json!({"applyOn": "PublishedVersions"})),
            ),
        ]
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_named_is_told_of_kept_by_updates_and_set_back_by_a_repair() {
        let lambda = StandIn::default();
        let client = lambda.client();
        let mut spec = spec();
        spec.code.version = spec.code.sha256.clone();
        ensure(&client, &settings(), &target(&spec, None), false).await.unwrap();
        lambda.changes();
        for (field, value, defaults, (name, told)) in cases() {
            for default in defaults.iter().chain([&Value::Null]) {
                lambda.change(|function| function["Configuration"][field] = default.clone());
                assert_eq!(compare(&client, &stack(), &spec).await.unwrap(), [], "{field}");
            }
            lambda.change(|function| function["Configuration"][field] = value.clone());
            let found = compare(&client, &stack(), &spec).await.unwrap();
            let [difference] = found.as_slice() else { panic!("{field}: {found:?}") };
            assert_eq!((difference.property.as_str(), &difference.actual), (name, &told));
            assert!(difference.facet == Facet::Configuration && difference.expected.is_null());

            // Alone it is no reason for an update, and no update loses it.
            let same = target(&spec, Some(&spec));
            let ensured = ensure(&client, &settings(), &same, false).await.unwrap();
            assert_eq!(lambda.changes(), [], "{field}");
            assert_eq!(ensured.unnamed, found, "{field}");
            let former = spec.clone();
            spec.configuration.memory_megabytes += 1;
            ensure(&client, &settings(), &target(&spec, Some(&former)), false).await.unwrap();
            let changes = lambda.changes();
            assert!(changes.len() == 1 && changes[0].1.get(field).is_none(), "{changes:?}");
            assert_eq!(lambda.configuration()[field], value);

            // A repair takes it back, and nothing else with it.
            let repair = Target { resets_unnamed: true, ..target(&spec, Some(&spec)) };
            let ensured = ensure(&client, &settings(), &repair, false).await.unwrap();
            assert_eq!(ensured.unnamed, [], "{field}");
            let changes = lambda.changes();
            assert!(changes.len() == 1 && changes[0].1.get(field).is_some(), "{changes:?}");
            assert_eq!(compare(&client, &stack(), &spec).await.unwrap(), [], "{field}");
            ensure(&client, &settings(), &repair, false).await.unwrap();
            assert_eq!(lambda.changes(), [], "{field}");
        }
    }

    #[test]
    fn what_a_repair_sets_back_is_what_the_model_says() {
        let rows = SETTINGS.iter().map(|it| (it.name, it.reset.is_some()));
        assert_eq!(rows.collect::<Vec<_>>(), UNNAMED);
    }

    #[tokio::test]
    async fn what_cannot_be_set_back_is_told_of() {
        let lambda = StandIn::default();
        let client = lambda.client();
        let mut spec = spec();
        spec.code.version = spec.code.sha256.clone();
        ensure(&client, &settings(), &target(&spec, None), false).await.unwrap();
        lambda.changes();
        lambda.change(|function| {
            function["Configuration"]["PackageType"] = json!("Image");
            let image = json!({"ImageConfig": {"Command": ["a"]}});
            function["Configuration"]["ImageConfigResponse"] = image;
            let tenancy = json!({"TenantIsolationMode": "PER_TENANT"});
            function["Configuration"]["TenancyConfig"] = tenancy;
            let durable = json!({"ExecutionTimeout": 60, "RetentionPeriodInDays": 1});
            function["Configuration"]["DurableConfig"] = durable;
            let provider = json!({"CapacityProviderArn": "arn:aws:lambda:x:1:capacity-provider:p"});
            let provider = json!({"LambdaManagedInstancesCapacityProviderConfig": provider});
            function["Configuration"]["CapacityProviderConfig"] = provider;
        });
        let found = compare(&client, &stack(), &spec).await.unwrap();
        let mut names: Vec<_> = found.iter().map(|it| it.property.as_str()).collect();
        names.sort_unstable();
        let expected = [
            "capacityProviderConfig",
            "durableConfig",
            "imageConfig",
            "packageType",
            "tenancyConfig",
        ];
        assert_eq!(names, expected);
        let repair = Target { resets_unnamed: true, ..target(&spec, Some(&spec)) };
        let ensured = ensure(&client, &settings(), &repair, false).await.unwrap();
        assert_eq!(ensured.unnamed, found);
        assert_eq!(lambda.changes(), []);
    }
}

//! ARNs of what is there beside functions: of which kind, where, and whether the stack allows it.

use super::super::layers::matches;
use super::TriggerLimits;
use crate::fields::Fields;
use crate::problem::FieldProblemCode as Code;

/// The parts of an ARN.
#[derive(Clone, Copy)]
pub(super) struct Arn<'a> {
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    pub fn read(text: &'a str) -> Option<Self> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else { return None };
        let of = |text: &str, more: &str| {
            text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
        };
        let fits = of(partition, "-")
            && partition.starts_with("aws")
            && of(service, "-")
            && of(region, "-")
            && (account.is_empty() || is_account(account))
            && !(service.is_empty() || resource.is_empty())
            && resource.chars().all(|c| c.is_ascii_graphic());
        fits.then_some(Self { service, region, account, resource })
    }
}

/// Whether it is the number of an account.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it is a name of 1 to `most` characters, letters and digits of ASCII and `more`.
pub(super) fn is_name(text: &str, most: usize, more: &str) -> bool {
    (1..=most).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// What a parameter of the stack allows.
pub(super) struct Allowed<'a> {
    /// The parameter.
    pub parameter: &'static str,
    /// Patterns of ARNs.
    pub patterns: &'a [String],
    /// Where the stack is.
    pub limits: &'a TriggerLimits,
}

impl Allowed<'_> {
    /// Notes it where an ARN of the right form, which the function does not have already, is of another account or
    /// Region, or is not allowed.
    pub fn check(&self, fields: &mut Fields<'_>, name: &str, text: &str, arn: Arn<'_>) {
        let at = format!("/{name}");
        let Self { parameter, patterns, limits } = self;
        if arn.account != limits.account_id || arn.region != limits.region {
            let detail = format!(
                "must be of the stack's own account and Region, {} and {}",
                limits.account_id, limits.region
            );
            fields.note(at, Code::NotSupported, detail);
        } else if !patterns.iter().any(|pattern| matches(pattern, text)) {
            let detail = match patterns[..] {
                [] => format!(
                    "is not allowed: the stack's parameter {parameter} names none; whoever deploys the stack can \
                     name it there"
                ),
                _ => format!(
                    "is not allowed by the stack's parameter {parameter}: {}",
                    patterns.join(", ")
                ),
            };
            fields.note(at, Code::NotSupported, detail);
        }
    }
}

/// Reads whom to tell of what failed, an ARN of one of `kinds`, which `told` names.
pub(super) fn destination(
    fields: &mut Fields<'_>,
    kinds: &[&str],
    told: &str,
    limits: &TriggerLimits,
    has: impl FnOnce(&str) -> bool,
) -> Option<String> {
    const NAME: &str = "onFailureArn";
    let text = fields.optional_text(NAME)?;
    let arn = Arn::read(text).filter(|arn| kinds.contains(&arn.service) && is_destination(*arn));
    let Some(arn) = arn else {
        return fields.refuse(format!("/{NAME}"), Code::InvalidFormat, told);
    };
    if !has(text) {
        let patterns = &limits.failure_destination_arns;
        let allowed = Allowed { parameter: "FailureDestinationArns", patterns, limits };
        allowed.check(fields, NAME, text, arn);
    }
    Some(text.to_owned())
}

/// Queues and topics that keep the order are no destinations.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>.
fn is_destination(arn: Arn<'_>) -> bool {
    match arn.service {
        "sqs" => is_name(arn.resource, 80, "_-"),
        "sns" => is_name(arn.resource, 256, "_-"),
        "lambda" => arn.resource.strip_prefix("function:").is_some_and(|function| {
            let (name, qualifier) = function.split_once(':').unwrap_or((function, "live"));
            is_name(name, 64, "_-") && is_name(qualifier, 128, "_-")
        }),
        "events" => {
            arn.resource.strip_prefix("event-bus/").is_some_and(|bus| is_name(bus, 256, "_.-/"))
        }
        _ => false,
    }
}

//! Who may invoke a function.

use serde_json::json;

use super::super::property::Property;
use super::super::reader::Reader;
use super::arn::{Arn, is_account};
use super::{MOST, ROW, TriggerLimits};
use crate::fields::Fields;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::Invoker;

/// Who may invoke: a service, an account, or a role or user.
const PRINCIPAL: &str = r"^([a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?|[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(role|user)/[!-~]+))$";
const SOURCE: &str = "^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[!-~]+$";

pub(super) const PROPERTY: Property = Property {
    name: "invokers",
    facets: &[Facet::Invoker],
    schema: || {
        json!({
            "type": "array", "maxItems": MOST,
            "items": {
                "type": "object",
                "properties": {
                    "principal": {
                        "type": "string", "pattern": PRINCIPAL, "maxLength": 256,
                        "description": "A service such as s3.amazonaws.com, the number of an account, or the ARN \
                                        of a role or a user; accounts besides the stack's own where its \
                                        parameter InvokerAccounts names them."
                    },
                    "sourceArn": {
                        "type": "string", "pattern": SOURCE, "maxLength": 512,
                        "description": "The ARN of what a service invokes it for, with * and ?."
                    },
                    "sourceAccount": {
                        "type": "string", "pattern": "^[0-9]{12}$",
                        "description": "The account of what a service invokes it for; needed where sourceArn \
                                        names none."
                    }
                },
                "required": ["principal"],
                "additionalProperties": false
            },
            "description": "Who may invoke the function besides what its other triggers let, by its alias live. A \
                            service needs a source."
        })
    },
    example: || {
        json!([{
            "principal": "s3.amazonaws.com",
            "sourceArn": "arn:aws:s3:::example", "sourceAccount": "123456789012"
        }])
    },
    read,
    ..ROW
};

fn read(it: &mut Reader<'_>) {
    let has = it.current.map(|current| current.triggers.invokers.as_slice()).unwrap_or_default();
    let limits = &it.defaults.triggers;
    let mut names: Vec<String> = Vec::new();
    let read = it.fields.each(it.name, MOST, |_, fields| {
        let invoker = invoker(fields)?;
        if names.contains(&invoker.name()) {
            fields.note(
                "/principal",
                Code::Conflict,
                "is in the list already, for the same source",
            );
        }
        names.push(invoker.name());
        // What a function has, it keeps, whatever the stack has allowed since.
        if !has.contains(&invoker) {
            refuse_others(fields, &invoker, limits);
        }
        Some(invoker)
    });
    it.draft.triggers.invokers = read.unwrap_or_default();
}

/// Who is let.
enum Principal<'a> {
    Service,
    /// An account, or a role or user of it.
    Account(&'a str),
}

fn principal(text: &str) -> Option<Principal<'_>> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
    };
    if is_account(text) {
        return Some(Principal::Account(text));
    }
    if let Some(arn) = Arn::read(text) {
        let of_name = |kind| arn.resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
        let fits = arn.service == "iam"
            && arn.region.is_empty()
            && !arn.account.is_empty()
            && !arn.resource.contains('*')
            && (arn.resource == "root" || of_name("role/") || of_name("user/"));
        return fits.then_some(Principal::Account(arn.account));
    }
    let text = text.strip_suffix(".cn").unwrap_or(text);
    let service = text.strip_suffix(".amazonaws.com")?;
    service.split('.').all(is_label).then_some(Principal::Service)
}

fn invoker(fields: &mut Fields<'_>) -> Option<Invoker> {
    let text = fields.required_text("principal");
    let source_arn = fields.optional_text("sourceArn");
    let source_account = fields.optional_text("sourceAccount");
    let text = text?;
    let arn = source_arn.map(|text| Arn::read(text).filter(|_| text.len() <= 512));
    if arn.is_some_and(|arn| arn.is_none()) {
        let detail = "must be an ARN, with * and ? in its last part if need be";
        fields.note("/sourceArn", Code::InvalidFormat, detail);
    }
    if source_account.is_some_and(|account| !is_account(account)) {
        fields.note("/sourceAccount", Code::InvalidFormat, "must be the 12 digits of an account");
    }
    match principal(text).filter(|_| text.len() <= 256) {
        None if text == "*" => {
            let detail = "cannot be *: nobody lets everybody invoke a function; name a service, an account, a role \
                          or a user";
            fields.note("/principal", Code::NotSupported, detail);
        }
        None => {
            let detail = "must be a service such as s3.amazonaws.com, the 12 digits of an account, or the ARN of a \
                          role or a user";
            fields.note("/principal", Code::InvalidFormat, detail);
        }
        Some(Principal::Account(_)) => {
            for (name, given) in [("sourceArn", source_arn), ("sourceAccount", source_account)] {
                if given.is_some() {
                    let detail = "only a service has a source; leave it out";
                    fields.note(format!("/{name}"), Code::Conflict, detail);
                }
            }
        }
        Some(Principal::Service) if source_arn.is_none() && source_account.is_none() => {
            let detail = "must be given: for whom a service invokes the function, or anybody could have it do so";
            fields.note("/sourceArn", Code::Required, detail);
        }
        Some(Principal::Service) => {
            let of_arn = arn.flatten().map(|arn| arn.account);
            match (of_arn, source_account) {
                (Some(""), None) => {
                    let detail = "must be given, since sourceArn names no account: another one could take over what \
                                  it names";
                    fields.note("/sourceAccount", Code::Required, detail);
                }
                (Some(of_arn), Some(account)) if !of_arn.is_empty() && of_arn != account => {
                    let detail = "is not the account that sourceArn names";
                    fields.note("/sourceAccount", Code::Conflict, detail);
                }
                _ => {}
            }
        }
    }
    Some(Invoker {
        principal: text.to_owned(),
        source_arn: source_arn.map(str::to_owned),
        source_account: source_account.map(str::to_owned),
    })
}

/// Refuses other accounts than the stack lets.
fn refuse_others(fields: &mut Fields<'_>, invoker: &Invoker, limits: &TriggerLimits) {
    let lets = |account: &str| {
        account == limits.account_id || limits.invoker_accounts.iter().any(|it| it == account)
    };
    let of_principal = match principal(&invoker.principal) {
        Some(Principal::Account(account)) => Some(account),
        _ => None,
    };
    let of_arn = invoker.source_arn.as_deref().and_then(Arn::read).map(|arn| arn.account);
    let of_arn = of_arn.filter(|account| !account.is_empty());
    for (name, account) in [
        ("principal", of_principal),
        ("sourceArn", of_arn),
        ("sourceAccount", invoker.source_account.as_deref()),
    ] {
        let at = format!("/{name}");
        if account.is_some_and(|account| !lets(account)) && !fields.has_problem_at(&at) {
            let detail = "is of another account, which the stack's parameter InvokerAccounts does not name; whoever \
                          deploys the stack can name it there";
            fields.note(at, Code::NotSupported, detail);
        }
    }
}

//! Whether there is a stack, of which release it is, and what the caller may ask of it.

use formation_client::{Answer, ClientError};
use formation_model::{About, ProblemCode};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Check, text};
use crate::args::Connection;
use crate::aws::Aws;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::outcome::Outcome;

const STACK: &str = "stack";
const VERSION: &str = "version";
const PERMISSIONS: &str = "permissions";
const BOUNDARY: &str = "boundary";

/// This command's own release.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// What to do where there is no such stack.
const NAMES: &str = "name the stack by --stack or FORMATION_STACK, in its Region and account: whoever runs it knows them";

/// What to do where nothing of the API is allowed.
const POLICIES: &str = "ask whoever runs the stack for one of its managed policies, <stack>-<region>-Plan, -ReadOnly or \
                        -FullAccess";

pub(super) async fn check(connection: &Connection, aws: Option<Aws>) -> Vec<Check> {
    let because = "what comes before it has failed";
    let skip = |checks: &[&'static str], because: &str| {
        checks.iter().map(|check| Check::skipped(check, because)).collect::<Vec<_>>()
    };
    let Some(aws) = aws else { return skip(&[STACK, VERSION, PERMISSIONS, BOUNDARY], because) };
    let connected = match connection.found(aws).await {
        Ok(connected) => connected,
        Err(failure) => {
            let failed = Check::of_failure(STACK, &failure, NAMES);
            let rest = skip(&[VERSION, PERMISSIONS, BOUNDARY], because);
            return [vec![failed], rest].concat();
        }
    };
    let mut checks = vec![Check::ok(STACK, which(connection, &connected))];
    match connected.client.about().await {
        Ok(about) => {
            checks.push(version(&about.version));
            checks.push(permissions(&connected).await);
            checks.push(boundary(&about));
        }
        Err(ClientError::Gateway { status, message, .. }) if is_denial(status) => {
            checks.push(Check::skipped(VERSION, "the stack does not tell it to you"));
            let told = format!("AWS does not let you ask the API ({message})");
            checks.push(Check::failed(PERMISSIONS, Outcome::Denied, told, POLICIES));
            checks.push(Check::skipped(BOUNDARY, because));
        }
        Err(error) => {
            checks.push(silent(error));
            checks.extend(skip(&[PERMISSIONS, BOUNDARY], because));
        }
    }
    checks
}

/// Which stack was found, and where.
fn which(connection: &Connection, connected: &Connected) -> String {
    let name = connected.stack.as_deref().filter(|_| connection.api_url.is_none());
    match name {
        Some(name) => format!("{name}, at {}", connected.client.url()),
        None => format!("at {}, as --api-url or FORMATION_API_URL says", connected.client.url()),
    }
}

fn is_denial(status: StatusCode) -> bool {
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
}

/// A stack that does not tell about itself.
fn silent(error: ClientError) -> Check {
    if error.code() == Some(ProblemCode::RouteNotFound) {
        let told = "the stack is older than 0.3.0, which this command needs";
        let remedy = format!("upgrade the stack to {OWN} (`make deploy` of that release)");
        return Check::failed(VERSION, Outcome::Refused, told, remedy);
    }
    let remedy = "is that the URL of a stack's API? Without --api-url the SSM parameter of the stack tells it";
    Check::of_failure(VERSION, &Failure::from(error), remedy)
}

/// Whether command and stack are of one release.
fn version(of_stack: &str) -> Check {
    let (Some(theirs), Some(ours)) = (minor(of_stack), minor(OWN)) else {
        let told = format!("the stack is {of_stack}, this command {OWN}");
        return Check::warning(VERSION, told, "use the two of one release");
    };
    if theirs == ours {
        return Check::ok(VERSION, format!("the stack is {of_stack}, this command {OWN}"));
    }
    if theirs < ours {
        let told = format!("the stack is {of_stack}, older than this command, {OWN}");
        let remedy = format!("upgrade the stack to {OWN}, or use the command of {of_stack}");
        return Check::warning(VERSION, told, remedy);
    }
    let told = format!("the stack is {of_stack}, newer than this command, {OWN}");
    Check::warning(VERSION, told, format!("install the command of {of_stack}"))
}

/// The first two numbers of a version, within which nothing is taken away.
fn minor(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// What the caller may do, found out by requests that change nothing: what would be changed is nothing that
/// the API takes, and it is asked for a dry run.
async fn permissions(connected: &Connected) -> Check {
    let ask = async |method, target: &str, body: Option<Value>| {
        let request = connected.client.request(method, target);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.map(|answer| is_allowed(&answer))
    };
    let asked = async || -> Result<[bool; 3], ClientError> {
        Ok([
            ask(Method::POST, "/v1/plan", Some(json!({"functions": []}))).await?,
            ask(Method::GET, "/v1/functions?limit=1", None).await?,
            ask(Method::POST, "/v1/functions?dryRun=true", Some(json!({}))).await?,
        ])
    };
    match asked().await {
        Ok(allowed) => allowed_to(allowed),
        Err(error) => Check::of_failure(PERMISSIONS, &Failure::from(error), "try again"),
    }
}

/// Whether API Gateway let a request through; the API's own refusals have a code.
fn is_allowed(answer: &Answer) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    !is_denial(answer.status) || !text(&body, "/code").is_empty()
}

/// Whether the caller may plan, read and change functions.
fn allowed_to(allowed: [bool; 3]) -> Check {
    match allowed {
        [true, true, true] => {
            Check::ok(PERMISSIONS, "plans, reads and changes functions (FullAccess)")
        }
        [true, true, false] => {
            Check::ok(PERMISSIONS, "plans and reads functions, and changes none (ReadOnly)")
        }
        [true, false, false] => {
            Check::ok(PERMISSIONS, "plans changes of functions, and no more (Plan)")
        }
        [false, false, false] => {
            let told = "the caller may ask what the stack is, and no more";
            Check::warning(PERMISSIONS, told, POLICIES)
        }
        allowed => {
            let names = ["plan", "read", "change"];
            let which = |wanted: bool| {
                let named = names.iter().zip(allowed).filter(|(_, allowed)| *allowed == wanted);
                named.map(|(name, _)| *name).collect::<Vec<_>>().join(" and ")
            };
            let told = format!("may {} functions, and not {}", which(true), which(false));
            Check::warning(
                PERMISSIONS,
                told,
                format!("this is as none of the stack's policies has it: {POLICIES}"),
            )
        }
    }
}

fn boundary(about: &About) -> Check {
    match &about.function_boundary_arn {
        Some(arn) => Check::ok(BOUNDARY, format!("functions may be allowed what {arn} allows")),
        None => Check::ok(
            BOUNDARY,
            "the stack has no FunctionBoundaryArn, so that its functions write their logs and can have no \
             policyStatements",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn releases_fit_within_a_minor_one() {
        let of = |version: &str| super::version(version);
        let (major, minor) = minor(OWN).unwrap();
        assert_eq!(of(OWN).status, Status::Ok);
        assert_eq!(of(&format!("{major}.{minor}.99")).status, Status::Ok);
        for (other, told) in [
            (format!("{major}.{}.0", minor + 1), "newer"),
            (format!("{}.0.0", major + 1), "newer"),
            ("0.1.0".to_owned(), "older"),
            ("nonsense".to_owned(), "nonsense"),
        ] {
            let check = of(&other);
            assert_eq!(check.status, Status::Warning, "{check:?}");
            assert!(check.detail.contains(told) && check.remedy.is_some(), "{check:?}");
        }
    }

    #[test]
    fn what_is_allowed_is_told_by_the_policy_that_allows_it() {
        for (allowed, status, told) in [
            ([true, true, true], Status::Ok, "FullAccess"),
            ([true, true, false], Status::Ok, "ReadOnly"),
            ([true, false, false], Status::Ok, "(Plan)"),
            ([false, false, false], Status::Warning, "no more"),
            ([false, true, true], Status::Warning, "may read and change functions, and not plan"),
        ] {
            let check = allowed_to(allowed);
            assert_eq!(check.status, status);
            assert!(check.detail.contains(told), "{check:?}");
        }
    }
}

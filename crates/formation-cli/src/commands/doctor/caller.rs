//! Who asks, when, where and by which way: what every call of AWS needs.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use formation_client::{Answer, ClientError};
use http::header::DATE;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::Check;
use crate::aws::{Aws, AwsError, query, read_xml};
use crate::connect::Place;
use crate::failure::chain_of;
use crate::outcome::Outcome;
use crate::remedy::{SET_CLOCK, renew};

const CREDENTIALS: &str = "credentials";
const CLOCK: &str = "clock";
const REGION: &str = "region";
const NETWORK: &str = "network";

/// How far a clock may be off, so that signatures are taken.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>.
const MOST_SKEW: i64 = 5 * 60;
/// How far it may be off and nothing be said: answers take some seconds, too.
const QUIET_SKEW: i64 = 60;
/// How long AWS may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an access key's id is shown: its kind, and enough to recognise it.
const SHOWN_KEY: usize = 8;
/// Variables that name proxies. Their URLs may have passwords in them.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/// What was found out.
pub(super) struct Caller {
    /// In the order in which they are told.
    pub checks: [Check; 4],
    /// The AWS to go on with; none where something has failed.
    pub aws: Option<Aws>,
}

/// What STS has said.
struct Asked {
    /// What AWS's clock showed, beside this one's: seconds that this one is ahead.
    ahead: Option<i64>,
    /// Who AWS says that asks.
    identity: Result<String, AwsError>,
}

/// What `place` comes to; `profile` is the one that the user named.
pub(super) async fn check(profile: Option<&str>, place: Place) -> Caller {
    let way = way(&place);
    let region = region(&place);
    let provided = match &place.credentials {
        Some(provider) => provider.provide_credentials().await.map_err(|error| chain_of(&error)),
        None => Err("no provider of them is set up".to_owned()),
    };
    let found = provided.map_err(|why| no_credentials(&why, profile));
    let found = found.and_then(|found| lasting(found, profile));
    let skip = |check, because: &str| Check::skipped(check, because);
    let found = match found {
        Ok(found) => found,
        Err(failed) => {
            let because = "there are no credentials to ask with";
            let checks = [failed, skip(CLOCK, because), checked(region), skip(NETWORK, because)];
            return Caller { checks, aws: None };
        }
    };
    let named = region.as_ref().ok().map(|(name, _)| name.clone());
    let aws = named.and_then(|name| place.aws(name, profile.map(str::to_owned)));
    let region = checked(region);
    let Some(aws) = aws else {
        let because = "AWS is asked in a Region";
        let told = format!("{}; not asked of AWS, since there is no Region", who(&found));
        let checks =
            [skip(CREDENTIALS, &told), skip(CLOCK, because), region, skip(NETWORK, because)];
        return Caller { checks, aws: None };
    };
    let asked = ask(&aws).await;
    if let Some(failed) = unreached(&asked.identity, &aws, &way) {
        let because = "AWS was not reached";
        let told = format!("{}; {because}", who(&found));
        let checks = [skip(CREDENTIALS, &told), skip(CLOCK, because), region, failed];
        return Caller { checks, aws: None };
    }
    let clock = clock(asked.ahead);
    let credentials = match clock.outcome {
        Outcome::Done => identity(&asked.identity, &found, &aws),
        _ => skip(
            CREDENTIALS,
            &format!("{}; AWS takes no signature of a clock that is off", who(&found)),
        ),
    };
    let good = clock.outcome == Outcome::Done && credentials.outcome == Outcome::Done;
    let network = Check::ok(NETWORK, way);
    Caller { checks: [credentials, clock, region, network], aws: good.then_some(aws) }
}

/// Asks who asks: a call that everybody may make.
async fn ask(aws: &Aws) -> Asked {
    let client = match aws.client("sts", TIMEOUT) {
        Ok(client) => client,
        Err(error) => return Asked { ahead: None, identity: Err(error) },
    };
    let answer = query(&client, "sts", "GetCallerIdentity", &[]).send().await;
    let now = Timestamp::now();
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Asked { ahead: None, identity: Err(error.into()) },
    };
    let ahead = date(&answer).map(|theirs| now.duration_since(theirs).as_secs());
    let arn = ["GetCallerIdentityResult", "Arn"];
    let identity = read_xml("sts", &answer).and_then(|xml| xml.text(&arn));
    // What is no answer of STS's may well be read as XML.
    let identity = identity.and_then(|arn| match arn.is_empty() {
        true => Err(AwsError::Unreadable("sts")),
        false => Ok(arn),
    });
    Asked { ahead, identity }
}

fn date(answer: &Answer) -> Option<Timestamp> {
    let date = rfc2822::parse(answer.header(DATE)?).ok()?;
    Some(date.timestamp())
}

/// Which Region, and who says so; or that there is none.
fn region(place: &Place) -> Result<(String, &'static str), Check> {
    let Some(name) = &place.region else {
        let remedy = "use --region, AWS_REGION, or a profile that has one (`aws configure set region REGION`)";
        return Err(Check::failed(REGION, Outcome::Usage, "no Region is chosen", remedy));
    };
    if is_region(name) {
        return Ok((name.clone(), place.region_from));
    }
    let told = format!("{name}, from {}, is not the name of a Region", place.region_from);
    let remedy = "Regions are called like eu-west-1: `aws account list-regions` lists yours";
    Err(Check::failed(REGION, Outcome::Usage, told, remedy))
}

fn checked(region: Result<(String, &'static str), Check>) -> Check {
    region.map_or_else(
        |check| check,
        |(name, from)| Check::ok(REGION, format!("{name}, from {from}")),
    )
}

/// Whether a name is built as those of Regions are: `eu-west-1`, `us-gov-east-1`.
fn is_region(name: &str) -> bool {
    let parts: Vec<_> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
}

fn no_credentials(why: &str, profile: Option<&str>) -> Check {
    Check::failed(
        CREDENTIALS,
        Outcome::Denied,
        format!("there are no AWS credentials: {why}"),
        remedy(profile),
    )
}

/// The credentials, if they have not ended.
fn lasting(found: Credentials, profile: Option<&str>) -> Result<Credentials, Check> {
    match found.expiry() {
        Some(end) if end <= SystemTime::now() => {
            let told = format!("{}, expired at {}", who(&found), at(end));
            Err(Check::failed(CREDENTIALS, Outcome::Denied, told, remedy(profile)))
        }
        _ => Ok(found),
    }
}

/// What renews them.
fn remedy(profile: Option<&str>) -> String {
    let told = renew(profile);
    told.strip_prefix("\nhelp: ").unwrap_or(&told).to_owned()
}

/// Of credentials what is no secret: the beginning of the key's id, and where they come from.
fn who(found: &Credentials) -> String {
    let key: String = found.access_key_id().chars().take(SHOWN_KEY).collect();
    let from = provider(found).unwrap_or_else(|| "somewhere".to_owned());
    format!("{key}..., from {from}")
}

/// Where they come from, which their providers tell in their debug output alone; no secret is in it.
fn provider(found: &Credentials) -> Option<String> {
    let shown = format!("{found:?}");
    let (_, rest) = shown.split_once("provider_name: \"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn at(moment: SystemTime) -> String {
    Timestamp::try_from(moment).map_or_else(|_| "some time".to_owned(), crate::output::table::at)
}

/// What AWS says of them.
fn identity(identity: &Result<String, AwsError>, found: &Credentials, aws: &Aws) -> Check {
    let who = who(found);
    let error = match identity {
        Ok(arn) => {
            let until =
                found.expiry().map_or_else(String::new, |end| format!(", until {}", at(end)));
            return Check::ok(CREDENTIALS, format!("{arn} ({who}{until})"));
        }
        Err(error) => error,
    };
    let told = format!("{who}: {}", chain_of(error));
    if error.is_of_credentials() || error.is_denied() {
        let mut remedy = remedy(aws.profile.as_deref());
        if error.code() == "InvalidClientTokenId" {
            remedy += &format!(
                "; nor does AWS know any where {} is not enabled for the account",
                aws.region
            );
        }
        return Check::failed(CREDENTIALS, Outcome::Denied, told, remedy);
    }
    if matches!(error, AwsError::Unreadable(_)) {
        let remedy = "something else than AWS answers, such as a proxy or the sign-in of a network: look at HTTPS_PROXY \
                      and AWS_ENDPOINT_URL";
        return Check::failed(CREDENTIALS, Outcome::Failed, told, remedy);
    }
    Check::warning(CREDENTIALS, told, "AWS has not told who asks: try again")
}

/// How far this machine's clock is off; `ahead` is by how many seconds.
fn clock(ahead: Option<i64>) -> Check {
    let Some(ahead) = ahead else {
        return Check::warning(CLOCK, "AWS's answer has no date", "a proxy may have taken it away");
    };
    let off = ahead.unsigned_abs();
    let (off, unit) = if off < 120 { (off, "s") } else { (off / 60, "min") };
    let told =
        format!("{off} {unit} {}", if ahead < 0 { "behind AWS's" } else { "ahead of AWS's" });
    if ahead.abs() > MOST_SKEW {
        let told = format!("{told}; AWS takes no signature that is off by more than 5 min");
        return Check::failed(CLOCK, Outcome::Denied, told, SET_CLOCK);
    }
    if ahead.abs() > QUIET_SKEW {
        return Check::warning(CLOCK, told, SET_CLOCK);
    }
    Check::ok(CLOCK, "as AWS's")
}

/// By which way AWS is reached, as far as somebody has chosen one.
fn way(place: &Place) -> String {
    let mut told = Vec::new();
    if let Some(url) = &place.endpoint_url {
        told.push(format!("all of AWS is at {}", without_user(url)));
    }
    for variable in PROXIES {
        let proxy = std::env::var(variable).ok().filter(|proxy| !proxy.is_empty());
        if let Some(proxy) = proxy {
            told.push(format!("{variable} is {}", without_user(&proxy)));
        }
    }
    if told.is_empty() { "AWS is reached without a proxy".to_owned() } else { told.join("; ") }
}

/// A URL without the user and the password that may be in it.
fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

/// That AWS was not reached, if so.
fn unreached(identity: &Result<String, AwsError>, aws: &Aws, way: &str) -> Option<Check> {
    let error = match identity {
        Err(AwsError::Client(ClientError::Credentials(_))) => return None,
        Err(error @ (AwsError::Client(_) | AwsError::Build(_))) => error,
        _ => return None,
    };
    let told = format!("STS of {} does not answer: {}; {way}", aws.region, chain_of(error));
    let remedy = "look at the network, at HTTPS_PROXY and AWS_ENDPOINT_URL, and whether there is such a Region; \
                  certificates of a proxy are named by AWS_CA_BUNDLE";
    Some(Check::failed(NETWORK, Outcome::Failed, told, remedy))
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_clock_that_is_off_by_more_than_aws_takes_has_failed() {
        for (ahead, status, told) in [
            (Some(0), Status::Ok, "as AWS's"),
            (Some(-60), Status::Ok, "as AWS's"),
            (Some(61), Status::Warning, "61 s ahead of AWS's"),
            (Some(-300), Status::Warning, "5 min behind AWS's"),
            (Some(301), Status::Failed, "5 min ahead of AWS's"),
            (Some(-7200), Status::Failed, "120 min behind AWS's"),
            (None, Status::Warning, "no date"),
        ] {
            let check = clock(ahead);
            assert_eq!(check.status, status, "{check:?}");
            assert!(check.detail.contains(told), "{check:?}");
            assert_eq!(check.remedy.is_none(), status == Status::Ok);
        }
    }

    #[test]
    fn names_of_regions_are_known_by_their_form() {
        for name in ["eu-west-1", "us-gov-east-1", "ap-southeast-7", "us-iso-b-12"] {
            assert!(is_region(name), "{name}");
        }
        for name in [
            "",
            "eu",
            "eu-west",
            "eu-west-",
            "EU-WEST-1",
            "eu west 1",
            "eu-west-1a",
            "europe",
            "-west-1",
            "eu-west-1/../x",
        ] {
            assert!(!is_region(name), "{name}");
        }
    }

    #[test]
    fn neither_a_secret_nor_a_password_is_shown() {
        let found = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "s3cr3t",
            Some("t0ken".into()),
            None,
            "a test",
        );
        assert_eq!(who(&found), "AKIAIOSF..., from a test");
        for (url, expected) in [
            ("http://ann:s3cr3t@proxy:3128/x?y", "http://proxy:3128"),
            ("ann:s3@cr3t@proxy", "proxy"),
            ("https://127.0.0.1:4566", "https://127.0.0.1:4566"),
        ] {
            assert_eq!(without_user(url), expected);
        }
    }
}

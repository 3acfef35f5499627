//! What helps against what AWS says, and whoever answers in its place.

use jiff::Timestamp;

/// What helps against a clock that is off.
pub const SET_CLOCK: &str = "let the system set its clock (`timedatectl set-ntp true`; on macOS `sudo sntp -sS \
                             time.apple.com`)";

/// What helps against what AWS, or what is on the way to it, said: by its words, since several services
/// and what stands before the API use the same ones with codes of their own.
pub fn help(told: &str, profile: Option<&str>) -> Option<String> {
    let says = |words: &[&str]| words.iter().any(|it| told.contains(it));
    // Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>.
    if says(&[
        "Signature expired",
        "Signature not yet current",
        "RequestTimeTooSkewed",
        "RequestExpired",
    ]) {
        return Some(format!(
            "\nhelp: the clock of this machine is off, and AWS takes no request that is signed so long before or \
             after. It says {}: {SET_CLOCK}",
            Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")
        ));
    }
    if says(&[
        "security token included in the request",
        "request signature we calculated does not match",
        "ExpiredToken",
        "UnrecognizedClient",
        "InvalidClientTokenId",
        "there are no AWS credentials",
    ]) {
        return Some(renew(profile));
    }
    if says(&["cannot be reached", "has not answered within"]) {
        let text = "\nhelp: is there a network, and is the Region or the URL right? HTTPS_PROXY and NO_PROXY tell of a proxy, \
                    and `formation doctor` what is wrong";
        return Some(text.to_owned());
    }
    if says(&["no JSON", "the answer of", "Bad Gateway", "Gateway Timeout", "Proxy Authentication"])
    {
        let text = "\nhelp: does a proxy answer in its place? HTTPS_PROXY and NO_PROXY tell which there is, and \
                    `formation doctor` what is wrong";
        return Some(text.to_owned());
    }
    None
}

/// What renews credentials.
pub fn renew(profile: Option<&str>) -> String {
    let profile = profile.map(str::to_owned).or_else(|| std::env::var("AWS_PROFILE").ok());
    let of_profile = profile.map_or_else(String::new, |name| format!(" --profile {name}"));
    format!(
        "\nhelp: `aws sso login{of_profile}` renews those of IAM Identity Center, `aws login{of_profile}` those of a \
         console session; `aws configure list` shows where these come from"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_follows_from_what_aws_says() {
        for (told, expected) in [
            (
                "ssm answers 400 ExpiredTokenException: The security token included in the request is expired",
                "aws sso login --profile ci",
            ),
            ("The security token included in the request is expired", "`aws login --profile ci`"),
            ("The security token included in the request is invalid.", "aws configure list"),
            (
                "Signature expired: 20261125T120000Z is now earlier than 20261125T121000Z",
                "timedatectl",
            ),
            ("InvalidSignatureException: Signature not yet current: 2026", "timedatectl"),
            ("the API cannot be reached: dns error", "HTTPS_PROXY"),
            ("the answer (200 OK) cannot be read: no JSON", "does a proxy answer"),
        ] {
            let help = help(told, Some("ci")).unwrap_or_default();
            assert!(help.starts_with("\nhelp: ") && help.contains(expected), "{told}: {help}");
        }
        assert_eq!(help("409 Conflict: D", None), None);
    }
}

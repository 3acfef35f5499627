//! Who asks, as AWS verified it.

use std::fmt;

/// Who asks for something: the ARN of an IAM user, of a role's session, of a federated user or of
/// the root user; `event:<account>:<source>` where nobody verified a caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller(String);

impl Caller {
    /// The caller of that ARN, or of that name where it has none.
    pub fn new(arn: impl Into<String>) -> Self {
        Self(arn.into())
    }

    /// Who it was exactly, the session included: for `requestedBy` and `createdBy`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether AWS has verified who it is.
    pub fn is_verified(&self) -> bool {
        self.0.starts_with("arn:")
    }

    /// Account and role, or user: what is a caller's own is bound to this. The name of a session is
    /// left out, since whoever assumes the role chooses it anew each time, and a request that is
    /// repeated from the next session is still the same request.
    ///
    /// Source of the forms: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
    pub fn identity(&self) -> &str {
        let fields: Vec<_> = self.0.splitn(6, ':').collect();
        let ["arn", _, "sts", _, _, resource] = fields[..] else { return &self.0 };
        // Neither name holds a slash.
        match resource.split('/').collect::<Vec<_>>()[..] {
            ["assumed-role", _role, session] => &self.0[..self.0.len() - session.len() - 1],
            _ => &self.0,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_the_same_caller_in_every_session() {
        for (arn, identity) in [
            (
                "arn:aws:sts::111122223333:assumed-role/deployer/ann@example.com",
                "arn:aws:sts::111122223333:assumed-role/deployer",
            ),
            (
                "arn:aws-cn:sts::111122223333:assumed-role/deployer/1700000000",
                "arn:aws-cn:sts::111122223333:assumed-role/deployer",
            ),
        ] {
            assert_eq!(Caller::new(arn).identity(), identity);
            assert_eq!(Caller::new(arn).as_str(), arn);
        }
    }

    #[test]
    fn every_other_caller_is_itself() {
        for arn in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/ann",
            "arn:aws:iam::111122223333:user/teams/blue/ann",
            "arn:aws:sts::111122223333:federated-user/ann",
            // A user in a path that reads like a session.
            "arn:aws:iam::111122223333:user/assumed-role/deployer/ann",
            "arn:aws:sts::111122223333:assumed-role/deployer",
            "event:111122223333:acme.builds",
            // A source is free text.
            "event:111122223333:sts::1:assumed-role/a/b",
            "formation:reconcile",
            "",
        ] {
            assert_eq!(Caller::new(arn).identity(), arn);
        }
    }

    #[test]
    fn only_who_has_an_arn_is_verified() {
        assert!(Caller::new("arn:aws:iam::111122223333:user/ann").is_verified());
        for name in ["event:111122223333:arn:aws:iam::1:root", "formation:reconcile", ""] {
            assert!(!Caller::new(name).is_verified(), "{name}");
        }
    }

    #[test]
    fn roles_and_accounts_are_told_apart() {
        let identities = [
            "arn:aws:sts::111122223333:assumed-role/deployer/ann",
            "arn:aws:sts::444455556666:assumed-role/deployer/ann",
            "arn:aws:sts::111122223333:assumed-role/reader/ann",
            "arn:aws:iam::111122223333:user/deployer",
        ]
        .map(|arn| Caller::new(arn).identity().to_owned());
        let distinct: std::collections::BTreeSet<_> = identities.iter().collect();
        assert_eq!(distinct.len(), identities.len());
    }
}

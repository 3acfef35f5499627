//! `--since`: how far back to look, or from which moment on.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// How far back to look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Since {
    /// So long ago.
    Ago(SignedDuration),
    /// From this moment on.
    Moment(Timestamp),
}

impl Since {
    /// The moment that is meant; what is before all moments is the first of them.
    ///
    /// # Errors
    /// That it is in the future: nothing has come since.
    pub fn before(self, now: Timestamp) -> Result<Timestamp, String> {
        match self {
            Self::Ago(time) => Ok(now.checked_sub(time).unwrap_or(Timestamp::MIN)),
            Self::Moment(moment) if moment > now => Err(format!(
                "{moment} is in the future: name a moment that has been, or a time such as 10m"
            )),
            Self::Moment(moment) => Ok(moment),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(moment) = text.parse() {
            return Ok(Self::Moment(moment));
        }
        let ago = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 60 * 60,
                "d" => 24 * 60 * 60,
                _ => return None,
            };
            // Digits alone: no sign.
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            let number: i64 = digits.then(|| number.parse().ok())??;
            number.checked_mul(seconds).map(SignedDuration::from_secs)
        };
        ago().map(Self::Ago).ok_or_else(|| {
            let text = "must be a time such as 30s, 10m, 2h or 1d, or a moment such as 2026-11-26T09:30:00Z";
            text.to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_moments_are_understood_and_nothing_else_is() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("30s", "2026-11-26T11:59:30Z"),
            ("10m", "2026-11-26T11:50:00Z"),
            ("2h", "2026-11-26T10:00:00Z"),
            ("1d", "2026-11-25T12:00:00Z"),
            ("0s", "2026-11-26T12:00:00Z"),
            ("2026-11-26T09:30:00.5+01:00", "2026-11-26T08:30:00.5Z"),
            ("9999999999999d", "-009999-01-02T01:59:59Z"),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.before(now).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "10", "m", "-5m", "+5m", "1.5h", "10 m", "2w", "yesterday", "5\u{e4}"] {
            let refused = text.parse::<Since>().unwrap_err();
            assert!(refused.contains("10m"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_moment_that_is_to_come_is_refused() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let before = |text: &str| text.parse::<Since>().unwrap().before(now);
        assert_eq!(before("2026-11-26T13:00:00+01:00"), Ok(now));
        let refused = before("2026-11-26T12:00:01Z").unwrap_err();
        assert!(refused.starts_with("2026-11-26T12:00:01Z is in the future"), "{refused}");
    }
}

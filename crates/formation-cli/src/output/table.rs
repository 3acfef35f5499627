//! Tables and words for people.

use std::fmt::Display;

use jiff::{Timestamp, Unit};
use unicode_width::UnicodeWidthStr;

use super::plain::{BAD, GOOD, UNSETTLED, one_line, styled};

/// A table without lines: columns apart by two spaces, as `kubectl` and others show lists.
pub fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let rows = rows.into_iter().map(|row| row.map(|cell| one_line(&cell)));
    let rows: Vec<_> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            // Colours take no room.
            format!("{}{}", word(cell), " ".repeat(width - cell.width()))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Names and values below each other.
pub fn pairs(rows: impl IntoIterator<Item = (String, String)>) -> String {
    let rows = rows.into_iter().map(|(name, value)| (one_line(&name), one_line(&value)));
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let lines = rows.iter().map(|(name, value)| {
        format!("{name}{}  {}", " ".repeat(width - name.width()), word(value))
    });
    lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// How long ago something was: the largest unit that fits.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// How long something took.
pub fn took(from: Timestamp, to: Timestamp) -> String {
    let took = to.duration_since(from).as_secs_f64().max(0.0);
    if took < 60.0 {
        format!("{took:.1} s")
    } else {
        format!("{:.0} min {:.0} s", (took / 60.0).floor(), took % 60.0)
    }
}

/// A moment to the second, in UTC.
pub fn at(moment: Timestamp) -> String {
    moment.round(Unit::Second).unwrap_or(moment).to_string()
}

/// A word in the colour that it deserves: colours are taken out where nobody sees them.
pub fn word(word: impl Display) -> String {
    let word = word.to_string();
    let style = match word.as_str() {
        "AVAILABLE" | "SUCCEEDED" | "IN_SYNC" | "CREATE" | "ok" => GOOD,
        "FAILED" | "DELETED" | "INCOMPLETE" | "DELETE" => BAD,
        "CREATING" | "UPDATING" | "DELETING" | "RUNNING" | "DRIFTED" | "CHANGE" | "warning" => {
            UNSETTLED
        }
        _ => return word,
    };
    styled(style, &word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_columns_and_nothing_else() {
        let shown =
            table(["NAME", "STATUS"], [["a".into(), "X".into()], ["long".into(), "Y".into()]]);
        assert_eq!(shown, "NAME  STATUS\na     X\nlong  Y");
        let shown =
            table(["A", "B"], [["FAILED".into(), "x".into()], ["\u{e4}".into(), "y".into()]]);
        let plain = anstream::adapter::strip_str(&shown).to_string();
        assert_eq!(plain, "A       B\nFAILED  x\n\u{e4}       y");
        assert_ne!(shown, plain);
        assert_eq!(pairs([("a".into(), "1".into()), ("bcd".into(), String::new())]), "a    1\nbcd");
    }

    #[test]
    fn times_are_in_the_unit_that_fits() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        for (then, expected) in [
            ("2026-11-25T12:00:01Z", "0 s ago"),
            ("2026-11-25T11:59:01Z", "59 s ago"),
            ("2026-11-25T11:59:00Z", "1 min ago"),
            ("2026-11-25T10:00:00Z", "2 h ago"),
            ("2026-11-22T12:00:00Z", "3 d ago"),
        ] {
            assert_eq!(ago(then.parse().unwrap(), now), expected);
        }
        let from: Timestamp = "2026-11-25T11:58:29.5Z".parse().unwrap();
        assert_eq!(took(from, now), "1 min 30 s");
        assert_eq!(took("2026-11-25T11:59:58.75Z".parse().unwrap(), now), "1.2 s");
        assert_eq!(at(from), "2026-11-25T11:58:30Z");
    }
}

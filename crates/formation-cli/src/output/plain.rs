//! Text from elsewhere, for a terminal and for CI's log: function names, descriptions, what AWS, the
//! API or a function's log says. Whoever wrote it may have meant the terminal, or the runner, to do
//! something.

use std::fmt::Write;
use std::sync::LazyLock;

use anstyle::{AnsiColor, Effects, Style};

/// What is as it should be.
pub const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
/// What is not.
pub const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
/// What is under way, or has to be looked at.
pub const UNSETTLED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
/// What is there for whoever looks for it.
pub const ASIDE: Style = Style::new().effects(Effects::DIMMED);
/// What tells names apart.
pub const NAMES: [Style; 6] = [
    name(AnsiColor::Cyan),
    name(AnsiColor::Magenta),
    name(AnsiColor::Blue),
    name(AnsiColor::BrightCyan),
    name(AnsiColor::BrightMagenta),
    name(AnsiColor::BrightBlue),
];

const fn name(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

/// The bytes of the longest sequence that is taken for one: a link's URL has 2,083 at the most.
/// Source: <https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda>.
const LONGEST_SEQUENCE: usize = 4096;

/// A text in a style.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The sequences that this command writes itself.
static OURS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let styles = [GOOD, BAD, UNSETTLED, ASIDE].into_iter().chain(NAMES);
    let styles = styles.map(|style| style.render().to_string());
    styles.chain([GOOD.render_reset().to_string()]).collect()
});

/// A text that moves no cursor, changes no title, hides nothing and turns no text around. Of escape
/// sequences only those pass that this command writes itself: colours.
pub fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_escape = first == '\u{1b}';
        let known = OURS.iter().find(|it| is_escape && rest.starts_with(it.as_str()));
        let length = match known {
            Some(known) => {
                safe += known;
                known.len()
            }
            None if is_escape => sequence(rest).unwrap_or_else(|| {
                safe.push(shown(first));
                first.len_utf8()
            }),
            None if rest.starts_with("\r\n") => 1,
            None => {
                safe.push(if "\n\t".contains(first) { first } else { shown(first) });
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    safe
}

/// The same in one line: a cell of a table.
pub fn one_line(text: &str) -> String {
    safe(text).replace('\n', "\u{240a}").replace('\t', " ")
}

/// The same without any sequence, colours included: for a line of a file.
pub fn bare(text: &str) -> String {
    text.chars().map(|character| if is_unsafe(character) { ' ' } else { character }).collect()
}

/// A safe text whose lines are no commands to the program that runs a job: GitHub takes `::` at the
/// beginning of a line, and `##[` anywhere.
/// Source: <https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>.
pub fn without_commands(text: &str) -> String {
    let line = |line: &str| {
        let indented = line.len() - line.trim_start().len();
        let (indent, content) = line.split_at(indented);
        let content = match content.strip_prefix("::") {
            Some(command) => format!(": :{command}"),
            None => content.to_owned(),
        };
        format!("{indent}{}", content.replace("##[", "# #["))
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// JSON in which whatever a terminal, or the program that runs a job, might act on is an escape: it is the
/// same document.
pub fn json(document: &str) -> String {
    let mut safe = String::with_capacity(document.len());
    // Outside of its texts a document holds neither.
    let document = document.replace("\r\n", "\n");
    for (part, text) in document.split("##[").enumerate() {
        if part > 0 {
            safe += "#\\u0023[";
        }
        for character in text.chars() {
            // Between its values a document may have these.
            if !"\n\t".contains(character) && is_unsafe(character) {
                // None is beyond the first 65,536.
                let _ = write!(safe, "\\u{:04x}", u32::from(character));
            } else {
                safe.push(character);
            }
        }
    }
    safe
}

/// The length of a whole sequence that a terminal acts on: a colour, a movement, a title, a link.
fn sequence(text: &str) -> Option<usize> {
    // What is longer is none, or every escape in a long line would be looked for an end to the end of it.
    let text = &text[..text.floor_char_boundary(LONGEST_SEQUENCE)];
    let line = text.split('\n').next()?;
    let rest = line.strip_prefix('\u{1b}')?;
    let length = match rest.as_bytes().first()? {
        b'[' => {
            let end = rest.bytes().skip(1).position(|byte| !(0x20..=0x3f).contains(&byte))?;
            // What is no end is no part of it.
            (0x40..=0x7e).contains(&rest.as_bytes()[end + 1]).then_some(end + 2)?
        }
        b']' => match (rest.find('\u{7}'), rest.find("\u{1b}\\")) {
            (Some(bell), Some(end)) if end < bell => end + 2,
            (Some(bell), _) => bell + 1,
            (None, end) => end? + 2,
        },
        _ => return None,
    };
    Some('\u{1b}'.len_utf8() + length)
}

fn shown(character: char) -> char {
    match character {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        character if is_unsafe(character) => '\u{fffd}',
        character => character,
    }
}

/// Whether it is a control character, or changes the direction of what is around it.
/// Source: <https://www.unicode.org/reports/tr9/#Explicit_Directional_Embeddings>.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_passes_but_our_own_colours() {
        let good = styled(GOOD, "AVAILABLE");
        for (text, expected) in [
            ("plain \u{e4} \u{754c} \u{1f600}\n\tx", "plain \u{e4} \u{754c} \u{1f600}\n\tx"),
            (good.as_str(), good.as_str()),
            // Whole sequences go, what is none is shown.
            ("\u{1b}[2J\u{1b}[1;31mred\u{1b}[38;5;1mx", "redx"),
            ("\u{1b}]0;title\u{7}x\u{1b}]8;;http://e\u{1b}\\y", "xy"),
            ("\u{1b}]0;never ends\nand on", "\u{241b}]0;never ends\nand on"),
            ("\u{1b}[1;\u{1b}[2Jx\u{1b}[", "\u{241b}[1;x\u{241b}["),
            ("\u{1b}c\u{1b}", "\u{241b}c\u{241b}"),
            ("a\rb\r\nc\u{8}\u{7}\0\u{7f}", "a\u{240d}b\nc\u{2408}\u{2407}\u{2400}\u{2421}"),
            ("\u{9b}2J\u{202e}evil\u{2066}\u{2028}", "\u{fffd}2J\u{fffd}evil\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(safe(text), expected, "{text:?}");
        }
        // However many begin in a line, it takes no longer than their number.
        let many = "\u{1b}]".repeat(500_000);
        assert_eq!(safe(&many), "\u{241b}]".repeat(500_000));
        assert_eq!(one_line("a\nb\tc\u{1b}[2J"), "a\u{240a}b c");
    }

    #[test]
    fn no_line_is_a_command_to_what_runs_a_job() {
        for (text, expected) in [
            ("::set-output name=a::b", ": :set-output name=a::b"),
            ("x\n  ::add-mask::y\n\t::z", "x\n  : :add-mask::y\n\t: :z"),
            ("x ##[error]y", "x # #[error]y"),
            ("arn:aws:iam::1:role/x ## Title", "arn:aws:iam::1:role/x ## Title"),
        ] {
            assert_eq!(without_commands(text), expected);
        }
    }

    #[test]
    fn json_says_the_same_in_escapes() {
        let value = serde_json::json!({"a": "##[x]\u{1b}[2J\u{7f}\u{9b}\u{202e}\n::y \u{e4}##"});
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.contains("##[") && text.lines().count() == 3, "{text}");
        assert!(!text.chars().any(|it| it != '\n' && is_unsafe(it)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert_eq!(json("{\r\n\t\"a\": 1\n}"), "{\n\t\"a\": 1\n}");
    }
}

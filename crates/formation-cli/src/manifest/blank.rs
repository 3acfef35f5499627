//! A manifest's text without what a function's environment holds, which may be secret and is not shown
//! with what is wrong.

use saphyr_parser::{Event, Parser};

use super::variables::is_reference;

/// What stands where a secret may.
const BLANK: char = '*';

/// The same text, in as many lines and characters, with the values of every `environment` blank: they are
/// known by the names of variables, which stay. Where the text is not YAML, all values from there on may be
/// those of an environment that has begun before.
pub fn blanked(text: &str) -> String {
    let mut blank = Blank { text: text.chars().collect(), open: Vec::new(), within: None, read: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                blank.take(&event, span.start.index(), span.end.index());
                blank.read = blank.read.max(span.end.index());
            }
            Err(_) => {
                blank.rest();
                break;
            }
        }
    }
    blank.text.into_iter().collect()
}

struct Blank {
    text: Vec<char>,
    open: Vec<Open>,
    /// How much was open when the environment began that this is in.
    within: Option<usize>,
    /// How many characters have been read.
    read: usize,
}

/// A list or an object that has not ended.
struct Open {
    /// Of an object whose value is to come: its key.
    key: Option<String>,
    /// Whether keys are those of an object.
    is_map: bool,
}

impl Blank {
    /// Blanks what is no name of a variable between what has been read and what comes, and goes on.
    fn take(&mut self, event: &Event<'_>, start: usize, end: usize) {
        match event {
            Event::Scalar(text, ..) if self.is_key_due() => {
                // Only the keys of the environment itself are names.
                self.form(self.read, start);
                if self.within.is_some_and(|depth| self.open.len() > depth + 1) {
                    self.fill(start, end);
                }
                let key = text.clone().into_owned();
                if self.within.is_none() && self.begins_environment(&key) {
                    self.within = Some(self.open.len());
                }
                if let Some(open) = self.open.last_mut() {
                    open.key = Some(key);
                }
            }
            Event::Scalar(text, ..) => {
                self.form(self.read, start);
                if !is_reference(text) {
                    self.fill(start, end);
                }
                self.put();
            }
            Event::Alias(_) => {
                self.form(self.read, start);
                self.fill(start, end);
                self.put();
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                self.form(self.read, end);
                let is_map = matches!(event, Event::MappingStart(..));
                self.open.push(Open { key: None, is_map });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.form(self.read, start);
                self.open.pop();
                self.put();
            }
            _ => {}
        }
    }

    fn is_key_due(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_map && open.key.is_none())
    }

    /// Whether a key is a function's `environment`, or is meant to be.
    fn begins_environment(&self, key: &str) -> bool {
        let parent = self.open.iter().rev().nth(1).and_then(|open| open.key.as_deref());
        key.to_ascii_lowercase().starts_with("env") && parent != Some("functions")
    }

    /// A value has ended.
    fn put(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.key = None;
        }
        if self.within.is_some_and(|depth| self.open.len() <= depth) {
            self.within = None;
        }
    }

    /// Blanks these characters, if they are in an environment.
    fn fill(&mut self, from: usize, to: usize) {
        self.fill_but(from, to, "");
    }

    /// The same of what stands between values, comments too, but for what gives an object its form.
    fn form(&mut self, from: usize, to: usize) {
        self.fill_but(from, to, "{}[],:");
    }

    fn fill_but(&mut self, from: usize, to: usize, kept: &str) {
        let to = to.min(self.text.len());
        if self.within.is_some() && from < to {
            for character in &mut self.text[from..to] {
                if !character.is_whitespace() && !kept.contains(*character) {
                    *character = BLANK;
                }
            }
        }
    }

    /// Blanks what is left of the text in an environment; elsewhere, if there may be one, what is behind a
    /// colon in each line, and lines without one: where a text breaks off, it is not known what belongs to what.
    fn rest(&mut self) {
        self.fill(self.read, self.text.len());
        let text: String = self.text.iter().collect();
        if !text.to_ascii_lowercase().contains("env") {
            return;
        }
        let mut is_value = !self.is_key_due();
        for at in self.read..self.text.len() {
            match self.text[at] {
                '\n' => {
                    let line = self.text[at + 1..].split(|it| *it == '\n').next();
                    is_value = line.is_none_or(|line| !line.contains(&':'));
                }
                ':' => is_value = true,
                character if is_value && !character.is_whitespace() => self.text[at] = BLANK,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_environments_are_blank_wherever_and_however_they_stand() {
        for (text, expected) in [
            (
                "defaults: {environment: {A: s3, \"B\": 's3'}, tags: {a: b}}",
                "defaults: {environment: {A: **, \"B\": ****}, tags: {a: b}}",
            ),
            (
                "functions:\n  a:\n    environment:\n      A: s3 # s3\n      # s3\n      B: |\n        s3\n        s3\n    tags: {}\n",
                "functions:\n  a:\n    environment:\n      A: ** * **\n      * **\n      B: *\n        **\n        **\n    tags: {}\n",
            ),
            (
                "overlays:\n  p:\n    functions:\n      a: {environment: {A: \"s3\n          s3\", B: &x s3}, code: x}",
                "overlays:\n  p:\n    functions:\n      a: {environment: {A: ***\n          ***, B: ** **}, code: x}",
            ),
            // What is there by mistake.
            (
                "functions: {a: {Env: s3, environment: [s3, s3], code: x}}",
                "functions: {a: {Env: **, environment: [**, **], code: x}}",
            ),
            (
                "functions: {a: {environment: {A: {B: s3}}, code: {folder: x}}}",
                "functions: {a: {environment: {A: {*: **}}, code: {folder: x}}}",
            ),
            // A variable's name is none, but what stands in for it.
            (
                "functions: {a: {environment: {A: \"${B}\", C: \"${B:-s3}\", D: \u{e4}\u{754c}}}}",
                "functions: {a: {environment: {A: \"${B}\", C: **********, D: **}}}",
            ),
            // A function of that name.
            ("functions: {env: {code: x}}", "functions: {env: {code: x}}"),
        ] {
            assert_eq!(blanked(text), expected);
        }
    }

    #[test]
    fn where_a_text_breaks_off_no_value_of_an_environment_is_left() {
        for text in [
            "functions:\n  a:\n    environment:\n      A: s3: s3\n",
            "functions:\n  a:\n    environment: {A: ${s3}}\n",
            "functions:\n  a:\n    environment: {A: \"s3\n  s3\n",
            "functions:\n  a:\n    environment:\n      A: s\n     B: s3\n",
            "functions:\n  a:\n    environment:\n\tA: s3\n",
            "functions:\n  a:\n    environment:\n      A: @s3\n",
            "functions:\n  a:\n    environment: A: s3\n",
        ] {
            let shown = blanked(text);
            assert!(!shown.contains("s3") && shown.contains("environment"), "{shown}");
            assert_eq!(shown.chars().count(), text.chars().count());
        }
        assert_eq!(blanked("a: b: c\n"), "a: b: c\n");
    }
}

//! What is wrong with a manifest, shown at its place in the user's file.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::blank::blanked;
use super::yaml::{Misplaced, Place};

/// Everything that is wrong with a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problems {
    /// The file as the user names it.
    pub file: String,
    /// What stands in it, as it may be shown.
    pub text: String,
    /// What is wrong, by place.
    pub found: Vec<Misplaced>,
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl Problems {
    /// The problems of a file, in its order; what its environments hold is not shown.
    pub fn new(file: &str, text: &str, mut found: Vec<Misplaced>) -> Self {
        found.sort_by_key(|it| it.at);
        // An editor's byte order mark is no part of the document, nor of its columns.
        let text = blanked(text.strip_prefix('\u{feff}').unwrap_or(text));
        Self { file: file.to_owned(), text, found }
    }

    /// As compilers show it: each with the line that it is in.
    pub fn render(&self, renderer: &Renderer) -> String {
        let shown = self.found.iter().map(|misplaced| {
            let span = span(&self.text, misplaced.at);
            let snippet = Snippet::source(self.text.as_str())
                .path(self.file.as_str())
                .annotation(AnnotationKind::Primary.span(span));
            renderer
                .render(&[Level::ERROR.primary_title(misplaced.message.as_str()).element(snippet)])
        });
        shown.collect::<Vec<_>>().join("\n\n")
    }
}

/// The bytes of `text` that a place stands for.
fn span(text: &str, at: Place) -> std::ops::Range<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n').take(at.line.saturating_sub(1)) {
        start += line.len();
    }
    let line = text[start..].lines().next().unwrap_or_default();
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let column = at.column.saturating_sub(1);
    start + byte(column)..start + byte(column + at.width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_shown_in_the_file_s_own_lines_and_order() {
        let text = "name: shop\nfunctions:\n  h\u{e4}llo: 1\n";
        let found = vec![
            Misplaced::new(Place { line: 3, column: 10, width: 1 }, "must be an object"),
            Misplaced::new(Place { line: 1, column: 7, width: 4 }, "is too short"),
            Misplaced::new(Place { line: 9, column: 9, width: 9 }, "is beyond the end"),
        ];
        let shown = Problems::new("formation.yaml", text, found).to_string();
        let expected = "\
error: is too short
 --> formation.yaml:1:7
  |
1 | name: shop
  |       ^^^^

error: must be an object
 --> formation.yaml:3:10
  |
3 |   h\u{e4}llo: 1
  |          ^

error: is beyond the end
 --> formation.yaml:3:12
  |
3 |   h\u{e4}llo: 1
  |           ^";
        let without_trailing = shown.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(without_trailing, expected);
    }
}

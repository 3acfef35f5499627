//! YAML as a tree whose every value knows where it stands in the file, so that whatever is wrong with
//! it, now or once the API has seen it, can be shown there.
//!
//! Plain scalars are resolved by YAML 1.2's core schema, and JSON is YAML. Anchors and aliases are
//! understood; tags and merge keys are refused: what they are used for, a manifest's `defaults` do.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use serde_json::{Number, Value};

/// A file larger than this is no manifest.
pub const LARGEST: usize = 8 * 1024 * 1024;
/// How deep values may stand in each other.
const DEEPEST: usize = 64;
/// How much a file may hold, each alias counted as often as it stands: see [`weight`].
const MOST: usize = 200_000;

/// Where something stands in the file.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// From 1 on.
    pub line: usize,
    /// From 1 on, in characters.
    pub column: usize,
    /// How many characters of the line it takes, where that is known; at least one.
    pub width: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct Misplaced {
    /// Where.
    pub at: Place,
    /// What, and what to do about it.
    pub message: String,
}

impl Misplaced {
    /// What is wrong at `at`.
    pub fn new(at: Place, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Place,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// A text, a number, a truth value or null.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// An object, by its keys.
    Map(BTreeMap<String, Member>),
}

/// A value of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Where its key stands.
    pub key_at: Place,
    /// The value.
    pub node: Node,
}

/// A scalar as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scalar {
    /// Its text, without quotes.
    pub text: String,
    /// Whether it stands there without quotes, so that it need not be a text.
    pub plain: bool,
}

impl Scalar {
    /// The value that it stands for.
    pub fn value(&self) -> Value {
        let text = self.text.as_str();
        if !self.plain {
            return Value::from(text);
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            _ => number(text).map_or_else(|| Value::from(text), Value::Number),
        }
    }
}

/// A number as the core schema writes it, if a JSON number can hold it.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok().map(Number::from);
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = text.parse::<i64>().map(Number::from);
        if let Ok(whole) = whole.or_else(|_| text.parse::<u64>().map(Number::from)) {
            return Some(whole);
        }
    }
    let in_floats = |c: char| c.is_ascii_digit() || ".eE+-".contains(c);
    if !text.chars().all(in_floats) || !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().and_then(Number::from_f64)
}

impl Node {
    /// Its members, if it is an object.
    pub fn members(&self) -> Option<&BTreeMap<String, Member>> {
        match &self.content {
            Content::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The value of that key, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.members()?.get(key).map(|member| &member.node)
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.value().is_null())
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) if scalar.value().is_string() => Some(&scalar.text),
            _ => None,
        }
    }

    /// The same in JSON.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.value(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(members) => {
                let members = members.iter();
                Value::Object(
                    members.map(|(key, member)| (key.clone(), member.node.to_json())).collect(),
                )
            }
        }
    }

    /// Where the value at a JSON pointer (RFC 6901) stands, or the innermost that there is on the way
    /// to it: what is missing is shown at what lacks it.
    pub fn place_of(&self, pointer: &str) -> Place {
        let mut place = self.at;
        let mut node = self;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match &node.content {
                Content::Map(members) => members.get(&token).map(|member| &member.node),
                Content::List(items) => token.parse().ok().and_then(|at: usize| items.get(at)),
                Content::Scalar(_) => None,
            };
            let Some(next) = next else { break };
            (place, node) = (next.at, next);
        }
        place
    }
}

/// Reads one document; an empty file is an empty object.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(text: &str) -> Result<Node, Misplaced> {
    if text.len() > LARGEST {
        let message = format!("the file is larger than {LARGEST} bytes");
        return Err(Misplaced::new(Place { line: 1, column: 1, width: 1 }, message));
    }
    // An editor's byte order mark is no part of the document.
    let mut tree = Tree::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => tree.take(event, span)?,
            Err(error) => {
                let at = place(*error.marker());
                let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
                let hint = match line.contains("${") {
                    true => "; between { and }, a text with ${...} in it needs quotes",
                    false => "",
                };
                return Err(Misplaced::new(at, format!("{}{hint}", error.info())));
            }
        }
    }
    let empty =
        Node { at: Place { line: 1, column: 1, width: 1 }, content: Content::Map(BTreeMap::new()) };
    Ok(tree.root.unwrap_or(empty))
}

/// What has been read so far.
#[derive(Default)]
struct Tree {
    /// What is open, outermost first.
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    weight: usize,
}

/// A list or an object that has not ended.
struct Open {
    at: Place,
    anchor: usize,
    content: Content,
    /// Of an object: the key whose value is to come.
    key: Option<(String, Place)>,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Misplaced> {
        let at = place_of(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message =
                        "a manifest is one document: put the second into a file of its own";
                    return Err(Misplaced::new(at, message));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), at)?;
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let scalar = Scalar { text: text.into_owned(), plain };
                let node = Node { at, content: Content::Scalar(scalar) };
                let weight = weight(&node);
                self.put(node, anchor, weight)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Misplaced::new(at, "names an anchor that has not ended"));
                };
                let weight = weight(node);
                let node = Node { at, ..node.clone() };
                self.put(node, 0, weight)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), at)?;
                self.open(at, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), at)?;
                self.open(at, anchor, Content::Map(BTreeMap::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { at, anchor, content, .. }) => self.put(Node { at, content }, anchor, 1),
                None => Ok(()),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, at: Place, anchor: usize, content: Content) -> Result<(), Misplaced> {
        if self.open.len() == DEEPEST {
            return Err(Misplaced::new(at, format!("is nested deeper than {DEEPEST} values")));
        }
        // What is about to begin may not be a key.
        if let Some(Open { content: Content::Map(_), key: None, .. }) = self.open.last() {
            return Err(Misplaced::new(at, "a key must be a text"));
        }
        self.open.push(Open { at, anchor, content, key: None });
        Ok(())
    }

    /// Puts a value where one is due.
    fn put(&mut self, node: Node, anchor: usize, weight: usize) -> Result<(), Misplaced> {
        self.weight += weight;
        if self.weight > MOST {
            let message = "the file holds too much from here on, its aliases written out";
            return Err(Misplaced::new(node.at, message));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.content, open.key.take()) {
            (Content::Map(members), Some((key, key_at))) => {
                members.insert(key, Member { key_at, node });
            }
            (Content::Map(members), None) => {
                let at = node.at;
                let Content::Scalar(Scalar { text, plain }) = node.content else {
                    return Err(Misplaced::new(at, "a key must be a text"));
                };
                if text == "<<" && plain {
                    let message = "merge keys are no part of YAML 1.2: what several functions share \
                                   belongs into `defaults`";
                    return Err(Misplaced::new(at, message));
                }
                if let Some(first) = members.get(&text) {
                    let message = format!("`{text}` stands here twice: first at {}", first.key_at);
                    return Err(Misplaced::new(at, message));
                }
                open.key = Some((text, at));
            }
            (Content::List(items), _) => items.push(node),
            (Content::Scalar(_), _) => {}
        }
        Ok(())
    }
}

/// How much a value holds: one for each value in it, and more for a long text.
fn weight(node: &Node) -> usize {
    match &node.content {
        Content::Scalar(scalar) => 1 + scalar.text.len() / 256,
        Content::List(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Content::Map(members) => 1 + members.values().map(|it| weight(&it.node)).sum::<usize>(),
    }
}

fn refuse_tag(tag: Option<&saphyr_parser::Tag>, at: Place) -> Result<(), Misplaced> {
    match tag {
        None => Ok(()),
        // `!!str 8080` says what quotes say.
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(()),
        // What is taken for a tag may be a secret without quotes, and is not repeated.
        Some(_) => {
            let message =
                "a tag means nothing here: take it out, or put a text that begins with ! in quotes";
            Err(Misplaced::new(at, message))
        }
    }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1, width: 1 }
}

fn place_of(span: Span) -> Place {
    let on_one_line = span.start.line() == span.end.line();
    let width = if on_one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Place { width: width.max(1), ..place(span.start) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_of(text: &str) -> Value {
        read(text).unwrap().to_json()
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        for (text, expected) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("null", Value::Null),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("0", json!(0)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("1_000", json!("1_000")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            (".", json!(".")),
            ("2026-11-25", json!("2026-11-25")),
            ("index.handler", json!("index.handler")),
            ("infinity", json!("infinity")),
            (".inf", json!(".inf")),
        ] {
            let scalar = Scalar { text: text.to_owned(), plain: true };
            assert_eq!(scalar.value(), expected, "{text}");
            let quoted = Scalar { text: text.to_owned(), plain: false };
            assert_eq!(quoted.value(), json!(text));
        }
    }

    #[test]
    fn json_is_yaml_and_an_empty_file_an_empty_object() {
        assert_eq!(json_of(""), json!({}));
        assert_eq!(json_of("# nothing\n"), json!({}));
        let text = "{\"a\": [1, \"2\", null, true], \"b\": {\"c\": \"\\u00e4\"}}";
        assert_eq!(json_of(text), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn every_value_knows_its_place() {
        let node =
            read("name: shop\nfunctions:\n  hello:\n    code: |\n      x\n    tags: {a: b}\n")
                .unwrap();
        for (pointer, line, column) in [
            ("", 1, 1),
            ("/name", 1, 7),
            ("/functions/hello/tags/a", 6, 15),
            ("/functions/hello/missing", 4, 5),
            ("/functions/hello/tags/a/b", 6, 15),
        ] {
            let place = node.place_of(pointer);
            assert_eq!((place.line, place.column), (line, column), "{pointer}");
        }
        assert_eq!(node.place_of("/name").width, 4);
        assert_eq!(read("a~b/c: [1, 2]").unwrap().place_of("/a~0b~1c/1").column, 12);
    }

    #[test]
    fn what_is_ambiguous_is_refused_at_its_place() {
        for (text, expected) in [
            ("a: 1\nb: 2\na: 3", "3:1: `a` stands here twice: first at 1:1"),
            ("a: !Ref b", "1:4: a tag means nothing here: take it out"),
            ("x: &x {a: 1}\ny:\n  <<: *x", "3:3: merge keys are no part of YAML 1.2"),
            ("a: 1\n---\nb: 2", "2:1: a manifest is one document"),
            ("? [a]\n: b", "1:3: a key must be a text"),
            ("a: [1, 2", "2:1: while parsing a flow sequence"),
            ("a: b: c", "1:"),
            (
                "a: {b: ${C}}",
                "1:9: while parsing a flow mapping, did not find expected ',' or '}'; between",
            ),
        ] {
            let refused = refused(text);
            assert!(refused.starts_with(expected), "{text}: {refused}");
        }
        assert_eq!(json_of("a: !!str 8080"), json!({"a": "8080"}));
    }

    #[test]
    fn aliases_are_what_they_name_and_no_bomb() {
        assert_eq!(json_of("a: &x {b: 1}\nc: *x"), json!({"a": {"b": 1}, "c": {"b": 1}}));
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..30 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
        }
        assert!(refused(&bomb).contains("holds too much"));
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(1_000_000), vec!["*a"; 1000].join(","));
        assert!(refused(&long).contains("holds too much"));
        assert!(refused(&"[".repeat(100)).contains("nested deeper than 64"));
        assert!(refused(&"[".repeat(100_000)).contains("limit"));
        assert!(refused("a: &a [*a]").contains("has not ended"));
        assert!(refused(&" ".repeat(LARGEST + 1)).contains("larger than"));
    }
}

//! Reading JSON that others wrote: one well-formed document, with no key twice, and no more kept of
//! it than a request can need.
//!
//! A tree of everything takes a hundred times the size of a document of small arrays or objects, and
//! whether two keys are one is only seen in such a tree or on the way. So this reader checks the
//! whole document, keeps the fields that its [`Shape`] names, and counts the rest. What is wrong with
//! a document and yet leaves its structure clear (a key twice, half a surrogate pair, deep nesting)
//! does not end the reading: whoever sent it can still be told.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use crate::function::FIELDS;
use crate::problem::{FieldProblem, FieldProblemCode, FieldProblems, pointer};
use crate::view::OUTPUT_ONLY;

/// Objects and arrays that may stand in each other. A function has five.
const DEEPEST: usize = 128;

/// Values that are kept of a document. Within AWS's limits a function has some hundreds: 4 KB of
/// environment are at most 512 variables.
const MOST_VALUES: usize = 10_000;

/// What of a value is kept.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// All of it, if a function can have as much.
    Whole,
    /// Nothing: it only has to be well-formed.
    Ignored,
    /// Of an object, the fields that have a shape; that there are others is a problem. Of another
    /// value, what tells its type.
    Object(fn(&str) -> Option<Shape>),
}

/// The shape of a function, or of a patch for one.
pub const FUNCTION: Shape = Shape::Object(|field| match field {
    field if FIELDS.contains(&field) => Some(Shape::Whole),
    field if OUTPUT_ONLY.contains(&field) => Some(Shape::Ignored),
    _ => None,
});

/// A document as far as it was kept.
#[derive(Debug)]
pub struct Document {
    /// What was kept. Numbers beyond the range of a 64-bit float are the largest in it, which is
    /// beyond the range of every field.
    pub value: Value,
    /// Fields that hold more values than a function can have.
    oversized: Vec<FieldProblem>,
    /// Fields without a shape.
    unknown: FieldProblems,
}

impl Document {
    /// The part at the JSON pointer `place`, as a document of its own. What is wrong elsewhere is
    /// wrong with it, too.
    #[must_use]
    pub fn into_part(mut self, place: &str) -> Self {
        self.value = self.value.pointer_mut(place).map(Value::take).unwrap_or_default();
        for problem in self.oversized.iter_mut().chain(self.unknown.first_mut()) {
            if let Some(rest) = problem.pointer.strip_prefix(place)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                problem.pointer = rest.to_owned();
            }
        }
        self
    }

    /// Whether everything that a request may hold was kept: what tells one request from another is
    /// in `value` then, and only in the text otherwise.
    pub fn is_whole(&self) -> bool {
        self.oversized.is_empty() && self.unknown.is_empty()
    }

    /// What `read` makes of the document.
    ///
    /// # Errors
    /// Everything that is wrong with it: what `read` has found, and what was not kept.
    pub fn read_with<T>(
        &self,
        read: impl FnOnce(&Value) -> Result<T, Vec<FieldProblem>>,
    ) -> Result<T, FieldProblems> {
        let found = match read(&self.value) {
            Ok(read) if self.is_whole() => return Ok(read),
            Ok(_) => Vec::new(),
            Err(found) => found,
        };
        // What was left out has only been missed.
        let missed = |problem: &FieldProblem| {
            self.oversized.iter().any(|left_out| left_out.pointer == problem.pointer)
        };
        let found = found.into_iter().filter(|problem| !missed(problem));
        let mut problems: FieldProblems = found.chain(self.oversized.iter().cloned()).collect();
        problems.append(self.unknown.clone());
        Err(problems)
    }
}

/// Why a text is not one well-formed JSON document, and where it ceases to be.
#[derive(Debug, thiserror::Error)]
#[error("{flaw} at line {line}, column {column}")]
pub struct MalformedJson {
    flaw: Flaw,
    line: usize,
    column: usize,
    /// What could be read all the same; null where the document breaks off.
    pub readable: Value,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
enum Flaw {
    #[error("it begins with a byte order mark, which must be left out,")]
    ByteOrderMark,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it ends early")]
    Early,
    #[error("it has a syntax error")]
    Syntax,
    #[error("a key stands twice in one object")]
    Twice,
    #[error("a string has one half of a surrogate pair (\\ud800 to \\udfff) without the other")]
    Surrogate,
    #[error("it is nested too deeply (more than {DEEPEST} objects and arrays in each other)")]
    Depth,
}

/// Reads the document in `text`, and keeps of it what `shape` says.
///
/// # Errors
/// [`MalformedJson`]. Parsers disagree about which of two equal keys counts (RFC 8259, section 4) and
/// about lone surrogates (section 8.2), so what was checked elsewhere may not be what acts.
pub fn read(text: &[u8], shape: Shape) -> Result<Document, MalformedJson> {
    let whole = match str::from_utf8(text) {
        Ok(whole) => whole,
        Err(error) => {
            // It was read up to here.
            let before = text.get(..error.valid_up_to()).unwrap_or_default();
            return Err(malformed(Flaw::NotUtf8, &String::from_utf8_lossy(before), Value::Null));
        }
    };
    let mut reader = Reader {
        text: whole,
        at: 0,
        room: MOST_VALUES,
        overflowed: false,
        first_flaw: None,
        hasher: RandomState::new(),
        oversized: Vec::new(),
        unknown: FieldProblems::default(),
    };
    let value = reader.document(shape);
    match (value, reader.first_flaw) {
        (Ok(value), None) => {
            let value = value.unwrap_or_default();
            Ok(Document { value, oversized: reader.oversized, unknown: reader.unknown })
        }
        (Ok(value), Some(fault)) => {
            Err(malformed(fault.flaw, &whole[..fault.at], value.unwrap_or_default()))
        }
        (Err(fault), first) => {
            let fault = first.unwrap_or(fault);
            Err(malformed(fault.flaw, &whole[..fault.at], Value::Null))
        }
    }
}

/// `before` is what stands before the flaw.
fn malformed(flaw: Flaw, before: &str, readable: Value) -> MalformedJson {
    let (line, column) = match before.rsplit_once('\n') {
        Some((lines, last)) => (lines.matches('\n').count() + 2, last.chars().count() + 1),
        None => (1, before.chars().count() + 1),
    };
    MalformedJson { flaw, line, column, readable }
}

/// The number as an integer, if it has no fraction: to JSON Schema, 256.0 and 1e3 are integers. What
/// does not fit into 64 bits becomes the nearest that does.
pub(crate) fn whole(number: &Number) -> Option<i64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0);
    // The cast saturates.
    number.as_i64().or_else(|| float().map(|float| float as i64))
}

/// SHA-256, in hex, of what a document says: the order of its keys, white space and the spelling of
/// strings and of whole numbers do not count.
pub fn canonical_digest(value: &Value) -> String {
    let mut hash = Sha256::new();
    feed(&mut hash, value);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every value begins with its type, and what varies in length with its length.
fn feed(hash: &mut Sha256, value: &Value) {
    let mut sized = |kind: &str, length: usize| {
        hash.update(kind);
        hash.update((length as u64).to_be_bytes());
    };
    match value {
        Value::Null => hash.update("null"),
        Value::Bool(true) => hash.update("true"),
        Value::Bool(false) => hash.update("false"),
        Value::Number(number) => {
            let text = match whole(number) {
                // Those at the ends may have been larger.
                Some(whole) if whole.unsigned_abs() < i64::MAX as u64 => whole.to_string(),
                _ => number.to_string(),
            };
            sized("number", text.len());
            hash.update(text);
        }
        Value::String(text) => {
            sized("string", text.len());
            hash.update(text);
        }
        Value::Array(items) => {
            sized("array", items.len());
            items.iter().for_each(|item| feed(hash, item));
        }
        Value::Object(fields) => {
            sized("object", fields.len());
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in fields {
                hash.update((key.len() as u64).to_be_bytes());
                hash.update(key);
                feed(hash, value);
            }
        }
    }
}

/// A flaw, and the byte that it stands at.
#[derive(Clone, Copy, Debug)]
struct Fault {
    flaw: Flaw,
    at: usize,
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte; always at the border of a character.
    at: usize,
    /// How many more values may be kept.
    room: usize,
    /// Whether the field that is read holds more than that.
    overflowed: bool,
    first_flaw: Option<Fault>,
    /// Keyed, so that nobody can make up keys that look the same.
    hasher: RandomState,
    oversized: Vec<FieldProblem>,
    unknown: FieldProblems,
}

impl<'a> Reader<'a> {
    fn document(&mut self, shape: Shape) -> Result<Option<Value>, Fault> {
        if self.text.starts_with('\u{feff}') {
            return Err(self.fault(Flaw::ByteOrderMark));
        }
        let value = self.bounded(shape, "", 0)?;
        match self.next_token() {
            None => Ok(value),
            Some(_) => Err(self.fault(Flaw::Syntax)),
        }
    }

    /// Reads a value at the JSON pointer `place`. None if nothing of it is kept.
    fn value(&mut self, shape: Shape, place: &str, depth: usize) -> Result<Option<Value>, Fault> {
        let first = self.next_token();
        if matches!(first, Some(b'{' | b'[')) && depth == DEEPEST {
            self.note(Flaw::Depth, self.at);
            self.pass_over()?;
            return Ok(None);
        }
        let kept = self.makes_room(shape);
        match first {
            Some(b'{') => self.object(shape, kept, place, depth + 1),
            Some(b'[') => {
                let items = if matches!(shape, Shape::Whole) { shape } else { Shape::Ignored };
                self.array(items, kept, depth + 1)
            }
            Some(b'"') => {
                let text = self.string()?;
                Ok(kept.then(|| Value::String(text.into_owned())))
            }
            Some(b'-' | b'0'..=b'9') => {
                let text = self.number()?;
                Ok(kept.then(|| Value::Number(number(text))))
            }
            Some(b't') => self.literal("true", kept, Value::Bool(true)),
            Some(b'f') => self.literal("false", kept, Value::Bool(false)),
            Some(b'n') => self.literal("null", kept, Value::Null),
            Some(_) => Err(self.fault(Flaw::Syntax)),
            None => Err(self.fault(Flaw::Early)),
        }
    }

    /// Whether a value of this shape is kept.
    fn makes_room(&mut self, shape: Shape) -> bool {
        if matches!(shape, Shape::Ignored) {
            return false;
        }
        self.overflowed |= self.room == 0;
        self.room = self.room.saturating_sub(1);
        !self.overflowed
    }

    fn object(
        &mut self,
        shape: Shape,
        kept: bool,
        place: &str,
        depth: usize,
    ) -> Result<Option<Value>, Fault> {
        self.at += 1;
        let mut fields = Map::new();
        let mut keys = HashSet::new();
        if self.ends(b'}') {
            return Ok(kept.then(|| Value::Object(fields)));
        }
        loop {
            if self.next_token() != Some(b'"') {
                return Err(self.unexpected());
            }
            let at = self.at;
            let key = self.string()?;
            self.expect(b':')?;
            let value = if !keys.insert(self.hasher.hash_one(&*key)) {
                self.note(Flaw::Twice, at);
                self.value(Shape::Ignored, place, depth)?
            } else if let Shape::Object(shape_of) = shape {
                self.field(&key, shape_of(&key), place, depth)?
            } else {
                self.value(shape, place, depth)?
            };
            if let (Some(value), true) = (value, kept) {
                fields.insert(key.into_owned(), value);
            }
            if self.ends(b'}') {
                return Ok(kept.then(|| Value::Object(fields)));
            }
            self.expect(b',')?;
        }
    }

    /// Reads the field `key` of the object at `place`.
    fn field(
        &mut self,
        key: &str,
        shape: Option<Shape>,
        place: &str,
        depth: usize,
    ) -> Result<Option<Value>, Fault> {
        let Some(shape) = shape else {
            self.unknown.push(FieldProblem::unknown_field(place, key));
            return self.value(Shape::Ignored, place, depth);
        };
        self.bounded(shape, &pointer(place, key), depth)
    }

    /// Reads a value that is left out as a whole where it holds too much.
    fn bounded(&mut self, shape: Shape, place: &str, depth: usize) -> Result<Option<Value>, Fault> {
        let room = self.room;
        let value = self.value(shape, place, depth)?;
        if !std::mem::take(&mut self.overflowed) {
            return Ok(value);
        }
        self.room = room;
        let told = "holds more values than a function can have";
        self.oversized.push(FieldProblem::new(place, FieldProblemCode::OutOfRange, told));
        Ok(None)
    }

    fn array(&mut self, shape: Shape, kept: bool, depth: usize) -> Result<Option<Value>, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        if self.ends(b']') {
            return Ok(kept.then(|| Value::Array(items)));
        }
        loop {
            items.extend(self.value(shape, "", depth)?);
            if self.ends(b']') {
                return Ok(kept.then(|| Value::Array(items)));
            }
            self.expect(b',')?;
        }
    }

    /// Passes over an object or array, of which only the end is looked for.
    fn pass_over(&mut self) -> Result<(), Fault> {
        let mut open = 0_usize;
        loop {
            match self.next_token() {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => open += 1,
                Some(b'}' | b']') => open -= 1,
                Some(byte) if byte.is_ascii() => {}
                Some(_) => return Err(self.fault(Flaw::Syntax)),
                None => return Err(self.fault(Flaw::Early)),
            }
            self.at += 1;
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// Reads a string, from its opening quote on.
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let mut read = Cow::Borrowed("");
        loop {
            let rest = &self.text[self.at..];
            let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let Some(plain) = rest.bytes().position(special) else {
                self.at = self.text.len();
                return Err(self.fault(Flaw::Early));
            };
            self.at += plain;
            // The first piece is borrowed, and a string that has no other.
            read += &rest[..plain];
            match rest.as_bytes()[plain] {
                b'"' => {
                    self.at += 1;
                    return Ok(read);
                }
                b'\\' => read.to_mut().push(self.escape()?),
                _ => return Err(self.fault(Flaw::Syntax)),
            }
        }
    }

    /// Reads an escape, from its backslash on.
    fn escape(&mut self) -> Result<char, Fault> {
        let at = self.at;
        self.at += 1;
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let unit = self.unit()?;
                return Ok(match unit {
                    0xd800..=0xdbff => self.second_half(unit),
                    _ => char::from_u32(unit),
                }
                .unwrap_or_else(|| {
                    self.note(Flaw::Surrogate, at);
                    char::REPLACEMENT_CHARACTER
                }));
            }
            Some(_) => return Err(self.fault(Flaw::Syntax)),
            None => return Err(self.fault(Flaw::Early)),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// The character of which `first` is the first half, if the other half follows.
    fn second_half(&mut self, first: u32) -> Option<char> {
        let at = self.at;
        if self.text[at..].starts_with("\\u") {
            self.at += 2;
            if let Ok(second @ 0xdc00..=0xdfff) = self.unit() {
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            self.at = at;
        }
        None
    }

    /// Reads the four hexadecimal digits of a UTF-16 code unit.
    fn unit(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else { return Err(self.fault(Flaw::Early)) };
            let digit = char::from(byte).to_digit(16);
            unit = unit * 16 + digit.ok_or_else(|| self.fault(Flaw::Syntax))?;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Reads a number's text.
    fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// Reads one digit at least.
    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.text[self.at..].bytes();
        match rest.take_while(u8::is_ascii_digit).count() {
            0 => Err(self.unexpected()),
            digits => {
                self.at += digits;
                Ok(())
            }
        }
    }

    fn literal(&mut self, text: &str, kept: bool, value: Value) -> Result<Option<Value>, Fault> {
        for expected in text.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(kept.then_some(value))
    }

    /// Whether the object or array ends here, which is read if so.
    fn ends(&mut self, with: u8) -> bool {
        let ends = self.next_token() == Some(with);
        self.at += usize::from(ends);
        ends
    }

    fn expect(&mut self, token: u8) -> Result<(), Fault> {
        if self.ends(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The first byte behind white space.
    fn next_token(&mut self) -> Option<u8> {
        let rest = self.text[self.at..].bytes();
        self.at += rest.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.peek()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unexpected(&self) -> Fault {
        self.fault(if self.peek().is_none() { Flaw::Early } else { Flaw::Syntax })
    }

    fn fault(&self, flaw: Flaw) -> Fault {
        Fault { flaw, at: self.at }
    }

    fn note(&mut self, flaw: Flaw, at: usize) {
        self.first_flaw.get_or_insert(Fault { flaw, at });
    }
}

/// The number that `text` spells.
fn number(text: &str) -> Number {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    let float = text.parse::<f64>().unwrap_or_default();
    Number::from_f64(float.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| 0.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole_document(text: &str) -> Value {
        read(text.as_bytes(), Shape::Whole).unwrap().value
    }

    fn refused(text: &[u8]) -> String {
        read(text, Shape::Ignored).unwrap_err().to_string()
    }

    fn problems(text: &str) -> Vec<(String, FieldProblemCode)> {
        let document = read(text.as_bytes(), FUNCTION).unwrap();
        let problems = document.read_with(|_| Ok(())).err().unwrap_or_default();
        problems.first().iter().map(|it| (it.pointer.clone(), *it.code.known().unwrap())).collect()
    }

    #[test]
    fn every_json_value_is_read_as_serde_json_reads_it() {
        let text = r#" {"a": [1, -2, 3.5, "x\u00e4\ud83d\ude00\n\/", null, true, false, [], {}], "b": {"a": {}},
            "": 9223372036854775807, "ä\"": 0, "e": [-0.5, 1.25e2, 2E-1, 1.5e+3] } "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(whole_document(text), expected);
        assert!(read(text.as_bytes(), Shape::Ignored).unwrap().value.is_null());
    }

    /// A text that is JSON, or nearly.
    fn nearly_json(random: &mut fastrand::Rng, depth: usize) -> String {
        let mut text = match random.usize(..if depth == 0 { 6 } else { 9 }) {
            0 => "null".to_owned(),
            1 => ["true", "false"][random.usize(..2)].to_owned(),
            2 => ["0", "-1", "12.5", "1e2", "-0.25E-1", "01", "1.", "+1", "-"][random.usize(..9)]
                .to_owned(),
            3 | 4 => {
                [r#""""#, r#""a""#, r#""\u00e9\n""#, r#""\ud83d\ude00""#, r#""\x""#, "\"\u{1}\""]
                    [random.usize(..6)]
                .to_owned()
            }
            5 => format!("\"{}\"", random.char('ä'..'ö')),
            6 => {
                let items: Vec<_> =
                    (0..random.usize(..4)).map(|_| nearly_json(random, depth - 1)).collect();
                format!("[{}]", items.join(" ,"))
            }
            _ => {
                let fields: Vec<_> = (0..random.usize(..4))
                    .map(|field| format!("\"{field}\":{}", nearly_json(random, depth - 1)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
        };
        // Now and then a character too many or too few.
        if random.usize(..40) == 0 {
            let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[random.usize(..places.len())];
            if random.bool() {
                text.remove(at);
            } else {
                text.insert(at, ['"', ',', ']', '}', ':', '\\', 'x', ' '][random.usize(..8)]);
            }
        }
        text
    }

    #[test]
    fn what_serde_json_reads_is_read_and_what_it_refuses_is_refused() {
        let mut random = fastrand::Rng::with_seed(20_261_125);
        let (mut accepted, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let text = nearly_json(&mut random, 3);
            let ours = read(text.as_bytes(), Shape::Whole);
            match serde_json::from_str::<Value>(&text) {
                Ok(value) => {
                    let Ok(ours) = ours else { panic!("refused: {text}: {ours:?}") };
                    assert_eq!(canonical_digest(&ours.value), canonical_digest(&value), "{text}");
                    accepted += 1;
                }
                Err(error) => {
                    assert!(ours.is_err(), "accepted: {text}: {error}");
                    refused += 1;
                }
            }
            assert_eq!(
                read(text.as_bytes(), Shape::Ignored).is_ok(),
                read(text.as_bytes(), Shape::Whole).is_ok(),
                "{text}"
            );
        }
        assert!(accepted > 3000 && refused > 3000, "{accepted} {refused}");
    }

    #[test]
    fn what_is_not_one_unambiguous_document_is_refused_with_its_place() {
        for (text, told) in [
            (&b""[..], "it ends early at line 1, column 1"),
            (b"{\"a\": 1", "it ends early at line 1, column 8"),
            (b"{\"a\": \"x", "it ends early at line 1, column 9"),
            (b"[1,\n 2,]", "it has a syntax error at line 2, column 4"),
            (b"{\"a\": 1} {}", "it has a syntax error at line 1, column 10"),
            (b"{a: 1}", "it has a syntax error at line 1, column 2"),
            (b"[NaN]", "it has a syntax error at line 1, column 2"),
            (b"[01]", "it has a syntax error at line 1, column 3"),
            (b"\"a\tb\"", "it has a syntax error at line 1, column 3"),
            (b"[\n\"\xc3\xa4\xff\"]", "it is not UTF-8 at line 2, column 3"),
            (b"\xff\xfe{\0}\0", "it is not UTF-8 at line 1, column 1"),
            (
                b"\xef\xbb\xbf{}",
                "it begins with a byte order mark, which must be left out, at line 1",
            ),
            (b"\"\\ud800\"", "half of a surrogate pair"),
            (b"\"\\udc00\\ud800\"", "half of a surrogate pair"),
            (b"\"\\ud800\\u0041\"", "half of a surrogate pair"),
            (
                b"{\n\"a\": {\"b\": 1, \"\\u0062\": \"s3cr3t\"}}",
                "twice in one object at line 2, column 15",
            ),
        ] {
            let refused = refused(text);
            assert!(refused.contains(told), "{}: {refused}", String::from_utf8_lossy(text));
            assert!(!refused.contains("s3cr3t"), "{refused}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(DEEPEST).as_bytes(), Shape::Whole).is_ok());
        assert!(refused(nested(DEEPEST + 1).as_bytes()).contains("nested too deeply"));
        assert!(refused(nested(1_000_000).as_bytes()).contains("line 1, column 129"));
        assert!(refused("[".repeat(1000).as_bytes()).contains("nested too deeply"));
    }

    #[test]
    fn what_leaves_the_structure_clear_does_not_end_the_reading() {
        let deep = format!("{}{}", "[\"]\",".repeat(200), "]".repeat(200)).replace(",]", "]");
        for text in [
            r#"{"functionName": "a", "code": "\ud800", "tags": 1}"#.to_owned(),
            r#"{"functionName": "a", "code": 1, "functionName": "b", "tags": 1}"#.to_owned(),
            format!(r#"{{"functionName": "a", "code": {deep}, "tags": 1}}"#),
        ] {
            let readable = read(text.as_bytes(), FUNCTION).unwrap_err().readable;
            assert_eq!((&readable["functionName"], &readable["tags"]), (&json!("a"), &json!(1)));
        }
        assert!(read(b"{\"functionName\": \"a\"", FUNCTION).unwrap_err().readable.is_null());
    }

    #[test]
    fn numbers_beyond_all_range_are_well_formed() {
        assert_eq!(whole_document("[1e400, -1e400]"), json!([f64::MAX, f64::MIN]));
        assert!(read(b"{\"drift\": 1e400, \"unknown\": -1E999}", FUNCTION).is_ok());
    }

    #[test]
    fn whole_numbers_are_whole_however_they_are_spelled() {
        let read = |text| whole(&number(text));
        for text in ["1000", "1e3", "1000.0", "10.00E+2", "10000e-1"] {
            assert_eq!(read(text), Some(1000), "{text}");
        }
        assert_eq!(read("256.5"), None);
        assert_eq!((read("1e400"), read("-1e400")), (Some(i64::MAX), Some(i64::MIN)));
        assert_eq!(read("18446744073709551615"), Some(i64::MAX));
    }

    #[test]
    fn two_spellings_of_one_document_have_one_digest() {
        let digest = |text| canonical_digest(&whole_document(text));
        let one = digest(r#"{"b": [1000, {"d": "x", "c": null}], "a": "\u0041"}"#);
        assert_eq!(one, digest(r#"{"a":"A","b":[1e3,{"c":null,"d":"x"}]}"#));
        assert_eq!(one.len(), 64);
        for other in [
            r#"{"a":"A","b":[{"c":null,"d":"x"},1000]}"#,
            r#"{"a":"A","b":[1001,{"c":null,"d":"x"}]}"#,
            r#"{"a":"A","b":["1000",{"c":null,"d":"x"}]}"#,
            r#"{"a":"A","b":[1000,{"d":"x"}]}"#,
        ] {
            assert_ne!(one, digest(other), "{other}");
        }
        let pairs = [("[[],[]]", "[[[]]]"), (r#"{"ab":"c"}"#, r#"{"a":"bc"}"#), ("1e300", "1e301")];
        for (one, other) in pairs {
            assert_ne!(digest(one), digest(other), "{one} {other}");
        }
    }

    #[test]
    fn of_a_function_only_what_a_function_has_is_kept() {
        let text = r#"{"functionName": "a", "status": {"x": 1}, "colour": [1, 2], "memory": 7}"#;
        let document = read(text.as_bytes(), FUNCTION).unwrap();
        assert_eq!(document.value, json!({"functionName": "a"}));
        let unknown = FieldProblemCode::UnknownField;
        assert_eq!(
            problems(text),
            [("/colour".to_owned(), unknown), ("/memory".to_owned(), unknown)]
        );
        assert!(read(b"[[0],[0]]", FUNCTION).unwrap().value.is_array());
    }

    #[test]
    fn a_part_is_a_document_with_places_of_its_own() {
        const SHAPE: Shape = Shape::Object(|field| (field == "function").then_some(FUNCTION));
        let text = r#"{"function": {"handler": "x", "colour": 1}, "more": 1}"#;
        let part = read(text.as_bytes(), SHAPE).unwrap().into_part("/function");
        assert_eq!(part.value, json!({"handler": "x"}));
        let problems = part.read_with(|_| Ok(())).unwrap_err();
        let at: Vec<_> = problems.first().iter().map(|it| it.pointer.as_str()).collect();
        assert_eq!(at, ["/colour", "/more"]);
    }

    #[test]
    fn unknown_fields_are_counted_and_a_hundred_told() {
        let fields: Vec<_> = (0..5000).map(|n| format!("\"field{n}\": {n}")).collect();
        let text = format!("{{{}, \"{}\": 1}}", fields.join(","), "x".repeat(100_000));
        let document = read(text.as_bytes(), FUNCTION).unwrap();
        let problems = document.read_with(|_| Ok(())).unwrap_err();
        assert_eq!((problems.first().len(), problems.count()), (100, 5001));
        assert_eq!(problems.first()[0].pointer, "/field0");
    }

    #[test]
    fn a_field_with_more_values_than_a_function_has_is_one_problem() {
        let many = format!("[{}0]", "[0],".repeat(MOST_VALUES));
        let text = format!(r#"{{"code": {many}, "tags": {{"a": {many}}}, "handler": "x"}}"#);
        let out_of_range = FieldProblemCode::OutOfRange;
        let expected = [("/code".to_owned(), out_of_range), ("/tags".to_owned(), out_of_range)];
        assert_eq!(problems(&text), expected);
        let document = read(text.as_bytes(), FUNCTION).unwrap();
        assert_eq!(document.value, json!({"handler": "x"}));
        // It was given, so that it is missing is no news.
        let missing = FieldProblem::new("/code", FieldProblemCode::Required, "must be given");
        let problems = document.read_with(|_| Err::<(), _>(vec![missing])).unwrap_err();
        assert_eq!(problems.count(), 2);
    }
}

//! The reader: one pass over the text, which keeps what the shape asks for.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::{DEEPEST, Flaw, MOST_VALUES, Shape};
use crate::problem::{FieldProblem, FieldProblemCode, FieldProblems, pointer};

/// A flaw, and the byte that it stands at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) flaw: Flaw,
    pub(super) at: usize,
}

/// What reads a document, and what it has found so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    /// The next byte; always at the border of a character.
    at: usize,
    /// How many more values may be kept.
    room: usize,
    /// Whether the field that is read holds more than that.
    overflowed: bool,
    pub(super) first_flaw: Option<Fault>,
    /// Keyed, so that nobody can make up keys that look the same.
    hasher: RandomState,
    pub(super) oversized: Vec<FieldProblem>,
    pub(super) unknown: FieldProblems,
    /// Where the first items stand, and how many there are.
    pub(super) items: Vec<Range<usize>>,
    pub(super) item_count: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            room: MOST_VALUES,
            overflowed: false,
            first_flaw: None,
            hasher: RandomState::new(),
            oversized: Vec::new(),
            unknown: FieldProblems::default(),
            items: Vec::new(),
            item_count: 0,
        }
    }

    pub(super) fn document(&mut self, shape: Shape) -> Result<Option<Value>, Fault> {
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
                if let Shape::Items(most) = shape {
                    self.items(most, depth + 1)?;
                    return Ok(kept.then(|| Value::Array(Vec::new())));
                }
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

    /// Notes where the items of an array stand.
    fn items(&mut self, most: usize, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        if self.ends(b']') {
            return Ok(());
        }
        loop {
            self.next_token();
            let begin = self.at;
            self.value(Shape::Ignored, "", depth)?;
            self.item_count += 1;
            if self.items.len() < most {
                self.items.push(begin..self.at);
            }
            if self.ends(b']') {
                return Ok(());
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
pub(super) fn number(text: &str) -> Number {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    let float = text.parse::<f64>().unwrap_or_default();
    Number::from_f64(float.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| 0.into())
}
